"""`spikepool model` says what would be fitted."""

import pytest


@pytest.fixture
def table(tmp_path):
    """Write two neurons of two trials: m0 = (ln 2.5 + ln 4.5)/2 − ln 2 = 0.5170."""
    path = tmp_path / "counts.csv"
    path.write_text("neuron,trial,count\na,1,1\na,2,1\nb,1,2\nb,2,2\n")
    return path


def test_without_a_table_the_centre_is_a_symbol(spikepool):
    """All six default models, and m0 for what a table would give."""
    ended = spikepool("model")
    assert ended.code == 0
    assert [text.splitlines()[0] for text in ended.out.split("\n\n")] == [
        "Poisson none", "Poisson complete", "Poisson partial",
        "NB2 none", "NB2 complete", "NB2 partial",
    ]  # fmt: skip
    assert "normal(m0, 2.5)" in ended.out


def test_table_gives_the_centre(spikepool, table):
    """Its number, to four digits."""
    ended = spikepool("model", table, "--family", "poisson", "--pooling", "partial")
    assert ended.out.splitlines()[0] == "Poisson partial"
    assert "μ ~ normal(0.517, 2.5)" in ended.out


def test_options_of_the_model_choose(spikepool):
    """As in a fit."""
    ended = spikepool(
        "model", "--family", "nb1", "--pooling", "partial", "--dispersion-pooling", "complete"
    )
    assert ended.out.startswith("NB1 partial (complete dispersion)\n")


def test_graph_is_the_source_of_a_drawing(spikepool):
    """One graph per model, with its variables."""
    ended = spikepool("model", "--family", "nb2", "--pooling", "partial", "--format", "graphviz")
    assert ended.code == 0
    assert ended.out.startswith("digraph")
    for variable in ("mu", "tau", "mu_delta", "tau_delta", "theta", "delta"):
        assert variable in ended.out


def test_design_that_cannot_tell_is_refused(spikepool, tmp_path):
    """Exit 4, as a fit would."""
    table = tmp_path / "lone.csv"
    table.write_text("neuron,trial,count\na,1,1\nb,1,2\n")
    assert spikepool("model", table, "--family", "nb2").code == 4


def test_bad_options_are_usage_errors(spikepool):
    """Exit 2."""
    assert spikepool("model", "--family", "gauss").code == 2
    assert spikepool("model", "--format", "tikz").code == 2


def test_priors_and_population_are_shown(spikepool):
    """As given, where m0 would stand otherwise; repeated or with commas."""
    ended = spikepool(
        *("model", "--family", "nb2", "--population", "student-t"),
        *("--prior", "mu=normal(1, 0.5),tau=inverse-gamma(3, 1)"),
        *("--prior", "typical_gain_sd=exponential(2)"),
    )
    assert ended.code == 0
    unpooled, _, partial = ended.out.split("\n\n")
    assert "θ_i ~ normal(m0, 2.5)" in unpooled
    assert "σ_G ~ half-normal(1)" in unpooled
    assert partial.splitlines()[0] == "NB2 partial (student-t population)"
    for line in (
        "θ_i ~ student-t(4, μ, τ)", "μ ~ normal(1, 0.5)", "τ² ~ inverse-gamma(3, 1)",
        "exp(μ_δ) ~ exponential(2)", "τ_δ ~ half-normal(0.5)",
    ):  # fmt: skip
        assert line in partial


def test_table_scales_the_gamma_population(spikepool, table):
    """The prior of b has the unit of the rates: e^0.517 = 1.677; without a table it is a symbol."""
    options = ("--family", "poisson", "--pooling", "partial", "--population", "gamma")
    assert "b ~ gamma(0.1, 1.677)" in spikepool("model", table, *options).out
    assert "b ~ gamma(0.1, exp(m0))" in spikepool("model", *options).out


def test_graph_has_the_priors_and_the_population(spikepool):
    """A gamma population with a half-normal shape; an inverse gamma on the square."""
    ended = spikepool(
        *("model", "--family", "nb2", "--pooling", "partial", "--population", "gamma"),
        *("--format", "graphviz", "--prior", "a=half-normal(3)"),
        *("--prior", "tau_delta=inverse-gamma(3, 1)"),
    )
    assert ended.code == 0
    for node in ("a\n~\nHalfnormal", "b\n~\nGamma", "rate_sampled\n~\nGamma", "tau_delta_squared"):
        assert node in ended.out
    assert "mu\n~" not in ended.out


@pytest.mark.parametrize(
    "options",
    [
        ("--prior", "tau=jeffreys"),
        ("--prior", "tau=normal(0, 1)"),
        ("--population", "gamma", "--pooling", "none"),
    ],
)
def test_what_cannot_be_used_is_a_usage_error(spikepool, options):
    """Exit 2, with the option named and a way out."""
    ended = spikepool("model", *options)
    assert ended.code == 2
    assert options[0] in ended.err
    assert "→" in ended.err

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

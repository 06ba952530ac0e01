"""A model in words says the likelihood, the populations and the priors that are fitted."""

from dataclasses import replace

import pytest

from spikepool.models.describe import describe_model
from spikepool.models.priors import (
    DEFAULTS_IN_SYMBOLS,
    InverseGamma,
    RootInverseGamma,
    default_priors,
)
from spikepool.models.spec import ModelSpec


@pytest.fixture
def priors(build_tally):
    """Priors of a table whose m0 is ln 2 exactly: (Σy + ½)/Σe is 2 of both neurons."""
    return default_priors(build_tally([[1], [0]], [[0.75], [0.25]]))


@pytest.fixture
def describe(priors):
    """Return a function from a model's parts to its description."""
    return lambda *parts, **options: describe_model(ModelSpec(*parts), priors, **options)


def test_nb2_partial_reads_as_the_contract_states_it(describe):
    """Every line of the primary model."""
    assert describe("nb2", "partial", "partial").splitlines() == [
        "NB2 partial",
        (
            "  counts      y_it ~ NB2(m_it, α_i),  m_it = exp(θ_i) e_it,  α_i = exp(2 δ_i),  "
            "Var = m + α m²"
        ),
        "  log rate    θ_i ~ normal(μ, τ): partial pooling",
        "  dispersion  δ_i = ln σ_G ~ normal(μ_δ, τ_δ): partial pooling",
        "  priors      μ ~ normal(0.6931, 2.5)",
        "              τ ~ half-cauchy(1)",
        "              exp(μ_δ) ~ half-normal(1)",
        "              τ_δ ~ half-normal(0.5)",
    ]


def test_poisson_has_no_dispersion(describe):
    """Neither a line of it nor a prior."""
    text = describe("poisson", "partial", None)
    assert "dispersion" not in text
    assert "δ" not in text


def test_no_pooling_has_a_fixed_prior_and_no_population(describe):
    """θ's prior is N(m0, s0²); there is no μ and no τ."""
    lines = describe("poisson", "none", None).splitlines()
    assert lines[2].split("θ_i")[1].startswith(" ~ normal(0.6931, 2.5) for each neuron, fixed")
    assert len(lines) == 3


def test_complete_pooling_has_one_value_for_all(describe):
    """One μ and one dispersion, each with its prior."""
    lines = [line.strip() for line in describe("nb1", "complete", "complete").splitlines()]
    assert "log rate    θ_i = μ: complete pooling" in lines
    assert "dispersion  exp(δ_i) = √ω, the same for all: complete pooling" in lines
    assert lines[-2:] == ["priors      μ ~ normal(0.6931, 2.5)", "√ω ~ half-normal(1)"]


def test_poolings_of_rate_and_dispersion_are_told_apart(describe):
    """The label says so as well."""
    text = describe("nb2", "partial", "none")
    assert text.startswith("NB2 partial (none dispersion)")
    assert "exp(δ_i) = σ_G of each neuron alone: no pooling" in text
    assert "τ_δ" not in text


def test_symbols_stand_where_there_is_no_table(describe):
    """A text instead of a number that no table gave; the other priors keep theirs."""
    symbols = {"in_symbols": DEFAULTS_IN_SYMBOLS}
    text = describe("poisson", "partial", None, **symbols)
    assert "μ ~ normal(m0, 2.5)" in text
    assert "τ ~ half-cauchy(1)" in text
    assert "θ_i ~ normal(m0, 2.5)" in describe("poisson", "none", None, **symbols)
    gamma = describe("poisson", "partial", None, "gamma", **symbols)
    assert "b ~ gamma(0.1, exp(m0))" in gamma


def test_populations_are_told(describe):
    """The label, the law of the rates and its own hyperparameters."""
    student = describe("nb2", "partial", "complete", "student-t").splitlines()
    assert student[0] == "NB2 partial (complete dispersion, student-t population)"
    assert "  log rate    θ_i ~ student-t(4, μ, τ): partial pooling" in student
    assert "              τ ~ half-cauchy(1)" in student
    assert describe("poisson", "partial", None, "gamma").splitlines()[2:] == [
        "  log rate    exp(θ_i) ~ gamma(a, b): partial pooling",
        "  priors      a ~ exponential(1)",
        "              b ~ gamma(0.1, 2)",
    ]


def test_an_inverse_gamma_of_the_square_says_so(priors):
    """τ², where the other parameters of NB1 have their own priors and no square."""
    given = replace(
        priors, tau=RootInverseGamma(1.0, 0.5), typical_root_excess_fano=InverseGamma(2.0, 0.5)
    )
    text = describe_model(ModelSpec("nb1", "partial", "partial"), given)
    assert "τ² ~ inverse-gamma(1, 0.5)" in text
    assert "exp(μ_δ) ~ inverse-gamma(2, 0.5)" in text
    assert "τ_δ ~ half-normal(0.5)" in text


@pytest.mark.parametrize(
    ("spec", "own"),
    [
        (ModelSpec("nb2", "partial", "partial"), "each has its own μ, τ, μ_δ, τ_δ"),
        (ModelSpec("nb2", "complete", "complete"), "each has its own μ, σ_G"),
        (ModelSpec("nb1", "partial", "none"), "each has its own μ, τ, with"),
        (ModelSpec("nb2", "none", "partial"), "each has its own μ_δ, τ_δ"),
        (ModelSpec("poisson", "none", None), "nothing is shared between neurons"),
    ],
)
def test_groups_have_parameters_of_their_own(spec, own, build_tally):
    """Those that neurons share; without groups nothing is said of them."""
    priors = default_priors(build_tally([[1, 2]] * 5))
    text = describe_model(spec, priors, groups=("V1", "V2"))
    assert "V1, V2" in text
    assert own in text
    assert "groups" not in describe_model(spec, priors, groups=("all",))


@pytest.mark.parametrize(("pooling", "spread"), [("partial", "ω_d"), ("none", "2.5")])
def test_drift_between_blocks_is_told(priors, pooling, spread):
    """It is not called a condition, and has a prior of its own where it is estimated."""
    spec = ModelSpec("poisson", "partial", None, condition_pooling=pooling, drifting=True)
    text = describe_model(spec, priors)
    pooled = pooling if pooling == "partial" else "no"
    assert (
        f"  drift       θ_ib ~ normal(θ_i, {spread}) in block b of the neuron's trials, for θ_i in "
        f"the counts: {pooled} pooling"
    ) in text
    assert "condition" not in text
    assert ("ω_d ~ half-normal(0.5)" in text) == (pooling == "partial")


def test_labels_within_groups_are_told(priors):
    """What they add, with priors; groups do not have the sds of their own."""
    crossed = ModelSpec("nb2", "partial", "partial", within="crossed")
    lines = describe_model(crossed, priors, groups=("V1", "V2")).splitlines()
    assert lines[0] == "NB2 partial (crossed labels)"
    start = lines.index(
        "  within      μ is μ_g + u_a + v_ga in group g with label a: crossed labels"
    )
    assert lines[start + 1 : start + 3] == [
        "              u_a ~ normal(0, τ_u), v_ga ~ normal(0, τ_v)",
        "              the same of μ_δ, with τ_uδ and τ_vδ",
    ]
    symbols = ("τ_u", "τ_v", "τ_uδ", "τ_vδ")
    assert lines[-6:-2] == [f"              {symbol} ~ half-normal(0.5)" for symbol in symbols]
    assert lines[-1] == "              each has its own μ, τ, μ_δ, τ_δ, with these priors"
    nested = describe_model(replace(crossed, dispersion_pooling="none", within="nested"), priors)
    assert "u_a ~ normal(0, τ_u)" in nested
    assert "τ_v" not in nested
    assert "the same of" not in nested

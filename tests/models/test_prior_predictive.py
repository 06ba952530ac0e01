"""Neurons drawn from the priors, against closed forms and integrals.

Each Kolmogorov-Smirnov test is passed by right draws 999 times in 1,000, with whatever seed.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

from spikepool.models.prior_predictive import NeuronDesign, draw_prior_predictive
from spikepool.models.priors import (
    HalfCauchy,
    HalfNormal,
    Normal,
    Priors,
    RootInverseGamma,
    Uniform,
)
from spikepool.models.spec import ModelSpec

M0 = np.log(10.0)
PRIORS = Priors(Normal(M0, 2.5), HalfCauchy(1), HalfNormal(1), HalfNormal(0.5), fixed=Normal(1, 2))
DESIGN = NeuronDesign(trials=12, exposure=0.5)
SPECS = (
    ModelSpec("poisson", "none", None),
    ModelSpec("nb2", "complete", "complete"),
    ModelSpec("nb2", "partial", "partial"),
    ModelSpec("nb1", "none", "none"),
    ModelSpec("poisson", "partial", None, population="gamma"),
)


@pytest.fixture(scope="module")
def predicted():
    """Return what the priors say, by the model's name."""
    found = draw_prior_predictive(SPECS, PRIORS, DESIGN, seed=4)
    return {each.spec.name: each for each in found}


def assert_drawn_from(values, cumulative):
    """By the Kolmogorov-Smirnov test at 0.001."""
    assert stats.kstest(values, cumulative).pvalue > 1e-3


def test_fixed_prior_is_log_normal(predicted):
    """Without pooling, in the fixed prior's own numbers."""
    assert_drawn_from(np.log(predicted["poisson-none"].rate), stats.norm(1, 2).cdf)


def test_own_weight_without_pooling(predicted):
    """κ = s0²/(s0² + 1/(n m)), of Poisson counts with mean m."""
    each = predicted["poisson-none"]
    variance = 1 / (12 * 0.5 * each.rate)
    np.testing.assert_allclose(each.own_weight, 4 / (4 + variance), rtol=1e-9)
    assert np.all(each.fano == 1)


def test_complete_pooling(predicted):
    """μ's prior; the Fano factor is 1 + σ_G² m; no neuron has a weight of its own."""
    each = predicted["nb2-complete"]
    assert_drawn_from(np.log(each.rate), stats.norm(M0, 2.5).cdf)
    gain_sd = np.sqrt((each.fano - 1) / (0.5 * each.rate))
    assert_drawn_from(gain_sd, stats.halfnorm.cdf)
    assert np.all(each.own_weight == 0)


def test_partial_pooling_has_the_long_tail_of_tau(predicted):
    """θ is normal about m0 with variance 2.5² + τ², averaged over τ by quadrature."""
    rates = np.log(predicted["nb2-partial"].rate)
    prior = stats.halfcauchy()

    def cumulative(theta):
        def of_mass(mass):
            return stats.norm.cdf(theta, M0, np.hypot(2.5, prior.ppf(mass)))

        return integrate.quad_vec(of_mass, 0, 1)[0]

    grid = np.linspace(-300, 300, 3001)
    known = cumulative(grid)
    inside = rates[np.abs(rates) < 299]
    assert_drawn_from(inside, lambda x: np.interp(x, grid, known))
    assert np.isfinite(predicted["nb2-partial"].fano).all()
    weights = predicted["nb2-partial"].own_weight
    assert weights.min() >= 0
    assert weights.max() <= 1


def test_dispersions(predicted):
    """Of ln σ_G, ln of a half-normal plus N(0, τ_δ²): the mean, within 4 errors; √ω of NB1.

    The logarithm of a half-normal has mean −(ln 2 + γ)/2 and variance π²/8; E τ_δ² is 0.5².
    """
    each = predicted["nb2-partial"]
    known = (each.rate > 1) & (each.rate < 1e6)
    log_gain = 0.5 * np.log((each.fano[known] - 1) / (0.5 * each.rate[known]))
    error = np.sqrt((np.pi**2 / 8 + 0.25) / known.sum())
    assert abs(log_gain.mean() + (np.log(2) + np.euler_gamma) / 2) < 4 * error
    assert_drawn_from(np.sqrt(predicted["nb1-none"].fano - 1), stats.halfnorm.cdf)


def test_gamma_population(predicted):
    """Rates of gamma(a, b) given a and b: the share above 1 is that of an integral over both."""
    rng = np.random.default_rng(6)
    a, b = rng.exponential(size=200_000), rng.gamma(0.1, size=200_000)
    share = stats.gamma.sf(1.0, a, scale=1 / np.maximum(b, 1e-300)).mean()
    found = np.mean(predicted["poisson-partial-gamma"].rate > 1.0)
    assert found == pytest.approx(share, abs=4 * np.sqrt(0.25 / 10_000) + 0.003)


def test_prior_of_the_square():
    """An inverse gamma is of τ², whose root is drawn."""
    priors = Priors(Normal(0, 1e-6), RootInverseGamma(3, 2), HalfNormal(1), HalfNormal(1))
    (each,) = draw_prior_predictive([ModelSpec("poisson", "partial", None)], priors, DESIGN, 1)
    scale = np.sqrt(2 / 3)
    assert_drawn_from(np.log(each.rate), stats.t(6, scale=scale).cdf)


def test_repeats_with_its_seed():
    """The same arrays."""
    one, other = (draw_prior_predictive(SPECS[:1], PRIORS, DESIGN, 9)[0] for _ in range(2))
    np.testing.assert_array_equal(one.rate, other.rate)


TUNED = NeuronDesign(trials=24, exposure=0.5, conditions=4)


def tuned(spec, priors=PRIORS, design=TUNED):
    """Return what the priors say of a neuron with conditions, beside another model's draws."""
    other = ModelSpec("poisson", "partial", None, condition_pooling="partial")
    return draw_prior_predictive([other, spec], priors, design, seed=3)[1]


@pytest.mark.parametrize(("pooling", "sd"), [("none", 2.5), ("partial", 0.3)])
def test_strength_of_tuning(pooling, sd):
    """3 s²/ω² is χ² of three degrees; ω is 2.5 where conditions are not pooled."""
    priors = replace(PRIORS, tuning_sd=Uniform(0.3, 0.3 + 1e-9))
    each = tuned(ModelSpec("poisson", "none", None, condition_pooling=pooling), priors)
    assert_drawn_from(3 * each.tuning_strength**2 / sd**2, stats.chi2(3).cdf)


def test_rate_of_a_tuned_neuron_is_its_mean_over_conditions():
    """Its mean over neurons with a_i fixed is e^{a + ω²/2}, within 4 standard errors."""
    priors = replace(PRIORS, tuning_sd=Uniform(0.3, 0.3 + 1e-9), fixed=Normal(1, 1e-9))
    each = tuned(ModelSpec("poisson", "none", None, condition_pooling="partial"), priors)
    error = each.rate.std() / np.sqrt(len(each.rate))
    assert abs(each.rate.mean() - np.exp(1 + 0.3**2 / 2)) < 4 * error


def test_own_weight_of_a_tuned_neuron():
    """κ = s0²/(s0² + 1/I) with I = Σ_c 1/(ω² + 1/(n_c m_c)): C/(ω² + 1/(n_c m)) of equal rates."""
    priors = replace(PRIORS, tuning_sd=Uniform(1e-6, 1.1e-6))
    each = tuned(ModelSpec("poisson", "none", None, condition_pooling="partial"), priors)
    told = 24 * 0.5 * each.rate
    np.testing.assert_allclose(each.own_weight, 4 * told / (4 * told + 1), rtol=1e-4)
    free = tuned(ModelSpec("poisson", "none", None, condition_pooling="none"))
    assert np.all(free.own_weight < 4 / (4 + 2.5**2 / 4))


def test_conditions_that_make_no_difference():
    """As without conditions, and of strength 0; one condition has no strength."""
    spec = ModelSpec("nb2", "partial", "partial", condition_pooling="complete")
    each = tuned(spec)
    assert np.all(each.tuning_strength == 0)
    plain = draw_prior_predictive([spec], PRIORS, NeuronDesign(24, 0.5), 3)[0]
    assert plain.tuning_strength is None


def test_effects_of_conditions_widen_the_spread():
    """Effects and responses add: 3 s²/(ω² + ω_c²) is χ² of three degrees."""
    priors = replace(
        PRIORS, tuning_sd=Uniform(0.3, 0.3 + 1e-9), condition_sd=Uniform(0.4, 0.4 + 1e-9)
    )
    spec = ModelSpec("poisson", "none", None, condition_pooling="partial", condition_effects=True)
    each = tuned(spec, priors)
    assert_drawn_from(3 * each.tuning_strength**2 / 0.5**2, stats.chi2(3).cdf)


def test_labels_within_groups_widen_the_rates():
    """With τ near 0 ln λ is N(m0, 2.5² + 0.3² + 0.4²) where labels are crossed."""
    priors = replace(
        PRIORS,
        mu=Normal(M0, 0.1),
        tau=HalfNormal(1e-9),
        within_sd=Uniform(0.3, 0.3 + 1e-9),
        interaction_sd=Uniform(0.4, 0.4 + 1e-9),
    )
    spec = ModelSpec("poisson", "partial", None, within="crossed")
    (each,) = draw_prior_predictive([spec], priors, DESIGN, 5)
    assert_drawn_from(np.log(each.rate), stats.norm(M0, np.sqrt(0.1**2 + 0.5**2)).cdf)


def test_labels_within_groups_widen_the_dispersions():
    """The variance of ln √ω is π²/8 of its typical value, with τ_δ near 0, and that of both sds."""
    priors = replace(
        PRIORS,
        tau_delta=HalfNormal(1e-9),
        within_sd_delta=Uniform(1.2, 1.2 + 1e-9),
        interaction_sd_delta=Uniform(0.9, 0.9 + 1e-9),
    )
    spec = ModelSpec("nb1", "partial", "partial", within="crossed")
    (each,) = draw_prior_predictive([spec], priors, DESIGN, 5)
    excess = each.fano - 1
    known = 0.5 * np.log(excess[excess > 0])
    variance = np.pi**2 / 8 + 1.5**2
    fourth = ((known - known.mean()) ** 4).mean()
    error = np.sqrt((fourth - variance**2) / len(known))
    assert abs(known.var() - variance) < 4 * error


@pytest.mark.parametrize(
    ("design", "unit", "told"),
    [
        (NeuronDesign(1, 0.5), "spikes/s", "1 trial of 0.5 s"),
        (NeuronDesign(20, 1.0), "spikes/trial", "20 trials"),
        (NeuronDesign(1600, 0.25, 8), "spikes/s", "1,600 trials of 0.25 s in 8 conditions"),
        (NeuronDesign(20, 1.0, 4, "block"), "spikes/trial", "20 trials in 4 blocks"),
    ],
)
def test_design_in_words(design, unit, told):
    """With its unit where there is one."""
    assert design.told(unit) == told

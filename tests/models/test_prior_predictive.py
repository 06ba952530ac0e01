"""Neurons drawn from the priors, against closed forms and integrals.

Each Kolmogorov-Smirnov test is passed by right draws 999 times in 1,000, with whatever seed.
"""

import numpy as np
import pytest
from scipy import integrate, stats

from spikepool.models.prior_predictive import NeuronDesign, draw_prior_predictive
from spikepool.models.priors import HalfCauchy, HalfNormal, Normal, Priors, RootInverseGamma
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

"""Summaries of posteriors: closed forms, exact joint draws, and numbers that are always finite."""

import numpy as np
import pytest
from scipy import special, stats

from spikepool.models.families import FAMILIES
from spikepool.models.priors import RATE_SD, default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior import summaries
from spikepool.posterior.draws import Posterior
from spikepool.posterior.quadrature import NeuronMarginals, Quadrature
from spikepool.posterior.results import Summary
from spikepool.posterior.summaries import summarise_neurons
from spikepool.posterior.summary import SummaryOptions, summarise

OPTIONS = SummaryOptions(interval=0.9, fano_threshold=1.1)
POISSON = {pooling: ModelSpec("poisson", pooling, None) for pooling in ("none", "partial")}


@pytest.fixture
def estimate(make_draws, make_tally):
    """Return a function from counts and draws to the neurons' estimates."""

    def make(counts, spec, theta, delta=None, exposure=1.0, options=OPTIONS, **population):
        tally = make_tally(counts, exposure)
        draws = make_draws(spec, theta, delta, population)
        return summarise_neurons(Posterior(draws), tally, default_priors(tally), options)

    return make


def test_summary_is_that_of_numpy():
    """Mean, sample sd and linear quantiles over the draws."""
    values = np.random.default_rng(2).gamma(2, size=(101, 4))
    found = summarise(values, 0.9)
    np.testing.assert_allclose(found.mean, values.mean(axis=0))
    np.testing.assert_allclose(found.sd, values.std(axis=0, ddof=1))
    for quantity, q in ((found.lower, 0.05), (found.median, 0.5), (found.upper, 0.95)):
        np.testing.assert_allclose(quantity, np.sort(values, axis=0)[int(100 * q)])


def test_rates_are_exponentials_of_theta_beside_the_raw_ones(estimate):
    """Raw Σy/Σe; the pooled rate's mean is the mean of e^θ, its median e^median."""
    theta = np.random.default_rng(3).normal(size=(99, 2))
    found = estimate([[1, 4], [0, 0, 0]], POISSON["none"], theta, exposure=0.5)
    np.testing.assert_array_equal(found.rate_raw, [5.0, 0.0])
    np.testing.assert_array_equal(found.exposure, [1.0, 1.5])
    np.testing.assert_allclose(found.rate.mean, np.exp(theta).mean(axis=0))
    np.testing.assert_allclose(found.rate.median, np.exp(np.median(theta, axis=0)))
    np.testing.assert_allclose(found.log_rate.mean, theta.mean(axis=0))
    assert found.rate_unit == "spikes/s"


class TestOwnWeight:
    """κ = τ² I / (1 + τ² I), with the information I = Σ m²/Var(y) by hand."""

    THETA = np.log([[2.0, 8.0], [3.0, 7.0], [2.5, 9.0], [2.2, 6.5], [1.9, 8.8]])
    TAU = np.array([0.3, 0.5, 0.4, 0.8, 0.6])
    COUNTS = ([1, 0, 2], [4, 4])
    EXPOSURE = 0.5
    TRIALS = np.array([3, 2])

    def check(self, found, information, tau):
        """Compare κ's summary with that of the formula."""
        odds = np.broadcast_to(tau, information.shape) ** 2 * information
        wanted = summarise(odds / (1 + odds), OPTIONS.interval)
        for part in ("mean", "median", "sd", "lower", "upper"):
            np.testing.assert_allclose(
                getattr(found.own_weight, part), getattr(wanted, part), rtol=1e-12
            )

    def test_of_poisson(self, estimate):
        """I = λ Σe."""
        found = estimate(
            self.COUNTS, POISSON["partial"], self.THETA, exposure=0.5,
            mu=np.full(5, 1.0), tau=self.TAU,
        )  # fmt: skip
        self.check(found, np.exp(self.THETA) * self.TRIALS * 0.5, self.TAU[:, np.newaxis])

    def test_of_nb2(self, estimate):
        """I = n m/(1 + α m), α = e^{2δ}."""
        delta = np.log([[0.2, 0.5], [0.3, 0.4], [0.1, 0.6], [0.25, 0.45], [0.2, 0.5]])
        found = estimate(
            self.COUNTS, ModelSpec("nb2", "partial", "none"), self.THETA, delta, exposure=0.5,
            mu=np.full(5, 1.0), tau=self.TAU,
        )  # fmt: skip
        mean = np.exp(self.THETA) * 0.5
        information = self.TRIALS * mean / (1 + np.exp(2 * delta) * mean)
        self.check(found, information, self.TAU[:, np.newaxis])

    def test_of_nb1(self, estimate):
        """I = n m/(1 + ω), ω = e^{2δ}."""
        delta = np.log([[0.2, 0.5], [0.3, 0.4], [0.1, 0.6], [0.25, 0.45], [0.2, 0.5]])
        found = estimate(
            self.COUNTS, ModelSpec("nb1", "partial", "none"), self.THETA, delta, exposure=0.5,
            mu=np.full(5, 1.0), tau=self.TAU,
        )  # fmt: skip
        information = self.TRIALS * np.exp(self.THETA) * 0.5 / (1 + np.exp(2 * delta))
        self.check(found, information, self.TAU[:, np.newaxis])

    def test_of_no_pooling_has_the_fixed_prior_for_its_population(self, estimate):
        """s0 stands for τ."""
        found = estimate(self.COUNTS, POISSON["none"], self.THETA, exposure=0.5)
        self.check(found, np.exp(self.THETA) * self.TRIALS * 0.5, RATE_SD)

    def test_of_complete_pooling_is_zero(self, estimate):
        """All three weights; no neuron decides for itself."""
        shared = np.random.default_rng(4).normal(size=(50, 1)) * np.ones(2)
        found = estimate(
            self.COUNTS, ModelSpec("poisson", "complete", None), shared, mu=shared[:, 0]
        )
        for part in ("mean", "median", "sd", "lower", "upper"):
            np.testing.assert_array_equal(getattr(found.own_weight, part), [0, 0])
        np.testing.assert_array_equal(found.realised_weight, [0, 0])
        np.testing.assert_array_equal(found.mse_ratio, [0, 0])


class KnownErrors:
    """A family whose information is 1/σ_i², whatever the parameters: the Normal–Normal model."""

    def __init__(self, errors):
        self.errors = errors

    def statistics(self, tally):
        """Keep which neurons are asked for."""
        return [int(name[1:]) for name in tally.neurons]

    def information(self, theta, _delta, s):
        """1/σ_i², for every draw."""
        return np.broadcast_to(1 / self.errors[s] ** 2, theta.shape)


def normal_normal_draws(errors, n_draws, rng):
    """Draw (μ, τ, θ) from the exact joint posterior of x_i ~ N(θ_i, σ_i²), θ_i ~ N(μ, τ²).

    τ by its marginal on a grid (Gelman et al., Bayesian Data Analysis, 3rd ed., eq. 5.21, with a
    flat prior of μ and a half-Cauchy prior of τ), then μ given τ and θ given both.
    """
    x = rng.normal(1.0, np.hypot(0.5, errors))
    grid = np.linspace(0.005, 2.5, 2000)
    precision = 1 / (grid[:, np.newaxis] ** 2 + errors**2)
    total = precision.sum(axis=1)
    centre = (precision * x).sum(axis=1) / total
    squares = precision * (x - centre[:, np.newaxis]) ** 2
    log_density = 0.5 * (np.log(precision).sum(axis=1) - np.log(total) - squares.sum(axis=1))
    log_density += stats.halfcauchy.logpdf(grid)
    drawn = rng.choice(len(grid), n_draws, p=special.softmax(log_density))
    tau = grid[drawn]
    mu = rng.normal(centre[drawn], 1 / np.sqrt(total[drawn]))
    weight = tau[:, np.newaxis] ** 2 / (tau[:, np.newaxis] ** 2 + errors**2)
    mean = mu[:, np.newaxis] + weight * (x - mu[:, np.newaxis])
    theta = rng.normal(mean, errors * np.sqrt(weight))
    return mu, tau, theta, weight


@pytest.mark.parametrize("n_neurons", [3, 8, 30])
def test_the_three_weights_agree_where_the_theory_says_so(monkeypatch, estimate, n_neurons):
    """In the Normal–Normal model realised weight and MSE ratio both equal κ.

    Standard errors from a tenth of the spread to six times it, and a spread that few neurons
    hardly tell. With v = Var(θ|x, φ) = σ² κ, one draw's residual has the square v χ²₁: over D
    draws the standard errors are √(2 E[(1 − κ)²]/D) and √(2 E[κ²]/D). 82 comparisons at 5 of
    them: 1 in 20,000.
    """
    n_draws = 20_000
    errors = np.geomspace(0.05, 3.0, n_neurons)
    monkeypatch.setitem(FAMILIES, "poisson", KnownErrors(errors))
    mu, tau, theta, kappa = normal_normal_draws(errors, n_draws, np.random.default_rng(5))
    found = estimate([[0]] * n_neurons, POISSON["partial"], theta, mu=mu, tau=tau)
    wanted = kappa.mean(axis=0)
    np.testing.assert_allclose(found.own_weight.mean, wanted, rtol=1e-12)
    error = np.sqrt(2 * np.mean((1 - kappa) ** 2, axis=0) / n_draws)
    assert np.all(np.abs(found.realised_weight - wanted) < 5 * error)
    error = np.sqrt(2 * np.mean(kappa**2, axis=0) / n_draws)
    assert np.all(np.abs(found.mse_ratio - wanted) < 5 * error)


@pytest.mark.parametrize("at_once", [1, 999, 5000])
def test_chunks_of_neurons_change_nothing(monkeypatch, estimate, at_once):
    """However many neurons are weighed at a time, up to the rounding of a sum."""
    rng = np.random.default_rng(6)
    counts = [rng.poisson(4, size=1 + i % 4) for i in range(11)]
    draws = {
        "theta": rng.normal(1, 0.5, size=(400, 11)),
        "delta": rng.normal(-1, 0.5, size=(400, 11)),
        "mu": rng.normal(1, 0.1, size=400),
        "tau": np.exp(rng.normal(-1, 0.2, size=400)),
        "mu_delta": rng.normal(-1, 0.2, size=400),
        "tau_delta": np.exp(rng.normal(-1, 0.5, size=400)),
    }
    spec = ModelSpec("nb2", "partial", "partial")
    whole = estimate(counts, spec, **draws)
    monkeypatch.setattr(summaries, "_VALUES_AT_ONCE", at_once)
    parts = estimate(counts, spec, **draws)
    for name in ("mean", "median", "sd", "lower", "upper"):
        np.testing.assert_allclose(
            getattr(parts.own_weight, name), getattr(whole.own_weight, name), rtol=1e-12
        )
    np.testing.assert_allclose(parts.realised_weight, whole.realised_weight, rtol=1e-12)
    np.testing.assert_allclose(parts.mse_ratio, whole.mse_ratio, rtol=1e-12)


class TestDispersion:
    """Gains, Fano factors and where they come from."""

    THETA = np.log([[4.0], [5.0], [6.0], [4.5], [5.5]])
    DELTA = np.log([[0.1], [0.5], [0.2], [0.3], [0.4]])

    @pytest.mark.parametrize("family", ["nb2", "nb1"])
    def test_fano_factor_and_gain_by_hand(self, estimate, family):
        """NB2: 1 + α λ ē and √α; NB1: 1 + ω and √(ω/m); at the mean exposure of half a second."""
        found = estimate(
            [[2, 3]], ModelSpec(family, "none", "none"), self.THETA, self.DELTA, exposure=0.5
        ).dispersion
        squared, mean = np.exp(2 * self.DELTA), np.exp(self.THETA) * 0.5
        excess = squared * mean if family == "nb2" else squared
        gain = np.sqrt(squared) if family == "nb2" else np.sqrt(squared / mean)
        np.testing.assert_allclose(found.fano.median, 1 + np.median(excess, axis=0))
        np.testing.assert_allclose(found.gain_sd.median, np.median(gain, axis=0))
        np.testing.assert_allclose(found.log_dispersion.median, np.log(0.3))
        np.testing.assert_allclose(found.prob_fano_above, np.mean(excess > 0.1, axis=0))

    def test_probability_has_the_threshold_asked_for(self, estimate):
        """P(1 + ω > 1.05) where ω is 0.01, 0.25, 0.04, 0.09 and 0.16."""
        found = estimate(
            [[2, 3]], ModelSpec("nb1", "none", "none"), self.THETA, self.DELTA,
            options=SummaryOptions(0.9, 1.05),
        )  # fmt: skip
        np.testing.assert_allclose(found.dispersion.prob_fano_above, [3 / 5])

    def test_of_poisson_is_none(self, estimate):
        """Poisson has none."""
        assert estimate([[2, 3]], POISSON["none"], self.THETA).dispersion is None

    @pytest.mark.parametrize("pooling", ["partial", "none"])
    def test_source_is_told_by_the_share_of_the_prior_variance_left(self, estimate, pooling):
        """Below one half the data decide; above nine tenths the prior does."""
        shares = np.array([0.01, 0.49, 0.51, 0.89, 0.91, 1.5])
        scale = 0.7 if pooling == "partial" else np.pi / np.sqrt(8)
        noise = np.random.default_rng(7).normal(size=(300, 1))
        noise = (noise - noise.mean()) / noise.std(ddof=pooling == "partial")
        delta = -1 + scale * np.sqrt(shares) * noise
        population = {"mu_delta": np.full(300, -1.0), "tau_delta": np.full(300, 0.7)}
        found = estimate(
            [[1, 2]] * 6,
            ModelSpec("nb2", "none", pooling),
            np.zeros((300, 6)),
            delta,
            **(population if pooling == "partial" else {}),
        )
        wanted = ("data", "data", "mixed", "mixed", "prior", "prior")
        assert found.dispersion.source == wanted

    def test_source_is_judged_with_the_population_known(self, estimate):
        """A population that is itself uncertain is not taken for the neuron's own uncertainty.

        The first neuron's δ is known to a tenth of τ_δ given μ_δ, though μ_δ moves by far more;
        the second only follows its population.
        """
        rng = np.random.default_rng(8)
        mu_delta = rng.normal(-1, 2.0, size=500)
        noise = rng.normal(size=(500, 2)) * (0.05, 0.5)
        found = estimate(
            [[1, 2]] * 2,
            ModelSpec("nb2", "none", "partial"),
            np.zeros((500, 2)),
            mu_delta[:, np.newaxis] + noise,
            mu_delta=mu_delta,
            tau_delta=np.full(500, 0.5),
        )
        assert found.dispersion.source == ("data", "prior")


@pytest.mark.parametrize("family", ["poisson", "nb2", "nb1"])
@pytest.mark.parametrize("pooling", ["none", "complete", "partial"])
def test_every_number_is_finite_for_silent_neurons(estimate, family, pooling):
    """Rates near zero, gains from nothing to huge, a spread near zero."""
    rng = np.random.default_rng(9)
    n = 200
    theta = np.column_stack([rng.normal(-12, 9, n), rng.normal(1, 0.2, n)])
    delta = np.column_stack([rng.normal(0, 6, n), rng.normal(-8, 3, n)])
    if pooling == "complete":
        theta, delta = theta[:, [1, 1]], delta[:, [1, 1]]
    hyper = {
        "mu": rng.normal(size=n),
        "tau": np.exp(rng.normal(-9, 4, n)),
        "mu_delta": rng.normal(size=n),
        "tau_delta": np.exp(rng.normal(-9, 4, n)),
    }
    spec = ModelSpec(family, pooling, None if family == "poisson" else pooling)
    found = estimate([[0, 0], [3, 2]], spec, theta, delta if family != "poisson" else None,
                     **(hyper if pooling == "partial" else {}))  # fmt: skip
    parts = [found.rate, found.log_rate, found.own_weight]
    if found.dispersion:
        parts += [found.dispersion.gain_sd, found.dispersion.log_dispersion]
        assert np.isfinite(found.dispersion.fano.median).all()
    for part in parts:
        assert all(np.isfinite(values).all() for values in vars(part).values())
    for weight in (found.own_weight.mean, found.realised_weight):
        assert np.all((weight >= 0) & (weight <= 1))
    assert np.isfinite(found.mse_ratio).all()


class TestMarginals:
    """Where the collapsed engine has exact marginals, they are reported and not the draws."""

    COUNTS = ([1, 0, 2], [4, 4])
    THETA = np.log([[2.0, 8.0], [3.0, 7.0], [2.5, 9.0]])
    TAU = np.array([0.3, 0.5, 0.4])
    VARIANCE = np.array([[0.05, 0.02], [0.09, 0.03], [0.07, 0.01]], dtype=np.float32)

    @pytest.fixture
    def found(self, make_draws, make_tally):
        """Return estimates of a Poisson model with marginals that are not those of its draws."""
        tally = make_tally(self.COUNTS, 0.5)
        population = {"mu": np.full(3, 1.0), "tau": self.TAU}
        draws = make_draws(POISSON["partial"], self.THETA, None, population)
        posterior = Posterior(draws, Quadrature(None, None, None, self.marginals()))
        return summarise_neurons(posterior, tally, default_priors(tally), OPTIONS)

    def marginals(self):
        """Return made-up marginals."""
        rate, log_rate = (Summary(*(k + np.arange(10.0).reshape(5, 2))) for k in (1, 100))
        realised, error = np.array([0.6, 0.8]), np.array([0.01, 0.02])
        return NeuronMarginals(rate, log_rate, None, realised, self.VARIANCE, error)

    def test_rates_are_theirs(self, found):
        """All five numbers, of the rate and of its logarithm."""
        marginals = self.marginals()
        for name in ("mean", "median", "sd", "lower", "upper"):
            for ours, theirs in (
                (found.rate, marginals.rate),
                (found.log_rate, marginals.log_rate),
            ):
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        np.testing.assert_array_equal(found.log_rate_mcse, marginals.log_rate_mcse)
        assert found.dispersion is None

    def test_weights_are_averages_over_the_joint_draws(self, found):
        """κ by its formula; the MSE ratio with Var(θ|y, φ) known; the realised weight as it is."""
        information = np.exp(self.THETA) * np.array([3, 2]) * 0.5
        odds = self.TAU[:, np.newaxis] ** 2 * information
        np.testing.assert_allclose(found.own_weight.mean, (odds / (1 + odds)).mean(axis=0))
        wanted = (self.VARIANCE * information).mean(axis=0)
        np.testing.assert_allclose(found.mse_ratio, wanted, rtol=1e-6)
        np.testing.assert_array_equal(found.realised_weight, [0.6, 0.8])

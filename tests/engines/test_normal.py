"""Both engines of the normal family against exact quadrature, published numbers and each other."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import optimize, stats

from spikepool.config import EngineOptions
from spikepool.data.estimates import Estimates
from spikepool.engines.normal.closed_form import integrate_normal
from spikepool.engines.normal.request import NormalRequest
from spikepool.engines.normal.sampled import sample_normal
from spikepool.models.normal_priors import NormalPriors, default_normal_priors
from spikepool.models.priors import HalfCauchy, HalfNormal, Normal, Uniform
from spikepool.models.spec import ModelSpec
from spikepool.progress import Silent

NONE, COMPLETE, PARTIAL = (
    ModelSpec("normal", pooling, None) for pooling in ("none", "complete", "partial")
)
STUDENT = ModelSpec("normal", "partial", None, "student-t")
REQUEST = NormalRequest(0.95, joint=False)
JOINT = NormalRequest(0.95, joint=True)

SCHOOLS = Estimates(
    tuple("ABCDEFGH"),
    np.array([28.0, 8, -3, 7, -1, 1, 18, 12]),
    np.array([15.0, 10, 16, 11, 9, 11, 10, 18]),
)
SCHOOLS_PRIORS = NormalPriors(Normal(0, 5), HalfCauchy(5), Normal(0, 5))

PUBLISHED = {
    "mu": (4.411, 3.309),
    "tau": (3.602, 3.198),
    "theta_mean": (6.151, 4.940, 3.906, 4.796, 3.614, 4.051, 6.317, 4.884),
    "theta_sd": (5.616, 4.645, 5.280, 4.771, 4.614, 4.796, 5.003, 5.317),
}
"""Means and sds of 10,000 reference draws of posteriordb (eight_schools-eight_schools_noncentered);
the Monte Carlo standard errors of its means are 0.03 to 0.056."""
PUBLISHED_DRAWS = 10_000


def simulated(n_neurons, tau, seed, least_error=0.3):
    """Return simulated estimates: μ = 3, and errors that differ tenfold."""
    rng = np.random.default_rng(seed)
    error = least_error * 10 ** rng.random(n_neurons)
    theta = 3 + tau * rng.standard_normal(n_neurons)
    names = tuple(f"n{i}" for i in range(n_neurons))
    return Estimates(names, theta + error * rng.standard_normal(n_neurons), error)


@dataclass(frozen=True)
class Exact:
    """The posterior by integration over τ, with μ in closed form (Gelman et al. 2013, 5.4).

    Attributes
    ----------
    weight : ndarray, shape (T,)
        p(τ | x) on a grid.
    mu_mean, mu_sd, tau : ndarray, shape (T,)
    theta_mean, theta_sd : ndarray, shape (T, N)
    kappa : ndarray, shape (N,)
        Posterior means.
    """

    weight: np.ndarray
    tau: np.ndarray
    mu_mean: np.ndarray
    mu_sd: np.ndarray
    theta_mean: np.ndarray
    theta_sd: np.ndarray
    kappa: np.ndarray

    def moments(self, mean, sd):
        """Mean and sd of a mixture over τ."""
        weight = self.weight.reshape((-1,) + (1,) * (mean.ndim - 1))
        first = np.sum(weight * mean, axis=0)
        return first, np.sqrt(np.sum(weight * (sd**2 + mean**2), axis=0) - first**2)

    def theta_quantile(self, i, mass):
        """Quantile of one θ_i, by SciPy's root finder."""

        def excess(at):
            each = stats.norm.cdf(at, self.theta_mean[:, i], self.theta_sd[:, i])
            return np.sum(self.weight * each) - mass

        mean, sd = self.moments(self.theta_mean[:, i], self.theta_sd[:, i])
        return optimize.brentq(excess, mean - 40 * sd, mean + 40 * sd, xtol=1e-10)

    def tau_mass(self, at):
        """P(τ < at), on the grid."""
        return np.interp(at, self.tau, np.cumsum(self.weight) - self.weight / 2)


def exact(x, priors, scale):
    """Integrate over τ by the trapezoidal rule in ln τ: 6,001 nodes over twelve decades."""
    log_tau = np.log(scale) + np.linspace(-18, 9.6, 6001)
    tau = np.exp(log_tau)[:, np.newaxis]
    kappa = tau**2 / (tau**2 + x.standard_error**2)
    precision = 1 / (tau**2 + x.standard_error**2)
    total = precision.sum(axis=1) + 1 / priors.mu.sd**2
    centre = (precision @ x.estimate + priors.mu.mean / priors.mu.sd**2) / total
    log_weight = stats.norm.logpdf(
        x.estimate, centre[:, np.newaxis], np.hypot(tau, x.standard_error)
    ).sum(axis=1)
    log_weight += stats.norm.logpdf(centre, priors.mu.mean, priors.mu.sd) - 0.5 * np.log(total)
    prior = {
        HalfCauchy: lambda p: stats.halfcauchy.logpdf(tau[:, 0], scale=p.scale),
        HalfNormal: lambda p: stats.halfnorm.logpdf(tau[:, 0], scale=p.scale),
    }[type(priors.tau)](priors.tau)
    log_weight += prior + log_tau
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    theta_mean = kappa * x.estimate + (1 - kappa) * centre[:, np.newaxis]
    theta_variance = kappa * x.standard_error**2 + (1 - kappa) ** 2 / total[:, np.newaxis]
    return Exact(
        weight=weight,
        tau=tau[:, 0],
        mu_mean=centre,
        mu_sd=total**-0.5,
        theta_mean=theta_mean,
        theta_sd=np.sqrt(theta_variance),
        kappa=weight @ kappa,
    )


CASES = {
    "schools": (SCHOOLS, SCHOOLS_PRIORS),
    "schools, default priors": (SCHOOLS, default_normal_priors(SCHOOLS)),
    "two neurons": (x := simulated(2, 1.0, 1), default_normal_priors(x)),
    "five, no spread": (x := simulated(5, 0.0, 2), default_normal_priors(x)),
    "a hundred": (x := simulated(100, 1.0, 3), default_normal_priors(x)),
    "three hundred, no spread": (x := simulated(300, 0.0, 4), default_normal_priors(x)),
    "two hundred, exact estimates": (
        x := simulated(200, 5.0, 5, least_error=1e-4), default_normal_priors(x),
    ),
    "half-normal": (SCHOOLS, replace(SCHOOLS_PRIORS, tau=HalfNormal(2.0))),
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES, ids=str)
def both(request):
    """Return a case's posterior by the engine, and exactly."""
    x, priors = CASES[request.param]
    scale = default_normal_priors(x).mu.sd / 10
    return integrate_normal(PARTIAL, x, priors, EngineOptions(), REQUEST), exact(x, priors, scale)


class TestAgainstQuadrature:
    """Within 0.02 posterior sds: the accuracy that all engines are held to."""

    BOUND = 0.02

    def test_the_sample_is_good(self, both):
        """Its own checks pass."""
        found, _ = both
        assert found.importance.pareto_k < 0.5
        assert found.importance.ess > 1000

    def test_means_and_sds_of_theta(self, both):
        """Of every neuron."""
        found, wanted = both
        mean, sd = wanted.moments(wanted.theta_mean, wanted.theta_sd)
        assert np.max(np.abs(found.theta.mean - mean) / sd) < self.BOUND
        np.testing.assert_allclose(found.theta.sd, sd, rtol=self.BOUND)

    def test_quantiles_of_theta(self, both):
        """Of the first ten neurons: the two ends of the interval and the median."""
        found, wanted = both
        for i in range(min(10, len(found.theta.mean))):
            sd = found.theta.sd[i]
            for mass, at in (
                (0.025, found.theta.lower[i]), (0.5, found.theta.median[i]),
                (0.975, found.theta.upper[i]),
            ):  # fmt: skip
                assert abs(at - wanted.theta_quantile(i, mass)) < self.BOUND * sd

    def test_hyperparameters(self, both):
        """Moments of μ; of τ, which may have none, the mass below each quantile.

        A Monte Carlo sample of independent draws is within 5 standard errors but for 6e-7.
        """
        found, wanted = both
        mu, tau = found.population
        mean, sd = wanted.moments(wanted.mu_mean, wanted.mu_sd)
        assert abs(mu.mean - mean) < self.BOUND * sd
        for mass, at in ((0.025, tau.lower), (0.5, tau.median), (0.975, tau.upper)):
            error = np.sqrt(mass * (1 - mass) / found.importance.ess)
            assert abs(wanted.tau_mass(at) - mass) < 5 * error

    def test_own_weights(self, both):
        """E[κ], which is also the realised weight and the MSE ratio, exactly."""
        found, wanted = both
        np.testing.assert_allclose(found.own_weight.mean, wanted.kappa, atol=0.004)
        np.testing.assert_allclose(found.realised_weight, found.own_weight.mean, atol=1e-9)
        np.testing.assert_allclose(found.mse_ratio, found.own_weight.mean, rtol=1e-9)


def test_eight_schools_are_those_of_posteriordb():
    """All 20 numbers within 4.5 standard errors of the reference (error rate 1e-4 in all).

    The standard error of a mean is sd/100; of an sd sd/141 for normal tails, and three times that
    is allowed for τ, whose tail is heavy.
    """
    found = integrate_normal(PARTIAL, SCHOOLS, SCHOOLS_PRIORS, EngineOptions(), REQUEST)
    for parameter in found.population:
        mean, sd = PUBLISHED[parameter.parameter]
        heavy = 3 if parameter.parameter == "tau" else 1
        assert abs(parameter.mean - mean) < 4.5 * sd / np.sqrt(PUBLISHED_DRAWS)
        assert abs(parameter.sd - sd) < 4.5 * heavy * sd / np.sqrt(2 * PUBLISHED_DRAWS)
    sd = np.array(PUBLISHED["theta_sd"])
    error = sd / np.sqrt(PUBLISHED_DRAWS)
    assert np.all(np.abs(found.theta.mean - PUBLISHED["theta_mean"]) < 4.5 * error)
    assert np.all(np.abs(found.theta.sd - sd) < 4.5 * error)


def test_no_pooling_is_in_closed_form():
    """Every θ_i alone under its fixed prior, and nothing sampled."""
    priors = default_normal_priors(SCHOOLS)
    found = integrate_normal(NONE, SCHOOLS, priors, EngineOptions(), REQUEST)
    kappa = 180.0**2 / (180.0**2 + SCHOOLS.standard_error**2)
    mean = kappa * SCHOOLS.estimate + (1 - kappa) * 8.75
    sd = np.sqrt(kappa) * SCHOOLS.standard_error
    np.testing.assert_allclose(found.theta.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(found.theta.sd, sd, rtol=1e-12)
    np.testing.assert_allclose(found.theta.upper, stats.norm.ppf(0.975, mean, sd), rtol=1e-10)
    np.testing.assert_allclose(found.own_weight.mean, kappa, rtol=1e-12)
    assert np.all(found.own_weight.mean > 0.99)
    assert found.importance is None
    assert not found.mcse.any()


def test_complete_pooling_is_the_precision_weighted_mean():
    """One posterior for all, within 0.02 sds of the closed form; no own weight."""
    found = integrate_normal(COMPLETE, SCHOOLS, SCHOOLS_PRIORS, EngineOptions(), REQUEST)
    precision = 1 / SCHOOLS.standard_error**2
    total = precision.sum() + 1 / 25
    mean, sd = precision @ SCHOOLS.estimate / total, total**-0.5
    assert np.all(np.abs(found.theta.mean - mean) < 0.02 * sd)
    np.testing.assert_allclose(found.theta.sd, sd, rtol=0.02)
    assert np.all(np.abs(found.theta.upper - stats.norm.ppf(0.975, mean, sd)) < 0.02 * sd)
    assert not found.own_weight.mean.any()


def test_a_bounded_prior_of_the_mean():
    """Draws of μ stay inside; with bounds far away nothing changes."""
    narrow = replace(SCHOOLS_PRIORS, mu=Uniform(5, 6))
    found = integrate_normal(PARTIAL, SCHOOLS, narrow, EngineOptions(), REQUEST)
    mu = found.hyperparameters["mu"]
    assert mu.min() > 5
    assert mu.max() < 6
    assert found.importance.pareto_k < 0.7
    wide, vague = (
        integrate_normal(PARTIAL, SCHOOLS, replace(SCHOOLS_PRIORS, mu=mu), EngineOptions(), REQUEST)
        for mu in (Uniform(-2000, 2000), Normal(0, 1e4))
    )
    assert np.all(np.abs(wide.theta.mean - vague.theta.mean) < 0.02 * vague.theta.sd)


@pytest.mark.parametrize("spec", [NONE, COMPLETE, PARTIAL, STUDENT], ids=lambda s: s.name)
@pytest.mark.parametrize("factor", [3.7e-6, 1e40])
def test_another_unit_changes_only_the_unit(spec, factor):
    """Estimates and errors times c, plus a shift: results times c, plus the shift."""
    shift = -5.0 * factor
    other = replace(
        SCHOOLS,
        estimate=factor * SCHOOLS.estimate + shift,
        standard_error=factor * SCHOOLS.standard_error,
    )
    here, there = (
        integrate_normal(spec, x, default_normal_priors(x), EngineOptions(), REQUEST)
        for x in (SCHOOLS, other)
    )
    for part in ("mean", "median", "lower", "upper"):
        wanted = factor * getattr(here.theta, part) + shift
        np.testing.assert_allclose(getattr(there.theta, part), wanted, atol=1e-6 * factor)
    np.testing.assert_allclose(there.theta.sd, factor * here.theta.sd, rtol=1e-6)
    np.testing.assert_allclose(there.own_weight.mean, here.own_weight.mean, atol=1e-6)
    for at_home, abroad in zip(here.population, there.population, strict=True):
        added = shift if at_home.parameter == "mu" else 0.0
        assert abroad.median == pytest.approx(factor * at_home.median + added, rel=1e-6)


class TestDraws:
    """What is kept of hyperparameters and θ."""

    @pytest.fixture(scope="class")
    def found(self):
        """Fit the schools and keep all draws."""
        options = EngineOptions(draws=40_000)
        return integrate_normal(PARTIAL, SCHOOLS, SCHOOLS_PRIORS, options, JOINT)

    def test_shapes(self, found):
        """One chain; θ in single precision."""
        assert found.hyperparameters["tau"].shape == (1, 40_000)
        assert found.draws.shape == (1, 40_000, 8)
        assert found.draws.dtype == np.float32

    def test_they_have_the_posteriors_moments(self, found):
        """Within 5 standard errors and the bound of the engine (error rate 6e-6)."""
        bound = 5 / np.sqrt(40_000) + 0.02
        assert np.all(np.abs(found.draws.mean((0, 1)) - found.theta.mean) < bound * found.theta.sd)
        np.testing.assert_allclose(found.draws.std((0, 1)), found.theta.sd, rtol=2 * bound)

    def test_they_are_joint(self, found):
        """Where τ is small the θ of a draw lie together."""
        tau, spread = found.hyperparameters["tau"][0], found.draws[0].std(axis=1)
        assert spread[tau < 0.5].mean() < 0.6
        assert spread[tau > 8].mean() > 5

    def test_a_neurons_draws_depend_on_its_id_alone(self, found):
        """Given the hyperparameters: another order of neurons gives the same draws to rounding."""
        back = Estimates(
            SCHOOLS.neurons[::-1],
            SCHOOLS.estimate[::-1].copy(),
            SCHOOLS.standard_error[::-1].copy(),
        )
        options = EngineOptions(draws=40_000)
        other = integrate_normal(PARTIAL, back, SCHOOLS_PRIORS, options, JOINT)
        np.testing.assert_allclose(other.draws[0, :, ::-1], found.draws[0], atol=1e-3)

    def test_the_same_seed_gives_the_same_numbers(self):
        """And another gives others."""
        first, second, third = (
            integrate_normal(PARTIAL, SCHOOLS, SCHOOLS_PRIORS, EngineOptions(seed=s), JOINT)
            for s in (1, 1, 2)
        )
        np.testing.assert_array_equal(first.draws, second.draws)
        np.testing.assert_array_equal(first.theta.upper, second.theta.upper)
        assert not np.array_equal(first.draws, third.draws)


def test_the_monte_carlo_error_is_that_of_repeated_runs():
    """Means of six seeds scatter by less than the stated error (quasi-random points do better)."""
    runs = [
        integrate_normal(PARTIAL, SCHOOLS, SCHOOLS_PRIORS, EngineOptions(seed=s), REQUEST)
        for s in range(6)
    ]
    means = np.array([run.theta.mean for run in runs])
    assert np.all(means.std(axis=0, ddof=1) < 1.5 * runs[0].mcse)
    assert np.all(means.std(axis=0, ddof=1) > 0)


def test_a_long_tail_towards_no_spread_passes_the_checks():
    """Eight estimates in which τ is clearly above 0, but 0 is not ruled out."""
    x = Estimates(
        tuple("abcdefgh"),
        np.array([0.0555, 1.9962, 3.2372, -0.4145, 1.9803, -0.308, -2.1831, 6.9989]),
        np.array([1.2522, 2.5605, 2.322, 0.3971, 0.614, 0.501, 1.4936, 2.946]),
    )
    priors = NormalPriors(Normal(0, 1), HalfNormal(1.0), Normal(0, 1))
    found = integrate_normal(PARTIAL, x, priors, EngineOptions(seed=14), REQUEST)
    assert found.importance.pareto_k < 0.5
    assert found.importance.points == 2 * 8192


@pytest.mark.parametrize("spec", [NONE, COMPLETE, PARTIAL, STUDENT], ids=lambda s: s.name)
def test_the_engines_agree(spec):
    """|Δ| <= 0.02 sds + 4.5 Monte Carlo errors, for all means of θ (error rate below 1e-4)."""
    options = EngineOptions(draws=2500, tune=1000, chains=4)
    here = integrate_normal(spec, SCHOOLS, SCHOOLS_PRIORS, options, REQUEST)
    there = sample_normal(spec, SCHOOLS, SCHOOLS_PRIORS, options, REQUEST, Silent())
    assert there.sampler.divergences == 0
    difference = np.abs(here.theta.mean - there.theta.mean)
    assert np.all(difference < 0.02 * here.theta.sd + 4.5 * np.hypot(here.mcse, there.mcse))
    np.testing.assert_allclose(there.theta.sd, here.theta.sd, rtol=0.08)
    np.testing.assert_allclose(there.own_weight.mean, here.own_weight.mean, atol=0.02)
    for one, other in zip(here.population, there.population, strict=True):
        assert abs(one.mean - other.mean) < one.sd * (0.02 + 4.5 / np.sqrt(other.ess_bulk))


@pytest.mark.parametrize("choice", ["centered", "noncentered"])
def test_centring_does_not_change_the_posterior(choice):
    """Means of a well-behaved table within 5 Monte Carlo errors (error rate 1e-5)."""
    x = simulated(12, 2.0, 8)
    priors = default_normal_priors(x)
    options = EngineOptions(parametrization=choice, draws=1500, chains=4)
    found = sample_normal(PARTIAL, x, priors, options, JOINT, Silent())
    exactly = integrate_normal(PARTIAL, x, priors, options, REQUEST)
    assert found.draws.shape == (4, 1500, 12)
    assert np.all(np.abs(found.theta.mean - exactly.theta.mean) < 5 * found.mcse + 0.01)


@pytest.mark.statistical
@pytest.mark.parametrize("spec", [NONE, COMPLETE, PARTIAL, STUDENT], ids=lambda s: s.name)
def test_calibration(spec):
    """Posterior cdf at the truth is uniform over 500 simulated tables (error rate 1e-3 a model).

    Kolmogorov-Smirnov for μ, ln τ and one θ, each at 1e-3 over 3.
    """
    rng = np.random.default_rng(20)
    priors = NormalPriors(Normal(0, 1), HalfNormal(1.0), Normal(0, 1))
    ranks = {"mu": [], "tau": [], "theta": []}
    for _ in range(500):
        mu, tau = rng.standard_normal(), abs(rng.standard_normal())
        noise = 0.3 * 10 ** rng.random(8)
        unit = {
            "none": lambda: rng.standard_normal(8),
            "complete": lambda m=mu: np.full(8, m),
            "partial": lambda m=mu, t=tau: m + t * (
                rng.standard_t(4, 8) if spec.population == "student-t" else rng.standard_normal(8)
            ),
        }  # fmt: skip
        theta = unit[spec.pooling]()
        x = Estimates(tuple("abcdefgh"), theta + noise * rng.standard_normal(8), noise)
        options = EngineOptions(seed=int(rng.integers(2**32)), draws=999)
        found = integrate_normal(spec, x, priors, options, JOINT)
        ranks["theta"].append(np.mean(found.draws[0, :, 0] < theta[0]))
        for name, value in found.hyperparameters.items():
            ranks[name].append(np.mean(value < {"mu": mu, "tau": tau}[name]))
    for values in ranks.values():
        if values:
            assert stats.kstest(values, "uniform").pvalue > 1e-3 / 3

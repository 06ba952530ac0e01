"""Populations of log rates against SciPy, PyMC, quadrature and their own draws."""

import numpy as np
import pytest
from scipy import integrate, stats

from spikepool.models.graph import build_model
from spikepool.models.parametrization import choose_parametrization
from spikepool.models.populations import POPULATIONS
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec

DRAWS = 200_000
HYPERPARAMETERS = {
    "normal": [{"mu": 0.7, "tau": 1.3}, {"mu": -4.0, "tau": 0.01}, {"mu": 2.0, "tau": 9.0}],
    "student-t": [{"mu": 0.7, "tau": 1.3}, {"mu": -4.0, "tau": 0.01}, {"mu": 2.0, "tau": 9.0}],
    "gamma": [{"a": 0.7, "b": 0.9}, {"a": 0.05, "b": 20.0}, {"a": 1e4, "b": 3e3}],
}
CASES = [(name, values) for name, every in HYPERPARAMETERS.items() for values in every]

every_case = pytest.mark.parametrize(("name", "values"), CASES)


def reference(name, values):
    """Return SciPy's distribution of θ; a log-gamma is the logarithm of a gamma."""
    match name:
        case "normal":
            return stats.norm(values["mu"], values["tau"])
        case "student-t":
            return stats.t(4, values["mu"], values["tau"])
        case "gamma":
            return stats.loggamma(values["a"], loc=-np.log(values["b"]))


def points(name, values):
    """Return log rates from the far left tail to the far right one."""
    return reference(name, values).ppf([1e-12, 1e-6, 0.01, 0.2, 0.5, 0.9, 0.999, 1 - 1e-12])


def arrays(values):
    """Return the hyperparameters as arrays."""
    return {key: np.asarray(value) for key, value in values.items()}


@every_case
def test_log_density_is_scipys(name, values):
    """To 1e-12 of its size, or of the largest of the terms that make it up."""
    theta = points(name, values)
    largest = 1.0 if name != "gamma" else values["a"] * abs(np.log(values["a"])) + 1
    np.testing.assert_allclose(
        POPULATIONS[name].log_density(theta, **arrays(values)),
        reference(name, values).logpdf(theta),
        rtol=1e-12,
        atol=1e-12 * largest,
    )


@every_case
def test_log_density_is_that_of_the_model(build_tally, name, values):
    """PyMC's density of θ given the hyperparameters, as the model places it, centred, to 1e-12.

    For a gamma population PyMC samples θ itself, as the logarithm of the rate.
    """
    tally = build_tally([[1, 2]] * 8)
    spec = ModelSpec("poisson", "partial", None, name)
    centring = choose_parametrization(spec, tally, "centered")
    model = build_model(spec, tally, default_priors(tally), centring)
    sampled = model["rate_sampled" if name == "gamma" else "theta_sampled"]
    theta = points(name, values)
    point = {"mu": values.get("mu"), "theta_sampled": theta, "rate_sampled_log__": theta}
    point |= {f"{key}_log__": np.log(value) for key, value in values.items() if key != "mu"}
    point = {each.name: np.asarray(point[each.name]) for each in model.value_vars}
    log_density = model.compile_logp(vars=[sampled], sum=False, mode="FAST_COMPILE")(point)[0]
    largest = 1.0 if name != "gamma" else values["a"] * abs(np.log(values["a"])) + 1
    np.testing.assert_allclose(
        POPULATIONS[name].log_density(theta, **arrays(values)),
        log_density,
        rtol=1e-12,
        atol=1e-12 * largest,
    )


@every_case
def test_score_is_the_derivative_of_pymcs_density(name, values):
    """By PyTensor's own differentiation, to 1e-9 of the score's largest term."""
    import pymc as pm
    import pytensor
    import pytensor.tensor as pt

    places = [pt.dscalar(key) for key in values]
    theta = pt.dscalar("theta")
    match name:
        case "normal":
            log_density = pm.logp(pm.Normal.dist(*places), theta)
        case "student-t":
            log_density = pm.logp(pm.StudentT.dist(4, mu=places[0], sigma=places[1]), theta)
        case "gamma":
            log_density = pm.logp(pm.Gamma.dist(*places), pt.exp(theta)) + theta
    mode = pytensor.compile.mode.Mode(linker="py", optimizer="fast_compile")
    slopes = pytensor.function([theta, *places], pytensor.grad(log_density, places), mode=mode)
    for at in points(name, values):
        found = POPULATIONS[name].score(at, **arrays(values))
        for key, wanted in zip(values, slopes(at, *values.values()), strict=True):
            largest = 1 / values["tau"] if name != "gamma" else abs(np.log(values["b"]) + at) + 1
            assert found[key] == pytest.approx(wanted, rel=1e-9, abs=1e-9 * largest)


@every_case
def test_centre_and_sd_are_those_of_the_density(name, values):
    """First two moments by SciPy's quadrature of `log_density`; t's tails need wide limits."""
    population, hyper = POPULATIONS[name], arrays(values)
    law = reference(name, values)
    limits = law.ppf([1e-18, 1 - 1e-15]) if name != "student-t" else law.ppf([1e-15, 1 - 1e-15])
    middle = law.ppf([1e-6, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-6])
    unit = law.std()

    def moment(power):
        def integrand(z):
            density = np.exp(population.log_density(law.median() + unit * z, **hyper))
            return z**power * unit * density

        breaks = (middle - law.median()) / unit
        ends = (limits - law.median()) / unit
        return integrate.quad(integrand, *ends, points=breaks, limit=1000, epsrel=1e-11)[0]

    mean = moment(1)
    assert moment(0) == pytest.approx(1, abs=1e-8)
    assert population.centre(**hyper) == pytest.approx(law.median() + unit * mean, abs=1e-6 * unit)
    assert population.sd(**hyper) == pytest.approx(unit * np.sqrt(moment(2) - mean**2), rel=1e-6)


@every_case
def test_draws_follow_the_density(name, values):
    """Kolmogorov-Smirnov at 1e-6: nine tests, a false alarm in 100,000 runs."""
    population = POPULATIONS[name]
    draws = population.sample(np.random.default_rng(11), (DRAWS,), **arrays(values))
    assert draws.shape == (DRAWS,)
    assert stats.kstest(draws, reference(name, values).cdf).pvalue > 1e-6


@pytest.mark.parametrize("name", POPULATIONS)
def test_hyperparameters_broadcast(name):
    """Draws of hyperparameters in rows and log rates in columns give every pair."""
    population = POPULATIONS[name]
    rows = {
        key: np.array([[values[key]] for values in HYPERPARAMETERS[name]])
        for key in population.hyperparameters
    }
    theta = np.array([-1.0, 0.5])
    table = population.log_density(theta, **rows)
    for values, row in zip(HYPERPARAMETERS[name], table, strict=True):
        np.testing.assert_array_equal(row, population.log_density(theta, **arrays(values)))
    assert np.broadcast(population.centre(**rows), np.empty((3, 1))).shape == (3, 1)
    assert np.broadcast(population.sd(**rows), np.empty((3, 1))).shape == (3, 1)
    assert population.sample(np.random.default_rng(0), (3, 2), **rows).shape == (3, 2)


def test_draws_of_tiny_shapes_are_finite():
    """A gamma of shape 0.001 is mostly below the least double; its logarithm is not."""
    hyper = {"a": np.array(0.001), "b": np.array(1.0)}
    draws = POPULATIONS["gamma"].sample(np.random.default_rng(2), (1000,), **hyper)
    assert np.isfinite(draws).all()
    assert np.median(draws) == pytest.approx(np.log(0.5) / 0.001, rel=0.2)

"""BUGS Pumps: Poisson counts of a gamma population, by both engines, against quadrature.

Source of table and published numbers: OpenBUGS Examples, volume I. Given a and b the rates are
independent gammas, so that two integrals, over a and b, are all that is left.
"""

import numpy as np
import pytest
from scipy import special, stats

from spikepool.config import EngineOptions, InputOptions, ModelOptions
from spikepool.data.read import read_counts
from spikepool.data.tally import tally_counts
from spikepool.engines.collapsed.engine import integrate_posterior
from spikepool.engines.nuts import sample_posterior
from spikepool.models.prior_spec import priors_of
from spikepool.models.spec import ModelSpec
from spikepool.posterior.mixing import measure_mixing
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Silent

GAMMA = ModelSpec("poisson", "partial", None, "gamma")
PRIORS = ("a=exponential(1)", "b=gamma(0.1, 1)")
PUBLISHED = {
    "a": (0.6972, 0.2708),
    "b": (0.9268, 0.5428),
    "pump1": (0.05982, 0.02520),
    "pump2": (0.1018, 0.0794),
    "pump3": (0.08924, 0.0376),
    "pump4": (0.1158, 0.0303),
    "pump5": (0.6013, 0.3160),
    "pump6": (0.6094, 0.1375),
    "pump7": (0.8925, 0.7244),
    "pump8": (0.8925, 0.7244),
    "pump9": (1.586, 0.7695),
    "pump10": (1.990, 0.4250),
}
"""Mean and sd by adaptive quadrature, to the digits given."""


@pytest.fixture
def pumps(shared_data):
    """Return the tally of ten pumps: failures, and thousands of hours in place of seconds."""
    tables = (str(shared_data / "bench_pumps.csv"),)
    return tally_counts(read_counts(InputOptions(tables=tables, exposure="duration")))


def quadrature(tally, points=401):
    """Return E and E of the square of a, b and every λ_i; each shape (2 + N,).

    Trapezoid rules in ln a and ln b: the integrand is smooth and vanishes at the limits.
    """
    log_a, log_b = np.linspace(-6, 2.5, points)[:, None], np.linspace(-16, 3.5, 2 * points)
    a, b = np.exp(log_a), np.exp(log_b)
    log_density = stats.expon.logpdf(a) + log_a + stats.gamma.logpdf(b, 0.1) + log_b
    for y, e in zip(tally.spike_count, tally.total_exposure, strict=True):
        log_density = log_density + special.gammaln(a + y) - special.gammaln(a)
        log_density += a * log_b - (a + y) * np.log(b + e)
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    columns = [(a, a**2), (b, b**2)]
    for y, e in zip(tally.spike_count, tally.total_exposure, strict=True):
        mean = (a + y) / (b + e)
        columns.append((mean, mean**2 + mean / (b + e)))
    return np.array([[np.sum(weight * moment) for moment in pair] for pair in columns]).T


def test_quadrature_is_the_published_one(pumps):
    """Every digit of the means and sds; and a grid half as fine changes none."""
    first, second = quadrature(pumps)
    np.testing.assert_allclose(quadrature(pumps, 201), [first, second], rtol=1e-6)
    found = dict(zip(("a", "b", *pumps.neurons), zip(first, second, strict=True), strict=True))
    for name, (mean, sd) in PUBLISHED.items():
        ours = found[name][0], np.sqrt(found[name][1] - found[name][0] ** 2)
        assert ours == pytest.approx((mean, sd), rel=5e-4, abs=5e-5), name


def test_nuts_samples_the_pumps(pumps):
    """First two moments of 12 quantities within five standard errors (false alarm: 1.4e-5)."""
    priors = priors_of(ModelOptions(population="gamma", prior=PRIORS), pumps)
    draws = sample_posterior(GAMMA, pumps, priors, EngineOptions(seed=1), Silent())
    assert set(draws.population) == {"a", "b"}
    assert draws.sampler.divergences == 0
    hyper = np.stack([draws.population[name] for name in ("a", "b")], axis=-1)
    values = np.concatenate([hyper, np.exp(draws.theta)], axis=-1)
    for power, wanted in enumerate(quadrature(pumps), start=1):
        moment = values**power
        ess = measure_mixing("x", ("",) * len(wanted), moment).ess_bulk
        error = moment.std(axis=(0, 1)) / np.sqrt(ess)
        assert np.all(np.abs(moment.mean(axis=(0, 1)) - wanted) <= 5 * error)


def test_collapsed_engine_integrates_the_pumps(pumps):
    """Means and sds of every rate and of a and b, to three digits: 0.5 % of each."""
    priors = priors_of(ModelOptions(population="gamma", prior=PRIORS), pumps)
    options, summary = EngineOptions(), SummaryOptions(0.95, 1.1)
    found = integrate_posterior(GAMMA, pumps, priors, options, summary, Silent()).quadrature
    assert found.certificate.problems == ()
    first, second = quadrature(pumps)
    means, sds = first, np.sqrt(second - first**2)
    sample = found.hyperparameters
    assert set(sample.values) == {"a", "b"}
    for i, name in enumerate(("a", "b")):
        mean = np.sum(sample.weights * sample.values[name])
        sd = np.sqrt(np.sum(sample.weights * (sample.values[name] - mean) ** 2))
        assert (mean, sd) == pytest.approx((means[i], sds[i]), rel=5e-3), name
    np.testing.assert_allclose(found.marginals.rate.mean, means[2:], rtol=5e-3)
    np.testing.assert_allclose(found.marginals.rate.sd, sds[2:], rtol=5e-3)


@pytest.mark.statistical
def test_collapsed_engine_is_unbiased(pumps):
    """Over 20 seeds the mean of each of 24 quantities is within 5 of its standard errors.

    Those of the 20 runs, with 19 degrees of freedom: a false alarm in 500.
    """
    priors = priors_of(ModelOptions(population="gamma", prior=PRIORS), pumps)
    summary, columns = SummaryOptions(0.95, 1.1, 10), []
    for seed in range(20):
        options = EngineOptions(seed=seed)
        found = integrate_posterior(GAMMA, pumps, priors, options, summary, Silent()).quadrature
        sample = found.hyperparameters
        hyper = [np.sum(sample.weights * sample.values[n] ** k) for n in "ab" for k in (1, 2)]
        rate = found.marginals.rate
        columns.append(np.concatenate([hyper, rate.mean, rate.mean**2 + rate.sd**2]))
    first, second = quadrature(pumps)
    hyper = [first[0], second[0], first[1], second[1]]
    wanted = np.concatenate([hyper, first[2:], second[2:]])
    error = np.std(columns, axis=0, ddof=1) / np.sqrt(len(columns))
    assert np.all(np.abs(np.mean(columns, axis=0) - wanted) <= 5 * error + 1e-5 * wanted)

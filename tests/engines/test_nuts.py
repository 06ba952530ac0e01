"""The NUTS engine: repeatable, complete, and right where the posterior is known otherwise."""

from dataclasses import replace

import numpy as np
import pytensor
import pytest
from scipy import integrate, stats

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines import sampler
from spikepool.engines.nuts import sample_posterior
from spikepool.engines.seeds import model_seed
from spikepool.errors import SpikepoolError
from spikepool.models.priors import RootInverseGamma, default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.mixing import measure_mixing
from spikepool.progress import Silent

FEW = {"draws": 50, "tune": 100, "chains": 2}
SMALL = {
    "a": [(0, 0.5), (1, 0.5), (0, 1.0)],
    "b": [(3, 0.5), (5, 0.5), (2, 1.0), (9, 1.0)],
    "c": [(12, 1.0), (20, 2.0), (7, 0.5)],
}
PUMPS = {
    f"pump {i + 1}": [pump]
    for i, pump in enumerate(
        zip(
            [5, 1, 5, 14, 3, 19, 1, 1, 4, 22],
            [94.3, 15.7, 62.9, 126, 5.24, 31.4, 1.05, 1.05, 2.1, 10.5],
            strict=True,
        )
    )
}
"""Failures and thousands of hours of ten pumps (OpenBUGS Examples, volume I)."""

POISSON = {pooling: ModelSpec("poisson", pooling, None) for pooling in ("none", "complete")}
PARTIAL = {
    family: ModelSpec(family, "partial", None if family == "poisson" else "partial")
    for family in ("poisson", "nb2", "nb1")
}


def tally_of(table):
    """Return the tally of (count, exposure) pairs per neuron, in the order given."""
    rows = [(i, *row) for i, trials in enumerate(table.values()) for row in trials]
    neuron, count, exposure = (np.array(column) for column in zip(*rows, strict=True))
    return tally_counts(
        SpikeCounts(Labels("neuron", tuple(table), neuron), count, exposure, exposure_known=True)
    )


def sample(spec, tally, progress=None, **options):
    """Sample with the default priors."""
    chosen = EngineOptions(**options)
    return sample_posterior(spec, tally, default_priors(tally), chosen, progress or Silent())


def assert_means(draws, wanted, errors=5.0):
    """Compare the mean of draws, shape (chains, draws, k), with `wanted`, in standard errors."""
    mixing = measure_mixing("x", tuple("" for _ in wanted), draws)
    flat = draws.reshape(-1, draws.shape[-1])
    standard_error = flat.std(axis=0, ddof=1) / np.sqrt(mixing.ess_bulk)
    assert np.all(np.abs(flat.mean(axis=0) - wanted) <= errors * standard_error)


def same_draws(first, second):
    """Tell whether two posteriors are equal to the last bit."""
    pairs = [(first.theta, second.theta), (first.delta, second.delta)]
    pairs += [(first.population[name], second.population[name]) for name in first.population]
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def nb2_draws():
    """Return draws of a small NB2 model on one core."""
    return sample(PARTIAL["nb2"], tally_of(SMALL), seed=3, cores=1, **FEW)


def test_draws_do_not_depend_on_the_cores(nb2_draws):
    """One seed gives one set of draws on one core and on two."""
    again = sample(PARTIAL["nb2"], tally_of(SMALL), seed=3, cores=2, **FEW)
    assert same_draws(nb2_draws, again)


def test_arithmetic_is_not_reordered(monkeypatch):
    """Else the first run, which compiles, has other draws than the next, which loads the code."""
    flags = []

    def compile_pymc_model(*_, **__):
        flags.append(pytensor.config.numba__fastmath)

    monkeypatch.setattr("nutpie.compile_pymc_model", compile_pymc_model)
    sampler.compile_model(None, [])
    assert flags == [False]


def test_another_seed_gives_other_draws(nb2_draws):
    """The seed is used."""
    other = sample(PARTIAL["nb2"], tally_of(SMALL), seed=4, cores=1, **FEW)
    assert not same_draws(nb2_draws, other)


def test_chains_differ(nb2_draws):
    """The chains of one run are not copies of each other."""
    assert not np.array_equal(nb2_draws.theta[0], nb2_draws.theta[1])


def test_names_and_shapes(nb2_draws):
    """Every neuron has draws of θ and δ; the population has its four hyperparameters."""
    assert nb2_draws.neurons == ("a", "b", "c")
    assert nb2_draws.theta.shape == nb2_draws.delta.shape == (2, 50, 3)
    assert set(nb2_draws.population) == {"mu", "tau", "mu_delta", "tau_delta"}
    assert all(values.shape == (2, 50) for values in nb2_draws.population.values())
    assert nb2_draws.sampler.bfmi.shape == (2,)
    assert nb2_draws.sampler.gradient_evaluations >= 100


@pytest.mark.parametrize(("family", "name"), [("nb2", "gain_sd"), ("nb1", "root_excess_fano")])
def test_completely_pooled_neurons_share_one_parameter(family, name):
    """θ is μ and δ is the logarithm of the shared dispersion, for every neuron."""
    draws = sample(ModelSpec(family, "complete", "complete"), tally_of(SMALL), **FEW)
    assert set(draws.population) == {"mu", name}
    for neuron in range(3):
        np.testing.assert_array_equal(draws.theta[..., neuron], draws.population["mu"])
        np.testing.assert_array_equal(draws.delta[..., neuron], np.log(draws.population[name]))


@pytest.mark.parametrize("sampler", ["nutpie", "pymc"])
@pytest.mark.parametrize("population", ["student-t", "gamma"])
def test_populations_report_their_own_hyperparameters(population, sampler):
    """Under their names, τ also where its square is sampled; each neuron has its θ."""
    spec, tally = ModelSpec("poisson", "partial", None, population), tally_of(SMALL)
    priors = replace(default_priors(tally), tau=RootInverseGamma(1.0, 1.0))
    options = EngineOptions(sampler=sampler, **FEW)
    draws = sample_posterior(spec, tally, priors, options, Silent())
    assert set(draws.population) == {"gamma": {"a", "b"}, "student-t": {"mu", "tau"}}[population]
    assert all(values.shape == (2, 50) for values in draws.population.values())
    assert draws.theta.shape == (2, 50, 3)
    assert draws.delta is None


def test_seeds_of_models_differ_and_stay():
    """A model's seed depends on the run's seed and its own name, and fits 32 bits."""
    seeds = {model_seed(seed, spec) for seed in (0, 1, 2**64 - 1) for spec in PARTIAL.values()}
    assert len(seeds) == 9
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert model_seed(0, PARTIAL["nb2"]) == model_seed(0, ModelSpec("nb2", "partial", "partial"))


@pytest.mark.parametrize("damage", ["short", "gap"])
def test_incomplete_draws_are_refused(monkeypatch, damage):
    """Draws that are too few, or not numbers, never reach a result."""
    whole = sampler._run_nutpie

    def damaged(*args):
        run = whole(*args)
        posterior = run.tree["posterior"].to_dataset()
        posterior["mu"][0, -1] = np.nan
        run.tree["posterior"] = posterior if damage == "gap" else posterior.isel(draw=slice(-1))
        return run

    monkeypatch.setattr(sampler, "_run_nutpie", damaged)
    with pytest.raises(SpikepoolError, match="incomplete draws of mu"):
        sample(POISSON["complete"], tally_of(SMALL), **FEW)


class Running:
    """A sampler that never ends and remembers being cancelled."""

    cancelled = False

    def wait(self, **_):
        """Say that it is not done."""
        raise TimeoutError

    def cancel(self):
        """Remember."""
        self.cancelled = True


class Impatient(Silent):
    """Raises at the first report."""

    def __init__(self, error):
        self.error = error

    def advance(self, *_, **__):
        """Raise."""
        raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), RuntimeError("stop")])
def test_an_exception_while_waiting_cancels_the_sampler(monkeypatch, error):
    """Whatever stops the wait stops the chains, and is not swallowed."""
    running = Running()
    monkeypatch.setattr("nutpie.sample", lambda *_, **__: running)
    with pytest.raises(type(error)):
        sample(POISSON["complete"], tally_of(SMALL), progress=Impatient(error), **FEW)
    assert running.cancelled


def log_rate_moments(spikes, exposure, mean, sd):
    """Mean and sd of θ | y for y ~ Poisson(e^θ e), θ ~ N(mean, sd²), by quadrature."""

    def density(theta):
        log_likelihood = spikes * theta - exposure * np.exp(theta)
        return np.exp(log_likelihood - peak) * stats.norm.pdf(theta, mean, sd)

    peak = spikes * np.log(max(spikes, 1) / exposure) - spikes
    limits = mean - 12 * sd, mean + 8 * sd
    points = [mean, np.log((spikes + 0.5) / exposure)]
    moment = [
        integrate.quad(
            lambda t, k=k: t**k * density(t), *limits, points=points, limit=500, epsrel=1e-10
        )[0]
        for k in (0, 1, 2)
    ]
    first = moment[1] / moment[0]
    return first, np.sqrt(moment[2] / moment[0] - first**2)


def test_completely_pooled_poisson_against_quadrature():
    """E[μ | y] and E[μ² | y] within five Monte Carlo standard errors (false alarm: 1e-6)."""
    tally = tally_of(SMALL)
    spikes, exposure = tally.spike_count.sum(), tally.total_exposure.sum()
    mean, sd = log_rate_moments(spikes, exposure, default_priors(tally).mu.mean, 2.5)
    mu = sample(POISSON["complete"], tally).population["mu"]
    assert_means(np.stack([mu, (mu - mean) ** 2], axis=-1), [mean, sd**2])


def test_unpooled_poisson_against_quadrature():
    """Mean and variance of each θ_i, a nearly silent one included (false alarm: 4e-6)."""
    tally = tally_of(SMALL)
    m0 = default_priors(tally).mu.mean
    moments = [
        log_rate_moments(spikes, exposure, m0, 2.5)
        for spikes, exposure in zip(tally.spike_count, tally.total_exposure, strict=True)
    ]
    means, sds = (np.array(column) for column in zip(*moments, strict=True))
    theta = sample(POISSON["none"], tally).theta
    assert_means(
        np.concatenate([theta, (theta - means) ** 2], axis=-1), np.concatenate([means, sds**2])
    )


def pooled_moments(tally, priors, fineness=1):
    """E[μ], E[ln τ], E[θ_i] and E[λ_i] of the partially pooled Poisson model, by quadrature.

    Trapezoid rules in μ, ln τ and, for every neuron, θ; all integrands are smooth and vanish at
    the limits. τ below e^−3 has no posterior mass for these data.
    """
    step = 0.02 / fineness
    theta = np.arange(-25, 12, step)
    mu, log_tau = np.linspace(-12, 10, 88 * fineness + 1), np.linspace(-3, 4, 70 * fineness + 1)
    exposure = tally.total_exposure[:, np.newaxis]
    log_likelihood = tally.spike_count[:, np.newaxis] * theta - exposure * np.exp(theta)
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    weighted = np.concatenate([likelihood, likelihood * theta, likelihood * np.exp(theta)])
    tau = np.exp(log_tau)
    prior_of_mu = stats.norm.pdf(mu, priors.mu.mean, priors.mu.sd)
    total, sums = 0.0, np.zeros(2 + 2 * tally.n_neurons)
    for t, log_t in zip(tau, log_tau, strict=True):
        prior = stats.norm.pdf(theta, mu[:, np.newaxis], t)
        evidence, first, rate = np.split(prior @ weighted.T * step, 3, axis=1)
        weight = np.prod(evidence, axis=1) * prior_of_mu * stats.halfcauchy.pdf(t) * t
        seen = weight > 0
        weight, evidence = weight[seen], evidence[seen]
        total += weight.sum()
        sums += np.concatenate(
            [
                [weight @ mu[seen], weight.sum() * log_t],
                weight @ (first[seen] / evidence),
                weight @ (rate[seen] / evidence),
            ]
        )
    return sums / total


def test_quadrature_of_the_pumps_has_converged():
    """Grids twice as fine change no moment by more than 1e-6."""
    tally = tally_of(PUMPS)
    coarse, fine = (pooled_moments(tally, default_priors(tally), f) for f in (1, 2))
    np.testing.assert_allclose(coarse, fine, atol=1e-6)


@pytest.mark.filterwarnings("ignore:overflow encountered in dot:RuntimeWarning")  # PyMC, tuning
@pytest.mark.parametrize("sampler", ["nutpie", pytest.param("pymc", marks=pytest.mark.statistical)])
def test_pooled_pumps_against_quadrature(sampler):
    """Ten pumps: μ, ln τ, every θ_i and λ_i within five standard errors (false alarm: 1.3e-5)."""
    tally = tally_of(PUMPS)
    wanted = pooled_moments(tally, default_priors(tally))
    draws = sample(PARTIAL["poisson"], tally, seed=1, sampler=sampler)
    hyper = np.stack([draws.population["mu"], np.log(draws.population["tau"])], axis=-1)
    assert_means(np.concatenate([hyper, draws.theta, np.exp(draws.theta)], axis=-1), wanted)


@pytest.mark.statistical
@pytest.mark.filterwarnings("ignore:overflow encountered in dot:RuntimeWarning")  # PyMC, tuning
@pytest.mark.parametrize("family", ["nb2", "nb1"])
def test_samplers_agree(family):
    """Means of nutpie and PyMC differ by at most five standard errors (false alarm: 6e-6)."""
    tally = tally_of(SMALL)
    columns = []
    for which in ("nutpie", "pymc"):
        draws = sample(PARTIAL[family], tally, sampler=which, target_accept=0.98, draws=2000)
        hyper = np.stack(
            [draws.population[name] for name in ("mu", "mu_delta", "tau_delta")]
            + [np.log(draws.population["tau"])],
            axis=-1,
        )
        columns.append(np.concatenate([hyper, draws.theta, draws.delta], axis=-1))
    names = tuple("" for _ in range(columns[0].shape[-1]))
    means = [values.mean(axis=(0, 1)) for values in columns]
    squared_errors = [
        values.var(axis=(0, 1)) / measure_mixing("x", names, values).ess_bulk for values in columns
    ]
    difference = np.abs(means[0] - means[1])
    assert np.all(difference <= 5 * np.sqrt(squared_errors[0] + squared_errors[1]))

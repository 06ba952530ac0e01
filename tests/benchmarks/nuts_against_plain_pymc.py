"""NUTS on the tally against a plain PyMC model with one term per trial, and growth with trials.

Run it with ``python tests/benchmarks/nuts_against_plain_pymc.py``; about five minutes on two
cores. Both models are sampled by nutpie in this process, one after the other: read the ratio, not
the seconds.
"""

import time

import numpy as np

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines.nuts import sample_posterior
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.mixing import measure_mixing
from spikepool.progress import Silent

N_NEURONS = 100
HYPERPARAMETERS = ("mu", "tau", "mu_delta", "tau_delta")
SPEC = ModelSpec("nb2", "partial", "partial")


def simulate(n_trials, seed=1):
    """Simulate counts of a log-normal NB2 population; shape (N_NEURONS, n_trials)."""
    rng = np.random.default_rng(seed)
    mean = np.exp(rng.normal(1.5, 0.8, (N_NEURONS, 1)))
    alpha = np.exp(-rng.normal(1.5, 0.5, (N_NEURONS, 1)))
    return rng.poisson(mean * rng.gamma(1 / alpha, alpha, (N_NEURONS, n_trials)))


def tally_of(counts):
    """Reduce a matrix of counts."""
    n, t = counts.shape
    neuron = Labels("neuron", tuple(f"n{i:03d}" for i in range(n)), np.repeat(np.arange(n), t))
    return tally_counts(SpikeCounts(neuron, counts.ravel(), np.ones(n * t), exposure_known=False))


def sample_spikepool(counts):
    """Sample with spikepool's engine; hyperparameter draws, seconds to compile and to sample."""
    tally = tally_of(counts)
    options = EngineOptions(draws=1000, tune=1000, chains=4)
    draws = sample_posterior(SPEC, tally, default_priors(tally), options, Silent())
    return draws.population, draws.sampler.compile_seconds, draws.sampler.sampling_seconds


def sample_plain(counts):
    """Sample the model as tutorials write it: non-centred, one NegativeBinomial term per trial."""
    import nutpie
    import pymc as pm

    tally = tally_of(counts)
    neuron = np.repeat(np.arange(counts.shape[0]), counts.shape[1])
    priors = default_priors(tally)
    with pm.Model() as model:
        mu = pm.Normal("mu", priors.mu.mean, priors.mu.sd)
        tau = pm.HalfCauchy("tau", 1.0)
        typical = pm.HalfNormal("typical", 1.0)
        mu_delta = pm.Deterministic("mu_delta", pm.math.log(typical))
        tau_delta = pm.HalfNormal("tau_delta", 0.5)
        theta = mu + tau * pm.Normal("z_theta", 0, 1, shape=N_NEURONS)
        delta = mu_delta + tau_delta * pm.Normal("z_delta", 0, 1, shape=N_NEURONS)
        mean, size = pm.math.exp(theta)[neuron], pm.math.exp(-2 * delta)[neuron]
        pm.NegativeBinomial("y", mu=mean, alpha=size, observed=counts.ravel())
    started = time.perf_counter()
    compiled = nutpie.compile_pymc_model(model)
    ready = time.perf_counter()
    tree = nutpie.sample(
        compiled, draws=1000, tune=1000, chains=4, cores=2, seed=1, progress_bar=False
    )
    done = time.perf_counter()
    draws = {name: tree.posterior[name].to_numpy() for name in HYPERPARAMETERS}
    return draws, ready - started, done - ready


def least_ess(draws):
    """Smallest bulk effective sample size over the hyperparameters."""
    return min(
        float(measure_mixing(name, ("",), draws[name][:, :, None]).ess_bulk[0])
        for name in HYPERPARAMETERS
    )


def main():
    """Print both comparisons."""
    counts = simulate(50)
    rates = {}
    for name, sample in (("spikepool", sample_spikepool), ("plain PyMC", sample_plain)):
        draws, compiling, sampling = sample(counts)
        rates[name] = least_ess(draws) / sampling
        print(
            f"{name:<11} compiled {compiling:5.1f} s  sampled {sampling:6.1f} s  least ESS of the "
            f"hyperparameters {least_ess(draws):6.0f} of 4,000  {rates[name]:8.1f} per second"
        )
        for each in HYPERPARAMETERS:
            print(f"  {each:<10} {draws[each].mean():8.4f} ({draws[each].std():.4f})")
    print(f"ratio of ESS per second: {rates['spikepool'] / rates['plain PyMC']:.0f}\n")
    for n_trials in (50, 500, 5000):
        _, compiling, sampling = sample_spikepool(simulate(n_trials))
        seconds = f"compiled {compiling:4.1f} s, sampled {sampling:4.1f} s"
        print(f"{n_trials:>5} trials per neuron: {seconds}")


if __name__ == "__main__":
    main()

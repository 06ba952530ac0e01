"""Growth of the collapsed engine's time and memory with neurons and with trials.

Run it with ``python tests/benchmarks/growth.py``; some minutes on two cores. Every size is a
process of its own, that prints what the engine alone took once its kernels are loaded: read the
slopes, not the seconds.
"""

import resource
import subprocess
import sys
import time

import numpy as np

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines.collapsed.engine import integrate_posterior
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Silent

NEURONS = (1_000, 3_000, 10_000, 30_000)
TRIALS = (20, 100, 500)
SPEC, SUMMARY = ModelSpec("nb2", "partial", "partial"), SummaryOptions(0.95, 1.1)


def simulate(n_neurons, n_trials):
    """Return the tally of a log-normal NB2 population."""
    rng = np.random.default_rng(7)
    mean = np.exp(rng.normal(1.5, 0.8, (n_neurons, 1)))
    alpha = np.exp(2 * rng.normal(-0.75, 0.3, (n_neurons, 1)))
    counts = rng.poisson(mean * rng.gamma(1 / alpha, alpha, (n_neurons, n_trials)))
    of = np.repeat(np.arange(n_neurons), n_trials)
    neuron = Labels("neuron", tuple(f"n{i:05d}" for i in range(n_neurons)), of)
    ones = np.ones(counts.size)
    return tally_counts(SpikeCounts(neuron, counts.ravel(), ones, exposure_known=False))


def integrate(tally):
    """Return the wall seconds of the engine."""
    begin = time.perf_counter()
    integrate_posterior(SPEC, tally, default_priors(tally), EngineOptions(), SUMMARY, Silent())
    return time.perf_counter() - begin


def measure(n_neurons, n_trials):
    """Measure one size in a process of its own; seconds and MB."""
    command = [sys.executable, __file__, str(n_neurons), str(n_trials)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, megabytes = map(float, printed.split())
    print(f"{n_neurons:6} neurons × {n_trials:3} trials {seconds:7.2f} s {megabytes:7.0f} MB")
    return seconds


def main():
    """Print every size, then the slopes."""
    by_neurons = [measure(size, 20) for size in NEURONS]
    by_trials = [measure(1_000, size) for size in TRIALS]
    for name, sizes, seconds in (("neurons", NEURONS, by_neurons), ("trials", TRIALS, by_trials)):
        slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
        print(f"slope in {name}, log-log: {slope:.2f}")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        integrate(simulate(100, 20))
        print(
            integrate(simulate(int(sys.argv[1]), int(sys.argv[2]))),
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )

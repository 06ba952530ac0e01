"""Contrasts of groups cover the truth as often as they claim."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines.dispatch import compute_posterior
from spikepool.engines.seeds import group_seed
from spikepool.models.priors import HalfNormal, Normal, default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.contrasts import contrast_groups
from spikepool.posterior.groups import parts_of
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Silent

TABLES, NEURONS, TRIALS = 60, (8, 14), 4
MU, TAU = Normal(1.5, 0.7), HalfNormal(0.6)
SPEC = ModelSpec("poisson", "partial", None)
FALSE_ALARM = 1e-4


def simulated(rng):
    """Draw two groups from the priors, and their counts; return the truth and the tally."""
    mu = rng.normal(MU.mean, MU.sd, 2)
    tau = np.abs(rng.normal(0, TAU.scale, 2))
    group = np.repeat([0, 1], NEURONS)
    theta = rng.normal(mu[group], tau[group])
    counts = rng.poisson(np.exp(theta)[:, np.newaxis], (len(theta), TRIALS)).ravel()
    codes = np.repeat(np.arange(len(theta)), TRIALS)
    table = SpikeCounts(
        Labels("neuron", tuple(f"n{i}" for i in range(len(theta))), codes),
        counts,
        np.ones(len(counts)),
        exposure_known=True,
        group=Labels("area", ("A", "B"), group[codes]),
    )
    return {"mu": mu[1] - mu[0], "tau": tau[1] - tau[0]}, tally_counts(table)


@pytest.mark.statistical
def test_intervals_of_contrasts_cover_the_truth():
    """50 % and 95 % intervals of 60 tables drawn from the priors; a false alarm once in 10,000."""
    rng = np.random.default_rng(20)
    inside = {(name, mass): 0 for name in ("mu", "tau") for mass in (0.5, 0.95)}
    for _ in range(TABLES):
        truth, tally = simulated(rng)
        priors = replace(default_priors(tally), mu=MU, tau=TAU)
        samples = {}
        for part in parts_of(SPEC, tally):
            options = EngineOptions(engine="collapsed", seed=group_seed(0, part.name))
            summary = SummaryOptions(0.95, 1.1, 100)
            posterior = compute_posterior(SPEC, part.tally, priors, options, summary, Silent())
            samples[part.name] = posterior.hyperparameters
        for mass in (0.5, 0.95):
            for found in contrast_groups(SPEC, samples, mass):
                if found.parameter in truth:
                    covered = (
                        found.difference_lower <= truth[found.parameter] <= found.difference_upper
                    )
                    inside[found.parameter, mass] += covered
    for (name, mass), count in inside.items():
        low, high = stats.binom(TABLES, mass).interval(1 - FALSE_ALARM / len(inside))
        assert low <= count <= high, (name, mass, count)

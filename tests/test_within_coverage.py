"""Contrasts of groups cover the truth where labels within them differ, and only with --within."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines.dispatch import compute_posterior
from spikepool.models.priors import HalfNormal, Normal, default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.contrasts import contrast_groups
from spikepool.posterior.groups import parts_of
from spikepool.posterior.summary import SummaryOptions
from spikepool.posterior.within import posteriors_of_groups
from spikepool.progress import Silent

TABLES, NEURONS, TRIALS = 40, 12, 4
MU, TAU, SD_WITHIN = Normal(1.5, 0.7), HalfNormal(0.6), HalfNormal(0.5)
AREA, ANIMAL = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 1, 2, 3])
"""Of six pairs: four animals, two of them in both areas."""
SPEC = ModelSpec("poisson", "partial", None, within="crossed")
SUMMARY = SummaryOptions(0.95, 1.1, 100)
FALSE_ALARM = 1e-4


def simulated(rng):
    """Draw two areas and their animals from the priors; return the difference and the tally."""
    mu, tau = rng.normal(MU.mean, MU.sd, 2), np.abs(rng.normal(0, TAU.scale, 2))
    sd_u, sd_v = np.abs(rng.normal(0, SD_WITHIN.scale, 2))
    centre = mu[AREA] + rng.normal(0, sd_u, 4)[ANIMAL] + rng.normal(0, sd_v, 6)
    pair = np.repeat(np.arange(6), NEURONS)
    theta = rng.normal(centre[pair], tau[AREA[pair]])
    codes = np.repeat(np.arange(len(pair)), TRIALS)
    table = SpikeCounts(
        Labels("neuron", tuple(f"n{i}" for i in range(len(pair))), codes),
        rng.poisson(np.exp(theta[codes])),
        np.ones(len(codes)),
        exposure_known=True,
        group=Labels("area", ("A", "B"), AREA[pair][codes]),
        within=Labels("animal", tuple("wxyz"), ANIMAL[pair][codes]),
    )
    return mu[1] - mu[0], tally_counts(table)


def samples_of(spec, tally, priors, seed, engine):
    """Fit, and return the hyperparameters of each area; None where the engine says it failed."""
    options = EngineOptions(engine=engine, seed=seed, draws=500, tune=500, chains=2)
    fits = {
        part.name: compute_posterior(spec, part.tally, priors, options, SUMMARY, Silent())
        for part in parts_of(spec, tally)
    }
    if engine == "collapsed":
        problems = [fit.quadrature.certificate.problems for fit in fits.values()]
        if any(problems):
            print(f"table {seed}: {problems}")
            return None
    if spec.within is not None:
        fits = posteriors_of_groups(fits["all"], tally)
    return {name: fit.hyperparameters for name, fit in fits.items()}


@pytest.mark.statistical
@pytest.mark.parametrize("engine", ["nuts", "collapsed"])
def test_intervals_of_contrasts_cover_the_truth(engine):
    """50 % and 95 % intervals of 40 tables drawn from the priors; a false alarm once in 10,000.

    Without labels the 95 % intervals cover less often than they claim, which shows at that level.
    Tables that the collapsed engine does not certify go to nuts with ``auto``: left out here by
    that verdict, which knows the data and not the truth, and no more than one in ten.
    """
    rng = np.random.default_rng(20)
    inside = {(form, mass): [] for form in ("crossed", None) for mass in (0.5, 0.95)}
    for seed in range(TABLES):
        truth, tally = simulated(rng)
        priors = replace(default_priors(tally), mu=MU, tau=TAU)
        for form in ("crossed", None):
            spec = replace(SPEC, within=form)
            samples = samples_of(spec, tally, priors, seed, engine)
            for mass in (0.5, 0.95) if samples else ():
                (found,) = (
                    each for each in contrast_groups(spec, samples, mass) if each.parameter == "mu"
                )
                inside[form, mass].append(found.difference_lower <= truth <= found.difference_upper)
    print(engine, {key: f"{sum(of)} of {len(of)}" for key, of in inside.items()})
    assert all(len(of) >= 0.9 * TABLES for of in inside.values())
    for mass in (0.5, 0.95):
        of = inside["crossed", mass]
        low, high = stats.binom(len(of), mass).interval(1 - FALSE_ALARM / 2)
        assert low <= sum(of) <= high
    without = inside[None, 0.95]
    assert stats.binom(len(without), 0.95).cdf(sum(without)) < FALSE_ALARM

"""Calibration of the models with conditions: masses below the truth, and coverage of intervals.

Parameters and tables are drawn from each model's own priors, which here are narrow enough that
nearly every table could be a recording; none with a count above 200 is kept, a rule on the counts
alone. Each table has two groups, with hyperparameters of their own, so that contrasts are covered
too.
"""

import numpy as np
import pytest
from scipy import stats

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines.seeds import group_seed
from spikepool.models.families import FAMILIES
from spikepool.models.priors import HalfNormal, Normal, Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.contrasts import contrast_groups
from spikepool.posterior.groups import parts_of
from spikepool.posterior.population import reported_hyperparameters
from spikepool.posterior.summary import SummaryOptions

TABLES, NEURONS, CONDITIONS, TRIALS, LARGEST = 100, 8, 4, 5, 200
PRIORS = Priors(
    Normal(1.5, 0.7), HalfNormal(0.6), HalfNormal(0.5), HalfNormal(0.5), tuning_sd=HalfNormal(0.6)
)
SUMMARY = SummaryOptions(interval=0.95, fano_threshold=1.1, joint_draws=999)
MASSES = (0.5, 0.95)
FALSE_ALARM = 1e-3
SPECS = [
    ModelSpec(
        family,
        "partial",
        None if family == "poisson" else "partial",
        condition_pooling=condition_pooling,
    )
    for family, condition_pooling in (
        ("poisson", "partial"),
        ("nb2", "partial"),
        ("nb1", "partial"),
        ("nb2", "none"),
    )
]


def labels(kind, count, codes):
    """Return labels named by their kind and number."""
    return Labels(kind, tuple(f"{kind}{i}" for i in range(count)), codes)


def simulate(spec, rng):
    """Draw parameters of two groups, and their table; return the truth and the tally."""
    while True:
        truth = {
            "mu": rng.normal(PRIORS.mu.mean, PRIORS.mu.sd, 2),
            "tau": np.abs(rng.normal(0, 0.6, 2)),
            "tuning_sd": np.abs(rng.normal(0, 0.6, 2)),
            "mu_delta": np.log(np.abs(rng.normal(0, 0.5, 2))),
            "tau_delta": np.abs(rng.normal(0, 0.5, 2)),
        }
        if spec.condition_pooling == "none":
            truth["tuning_sd"] = np.full(2, 2.5)
        group = np.repeat([0, 1], NEURONS)
        theta = rng.normal(truth["mu"][group], truth["tau"][group])
        b = rng.normal(0, 1, (2 * NEURONS, CONDITIONS)) * truth["tuning_sd"][group, np.newaxis]
        delta = rng.normal(truth["mu_delta"][group], truth["tau_delta"][group])
        neuron = np.repeat(np.arange(2 * NEURONS), CONDITIONS * TRIALS)
        condition = np.tile(np.repeat(np.arange(CONDITIONS), TRIALS), 2 * NEURONS)
        exposure = np.where(np.arange(len(neuron)) % 2 == 0, 1.0, 0.5)
        mean = np.exp(np.clip(theta[:, np.newaxis] + b, -27, 27))[neuron, condition] * exposure
        count = FAMILIES[spec.family].sample(mean, np.exp(delta)[neuron], rng)
        if count.max() <= LARGEST:
            break
    of_condition = labels("c", CONDITIONS, condition)
    table = SpikeCounts(
        labels("n", 2 * NEURONS, neuron),
        count,
        exposure,
        exposure_known=True,
        condition=of_condition,
        group=labels("g", 2, group[neuron]),
    )
    return truth, {"theta": theta, "b": b, "delta": delta}, tally_counts(table)


def masses_below(posterior, truth, own, group):
    """Posterior mass below each true value: an array for those of neurons and responses."""
    sample, draws = posterior.quadrature.hyperparameters, posterior.draws
    for name, values in sample.values.items():
        yield name, np.array([np.sum(sample.weights[values < truth[name][group]])])
    here = slice(group * NEURONS, (group + 1) * NEURONS)
    yield "theta", np.mean(draws.flat_theta < own["theta"][here], axis=0)
    if draws.flat_delta is not None:
        yield "delta", np.mean(draws.flat_delta < own["delta"][here], axis=0)
    of = np.repeat(np.arange(NEURONS), CONDITIONS)
    departure = draws.flat_response - draws.flat_theta[:, of]
    yield "b", np.mean(departure < own["b"][here].ravel(), axis=0)


def contrasted(spec, samples, truth):
    """Whether each contrast's interval holds the truth."""
    first, second = (
        reported_hyperparameters(spec, {name: truth[name][[group]] for name in sample.values})
        for group, sample in enumerate(samples.values())
    )
    for mass in MASSES:
        for found in contrast_groups(spec, samples, mass):
            difference = float(second[found.parameter][0] - first[found.parameter][0])
            inside = found.difference_lower <= difference <= found.difference_upper
            yield (found.parameter, mass), float(inside)


def coverage_pvalue(shares, mass):
    """Two-sided p-value that the mean share of a table, independent of others, is `mass`."""
    error = max(np.std(shares, ddof=1), 1 / len(shares)) / np.sqrt(len(shares))
    return 2 * stats.t.sf(abs(np.mean(shares) - mass) / error, len(shares) - 1)


@pytest.mark.statistical
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_conditions_are_calibrated(spec, compute, uniformity, capsys):
    """100 tables of two groups; a false alarm in any of the four models in 250.

    Masses below hyperparameters, and below a neuron's own a, δ and b: Kolmogorov-Smirnov and
    chi-square. Coverage of 50 % and 95 % intervals of all neurons and responses, the tables as
    clusters, and of contrasts. Each model has at most 40 tests, of level 1e-3 together.
    """
    rng = np.random.default_rng(21)
    below: dict[str, list[float]] = {}
    shares: dict[tuple[str, float], list[float]] = {}
    failed = 0
    for table in range(TABLES):
        truth, own, tally = simulate(spec, rng)
        samples, sound = {}, True
        for group, part in enumerate(parts_of(spec, tally)):
            posterior = compute(spec, part.tally, PRIORS, SUMMARY, group_seed(table, part.name))
            samples[part.name] = posterior.hyperparameters
            sound &= posterior.quadrature.certificate.sample_passed
            if not posterior.quadrature.certificate.sample_passed:
                continue
            for name, masses in masses_below(posterior, truth, own, group):
                below.setdefault(name, []).append(masses[0])
                for mass in MASSES:
                    inside = np.abs(masses - 0.5) < mass / 2
                    shares.setdefault((name, mass), []).append(inside.mean())
        failed += not sound
        if sound:
            for (name, mass), inside in contrasted(spec, samples, truth):
                shares.setdefault((f"contrast of {name}", mass), []).append(inside)
    with capsys.disabled():
        for (name, mass), of in shares.items():
            print(f"{spec.name} {name}: {np.mean(of):.3f} of {100 * mass:.0f} % intervals")
    assert failed <= 0.05 * TABLES
    pvalues = {name: uniformity(u) for name, u in below.items()}
    pvalues |= {key: (coverage_pvalue(of, key[1]),) for key, of in shares.items()}
    assert min(pvalue for each in pvalues.values() for pvalue in each) > FALSE_ALARM / 40, pvalues

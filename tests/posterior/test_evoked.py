"""Responses against the baseline: draws of gamma posteriors, whose comparison has a closed form."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import NeuronDraws
from spikepool.posterior.evoked import DrawnRates, compare_with_baseline
from spikepool.posterior.results import NeuronEstimates, Summary

CHAINS, DRAWS = 2, 10_000
TUNED = ModelSpec("poisson", "none", None, condition_pooling="none")
PLAIN = ModelSpec("poisson", "none", None)
STIMULI = {("a", "left"): (12, 2.0), ("a", "right"): (2, 1.5), ("b", "left"): (9, 3.0)}
"""Spikes and exposure of each response; of c there is no baseline."""
STIMULI[("c", "left")] = (5, 1.0)
BASELINE = {("a", "all"): (8, 2.0), ("b", "all"): (20, 4.0)}


def tally_of(cells):
    """Make the tally of one trial for each response."""
    neurons = tuple(dict.fromkeys(neuron for neuron, _ in cells))
    conditions = tuple(dict.fromkeys(condition for _, condition in cells))
    codes = np.array([(neurons.index(n), conditions.index(c)) for n, c in cells])
    spikes, exposure = (np.array(values) for values in zip(*cells.values(), strict=True))
    condition = Labels("condition", conditions, codes[:, 1])
    return tally_counts(
        SpikeCounts(Labels("neuron", neurons, codes[:, 0]), spikes, exposure, True, None, condition)
    )


def drawn(cells, spec, seed, *, ordered=False):
    """Draw every response from gamma(y, e), its posterior under a flat prior of the log rate."""
    tally, rng = tally_of(cells), np.random.default_rng(seed)
    shape, rate = (np.array(values) for values in zip(*cells.values(), strict=True))
    values = rng.gamma(shape, 1 / rate, (CHAINS * DRAWS, len(cells)))
    if ordered:
        values = np.sort(values, axis=0)
    log_rates = np.log(values).reshape(CHAINS, DRAWS, -1)
    theta = log_rates if not spec.is_tuned else np.zeros((CHAINS, DRAWS, tally.n_neurons))
    draws = NeuronDraws(spec, theta, None, response=log_rates if spec.is_tuned else None)
    return DrawnRates(draws, tally, estimates_of(spec, tally))


def estimates_of(spec, tally):
    """Make up estimates; the rates and the numbers of trials alone are read."""
    raw = tally.spike_count / tally.total_exposure
    summary = Summary(raw, 1.01 * raw, raw, 0.5 * raw, 2 * raw)
    return NeuronEstimates(
        spec, tally.neurons, "spikes/s", tally.n_trials, tally.total_exposure, tally.spike_count,
        raw, summary, summary, raw, summary, raw, raw, None,
    )  # fmt: skip


def probability(response, baseline):
    """P(X > Y) of X ~ gamma(y, e) and Y ~ gamma(z, f): a beta distribution function."""
    (y, e), (z, f) = response, baseline
    # e X / (e X + f Y) is beta(y, z), and X > Y where it exceeds e / (e + f)
    return stats.beta.sf(e / (e + f), y, z)


WANTED = [probability(STIMULI[key], BASELINE[key[0], "all"]) for key in list(STIMULI)[:3]]
MCSE = 0.5 / np.sqrt(CHAINS * DRAWS)


@pytest.mark.parametrize("ordered", [False, True])
def test_probability_of_a_response_is_that_of_gammas(ordered):
    """Also where both engines hand out their draws in an order of their own.

    Five Monte Carlo standard errors for each of three: a false alarm in a million seeds.
    """
    stimuli = drawn(STIMULI, TUNED, 1, ordered=ordered)
    baseline = drawn(BASELINE, PLAIN, 2, ordered=ordered)
    found = compare_with_baseline(stimuli, baseline, 0.95, seed=3)
    np.testing.assert_allclose(found.prob_above[:3], WANTED, atol=5 * MCSE)


def test_evoked_rates_are_differences_of_gammas():
    """Quantiles against a million independent pairs; ratios against the F distribution."""
    stimuli, baseline = drawn(STIMULI, TUNED, 1), drawn(BASELINE, PLAIN, 2)
    found = compare_with_baseline(stimuli, baseline, 0.9, seed=3)
    rng = np.random.default_rng(4)
    for i, key in enumerate(list(STIMULI)[:3]):
        (y, e), (z, f) = STIMULI[key], BASELINE[key[0], "all"]
        pairs = rng.gamma(y, 1 / e, 1_000_000) - rng.gamma(z, 1 / f, 1_000_000)
        wanted = np.quantile(pairs, [0.5, 0.05, 0.95])
        of = found.evoked
        differences = [of.median[i], of.lower[i], of.upper[i]]
        np.testing.assert_allclose(differences, wanted, atol=0.06 * pairs.std())
        ratio = (y / e) / (z / f) * stats.f(2 * y, 2 * z).ppf([0.5, 0.05, 0.95])
        of = found.ratio
        np.testing.assert_allclose([of.median[i], of.lower[i], of.upper[i]], ratio, rtol=0.06)


def test_raw_rates_and_the_baseline_stand_beside():
    """Of the neuron of each response; nothing of a neuron without a baseline."""
    found = compare_with_baseline(drawn(STIMULI, TUNED, 1), drawn(BASELINE, PLAIN, 2), 0.95, seed=3)
    np.testing.assert_array_equal(found.neuron, [0, 0, 1, 2])
    np.testing.assert_array_equal(found.condition, [0, 1, 0, 0])
    np.testing.assert_array_equal(found.baseline_trials, [1, 1, 1, 0])
    np.testing.assert_allclose(found.rate_raw, [6, 4 / 3, 3, 5])
    np.testing.assert_allclose(found.baseline_raw, [4, 4, 5, np.nan])
    np.testing.assert_allclose(found.evoked_raw, [2, 4 / 3 - 4, -2, np.nan])
    np.testing.assert_allclose(found.baseline.median, [4.04, 4.04, 5.05, np.nan])
    np.testing.assert_allclose(found.baseline.upper, [8, 8, 10, np.nan])
    for values in (found.prob_above, found.evoked.lower, found.ratio.median):
        assert np.isnan(values).tolist() == [False, False, False, True]


def test_without_tuning_the_neurons_rate_stands_for_each_response():
    """Of models that take conditions as repeats, and of tables of one stimulus."""
    rates = {("a", "all"): (14, 3.5), ("b", "all"): (9, 3.0), ("c", "all"): (5, 1.0)}
    plain = replace(drawn(rates, PLAIN, 1), tally=tally_of(STIMULI))
    found = compare_with_baseline(plain, drawn(BASELINE, PLAIN, 2), 0.95, seed=3)
    wanted = [probability(rates[n, "all"], BASELINE[n, "all"]) for n in ("a", "a", "b")]
    np.testing.assert_allclose(found.prob_above[:3], wanted, atol=5 * MCSE)


def test_fewer_draws_of_either_side_serve():
    """Engines need not agree on their number."""
    stimuli, baseline = drawn(STIMULI, TUNED, 1), drawn(BASELINE, PLAIN, 2)
    few = replace(baseline.draws, theta=baseline.draws.theta[:, : DRAWS // 4])
    found = compare_with_baseline(stimuli, replace(baseline, draws=few), 0.95, seed=3)
    np.testing.assert_allclose(found.prob_above[:3], WANTED, atol=10 * MCSE)
    few = replace(stimuli.draws, response=stimuli.draws.response[:, : DRAWS // 4])
    few = replace(few, theta=few.theta[:, : DRAWS // 4])
    found = compare_with_baseline(replace(stimuli, draws=few), baseline, 0.95, seed=3)
    np.testing.assert_allclose(found.prob_above[:3], WANTED, atol=10 * MCSE)

"""What neurons share that were recorded together: against brute force over pairs, and truth."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.diagnostics.company import (
    ALONE,
    FORMULAS,
    REPEATED,
    Company,
    Measured,
    company_notices,
    measure_company,
    session_of_neurons,
)


def numbered(name, codes):
    """Label rows by numbers."""
    codes = np.asarray(codes, dtype=np.int64)
    return Labels(name, tuple(str(value) for value in range(codes.max() + 1)), codes)


def table(*sessions, conditions=2):
    """Build a table of sessions of neurons × trials; conditions take turns."""
    places = [np.indices(counts.shape).reshape(2, -1) for counts in sessions]
    sizes = np.cumsum([0, *(len(counts) for counts in sessions)])
    neuron = np.concatenate([place[0] + size for place, size in zip(places, sizes, strict=False)])
    trial = np.concatenate([place[1] for place in places])
    return SpikeCounts(
        neuron=numbered("neuron", neuron),
        count=np.concatenate([counts.ravel() for counts in sessions]),
        exposure=np.ones(len(trial)),
        exposure_known=False,
        trial=numbered("trial", trial),
        condition=numbered("condition", trial % conditions),
        session=numbered("session", np.repeat(np.arange(len(sessions)), np.diff(
            [0, *np.cumsum([counts.size for counts in sessions])]
        ))),
    )  # fmt: skip


def simulate(rng, neurons=6, trials=60, shared=0.2, private=0.3):
    """Simulate counts of one session with gamma gains, one of all neurons and one of each."""
    rate = 5 * np.exp(rng.normal(0, 0.6, size=(neurons, 1)))
    common = rng.gamma(shared**-2, shared**2, size=(1, trials)) if shared else 1.0
    own = rng.gamma(private**-2, private**2, size=(neurons, trials))
    return rng.poisson(rate * common * own)


def selected(counts, rows):
    """Return some rows, in this order."""
    names = ("neuron", "trial", "condition", "session")
    labels = {name: getattr(counts, name) for name in names}
    return replace(
        counts,
        count=counts.count[rows],
        exposure=counts.exposure[rows],
        **{name: replace(of, codes=of.codes[rows]) for name, of in labels.items()},
    )


def by_pairs(counts, conditions=2):
    """Correlation, shared and whole gain variance of one complete session, pair by pair."""
    correlations, covariance, product = [], 0.0, 0.0
    excess, square = 0.0, 0.0
    groups = [counts[:, place::conditions].astype(float) for place in range(conditions)]
    for one, other in combinations(range(len(counts)), 2):
        for group in groups:
            correlations.append(np.corrcoef(group[one], group[other])[0, 1] * group.shape[1])
            covariance += np.cov(group[one], group[other])[0, 1] * group.shape[1]
            product += group[one].mean() * group[other].mean() * group.shape[1]
    for group in groups:
        n = group.shape[1]
        mean, variance = group.mean(axis=1), group.var(axis=1, ddof=1)
        excess += n * np.sum(variance - mean)
        square += n * np.sum(mean**2 - variance / n)
    pairs = len(counts) * (len(counts) - 1) / 2
    trials = counts.shape[1]
    # of a pair the products of residuals sum to (n − 1) r, which a = u √(n/(n − 1)) makes n r
    return np.sum(correlations) / (pairs * trials), covariance / product, excess / square


def values(company):
    """Return the four numbers that were measured."""
    names = ("correlation", "shared_gain_variance", "gain_variance", "shared_share")
    return [getattr(company, name).value for name in names]


def test_numbers_are_those_of_all_pairs():
    """Pearson's correlations and covariances, averaged over pairs and conditions."""
    counts = simulate(np.random.default_rng(1))
    (company,) = measure_company(table(counts), 0.95).each
    correlation, shared, gain = by_pairs(counts)
    np.testing.assert_allclose(values(company), [correlation, shared, gain, shared / gain])
    assert (company.neurons, company.trials, company.pairs) == (6, 60, 15)


def test_two_sessions_are_told_apart_and_summed():
    """Trials of one number in two sessions have nothing to do with one another."""
    rng = np.random.default_rng(2)
    first, second = simulate(rng, 3), simulate(rng, 5)
    sessions = measure_company(table(first, second), 0.95)
    alone = [measure_company(table(each), 0.95).together for each in (first, second)]
    for each, other in zip(sessions.each, alone, strict=True):
        np.testing.assert_allclose(values(each), values(other))
    assert (sessions.together.neurons, sessions.together.trials) == (8, 120)
    assert sessions.together.pairs == 3 + 10
    weights = np.array([3 * 60, 10 * 60])
    means = [each.correlation.value for each in sessions.each]
    np.testing.assert_allclose(
        sessions.together.correlation.value, np.average(means, weights=weights)
    )


def test_interval_is_that_of_a_jackknife():
    """Student's t about the estimate, with the spread of the sums without each trial."""
    counts = simulate(np.random.default_rng(3), neurons=4, trials=20)
    found = measure_company(table(counts), 0.9).together.correlation
    groups = [counts[:, place::2].astype(float) for place in range(2)]
    scaled = np.zeros(counts.shape)
    for place, group in enumerate(groups):
        left = group - group.mean(axis=1, keepdims=True)
        scaled[:, place::2] = left / group.std(axis=1, keepdims=True)
    products = np.array([s.sum() ** 2 - np.sum(s**2) for s in scaled.T]) / 12
    # every trial has all neurons, so that leaving it out is leaving a term of a mean out
    error = products.std(ddof=1) / np.sqrt(20)
    reach = stats.t.ppf(0.95, 19) * error
    np.testing.assert_allclose(
        [found.lower, found.value, found.upper], products.mean() + np.array([-reach, 0, reach])
    )


def test_order_of_rows_means_nothing():
    """To the last bit."""
    rng = np.random.default_rng(4)
    counts = table(simulate(rng), simulate(rng))
    moved = selected(counts, rng.permutation(len(counts.count)))
    assert measure_company(counts, 0.95) == measure_company(moved, 0.95)


def test_neurons_that_missed_trials_count_where_they_were():
    """A neuron of the first half and one of the second are no pair."""
    counts = table(simulate(np.random.default_rng(5), neurons=3, trials=40))
    first, last = counts.neuron.codes == 0, counts.neuron.codes == 2
    kept = ~(first & (counts.trial.codes >= 20)) & ~(last & (counts.trial.codes < 20))
    (company,) = measure_company(selected(counts, np.flatnonzero(kept)), 0.95).each
    assert (company.neurons, company.trials, company.pairs) == (3, 40, 2)


def test_what_cannot_be_measured_says_why():
    """A single neuron has no company; a trial that stands twice may be two."""
    rng = np.random.default_rng(6)
    counts = table(simulate(rng, neurons=1), simulate(rng, neurons=3), simulate(rng, neurons=2))
    twice = selected(counts, np.append(np.arange(len(counts.count)), len(counts.count) - 1))
    sessions = measure_company(twice, 0.95)
    assert [each.untested for each in sessions.each] == [ALONE, "", REPEATED]
    assert np.isnan(values(sessions.each[0])).all()
    np.testing.assert_array_equal(values(sessions.together), values(sessions.each[1]))
    alone = measure_company(table(simulate(rng, neurons=1)), 0.95).together
    assert alone.untested == ALONE


def test_without_sessions_or_trials_there_is_nothing():
    """Neither is guessed."""
    counts = table(simulate(np.random.default_rng(7)))
    assert measure_company(replace(counts, session=None), 0.95) is None
    assert measure_company(replace(counts, trial=None), 0.95) is None


def test_silent_neurons_have_no_correlation():
    """They are counted, and change none of the numbers."""
    counts = simulate(np.random.default_rng(8))
    silent = np.vstack([counts, np.zeros((1, 60), dtype=int)])
    with_silent = measure_company(table(silent), 0.95).together
    np.testing.assert_allclose(
        values(with_silent), values(measure_company(table(counts), 0.95).together)
    )


def test_sessions_are_units_where_there_are_five():
    """And where every neuron was recorded in one of them."""
    rng = np.random.default_rng(9)
    five = table(*(simulate(rng, neurons=2, trials=4) for _ in range(5)))
    assert session_of_neurons(five).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert session_of_neurons(table(simulate(rng), simulate(rng))) is None
    moved = replace(five, session=replace(five.session, codes=np.roll(five.session.codes, 1)))
    assert session_of_neurons(moved) is None
    assert session_of_neurons(replace(five, session=None)) is None


def test_groups_that_share_gain_are_warned_of():
    """Not one population, and not neurons that share nothing."""
    rng = np.random.default_rng(10)
    counts = table(simulate(rng, shared=0.5))
    grouped = replace(counts, group=numbered("area", counts.neuron.codes % 2))
    (notice,) = company_notices(measure_company(counts, 0.95), grouped)
    assert notice.code == "shared-gain"
    assert "15 pairs" in notice.message
    assert company_notices(measure_company(counts, 0.95), counts) == ()
    assert company_notices(None, grouped) == ()
    none = measure_company(table(simulate(rng, shared=0.0)), 1 - 1e-6)
    assert company_notices(none, grouped) == ()


def test_formulas_are_those_of_the_fields():
    """Each number is stated once."""
    fields = set(Company.__dataclass_fields__)
    assert set(FORMULAS) == fields - {"session", "untested"}
    assert {"value", "lower", "upper"} == set(Measured.__dataclass_fields__)


@pytest.mark.statistical
@pytest.mark.parametrize("shared", [0.0, 0.2])
def test_shared_and_whole_gain_are_recovered(shared):
    """Means of 600 sessions are within 4 standard errors, 95 % intervals hold in 90 to 98 %.

    The standard error of a coverage is 0.9 points.
    """
    rng = np.random.default_rng(11)
    found = [
        measure_company(table(simulate(rng, 8, 60, shared)), 0.95).together for _ in range(600)
    ]
    whole = shared**2 + 0.09 + shared**2 * 0.09
    truths = {"shared_gain_variance": shared**2, "gain_variance": whole}
    for name, truth in truths.items():
        each = [getattr(company, name) for company in found]
        numbers = np.array([[one.value, one.lower, one.upper] for one in each])
        error = numbers[:, 0].std() / np.sqrt(600)
        assert abs(numbers[:, 0].mean() - truth) < 4 * error, name
        assert 0.9 < np.mean((numbers[:, 1] <= truth) & (truth <= numbers[:, 2])) < 0.98, name

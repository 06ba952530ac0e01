"""Whether neurons of one population differ by a label."""

import numpy as np
import pytest

from spikepool.data.spike_counts import NeuronColumn
from spikepool.diagnostics import exchangeability
from spikepool.diagnostics.exchangeability import (
    ExchangeabilityTest,
    exchangeability_notices,
    run_exchangeability_tests,
)
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import NeuronDraws

PARTIAL = ModelSpec("poisson", "partial", None)
AREA = np.arange(40) % 2


def draws_of(truth, error, rng, spec=PARTIAL):
    """Draw from the posterior of a normal population with known μ and τ = 1; shape (1, 500, N)."""
    estimate = truth + error * rng.standard_normal(len(truth))
    weight = 1 / (1 + error**2)
    noise = rng.standard_normal((1, 500, len(truth)))
    return NeuronDraws(spec, weight * estimate + np.sqrt(weight) * error * noise, None)


def simulate(seed, shift=0.0, ratio=1.0):
    """Simulate two areas, of which the second has the larger errors, and test them."""
    rng = np.random.default_rng(seed)
    error = np.where(AREA, 0.8, 0.2) * rng.uniform(0.7, 1.3, 40)
    truth = shift * AREA + np.where(AREA, 1.0, ratio) * rng.standard_normal(40)
    return run(draws_of(truth, error, rng), AREA)


def run(draws, label, group=None):
    """Test one label."""
    column = NeuronColumn("area", tuple(f"V{code}" for code in label))
    return run_exchangeability_tests(
        draws, np.zeros(len(label), dtype=np.int64) if group is None else group, [column], 0
    )


def pvalues(number, **effects):
    """Return the p-values of means and of spreads of many tables; shape (number, 2)."""
    return np.array([[t.pvalue for t in simulate([1, i], **effects)] for i in range(number)])


@pytest.fixture(autouse=True)
def few_permutations(monkeypatch):
    """Take 99: p-values are exact with any number."""
    monkeypatch.setattr(exchangeability, "PERMUTATIONS", 99)


def test_labels_of_nothing_are_found_as_often_as_stated():
    """Though one area is measured less well.

    Of 60 tables 12 or more at 5 % have probability below 1e-4.
    """
    assert np.all(np.sum(pvalues(60) <= 0.05, axis=0) < 12)


def test_many_small_levels_of_nothing_are_not_found_more_often():
    """Twelve levels of five neurons; 12 or more of 60 tables at 5 % have probability below 1e-4."""
    found = np.zeros(2)
    for i in range(60):
        rng = np.random.default_rng([7, i])
        tests = run(draws_of(rng.standard_normal(60), np.full(60, 0.3), rng), np.arange(60) % 12)
        found += [test.pvalue <= 0.05 for test in tests]
    assert np.all(found < 12)


def test_a_difference_between_areas_is_found():
    """By the means in more than half of 20 tables of 40 neurons, and only by them."""
    found = np.mean(pvalues(20, shift=1.5) <= 0.05, axis=0)
    assert found[0] > 0.5 > found[1]


def test_areas_of_unlike_spread_are_found():
    """By the spreads, though the wider area has the smaller errors."""
    found = np.mean(pvalues(20, ratio=3.0) <= 0.05, axis=0)
    assert found[1] > 0.5 > found[0]


def test_areas_that_are_groups_are_not_compared():
    """Within groups there is one level each: nothing to test."""
    draws = draws_of(1.0 * AREA, np.full(40, 0.3), np.random.default_rng(2))
    assert run(draws, AREA, AREA.astype(np.int64)) == ()


def test_between_groups_nothing_is_compared():
    """Two groups far apart, with a label of two thirds of one and a third of the other."""
    rng = np.random.default_rng(3)
    group = AREA.astype(np.int64)
    label = np.arange(40) % 3 % 2
    far = draws_of(rng.standard_normal(40), np.full(40, 0.3), rng)
    moved = NeuronDraws(PARTIAL, far.theta + 20.0 * group, None)
    one, other = run(far, label, group), run(moved, label, group)
    assert [t.pvalue for t in one] == [t.pvalue for t in other]
    assert one[0].between == pytest.approx(other[0].between)


def test_sd_between_levels_is_that_simulated():
    """Well measured neurons of 50 levels two sds apart: within 5 standard errors of 0.2."""
    rng = np.random.default_rng(4)
    label = np.repeat(np.arange(50), 20)
    truth = 2 * rng.standard_normal(50)[label] + rng.standard_normal(1000)
    found = run(draws_of(truth / np.sqrt(5), np.full(1000, 0.05), rng), label)[0]
    assert (found.levels, found.neurons) == (50, 1000)
    # the sd between neurons includes that between levels: 2/√5 of it, known to 10 %
    assert found.between == pytest.approx(2 / np.sqrt(5), abs=0.2)


def scores_of(z, level, group=None, weight=None):
    """Return scores as the statistics take them."""
    ones = np.ones(len(z))
    group = np.zeros(len(z), dtype=np.int64) if group is None else group
    return exchangeability._Scores(z, ones if weight is None else weight, level, group)


def test_statistic_of_means_is_the_sum_of_squares_between_levels():
    """Of neurons known exactly: that of the analysis of variance, group by group."""
    rng = np.random.default_rng(8)
    level, group = np.repeat(np.arange(4), [5, 7, 4, 9]), np.repeat([0, 0, 1, 1], [5, 7, 4, 9])
    z = rng.standard_normal(25) + 3.0 * group + 1.0
    wanted = 0.0
    for of in (0, 1):
        mean = z[group == of].mean()
        for one in np.unique(level[group == of]):
            wanted += np.sum(level == one) * (z[level == one].mean() - mean) ** 2
    scores = scores_of(z, level, group)
    assert exchangeability._means(scores, z) == pytest.approx(wanted)
    sizes = np.array([5.0, 7.0, 4.0, 9.0])
    free = 12 - np.sum(sizes[:2] ** 2) / 12 + 13 - np.sum(sizes[2:] ** 2) / 13
    assert exchangeability._between(scores) == pytest.approx(np.sqrt((wanted - 2) / free))


def test_scores_have_variance_one_with_any_number_of_trials():
    """(m − mean m) / (τ √ω), from means and variances of the draws."""
    rng = np.random.default_rng(9)
    error = np.where(AREA, 1.5, 0.1)
    draws = draws_of(rng.standard_normal(40), error, rng).flat_theta
    column = NeuronColumn("area", tuple(map(str, AREA)))
    scores = exchangeability._scores(draws, np.zeros(40, dtype=np.int64), column)
    deviation, variance = draws.mean(axis=0) - draws.mean(), draws.var(axis=0, ddof=1)
    whole = np.mean(deviation**2 + variance)
    np.testing.assert_allclose(scores.weight, 1 - variance / whole)
    np.testing.assert_allclose(scores.z, deviation / np.sqrt(whole - variance))


def test_permutations_stay_within_groups():
    """Every group keeps its own values, in other orders."""
    group = np.arange(40) % 2
    scores = scores_of(np.arange(40.0), np.arange(40) % 4, group)
    seen = []

    def statistic(_, z):
        seen.extend(np.atleast_2d(z).copy())
        return np.zeros(z.shape[:-1])

    exchangeability._pvalue(scores, statistic, scores.z, np.random.default_rng(10))
    for z in seen:
        for of in (0, 1):
            np.testing.assert_array_equal(np.sort(z[group == of]), scores.z[group == of])
    assert len({tuple(z) for z in seen}) == len(seen)


@pytest.mark.parametrize(
    "label", [np.zeros(40, int), np.arange(40), np.minimum(np.arange(40), 3)], ids=str
)
def test_columns_that_are_no_labels(label):
    """One level, one for each neuron, or a single large one: not tested."""
    draws = draws_of(np.zeros(40), np.full(40, 0.3), np.random.default_rng(5))
    assert run(draws, label) == ()


def test_other_poolings_have_no_population():
    """Nothing is tested of neurons that are each alone."""
    spec = ModelSpec("poisson", "none", None)
    draws = draws_of(np.zeros(40), np.full(40, 0.3), np.random.default_rng(6), spec)
    assert run(draws, AREA) == ()


def test_warning_names_what_differs_and_the_option():
    """One line per label, with the groups there are; p-values adjusted."""
    tests = (
        ExchangeabilityTest("area", "log_rate_mean", 2, 40, 0.9, 0.001, 0.004),
        ExchangeabilityTest("area", "log_rate_spread", 2, 40, np.nan, 0.2, 0.2),
        ExchangeabilityTest("area", "log_dispersion_mean", 2, 40, 0.9, 0.01, 0.03),
    )
    (notice,) = exchangeability_notices(tests, ("animal",))
    assert notice.message == (
        "'area' is not modelled, but its 2 levels differ in typical rates (p 0.004) and typical "
        "dispersions (p 0.03): one population may mislead. --group animal,area gives each level "
        "its own"
    )

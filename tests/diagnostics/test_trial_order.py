"""Which trials of a neuron follow one another, and when their order says nothing."""

import numpy as np
import pytest

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.text_table import as_labels, column_of_texts
from spikepool.diagnostics.trial_order import (
    BLOCKED,
    NO_ORDER,
    REPEATED,
    order_trials,
    trial_times,
)


def trial_labels(texts):
    """Label rows as they are read."""
    return as_labels(column_of_texts("trial", texts, np.arange(len(texts))))


def table(neuron, trial, condition=None):
    """Build a table of plain numbers, one count each."""
    rows = len(neuron)
    codes = np.asarray(neuron, dtype=np.int64)
    return SpikeCounts(
        neuron=Labels("neuron", tuple(f"n{i}" for i in range(codes.max() + 1)), codes),
        count=np.arange(rows, dtype=np.int64),
        exposure=np.ones(rows),
        exposure_known=False,
        trial=None if trial is None else trial_labels([str(each) for each in trial]),
        condition=None
        if condition is None
        else as_labels(column_of_texts("condition", list(condition), np.arange(rows))),
    )


@pytest.mark.parametrize(
    ("texts", "times"),
    [
        (["10", "9", "2.5"], [10, 9, 2.5]),
        (["trial_10", "trial_9"], [10, 9]),
        (["01", "1"], [1, 1]),
        (["1e3", "-2"], [1000, -2]),
    ],
)
def test_numbers_and_numbered_words_are_times(texts, times):
    """They are ordered by value, however they are written."""
    np.testing.assert_array_equal(trial_times(trial_labels(texts)), times)


@pytest.mark.parametrize(
    "texts", [["a", "b"], ["s1_t1", "s2_t1"], ["1", "2b"], ["first", "2"], ["1", "1e999"]]
)
def test_other_labels_have_no_order(texts):
    """Words, or numbers of several things, are not guessed at."""
    assert trial_times(trial_labels(texts)) is None


def test_no_column_no_order():
    """The order of the rows is not taken for that of the trials."""
    assert order_trials(table([0, 0, 1], None)).obstacle.tolist() == [NO_ORDER, NO_ORDER]


def test_trials_are_sorted_by_number_within_neuron_and_condition():
    """Trial 9 comes before trial 10; neurons and conditions stay together."""
    order = order_trials(table([0, 1, 0, 0, 1], [10, 3, 9, 11, 2], "abaaa"))
    assert order.rows.tolist() == [2, 0, 3, 4, 1]
    assert order.stratum.tolist() == [0, 0, 0, 1, 2]
    assert order.rows[order.in_time].tolist() == [2, 0, 3, 4, 1]
    assert order.place.tolist() == [0, 1, 2, 0, 1]


def test_one_number_in_two_conditions_is_one_place():
    """Repeats may be counted anew in every condition."""
    order = order_trials(table([0] * 6, [1, 2, 3, 1, 2, 3], "aaabbb"))
    assert order.obstacle.tolist() == [""]
    assert order.place.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("trial", "condition", "obstacle"),
    [
        ([1, 2, 3, 4], "aabb", BLOCKED),
        ([3, 4, 1, 2], "aabb", BLOCKED),
        ([1, 3, 2, 4], "aabb", ""),
        ([1, 2, 3, 4], "abba", ""),
        ([1, 2, 3, 4], "aaaa", ""),
        ([1, 2, 3, 3], "abab", ""),
        ([1, 2, 3, 3], "abaa", REPEATED),
    ],
)
def test_obstacles(trial, condition, obstacle):
    """Conditions in one block each, and numbers that repeat within one, say nothing of drift."""
    assert order_trials(table([0] * 4, trial, condition)).obstacle.tolist() == [obstacle]


def test_obstacles_are_those_of_each_neuron():
    """One neuron's blocks do not concern another."""
    neuron, trial = [0] * 4 + [1] * 4, [1, 2, 3, 4] * 2
    order = order_trials(table(neuron, trial, "aabbabab"))
    assert order.obstacle.tolist() == [BLOCKED, ""]

"""The sufficient statistics of a tally, against sums over the rows."""

import numpy as np
import pytest
from scipy.special import gammaln

from spikepool.models.statistics import LARGE_COUNT, STIRLING_SHIFT, count_statistics


@pytest.fixture
def small(build_tally):
    """Three neurons: two exposures, a silent one, one with a count above the large limit."""
    return build_tally(
        [[3, 0, 1, 3], [0, 0], [LARGE_COUNT + 1, LARGE_COUNT, 2]],
        [[1.0, 2.0, 1.0, 1.0], [0.5, 0.5], [1.0, 1.0, 4.0]],
    )


def test_sums_of_each_neuron(small):
    """Spikes, trials, exposure and the constant of each neuron are sums over its rows."""
    s = count_statistics(small)
    assert s.spikes.tolist() == [7, 0, 2 * LARGE_COUNT + 3]
    assert s.trials.tolist() == [4, 2, 3]
    assert s.exposure.tolist() == [5, 1, 6]
    busy = 2 * np.log(4) - gammaln([LARGE_COUNT + 2, LARGE_COUNT + 1, 3]).sum()
    assert s.constant == pytest.approx([-2 * gammaln(4), 0, busy], rel=1e-14)


def test_cells_are_neurons_at_one_exposure(small):
    """Trials and spikes of every neuron × exposure."""
    s = count_statistics(small)
    cells = zip(s.cell_neuron, s.cell_exposure, s.cell_trials, s.cell_spikes, strict=True)
    assert list(cells) == [
        (0, 1.0, 3, 7),
        (0, 2.0, 1, 0),
        (1, 0.5, 2, 0),
        (2, 1.0, 2, 2 * LARGE_COUNT + 1),
        (2, 4.0, 1, 2),
    ]


@pytest.mark.parametrize("unit", ["neuron", "cell"])
def test_tails_count_the_trials_above_k(small, unit):
    """c_k is the number of the unit's trials with more than k spikes, for 1 <= k < largest count.

    A count above the limit enters below k = 8 only.
    """
    s = count_statistics(small, unit)
    cell = [0, 1, 0, 0, 2, 2, 3, 3, 4]
    neuron = [0, 0, 0, 0, 1, 1, 2, 2, 2]
    count = [3, 0, 1, 3, 0, 0, LARGE_COUNT + 1, LARGE_COUNT, 2]
    unit_of = neuron if unit == "neuron" else cell
    wanted = {}
    for u, y in zip(unit_of, count, strict=True):
        for k in range(1, y if y <= LARGE_COUNT else STIRLING_SHIFT):
            wanted[u, k] = wanted.get((u, k), 0) + 1
    keys = zip(s.tail_unit.tolist(), s.tail_k.astype(int).tolist(), strict=True)
    assert dict(zip(keys, s.tail_trials.tolist(), strict=True)) == wanted
    owner = np.array([0, 1, 2]) if unit == "neuron" else s.cell_neuron
    assert s.tail_neuron.tolist() == owner[s.tail_unit].tolist()
    assert (np.diff(s.tail_unit) >= 0).all()


@pytest.mark.parametrize(("unit", "index"), [("neuron", 2), ("cell", 3)])
def test_large_counts_stand_alone(small, unit, index):
    """Counts above the limit are listed with their unit, neuron and trials; the limit is not."""
    s = count_statistics(small, unit)
    assert s.large_unit.tolist() == [index]
    assert s.large_neuron.tolist() == [2]
    assert s.large_count.tolist() == [LARGE_COUNT + 1]
    assert s.large_trials.tolist() == [1]


def test_conditions_are_merged(build_tally):
    """Without a model of conditions, a neuron's trials are one sample whatever their label."""
    rows = [[2, 5, 2, 0], [1, 1]]
    plain = count_statistics(build_tally(rows))
    labelled = count_statistics(build_tally(rows, condition=[[0, 1, 1, 0], [1, 0]]))
    for name in vars(plain):
        np.testing.assert_array_equal(getattr(plain, name), getattr(labelled, name))


def test_a_table_without_spikes_has_no_tails(build_tally):
    """Zeros leave nothing to sum but the trials."""
    s = count_statistics(build_tally([[0, 0], [0]]), "cell")
    assert s.tail_k.size == s.large_count.size == 0
    assert s.cell_trials.tolist() == [2, 1]

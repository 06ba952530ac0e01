"""Taking a table apart into groups, and putting what was found together again."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import NeuronDraws
from spikepool.posterior.groups import (
    in_step,
    merge_draws,
    merge_estimates,
    merge_left_out,
    parts_of,
)
from spikepool.posterior.quadrature import LeaveOut
from spikepool.posterior.results import DispersionEstimates, NeuronEstimates, Summary

PARTIAL = ModelSpec("nb2", "partial", "partial")
COUNTS = [[3, 5, 3], [0, 0], [1, 0, 1, 0], [9, 2], [7], [4, 4]]
GROUP = np.array([1, 0, 1, 2, 0, 1])


@pytest.fixture
def tally(make_tally):
    """Return six neurons in three groups that take turns."""
    return replace(make_tally(COUNTS), group=GROUP, groups=("a", "b", "c"))


def test_parts_hold_every_neuron_and_cell_once(tally):
    """Each with the counts of its own neurons."""
    parts = parts_of(PARTIAL, tally)
    assert [part.name for part in parts] == ["a", "b", "c"]
    assert [part.neurons.tolist() for part in parts] == [[1, 4], [0, 2, 5], [3]]
    assert sorted(np.concatenate([part.cells for part in parts])) == list(range(len(tally.count)))
    for part in parts:
        assert part.tally.neurons == tuple(tally.neurons[i] for i in part.neurons)
        assert part.tally.spike_count.tolist() == tally.spike_count[part.neurons].tolist()
        assert part.tally.count.tolist() == tally.count[part.cells].tolist()
        assert part.tally.groups == (part.name,)


@pytest.mark.parametrize("dispersion", [None, "none"])
def test_without_pooling_a_table_stays_whole(tally, dispersion):
    """Nothing is shared, so that groups make no difference."""
    spec = ModelSpec("poisson" if dispersion is None else "nb2", "none", dispersion)
    (part,) = parts_of(spec, tally)
    assert part.whole
    assert part.tally is tally


def test_pooled_dispersions_alone_take_it_apart(tally):
    """The population of dispersions is each group's own."""
    assert len(parts_of(ModelSpec("nb2", "none", "partial"), tally)) == 3


def test_one_group_is_the_whole_table(tally):
    """Whatever it is called."""
    (part,) = parts_of(PARTIAL, replace(tally, group=np.zeros(6, dtype=int), groups=("V1",)))
    assert (part.name, part.whole) == ("all", True)


def estimates_of(tally):
    """Return estimates in which every number tells its neuron and its place."""
    own = tally.spike_count + 0.0
    numbers = iter(range(99))

    def summary():
        return Summary(*(own + 1000 * next(numbers) for _ in range(5)))

    dispersion = DispersionEstimates(
        summary(), summary(), own, summary(), tuple(f"of {name}" for name in tally.neurons)
    )
    return NeuronEstimates(
        PARTIAL, tally.neurons, tally.rate_unit, tally.n_trials, tally.total_exposure,
        tally.spike_count, own, summary(), summary(), 0.1 * own, summary(), 0.2 * own, 0.3 * own,
        dispersion,
    )  # fmt: skip


def test_merged_estimates_are_those_of_the_whole_table(tally):
    """Every field of every neuron is back in the table's order."""
    parts = parts_of(PARTIAL, tally)
    whole = estimates_of(tally)
    merged = merge_estimates(parts, [estimates_of(part.tally) for part in parts])
    assert merged.neurons == whole.neurons
    assert merged.dispersion.source == whole.dispersion.source
    for name in ("n_trials", "exposure", "spike_count", "rate_raw", "log_rate_mcse",
                 "realised_weight", "mse_ratio"):  # fmt: skip
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))
    for name in ("rate", "log_rate", "own_weight"):
        for end, values in vars(getattr(whole, name)).items():
            np.testing.assert_array_equal(getattr(getattr(merged, name), end), values)
    for name in ("gain_sd", "fano", "log_dispersion"):
        for end, values in vars(getattr(whole.dispersion, name)).items():
            found = getattr(getattr(merged.dispersion, name), end)
            np.testing.assert_array_equal(found, values)


def test_merged_draws_are_in_the_order_of_the_table(tally):
    """Thinned evenly to the fewest draws of any group."""
    parts = parts_of(PARTIAL, tally)
    draws = []
    for part, length in zip(parts, (4, 8, 4), strict=True):
        step = np.arange(length) * 4 / length
        theta = part.neurons + 0.0 * step[:, np.newaxis] + 10 * step[:, np.newaxis]
        draws.append(NeuronDraws(PARTIAL, theta[np.newaxis], -theta[np.newaxis]))
    merged = merge_draws(parts, draws)
    wanted = np.arange(6) + 10.0 * np.arange(4)[:, np.newaxis]
    np.testing.assert_array_equal(merged.theta, wanted[np.newaxis])
    np.testing.assert_array_equal(merged.delta, -wanted[np.newaxis])


def test_equal_draws_are_left_as_they_are():
    """Nothing is copied or thinned."""
    draws = [np.zeros((2, 5)), np.ones((2, 5))]
    assert all(a is b for a, b in zip(in_step(draws), draws, strict=True))


def test_merged_left_out_densities_keep_their_cells(tally):
    """Cells and neurons in the table's order; the worst k̂, where one is known."""
    parts = parts_of(PARTIAL, tally)
    pareto = (np.nan, 0.4, 0.2)
    found = merge_left_out(
        parts,
        [
            LeaveOut(part.cells + 0.5, part.neurons + 0.25, -part.neurons - 1.0, k, np.nan)
            for part, k in zip(parts, pareto, strict=True)
        ],
    )
    np.testing.assert_array_equal(found.trial, np.arange(len(tally.count)) + 0.5)
    np.testing.assert_array_equal(found.trial_by_neuron, np.arange(6) + 0.25)
    np.testing.assert_array_equal(found.neuron, -np.arange(6) - 1.0)
    assert found.trial_pareto_k == 0.4
    assert np.isnan(found.neuron_pareto_k)

"""The tally: a table of counts reduced, without loss, to unique cells with weights.

Trials of a neuron are exchangeable given its parameters, so every likelihood and every
dispersion statistic of spikepool is a function of the tally alone.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray, Labels, RateUnit, SpikeCounts


@dataclass(frozen=True)
class Tally:
    """Unique (neuron, condition, exposure, count) with the number of trials of each.

    Cells are sorted by neuron, condition, exposure and count, so that floating-point sums do
    not depend on the order of the rows read.

    Attributes
    ----------
    neurons : tuple of str, length N
    neuron, condition : ndarray of int64, shape (cells,)
        Index into `neurons` and into `conditions`.
    exposure : ndarray of float64, shape (cells,)
        Seconds, or 1 where none was given.
    count : ndarray of int64, shape (cells,)
    weight : ndarray of int64, shape (cells,)
        Number of trials in the cell.
    group : ndarray of int64, shape (N,)
        Index into `groups`, per neuron.
    conditions, groups : tuple of str
        ``("all",)`` where the table has none.
    rate_unit : str
        ``spikes/s`` or ``spikes/trial``.
    within : ndarray of int64, shape (N,), or None
        Index into `within_labels`, per neuron; None where the table has no labels within groups.
    within_labels : tuple of str
    in_blocks : bool
        Whether the conditions are blocks of trials, between which rates drift.
    """

    neurons: tuple[str, ...]
    neuron: IntArray
    condition: IntArray
    exposure: FloatArray
    count: IntArray
    weight: IntArray
    group: IntArray
    conditions: tuple[str, ...]
    groups: tuple[str, ...]
    rate_unit: RateUnit
    within: IntArray | None = None
    within_labels: tuple[str, ...] = ()
    in_blocks: bool = False

    @property
    def response_kind(self) -> Literal["condition", "block"]:
        """What the conditions are."""
        return "block" if self.in_blocks else "condition"

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return len(self.neurons)

    def per_neuron(self, values: FloatArray | IntArray) -> FloatArray:
        """Sum `values` (one per cell) within each neuron; shape (N,)."""
        return np.bincount(self.neuron, weights=values, minlength=self.n_neurons)

    @property
    def n_trials(self) -> IntArray:
        """Trials of each neuron; shape (N,)."""
        return self.per_neuron(self.weight).astype(np.int64)

    @property
    def spike_count(self) -> IntArray:
        """Spikes of each neuron over all its trials; exact; shape (N,)."""
        totals = np.zeros(self.n_neurons, dtype=np.int64)
        np.add.at(totals, self.neuron, self.count * self.weight)
        return totals

    @property
    def total_exposure(self) -> FloatArray:
        """Exposure of each neuron over all its trials; shape (N,)."""
        return self.per_neuron(self.exposure * self.weight)

    @property
    def mean_exposure(self) -> FloatArray:
        """Mean exposure of each neuron's trials; shape (N,)."""
        return self.total_exposure / self.n_trials

    def of_neurons(self, chosen: slice) -> "Tally":
        """Return the tally of a run of neurons."""
        start, stop, _ = chosen.indices(self.n_neurons)
        first, last = np.searchsorted(self.neuron, [start, stop])
        cells = slice(int(first), int(last))
        return replace(
            self,
            neurons=self.neurons[start:stop],
            neuron=self.neuron[cells] - start,
            condition=self.condition[cells],
            exposure=self.exposure[cells],
            count=self.count[cells],
            weight=self.weight[cells],
            group=self.group[start:stop],
            within=None if self.within is None else self.within[start:stop],
        )

    @property
    def responses(self) -> "Responses":
        """What was recorded of every neuron in every condition that it was presented with."""
        starts = _run_starts(self.neuron, self.condition)
        of_cell = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(self.count))))
        return Responses(self.neuron[starts], self.condition[starts], of_cell.astype(np.int64))

    @property
    def response_labels(self) -> tuple[tuple[str, str], ...]:
        """Neuron and condition of every response."""
        responses = self.responses
        pairs = zip(responses.neuron.tolist(), responses.condition.tolist(), strict=True)
        return tuple((self.neurons[i], self.conditions[c]) for i, c in pairs)

    @property
    def response_names(self) -> list[str]:
        """Neuron and condition of every response, as ``n1/90``."""
        return [f"{neuron}/{condition}" for neuron, condition in self.response_labels]

    def by_response(self) -> "Tally":
        """Return the same cells with every response in the place of a neuron."""
        responses = self.responses
        return replace(
            self,
            neurons=tuple(map(str, range(responses.size))),
            neuron=responses.of_cell,
            group=np.zeros(responses.size, dtype=np.int64),
            within=None,
        )

    def single_trials(self, cells: IntArray) -> "Tally":
        """Return a tally whose neurons are the given cells, with one trial each."""
        every = np.arange(len(cells))
        return replace(
            self,
            neurons=tuple(map(str, every)),
            neuron=every,
            condition=np.zeros_like(every),
            exposure=self.exposure[cells],
            count=self.count[cells],
            weight=np.ones_like(every),
            group=np.zeros_like(every),
            within=None,
        )

    def with_trials(self, weight: IntArray) -> "Tally":
        """Return the tally with other numbers of trials in its cells, without cells of none."""
        some = weight > 0
        return replace(
            self,
            neuron=self.neuron[some],
            condition=self.condition[some],
            exposure=self.exposure[some],
            count=self.count[some],
            weight=weight[some].astype(np.int64),
        )

    def without_trial(self, cell: int) -> "Tally":
        """Return the same tally less one trial of a cell."""
        return self.with_trials(self.weight - (np.arange(len(self.weight)) == cell))

    def trial_by_trial(self) -> "Tally":
        """Return the same tally with a cell for every trial, all weights 1."""
        repeat = self.weight
        return replace(
            self,
            neuron=np.repeat(self.neuron, repeat),
            condition=np.repeat(self.condition, repeat),
            exposure=np.repeat(self.exposure, repeat),
            count=np.repeat(self.count, repeat),
            weight=np.ones(int(repeat.sum()), dtype=np.int64),
        )

    def of_group(self, group: int) -> "Tally":
        """Return the tally of the neurons of one group, in the same order."""
        members = np.flatnonzero(self.group == group).astype(np.int64)
        return replace(self.of_members(members), groups=(self.groups[group],))

    def of_members(self, members: IntArray) -> "Tally":
        """Return the tally of some neurons of one group, given by their places, ascending."""
        cells = self.cells_of_members(members)
        return replace(
            self,
            neurons=tuple(self.neurons[i] for i in members),
            neuron=np.searchsorted(members, self.neuron[cells]).astype(np.int64),
            condition=self.condition[cells],
            exposure=self.exposure[cells],
            count=self.count[cells],
            weight=self.weight[cells],
            group=np.zeros(len(members), dtype=np.int64),
            within=None if self.within is None else self.within[members],
        )

    def cells_of_group(self, group: int) -> IntArray:
        """Index of every cell of the neurons of one group, in ascending order."""
        return self.cells_of_members(np.flatnonzero(self.group == group).astype(np.int64))

    def cells_of_members(self, members: IntArray) -> IntArray:
        """Index of every cell of some neurons, in ascending order."""
        return np.flatnonzero(np.isin(self.neuron, members)).astype(np.int64)

    @property
    def pairs(self) -> "Pairs":
        """Every group × label within it that some neuron has.

        Raises
        ------
        ValueError
            If the table has no labels within groups.
        """
        if self.within is None:
            raise ValueError("the tally has no labels within groups")
        key, of_neuron = np.unique(
            self.group * len(self.within_labels) + self.within, return_inverse=True
        )
        group, label = np.divmod(key, len(self.within_labels))
        return Pairs(group, label, of_neuron.astype(np.int64))


@dataclass(frozen=True)
class Pairs:
    """Every group × label within it of a tally, sorted by group, then by label.

    Attributes
    ----------
    group, label : ndarray of int64, shape (P,)
        Index into the tally's `groups` and `within_labels`.
    of_neuron : ndarray of int64, shape (N,)
        The pair that each neuron belongs to.
    """

    group: IntArray
    label: IntArray
    of_neuron: IntArray

    @property
    def are_crossed(self) -> bool:
        """Whether any label stands in several groups."""
        return len(np.unique(self.label)) < len(self.label)


@dataclass(frozen=True)
class Responses:
    """Every neuron × condition of a tally, sorted by neuron, then by condition.

    Attributes
    ----------
    neuron, condition : ndarray of int64, shape (R,)
        Index into the tally's `neurons` and `conditions`.
    of_cell : ndarray of int64, shape (cells,)
        The response that each cell of the tally belongs to.
    """

    neuron: IntArray
    condition: IntArray
    of_cell: IntArray

    @property
    def size(self) -> int:
        """Number of responses."""
        return len(self.neuron)


def tally_counts(counts: SpikeCounts) -> Tally:
    """Reduce a table to its tally.

    Parameters
    ----------
    counts : SpikeCounts

    Returns
    -------
    Tally
    """
    rows = len(counts.count)
    responses = counts.responses
    condition = responses.codes if responses else np.zeros(rows, dtype=np.int64)
    order = np.lexsort((counts.count, counts.exposure, condition, counts.neuron.codes))
    neuron, condition = counts.neuron.codes[order], condition[order]
    exposure, count = counts.exposure[order], counts.count[order]
    starts = _run_starts(neuron, condition, exposure, count)
    weight = np.diff(np.append(starts, rows))
    within = counts.within
    return Tally(
        neurons=counts.neuron.values,
        neuron=neuron[starts],
        condition=condition[starts],
        exposure=exposure[starts],
        count=count[starts],
        weight=weight.astype(np.int64),
        group=_of_neurons(counts, counts.group),
        conditions=responses.values if responses else ("all",),
        groups=counts.group.values if counts.group else ("all",),
        rate_unit=counts.rate_unit,
        within=None if within is None else _of_neurons(counts, within),
        within_labels=() if within is None else within.values,
        in_blocks=counts.blocks is not None,
    )


def _run_starts(*keys: IntArray | FloatArray) -> IntArray:
    """Return the index of the first row of every run of equal, sorted keys."""
    changes = np.zeros(len(keys[0]), dtype=bool)
    changes[:1] = True
    for key in keys:
        changes[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changes).astype(np.int64)


def _of_neurons(counts: SpikeCounts, labels: Labels | None) -> IntArray:
    """Code of every neuron's label; 0 without labels; shape (N,)."""
    of_neurons = np.zeros(len(counts.neuron.values), dtype=np.int64)
    if labels is not None:
        of_neurons[counts.neuron.codes] = labels.codes
    return of_neurons

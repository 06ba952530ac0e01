"""The nodes of the lattices: global ladders of steps, on which neurons share their nodes."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray

type BoolArray = NDArray[np.bool_]

LADDER = 2.0**-0.5
"""Ratio of neighbouring steps."""


@dataclass(frozen=True)
class Axis:
    """One direction of every neuron's lattice.

    Attributes
    ----------
    step_class : ndarray of int64, shape (N,)
        Rung of the ladder: the step is ``largest_step`` × `LADDER` ** class.
    start, length : ndarray of int64, shape (N,)
        Global index of the first node, and the number of nodes.
    largest_step : float
    """

    step_class: IntArray
    start: IntArray
    length: IntArray
    largest_step: float

    @property
    def step(self) -> FloatArray:
        """Step of each neuron; shape (N,)."""
        return np.asarray(self.largest_step * LADDER**self.step_class, dtype=np.float64)

    def nodes(self, neurons: IntArray, length: int) -> FloatArray:
        """Nodes of neurons that have the same number of them; shape (length, neurons)."""
        index = self.start[neurons] + np.arange(length)[:, np.newaxis]
        return np.asarray(index * self.step[neurons])

    def with_neurons(self, neurons: IntArray, part: "Axis") -> "Axis":
        """Return the axis with that of some neurons replaced."""
        return Axis(
            _put(self.step_class, neurons, part.step_class),
            _put(self.start, neurons, part.start),
            _put(self.length, neurons, part.length),
            self.largest_step,
        )

    def take(self, neurons: slice | IntArray | BoolArray) -> "Axis":
        """Return the axis of some neurons."""
        return Axis(
            self.step_class[neurons], self.start[neurons], self.length[neurons], self.largest_step
        )

    def finer(self, which: BoolArray) -> "Axis":
        """Take the next finer step for some neurons, over the same window."""
        start = np.floor(self.start / LADDER).astype(np.int64)
        length = _rounded_up(np.ceil(self.length / LADDER).astype(np.int64) + 1)
        return Axis(
            np.where(which, self.step_class + 1, self.step_class),
            np.where(which, start, self.start),
            np.where(which, length, self.length),
            self.largest_step,
        )

    def wider(self, below: BoolArray, above: BoolArray) -> "Axis":
        """Add half the nodes again at either end, where some neurons need it."""
        more = (self.length // 2 + 3) // 4 * 4
        return Axis(
            self.step_class,
            np.where(below, self.start - more, self.start),
            self.length + more * (below.astype(np.int64) + above),
            self.largest_step,
        )


def make_axis(lower: FloatArray, upper: FloatArray, step: FloatArray, largest: float) -> Axis:
    """Put windows on the global ladder, lengths rounded up so that few differ."""
    rung = np.ceil(np.log(step / largest) / np.log(LADDER) - 1e-9)
    step_class = np.maximum(rung, 0).astype(np.int64)
    rounded_step = largest * LADDER**step_class
    first = np.floor(lower / rounded_step).astype(np.int64)
    length = np.ceil(upper / rounded_step).astype(np.int64) - first + 1
    rounded = _rounded_up(length)
    return Axis(step_class, first - (rounded - length) // 2, rounded, largest)


def join_axes(axes: list[Axis]) -> Axis:
    """Put the axes of several runs of neurons one after the other."""
    return Axis(
        np.concatenate([axis.step_class for axis in axes]),
        np.concatenate([axis.start for axis in axes]),
        np.concatenate([axis.length for axis in axes]),
        axes[0].largest_step,
    )


def _rounded_up(length: IntArray) -> IntArray:
    """Round up to a multiple of 4, of 8 above 32, of 16 above 64, ..., and to at least 12."""
    unit = 4 * 2.0 ** np.maximum(0, np.ceil(np.log2(length / 32.0)))
    return np.maximum(12, np.ceil(length / unit) * unit).astype(np.int64)


def _put(values: IntArray, where: IntArray, new: IntArray) -> IntArray:
    result = values.copy()
    result[where] = new
    return result


@dataclass(frozen=True)
class Ladder:
    """The global nodes that any neuron uses along one axis, class by class.

    Attributes
    ----------
    classes : ndarray of int64, shape (C,)
        Step classes in use.
    nodes : ndarray, shape (G,)
        Nodes of all classes, one class after the other.
    node_class : ndarray of int64, shape (G,)
        Index into `classes`.
    step : ndarray, shape (C,)
    neuron_class : ndarray of int64, shape (N,)
        Index into `classes`, per neuron.
    place : ndarray of int64, shape (N,)
        Index into `nodes` of each neuron's first node.
    """

    classes: IntArray
    nodes: FloatArray
    node_class: IntArray
    step: FloatArray
    neuron_class: IntArray
    place: IntArray

    def of_neurons(self, chosen: IntArray) -> "Ladder":
        """Return the same nodes for some of the neurons."""
        return replace(self, neuron_class=self.neuron_class[chosen], place=self.place[chosen])


def make_ladder(axis: Axis) -> Ladder:
    """Collect the nodes that any neuron uses."""
    classes, neuron_class = np.unique(axis.step_class, return_inverse=True)
    count = len(classes)
    first = np.full(count, np.iinfo(np.int64).max)
    last = np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(first, neuron_class, axis.start)
    np.maximum.at(last, neuron_class, axis.start + axis.length)
    size = last - first
    begin = np.concatenate([[0], np.cumsum(size)])
    node_class = np.repeat(np.arange(count), size)
    step = np.asarray(axis.largest_step * LADDER**classes, dtype=np.float64)
    index = np.arange(begin[-1]) - begin[node_class] + first[node_class]
    place = begin[neuron_class] + axis.start - first[neuron_class]
    return Ladder(classes, index * step[node_class], node_class, step, neuron_class, place)

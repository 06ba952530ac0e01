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

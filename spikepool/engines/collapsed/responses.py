"""Sufficient statistics of neurons that were recorded in several conditions."""

from dataclasses import dataclass

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.models.families import CountFamily
from spikepool.models.statistics import CountStatistics


@dataclass(frozen=True)
class ResponseStatistics:
    """Statistics of R responses, neuron × condition, of N neurons.

    Attributes
    ----------
    each : CountStatistics
        Of the responses, each in the place of a neuron.
    neuron : ndarray of int64, shape (R,)
        The neuron of each response, ascending.
    n_neurons : int
    """

    each: CountStatistics
    neuron: IntArray
    n_neurons: int

    @property
    def spikes(self) -> FloatArray:
        """Spikes of each neuron; shape (N,)."""
        return self.sum(self.each.spikes)

    @property
    def first(self) -> IntArray:
        """First response of each neuron, and one past the last of all; shape (N + 1,)."""
        return np.searchsorted(self.neuron, np.arange(self.n_neurons + 1)).astype(np.int64)

    def sum(self, values: FloatArray) -> FloatArray:
        """Sum the last axis over the responses of each neuron; shape (..., N)."""
        return np.add.reduceat(values, self.first[:-1], axis=-1)

    def of_neurons(self, neurons: IntArray) -> "ResponseStatistics":
        """Return the statistics of some neurons, given in ascending order."""
        place = np.full(self.n_neurons, -1)
        place[neurons] = np.arange(len(neurons))
        chosen = np.flatnonzero(place[self.neuron] >= 0)
        return ResponseStatistics(
            self.each.of_neurons(chosen), place[self.neuron[chosen]], len(neurons)
        )


def response_statistics(family: CountFamily, tally: Tally) -> ResponseStatistics:
    """Reduce a tally to the sums that the likelihoods of its responses need."""
    statistics = family.statistics(tally.by_response())
    return ResponseStatistics(statistics, tally.responses.neuron, tally.n_neurons)

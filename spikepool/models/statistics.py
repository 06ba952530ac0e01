"""The sufficient statistics of a tally, in the form the count densities are summed in.

With S the spikes, n the trials, m the mean count, α the dispersion of a unit and c_k its number
of trials with more than k spikes, the log-likelihood of negative-binomial counts is

    Σ_k c_k log1p(α k) + S ln m − (S + n/α) log1p(α m) − Σ ln y!

which has no special function and does not lose digits as α → 0, where it is Poisson's. Counts
above `LARGE_COUNT` would make the sum over k long; for them the sum from k = 8 on is a shifted
Stirling difference (see `log_rising`).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy.special import gammaln

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally

LARGE_COUNT = 512
STIRLING_SHIFT = 8


@dataclass(frozen=True)
class CountStatistics:
    """Sufficient statistics of every neuron's counts, conditions merged.

    A *cell* is a neuron at one exposure. A *unit* has one dispersion: a neuron (NB2), or a
    cell (NB1, whose α = ω/m depends on the mean count).

    Attributes
    ----------
    n_neurons : int
    unit : {'neuron', 'cell'}
    spikes, trials, exposure, constant : ndarray, shape (N,)
        Σy, n, Σe and Σ y ln e − Σ ln y! of each neuron.
    cell_neuron : ndarray of int64, shape (cells,)
    cell_exposure, cell_trials, cell_spikes : ndarray, shape (cells,)
    tail_unit, tail_neuron : ndarray of int64, shape (tails,)
        The unit and the neuron of each tail term, sorted by unit.
    tail_k, tail_trials : ndarray, shape (tails,)
        k and c_k.
    large_unit, large_neuron : ndarray of int64, shape (large,)
    large_count, large_trials : ndarray, shape (large,)
        Counts above `LARGE_COUNT` and the number of trials that have them.
    """

    n_neurons: int
    unit: Literal["neuron", "cell"]
    spikes: FloatArray
    trials: FloatArray
    exposure: FloatArray
    constant: FloatArray
    cell_neuron: IntArray
    cell_exposure: FloatArray
    cell_trials: FloatArray
    cell_spikes: FloatArray
    tail_unit: IntArray
    tail_neuron: IntArray
    tail_k: FloatArray
    tail_trials: FloatArray
    large_unit: IntArray
    large_neuron: IntArray
    large_count: FloatArray
    large_trials: FloatArray

    @cached_property
    def one_cell_each(self) -> bool:
        """Whether every neuron has one exposure."""
        return np.array_equal(self.cell_neuron, np.arange(self.n_neurons))

    def at_cells(self, values: Any) -> Any:
        """Spread values of the neurons over their cells; shapes (..., N) and (..., cells)."""
        return values if self.one_cell_each else values[..., self.cell_neuron]

    def of_neurons(self, neurons: IntArray) -> "CountStatistics":
        """Return the statistics of some neurons, given in ascending order."""
        if len(neurons) == self.n_neurons:
            return self
        place = np.full(self.n_neurons, -1)
        place[neurons] = np.arange(len(neurons))
        cells, tails, large = (
            np.flatnonzero(place[of] >= 0)
            for of in (self.cell_neuron, self.tail_neuron, self.large_neuron)
        )
        unit = place
        if self.unit == "cell":
            unit = np.full(len(self.cell_neuron), -1)
            unit[cells] = np.arange(len(cells))
        return CountStatistics(
            n_neurons=len(neurons),
            unit=self.unit,
            spikes=self.spikes[neurons],
            trials=self.trials[neurons],
            exposure=self.exposure[neurons],
            constant=self.constant[neurons],
            cell_neuron=place[self.cell_neuron[cells]],
            cell_exposure=self.cell_exposure[cells],
            cell_trials=self.cell_trials[cells],
            cell_spikes=self.cell_spikes[cells],
            tail_unit=unit[self.tail_unit[tails]],
            tail_neuron=place[self.tail_neuron[tails]],
            tail_k=self.tail_k[tails],
            tail_trials=self.tail_trials[tails],
            large_unit=unit[self.large_unit[large]],
            large_neuron=place[self.large_neuron[large]],
            large_count=self.large_count[large],
            large_trials=self.large_trials[large],
        )

    def cells_per_neuron(self, neurons: IntArray) -> IntArray:
        """Terms of the likelihood that depend on θ, of some neurons; shape (len(neurons),)."""
        finer = (self.cell_neuron, self.tail_neuron) if self.unit == "cell" else (self.cell_neuron,)
        size = sum(np.bincount(of, minlength=self.n_neurons) for of in finer)
        return np.asarray(size)[neurons]


def count_statistics(tally: Tally, unit: Literal["neuron", "cell"] = "neuron") -> CountStatistics:
    """Reduce a tally to the sums its likelihoods need.

    Parameters
    ----------
    tally : Tally
    unit : {'neuron', 'cell'}
        What shares one dispersion α: the neuron (NB2), or the neuron at one exposure (NB1).

    Returns
    -------
    CountStatistics
    """
    weight = tally.weight.astype(np.float64)
    count = tally.count.astype(np.float64)
    cells, cell_of = np.unique(
        np.stack([tally.neuron.astype(np.float64), tally.exposure]), axis=1, return_inverse=True
    )
    cell_neuron = cells[0].astype(np.int64)
    n_cells = len(cell_neuron)
    unit_of = tally.neuron if unit == "neuron" else cell_of.astype(np.int64)
    unit_neuron = np.arange(tally.n_neurons) if unit == "neuron" else cell_neuron
    tail_unit, tail_k, tail_trials = _tails(unit_of, tally.count, tally.weight, len(unit_neuron))
    large = tally.count > LARGE_COUNT
    return CountStatistics(
        n_neurons=tally.n_neurons,
        unit=unit,
        spikes=tally.spike_count.astype(np.float64),
        trials=tally.per_neuron(tally.weight),
        exposure=tally.total_exposure,
        constant=tally.per_neuron(weight * (count * np.log(tally.exposure) - gammaln(count + 1))),
        cell_neuron=cell_neuron,
        cell_exposure=cells[1],
        cell_trials=np.bincount(cell_of, weights=weight, minlength=n_cells),
        cell_spikes=np.bincount(cell_of, weights=weight * count, minlength=n_cells),
        tail_unit=tail_unit,
        tail_neuron=unit_neuron[tail_unit],
        tail_k=tail_k,
        tail_trials=tail_trials,
        large_unit=unit_of[large],
        large_neuron=tally.neuron[large],
        large_count=count[large],
        large_trials=weight[large],
    )


def _tails(
    unit: IntArray, count: IntArray, weight: IntArray, n_units: int
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return unit, k and c_k for every k >= 1 below the unit's largest count.

    k = 0 is left out, since log1p(0) = 0. A large count enters below `STIRLING_SHIFT` only.
    """
    capped = np.where(count > LARGE_COUNT, STIRLING_SHIFT, count)
    largest = np.zeros(n_units, dtype=np.int64)
    np.maximum.at(largest, unit, capped)
    end = np.cumsum(largest + 1)
    start = end - (largest + 1)
    trials_with = np.bincount(start[unit] + capped, weights=weight, minlength=int(end[-1]))
    from_here = np.append(trials_with[::-1].cumsum()[::-1], 0.0)
    terms = np.maximum(largest - 1, 0)
    tail_unit = np.repeat(np.arange(n_units), terms)
    k = np.arange(len(tail_unit)) - np.repeat(np.cumsum(terms) - terms, terms) + 1
    more_than_k = from_here[start[tail_unit] + k + 1] - from_here[end[tail_unit]]
    return tail_unit, k.astype(np.float64), more_than_k

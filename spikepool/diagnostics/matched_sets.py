"""Sets of counts whose Fano factors can be compared: points, bins of mean counts, and models."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.diagnostics.pearson import tabulate_pearson
from spikepool.models.families import CountFamily, family_of
from spikepool.models.plan import MOST_GROUPS_COMPARED
from spikepool.posterior.draws import NeuronDraws

type Compared = Literal["group", "condition", "baseline"]

STIMULI: Final = "stimuli"
BASELINE: Final = "baseline"
REPLICATES = 2000
"""Of the bootstrap: an end of an interval is off by 0.05 to 0.1 of the standard error (1 sd)."""
_BINS_PER_OCTAVE = 2


@dataclass(frozen=True)
class Recorded:
    """Counts and what the primary model says of them.

    Attributes
    ----------
    tally : Tally
    draws : NeuronDraws
        Of the neurons of `tally`.
    """

    tally: Tally
    draws: NeuronDraws


@dataclass(frozen=True)
class Points:
    """Neuron × condition of stimuli and of baseline; shape (P,) but for the last two.

    Attributes
    ----------
    source : ndarray of int64
        0: stimuli, 1: baseline.
    neuron, condition, bin : ndarray of int64
    freedom, mean, x2 : ndarray of float64
    edges : ndarray of float64, shape (bins + 1,)
    means : ndarray of float64, shape (bins,)
        Mean count of all points in each bin.
    """

    source: IntArray
    neuron: IntArray
    condition: IntArray
    bin: IntArray
    freedom: FloatArray
    mean: FloatArray
    x2: FloatArray
    edges: FloatArray
    means: FloatArray


@dataclass(frozen=True)
class DispersionDraws:
    """Draws of dispersions, one for each replicate.

    Attributes
    ----------
    family : CountFamily
    delta : ndarray of float64, shape (draws, neurons)
    exposure : ndarray of float64, shape (neurons,)
        Mean exposure of each neuron's trials.
    chosen : ndarray of int64, shape (replicates,)
        The draw of each replicate.
    column : ndarray of int64, shape (N,)
        Where `delta` and `exposure` have each neuron of the stimuli.
    """

    family: CountFamily
    delta: FloatArray
    exposure: FloatArray
    chosen: IntArray
    column: IntArray

    def fano(self, mean: float, neuron: IntArray) -> FloatArray:
        """Fano factors of some neurons at a mean count; shape (replicates, neurons)."""
        column = self.column[neuron]
        delta = self.delta[self.chosen[:, np.newaxis], column]
        return self.family.fano_at_mean(mean, delta, self.exposure[column])


@dataclass(frozen=True)
class ComparedSet:
    """Points that are compared with others, by bin and neuron, ascending; shape (cells,).

    Attributes
    ----------
    bin, neuron : ndarray of int64
    points, freedom, mean, x2 : ndarray of float64
        Sums over conditions, of 1, n − 1, (n − 1) m and X².
    model : DispersionDraws or None
    """

    bin: IntArray
    neuron: IntArray
    points: FloatArray
    freedom: FloatArray
    mean: FloatArray
    x2: FloatArray
    model: DispersionDraws | None


def find_points(every: list[Recorded], neurons: tuple[str, ...]) -> Points:
    """Collect the points of stimuli and baseline on one set of bins."""
    place = {name: k for k, name in enumerate(neurons)}
    tables = [tabulate_pearson(each.tally) for each in every]
    source = np.repeat(np.arange(len(every)), [len(table.x2) for table in tables])
    neuron = [
        np.array([place[name] for name in each.tally.neurons], dtype=np.int64)[table.neuron]
        for each, table in zip(every, tables, strict=True)
    ]
    condition = [
        each.tally.condition[table.first_cell] for each, table in zip(every, tables, strict=True)
    ]
    freedom = np.concatenate([table.trials - 1 for table in tables])
    mean = np.concatenate([table.spikes / table.trials for table in tables])
    bins = np.floor(_BINS_PER_OCTAVE * np.log2(mean)).astype(np.int64)
    lowest, size = (int(bins.min()), int(np.ptp(bins)) + 1) if len(bins) else (0, 0)
    bins -= lowest
    total = np.bincount(bins, weights=freedom, minlength=size)
    sums = np.bincount(bins, weights=freedom * mean, minlength=size)
    return Points(
        source=source,
        neuron=np.concatenate(neuron),
        condition=np.concatenate(condition),
        bin=bins,
        freedom=freedom,
        mean=mean,
        x2=np.concatenate([table.x2 for table in tables]),
        edges=2.0 ** ((lowest + np.arange(size + 1)) / _BINS_PER_OCTAVE),
        means=np.divide(sums, total, out=np.ones(size), where=total > 0),
    )


def compared_sets(
    stimuli: Recorded, baseline: Recorded | None, points: Points, rng: np.random.Generator
) -> Iterator[tuple[Compared, dict[str, ComparedSet]]]:
    """Yield what is compared with one another: groups, conditions, baseline and stimuli."""
    tally, presented = stimuli.tally, points.source == 0
    if 1 < len(tally.groups) <= MOST_GROUPS_COMPARED:
        group = tally.group[points.neuron]
        joint = _model(stimuli, tally, rng)
        apart = stimuli.draws.spec.within is None
        yield (
            "group",
            {
                name: _set(
                    points,
                    presented & (group == code),
                    _model(stimuli, tally, rng) if apart else joint,
                )
                for code, name in enumerate(tally.groups)
            },
        )
    if 1 < len(tally.conditions) <= MOST_GROUPS_COMPARED and not tally.in_blocks:
        yield (
            "condition",
            {
                name: _set(points, presented & (points.condition == code), None)
                for code, name in enumerate(tally.conditions)
            },
        )
    if baseline is not None:
        both = {BASELINE: (1, baseline), STIMULI: (0, stimuli)}
        yield (
            "baseline",
            {
                name: _set(points, points.source == code, _model(of, tally, rng))
                for name, (code, of) in both.items()
            },
        )


def _model(of: Recorded, tally: Tally, rng: np.random.Generator) -> DispersionDraws | None:
    """Choose a draw for each replicate, in an order that is no other's."""
    delta = of.draws.flat_delta
    if delta is None:
        return None
    chosen = np.arange(REPLICATES + 1) * len(delta) // (REPLICATES + 1)
    place = {name: k for k, name in enumerate(of.tally.neurons)}
    return DispersionDraws(
        family=family_of(of.draws.spec),
        delta=delta,
        exposure=of.tally.mean_exposure,
        chosen=rng.permutation(chosen),
        column=np.array([place.get(name, -1) for name in tally.neurons]),
    )


def _set(points: Points, chosen: NDArray[np.bool_], model: DispersionDraws | None) -> ComparedSet:
    """Add up the conditions of every neuron in each bin."""
    size = int(points.neuron.max(initial=0)) + 1
    key, cell = np.unique(points.bin[chosen] * size + points.neuron[chosen], return_inverse=True)
    bins, neuron = np.divmod(key, size)

    def total(values: FloatArray) -> FloatArray:
        return np.bincount(cell, weights=values[chosen], minlength=len(key))

    return ComparedSet(
        bin=bins,
        neuron=neuron,
        points=total(np.ones(len(points.mean))),
        freedom=total(points.freedom),
        mean=total(points.freedom * points.mean),
        x2=total(points.x2),
        model=model,
    )

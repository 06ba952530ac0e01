"""Posterior predictive checks: whether data simulated from the fitted model look like the data."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.diagnostics.pearson import PearsonTable, fano_per_neuron, tabulate_pearson
from spikepool.diagnostics.psis import rank_left_out_trials
from spikepool.diagnostics.trial_draws import trial_draws
from spikepool.posterior.draws import NeuronDraws
from spikepool.posterior.results import (
    NeuronCheck,
    PredictiveBand,
    PredictiveCheck,
    PredictiveValue,
)

REPLICATES = 200
"""Simulated data sets, fewer where the table is very large."""
_MOST_COUNTS = 40_000_000
_MOST_COUNT_BINS = 80
_FANO_BINS = 30
_ROUND_WIDTHS = np.outer(10.0 ** np.arange(-2, 12), (1, 2, 5)).ravel()


def check_predictive(
    draws: NeuronDraws, tally: Tally, *, interval: float, ddof: int, seed: int
) -> PredictiveCheck:
    """Compare counts, Fano factors, zeros and maxima with those of replicated data.

    Each replicate has the trials, exposures and conditions of the data, and the rates and
    dispersions of one posterior draw.

    Parameters
    ----------
    draws : NeuronDraws
    tally : Tally
    interval : float
        Mass of the predictive band.
    ddof : {0, 1}
        Of the raw Fano factor.
    seed : int

    Returns
    -------
    PredictiveCheck
    """
    trials = tally.trial_by_trial()
    table = tabulate_pearson(trials)
    own = _statistics(trials, table, ddof)
    count_edges, fano_edges = _count_edges(trials.count), _fano_edges(own["fano"])
    counts, fanos, medians, rises = [], [], [], []
    statistics: dict[str, list[FloatArray]] = {name: [] for name in own}
    for count in _replicates(draws, trials, np.random.default_rng([seed, 1])):
        replicated = replace(trials, count=count)
        replicate = tabulate_pearson(replicated)
        counts.append(_histogram(count, count_edges))
        medians.append(_median_fano(replicate, ddof))
        rises.append(_fano_rise(replicate, ddof)[1])
        for name, values in _statistics(replicated, replicate, ddof).items():
            statistics[name].append(values)
        fanos.append(_histogram(statistics["fano"][-1], fano_edges))
    return PredictiveCheck(
        replicates=len(counts),
        count=_band(count_edges, _histogram(trials.count, count_edges), np.array(counts), interval),
        fano=_band(fano_edges, _histogram(own["fano"], fano_edges), np.array(fanos), interval),
        neurons={name: _checked(own[name], np.array(of)) for name, of in statistics.items()},
        ranks=rank_left_out_trials(draws, tally, seed),
        median_fano=_predicted(len(table.x2), _median_fano(table, ddof), medians, interval),
        fano_rise=_predicted(*_fano_rise(table, ddof), rises, interval),
    )


def _statistics(trials: Tally, table: PearsonTable, ddof: int) -> dict[str, FloatArray]:
    """Return each statistic of every neuron; shape (N,)."""
    first = np.searchsorted(trials.neuron, np.arange(trials.n_neurons))
    return {
        "fano": fano_per_neuron(table, ddof),
        "zeros": np.add.reduceat(trials.count == 0, first, dtype=np.int64) / trials.n_trials,
        "maximum": np.maximum.reduceat(trials.count, first).astype(np.float64),
    }


def _checked(observed: FloatArray, replicated: FloatArray) -> NeuronCheck:
    """Place each neuron's statistic among those replicated; shapes (N,) and (replicates, N).

    A replicate in which it is not defined tells nothing of it.
    """
    defined = np.isfinite(replicated)
    known = np.isfinite(observed) & defined.any(axis=0)
    filled = np.where(defined, replicated, -np.inf)
    above = np.sum(filled > observed, axis=0) + 0.5 * np.sum(filled == observed, axis=0)
    pvalue = above / np.maximum(defined.sum(axis=0), 1)
    expected = np.full(len(observed), np.nan)
    expected[known] = np.nanmedian(replicated[:, known], axis=0)
    return NeuronCheck(observed, expected, np.where(known, pvalue, np.nan))


def _median_fano(table: PearsonTable, ddof: int) -> float:
    """Median of X² / (n − ddof) over neuron × condition; NaN where none is informative."""
    return float(np.median(table.x2 / (table.trials - ddof))) if len(table.x2) else float("nan")


def _fano_rise(table: PearsonTable, ddof: int) -> tuple[int, float]:
    """How far Fano factors rise with the counts, between the conditions of one neuron.

    Returns
    -------
    tuple of (int, float)
        Neurons with two informative conditions or more; the median over them of the Fano factor in
        the half of its conditions with the greater mean counts, over that in the other half. The
        middle one of an odd number is in neither. NaN where there is none.
    """
    order = np.lexsort((table.spikes / table.trials, table.neuron))
    size = np.bincount(table.neuron, minlength=table.neurons)
    place = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    of = table.neuron[order]
    is_lower, is_upper = 2 * place + 2 <= size[of], 2 * place >= size[of]
    several = size > 1
    if not several.any():
        return 0, float("nan")
    lower, upper = (
        np.median(_fano_of(table, order[half], ddof)[several]) for half in (is_lower, is_upper)
    )
    return int(several.sum()), float(upper / lower) if lower > 0 else float("nan")


def _fano_of(table: PearsonTable, entries: IntArray, ddof: int) -> FloatArray:
    """Fano factor of every neuron over some entries, NaN where it has none; shape (N,)."""
    neuron, size = table.neuron[entries], table.neurons
    x2 = np.bincount(neuron, table.x2[entries], size)
    divisor = np.bincount(neuron, table.trials[entries] - ddof, size)
    with np.errstate(invalid="ignore"):
        return np.asarray(x2 / divisor)


def _predicted(
    size: int, observed: float, replicated: Sequence[float], interval: float
) -> PredictiveValue | None:
    """Hold a number against its replicates; None where it is not defined."""
    if np.isnan(observed) or np.isnan(replicated).all():
        return None
    tail = (1 - interval) / 2
    lower, expected, upper = np.nanquantile(replicated, [tail, 0.5, 1 - tail]).tolist()
    return PredictiveValue(size, observed, expected, lower, upper)


def _replicates(draws: NeuronDraws, trials: Tally, rng: np.random.Generator) -> Iterator[IntArray]:
    """Yield the counts of each replicate, one draw apart from the next; shape (trials,)."""
    number = int(np.clip(_MOST_COUNTS // len(trials.count), 20, REPLICATES))
    of_trials, every = trial_draws(draws, trials, number), slice(None)
    for draw in range(of_trials.size):
        mean, dispersion = of_trials.mean(draw, every), of_trials.dispersion(draw, every)
        yield of_trials.family.sample(mean, dispersion, rng)


def _count_edges(count: IntArray) -> FloatArray:
    """Bins of whole counts, one count wide where that makes few of them."""
    top = int(count.max()) + 1
    width = -(-top // _MOST_COUNT_BINS)
    return np.arange(0, top + width, width, dtype=np.float64) - 0.5


def _fano_edges(fano: FloatArray) -> FloatArray:
    known = fano[np.isfinite(fano)]
    if not known.size:
        return np.array([0.0, 1.0])
    top = max(2.0, float(np.quantile(known, 0.99)) * 1.2)
    width = float(_ROUND_WIDTHS[np.searchsorted(_ROUND_WIDTHS, top / _FANO_BINS)])
    return np.arange(0.0, top + width, width)


def _histogram(values: NDArray[np.float64] | IntArray, edges: FloatArray) -> FloatArray:
    """Frequencies; what lies above the last edge is counted in the last bin."""
    known = values[np.isfinite(values)]
    within = np.minimum(known, (edges[-2] + edges[-1]) / 2)
    return cast("FloatArray", np.histogram(within, edges)[0].astype(np.float64))


def _band(
    edges: FloatArray, observed: FloatArray, replicates: FloatArray, interval: float
) -> PredictiveBand:
    tail = (1 - interval) / 2
    lower, expected, upper = np.quantile(replicates, [tail, 0.5, 1 - tail], axis=0)
    return PredictiveBand(edges[:-1], edges[1:], observed, expected, lower, upper)

"""The order of trials in time, as far as the trial column tells it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray, SpikeCounts
from spikepool.data.trial_numbers import trial_times

NO_ORDER: Final = "no trial order"
REPEATED: Final = "trial numbers repeat"
BLOCKED: Final = "order follows condition"


@dataclass(frozen=True)
class TrialOrder:
    """Trials sorted by neuron and condition, and in time within them.

    Attributes
    ----------
    rows : ndarray of int64, shape (rows,)
        Index into the table's rows.
    stratum : ndarray of int64, shape (rows,)
        Number of the neuron × condition; ascending.
    neuron : ndarray of int64, shape (rows,)
    in_time : ndarray of int64, shape (rows,)
        Index into the three above that sorts each neuron's trials by time alone.
    place : ndarray of int64, shape (rows,)
        In the order of `in_time`: the number of the trial among the neuron's, from 0; trials of
        one number share it.
    obstacle : ndarray of str, shape (N,)
        Why nothing can be said of a neuron's trials in time; empty where it can.
    """

    rows: IntArray
    stratum: IntArray
    neuron: IntArray
    in_time: IntArray
    place: IntArray
    obstacle: NDArray[np.str_]


def order_trials(counts: SpikeCounts) -> TrialOrder:
    """Sort the trials of every neuron by the numbers in the trial column.

    The order is known where all labels of trials are numbers, or one word followed by a number
    (``trial_12``). It says nothing of drift where a number stands twice in a neuron × condition,
    or where every condition of a neuron is one block of trials: then slow drift cannot be told
    from the conditions, or the table was sorted by them before its trials were numbered.

    Parameters
    ----------
    counts : SpikeCounts

    Returns
    -------
    TrialOrder
    """
    time = trial_times(counts.trial)
    known = time is not None
    time = np.zeros(len(counts.count)) if time is None else time
    condition = counts.condition.codes if counts.condition else np.zeros_like(counts.count)
    keys = (counts.count, counts.exposure, time, condition, counts.neuron.codes)
    rows = np.lexsort(keys).astype(np.int64)
    neuron, time = counts.neuron.codes[rows], time[rows]
    stratum = _numbered_runs(neuron, condition[rows])
    in_time = np.lexsort((stratum, time, neuron)).astype(np.int64)
    place = _numbered_runs(neuron[in_time], time[in_time])
    first = np.searchsorted(neuron[in_time], np.arange(len(counts.neuron.values)))
    obstacle = np.full(len(counts.neuron.values), "" if known else NO_ORDER, dtype="<U40")
    if known:
        obstacle[_blocked(neuron, stratum, in_time)] = BLOCKED
        obstacle[neuron[1:][(np.diff(stratum) == 0) & (np.diff(time) == 0)]] = REPEATED
    return TrialOrder(rows, stratum, neuron, in_time, place - place[first][neuron], obstacle)


def _numbered_runs(*keys: IntArray | FloatArray) -> IntArray:
    """Give each run of equal, sorted keys a number, from 0."""
    new = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        new[1:] |= np.diff(key) != 0
    return np.cumsum(new)


def _blocked(neuron: IntArray, stratum: IntArray, in_time: IntArray) -> NDArray[np.bool_]:
    """Tell neurons of several conditions, each of which is one run of trials; shape (N,)."""
    size = int(neuron.max()) + 1
    first = np.concatenate([[True], np.diff(stratum) != 0])
    conditions = np.bincount(neuron[first], minlength=size)
    turns = np.concatenate([[True], np.diff(stratum[in_time]) != 0])
    runs = np.bincount(neuron[turns], minlength=size)
    return np.asarray((conditions > 1) & (runs == conditions))

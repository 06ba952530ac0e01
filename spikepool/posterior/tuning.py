"""A neuron's responses to its conditions, summarised."""

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.data.tally import Tally


def mean_over_conditions(tally: Tally, values: FloatArray) -> FloatArray:
    """Average over the conditions that each neuron was presented with.

    Parameters
    ----------
    tally : Tally
    values : ndarray, shape (..., R)
        Of every response.

    Returns
    -------
    ndarray, shape (..., N)
    """
    first, count = _runs(tally)
    return np.asarray(np.add.reduceat(values, first, axis=-1) / count)


def tuning_strength(tally: Tally, log_rates: FloatArray) -> FloatArray:
    """Sd of each neuron's log rates between its conditions (n − 1); NaN where it has only one.

    Parameters
    ----------
    tally : Tally
    log_rates : ndarray, shape (..., R)

    Returns
    -------
    ndarray, shape (..., N)
    """
    first, count = _runs(tally)
    mean = np.add.reduceat(log_rates, first, axis=-1) / count
    squares = (log_rates - np.repeat(mean, count, axis=-1)) ** 2
    with np.errstate(invalid="ignore"):
        return np.sqrt(
            np.add.reduceat(squares, first, axis=-1) / np.where(count > 1, count - 1, np.nan)
        )


def raw_tuning_strength(tally: Tally) -> FloatArray:
    """Tuning strength of each neuron's own ln((Σy + ½)/Σe), without a model; shape (N,).

    The half spike lets conditions without spikes have a logarithm.
    """
    each = tally.by_response()
    return tuning_strength(tally, np.log((each.spike_count + 0.5) / each.total_exposure))


def _runs(tally: Tally) -> tuple[np.ndarray, np.ndarray]:
    """First response of each neuron, and the number of its conditions; shape (N,)."""
    neuron = tally.responses.neuron
    first = np.searchsorted(neuron, np.arange(tally.n_neurons))
    return first, np.diff(np.append(first, len(neuron)))

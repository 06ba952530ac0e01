"""Summaries of weighted samples, and draws from them."""

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.posterior.results import Summary


def weighted_summary(values: FloatArray, weights: FloatArray, masses: FloatArray) -> Summary:
    """Summarise a weighted sample of one quantity.

    Parameters
    ----------
    values, weights : ndarray, shape (D,)
        Weights sum to 1.
    masses : ndarray, shape (3,)
        Probabilities below the lower end, the median and the upper end.

    Returns
    -------
    Summary
        Arrays of shape (1,).
    """
    mean = float(np.sum(weights * values))
    sd = float(np.sqrt(np.sum(weights * (values - mean) ** 2)))
    lower, median, upper = weighted_quantiles(values, weights, masses)
    return Summary(*(np.array([each]) for each in (mean, median, sd, lower, upper)))


def weighted_quantiles(values: FloatArray, weights: FloatArray, masses: FloatArray) -> FloatArray:
    """Quantiles of a weighted sample, linear between the middles of its steps."""
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(weights[order])
    middles = (ends - 0.5 * weights[order]) / ends[-1]
    return np.interp(masses, middles, values[order])


def systematic(weights: FloatArray, size: int, offset: float) -> IntArray:
    """Choose `size` points in proportion to their weights, by systematic resampling.

    Parameters
    ----------
    weights : ndarray, shape (D,)
    size : int
    offset : float
        Between 0 and 1.

    Returns
    -------
    ndarray of int, shape (size,)
        In ascending order.
    """
    ends = np.cumsum(weights) / np.sum(weights)
    found = np.searchsorted(ends, (np.arange(size) + offset) / size)
    return np.minimum(found, len(weights) - 1).astype(np.int64)

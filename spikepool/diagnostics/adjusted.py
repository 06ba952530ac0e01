"""P-values adjusted for the number of tests."""

import numpy as np

from spikepool.data.spike_counts import FloatArray


def holm(pvalues: FloatArray) -> FloatArray:
    """Adjust p-values so that the chance of any false finding is bounded.

    Parameters
    ----------
    pvalues : ndarray, shape (tests,)
        NaN where there was no test; it counts as none.

    Returns
    -------
    ndarray, shape (tests,)
        Holm's: ``max_{j <= i} min(1, (m − j + 1) p_(j))`` of the i-th smallest.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
    Journal of Statistics 6, 65-70.
    """
    adjusted = np.full(len(pvalues), np.nan)
    known = np.flatnonzero(~np.isnan(pvalues))
    order = known[np.argsort(pvalues[known], kind="stable")]
    stepped = pvalues[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def benjamini_hochberg(pvalues: FloatArray) -> FloatArray:
    """Adjust p-values so that the expected share of false findings among all is bounded.

    Parameters
    ----------
    pvalues : ndarray, shape (tests,)
        NaN where there was no test; it counts as none.

    Returns
    -------
    ndarray, shape (tests,)
        ``min_{j >= i} min(1, m p_(j) / j)`` of the i-th smallest of m.

    References
    ----------
    Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate: a practical and
    powerful approach to multiple testing. J. R. Statist. Soc. B 57, 289-300.
    """
    adjusted = np.full(len(pvalues), np.nan)
    known = np.flatnonzero(~np.isnan(pvalues))
    order = known[np.argsort(pvalues[known], kind="stable")]
    scaled = pvalues[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted

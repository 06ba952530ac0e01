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

"""What is left of counts within strata: neuron × condition, perhaps × session."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray

_ROUNDING = 1e-18
"""Of the squared counts: equal counts leave no more than that of squared deviations."""


@dataclass(frozen=True)
class Residuals:
    """Deviations from the raw mean of every stratum.

    Attributes
    ----------
    size, rate : ndarray of float64, shape (strata,)
        Trials, and spikes over exposure.
    sd : ndarray of float64, shape (strata,)
        Of the deviations, with n − 1; 0 of counts that do not differ.
    expected : ndarray of float64, shape (rows,)
        ``m``, the rate times the exposure.
    deviation : ndarray of float64, shape (rows,)
        ``y − m``; 0 where the sd is.
    """

    size: FloatArray
    rate: FloatArray
    sd: FloatArray
    expected: FloatArray
    deviation: FloatArray

    @property
    def differ(self) -> NDArray[np.bool_]:
        """Strata whose counts differ."""
        return np.asarray(self.sd > 0)


def leave_residuals(stratum: IntArray, count: IntArray, exposure: FloatArray) -> Residuals:
    """Take the raw mean of every stratum from its counts.

    Parameters
    ----------
    stratum, count : ndarray of int64, shape (rows,)
        Strata are numbered from 0, none is empty.
    exposure : ndarray of float64, shape (rows,)

    Returns
    -------
    Residuals
    """
    y = count.astype(np.float64)
    size = np.bincount(stratum).astype(np.float64)
    rate = np.bincount(stratum, weights=y) / np.bincount(stratum, weights=exposure)
    expected = rate[stratum] * exposure
    deviation = y - expected
    square = np.bincount(stratum, weights=deviation**2)
    differ = square > _ROUNDING * np.bincount(stratum, weights=y**2)
    sd = np.sqrt(np.where(differ, square, 0.0) / np.maximum(size - 1, 1))
    return Residuals(size, rate, sd, expected, np.where(differ[stratum], deviation, 0.0))

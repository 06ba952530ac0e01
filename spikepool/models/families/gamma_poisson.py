"""Poisson counts whose gain is gamma: distribution function and draws, down to no dispersion."""

import numpy as np
from scipy import special

from spikepool.data.spike_counts import FloatArray, IntArray

_LEAST_ALPHA = 1e-12
"""Counts with less variance of their gain are drawn and summed as Poisson counts."""
_MOST_SUMMED = 300


def gamma_poisson_cumulative(count: IntArray, mean: FloatArray, alpha: FloatArray) -> FloatArray:
    """P(y <= `count`) of Poisson counts whose gain is gamma, of mean 1 and variance `alpha`.

    The sum of p(0) to p(count) by ``p(k + 1) = p(k) m (1 + α k) / ((k + 1) (1 + α m))``; of counts
    above `_MOST_SUMMED` 1 − I(α m / (1 + α m); y + 1, 1/α), the regularised incomplete beta
    function, ten times as slow.

    Parameters
    ----------
    count : ndarray of int64, shape (cells,)
    mean, alpha : ndarray, shape (..., cells)

    Returns
    -------
    ndarray, shape (..., cells)
    """
    _, mean, alpha = np.broadcast_arrays(count, mean, alpha)
    below = np.zeros(mean.shape)
    summed = count <= _MOST_SUMMED
    some = np.flatnonzero(summed & (count >= 0))
    below[..., some] = _summed_up(count[some], mean[..., some], alpha[..., some])
    below[..., ~summed] = _incomplete(count[~summed], mean[..., ~summed], alpha[..., ~summed])
    return below


def _summed_up(count: IntArray, mean: FloatArray, alpha: FloatArray) -> FloatArray:
    """Add up probabilities, those of high counts for the cells alone that reach them."""
    order = np.argsort(-count, kind="stable")
    reaching = np.searchsorted(-count[order], -np.arange(count.max(initial=-1) + 1), side="right")
    m, a = (np.moveaxis(of, -1, 0)[order] for of in (mean, alpha))
    dispersed = a > _LEAST_ALPHA
    log_none = np.where(dispersed, np.log1p(a * m) / np.where(dispersed, a, 1.0), m)
    term, total, share = np.exp(-log_none), np.zeros(m.shape), m / (1 + a * m)
    for k, some in enumerate(reaching.tolist()):
        total[:some] += term[:some]
        term[:some] *= share[:some] * (1 + a[:some] * k) / (k + 1)
    ordered = np.empty_like(total)
    ordered[order] = np.minimum(total, 1.0)
    return np.moveaxis(ordered, 0, -1)


def _incomplete(count: IntArray, mean: FloatArray, alpha: FloatArray) -> FloatArray:
    """Return the incomplete beta function; the gamma function where there is no dispersion."""
    dispersed = alpha > _LEAST_ALPHA
    alpha_or_one = np.where(dispersed, alpha, 1.0)
    share = alpha_or_one * mean / (1 + alpha_or_one * mean)
    gamma = special.betaincc(count + 1, 1 / alpha_or_one, share)
    return np.where(dispersed, gamma, special.pdtr(count, mean))


def gamma_poisson(mean: FloatArray, alpha: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draw counts with a gamma gain of mean 1 and variance `alpha`; Poisson where it is 0."""
    shape = 1 / np.maximum(alpha, 1e-300)
    gain = np.where(
        alpha > _LEAST_ALPHA, rng.gamma(np.minimum(shape, 1e12)) / np.minimum(shape, 1e12), 1
    )
    return rng.poisson(mean * gain).astype(np.int64)

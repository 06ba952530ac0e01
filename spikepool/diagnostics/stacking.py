"""Weights of models whose mixture predicts best what was left out."""

import numpy as np
from scipy import optimize

from spikepool.data.spike_counts import FloatArray, IntArray

type Vector = np.ndarray[tuple[int], np.dtype[np.float64]]

_LEAST_DENSITY = 1e-300
"""Of a model against the best of them, so that no mixture has density 0."""


def stacking_weights(log_densities: FloatArray, times: IntArray | FloatArray) -> FloatArray:
    """Weights w that maximise Σ_t n_t ln Σ_k w_k p_k(y_t | y_−t).

    Parameters
    ----------
    log_densities : ndarray, shape (K, cells)
        ln p_k(y_t | y_−t) of K models.
    times : ndarray, shape (cells,)
        n_t, trials of each cell.

    Returns
    -------
    ndarray, shape (K,)
        Not negative, of sum 1. NaN where a density is not defined.

    References
    ----------
    Yao, Y., Vehtari, A., Simpson, D. and Gelman, A. (2018). Using stacking to average Bayesian
    predictive distributions. Bayesian Analysis 13, 917-1007.
    """
    models = len(log_densities)
    if not np.isfinite(log_densities).all():
        return np.full(models, np.nan)
    density = np.maximum(np.exp(log_densities - log_densities.max(axis=0)), _LEAST_DENSITY)
    share = times / times.sum()

    def loss(weights: Vector) -> float:
        return -float(share @ np.log(weights @ density))

    def gradient(weights: Vector) -> Vector:
        return -(density / (weights @ density)) @ share

    found = optimize.minimize(
        loss,
        np.full(models, 1 / models),
        jac=gradient,
        method="SLSQP",
        bounds=optimize.Bounds(0.0, 1.0),
        constraints=optimize.LinearConstraint(np.ones((1, models)), 1.0, 1.0),
        tol=1e-12,
    )
    weights = np.clip(found.x, 0.0, 1.0)
    return np.asarray(weights / weights.sum())

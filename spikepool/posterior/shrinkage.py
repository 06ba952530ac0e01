"""How much of a neuron's spread is left once the population is known, from joint draws.

The realised weight and the MSE ratio need Var(θ_i | y, φ), averaged over the hyperparameters φ.
Joint draws give it as the residual variance about E[θ_i | y, φ], which is smooth in φ: a
quadratic regression on the hyperparameters, whose own uncertainty is of order 1/draws.
"""

from collections.abc import Sequence

import numpy as np

from spikepool.data.spike_counts import FloatArray


def conditional_variance(values: FloatArray, hyperparameters: Sequence[FloatArray]) -> FloatArray:
    """Squared residuals of `values` about their regression on the hyperparameters.

    Parameters
    ----------
    values : ndarray, shape (draws, N)
    hyperparameters : sequence of ndarray, shape (draws,)
        On unbounded scales; empty: about the mean.

    Returns
    -------
    ndarray, shape (draws, N)
        Their mean over draws estimates E_φ[Var(value | φ)]; scaled for the degrees of freedom
        that the regression takes.
    """
    features = _features(hyperparameters, len(values))
    residuals = values - _projected(values, features)
    return np.asarray(residuals**2 * (len(values) / (len(values) - features.shape[1])))


def fitted_on(values: FloatArray, hyperparameters: Sequence[FloatArray]) -> FloatArray:
    """Return E[value | φ] at every draw, by the same regression; shape (draws, N)."""
    return _projected(values, _features(hyperparameters, len(values)))


def _projected(values: FloatArray, features: FloatArray) -> FloatArray:
    return np.asarray(features @ (features.T @ values))


def _features(hyperparameters: Sequence[FloatArray], n_draws: int) -> FloatArray:
    """Orthonormal basis of constants, linear and quadratic terms; shape (draws, terms)."""
    scaled = [(h - h.mean()) / h.std() for h in hyperparameters if h.std() > 0]
    products = [a * b for i, a in enumerate(scaled) for b in scaled[i:]]
    terms = [np.ones(n_draws), *scaled, *products]
    if len(terms) >= n_draws:
        terms = terms[: max(1, n_draws // 2)]
    basis, _ = np.linalg.qr(np.column_stack(terms))
    return np.asarray(basis)

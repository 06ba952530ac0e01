"""How much of a neuron's spread is left once the population is known, from joint draws.

The realised weight and the MSE ratio need Var(θ_i | y, φ), averaged over the hyperparameters φ.
Joint draws give it as the residual variance about E[θ_i | y, φ], which is smooth in φ: a
quadratic regression on the hyperparameters, whose own uncertainty is of order 1/draws.

No sum here runs through BLAS, whose rounding moves with the number of threads and of neurons.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from spikepool.data.spike_counts import FloatArray

_COLLINEAR = 1e-10
"""Relative length below which a term adds nothing to those before it."""


def unbounded(hyperparameters: Mapping[str, FloatArray]) -> tuple[FloatArray, ...]:
    """Hyperparameters, each of shape (draws,), on unbounded scales."""
    as_they_are = {"mu", "mu_delta", "delta"}
    return tuple(
        values if name in as_they_are else np.log(values)
        for name, values in hyperparameters.items()
    )


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
    n_draws = len(values)
    basis = _basis(hyperparameters, n_draws)
    residuals = values - _projected(values, basis)
    return np.asarray(residuals**2 * (n_draws / (n_draws - len(basis))))


def rate_variance(
    theta: FloatArray,
    centre: FloatArray,
    scale: FloatArray,
    information: FloatArray,
    hyperparameters: Sequence[FloatArray],
) -> FloatArray:
    """Estimate Var(θ_i | y, φ) at every draw of φ.

    The regression is of what a Normal–Normal model leaves: with I the mean information and
    k = τ²I/(1 + τ²I), θ has mean k x + (1 − k) μ, x the estimate that best fits the draws, and
    variance τ²/(1 + τ²I). Without this step a mean that is not quadratic in φ counts as variance,
    which a neuron with many spikes, whose variance is far below τ², cannot bear.

    Parameters
    ----------
    theta : ndarray, shape (draws, N)
    centre, scale : ndarray, shape (draws,)
        μ and τ.
    information : ndarray, shape (draws, N)
        1/σ_i².
    hyperparameters : sequence of ndarray, shape (draws,)
        On unbounded scales.

    Returns
    -------
    ndarray, shape (draws, N)
    """
    tau_squared, mean_information = scale[:, np.newaxis] ** 2, information.mean(axis=0)
    variance = tau_squared / (1 + tau_squared * mean_information)
    weight = variance * mean_information
    rest = theta - (1 - weight) * centre[:, np.newaxis]
    total = weight.sum(axis=0)
    own = np.divide(rest.sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
    standardised = (rest - weight * own) / np.sqrt(variance)
    return np.asarray(variance * conditional_variance(standardised, hyperparameters))


def fitted_on(values: FloatArray, hyperparameters: Sequence[FloatArray]) -> FloatArray:
    """Return E[value | φ] at every draw, by the same regression; shape (draws, N)."""
    return _projected(values, _basis(hyperparameters, len(values)))


def _projected(values: FloatArray, basis: FloatArray) -> FloatArray:
    """Project every column of `values`; shape (draws, N)."""
    columns = np.ascontiguousarray(values.T)
    coefficients = np.einsum("nd,kd->nk", columns, basis)
    return np.asarray(np.einsum("nk,kd->nd", coefficients, basis).T)


def _basis(hyperparameters: Sequence[FloatArray], n_draws: int) -> FloatArray:
    """Orthonormal basis of constants, linear and quadratic terms; shape (terms, draws)."""
    scaled = [(h - h.mean()) / h.std() for h in hyperparameters if h.std() > 0]
    products = [a * b for i, a in enumerate(scaled) for b in scaled[i:]]
    terms = [np.ones(n_draws), *scaled, *products]
    if len(terms) >= n_draws:
        terms = terms[: max(1, n_draws // 2)]
    basis = np.empty((0, n_draws))
    for term in terms:
        rest = term[:, np.newaxis]
        for _ in range(2):  # once more, for the digits lost to near-collinear terms
            rest = rest - _projected(rest, basis)
        length = np.sqrt(np.einsum("dn,dn->", rest, rest))
        if length > _COLLINEAR * np.sqrt(n_draws):
            basis = np.vstack([basis, rest.T / length])
    return basis

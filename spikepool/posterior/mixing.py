"""How well draws mix: R̂ and effective sample sizes, by ArviZ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray

TAILS = (0.05, 0.95)
"""Quantiles whose effective sample sizes make ``ess_tail``."""


@dataclass(frozen=True)
class ParameterDiagnostics:
    """Mixing of one quantity, or of one per neuron or response.

    Attributes
    ----------
    parameter : str
        Name in the model: ``mu``, ``theta``, ``delta`` ...
    neurons : tuple of str
        The neuron of each entry; ``("",)`` for a hyperparameter.
    conditions : tuple of str, or None
        The condition of each entry, where they are responses.
    r_hat, ess_bulk, ess_tail : ndarray, shape (len(neurons),)
        NaN for a quantity that does not vary.
    centring : ndarray, shape (len(neurons),), or None
        How far each neuron's parameter was sampled centred; None where nothing is pooled partially.
    """

    parameter: str
    neurons: tuple[str, ...]
    r_hat: FloatArray
    ess_bulk: FloatArray
    ess_tail: FloatArray
    centring: FloatArray | None = None
    conditions: tuple[str, ...] | None = None


def measure_mixing(
    parameter: str, neurons: tuple[str, ...], values: NDArray[np.float64]
) -> ParameterDiagnostics:
    """Rank-normalised R̂ and effective sample sizes (Vehtari et al. 2021).

    Parameters
    ----------
    parameter : str
    neurons : tuple of str
    values : ndarray, shape (chains, draws, len(neurons))

    Returns
    -------
    ParameterDiagnostics
    """
    from arviz_stats.base import array_stats

    axes = {"chain_axis": 0, "draw_axis": 1}
    with np.errstate(divide="ignore", invalid="ignore"):  # a quantity that does not vary: 0/0
        return ParameterDiagnostics(
            parameter=parameter,
            neurons=neurons,
            r_hat=np.asarray(array_stats.rhat(values, **axes)),
            ess_bulk=np.asarray(array_stats.ess(values, method="bulk", **axes)),
            ess_tail=np.asarray(array_stats.ess(values, method="tail", prob=TAILS, **axes)),
        )

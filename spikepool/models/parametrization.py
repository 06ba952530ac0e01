"""Where each neuron's parameters are centred: the choice between CP and NCP, made continuous.

The sampled variable of neuron i is x_i ~ N(w_i μ, τ^{w_i}) with θ_i = μ + τ^{1−w_i}(x_i − w_i μ):
w = 1 is the centred and w = 0 the non-centred parametrisation. The best w follows how much the
neuron's own data say, so that w_i = κ_i, its own weight (Papaspiliopoulos, Roberts & Sköld 2007;
Gorinova, Moore & Hoffman 2020).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.data.tally import Tally

type ParametrizationChoice = Literal["auto", "centered", "noncentered"]

TYPICAL_TAU_DELTA = 0.34
"""The prior median of τ_δ, which stands for τ_δ before anything is fitted."""


@dataclass(frozen=True)
class Parametrization:
    """How far each neuron's parameters are centred, from 0 (non-centred) to 1 (centred).

    Attributes
    ----------
    rate, dispersion : ndarray, shape (N,)
    """

    rate: FloatArray
    dispersion: FloatArray


def choose_parametrization(tally: Tally, choice: ParametrizationChoice) -> Parametrization:
    """Choose each neuron's centring from moments of its own counts.

    Parameters
    ----------
    tally : Tally
    choice : {'auto', 'centered', 'noncentered'}

    Returns
    -------
    Parametrization
    """
    n = tally.n_neurons
    if choice != "auto":
        fixed = np.full(n, float(choice == "centered"))
        return Parametrization(rate=fixed, dispersion=fixed)
    log_rate = np.log((tally.spike_count + 0.5) / tally.total_exposure)
    mean = np.exp(log_rate)[tally.neuron] * tally.exposure
    excess = _shared_alpha(tally, mean) * mean
    rate_variance = 1 / tally.per_neuron(tally.weight * mean / (1 + excess))
    tau_squared = _between_neuron_variance(log_rate, rate_variance)
    variance = mean * (1 + excess)
    delta_information = tally.per_neuron(
        tally.weight * (2 * excess * mean) ** 2 / (variance + 2 * variance**2)
    )
    tau_delta_squared = TYPICAL_TAU_DELTA**2
    return Parametrization(
        rate=tau_squared / (tau_squared + rate_variance),
        dispersion=1 - 1 / (1 + tau_delta_squared * delta_information),
    )


def _shared_alpha(tally: Tally, mean: FloatArray) -> float:
    """Moment estimate of one α for all: Σ (residual² − y) / Σ m², at least 1e-3.

    Neurons' residuals are taken about their own means, so each gives n − 1 degrees of freedom.
    """
    n = tally.n_trials[tally.neuron]
    usable = n > 1
    if not usable.any():
        return 1e-3
    weight = tally.weight * usable
    residual = (tally.count - mean) ** 2 * (n / np.maximum(n - 1, 1))
    alpha = np.sum(weight * (residual - mean)) / np.sum(weight * mean**2)
    return float(max(alpha, 1e-3))


def _between_neuron_variance(log_rate: FloatArray, variance: FloatArray) -> float:
    """τ² by DerSimonian & Laird's moments, at least 1e-4."""
    if len(log_rate) < 2:
        return 1.0
    weight = 1 / variance
    centre = np.average(log_rate, weights=weight)
    q = np.sum(weight * (log_rate - centre) ** 2)
    scale = weight.sum() - np.sum(weight**2) / weight.sum()
    return float(max((q - (len(log_rate) - 1)) / scale, 1e-4))

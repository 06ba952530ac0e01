"""A second opinion on neurons with several conditions: `direct`, with responses integrated afresh.

At every (a, δ) that the direct kernel asks for, each response's θ is integrated out about the peak
of L(θ, δ) N(θ; a, ω²), on nodes spaced as a hyperbolic sine: dense at the peak, and far out along
the one tail that may be long. Nothing is shared with the lattices but the families' densities.
"""

from dataclasses import dataclass

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.engines.collapsed.responses import ResponseStatistics
from spikepool.models.families import CountFamily

_V = np.arange(-24, 25) * 0.18
"""Nodes: θ = peak + sd sinh v."""
_NEWTON = 4
_DIFFERENCE = 0.05


@dataclass(frozen=True)
class TunedStatistics:
    """Responses of neurons, each neuron with an ω of its own.

    Attributes
    ----------
    responses : ResponseStatistics
    tuning_sd : ndarray, shape (N,)
    """

    responses: ResponseStatistics
    tuning_sd: FloatArray

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return self.responses.n_neurons

    @property
    def spikes(self) -> FloatArray:
        """Spikes of each neuron; shape (N,)."""
        return self.responses.spikes

    @property
    def exposure(self) -> FloatArray:
        """Exposure of each neuron; shape (N,)."""
        return self.responses.sum(self.responses.each.exposure)

    @property
    def trials(self) -> FloatArray:
        """Trials of each neuron; shape (N,)."""
        return self.responses.sum(self.responses.each.trials)

    def of_neurons(self, neurons: IntArray) -> "TunedStatistics":
        """Return the statistics of some neurons, given in ascending order."""
        return TunedStatistics(self.responses.of_neurons(neurons), self.tuning_sd[neurons])

    def cells_per_neuron(self, neurons: IntArray) -> IntArray:
        """Values that one evaluation of a likelihood takes, of some neurons."""
        each = self.responses.each
        cells = each.cells_per_neuron(np.arange(each.n_neurons)).astype(np.float64)
        return (self.responses.sum(cells)[neurons] * len(_V)).astype(np.int64)


@dataclass(frozen=True)
class TunedLikelihood:
    """A family's likelihood of a neuron's counts in all conditions, given a and δ.

    Attributes
    ----------
    family : CountFamily
    """

    family: CountFamily

    def log_likelihood(self, a: FloatArray, delta: FloatArray, s: TunedStatistics) -> FloatArray:
        """Σ_c ln ∫ L_c(θ, δ) N(θ; a, ω²) dθ; shape (..., N)."""
        of, each = s.responses.neuron, s.responses.each
        a, delta = a[..., of], delta[..., of]
        sd = s.tuning_sd[of]
        own = np.log((each.spikes + 0.5) / each.exposure)

        def integrand(theta: FloatArray) -> FloatArray:
            normal = -0.5 * ((theta - a) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi))
            counts = self.family.log_likelihood(np.clip(theta, -300.0, 300.0), delta, each)
            return np.asarray(counts + normal)

        information = self.family.information(np.broadcast_to(own, a.shape), delta, each)
        width = 1 / np.sqrt(information + sd**-2)
        peak = (own * information + a / sd**2) * width**2
        for _ in range(_NEWTON):
            gap = _DIFFERENCE * width
            low, middle, high = integrand(peak - gap), integrand(peak), integrand(peak + gap)
            slope = (high - low) / (2 * gap)
            curvature = np.maximum((2 * middle - low - high) / gap**2, 0.5 * sd**-2)
            width = 1 / np.sqrt(curvature)
            peak = peak + np.clip(slope / curvature, -3 * width, 3 * width)
        v = _V.reshape(-1, *np.ones(peak.ndim, dtype=int))
        logs = integrand(peak + width * np.sinh(v)) + np.log(width * np.cosh(v) * (_V[1] - _V[0]))
        top = logs.max(axis=0)
        return s.responses.sum(top + np.log(np.exp(logs - top).sum(axis=0)))

    def information(self, a: FloatArray, delta: FloatArray, s: TunedStatistics) -> FloatArray:
        """Information about a: 1/Σ_c 1/(ω² + σ_c²), roughly; shape (..., N)."""
        of, each = s.responses.neuron, s.responses.each
        own = np.log((each.spikes + 0.5) / each.exposure)
        shape = np.broadcast_shapes(a.shape, delta.shape)
        at = np.broadcast_to(delta, shape)[..., of]
        information = self.family.information(np.broadcast_to(own, at.shape), at, each)
        return s.responses.sum(1 / (s.tuning_sd[of] ** 2 + 1 / information))

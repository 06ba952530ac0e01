"""Nodes along ω, the sd of tuning, between which log-likelihoods are interpolated.

ln L_i(a, δ; ω) is an even function of ω whose singularities lie about ω = ±i σ, σ the standard
error of a response. In u = asinh(ω/s), with s the smallest of those, they are π/2 from the real
axis, so that polynomials through Chebyshev points of u converge geometrically (Trefethen 2013).

References
----------
Trefethen, L. N. (2013). Approximation Theory and Approximation Practice. SIAM.
"""

from dataclasses import dataclass

import numpy as np

from spikepool.data.spike_counts import FloatArray

_DISTANCE = np.pi / 2
"""Of the nearest singularities from the real axis of u."""
_LEAST_HALF_WIDTH = 0.02
_NEAR_ZERO = 1.0
_SAFETY = 30.0


@dataclass(frozen=True)
class TuningAxis:
    """Chebyshev points of u = asinh(ω/scale).

    Attributes
    ----------
    scale : float
    lower, upper : float
        Ends of u; about 0 where values below 0 mirror those above.
    points : int
        Points from end to end; of those below 0 the values are those of their mirror images.
    """

    scale: float
    lower: float
    upper: float
    points: int

    @property
    def is_even(self) -> bool:
        """Whether the axis is mirrored about 0."""
        return self.lower < 0

    @property
    def _u(self) -> FloatArray:
        """All points, ascending; shape (points,)."""
        angle = (2 * np.arange(self.points)[::-1] + 1) * np.pi / (2 * self.points)
        return 0.5 * (self.lower + self.upper) + 0.5 * (self.upper - self.lower) * np.cos(angle)

    @property
    def sd(self) -> FloatArray:
        """ω at the nodes, ascending; shape (Q,)."""
        u = self._u
        return self.scale * np.sinh(u[self.points // 2 :] if self.is_even else u)

    def coefficients(self, sd: FloatArray) -> FloatArray:
        """Coefficients of the values at the nodes that interpolate to given ω; shape (D, Q).

        Beyond the ends the value at the end is taken.
        """
        if self.points == 1:
            return np.ones((len(sd), 1))
        u = self._u
        x = np.clip(np.arcsinh(sd / self.scale), max(self.lower, 0.0), self.upper)[:, np.newaxis]
        angle = (2 * np.arange(self.points)[::-1] + 1) * np.pi / (2 * self.points)
        barycentric = np.sin(angle) * (-1.0) ** np.arange(self.points)
        distance = x - u
        at_node = distance == 0
        terms = barycentric / np.where(at_node, 1.0, distance)
        terms = np.where(at_node.any(axis=1, keepdims=True), at_node, terms)
        terms /= terms.sum(axis=1, keepdims=True)
        if not self.is_even:
            return np.asarray(terms)
        half = self.points // 2
        return np.asarray(terms[:, half:] + terms[:, :half][:, ::-1])


def make_tuning_axis(sd: FloatArray, scale: float, tolerance: float) -> TuningAxis:
    """Choose the points for a range of ω.

    Parameters
    ----------
    sd : ndarray
        Any number of ω; the axis reaches from the smallest to the largest.
    scale : float
        Smallest standard error of a response.
    tolerance : float
        Relative error of a neuron's likelihood.

    Returns
    -------
    TuningAxis
    """
    lower, upper = (float(np.arcsinh(each / scale)) for each in (np.min(sd), np.max(sd)))
    if upper - lower < 1e-12:
        return TuningAxis(scale, lower, lower, 1)
    if lower < _NEAR_ZERO:
        lower = -upper
    half = max(0.5 * (upper - lower), _LEAST_HALF_WIDTH)
    ratio = _DISTANCE / half
    points = int(np.ceil(np.log(_SAFETY / tolerance) / np.arcsinh(ratio))) + 1
    return TuningAxis(scale, lower, upper, points + points % 2 if lower < 0 else points)

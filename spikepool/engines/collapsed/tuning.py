"""Nodes along ω, the sd of tuning, between which log-likelihoods are interpolated.

ln L_i(a, δ; ω) is an even function of ω whose singularities lie about ω = ±i σ, σ the standard
error of a response at a. So in u = asinh(ω/s), s no larger than any σ, and in ln ω for every σ,
they are π/2 from the real axis, and polynomials through Chebyshev points of u converge
geometrically (Trefethen 2013). Far from a response's own log rate ln L varies a thousandfold along
ω: a wide range of ω is cut into pieces, so that no ω is reached from where its likelihoods are of
another size.

References
----------
Trefethen, L. N. (2013). Approximation Theory and Approximation Practice. SIAM.
"""

from dataclasses import dataclass

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray

_DISTANCE = np.pi / 2
"""Of the nearest singularities from the real axis of u."""
_LEAST_HALF_WIDTH = 0.02
_SAFETY = 30.0
_NEAR_ZERO = 0.5
"""ω, over the smallest standard error of a response, up to which values are those of an even
function."""
_FAR_BELOW = 0.02
"""Scale, over the smallest ω of a piece, with which u is ln ω but for a constant."""
_WIDEST = 4.0
"""Ratio of the ends of a piece."""


@dataclass(frozen=True)
class _Piece:
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
        return self.lower < 0

    @property
    def _u(self) -> FloatArray:
        """All points, ascending; shape (points,)."""
        angle = (2 * np.arange(self.points)[::-1] + 1) * np.pi / (2 * self.points)
        return 0.5 * (self.lower + self.upper) + 0.5 * (self.upper - self.lower) * np.cos(angle)

    @property
    def sd(self) -> FloatArray:
        """ω at the nodes, ascending; shape (q,)."""
        u = self._u
        return self.scale * np.sinh(u[self.points // 2 :] if self.is_even else u)

    def coefficients(self, sd: FloatArray) -> FloatArray:
        """Coefficients of the values at the nodes; shape (D, q)."""
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


@dataclass(frozen=True)
class TuningAxis:
    """Nodes along ω, in pieces.

    Attributes
    ----------
    ends : ndarray, shape (P,)
        Largest ω of every piece, ascending.
    pieces : tuple of _Piece, length P
    """

    ends: FloatArray
    pieces: tuple[_Piece, ...]

    @property
    def sd(self) -> FloatArray:
        """ω at the nodes, ascending; shape (Q,)."""
        return np.concatenate([piece.sd for piece in self.pieces])

    @property
    def piece(self) -> IntArray:
        """The piece of every node; shape (Q,)."""
        return np.repeat(np.arange(len(self.pieces)), [len(piece.sd) for piece in self.pieces])

    def coefficients(self, sd: FloatArray) -> FloatArray:
        """Coefficients of the values at the nodes that interpolate to given ω; shape (D, Q).

        They are 0 but for the nodes of one piece. Beyond the ends the value at the end is taken.
        """
        which = np.minimum(np.searchsorted(self.ends, sd), len(self.ends) - 1)
        parts = [piece.coefficients(sd) for piece in self.pieces]
        for place, part in enumerate(parts):
            part[which != place] = 0.0
        return np.concatenate(parts, axis=1)


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
    lowest, highest = float(np.min(sd)), float(np.max(sd))
    near_zero = _NEAR_ZERO * scale
    ends, pieces = list[float](), list[_Piece]()
    if lowest < near_zero:
        lowest = min(highest, near_zero)
        upper = float(np.arcsinh(lowest / near_zero))
        points = _points(upper, tolerance)
        pieces.append(_Piece(near_zero, -upper, upper, points + points % 2))
        ends.append(lowest)
    count = max(int(np.ceil(np.log(highest / lowest) / np.log(_WIDEST))), 1 - len(pieces))
    for place in range(count):
        begin, end = (lowest * (highest / lowest) ** (e / count) for e in (place, place + 1))
        pieces.append(_logarithmic(begin, end, tolerance))
        ends.append(end)
    return TuningAxis(np.array(ends), tuple(pieces))


def _logarithmic(begin: float, end: float, tolerance: float) -> _Piece:
    scale = _FAR_BELOW * begin
    lower, upper = float(np.arcsinh(begin / scale)), float(np.arcsinh(end / scale))
    half = 0.5 * (upper - lower)
    if half < 1e-12:
        return _Piece(scale, lower, lower, 1)
    return _Piece(scale, lower, upper, _points(max(half, _LEAST_HALF_WIDTH), tolerance))


def _points(half_width: float, tolerance: float) -> int:
    """Points of a piece of that half width with which polynomials converge to a tolerance."""
    return int(np.ceil(np.log(_SAFETY / tolerance) / np.arcsinh(_DISTANCE / half_width))) + 1

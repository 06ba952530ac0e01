"""Axes for differences of either sign: linear about 0, logarithmic far from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from spikepool.data.spike_counts import FloatArray

_GAP: Final = 0.12
"""Least distance between ticks, as a share of the axis."""
_ROOM: Final = 2.0
"""How far beyond the values intervals are followed at least, on the scale of asinh."""


@dataclass(frozen=True)
class SignedRange:
    """The span of an axis of differences, which has 0 on it.

    Attributes
    ----------
    low, high : float
    width : float
        Scale of asinh(x/width): the axis is linear well below it.
    """

    low: float
    high: float
    width: float

    def clip(self, values: FloatArray) -> FloatArray:
        """Return values as drawn: what is beyond the axis ends with it."""
        return np.clip(values, self.low, self.high)


def signed_range(values: FloatArray, lower: FloatArray, upper: FloatArray) -> SignedRange:
    """Cover 0, the values, and as much of their intervals as leaves the values a third at least.

    Parameters
    ----------
    values, lower, upper : ndarray, shape (n,)
        Finite, n > 0.
    """
    width = float(np.median(upper - lower)) / 2 or 1.0
    inner = np.arcsinh(np.append(values, 0.0) / width)
    low, high = float(inner.min()), float(inner.max())
    room = max(high - low, _ROOM)
    low = min(low, max(float(np.arcsinh(lower.min() / width)), low - room))
    high = max(high, min(float(np.arcsinh(upper.max() / width)), high + room))
    pad = 0.04 * max(high - low, 0.1)
    return SignedRange(float(width * np.sinh(low - pad)), float(width * np.sinh(high + pad)), width)


def dress_signed(axes: Any, span: SignedRange) -> None:
    """Give the x axis the scale of `span`, with round ticks."""
    axes.set_xscale("asinh", linear_width=span.width)
    axes.set_xlim(span.low, span.high)
    ticks = signed_ticks(span)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(
        FixedFormatter([f"{tick:,.10g}".replace("-", "−") for tick in ticks])
    )
    axes.xaxis.set_minor_locator(NullLocator())


def signed_ticks(span: SignedRange) -> list[float]:
    """Round numbers about evenly apart on the axis, 0 among them, in increasing order."""
    ends = np.arcsinh(np.array([span.low, span.high]) / span.width)
    gap = _GAP * float(ends[1] - ends[0])
    below = _outward(-span.low, span.width, gap)
    above = _outward(span.high, span.width, gap)
    return [*(-tick for tick in reversed(below)), 0.0, *above]


def _outward(end: float, width: float, gap: float) -> Sequence[float]:
    """Round numbers from 0 to `end`, none nearer than `gap` to the one before."""
    if not end > 0:
        return []
    decades = 10.0 ** np.arange(np.floor(np.log10(width)) - 1, np.ceil(np.log10(end)) + 1)
    ticks, last = [], 0.0
    for tick in np.ravel(np.outer(decades, (1, 2, 5))):
        place = float(np.arcsinh(tick / width))
        if tick <= end and place - last >= gap:
            ticks.append(float(f"{tick:.3g}"))
            last = place
    return ticks

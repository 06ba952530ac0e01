"""Logarithmic axes with readable ticks, and a broken rail for values that are 0."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator
from numpy.typing import ArrayLike

from spikepool.data.spike_counts import FloatArray
from spikepool.report.plots.style import GREY, PlotStyle

type Direction = Literal["x", "y"]


@dataclass(frozen=True)
class LogRange:
    """The span of a logarithmic axis.

    Attributes
    ----------
    low, high : float
        Ends of the axis proper.
    rail : float or None
        Where 0 is drawn, below a break; None: no 0 is drawn.
    """

    low: float
    high: float
    rail: float | None

    @property
    def limits(self) -> tuple[float, float]:
        """Limits of the axes, rail included."""
        if self.rail is None:
            return self.low, self.high
        return self.rail * (self.low / self.rail) ** -0.5, self.high

    def with_rail(self) -> "LogRange":
        """Return the same span with a rail for 0."""
        return LogRange(self.low, self.high, self.low * (self.high / self.low) ** -0.08)

    def without_rail(self) -> "LogRange":
        """Return the same span without a rail."""
        return LogRange(self.low, self.high, None)

    def place(self, values: FloatArray) -> FloatArray:
        """Return values as drawn: 0 on the rail, the rest clipped to the axis."""
        clipped = np.clip(values, self.low, self.high)
        return np.where(values > 0, clipped, self.low if self.rail is None else self.rail)

    def clip(self, values: FloatArray) -> FloatArray:
        """Return ends of intervals as drawn: what is below the axis ends at its foot."""
        return np.clip(values, self.limits[0], self.high)

    def fraction(self, value: float) -> float:
        """Return where a value stands between the axes' limits, 0 to 1."""
        low, high = self.limits
        return float(np.log(value / low) / np.log(high / low))


def log_range(*values: ArrayLike, least_fold: float = 3.0) -> LogRange:
    """Return the range of all positive finite values, with a rail if there are zeros.

    Parameters
    ----------
    least_fold : float
        The axis spans at least this ratio.
    """
    flat = np.concatenate([np.ravel(np.asarray(part, dtype=np.float64)) for part in values])
    flat = flat[np.isfinite(flat)]
    positive = flat[flat > 0]
    if positive.size == 0:
        positive = np.array([1.0])
    middle, half = _middle_and_half(np.log(positive), least_fold)
    low, high = np.exp(middle - 1.05 * half), np.exp(middle + 1.05 * half)
    span = LogRange(float(low), float(high), None)
    return span.with_rail() if np.any(flat == 0) else span


def _middle_and_half(logs: FloatArray, least_fold: float) -> tuple[float, float]:
    low, high = float(logs.min()), float(logs.max())
    return (low + high) / 2, max((high - low) / 2, np.log(least_fold) / 2)


def dress(axes: Any, direction: Direction, span: LogRange, style: PlotStyle) -> None:
    """Make an axis logarithmic over `span`, with its ticks and, if it has one, its rail."""
    axis = axes.xaxis if direction == "x" else axes.yaxis
    (axes.set_xscale if direction == "x" else axes.set_yscale)("log")
    (axes.set_xlim if direction == "x" else axes.set_ylim)(*span.limits)
    major = log_ticks(span.low, span.high)
    labels = [f"{tick:,.10g}" for tick in major]
    if span.rail is not None:
        major, labels = [span.rail, *major], ["0", *labels]
        _break(axes, direction, span, style)
    axis.set_major_locator(FixedLocator(major))
    axis.set_major_formatter(FixedFormatter(labels))
    axis.set_minor_locator(FixedLocator(_minor_ticks(span.low, span.high)))
    axis.set_minor_formatter(FixedFormatter([]))


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between `low` and `high`: three to seven of them, where there are any."""
    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    steps: tuple[tuple[float, ...], ...] = ((1, 2, 5), (1, 3), (1,))
    for multiples in steps:
        ticks = np.ravel(np.outer(10.0**decades, multiples))
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        if 3 <= ticks.size <= 6:
            return [float(f"{tick:.3g}") for tick in ticks]
        if ticks.size < 3:
            plain = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high)
            return [float(f"{tick:.6g}") for tick in plain if low <= tick <= high and tick > 0]
    every = -(-ticks.size // 6)
    return [float(f"{tick:.3g}") for tick in ticks[::every]]


def _minor_ticks(low: float, high: float) -> list[float]:
    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    if decades.size > 7:
        return []
    ticks = np.ravel(np.outer(10.0**decades, np.arange(1, 10)))
    return [float(tick) for tick in ticks if low <= tick <= high]


def _break(axes: Any, direction: Direction, span: LogRange, style: PlotStyle) -> None:
    assert span.rail is not None  # noqa: S101 - the caller has just looked
    spine = axes.spines["bottom" if direction == "x" else "left"]
    spine.set_bounds(span.low, span.high)
    line = axes.axvline if direction == "x" else axes.axhline
    line(span.rail, color=GREY, linewidth=0.4 * style.scale, linestyle=(0, (1, 2)), zorder=0.5)
    marker = [(-1, -0.6), (1, 0.6)] if direction == "y" else [(-0.6, -1), (0.6, 1)]
    for lift in (0.35, 0.65):
        at = span.rail * (span.low / span.rail) ** lift
        position = (at, 0) if direction == "x" else (0, at)
        transform = axes.get_xaxis_transform() if direction == "x" else axes.get_yaxis_transform()
        axes.plot(
            *position,
            marker=marker,
            markersize=4 * style.scale,
            color="black",
            markeredgewidth=0.5 * style.scale,
            transform=transform,
            clip_on=False,
            gid="break",
        )

"""Names of the lowest and highest of many sorted rows."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.report.plots.canvas import MM_PER_INCH
from spikepool.report.plots.labels import LINE_HEIGHT, label_column, printable
from spikepool.report.plots.style import PlotStyle

_NAMED_AT_EACH_END: Final = 5


def name_extremes(
    axes: Any, names: Sequence[str], lower: FloatArray, upper: FloatArray, style: PlotStyle
) -> None:
    """Name the lowest rows right of their intervals, the highest left of them, where names fit.

    Parameters
    ----------
    axes : Axes
        Settled, with row k (from 1) of the sorted rows at height k.
    names : sequence of str
    lower, upper : ndarray, shape (n,)
        Ends of the intervals as drawn.
    style : PlotStyle
    """
    line = LINE_HEIGHT * style.font_pt * axes.figure.dpi / 72 / axes.get_window_extent().height
    longest = style.characters_mm(max(len(printable(name)) for name in names))
    width = longest * axes.figure.dpi / MM_PER_INCH / axes.get_window_extent().width
    rows = np.arange(len(names))
    beside = int(np.ceil(_NAMED_AT_EACH_END * line * rows.size))
    for side, ends, chosen in (
        ("right", upper, rows[:_NAMED_AT_EACH_END]),
        ("left", lower, rows[::-1][:_NAMED_AT_EACH_END]),
    ):
        tip = upper[:beside].max() if side == "right" else lower[-beside:].min()
        at = _fraction(axes, float(tip)) + (0.03 if side == "right" else -0.03)
        inner = at + width if side == "right" else at - width
        if not 0 <= inner <= 1:
            continue
        ranks = np.add(chosen, 1, dtype=np.float64)
        label_column(
            axes, ends[chosen], ranks, [names[row] for row in chosen], style, at=at,
            side="right" if side == "right" else "left",
        )  # fmt: skip


def _fraction(axes: Any, x: float) -> float:
    """Where a value stands between the axes' limits, 0 to 1."""
    point = axes.transAxes.inverted().transform(axes.transData.transform((x, 1.0)))
    return float(point[0])

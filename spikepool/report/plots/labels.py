"""Names beside points: short, printable, and never on top of each other."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.font_manager import get_font
from scipy.optimize import isotonic_regression

from spikepool.data.spike_counts import FloatArray
from spikepool.report.plots.style import GREY, INK, PlotStyle

LINE_HEIGHT = 1.3
"""Distance between lines of labels, in units of the type size."""


def spread(wanted: FloatArray, gap: float, low: float, high: float) -> FloatArray:
    """Move positions as little as possible (least squares) until none is nearer than `gap`.

    Parameters
    ----------
    wanted : ndarray, shape (n,)
        In any order; at most ``1 + (high − low)/gap`` of them.
    gap, low, high : float
        Least distance, and the bounds of the positions.

    Notes
    -----
    With x sorted, x_k − k·gap must not decrease: isotonic regression, then clipped to the bounds.
    """
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(wanted.size)
    fitted = np.asarray(isotonic_regression(wanted[order] - steps).x)
    placed = np.clip(fitted, low, max(low, high - steps[-1])) + steps if wanted.size else fitted
    result = np.empty_like(placed)
    result[order] = placed
    return result


def label_column(
    axes: Any,
    x: FloatArray,
    y: FloatArray,
    names: Sequence[str],
    style: PlotStyle,
    *,
    at: float,
    side: Literal["left", "right"],
    within: tuple[float, float] = (0.0, 1.0),
    colours: Sequence[str] = (),
) -> None:
    """Name points in a column beside them, each with a thin leader.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        The points, most important first: the last are left out where there is no room.
    at : float
        Where the column's inner edge is, as a fraction of the axes' width.
    side : {'left', 'right'}
        Whether the names lie left or right of `at`.
    within : tuple of float
        Lower and upper bound of the column, as fractions of the axes' height.
    colours : sequence of str, optional
        One for each name; ink if left out.
    """
    box = axes.get_window_extent()
    gap = LINE_HEIGHT * style.font_pt * axes.figure.dpi / 72
    low, high = (within[0] * box.height + gap / 2, within[1] * box.height - gap / 2)
    fitting = max(0, int((high - low) / gap) + 1) if high >= low else 0
    x, y, names = x[:fitting], y[:fitting], names[:fitting]
    wanted = axes.transData.transform(np.column_stack((x, y)))[:, 1] - box.y0
    heights = spread(wanted, gap, low, high) / box.height
    for row, height in enumerate(heights):
        colour = colours[row] if colours else INK
        point = (float(x[row]), float(y[row]))
        _label(axes, point, names[row], style, place=(at, height), side=side, colour=colour)


def label_stack(
    axes: Any,
    x: FloatArray,
    y: FloatArray,
    names: Sequence[str],
    style: PlotStyle,
    *,
    at: float,
    side: Literal["left", "right"],
    start: float,
) -> None:
    """Name points in a stack off to one side, so that the leaders fan out without crossing.

    With `side` ``right`` the stack stands on height `start`, up and to the right of the points,
    the leftmost point's name on top; with ``left`` it is all turned by half a circle.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        The points, most important first: the last are left out where there is no room.
    at, start : float
        The stack's inner edge and its end nearest the points, as fractions of the axes.
    """
    gap = 1.15 * style.font_pt * axes.figure.dpi / 72 / axes.get_window_extent().height
    room = 1 - start if side == "right" else start
    fitting = min(x.size, max(0, int(room / gap)))
    sign = 1 if side == "right" else -1
    order = np.argsort(-sign * x[:fitting], kind="stable")
    for level, row in enumerate(order):
        height = start + sign * gap * (level + 0.5)
        point = (float(x[row]), float(y[row]))
        _label(axes, point, names[row], style, place=(at, height), side=side)


def _label(
    axes: Any,
    point: tuple[float, float],
    name: str,
    style: PlotStyle,
    *,
    place: tuple[float, float],
    side: Literal["left", "right"],
    colour: str = INK,
) -> None:
    axes.annotate(
        printable(name),
        xy=point,
        xytext=place,
        textcoords="axes fraction",
        ha="right" if side == "left" else "left",
        va="center",
        color=colour,
        annotation_clip=False,
        arrowprops={
            "arrowstyle": "-",
            "linewidth": 0.35 * style.scale,
            "color": GREY,
            "patchA": None,
            "shrinkA": 1.5 * style.scale,
            "shrinkB": 1.5 * style.scale,
            "relpos": (1.0 if side == "left" else 0.0, 0.5),
        },
    )


def printable(name: str, longest: int = 14) -> str:
    """Shorten a name to its telling end; characters that the font lacks become boxes."""
    shown = "".join(character if _in_font(character) else "□" for character in name)
    return shown if len(shown) <= longest else "…" + shown[-(longest - 1) :]


@cache
def _in_font(character: str) -> bool:
    path = mpl.get_data_path() + "/fonts/ttf/DejaVuSans.ttf"
    return character.isprintable() and get_font(path).get_char_index(ord(character)) != 0

"""Rows of a picture that has one for each group: how high they are, and how they are named."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.report.plots.labels import printable

MOST_CURVES: Final = 15
"""Up to this many groups have a curve each; more of them an interval each."""
CURVE_HEIGHT: Final = 0.82
"""Of a row's height, how much its curve takes."""


def row_mm(count: int) -> float:
    """Height of a row on paper, by the number of rows."""
    if count > MOST_CURVES:
        return 3.6
    return 18.0 if count <= 3 else 12.0 if count <= 6 else 8.0


def baselines(count: int) -> FloatArray:
    """Where the rows stand, the first on top; shape (count,)."""
    return np.arange(count, 0, -1, dtype=np.float64) - 1.0


def name_rows(
    axes: Any, names: Sequence[str], colours: Sequence[str], notes: Sequence[str] = ()
) -> None:
    """Make the vertical axis one of groups: a name below which a note may stand.

    Parameters
    ----------
    axes : Axes
    names, colours : sequence of str, one for each row
    notes : sequence of str, optional
        Left out where rows are low.
    """
    count = len(names)
    lift = CURVE_HEIGHT / 3 if count <= MOST_CURVES else 0.0
    shown = [printable(name, 18) for name in names]
    if notes and count <= 6:
        shown = [f"{name}\n{note}" for name, note in zip(shown, notes, strict=True)]
    axes.set_yticks(baselines(count) + lift, shown)
    for label, colour in zip(axes.get_yticklabels(), colours, strict=True):
        label.set_color(colour)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.3 if count <= MOST_CURVES else -0.7, count - 0.05)
    axes.spines["left"].set_visible(False)

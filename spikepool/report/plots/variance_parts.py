"""Parts of the variance: of each group's mean neuron, one below the other up to the total."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikepool.diagnostics.variance_parts import TOTAL, GroupParts
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.labels import printable
from spikepool.report.plots.numbers import numbers, part, table, texts
from spikepool.report.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LIGHT,
    ORANGE,
    PURPLE,
    VERMILION,
    PlotStyle,
)

MOST_GROUPS: Final = 8
"""More groups stand in the picture's numbers alone."""
COLUMNS: Final = (
    *("group", "series", "kind", "neurons", "value", "lower", "upper"),
    *("share", "share_lower", "share_upper", "parameter"),
)
_COLOURS: Final = {
    "Poisson": LIGHT, "stimulus": GREEN, "slow drift": ORANGE, "shared": BLUE,
    "private": VERMILION, TOTAL: INK,
}  # fmt: skip
_ROW_MM: Final = 4.0


def prepare_variance_parts(groups: Sequence[GroupParts]) -> pd.DataFrame:
    """Lay out the parts of every group.

    Parameters
    ----------
    groups : sequence of GroupParts

    Returns
    -------
    DataFrame
        Part ``variance``: the `value` of every `series` (Poisson, stimulus, slow drift, shared,
        private, total) in units of the mean count, and its `share` of the total, with intervals;
        `kind` is what they take as independent. Part ``unknown``: what is missing, and why
        (`parameter`).
    """
    empty: dict[str, dict[str, object]] = {"variance": {}}
    frames = [table(empty, COLUMNS)]
    for each in groups:
        columns = ("value", "lower", "upper", "share", "share_lower", "share_upper")
        rows: dict[str, object] = {
            name: [getattr(of, name) for of in each.parts] for name in columns
        }
        rows |= {
            "group": each.group, "series": [of.name for of in each.parts], "kind": each.units,
            "neurons": each.neurons,
        }  # fmt: skip
        missing = {"group": each.group, "parameter": list(each.unknown)}
        frames.append(table({"variance": rows, "unknown": missing}, COLUMNS))
    return pd.concat(frames, ignore_index=True)


def draw_variance_parts(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw a panel for each group, in which every part begins where the one above it ends."""
    rows = part(data, "variance")
    rows = rows[np.isfinite(numbers(rows, "value"))]
    groups = list(dict.fromkeys(texts(rows, "group")))
    if not groups:
        return canvas.empty("There are no repeated trials with spikes to show.", about, style)
    shown = [rows[rows["group"] == group] for group in groups[:MOST_GROUPS]]
    with style.context():
        heights = [len(of) + 1.6 for of in shown]
        width = style.width(85)
        height = (_ROW_MM * sum(heights) + 12) * style.scale
        figure = canvas.new_figure(about, style, width, height)
        grid = figure.add_gridspec(len(shown), 1, height_ratios=heights)
        first = None
        for place, of in enumerate(shown):
            axes = figure.add_subplot(grid[place], sharex=first)
            first = first or axes
            _panel(axes, of, style, named=len(groups) > 1)
            axes.tick_params(axis="x", labelbottom=place == len(shown) - 1)
        axes.set_xlabel("variance / mean count")
        canvas.write_foot(figure, _foot(data, groups, about), style, width)
        canvas.settle(figure)
    return figure


def _panel(axes: Any, rows: pd.DataFrame, style: PlotStyle, *, named: bool) -> None:
    names, value = texts(rows, "series"), numbers(rows, "value")
    total = np.array([name == TOTAL for name in names])
    start = np.where(total, 0.0, np.concatenate([[0.0], np.cumsum(value)[:-1]]))
    y = np.arange(len(names))[::-1]
    colours = [_COLOURS.get(name, PURPLE) for name in names]
    axes.barh(y, value, 0.72, start, color=colours, linewidth=0, gid="parts")
    low, high = (start + numbers(rows, end) for end in ("lower", "upper"))
    axes.hlines(y, low, high, color=INK, linewidth=0.7 * style.scale, gid="intervals")
    for k in range(len(names) - 2):
        axes.plot([start[k + 1]] * 2, [y[k] + 0.36, y[k + 1] - 0.36], color=GREY,
                  linewidth=0.4 * style.scale, zorder=0.5)  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.5 * style.scale)
    axes.set_yticks(y, ["all the rest" if ", " in name else name for name in names])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.6, len(names) - 0.4)
    for place, text in zip(y, _shares(rows), strict=True):
        axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), va="center", color=INK,
                  gid="share")  # fmt: skip
    if named:
        of = f"{numbers(rows, 'neurons')[0]:,.0f} neurons"
        axes.set_title(f"{printable(texts(rows, 'group')[0], 18)} · {of}", loc="left", color=INK)


def _shares(rows: pd.DataFrame) -> list[str]:
    """Write the share of the total with its interval."""
    written = []
    ends = (100 * numbers(rows, name) for name in ("share", "share_lower", "share_upper"))
    for name, share, low, high in zip(texts(rows, "series"), *ends, strict=True):
        known = np.isfinite([low, high]).all() and name != TOTAL
        written.append(f"{share:z.0f} %" + (f" [{low:z.0f}, {high:z.0f}]" if known else ""))
    return [text.replace("-", "−") for text in written]


def _foot(data: pd.DataFrame, groups: Sequence[str], about: About) -> list[str]:
    """Say what is shown, and what is missing."""
    units = sorted(set(texts(part(data, "variance"), "kind")))
    method = f"{about.percent} intervals, jackknife over {' or '.join(units)}"
    sentences = [
        f"Mean neuron; each part begins where the one above it ends. Lines and brackets: {method}."
    ]
    unknown = part(data, "unknown")
    for clause in dict.fromkeys(texts(unknown, "parameter")):
        of = texts(unknown[unknown["parameter"] == clause], "group")
        where = "" if len(of) == len(groups) else f" ({', '.join(printable(g, 18) for g in of)})"
        sentences.append(f"Not known{where}: {clause}.")
    if len(groups) > MOST_GROUPS:
        sentences.append(f"{len(groups) - MOST_GROUPS} more groups are in the picture's numbers.")
    return sentences

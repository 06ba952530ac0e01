"""Fano factors of two sets, raw and at matched mean counts, beside the means that are matched."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikepool.diagnostics.mean_matching import MatchedPair
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.labels import printable
from spikepool.report.plots.log_axis import dress, log_range
from spikepool.report.plots.numbers import numbers, part, table, texts
from spikepool.report.plots.style import BLUE, INK, PALE, VERMILION, PlotStyle

MOST_PAIRS: Final = 5
"""More pairs stand in the picture's numbers alone."""
COLUMNS: Final = (
    *("pair", "kind", "group", "source", "series", "value", "lower", "upper"),
    *("reference", "reference_lower", "reference_upper"),
    *("difference", "difference_lower", "difference_upper"),
    *("low", "high", "freedom", "reference_freedom", "common"),
)
_OWN, _OTHER = BLUE, VERMILION
_METHODS: Final = {"raw": "raw", "matched": "matched", "posterior": "model"}
_APART: Final = 0.14
"""Distance of a set's mark from the middle of its row."""


def prepare_matched_fano(pairs: Sequence[MatchedPair]) -> pd.DataFrame:
    """Lay out every pair of sets.

    Parameters
    ----------
    pairs : sequence of MatchedPair

    Returns
    -------
    DataFrame
        `group` is compared with `source`, its reference; `kind` says what they are. Part ``fano``:
        `value` and `reference`, Fano factors by each method (`series`), and their `difference`,
        with intervals. Part ``means``: from `low` to `high` mean counts, the Σ (n − 1) trials of
        each set, and those in common.
    """
    empty: dict[str, dict[str, object]] = {"fano": {}, "means": {}}
    frames = [table(empty, COLUMNS)]
    for number, pair in enumerate(pairs):
        names = {"pair": number, "kind": pair.compared, "group": pair.name}
        names |= {"source": pair.reference}
        rows: dict[str, object] = {**names, "series": [each.method for each in pair.found]}
        columns = {"value": "fano", "reference": "reference_fano", "difference": "difference"}
        for column, field in columns.items():
            measured = [getattr(each, field) for each in pair.found]
            prefix = "" if column == "value" else f"{column}_"
            rows[column] = [each.value for each in measured]
            rows[f"{prefix}lower"] = [each.lower for each in measured]
            rows[f"{prefix}upper"] = [each.upper for each in measured]
        means = {
            **names, "low": pair.edges[:-1], "high": pair.edges[1:], "freedom": pair.freedom,
            "reference_freedom": pair.reference_freedom, "common": pair.common,
        }  # fmt: skip
        frames.append(table({"fano": rows, "means": means}, COLUMNS))
    return pd.concat(frames, ignore_index=True)


def draw_matched_fano(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw two panels for each pair: mean counts before and after matching, and Fano factors."""
    fano = part(data, "fano")
    known = fano[(fano["series"] == "raw") & np.isfinite(numbers(fano, "difference"))]
    pairs = list(dict.fromkeys(numbers(known, "pair")))
    if not pairs:
        sentence = "There are no two sets of neurons with repeated trials and spikes to compare."
        return canvas.empty(sentence, about, style)
    shown = [data[data["pair"] == pair] for pair in pairs[:MOST_PAIRS]]
    beside = style.columns(180)
    with style.context():
        rows, columns = (len(shown), 2) if beside else (2 * len(shown), 1)
        width, height = style.width(180), (32 if beside else 29) * rows * style.scale
        figure = canvas.new_figure(about, style, width, height)
        panels = figure.subplots(rows, columns, squeeze=False).ravel().reshape(-1, 2)
        for (left, right), own in zip(panels, shown, strict=True):
            _means(left, part(own, "means"), style)
            _name_sets(left, part(own, "fano"))
            _fano(right, part(own, "fano"), style)
        canvas.write_foot(figure, _foot(len(pairs), about), style, width)
        canvas.settle(figure)
    return figure


def _means(axes: Any, means: pd.DataFrame, style: PlotStyle) -> None:
    """Draw both distributions of mean counts as outlines, and what they have in common."""
    low, high = numbers(means, "low"), numbers(means, "high")
    edges = np.append(low, high[-1])
    line = {"linewidth": 1.0 * style.scale}
    dress(axes, "x", log_range(edges).without_rail(), style)
    axes.stairs(numbers(means, "common"), edges, fill=True, color=PALE, gid="common")
    for column, colour in (("freedom", _OWN), ("reference_freedom", _OTHER)):
        axes.stairs(numbers(means, column), edges, color=colour, gid=column, **line)
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="y", nbins=3, integer=True)
    axes.set_ylabel("trials")
    axes.set_xlabel("mean count (spikes/trial)")


def _name_sets(axes: Any, fano: pd.DataFrame) -> None:
    for column, loc, colour in (("group", "left", _OWN), ("source", "right", _OTHER)):
        axes.set_title(printable(texts(fano, column)[0], 18), loc=loc, color=colour)


def _fano(axes: Any, fano: pd.DataFrame, style: PlotStyle) -> None:
    """Draw a row for each method: both Fano factors, and their difference in numbers."""
    middle = np.arange(len(fano))[::-1].astype(float)
    columns = (("value", "lower", "upper"), ("reference", "reference_lower", "reference_upper"))
    for names, side, colour in zip(columns, (_APART, -_APART), (_OWN, _OTHER), strict=True):
        value, lower, upper = (numbers(fano, name) for name in names)
        y = middle + side
        axes.hlines(y, lower, upper, color=colour, linewidth=1.2 * style.scale, gid="interval")
        axes.plot(value, y, "o", color=colour, markersize=3 * style.scale, gid=names[0])
    axes.set_yticks(middle, [_METHODS[name] for name in texts(fano, "series")])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.5, len(fano) - 0.5)
    axes.locator_params(axis="x", nbins=5)
    for place, text in zip(middle, _differences(fano), strict=True):
        axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), va="center", color=INK,
                  gid="difference")  # fmt: skip
    axes.set_xlabel("Fano factor")


def _differences(fano: pd.DataFrame) -> list[str]:
    """Write the difference of the sets with its interval."""
    written = []
    names = ("difference", "difference_lower", "difference_upper")
    for value, low, high in zip(*(numbers(fano, name) for name in names), strict=True):
        if not np.isfinite(value):
            written.append("no common means")
            continue
        ends = f" [{low:.2f}, {high:.2f}]" if np.isfinite([low, high]).all() else ""
        written.append(f"{value:+.2f}{ends}".replace("-", "−"))
    return written


def _foot(pairs: int, about: About) -> list[str]:
    """Say what is shown."""
    told = (
        "Outlines: trials (less one of each neuron × condition) by mean count; grey: in common. "
        "Dots: Fano factors of all counts (raw), at the common distribution of mean counts "
        "(matched), and those of the model there; at the margin blue less orange. "
        f"{about.percent} intervals."
    )
    sentences = [told]
    if pairs > MOST_PAIRS:
        sentences.append(f"{pairs - MOST_PAIRS} more pairs are in the picture's numbers.")
    return sentences

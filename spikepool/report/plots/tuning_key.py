"""What stands below tuning curves: the tuning strength of every neuron, and what marks mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from spikepool.report.plots.about import About
from spikepool.report.plots.canvas import wrapped
from spikepool.report.plots.labels import printable
from spikepool.report.plots.numbers import numbers, part, texts
from spikepool.report.plots.style import BLUE, GREY, INK, VERMILION, PlotStyle, series_colours


@dataclass(frozen=True)
class Words:
    """What the rates of one neuron differ between, in words.

    Attributes
    ----------
    strength : str
        The spread of its log rates.
    between : str
    responses : str
        What has a rate.
    nothing : str
        Where no neuron has two of them.
    """

    strength: str
    between: str
    responses: str
    nothing: str


type Key = list[tuple[str, Any]]

_HANDLE: Final = 7
"""Width of a handle and the space beside it, in characters."""


def draw_strengths(axes: Any, neurons: pd.DataFrame, words: Words, style: PlotStyle) -> None:
    """Draw pooled against raw strength of every neuron; those with a panel are ringed."""
    raw, pooled = numbers(neurons, "raw_strength"), numbers(neurons, "strength")
    many = len(neurons) > 150
    top = 1.06 * float(np.nanmax([*raw, *pooled]))
    axes.plot([0, top], [0, top], color=INK, linewidth=0.6 * style.scale, gid="identity")
    axes.vlines(raw, numbers(neurons, "lower"), numbers(neurons, "upper"), color=BLUE,
                linewidth=0.4 * style.scale, alpha=0.08 if many else 0.3,
                gid="strength intervals")  # fmt: skip
    axes.scatter(raw, pooled, (4 if many else 9) * style.scale**2, color=BLUE, linewidth=0,
                 alpha=0.6 if many else 0.9, zorder=2.5, gid="strengths")  # fmt: skip
    shown = np.isfinite(numbers(neurons, "panel"))
    shown &= not shown.all()
    axes.scatter(raw[shown], pooled[shown], 12 * style.scale**2, facecolor="none", edgecolor=INK,
                 linewidth=0.7 * style.scale, zorder=3, gid="strengths shown")  # fmt: skip
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.set_xlabel(f"raw {words.strength}")
    axes.set_ylabel(f"pooled {words.strength}")


def key_mm(key: Key) -> float:
    """Height of a key on paper, with its spaces."""
    return sum(3.1 * (text.count("\n") + 1) + 1.0 for text, _ in key) + 3.0


def key_of(
    data: pd.DataFrame, about: About, sentences: Sequence[str], width_mm: float, style: PlotStyle
) -> Key:
    """Say what the marks mean, and then some sentences; broken to a width."""
    key = _marks(data, about, style) + [(text, Patch(visible=False)) for text in sentences]
    room = width_mm - style.characters_mm(_HANDLE)
    return [("\n".join(wrapped(text, room, style)), handle) for text, handle in key]


def _marks(data: pd.DataFrame, about: About, style: PlotStyle) -> Key:
    axis, series = part(data, "axis"), texts(part(data, "series"), "series")
    raw, pooled = (VERMILION, BLUE) if len(series) == 1 else (INK, INK)
    dot = texts(axis, "kind")[0] == "categorical"
    key: Key = [
        ("raw rate", _mark(raw, style)),
        (f"pooled rate: median, {about.percent} interval", _line(pooled, style, dot=dot)),
        ("mean of the neuron's pooled rates", _line(GREY, style, dashed=True)),
    ]
    if len(series) == 1:
        return key
    name = texts(axis, "series")[0]
    return key + [
        (printable(f"{name} {label}", 24), _line(colour, style, dot=dot))
        for label, colour in zip(series, series_colours(len(series)), strict=True)
    ]


def sentences_on(neurons: pd.DataFrame, words: Words) -> list[str]:
    """Say which neurons have a panel, and what the numbers are."""
    shown, of = int(np.isfinite(numbers(neurons, "panel")).sum()), len(neurons)
    choice = (
        f"Shown are {shown} of {of:,} neurons, one of each twelfth by {words.strength}, the "
        "strongest first; by turns that of least and of most own weight."
        if shown < of
        else f"Neurons by {words.strength}, the strongest first."
    )
    ringed = "; ringed: neurons shown" if shown < of else ""
    meaning = (
        f"κ: mean own weight of the neuron's {words.responses}. {words.strength.capitalize()}: "
        f"sd of ln rates between {words.between}{ringed}."
    )
    return [choice, meaning]


def draw_key(axes: Any, key: Key) -> None:
    """Write the key at the top left of its place."""
    axes.set_axis_off()
    legend = axes.legend(
        [handle for _, handle in key],
        [text for text, _ in key],
        loc="upper left",
        bbox_to_anchor=(0, 1),
        handlelength=2.2,
        handletextpad=0.8,
        labelspacing=0.35,
    )
    legend.set_in_layout(False)


def _mark(colour: str, style: PlotStyle) -> Line2D:
    return Line2D([], [], linestyle="", marker="o", markersize=3 * style.scale,
                  markeredgecolor=colour, markerfacecolor="white",
                  markeredgewidth=0.7 * style.scale)  # fmt: skip


def _line(colour: str, style: PlotStyle, *, dashed: bool = False, dot: bool = False) -> Line2D:
    return Line2D([], [], color=colour, linewidth=(0.6 if dashed else 1.0) * style.scale,
                  linestyle=(0, (4, 2)) if dashed else "-", marker="o" if dot else "",
                  markersize=2.8 * style.scale)  # fmt: skip

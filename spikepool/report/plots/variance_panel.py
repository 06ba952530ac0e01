"""Variance against mean count, with the Poisson line and the populations' curves."""

from typing import Any, Final

import numpy as np
import pandas as pd

from spikepool.report.plots.about import About
from spikepool.report.plots.labels import printable, spread
from spikepool.report.plots.log_axis import LogRange, dress, log_range
from spikepool.report.plots.numbers import numbers, texts
from spikepool.report.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    INK,
    LIGHT,
    PALE,
    PURPLE,
    VERMILION,
    PlotStyle,
)

VERDICTS: Final = (
    ("undecided", "undecided", LIGHT),
    ("poisson", "as Poisson", INK),
    ("under", "under Poisson", BLUE),
    ("over", "over Poisson", VERMILION),
)
_FAMILIES: Final = {
    "nb2": (GREEN, "-", "— NB2, typical neuron"),
    "nb1": (PURPLE, (0, (4, 1.5)), "-- NB1, typical neuron"),
}
_MOST_RIBBONS: Final = 3
"""Groups whose curves have a ribbon and a name."""
_PANEL_MM: Final = 60.0
"""About the width of the axes on paper."""
FEW: Final = 60
"""Up to this many neurons, each shows its own Poisson band."""


def draw_variance(
    panel: Any,
    data: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    about: About,
    style: PlotStyle,
) -> None:
    """Draw the points over the Poisson line, its band, and the populations' curves.

    Parameters
    ----------
    data : tuple of DataFrame
        The parts ``neuron``, ``poisson`` and ``curve``.
    """
    neurons, poisson, curve = data
    axes = panel.subplots()
    mean, variance = numbers(neurons, "mean_count"), numbers(neurons, "variance")
    both = log_range(mean, variance[variance > 0], least_fold=10)
    up = both.with_rail() if (variance == 0).any() else both
    _poisson(axes, neurons, poisson, up, style)
    lines = _curves(axes, curve, up, style)
    _name_curves(axes, curve, both, up, style)
    scatter_by_verdict(axes, mean, up.place(variance), texts(neurons, "verdict"), style)
    dress(axes, "x", both, style)
    dress(axes, "y", up, style)
    axes.set_aspect("equal", adjustable="box")
    axes.set_xlabel("mean count (spikes/trial)")
    axes.set_ylabel("variance (spikes²/trial²)")
    _verdict_key(axes, texts(neurons, "verdict"), style)
    _line_key(axes, [(BLACK, f"— Poisson, {about.percent} band"), *lines], up, style)


def _poisson(
    axes: Any, neurons: pd.DataFrame, poisson: pd.DataFrame, up: LogRange, style: PlotStyle
) -> None:
    """Draw the line, and its band: of each neuron where they are few, else as a ribbon."""
    axes.plot([up.low, up.high], [up.low, up.high], color=BLACK, linewidth=0.8 * style.scale,
              gid="poisson")  # fmt: skip
    if len(neurons) <= FEW:
        mean = numbers(neurons, "mean_count")
        ends = [up.clip(mean * numbers(neurons, end)) for end in ("lower", "upper")]
        axes.vlines(mean, *ends, color=PALE, alpha=0.6, linewidth=3.5 * style.scale,
                    gid="poisson band")  # fmt: skip
        return
    ends = [up.clip(numbers(poisson, end)) for end in ("lower", "upper")]
    axes.fill_between(numbers(poisson, "mean_count"), *ends, color=PALE, alpha=0.6, linewidth=0,
                      gid="poisson band")  # fmt: skip


def scatter_by_verdict(axes: Any, x: Any, y: Any, verdicts: list[str], style: PlotStyle) -> None:
    """Draw points in the colours of their verdicts, the rarer meanings on top."""
    size = (4 if len(verdicts) > 150 else 11) * style.scale**2
    found = np.array(verdicts)
    for name, _, colour in VERDICTS:
        rows = found == name
        axes.scatter(x[rows], y[rows], size, color=colour, linewidth=0, alpha=0.85, zorder=3,
                     gid=name)  # fmt: skip


def _curves(
    axes: Any, curve: pd.DataFrame, up: LogRange, style: PlotStyle
) -> list[tuple[str, str]]:
    """Draw each population's curve with its ribbon; return colours and words of the key."""
    kinds = list(dict.fromkeys(zip(texts(curve, "family"), texts(curve, "group"), strict=True)))
    groups = len({group for _, group in kinds})
    for family, group in kinds:
        rows = curve[(curve["family"] == family) & (curve["group"] == group)]
        colour, dashes, _ = _FAMILIES[family]
        grid = numbers(rows, "mean_count")
        if groups <= _MOST_RIBBONS:
            ends = [up.clip(numbers(rows, end)) for end in ("lower", "upper")]
            axes.fill_between(grid, *ends, color=colour, alpha=0.25, linewidth=0,
                              gid=f"{family} ribbon")  # fmt: skip
        axes.plot(grid, numbers(rows, "variance"), color=colour, linestyle=dashes, zorder=4,
                  linewidth=1.1 * style.scale, gid=family)  # fmt: skip
    families = dict.fromkeys(family for family, _ in kinds)
    whose = "typical neuron" if groups <= _MOST_RIBBONS else f"{groups:,} groups"
    words = {family: _FAMILIES[family][2].replace("typical neuron", whose) for family in families}
    return [(_FAMILIES[family][0], text) for family, text in words.items()]


def _name_curves(
    axes: Any, curve: pd.DataFrame, both: LogRange, up: LogRange, style: PlotStyle
) -> None:
    """Name the curves of a few groups above the edge where they leave the axes."""
    kinds = list(dict.fromkeys(zip(texts(curve, "family"), texts(curve, "group"), strict=True)))
    if not 1 < len({group for _, group in kinds}) <= _MOST_RIBBONS:
        return
    names, ends = [printable(group, 8) for _, group in kinds], []
    for family, group in kinds:
        rows = curve[(curve["family"] == family) & (curve["group"] == group)]
        inside = np.flatnonzero(numbers(rows, "variance") <= up.high)
        ends.append(
            both.fraction(float(numbers(rows, "mean_count")[inside[-1:]].sum() or both.high))
        )
    gap = style.characters_mm(max(map(len, names)) + 1) / (_PANEL_MM * style.scale)
    places = spread(np.array(ends), gap, 0.5, 1.0)
    for (family, _), name, place in zip(kinds, names, places, strict=True):
        colour = _FAMILIES[family][0]
        axes.annotate(name, (place, 1), (0, 1.5), xycoords="axes fraction", ha="center",
                      textcoords="offset points", va="bottom", color=colour)  # fmt: skip


def _verdict_key(axes: Any, verdicts: list[str], style: PlotStyle) -> None:
    """Count the verdicts in the corner where variances are far above Poisson."""
    lines = [
        (GREY if name == "undecided" else colour, f"● {label}: {verdicts.count(name):,}")
        for name, label, colour in VERDICTS[::-1]
        if name in verdicts
    ]
    for level, (colour, text) in enumerate(lines):
        axes.annotate(
            text, (0, 1), (4, -1 - 1.3 * style.font_pt * level), xycoords="axes fraction",
            textcoords="offset points", va="top", color=colour,
        )  # fmt: skip


def _line_key(axes: Any, lines: list[tuple[str, str]], up: LogRange, style: PlotStyle) -> None:
    """Say what the lines are in the corner where variances are far below Poisson."""
    foot = up.fraction(up.low) if up.rail is not None else 0.0
    for level, (colour, text) in enumerate(lines):
        axes.annotate(
            text, (1, foot), (0, 2 + 1.3 * style.font_pt * level), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="bottom", color=colour,
        )  # fmt: skip

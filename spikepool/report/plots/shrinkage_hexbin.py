"""Shrinkage of many neurons: hexagons of pooled against raw rate."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from spikepool.data.spike_counts import FloatArray
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.labels import label_stack, printable
from spikepool.report.plots.log_axis import LogRange, dress, log_range
from spikepool.report.plots.moved import most_moved
from spikepool.report.plots.numbers import numbers, texts
from spikepool.report.plots.population import draw_levels, settle_with_names
from spikepool.report.plots.style import BLACK, INK, VERMILION, PlotStyle, density_colours

CELLS: Final = 34


def draw_hexbin(
    neurons: pd.DataFrame, population: pd.DataFrame, about: About, style: PlotStyle
) -> Figure:
    """Draw pooled against raw rate with the identity line; name the ten most moved neurons."""
    with style.context():
        figure = canvas.new_figure(about, style, style.width(85), style.height(0.8, 85, 110))
        axes = figure.subplots()
        raw, partial = numbers(neurons, "raw"), numbers(neurons, "partial")
        across = log_range(raw, partial)
        up = across.without_rail()
        axes.set_xlabel(f"raw rate ({about.rate_unit})")
        axes.set_ylabel(f"partially pooled rate ({about.rate_unit})")
        draw_levels(axes, population, "partial", style)
        axes.plot([up.low, up.high], [up.low, up.high], color=INK, linewidth=0.6 * style.scale,
                  zorder=1.5, gid="identity")  # fmt: skip
        _silent(axes, partial[raw == 0], across, style)
        _hexagons(figure, axes, raw[raw > 0], partial[raw > 0], up)
        dress(axes, "x", across, style)
        dress(axes, "y", up, style)
        axes.set_aspect("equal", adjustable="box")
        moved = neurons.iloc[most_moved(neurons)]
        _marks(axes, moved, style)
        settle_with_names(figure, axes, population, "partial", style)
        _names(axes, neurons, moved, style)
    return figure


def _silent(axes: Any, partial: FloatArray, across: LogRange, style: PlotStyle) -> None:
    if partial.size:
        axes.scatter(np.full(partial.size, across.rail), partial, 14 * style.scale**2, marker="_",
                     color=BLACK, linewidth=0.4 * style.scale, zorder=3, gid="silent")  # fmt: skip


def _hexagons(
    figure: Figure, axes: Any, raw: FloatArray, partial: FloatArray, span: LogRange
) -> None:
    if not raw.size:
        return
    extent = np.log10([span.low, span.high, span.low, span.high])
    cells = axes.hexbin(
        raw, partial, xscale="log", yscale="log", extent=tuple(extent), mincnt=1,
        gridsize=(CELLS, round(CELLS / np.sqrt(3))), cmap=density_colours(), linewidths=0.1,
        zorder=2,
    )  # fmt: skip
    cells.set_norm(LogNorm(1, max(2, float(cells.get_array().max()))))
    bar = figure.colorbar(cells, ax=axes, shrink=0.45, aspect=10, anchor=(0, 1), pad=0.02)
    most = int(cells.get_array().max())
    ticks = [tick for tick in (1, 10, 100, 1000, 10000) if tick < most / 2]
    bar.set_ticks([*ticks, max(2, most)])
    bar.ax.yaxis.set_major_formatter("{x:,.0f}")
    bar.ax.minorticks_off()
    bar.set_label("neurons")
    bar.outline.set_visible(False)


def _marks(axes: Any, moved: pd.DataFrame, style: PlotStyle) -> None:
    """Mark the most moved, each with the way it came from the identity line."""
    raw, partial = numbers(moved, "raw"), numbers(moved, "partial")
    axes.vlines(raw, raw, partial, color=VERMILION, linewidth=0.7 * style.scale, zorder=3,
                gid="moved")  # fmt: skip
    axes.scatter(raw, partial, 7 * style.scale**2, color=VERMILION, edgecolor="white",
                 linewidth=0.3 * style.scale, zorder=4)  # fmt: skip


def _names(axes: Any, neurons: pd.DataFrame, moved: pd.DataFrame, style: PlotStyle) -> None:
    """Name risen neurons above the cloud and fallen ones below it."""
    everyone, points = _on_axes(axes, neurons), _on_axes(axes, moved)
    raw, partial = numbers(moved, "raw"), numbers(moved, "partial")
    names = np.array([printable(name) for name in texts(moved, "neuron")], dtype=object)
    for sign, chosen in ((1, partial >= raw), (-1, partial < raw)):
        if not chosen.any():
            continue
        width = style.characters_mm(max(len(name) for name in names[chosen]))
        share = width * axes.figure.dpi / canvas.MM_PER_INCH / axes.get_window_extent().width
        at, start = _stack_place(sign * everyone, sign * points[chosen], share, (1 - sign) / 2)
        label_stack(
            axes, raw[chosen], partial[chosen], list(names[chosen]), style,
            at=sign * at, side="right" if sign > 0 else "left", start=sign * start,
        )  # fmt: skip


def _on_axes(axes: Any, neurons: pd.DataFrame) -> FloatArray:
    """Where neurons with spikes stand, as fractions of the axes; shape (n, 2)."""
    raw, partial = numbers(neurons, "raw"), numbers(neurons, "partial")
    points = np.column_stack((raw, partial))[raw > 0]
    return np.asarray(axes.transAxes.inverted().transform(axes.transData.transform(points)))


def _stack_place(
    cloud: FloatArray, points: FloatArray, share: float, origin: float
) -> tuple[float, float]:
    """Find the inner edge and the foot of a stack of names that clears the cloud.

    Both are in the coordinates of `cloud`, which run from −`origin` to 1 − `origin`.
    """
    at = min(float(points[:, 0].max()) + 0.03, 1 - origin - share)
    under = (cloud[:, 0] > at - 0.03) & (cloud[:, 0] < at + share + 0.03)
    foot = max(float(points[:, 1].max()), float(cloud[under, 1].max(initial=-origin)))
    return at, foot + 0.03

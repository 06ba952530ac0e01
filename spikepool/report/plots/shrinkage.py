"""Shrinkage: every neuron's raw rate, its partially pooled rate, and the population."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from spikepool.data.spike_counts import FloatArray
from spikepool.posterior.results import NeuronEstimates, PopulationParameter
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.labels import label_column, printable
from spikepool.report.plots.log_axis import LogRange, dress, log_range
from spikepool.report.plots.moved import most_moved
from spikepool.report.plots.numbers import numbers, part, table, texts
from spikepool.report.plots.population import by_group
from spikepool.report.plots.shrinkage_hexbin import draw_hexbin
from spikepool.report.plots.style import BLACK, PALE, PlotStyle, weight_colours

MOST_LINES: Final = 150
"""With more neurons than this, lines give way to hexagons."""

_MOST_NAMED: Final = 28
"""Groups whose strips are named."""
_SHARE_OF_STRIPS: Final = 0.48
"""Of the width, where there are many groups."""
_LONG_NAMES: Final = 0.25
"""Share of the width that names may take before the words below need room."""

COLUMNS: Final = (
    "neuron", "group", "n_trials", "raw", "partial", "lower", "upper", "own_weight",
)  # fmt: skip


def prepare_shrinkage(
    estimates: NeuronEstimates,
    population: Sequence[PopulationParameter],
    groups: Sequence[str] = (),
) -> pd.DataFrame:
    """Raw and pooled rates of each neuron, and the population they are pulled to.

    Parameters
    ----------
    estimates : NeuronEstimates
        Of a partially pooled model.
    population : sequence of PopulationParameter
        Of the same model; ``mu`` and ``tau`` are used.
    groups : sequence of str, optional
        Of every neuron, where there are several.

    Returns
    -------
    DataFrame
        Part ``neuron``: `raw`, `partial` (posterior median) with `lower` and `upper`, in the
        rate's unit, `own_weight` and `n_trials`. Part ``population``, one row per group:
        `partial` is exp μ, `lower` and `upper` are exp(μ ∓ τ), at posterior medians.
    """
    mu, tau = by_group(population, "mu"), by_group(population, "tau")
    centre = np.array([parameter.median for parameter in mu.values()])
    spread = np.array([tau[group].median if group in tau else np.nan for group in mu])
    neurons = {
        "neuron": estimates.neurons,
        "group": groups or "",
        "n_trials": estimates.n_trials,
        "raw": estimates.rate_raw,
        "partial": estimates.rate.median,
        "lower": estimates.rate.lower,
        "upper": estimates.rate.upper,
        "own_weight": estimates.own_weight.mean,
    }
    typical = {
        "group": list(mu),
        "partial": np.exp(centre),
        "lower": np.exp(centre - spread),
        "upper": np.exp(centre + spread),
    }
    return table({"neuron": neurons, "population": typical}, COLUMNS)


def draw_shrinkage(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw lines from raw to pooled rates; above 150 neurons, hexagons of one against the other."""
    neurons = part(data, "neuron")
    seen = np.isfinite(numbers(neurons, "raw")) & (numbers(neurons, "partial") > 0)
    neurons, population = neurons[seen], part(data, "population")
    if not len(neurons):
        return canvas.empty("There is no neuron with a rate to show.", about, style)
    if len(neurons) > MOST_LINES:
        return draw_hexbin(neurons, population, about, style)
    return _draw_lines(neurons, population, about, style)


def _draw_lines(
    neurons: pd.DataFrame, population: pd.DataFrame, about: About, style: PlotStyle
) -> Figure:
    with style.context():
        width = style.width(_natural_mm(len(population)))
        figure = canvas.new_figure(about, style, width, style.height(0.95, 85, 100))
        axes = figure.subplots()
        band = [numbers(population, name) for name in ("partial", "lower", "upper")]
        rates = [numbers(neurons, name) for name in ("raw", "partial")]
        span = log_range(*rates, *band)
        named = _named(neurons)
        _columns(axes, neurons, population, named, style)
        dress(axes, "y", span, style)
        axes.set_ylabel(f"rate ({about.rate_unit})")
        _lines(axes, neurons, span, style)
        _population(axes, population, style)
        _members(axes, neurons, population, style)
        bar = _weight_bar(figure, axes)
        canvas.settle(figure)
        _width_key(figure, bar, neurons, style)
        _name_band(axes, population, style)
        chosen = neurons.iloc[named]
        raw = span.place(numbers(chosen, "raw"))
        foot = span.fraction(span.low) if (numbers(chosen, "raw") > 0).all() else 0.0
        label_column(
            axes, np.zeros(raw.size), raw, texts(chosen, "neuron"), style,
            at=_fraction(axes, -0.07), side="left", within=(foot, 1.0),
        )  # fmt: skip
    return figure


def _natural_mm(groups: int) -> float:
    """Width on paper: a column, and more where the names of many groups need it."""
    return 85.0 + 4.5 * min(20, max(0, groups - 8))


def _named(neurons: pd.DataFrame) -> list[int]:
    """Return rows to name: all of a dozen, else the ten most moved."""
    if len(neurons) <= 12:
        return list(range(len(neurons)))
    return most_moved(neurons)


def _columns(
    axes: Any, neurons: pd.DataFrame, population: pd.DataFrame, named: list[int], style: PlotStyle
) -> None:
    """Lay out the columns: names, raw at 0, partial at 1, then a strip for each group."""
    longest = max((len(printable(texts(neurons, "neuron")[row])) for row in named), default=0)
    share = min(
        0.4, style.characters_mm(longest + 1) / (0.68 * style.width(_natural_mm(len(population))))
    )
    strips = _strips(len(population))
    right = strips[-1][1] + 0.08 if strips else 1.25
    axes.set_xlim(-0.1 - share * (right + 0.1) / (1 - share), right)
    groups = [printable(group, 8) for group in texts(population, "group")]
    most_named = _most_named(style, style.width(_natural_mm(len(groups))))
    if len(groups) > most_named:
        groups = [""] * len(groups)
        groups[len(groups) // 2] = f"{len(groups):,} groups"
    if len(groups) == 1:
        groups = ["population"]
    axes.set_xticks(
        [0, 1, *((low + high) / 2 for low, high in strips)], ["raw", "partial", *groups]
    )
    if groups == ["population"] and share > _LONG_NAMES:
        axes.get_xticklabels()[-1].set_horizontalalignment("left")
    if 3 < len(groups) <= most_named:
        axes.tick_params(axis="x", labelrotation=90)
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)


def _most_named(style: PlotStyle, width_mm: float) -> int:
    """Names of groups, written upwards, that have room beside one another."""
    line_mm = 1.15 * style.font_pt * 25.4 / 72
    return min(_MOST_NAMED, int(_SHARE_OF_STRIPS * width_mm / line_mm))


def _strips(count: int) -> list[tuple[float, float]]:
    width = 0.5 if count == 1 else 0.42 if count <= 3 else max(0.9, 0.11 * min(count, 28)) / count
    return [(1.25 + i * 1.12 * width, 1.25 + i * 1.12 * width + width) for i in range(count)]


def _lines(axes: Any, neurons: pd.DataFrame, span: LogRange, style: PlotStyle) -> None:
    raw, partial = span.place(numbers(neurons, "raw")), span.place(numbers(neurons, "partial"))
    weight = numbers(neurons, "own_weight")
    on_top = np.argsort(-np.nan_to_num(weight), kind="stable")
    segments = [[(0.0, raw[row]), (1.0, partial[row])] for row in on_top]
    colours = weight_colours()(np.clip(weight, 0, 1))[on_top]
    thick = trial_widths(numbers(neurons, "n_trials"), style)[on_top]
    axes.add_collection(LineCollection(segments, colors=colours, linewidths=thick, gid="neurons"))
    size = (6 if len(neurons) <= 60 else 3) * style.scale**2
    axes.scatter(0 * raw, raw[on_top], size, facecolor="white", edgecolor=colours,
                 linewidth=0.6 * style.scale, zorder=3, clip_on=False)  # fmt: skip
    axes.scatter(0 * raw + 1, partial[on_top], size, color=colours, linewidth=0, zorder=3)


def trial_widths(trials: FloatArray, style: PlotStyle) -> FloatArray:
    """Line widths in points, growing with the logarithm of the number of trials."""
    logs = np.log(np.maximum(trials, 1))
    extent = float(np.ptp(logs))
    grown = (logs - logs.min()) / extent if extent > 0 else np.full(logs.size, 0.4)
    return style.scale * (0.5 + 1.5 * grown) * (1 if trials.size <= 40 else 0.6)


def _population(axes: Any, population: pd.DataFrame, style: PlotStyle) -> None:
    for (low, high), (_, row) in zip(_strips(len(population)), population.iterrows(), strict=True):
        if np.isfinite(row["lower"]):
            axes.fill_between([low, high], row["lower"], row["upper"], color=PALE, linewidth=0,
                              gid="tau band")  # fmt: skip
        axes.plot([low, high], [row["partial"]] * 2, color=BLACK, linewidth=1.2 * style.scale,
                  gid="population")  # fmt: skip


def _members(axes: Any, neurons: pd.DataFrame, population: pd.DataFrame, style: PlotStyle) -> None:
    """Put each neuron's pooled rate into the strip of its group, where there are several."""
    if len(population) == 1:
        return
    strips = zip(_strips(len(population)), texts(population, "group"), strict=True)
    for (low, high), group in strips:
        own = neurons[neurons["group"] == group]
        middle = np.full(len(own), (low + high) / 2)
        colours = weight_colours()(np.clip(numbers(own, "own_weight"), 0, 1))
        axes.scatter(middle, numbers(own, "partial"), 3 * style.scale**2, color=colours,
                     linewidth=0, zorder=3, gid="members")  # fmt: skip


def _name_band(axes: Any, population: pd.DataFrame, style: PlotStyle) -> None:
    """Write −τ and +τ into every band that is high enough, where there are few."""
    if len(population) > 3:
        return
    for (_, right), (_, row) in zip(_strips(len(population)), population.iterrows(), strict=True):
        ends = np.array([[right, row["lower"]], [right, row["upper"]]])
        low, high = axes.transData.transform(ends)[:, 1]
        if not high - low > 4 * style.font_pt * axes.figure.dpi / 72:
            continue
        look = {"textcoords": "offset points", "ha": "right"}
        axes.annotate("−τ", (right, row["lower"]), (-1, 1.5), va="bottom", **look)
        axes.annotate("+τ", (right, row["upper"]), (-1, -1.5), va="top", **look)


def _weight_bar(figure: Figure, axes: Any) -> Any:
    bar = figure.colorbar(
        ScalarMappable(cmap=weight_colours()),
        ax=axes, shrink=0.45, aspect=10, anchor=(0, 1), pad=0.02, ticks=[0, 0.5, 1],
    )  # fmt: skip
    bar.set_label("own weight")
    bar.outline.set_visible(False)
    return bar


def _width_key(figure: Figure, bar: Any, neurons: pd.DataFrame, style: PlotStyle) -> None:
    """Below the colour bar: how many trials a thin and a thick line stand for."""
    trials = numbers(neurons, "n_trials")
    widths = trial_widths(trials, style)
    rows = dict.fromkeys((int(np.argmin(trials)), int(np.argmax(trials))))
    if trials.min() == trials.max():
        return
    handles = [Line2D([], [], color=BLACK, linewidth=widths[row]) for row in rows]
    box = bar.ax.get_position()
    figure.legend(
        handles, [f"{trials[row]:,.0f}" for row in rows], title="trials", loc="upper left",
        bbox_to_anchor=(box.x0, box.y0 - 0.06), alignment="left", handlelength=0.9,
        handletextpad=0.4,
    )  # fmt: skip


def _fraction(axes: Any, x: float) -> float:
    low, high = axes.get_xlim()
    return float((x - low) / (high - low))

"""Pictures of pooled estimates on a linear axis: shrinkage, and a forest."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from spikepool.data.estimates import Estimates
from spikepool.posterior.normal_results import NormalPosterior
from spikepool.report.plots import canvas
from spikepool.report.plots.about import AboutEstimates
from spikepool.report.plots.labels import label_column, printable
from spikepool.report.plots.numbers import numbers, part, table, texts
from spikepool.report.plots.style import BLACK, BLUE, PALE, VERMILION, PlotStyle, weight_colours

MOST_ROWS: Final = 60
"""With more neurons than this the forest has ranks on an axis instead of named rows."""
COLUMNS: Final = (
    "neuron", "raw", "raw_lower", "raw_upper", "pooled", "lower", "upper", "own_weight",
)  # fmt: skip
_MOST_NAMED: Final = 12
_ROW_MM: Final = 3.4


def prepare_estimates(
    estimates: Estimates, posterior: NormalPosterior, reach: float
) -> pd.DataFrame:
    """Raw and pooled estimates of each neuron, and the population they are pulled to.

    Parameters
    ----------
    estimates : Estimates
    posterior : NormalPosterior
    reach : float
        Half width of the raw estimates' intervals in standard errors, such as 1.96.

    Returns
    -------
    DataFrame
        Part ``neuron``, by increasing pooled estimate: `raw` with `raw_lower` and `raw_upper`,
        `pooled` (posterior mean) with `lower` and `upper`, and `own_weight`. Part ``population``,
        where there is one: `pooled` is μ, `lower` and `upper` are μ ∓ τ, at posterior medians.
    """
    order = np.argsort(posterior.theta.mean, kind="stable")
    raw, half = estimates.estimate[order], reach * estimates.standard_error[order]
    neurons = {
        "neuron": [estimates.neurons[row] for row in order],
        "raw": raw,
        "raw_lower": raw - half,
        "raw_upper": raw + half,
        "pooled": posterior.theta.mean[order],
        "lower": posterior.theta.lower[order],
        "upper": posterior.theta.upper[order],
        "own_weight": posterior.own_weight.mean[order],
    }
    found = {each.parameter: each.median for each in posterior.population}
    population: dict[str, object] = {}
    if "mu" in found:
        mu, tau = found["mu"], found.get("tau", 0.0)
        population = {"pooled": [mu], "lower": [mu - tau], "upper": [mu + tau]}
    return table({"neuron": neurons, "population": population}, COLUMNS)


def draw_estimate_shrinkage(data: pd.DataFrame, about: AboutEstimates, style: PlotStyle) -> Figure:
    """Draw lines from raw to pooled estimates, coloured by own weight, beside the population."""
    neurons, population = part(data, "neuron"), part(data, "population")
    with style.context():
        width = style.width(85)
        figure = canvas.new_figure(about, style, width, style.height(0.95, 85, 100))
        axes = figure.subplots()
        named = _named(neurons)
        longest = max(len(printable(texts(neurons, "neuron")[row])) for row in named)
        share = min(0.4, style.characters_mm(longest + 1) / (0.68 * width))
        axes.set_xlim(-0.1 - share * 1.95 / (1 - share), 1.85)
        ticks = {0.0: "raw", 1.0: "pooled"} | ({1.5: "population"} if len(population) else {})
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.tick_params(axis="x", length=0)
        axes.spines["bottom"].set_visible(False)
        axes.set_ylabel("estimate")
        _lines(axes, neurons, style)
        _population(axes, population, style)
        axes.margins(y=0.04)
        bar = figure.colorbar(
            ScalarMappable(cmap=weight_colours()),
            ax=axes, shrink=0.45, aspect=10, anchor=(0, 1), pad=0.02, ticks=[0, 0.5, 1],
        )  # fmt: skip
        bar.set_label("own weight")
        bar.outline.set_visible(False)
        canvas.settle(figure)
        chosen = neurons.iloc[named]
        low, high = axes.get_xlim()
        label_column(
            axes, np.zeros(len(chosen)), numbers(chosen, "raw"), texts(chosen, "neuron"), style,
            at=(-0.07 - low) / (high - low), side="left",
        )  # fmt: skip
    return figure


def _named(neurons: pd.DataFrame) -> list[int]:
    """Return rows to name, the most moved first."""
    moved = np.abs(numbers(neurons, "pooled") - numbers(neurons, "raw"))
    return [int(row) for row in np.argsort(-moved, kind="stable")[:_MOST_NAMED]]


def _lines(axes: Any, neurons: pd.DataFrame, style: PlotStyle) -> None:
    raw, pooled = numbers(neurons, "raw"), numbers(neurons, "pooled")
    weight = numbers(neurons, "own_weight")
    on_top = np.argsort(-weight, kind="stable")
    colours = weight_colours()(np.clip(weight, 0, 1))[on_top]
    segments = [[(0.0, raw[row]), (1.0, pooled[row])] for row in on_top]
    thick = (0.9 if len(neurons) <= MOST_ROWS else 0.4) * style.scale
    axes.add_collection(LineCollection(segments, colors=colours, linewidths=thick, gid="neurons"))
    size = (6 if len(neurons) <= MOST_ROWS else 2) * style.scale**2
    axes.scatter(0 * raw, raw[on_top], size, facecolor="white", edgecolor=colours,
                 linewidth=0.6 * style.scale, zorder=3, gid="raw")  # fmt: skip
    axes.scatter(0 * raw + 1, pooled[on_top], size, color=colours, linewidth=0, zorder=3,
                 gid="pooled")  # fmt: skip


def _population(axes: Any, population: pd.DataFrame, style: PlotStyle) -> None:
    for _, row in population.iterrows():
        axes.fill_between([1.25, 1.75], row["lower"], row["upper"], color=PALE, linewidth=0,
                          gid="tau band")  # fmt: skip
        axes.plot([1.25, 1.75], [row["pooled"]] * 2, color=BLACK, linewidth=1.2 * style.scale,
                  gid="population")  # fmt: skip


def draw_estimate_forest(data: pd.DataFrame, about: AboutEstimates, style: PlotStyle) -> Figure:
    """Draw raw and pooled estimates with their intervals; above 60 neurons, by rank."""
    neurons = part(data, "neuron")
    few = len(neurons) <= MOST_ROWS
    with style.context():
        height = (_ROW_MM * len(neurons) + 24 if few else 120) * style.scale
        figure = canvas.new_figure(about, style, style.width(85), height)
        axes = figure.subplots()
        y = np.arange(1, len(neurons) + 1)
        lift, thick = (0.16, 0.8) if few else (0.0, 0.25)
        for prefix, centre, shift, colour in (
            ("raw_", "raw", lift, VERMILION), ("", "pooled", -lift, BLUE),
        ):  # fmt: skip
            ends = (numbers(neurons, f"{prefix}{end}") for end in ("lower", "upper"))
            if few or centre == "pooled":
                axes.hlines(y + shift, *ends, color=colour, linewidth=thick * style.scale,
                            alpha=1 if few else 0.4, gid=f"{centre} intervals")  # fmt: skip
            axes.scatter(numbers(neurons, centre), y + shift, (10 if few else 1) * style.scale**2,
                         facecolor="white" if few and centre == "raw" else colour,
                         edgecolor=colour, linewidth=(0.8 if few else 0) * style.scale, zorder=3,
                         gid=centre)  # fmt: skip
        if few:
            axes.set_yticks(y, [printable(name, 18) for name in texts(neurons, "neuron")])
            axes.tick_params(axis="y", length=0)
        else:
            axes.set_ylabel("neurons, by pooled estimate")
        axes.set_xlabel("estimate")
        axes.set_ylim(0.3, len(neurons) + 0.7)
        raw = f"○ raw, {about.percent}" if few else "• raw"
        axes.set_title(raw, loc="left", color=VERMILION)
        axes.set_title(f"● pooled, {about.percent}", loc="right", color=BLUE)
        canvas.settle(figure)
    return figure

"""Own weight against information: how much data a neuron needs to speak for itself."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikepool.data.spike_counts import FloatArray
from spikepool.posterior.results import NeuronEstimates, PopulationParameter
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.labels import printable
from spikepool.report.plots.log_axis import dress, log_range
from spikepool.report.plots.numbers import numbers, part, table, texts
from spikepool.report.plots.population import by_group
from spikepool.report.plots.style import BLUE, INK, PlotStyle, series_colours

_MOST_NAMED: Final = 4
"""Groups whose curves are named and have an interval; of more of them the curves alone."""
COLUMNS: Final = (
    "neuron", "group", "information", "spike_count", "own_weight", "lower", "upper",
)  # fmt: skip


def prepare_own_weight(
    estimates: NeuronEstimates, population: Sequence[PopulationParameter]
) -> pd.DataFrame:
    """Own weight κ of each neuron, and the curve that τ alone would draw.

    Returns
    -------
    DataFrame
        Part ``neuron``: `information` is the expected spikes over the Fano factor, n m/F = 1/σ²
        at posterior medians (for Poisson the expected spikes themselves); `own_weight` with its
        interval. Part ``curve``, of each group: τ²/(τ² + 1/information) at the median of τ, with
        `lower` and `upper` at the ends of its interval.
    """
    fano = 1.0 if estimates.dispersion is None else estimates.dispersion.fano.median
    information = np.asarray(estimates.rate.median * estimates.exposure / fano, dtype=np.float64)
    neurons = {
        "neuron": estimates.neurons,
        "information": information,
        "spike_count": estimates.spike_count,
        "own_weight": estimates.own_weight.mean,
        "lower": estimates.own_weight.lower,
        "upper": estimates.own_weight.upper,
    }
    known = information[np.isfinite(information) & (information > 0)]
    return table({"neuron": neurons, "curve": _curves(known, population)}, COLUMNS)


def _curves(
    information: FloatArray, population: Sequence[PopulationParameter]
) -> dict[str, FloatArray | list[str]]:
    taus = by_group(population, "tau")
    if not information.size:
        taus = {}
    typical = [0.1 / max(tau.median, 1e-3) ** 2 for tau in taus.values()]
    ends = np.array([*typical, *information, *(10 * end for end in typical)] or [1.0])
    grid = np.geomspace(ends.min() / 1.3, ends.max() * 1.3, 101)

    def curve(end: str) -> FloatArray:
        values = [getattr(tau, end) ** 2 * grid for tau in taus.values()]
        return np.concatenate([value / (1 + value) for value in values] or [np.empty(0)])

    return {
        "group": [group for group in taus for _ in grid],
        "information": np.tile(grid, len(taus)),
        "own_weight": curve("median"),
        "lower": curve("lower"),
        "upper": curve("upper"),
    }


def draw_own_weight(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw own weight against information, with the theoretical curve behind."""
    neurons = part(data, "neuron")
    known = np.isfinite(numbers(neurons, "own_weight")) & (numbers(neurons, "information") > 0)
    neurons = neurons[known]
    if not len(neurons):
        return canvas.empty("No neuron has an own weight in this model.", about, style)
    with style.context():
        figure = canvas.new_figure(about, style, style.width(85), style.height(0.75, 85, 90))
        axes = figure.subplots()
        curve = part(data, "curve")
        span = log_range(numbers(neurons, "information"), numbers(curve, "information"))
        dress(axes, "x", span, style)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel("information about the rate (expected spikes / Fano factor)")
        axes.set_ylabel("own weight")
        _draw_curves(axes, curve, style)
        _draw_neurons(axes, neurons, style)
        canvas.settle(figure)
        _name_curves(axes, curve, style)
    return figure


def _draw_curves(axes: Any, curve: pd.DataFrame, style: PlotStyle) -> None:
    groups = dict.fromkeys(texts(curve, "group"))
    for colour, group in zip(series_colours(len(groups)), groups, strict=False):
        rows = curve[curve["group"] == group]
        x = numbers(rows, "information")
        if len(groups) <= _MOST_NAMED:
            axes.fill_between(x, numbers(rows, "lower"), numbers(rows, "upper"), color=colour,
                              alpha=0.18, linewidth=0, gid="tau interval")  # fmt: skip
        axes.plot(x, numbers(rows, "own_weight"), color=colour, linewidth=0.8 * style.scale,
                  gid="curve")  # fmt: skip


def _draw_neurons(axes: Any, neurons: pd.DataFrame, style: PlotStyle) -> None:
    x, y = numbers(neurons, "information"), numbers(neurons, "own_weight")
    many = len(neurons) > 150
    ends = [numbers(neurons, end) for end in ("lower", "upper")]
    axes.vlines(x, *ends, color=BLUE, linewidth=0.4 * style.scale, alpha=0.2 if many else 0.5,
                gid="intervals")  # fmt: skip
    silent = numbers(neurons, "spike_count") == 0
    size = (4 if many else 12) * style.scale**2
    axes.scatter(x[~silent], y[~silent], size, color=BLUE, alpha=0.5 if many else 0.9, linewidth=0,
                 zorder=3)  # fmt: skip
    axes.scatter(x[silent], y[silent], size * 1.5, facecolor="white", edgecolor=BLUE, zorder=3,
                 linewidth=0.5 * style.scale)  # fmt: skip
    if silent.any():
        axes.annotate(
            f"○ silent neurons: {silent.sum():,}", (1, 0), (0, 2), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="bottom", color=BLUE,
        )  # fmt: skip


def _name_curves(axes: Any, curve: pd.DataFrame, style: PlotStyle) -> None:
    groups = list(dict.fromkeys(texts(curve, "group")))
    if len(groups) > _MOST_NAMED:
        axes.annotate(
            f"— τ²/(τ² + σ²) of each of {len(groups):,} groups", (1, 0), color=INK,
            xytext=(0, 2 + 1.3 * style.font_pt), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="bottom",
        )  # fmt: skip
        return
    for place, (colour, group) in enumerate(zip(series_colours(len(groups)), groups, strict=False)):
        text = "— τ²/(τ² + σ²)" if len(groups) == 1 else f"— τ²/(τ² + σ²), {printable(group)}"
        lift = 2 + 1.3 * style.font_pt * (place + 1)
        axes.annotate(text, (1, 0), (0, lift), xycoords="axes fraction", color=colour,
                      textcoords="offset points", ha="right", va="bottom")  # fmt: skip

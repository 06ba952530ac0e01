"""Own weight against information: how much data a neuron needs to speak for itself."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikepool.data.spike_counts import FloatArray
from spikepool.models.priors import RATE_SD
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
_PLAIN: Final = "information about the rate (expected spikes / Fano factor)"
_TUNED: Final = "information about the neuron's own log rate, 1/σ²"
COLUMNS: Final = (
    "neuron", "group", "information", "spike_count", "own_weight", "lower", "upper",
    "tuning_sd",
)  # fmt: skip


def prepare_own_weight(
    estimates: NeuronEstimates,
    population: Sequence[PopulationParameter],
    groups: Sequence[str] = (),
) -> pd.DataFrame:
    """Own weight κ of each neuron, and the curve that τ alone would draw.

    Parameters
    ----------
    estimates : NeuronEstimates
        Of a partially pooled model.
    population : sequence of PopulationParameter
        Of the same model; ``tau`` and ``tuning_sd`` (or ``drift_sd``) are used.
    groups : sequence of str, optional
        Of every neuron, where there are several.

    Returns
    -------
    DataFrame
        Part ``neuron``: `information` is the expected spikes over the Fano factor, n m/F = 1/σ²
        at posterior medians (for Poisson the expected spikes themselves), with conditions
        or blocks Σ_c 1/(ω_b² + σ_c²), and ω_b is in `tuning_sd`; `own_weight` with its interval.
        Part ``curve``, of each group: τ²/(τ² + 1/information) at the median of τ, with `lower` and
        `upper` at the ends of its interval.
    """
    tuning_sd = _tuning_sds(estimates, population, groups)
    information = _information(estimates, tuning_sd)
    neurons = {
        "neuron": estimates.neurons,
        "group": groups or "",
        "information": information,
        "spike_count": estimates.spike_count,
        "own_weight": estimates.own_weight.mean,
        "lower": estimates.own_weight.lower,
        "upper": estimates.own_weight.upper,
        "tuning_sd": tuning_sd,
    }
    known = information[np.isfinite(information) & (information > 0)]
    return table({"neuron": neurons, "curve": _curves(known, population)}, COLUMNS)


def _tuning_sds(
    estimates: NeuronEstimates, population: Sequence[PopulationParameter], groups: Sequence[str]
) -> FloatArray:
    """Median ω_b of every neuron's group; NaN where conditions make no difference."""
    size = len(estimates.neurons)
    if estimates.responses is None:
        return np.full(size, np.nan)
    known = by_group(population, estimates.spec.response_sd)
    if not known:
        return np.full(size, RATE_SD)
    names = groups or list(known) * size
    return np.array([known[name].median for name in names])


def _information(estimates: NeuronEstimates, tuning_sd: FloatArray) -> FloatArray:
    """1/σ² of every neuron's own log rate, at posterior medians; shape (N,)."""
    responses = estimates.responses
    if responses is None:
        fano = 1.0 if estimates.dispersion is None else estimates.dispersion.fano.median
        return np.asarray(estimates.rate.median * estimates.exposure / fano, dtype=np.float64)
    fano = 1.0 if responses.fano is None else responses.fano.median
    own = responses.rate.median * responses.exposure / fano
    told = own / (1 + own * tuning_sd[responses.neuron] ** 2)
    return np.bincount(responses.neuron, told, minlength=len(tuning_sd))


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
        tuned = np.isfinite(numbers(neurons, "tuning_sd")).any()
        axes.set_xlabel(_TUNED if tuned else _PLAIN)
        axes.set_ylabel("own weight")
        colours = _colours(neurons, curve)
        _draw_curves(axes, curve, colours, style)
        _draw_neurons(axes, neurons, colours, style)
        canvas.settle(figure)
        _name_curves(axes, curve, colours, style)
    return figure


def _colours(neurons: pd.DataFrame, curve: pd.DataFrame) -> dict[str, str]:
    """Colour of each group, of its curve and its neurons alike."""
    groups = dict.fromkeys([*texts(curve, "group"), *texts(neurons, "group")])
    several = [group for group in groups if group] if len(groups) > 1 else list(groups)
    return dict(zip(several, series_colours(len(several)), strict=True))


def _draw_curves(
    axes: Any, curve: pd.DataFrame, colours: Mapping[str, str], style: PlotStyle
) -> None:
    for group in dict.fromkeys(texts(curve, "group")):
        rows, colour = curve[curve["group"] == group], colours[group]
        x = numbers(rows, "information")
        if len(colours) <= _MOST_NAMED:
            axes.fill_between(x, numbers(rows, "lower"), numbers(rows, "upper"), color=colour,
                              alpha=0.18, linewidth=0, gid="tau interval")  # fmt: skip
        axes.plot(x, numbers(rows, "own_weight"), color=colour, linewidth=0.8 * style.scale,
                  gid="curve")  # fmt: skip


def _draw_neurons(
    axes: Any, neurons: pd.DataFrame, of_groups: Mapping[str, str], style: PlotStyle
) -> None:
    x, y = numbers(neurons, "information"), numbers(neurons, "own_weight")
    many, several = len(neurons) > 150, len(of_groups) > 1
    colours = np.array(
        [of_groups.get(g, INK) if several else BLUE for g in texts(neurons, "group")]
    )
    ends = [numbers(neurons, end) for end in ("lower", "upper")]
    axes.vlines(x, *ends, color=colours, linewidth=0.4 * style.scale, alpha=0.2 if many else 0.5,
                gid="intervals")  # fmt: skip
    silent = numbers(neurons, "spike_count") == 0
    size = (4 if many else 12) * style.scale**2
    axes.scatter(x[~silent], y[~silent], size, color=colours[~silent], linewidth=0, zorder=3,
                 alpha=0.5 if many else 0.9, gid="neurons")  # fmt: skip
    axes.scatter(x[silent], y[silent], size * 1.5, facecolor="white", edgecolor=colours[silent],
                 zorder=3, linewidth=0.5 * style.scale)  # fmt: skip
    if silent.any():
        axes.annotate(
            f"○ silent neurons: {silent.sum():,}", (1, 0), (0, 2), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="bottom", color=INK if several else BLUE,
        )  # fmt: skip


def _name_curves(
    axes: Any, curve: pd.DataFrame, colours: Mapping[str, str], style: PlotStyle
) -> None:
    groups = list(colours)
    if len(groups) == 1 and not len(curve):
        return
    mark = "— τ²/(τ² + σ²)" if len(curve) else "● neurons"
    if len(groups) > _MOST_NAMED:
        axes.annotate(
            f"{mark} of each of {len(groups):,} groups", (1, 0), color=INK,
            xytext=(0, 2 + 1.3 * style.font_pt), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="bottom",
        )  # fmt: skip
        return
    for place, (group, colour) in enumerate(colours.items()):
        text = mark if len(groups) == 1 else f"{mark}, {printable(group)}"
        lift = 2 + 1.3 * style.font_pt * (place + 1)
        axes.annotate(text, (1, 0), (0, lift), xycoords="axes fraction", color=colour,
                      textcoords="offset points", ha="right", va="bottom")  # fmt: skip

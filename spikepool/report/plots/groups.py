"""Groups side by side: the population of each, and the neurons that it was estimated from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikepool.data.spike_counts import FloatArray
from spikepool.models.populations import POPULATIONS
from spikepool.models.spec import ModelSpec
from spikepool.posterior.quadrature import HyperparameterSample
from spikepool.posterior.results import NeuronEstimates
from spikepool.posterior.weighted import systematic
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.group_rows import (
    MOST_CURVES,
    baselines,
    name_rows,
    row_mm,
)
from spikepool.report.plots.log_axis import LogRange, dress, log_range
from spikepool.report.plots.numbers import numbers, part, table, texts
from spikepool.report.plots.style import INK, PlotStyle, series_colours

COLUMNS: Final = ("neuron", "group", "parameter", "value", "density", "lower", "upper")
NAMES: Final = {"gain_sd": "gain sd", "excess_fano": "excess Fano factor"}
_DRAWS: Final = 1000
_POINTS: Final = 121
_MEDIAN_HEIGHT: Final = 0.5
_CEILING: Final = 0.74
"""Of a row's height: of the median curve, and where the band is cut off."""
_REACH: Final = 3.5
"""Sds to either side of the centre that a curve spans."""
_SEEN: Final = 0.02
"""Part of a curve's height below which it does not stretch the axis."""


@dataclass(frozen=True)
class _Level:
    """A population as drawn: of log rates, or of logarithms of what is shown.

    Attributes
    ----------
    parameter : str
    centre, sd : ndarray, shape (S,)
        On the scale of the model, ln λ or δ.
    density : ndarray, shape (S, P)
        Per e-fold of what is shown.
    values : ndarray, shape (P,)
        What is shown.
    """

    parameter: str
    centre: FloatArray
    sd: FloatArray
    density: FloatArray
    values: FloatArray
    power: float


def prepare_groups(
    estimates: NeuronEstimates,
    group_of_neuron: Sequence[str],
    samples: Mapping[str, HyperparameterSample],
    interval: float = 0.95,
) -> pd.DataFrame:
    """Densities of every group's population, and its neurons' estimates.

    Parameters
    ----------
    estimates : NeuronEstimates
        Of a partially pooled model.
    group_of_neuron : sequence of str, length N
    samples : mapping of str to HyperparameterSample
        Of each group of the same model, by its name.
    interval : float
        Mass of the pointwise intervals.

    Returns
    -------
    DataFrame
        `parameter` is ``rate``, and ``gain_sd`` (NB2) or ``excess_fano`` (NB1) where dispersions
        are pooled partially. Part ``curve``: `density` of the population per e-fold at `value`,
        the posterior median, with `lower` and `upper`, pointwise. Part ``typical``: the
        population's centre, `value`, with its interval. Part ``spread``: one sd to either side of
        the centre, at posterior medians. Part ``neuron``: posterior medians.
    """
    frames = [
        table(_parts(group, level, interval), COLUMNS)
        for group, sample in samples.items()
        for level in _levels(estimates.spec, sample)
    ]
    frames.append(table({"neuron": _neurons(estimates, group_of_neuron)}, COLUMNS))
    return pd.concat(frames, ignore_index=True)


def _levels(spec: ModelSpec, sample: HyperparameterSample) -> list[_Level]:
    """Return the populations of one group at draws from its sample."""
    chosen = systematic(sample.weights, _DRAWS, 0.5)
    phi = {name: values[chosen] for name, values in sample.values.items()}
    levels = []
    if spec.pooling == "partial":
        population = POPULATIONS[spec.population]
        own = {name: phi[name] for name in population.hyperparameters}
        centre, sd = population.centre(**own), population.sd(**own)
        grid = _grid(centre, sd)
        columns = {name: values[:, np.newaxis] for name, values in own.items()}
        density = np.exp(population.log_density(grid, **columns))
        levels.append(_Level("rate", centre, sd, density, np.exp(grid), 1.0))
    if spec.dispersion_pooling == "partial":
        centre, sd = phi["mu_delta"], phi["tau_delta"]
        grid = _grid(centre, sd)
        normal = POPULATIONS["normal"]
        columns = {"mu": centre[:, np.newaxis], "tau": sd[:, np.newaxis]}
        density = np.exp(normal.log_density(grid, **columns))
        name, power = ("gain_sd", 1.0) if spec.family == "nb2" else ("excess_fano", 2.0)
        levels.append(_Level(name, centre, sd, density / power, np.exp(power * grid), power))
    return levels


def _grid(centre: FloatArray, sd: FloatArray) -> FloatArray:
    """Points that resolve the typical population and reach to the widest that are likely."""
    middle, width = float(np.median(centre)), max(float(np.median(sd)), 1e-3)
    far = float(np.quantile(np.abs(centre - middle) + _REACH * sd, 0.975))
    near = np.linspace(middle - _REACH * width, middle + _REACH * width, _POINTS)
    wide = np.linspace(middle - far, middle + far, _POINTS)
    return np.union1d(near, wide)


def _parts(group: str, level: _Level, interval: float) -> dict[str, dict[str, object]]:
    tail = (1 - interval) / 2
    lower, median, upper = np.quantile(level.density, [tail, 0.5, 1 - tail], axis=0)
    low, typical, high = np.exp(
        level.power * np.quantile(level.centre, [tail, 0.5, 1 - tail], axis=0)
    )
    fold = float(np.exp(level.power * np.median(level.sd)))
    keys = {"group": group, "parameter": level.parameter}
    return {
        "curve": {
            **keys, "value": level.values, "density": median, "lower": lower, "upper": upper,
        },
        "typical": {**keys, "value": typical, "lower": low, "upper": high},
        "spread": {**keys, "value": typical, "lower": typical / fold, "upper": typical * fold},
    }  # fmt: skip


def _neurons(estimates: NeuronEstimates, groups: Sequence[str]) -> dict[str, object]:
    shown = {"rate": estimates.rate.median}
    spec, dispersion = estimates.spec, estimates.dispersion
    if dispersion is not None and spec.dispersion_pooling == "partial":
        if spec.family == "nb2":
            shown["gain_sd"] = dispersion.gain_sd.median
        else:
            shown["excess_fano"] = dispersion.fano.median - 1
    return {
        "neuron": [*estimates.neurons] * len(shown),
        "group": [*groups] * len(shown),
        "parameter": [name for name in shown for _ in groups],
        "value": np.concatenate(list(shown.values())),
    }


def draw_groups(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw a row per group: (a) of rates, (b) of dispersions; above 15 groups intervals only."""
    curves = part(data, "curve")
    parameters = list(dict.fromkeys(texts(curves, "parameter")))
    groups = list(dict.fromkeys(texts(curves, "group")))
    if len(groups) < 2:
        return canvas.empty("There are no groups to compare in this model.", about, style)
    beside = style.columns(180) and len(parameters) > 1
    with style.context():
        rows, columns = (1, len(parameters)) if beside else (len(parameters), 1)
        height = rows * (len(groups) * row_mm(len(groups)) + 12) + 4
        width = style.width(180 if len(parameters) > 1 else 130)
        figure = canvas.new_figure(about, style, width, height * style.scale)
        panels = figure.subplots(rows, columns, squeeze=False).flat
        for letter, panel, parameter in zip("ab", panels, parameters, strict=False):
            of = data[data["parameter"] == parameter]
            room = style.columns(180) and not beside
            _panel(panel, of, groups, about, style, lines=1 if room else 2)
            told = f"rate ({about.rate_unit})" if parameter == "rate" else NAMES[parameter]
            panel.set_xlabel(told)
            if len(parameters) > 1:
                panel.set_title(letter, loc="left", weight="bold")
        canvas.settle(figure)
    return figure


def _panel(
    axes: Any, data: pd.DataFrame, groups: list[str], about: About, style: PlotStyle, *, lines: int
) -> None:
    """Draw the groups' rows, and what their marks mean on that many lines above them."""
    colours = series_colours(len(groups))
    dress(axes, "x", _span(data, intervals=len(groups) > MOST_CURVES), style)
    for base, group, colour in zip(baselines(len(groups)), groups, colours, strict=True):
        own = data[data["group"] == group]
        if len(groups) > MOST_CURVES:
            _interval_row(axes, own, float(base), colour, style)
        else:
            _curve_row(axes, part(own, "curve"), float(base), colour, style)
            _typical(axes, part(own, "typical"), float(base), colour, style)
            _rug(axes, numbers(part(own, "neuron"), "value"), float(base), colour, style)
    neurons = part(data, "neuron")
    counts = neurons["group"].value_counts()
    name_rows(axes, groups, colours, [f"{counts.get(group, 0):,} neurons" for group in groups])
    words = (
        f"● typical, {about.percent}   — ± one sd"
        if len(groups) > MOST_CURVES
        else f"— population, {about.percent} band   ● typical   ǀ neurons"
    )
    axes.set_title(words.replace("   ", "\n", lines - 1), loc="right", color=INK)


def _span(data: pd.DataFrame, *, intervals: bool) -> LogRange:
    """Reach over the neurons, and over the curves where they can be seen, or the intervals."""
    if intervals:
        ends = [part(data, name) for name in ("typical", "spread")]
        return log_range(*(numbers(of, end) for of in ends for end in ("lower", "upper")))
    seen = []
    for _, curve in part(data, "curve").groupby("group"):
        density = numbers(curve, "density")
        seen.append(numbers(curve, "value")[density >= _SEEN * density.max()])
    neurons = numbers(part(data, "neuron"), "value")
    return log_range(*seen, neurons[neurons > 0]).without_rail()


def _curve_row(axes: Any, curve: pd.DataFrame, base: float, colour: str, style: PlotStyle) -> None:
    """Draw a density in its row, scaled to fill it: areas are alike, heights are not compared."""
    value, density = numbers(curve, "value"), numbers(curve, "density")
    scale = _MEDIAN_HEIGHT / float(density.max())
    ends = [base + np.minimum(scale * numbers(curve, end), _CEILING) for end in ("lower", "upper")]
    axes.fill_between(value, *ends, color=colour, alpha=0.25, linewidth=0, gid="ribbon")
    axes.plot(value, base + scale * density, color=colour, linewidth=1.1 * style.scale,
              gid="curve")  # fmt: skip
    axes.axhline(base, color=colour, linewidth=0.4 * style.scale, zorder=0.5)


def _typical(axes: Any, typical: pd.DataFrame, base: float, colour: str, style: PlotStyle) -> None:
    lower, value, upper = (float(numbers(typical, e)[0]) for e in ("lower", "value", "upper"))
    axes.plot([lower, upper], [base, base], color=colour, linewidth=2.4 * style.scale, zorder=3,
              solid_capstyle="butt", gid="interval")  # fmt: skip
    axes.plot(value, base, "o", color=colour, markersize=3 * style.scale, markeredgecolor="white",
              markeredgewidth=0.4 * style.scale, zorder=4, gid="typical")  # fmt: skip


def _rug(axes: Any, values: FloatArray, base: float, colour: str, style: PlotStyle) -> None:
    """Mark each neuron by a tick below its group's line."""
    known = values[np.isfinite(values) & (values > 0)]
    alpha = float(np.clip(40 / max(known.size, 1), 0.12, 0.7))
    axes.vlines(known, base - 0.21, base - 0.08, color=colour, alpha=alpha,
                linewidth=0.45 * style.scale, gid="neurons")  # fmt: skip


def _interval_row(axes: Any, own: pd.DataFrame, base: float, colour: str, style: PlotStyle) -> None:
    spread = part(own, "spread")
    axes.plot([numbers(spread, "lower")[0], numbers(spread, "upper")[0]], [base, base],
              color=colour, linewidth=0.5 * style.scale, gid="spread")  # fmt: skip
    _typical(axes, part(own, "typical"), base, colour, style)

"""Shrinkage of the dispersion: each neuron's gain sd from its own moments, and pooled."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikepool.data.spike_counts import FloatArray
from spikepool.models.families import family_of
from spikepool.posterior.results import NeuronEstimates, PopulationParameter
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.log_axis import LogRange, dress, log_range
from spikepool.report.plots.numbers import numbers, part, table, texts
from spikepool.report.plots.population import by_group, draw_levels, settle_with_names
from spikepool.report.plots.style import BLUE, INK, PURPLE, VERMILION, PlotStyle

COLUMNS: Final = ("neuron", "group", "source", "raw", "pooled", "lower", "upper")
_ROUNDING: Final = 1e-9
"""An excess Fano factor smaller than this is 0."""
_SOURCES: Final = (
    ("prior", VERMILION, "the population decides"),
    ("mixed", PURPLE, "both"),
    ("data", BLUE, "own data decide"),
)


class Moments(Protocol):
    """Sample moments, one entry per neuron (an `Overdispersion` has them)."""

    @property
    def mean_count(self) -> FloatArray:
        """Spikes per trial."""

    @property
    def fano_raw(self) -> FloatArray:
        """Raw Fano factor."""


def prepare_dispersion_shrinkage(
    estimates: NeuronEstimates,
    moments: Moments,
    population: Sequence[PopulationParameter],
) -> pd.DataFrame:
    """Gain sd of each neuron from its own moments and from the model.

    Returns
    -------
    DataFrame
        Part ``neuron``: `raw` = √(max(F − 1, 0)/m), 0 for a neuron no more variable than
        Poisson (of gains that time draws anew: times √(ē/e_ref), as the model's are of the
        reference exposure); `pooled` (posterior median) with its interval; `source`. Empty without
        a negative-binomial model. Part ``population`` (NB2 only, where μ_δ is a log gain sd):
        `pooled` is exp μ_δ, `lower` and `upper` are exp(μ_δ ∓ τ_δ), at posterior medians.
    """
    if estimates.dispersion is None:
        return table({}, COLUMNS)
    gain = estimates.dispersion.gain_sd
    mean, excess = moments.mean_count, np.maximum(moments.fano_raw - 1, 0)
    excess = np.where(excess < _ROUNDING, 0.0, excess)
    raw = np.sqrt(np.divide(excess, mean, out=np.full(mean.shape, np.nan), where=mean > 0))
    raw /= family_of(estimates.spec).dispersion_in(
        np.ones(len(raw)), estimates.exposure / estimates.n_trials
    )
    neurons = {
        "neuron": estimates.neurons,
        "source": estimates.dispersion.source,
        "raw": raw,
        "pooled": gain.median,
        "lower": gain.lower,
        "upper": gain.upper,
    }
    family = estimates.spec.family
    return table(
        {"neuron": neurons, "population": _typical(population if family == "nb2" else ())}, COLUMNS
    )


def _typical(population: Sequence[PopulationParameter]) -> dict[str, FloatArray | list[str]]:
    mu, tau = by_group(population, "mu_delta"), by_group(population, "tau_delta")
    centre = np.array([parameter.median for parameter in mu.values()])
    spread = np.array([tau[group].median if group in tau else np.nan for group in mu])
    return {
        "group": list(mu),
        "pooled": np.exp(centre),
        "lower": np.exp(centre - spread),
        "upper": np.exp(centre + spread),
    }


def draw_dispersion_shrinkage(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw pooled against raw gain sd, coloured by what decides it."""
    neurons = part(data, "neuron")
    if not len(neurons):
        return canvas.empty("Poisson counts have no dispersion to pool.", about, style)
    known = np.isfinite(numbers(neurons, "raw")) & (numbers(neurons, "pooled") > 0)
    unknown, neurons = int((~known).sum()), neurons[known]
    if not len(neurons):
        return canvas.empty("No neuron has a raw gain sd: none has spikes.", about, style)
    with style.context():
        figure = canvas.new_figure(about, style, style.width(85), style.height(0.95, 85, 110))
        axes = figure.subplots()
        across = log_range(numbers(neurons, "raw"), numbers(neurons, "pooled"), least_fold=10)
        up = across.without_rail()
        population = part(data, "population")
        draw_levels(axes, population, "pooled", style)
        axes.plot([up.low, up.high], [up.low, up.high], color=INK, linewidth=0.6 * style.scale,
                  gid="identity")  # fmt: skip
        _neurons(axes, neurons, across, up, style)
        dress(axes, "x", across, style)
        dress(axes, "y", up, style)
        axes.set_aspect("equal", adjustable="box")
        axes.set_xlabel("raw gain sd, from the neuron's own moments")
        axes.set_ylabel("pooled gain sd")
        settle_with_names(figure, axes, population, "pooled", style)
        _key(axes, texts(neurons, "source"), unknown, style)
    return figure


def _neurons(
    axes: Any, neurons: pd.DataFrame, across: LogRange, up: LogRange, style: PlotStyle
) -> None:
    many = len(neurons) > 150
    source = np.array(texts(neurons, "source"))
    x, y = across.place(numbers(neurons, "raw")), up.clip(numbers(neurons, "pooled"))
    low, high = (up.clip(numbers(neurons, end)) for end in ("lower", "upper"))
    for name, colour, _ in _SOURCES:
        rows = source == name
        axes.vlines(x[rows], low[rows], high[rows], color=colour, linewidth=0.4 * style.scale,
                    alpha=0.08 if many else 0.4, gid="intervals")  # fmt: skip
        axes.scatter(x[rows], y[rows], (4 if many else 12) * style.scale**2, color=colour,
                     linewidth=0, alpha=0.6 if many else 0.95, zorder=3, gid=name)  # fmt: skip


def _key(axes: Any, source: list[str], unknown: int, style: PlotStyle) -> None:
    """Below the identity line at the right, where a neuron would have to gain dispersion."""
    lines = [
        (colour, f"{text}: {source.count(name):,}")
        for name, colour, text in _SOURCES
        if name in source
    ]
    if unknown:
        lines.append((INK, f"not shown, no spikes: {unknown:,}"))
    for level, (colour, text) in enumerate(reversed(lines)):
        axes.annotate(
            text, (1, 0), (0, 2 + 1.3 * style.font_pt * level), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="bottom", color=colour,
        )  # fmt: skip

"""Raw against model Fano factor, with the histogram expected if every neuron were Poisson."""

from typing import Any

import numpy as np
import pandas as pd

from spikepool.data.spike_counts import FloatArray
from spikepool.report.plots.about import About
from spikepool.report.plots.log_axis import LogRange, dress, log_range
from spikepool.report.plots.numbers import numbers, texts
from spikepool.report.plots.style import BLACK, GREEN, GREY, INK, PALE, PlotStyle
from spikepool.report.plots.variance_panel import VERDICTS, scatter_by_verdict


def draw_fano(
    panel: Any, neurons: pd.DataFrame, histogram: pd.DataFrame, about: About, style: PlotStyle
) -> None:
    """Draw the panel: a scatter with marginal histograms, or the one histogram there is."""
    raw, model = numbers(neurons, "fano_raw"), numbers(neurons, "fano_model")
    edges = np.append(numbers(histogram, "left"), numbers(histogram, "right")[-1])
    across = log_range(raw, edges)
    if not np.isfinite(model).any():
        top = panel.subplots()
        _raw_histogram(top, histogram, edges, style)
        dress(top, "x", across.without_rail(), style)
        top.set_xlabel("raw Fano factor")
        top.set_ylabel("neurons")
        return
    grid = panel.add_gridspec(2, 2, width_ratios=(4, 1), height_ratios=(1, 3.2))
    scatter = panel.add_subplot(grid[1, 0])
    top = panel.add_subplot(grid[0, 0], sharex=scatter)
    side = panel.add_subplot(grid[1, 1], sharey=scatter)
    up = log_range(model, least_fold=2.0)
    up = LogRange(min(up.low, 0.93), up.high, None)
    _scatter(scatter, neurons, across, up, style)
    _raw_histogram(top, histogram, edges, style)
    _model_histogram(side, histogram, edges)
    dress(scatter, "x", across, style)
    dress(scatter, "y", up, style)
    scatter.set_xlabel("raw Fano factor")
    scatter.set_ylabel(f"Fano factor, {about.model or 'model'}")
    top.tick_params(labelbottom=False)
    side.tick_params(labelleft=False)


def _scatter(
    axes: Any, neurons: pd.DataFrame, across: LogRange, up: LogRange, style: PlotStyle
) -> None:
    many = len(neurons) > 150
    raw, model = across.place(numbers(neurons, "fano_raw")), numbers(neurons, "fano_model")
    verdict = np.array(texts(neurons, "verdict"))
    raw_ends = [across.clip(numbers(neurons, f"fano_{end}")) for end in ("lower", "upper")]
    ends = [up.clip(numbers(neurons, f"model_{end}")) for end in ("lower", "upper")]
    look = {"linewidth": 0.35 * style.scale, "alpha": 0.07 if many else 0.45}
    for name, _, colour in VERDICTS:
        rows = verdict == name
        axes.vlines(raw[rows], ends[0][rows], ends[1][rows], color=colour, **look)
        axes.hlines(model[rows], raw_ends[0][rows], raw_ends[1][rows], color=colour, **look)
    axes.plot([up.low, up.high], [up.low, up.high], color=INK, linewidth=0.6 * style.scale,
              gid="identity")  # fmt: skip
    axes.axvline(1, color=INK, linewidth=0.4 * style.scale, linestyle=(0, (1, 2)))
    scatter_by_verdict(axes, raw, np.clip(model, up.low, up.high), list(verdict), style)


def _raw_histogram(axes: Any, histogram: pd.DataFrame, edges: FloatArray, style: PlotStyle) -> None:
    axes.stairs(numbers(histogram, "observed"), edges, fill=True, color=PALE, gid="observed")
    axes.stairs(numbers(histogram, "expected"), edges, color=BLACK, linewidth=0.8 * style.scale,
                gid="expected")  # fmt: skip
    axes.set_title("— if all were Poisson", loc="right", color=BLACK)
    axes.set_title("■ observed", loc="left", color=GREY)
    axes.set_ylabel("neurons")


def _model_histogram(axes: Any, histogram: pd.DataFrame, edges: FloatArray) -> None:
    axes.stairs(numbers(histogram, "modelled"), edges, orientation="horizontal", fill=True,
                color=GREEN, alpha=0.5, gid="modelled")  # fmt: skip
    axes.set_xlabel("neurons")

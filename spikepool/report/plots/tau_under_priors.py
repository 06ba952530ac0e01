"""The posterior of τ under every prior that was tried: a row for each, a panel for each group."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikepool.data.wording import plural
from spikepool.diagnostics.prior_sensitivity import Sensitivity, UnderPrior
from spikepool.posterior.weighted import weighted_quantiles
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.numbers import numbers, table, texts
from spikepool.report.plots.style import BLUE, INK, SKY, VERMILION, PlotStyle

COLUMNS: Final = (
    *("group", "series", "kind", "median", "lower", "upper", "lower_half", "upper_half"),
    "moved",
)
_HALF: Final = 0.5
_MOST_COLUMNS: Final = 2


def prepare_tau_under_priors(found: Sensitivity, interval: float) -> pd.DataFrame:
    """Median and intervals of τ for each group and prior, and how many neurons it moves.

    Parameters
    ----------
    found : Sensitivity
    interval : float
        Mass of the outer intervals; the inner ones have half of it all.

    Returns
    -------
    DataFrame
        `series` is the prior, `kind` the method; `moved` the number of neurons.
    """
    frames = [table({"tau": _row(each, interval)}, COLUMNS) for each in found.under]
    return pd.concat(frames, ignore_index=True)


def _row(each: UnderPrior, interval: float) -> dict[str, object]:
    outer, inner = (1 - interval) / 2, (1 - _HALF) / 2
    masses = np.array([0.5, outer, 1 - outer, inner, 1 - inner])
    names = ("median", "lower", "upper", "lower_half", "upper_half")
    quantiles = weighted_quantiles(each.tau.values["tau"], each.tau.weights, masses)
    return {
        "group": each.group,
        "series": f"{each.prior.prior}",
        "kind": each.method,
        **dict(zip(names, quantiles.tolist(), strict=True)),
        "moved": float(each.log_rates.moved.sum()),
    }


def draw_tau_under_priors(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw the intervals of τ over one another, the fit's own first."""
    groups = list(dict.fromkeys(texts(data, "group")))
    columns = min(_MOST_COLUMNS, len(groups))
    rows = -(-len(groups) // columns)
    priors = len(dict.fromkeys(texts(data, "series")))
    with style.context():
        width = style.width(110 if columns == 1 else 180)
        height = ((4.5 * priors + 16) * rows + 6) * style.scale
        figure = canvas.new_figure(about, style, width, height)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, group in zip(grid.flat, groups, strict=False):
            _panel(axes, data[data["group"] == group], style)
            if len(groups) > 1:
                axes.set_title(group, loc="left")
        for axes in grid.flat[len(groups) :]:
            axes.set_axis_off()
        canvas.settle(figure)
    return figure


def _panel(axes: Any, data: pd.DataFrame, style: PlotStyle) -> None:
    places = -np.arange(len(data), dtype=np.float64)
    median, lower, upper, inner, outer = (
        numbers(data, name) for name in ("median", "lower", "upper", "lower_half", "upper_half")
    )
    axes.hlines(places, lower, upper, color=SKY, linewidth=1.2 * style.scale, gid="interval")
    axes.hlines(places, inner, outer, color=BLUE, linewidth=2.8 * style.scale, gid="half")
    axes.plot(median, places, "o", color=INK, gid="median")
    axes.axvline(median[0], color=INK, linewidth=0.4 * style.scale, zorder=0.5, gid="fit")
    end = 1.05 * float(upper.max())
    axes.set_xlim(0, end)
    for place, moved in zip(places, numbers(data, "moved"), strict=True):
        if moved:
            axes.text(end, place, f" {plural(int(moved), 'neuron')} moved", va="center",
                      color=VERMILION, gid="moved")  # fmt: skip
    names = [
        f"{prior} (fit)" if kind == "fitted" else prior
        for prior, kind in zip(texts(data, "series"), texts(data, "kind"), strict=True)
    ]
    axes.set_yticks(places, names)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("τ, spread of log rates (e-folds)")

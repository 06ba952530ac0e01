"""Whether the model is right: ranks of left-out trials, and predictive p-values of the neurons."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import stats

from spikepool.data.spike_counts import FloatArray
from spikepool.posterior.results import PredictiveCheck
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.numbers import numbers, part, table
from spikepool.report.plots.style import BLUE, GREY, INK, SKY, PlotStyle

COLUMNS: Final = ("left", "right", "observed", "expected", "lower", "upper")
_BINS: Final = 20
_BAND: Final = 0.95
_PANELS: Final = {
    "ranks": ("rank of a trial among what the others predict", "trials"),
    "fano": ("predictive p-value, Fano factor", "neurons"),
    "zeros": ("predictive p-value, share of zeros", "neurons"),
    "maximum": ("predictive p-value, largest count", "neurons"),
}
_FOOT: Final = (
    "Ranks of left-out trials (randomised) are uniform where the model is right; where counts vary "
    "more than it predicts they gather at both ends. p-values near 0: the neuron has more of it "
    "than predicted, near 1: less."
)


def prepare_calibration(check: PredictiveCheck) -> pd.DataFrame:
    """Histograms of the ranks and of the p-values.

    Returns
    -------
    DataFrame
        Parts ``ranks``, ``fano``, ``zeros`` and ``maximum``: `observed` frequency in each bin from
        `left` to `right`. Of ranks also what is `expected` if the model is right, with its 95 %
        band; predictive p-values have no such band, since they gather about ½.
    """
    values = {"ranks": check.ranks} | {name: of.pvalue for name, of in check.neurons.items()}
    return table({name: _histogram(name, of) for name, of in values.items()}, COLUMNS)


def _histogram(name: str, values: FloatArray) -> dict[str, FloatArray]:
    known = values[~np.isnan(values)]
    edges = np.linspace(0, 1, _BINS + 1)
    observed = np.histogram(known, edges)[0].astype(np.float64)
    if not known.size:
        return {"left": np.zeros(0)}
    columns = {"left": edges[:-1], "right": edges[1:], "observed": observed}
    if name != "ranks":
        return columns
    lower, upper = stats.binom.interval(_BAND, known.size, 1 / _BINS)
    band = {"expected": known.size / _BINS, "lower": float(lower), "upper": float(upper)}
    return columns | {key: np.full(_BINS, value) for key, value in band.items()}


def draw_calibration(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw the histogram of the ranks on its band, and those of the p-values."""
    parts = [name for name in _PANELS if np.isfinite(numbers(part(data, name), "left")).any()]
    if not parts:
        return canvas.empty("There are no counts to compare with predictions.", about, style)
    with style.context():
        columns = 2 if style.columns(180) and len(parts) > 1 else 1
        rows = -(-len(parts) // columns)
        width = style.width(180 if columns == 2 else 85)
        figure = canvas.new_figure(about, style, width, (42 * rows + 6) * style.scale)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, name in zip(grid.flat, parts, strict=False):
            _panel(axes, part(data, name), name, style)
        for axes in grid.flat[len(parts) :]:
            axes.set_axis_off()
        canvas.write_foot(figure, [_FOOT], style, width)
        canvas.settle(figure)
    return figure


def _panel(axes: Any, bins: pd.DataFrame, name: str, style: PlotStyle) -> None:
    left, right, observed, expected, lower, upper = (numbers(bins, column) for column in COLUMNS)
    edges = np.append(left, right[-1])
    if name == "ranks":
        axes.stairs(upper, edges, baseline=lower, fill=True, color=SKY, alpha=0.5, linewidth=0,
                    gid="band")  # fmt: skip
        axes.axhline(expected[0], color=BLUE, linewidth=0.8 * style.scale, gid="expected")
        axes.set_title("95 % of uniform ranks", loc="right", color=BLUE)
    axes.stairs(observed, edges, color=INK, linewidth=1.0 * style.scale, gid="observed")
    if name != "ranks":
        axes.axvline(0.5, color=GREY, linewidth=0.5 * style.scale)
    x_label, y_label = _PANELS[name]
    axes.set_xlabel(x_label)
    axes.set_ylabel(f"{y_label} per bin")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.08 * max(float(np.nanmax([*observed, *upper])), 1.0))

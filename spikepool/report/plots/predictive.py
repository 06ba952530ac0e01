"""Posterior predictive: the data's histograms among those of replicated data."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikepool.data.spike_counts import FloatArray
from spikepool.posterior.results import PredictiveBand, PredictiveCheck
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.numbers import numbers, part, table
from spikepool.report.plots.root_scale import root_scale
from spikepool.report.plots.style import BLACK, BLUE, SKY, VERMILION, PlotStyle

COLUMNS: Final = ("left", "right", "observed", "expected", "lower", "upper")
_LABELS: Final = {
    "count": ("count (spikes/trial)", "trials"),
    "fano": ("raw Fano factor", "neurons"),
}


def prepare_predictive(check: PredictiveCheck) -> pd.DataFrame:
    """Return both histograms with their predictive bands.

    Returns
    -------
    DataFrame
        Parts ``count`` and ``fano``: `observed`, `expected`, `lower` and `upper` frequency in
        each bin from `left` to `right`.
    """
    return table({"count": _columns(check.count), "fano": _columns(check.fano)}, COLUMNS)


def _columns(band: PredictiveBand) -> dict[str, FloatArray]:
    return {name: getattr(band, name) for name in COLUMNS}


def draw_predictive(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw observed frequencies over the predicted band, on square-root scales."""
    parts = [name for name in _LABELS if _known(part(data, name)).any()]
    if not parts:
        return canvas.empty("There are no counts to compare with predictions.", about, style)
    natural = 180 if len(parts) == 2 else 85
    with style.context():
        wide = len(parts) == 2 and style.columns(natural)
        rows, columns = (1, 2) if wide else (len(parts), 1)
        figure = canvas.new_figure(
            about, style, style.width(natural), (56 * rows + 8) * style.scale
        )
        for axes, name in zip(figure.subplots(rows, columns, squeeze=False).flat, parts,
                              strict=True):  # fmt: skip
            bins = part(data, name)
            _panel(axes, bins[_known(bins)], name, style)
            axes.set_title("● observed", loc="left", color=BLACK)
            axes.set_title("● outside", loc="center", color=VERMILION)
            axes.set_title(f"{about.percent} predicted", loc="right", color=BLUE)
        canvas.settle(figure)
    return figure


def _known(bins: pd.DataFrame) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    values = [numbers(bins, name) for name in COLUMNS]
    return np.asarray(np.isfinite(values).all(axis=0))


def _panel(axes: Any, bins: pd.DataFrame, name: str, style: PlotStyle) -> None:
    left, right, observed, expected, lower, upper = (numbers(bins, column) for column in COLUMNS)
    edges = np.append(left, right[-1])
    axes.stairs(upper, edges, baseline=lower, fill=True, color=SKY, alpha=0.5, linewidth=0,
                gid="band")  # fmt: skip
    axes.stairs(expected, edges, baseline=None, color=BLUE, linewidth=0.8 * style.scale,
                gid="expected")  # fmt: skip
    outside = (observed < lower) | (observed > upper)
    size = (10 if left.size <= 60 else 4) * style.scale**2
    for rows, colour, label in ((~outside, BLACK, "observed"), (outside, VERMILION, "outside")):
        axes.scatter(((left + right) / 2)[rows], observed[rows], size, color=colour, linewidth=0,
                     zorder=3, clip_on=False, gid=label)  # fmt: skip
    x_label, y_label = _LABELS[name]
    axes.set_xlabel(x_label)
    axes.set_ylabel(f"{y_label} per bin (square-root scale)")
    root_scale(axes, "y", 0.0, 1.05 * float(max(observed.max(), upper.max(), 1)))
    if name == "count" and edges[-1] > 40:
        root_scale(axes, "x", float(edges[0]), float(edges[-1]))
    else:
        axes.set_xlim(edges[0], edges[-1])

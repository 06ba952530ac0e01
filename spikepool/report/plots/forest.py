"""Forest: every neuron's rate with its interval, sorted; raw beside pooled."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikepool.posterior.results import NeuronEstimates
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.extremes import name_extremes
from spikepool.report.plots.labels import printable
from spikepool.report.plots.log_axis import LogRange, dress, log_range
from spikepool.report.plots.numbers import numbers, part, table, texts
from spikepool.report.plots.style import BLUE, VERMILION, PlotStyle

MOST_ROWS: Final = 60
"""With more neurons than this they are ranks on an axis instead of named rows."""

COLUMNS: Final = ("neuron", "rank", "raw", "raw_lower", "raw_upper", "rate", "lower", "upper")
_ROW_MM: Final = 3.4


def prepare_forest(
    estimates: NeuronEstimates, unpooled: NeuronEstimates | None = None
) -> pd.DataFrame:
    """Sort neurons by posterior rate.

    Parameters
    ----------
    estimates : NeuronEstimates
        Of the model shown.
    unpooled : NeuronEstimates, optional
        Of the same neurons without pooling: gives the raw rates their intervals.

    Returns
    -------
    DataFrame
        Part ``neuron``, by increasing posterior median `rate`: `raw`, with `raw_lower` and
        `raw_upper`, and `rate`, with `lower` and `upper`, in the rate's unit.
    """
    order = np.argsort(estimates.rate.median, kind="stable")
    rows: dict[str, object] = {
        "neuron": [estimates.neurons[row] for row in order],
        "rank": np.arange(1, order.size + 1),
        "raw": estimates.rate_raw[order],
        "rate": estimates.rate.median[order],
        "lower": estimates.rate.lower[order],
        "upper": estimates.rate.upper[order],
    }
    if unpooled is not None:
        rows |= {"raw_lower": unpooled.rate.lower[order], "raw_upper": unpooled.rate.upper[order]}
    return table({"neuron": rows}, COLUMNS)


def draw_forest(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw one row per neuron; above 60 neurons, thin lines by rank with the extremes named."""
    neurons = part(data, "neuron")
    neurons = neurons[numbers(neurons, "rate") > 0]
    if not len(neurons):
        return canvas.empty("There is no neuron with a rate to show.", about, style)
    with style.context():
        few = len(neurons) <= MOST_ROWS
        height = (_ROW_MM * len(neurons) + 24 if few else 120) * style.scale
        figure = canvas.new_figure(about, style, style.width(85), height)
        axes = figure.subplots()
        span = _span(neurons)
        dress(axes, "x", span, style)
        axes.set_xlabel(f"rate ({about.rate_unit})")
        (_draw_rows if few else _draw_ranks)(axes, neurons, span, style)
        axes.set_ylim(0.3, len(neurons) + 0.7)
        _key(axes, neurons, about)
        canvas.settle(figure)
        if not few:
            lower, upper = (span.clip(numbers(neurons, end)) for end in ("lower", "upper"))
            name_extremes(axes, texts(neurons, "neuron"), lower, upper, style)
    return figure


def _span(neurons: pd.DataFrame) -> LogRange:
    """Cover the rates, and as much of the intervals as three more decades can hold."""
    raw, rate = numbers(neurons, "raw"), numbers(neurons, "rate")
    inner = log_range(raw, rate)
    ends = [numbers(neurons, name) for name in ("lower", "upper", "raw_lower", "raw_upper")]
    outer = [np.clip(end, inner.low / 10, inner.high * 3) for end in ends]
    return log_range(raw, rate, *outer)


def _draw_rows(axes: Any, neurons: pd.DataFrame, span: LogRange, style: PlotStyle) -> None:
    y = np.arange(1, len(neurons) + 1)
    for prefix, lift, colour in (("raw_", 0.16, VERMILION), ("", -0.16, BLUE)):
        low, high = (span.clip(numbers(neurons, prefix + end)) for end in ("lower", "upper"))
        axes.hlines(y + lift, low, high, color=colour, linewidth=0.8 * style.scale,
                    gid=f"{prefix}intervals")  # fmt: skip
    size = 10 * style.scale**2
    axes.scatter(span.place(numbers(neurons, "raw")), y + 0.16, size, facecolor="white",
                 edgecolor=VERMILION, linewidth=0.8 * style.scale, zorder=3, gid="raw")  # fmt: skip
    axes.scatter(numbers(neurons, "rate"), y - 0.16, size, color=BLUE, linewidth=0, zorder=3,
                 gid="pooled")  # fmt: skip
    axes.set_yticks(y, [printable(name, 18) for name in texts(neurons, "neuron")])
    axes.tick_params(axis="y", length=0)


def _draw_ranks(axes: Any, neurons: pd.DataFrame, span: LogRange, style: PlotStyle) -> None:
    y = np.arange(1, len(neurons) + 1)
    pitch_pt = 95 * style.scale / 25.4 * 72 / len(neurons)
    low, high = (span.clip(numbers(neurons, end)) for end in ("lower", "upper"))
    axes.hlines(y, low, high, color=BLUE, alpha=0.4, linewidth=max(0.25, 0.6 * pitch_pt),
                gid="intervals")  # fmt: skip
    axes.scatter(span.place(numbers(neurons, "raw")), y, max(0.8, min(5, pitch_pt**2)),
                 color=VERMILION, linewidth=0, zorder=3, gid="raw")  # fmt: skip
    axes.plot(numbers(neurons, "rate"), y, color=BLUE, linewidth=0.9 * style.scale, zorder=2.5,
              gid="pooled")  # fmt: skip
    axes.set_ylabel("neurons, by pooled rate")


def _key(axes: Any, neurons: pd.DataFrame, about: About) -> None:
    """Say what is what, above the rows, in the colours of the marks."""
    few = len(neurons) <= MOST_ROWS
    with_interval = few and bool(np.isfinite(numbers(neurons, "raw_lower")).any())
    raw = f"raw, unpooled {about.percent}" if with_interval else "raw"
    axes.set_title(("○ " if few else "• ") + raw, loc="left", color=VERMILION)
    axes.set_title(("●" if few else "—") + f" pooled, {about.percent}", loc="right", color=BLUE)

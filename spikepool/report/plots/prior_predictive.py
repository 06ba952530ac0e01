"""What priors alone say of a neuron: a row for every model, a panel for every quantity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikepool.data.spike_counts import FloatArray
from spikepool.models.prior_predictive import PriorPredictive
from spikepool.report.plots import canvas
from spikepool.report.plots.about import AboutPrior
from spikepool.report.plots.log_axis import LogRange, dress
from spikepool.report.plots.numbers import numbers, part, table, texts
from spikepool.report.plots.style import BLUE, SKY, VERMILION, PlotStyle

COLUMNS: Final = ("series", "axis", "left", "right", "share", "median", "lower", "upper")
_BINS: Final = 36
_FOLD: Final = 500.0
"""How far the axis of rates goes from the typical one, up and down."""
_MOST_FANO: Final = 1e3
_MOST_STRENGTH: Final = 4.0


@dataclass(frozen=True)
class _Axis:
    """A panel's axis: its ends, and whether it is logarithmic."""

    name: str
    low: float
    high: float
    is_log: bool = True

    @property
    def edges(self) -> FloatArray:
        """Of the bars."""
        make = np.geomspace if self.is_log else np.linspace
        return np.asarray(make(self.low, self.high, _BINS + 1))


def prepare_prior_predictive(
    predicted: Sequence[PriorPredictive], typical_rate: float, interval: float
) -> pd.DataFrame:
    """Histogram each quantity of each model on fixed axes, with the shares beyond their ends.

    Parameters
    ----------
    predicted : sequence of PriorPredictive
    typical_rate : float
        e^m0, the middle of the axis of rates.
    interval : float
        Mass of the intervals.

    Returns
    -------
    DataFrame
        Part ``bar``: the `share` of the draws between `left` and `right`. Part ``beyond``: the
        shares below `left` and above `right`, in `lower` and `upper`. Part ``summary``: `median`,
        `lower` and `upper`.
    """
    axes = (
        _Axis("rate", typical_rate / _FOLD, typical_rate * _FOLD),
        _Axis("fano", 1.0, _MOST_FANO),
        _Axis("own_weight", 0.0, 1.0, is_log=False),
        _Axis("tuning_strength", 0.0, _MOST_STRENGTH, is_log=False),
    )
    frames = [
        table(_parts(each.spec.label, axis, values, interval), COLUMNS)
        for each in predicted
        for axis in axes
        if (values := getattr(each, axis.name)) is not None
    ]
    return pd.concat(frames, ignore_index=True)


def _parts(
    label: str, axis: _Axis, values: FloatArray, interval: float
) -> dict[str, dict[str, object]]:
    keys = {"series": label, "axis": axis.name}
    edges, size = axis.edges, len(values)
    tail = (1 - interval) / 2
    lower, median, upper = np.quantile(values, [tail, 0.5, 1 - tail])
    counts = np.histogram(values, edges)[0]
    below, above = float(np.mean(values < axis.low)), float(np.mean(values > axis.high))
    ends = {"left": axis.low, "right": axis.high}
    return {
        "bar": {**keys, "left": edges[:-1], "right": edges[1:], "share": counts / size},
        "beyond": {**keys, **ends, "lower": below, "upper": above},
        "summary": {**keys, "median": median, "lower": lower, "upper": upper},
    }


def draw_prior_predictive(data: pd.DataFrame, about: AboutPrior, style: PlotStyle) -> Figure:
    """Draw a row of panels for every model."""
    models = list(dict.fromkeys(texts(data, "series")))
    names = {
        "rate": f"rate ({about.rate_unit})",
        "fano": "Fano factor",
        "own_weight": "own weight κ",
    }
    if about.design.conditions > 1:
        names["tuning_strength"] = f"sd between {about.design.response_kind}s (ln)"
    with style.context():
        width = style.width(180)
        row_height = 38.0 * style.scale
        height = row_height * len(models) + 6 * style.scale
        figure = canvas.new_figure(about, style, width, height)
        grid = figure.subplots(len(models), len(names), squeeze=False)
        for row, model in zip(grid, models, strict=True):
            own = data[data["series"] == model]
            for axes, (axis, label) in zip(row, names.items(), strict=True):
                values = own[own["axis"] == axis]
                fixed = _only_value(values)
                if fixed is not None:
                    canvas.say(
                        axes, f"{label}: always {fixed:g}", style, width_mm=width / len(names)
                    )
                    continue
                _panel(axes, values, axis, style)
                axes.set_xlabel(label)
            named = canvas.wrapped(model, 0.8 * row_height, style)
            row[0].set_ylabel("\n".join([*named, "share of draws (%)"]))
        words = (
            f"Bars: neurons drawn from the priors, no data yet. Blue: median and {about.percent} "
            "interval. ◂ ▸: share of the draws beyond the axis."
        )
        canvas.write_foot(figure, [words], style, width)
        canvas.settle(figure)
    return figure


def _only_value(data: pd.DataFrame) -> float | None:
    """Return the one value that the model allows; None where there are many."""
    summary = part(data, "summary")
    lower, upper = (float(numbers(summary, name)[0]) for name in ("lower", "upper"))
    return lower if lower == upper else None


def _panel(axes: Any, data: pd.DataFrame, axis: str, style: PlotStyle) -> None:
    bars, beyond, summary = (part(data, name) for name in ("bar", "beyond", "summary"))
    left, right = numbers(bars, "left"), numbers(bars, "right")
    low, high = float(left[0]), float(right[-1])
    if axis in ("rate", "fano"):
        dress(axes, "x", LogRange(low, high, None), style)
    axes.set_xlim(low, high)
    axes.bar(left, 100 * numbers(bars, "share"), right - left, align="edge", color=SKY,
             linewidth=0, gid="prior")  # fmt: skip
    axes.set_ylim(bottom=0)
    ends = (float(numbers(summary, name)[0]) for name in ("lower", "upper", "median"))
    lower, upper, median = np.clip([*ends], low, high)
    axes.plot([lower, upper], [0, 0], color=BLUE, linewidth=3 * style.scale, zorder=3,
              solid_capstyle="butt", clip_on=False, gid="interval")  # fmt: skip
    axes.plot([median], [0], "o", color=BLUE, zorder=4, clip_on=False, gid="median")
    below, above = (float(numbers(beyond, name)[0]) for name in ("lower", "upper"))
    if below > 0:
        axes.set_title(f"◂ {_percent(below)}", loc="left", color=VERMILION)
    if above > 0:
        axes.set_title(f"{_percent(above)} ▸", loc="right", color=VERMILION)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"

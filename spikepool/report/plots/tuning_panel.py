"""One neuron's tuning curve: marks of raw rates, pooled rates with their interval, its mean."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from spikepool.data.spike_counts import FloatArray
from spikepool.report.plots.labels import printable
from spikepool.report.plots.numbers import numbers, part, texts
from spikepool.report.plots.stimulus_axis import (
    dress_categories,
    dress_numbers,
    number_label,
    turned_mm,
)
from spikepool.report.plots.style import BLUE, GREY, VERMILION, PlotStyle, series_colours

_HEADROOM: Final = 2.0
"""How far above the rates an interval may stretch an axis."""
_DENSE: Final = 60
"""Intervals of more categories than this touch: they are pale, and pooled rates lie on top."""


@dataclass(frozen=True)
class Stimulus:
    """The axis that all panels share.

    Attributes
    ----------
    name : str
    period : float
        NaN unless circular.
    low, high : float
        Of the numbers shown; of categories their first and last rank.
    whole : bool
        Whether all of them are whole numbers.
    series : tuple of str
        Curves, in order; a single one is the empty text.
    categories : dict of float to str
        Label of each category by its place, those alone that a neuron shown was recorded at;
        empty of numbers.
    width_mm : float
        Of a panel.
    labels_mm : float
        Height of turned labels.
    """

    name: str
    period: float
    low: float
    high: float
    whole: bool
    series: tuple[str, ...]
    categories: dict[float, str]
    width_mm: float
    labels_mm: float


def stimulus_of(data: pd.DataFrame, width_mm: float, style: PlotStyle) -> Stimulus:
    """Read the axis of a picture's numbers, for panels of a width."""
    axis, responses = part(data, "axis"), part(data, "response")
    period, x = float(numbers(axis, "period")[0]), numbers(responses, "x")
    places = dict(sorted(zip(x.tolist(), texts(responses, "condition"), strict=True)))
    categories = places if texts(axis, "kind")[0] == "categorical" else {}
    low, high = (0.0, len(categories) - 1.0) if categories else (float(x.min()), float(x.max()))
    return Stimulus(
        name=texts(axis, "axis")[0],
        period=period,
        low=low,
        high=low + period if np.isfinite(period) else high,
        whole=bool(np.all(x == np.round(x))),
        series=tuple(texts(part(data, "series"), "series")),
        categories=categories,
        width_mm=width_mm,
        labels_mm=turned_mm(list(categories.values()), width_mm, style),
    )


def draw_panel(
    axes: Any,
    neuron: pd.DataFrame,
    responses: pd.DataFrame,
    stimulus: Stimulus,
    style: PlotStyle,
    *,
    named: bool,
) -> None:
    """Draw one neuron.

    Parameters
    ----------
    axes : Axes
    neuron : DataFrame
        Its row.
    responses : DataFrame
        Its responses.
    stimulus : Stimulus
    style : PlotStyle
    named : bool
        Whether the axis of stimuli has its name and numbers.
    """
    mean = float(numbers(neuron, "rate")[0])
    axes.axhline(mean, color=GREY, linewidth=0.6 * style.scale, zorder=1.5, linestyle=(0, (4, 2)),
                 gid="mean")  # fmt: skip
    for rank, name in enumerate(stimulus.series):
        of = responses[responses["series"] == name].sort_values("x", kind="stable")
        if stimulus.categories:
            _draw_points(axes, of, rank, stimulus, style)
        else:
            _draw_line(axes, _closed(of, stimulus.period), _colours(rank, stimulus), style)
    _dress_rates(axes, responses, mean)
    _dress_stimulus(axes, stimulus, style)
    axes.set_title(printable(texts(neuron, "neuron")[0], 12), loc="left")
    axes.set_title(f"κ {numbers(neuron, 'own_weight')[0]:.2f}", loc="right", color=GREY)
    axes.tick_params(labelbottom=named)
    if named:
        longest = int(1.25 * stimulus.width_mm / style.characters_mm(1))
        axes.set_xlabel(printable(stimulus.name, longest))


def _colours(rank: int, stimulus: Stimulus) -> tuple[str, str]:
    """Colours of raw and pooled rates: those of other pictures, or the curve's own for both."""
    count = len(stimulus.series)
    return (VERMILION, BLUE) if count == 1 else (series_colours(count)[rank],) * 2


def _closed(of: pd.DataFrame, period: float) -> pd.DataFrame:
    """Return a curve of a circle with its first point again at the end."""
    if not np.isfinite(period) or not len(of):
        return of
    again = of.iloc[:1].assign(x=of["x"].iloc[0] + period)
    return pd.concat([of, again], ignore_index=True)


def _draw_line(axes: Any, of: pd.DataFrame, colours: tuple[str, str], style: PlotStyle) -> None:
    raw, pooled = colours
    x = numbers(of, "x")
    axes.fill_between(x, numbers(of, "lower"), numbers(of, "upper"), color=pooled, alpha=0.2,
                      linewidth=0, gid="ribbon")  # fmt: skip
    axes.plot(x, numbers(of, "rate"), color=pooled, linewidth=1.0 * style.scale, gid="pooled")
    size = 8.0 if len(of) <= 20 else 4.0
    axes.scatter(x, numbers(of, "raw"), size * style.scale**2, facecolor="white", edgecolor=raw,
                 linewidth=0.7 * style.scale, zorder=3, clip_on=False, gid="raw")  # fmt: skip


def _draw_points(
    axes: Any, of: pd.DataFrame, rank: int, stimulus: Stimulus, style: PlotStyle
) -> None:
    """Mark rates of categories, the raw one left of the pooled, with no line between them."""
    raw, pooled = _colours(rank, stimulus)
    n_series, n_categories = len(stimulus.series), len(stimulus.categories)
    slot = 0.7 / n_series
    middle = _category_ranks(of, stimulus) + (rank - (n_series - 1) / 2) * slot
    left, right = middle - slot / 4, middle + slot / 4
    size = float(np.clip(160 / n_categories, 1.5, 8)) * style.scale**2
    line, dense = float(np.clip(12 / n_categories, 0.3, 0.9)) * style.scale, n_categories > _DENSE
    axes.vlines(right, numbers(of, "lower"), numbers(of, "upper"), color=pooled, linewidth=line,
                alpha=0.2 if dense else 1.0, zorder=1, gid="intervals")  # fmt: skip
    axes.scatter(right, numbers(of, "rate"), size, color=pooled, linewidth=0, zorder=2.5,
                 gid="pooled")  # fmt: skip
    axes.scatter(left, numbers(of, "raw"), size, facecolor="white", edgecolor=raw,
                 zorder=2 if dense else 3, linewidth=0.8 * line, clip_on=False,
                 gid="raw")  # fmt: skip


def _category_ranks(of: pd.DataFrame, stimulus: Stimulus) -> FloatArray:
    places = np.array(list(stimulus.categories))
    return np.searchsorted(places, numbers(of, "x")).astype(np.float64)


def _dress_rates(axes: Any, responses: pd.DataFrame, mean: float) -> None:
    """Let the axis of rates reach from 0 over all rates, and over intervals within reason."""
    top = float(np.nanmax([*numbers(responses, "raw"), *numbers(responses, "rate"), mean]))
    reach = min(float(np.nanmax(numbers(responses, "upper"))), _HEADROOM * top)
    axes.set_ylim(0, 1.05 * max(top, reach))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_label(value)))


def _dress_stimulus(axes: Any, stimulus: Stimulus, style: PlotStyle) -> None:
    if stimulus.categories:
        axes.set_xlim(-0.6, len(stimulus.categories) - 0.4)
        dress_categories(axes, list(stimulus.categories.values()), stimulus.width_mm, style)
        return
    margin = 0.04 * (stimulus.high - stimulus.low) or 0.5
    axes.set_xlim(stimulus.low - margin, stimulus.high + margin)
    ticks = int(stimulus.width_mm / style.characters_mm(4))
    ends = stimulus.low, stimulus.high
    dress_numbers(axes.xaxis, *ends, stimulus.period, ticks, whole=stimulus.whole)

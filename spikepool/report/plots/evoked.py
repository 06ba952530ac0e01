"""Evoked rates: every response against its neuron's baseline, with its interval, sorted."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikepool.posterior.results import SURELY_ABOVE, EvokedRates
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.extremes import name_extremes
from spikepool.report.plots.labels import printable
from spikepool.report.plots.numbers import numbers, part, table, texts
from spikepool.report.plots.signed_axis import SignedRange, dress_signed, signed_range
from spikepool.report.plots.style import BLUE, GREY, INK, VERMILION, PlotStyle

MOST_ROWS: Final = 60
"""With more responses than this they are ranks on an axis instead of named rows."""

COLUMNS: Final = (
    *("neuron", "condition", "rank", "n_trials", "baseline_n_trials", "baseline", "evoked"),
    *("lower", "upper", "prob_above_baseline"),
)
_SIDES: Final = (
    ("above", VERMILION, "^", "▲", f"above baseline, P > {SURELY_ABOVE}"),
    ("below", BLUE, "v", "▼", f"below baseline, P > {SURELY_ABOVE}"),
    ("undecided", GREY, "o", "○", "undecided"),
)
"""Name, colour, mark, the same in type, and words of what is known of a response."""
_ROW_MM: Final = 3.4


def prepare_evoked(
    evoked: EvokedRates, neurons: Sequence[str], conditions: Sequence[str]
) -> pd.DataFrame:
    """Sort responses by evoked rate.

    Parameters
    ----------
    evoked : EvokedRates
    neurons : sequence of str
        Of the tally.
    conditions : sequence of str
        Of the tally; empty where the stimuli have none.

    Returns
    -------
    DataFrame
        Part ``response``, by increasing posterior median of the `evoked` rate, with `lower` and
        `upper`, and the posterior median of the `baseline`, in the rate's unit; responses of
        neurons without a baseline stand last, without numbers.
    """
    order = np.argsort(evoked.evoked.median, kind="stable")
    rows: dict[str, object] = {
        "neuron": [neurons[evoked.neuron[row]] for row in order],
        "condition": [conditions[evoked.condition[row]] if conditions else "" for row in order],
        "rank": np.arange(1, order.size + 1),
        "n_trials": evoked.n_trials[order],
        "baseline_n_trials": evoked.baseline_trials[order],
        "baseline": evoked.baseline.median[order],
        "evoked": evoked.evoked.median[order],
        "lower": evoked.evoked.lower[order],
        "upper": evoked.evoked.upper[order],
        "prob_above_baseline": evoked.prob_above[order],
    }
    return table({"response": rows}, COLUMNS)


def draw_evoked(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw one row per response; above 60 of them, thin lines by rank with the extremes named."""
    responses = part(data, "response")
    known = np.isfinite(numbers(responses, "evoked"))
    unknown, responses = int((~known).sum()), responses[known]
    if not len(responses):
        return canvas.empty("There is no response with a baseline to show.", about, style)
    with style.context():
        few = len(responses) <= MOST_ROWS
        height = (_ROW_MM * len(responses) + 38 if few else 130) * style.scale
        figure = canvas.new_figure(about, style, style.width(85), height)
        axes = figure.subplots()
        span = signed_range(*(numbers(responses, of) for of in ("evoked", "lower", "upper")))
        dress_signed(axes, span)
        axes.set_xlabel(f"evoked rate, response − baseline ({about.rate_unit})" if not few else
                        f"evoked rate ({about.rate_unit})")  # fmt: skip
        axes.axvline(0, color=INK, linewidth=0.5 * style.scale, zorder=0.5, gid="baseline")
        side = _sides(numbers(responses, "prob_above_baseline"))
        (_draw_rows if few else _draw_ranks)(axes, responses, side, span, style)
        axes.set_ylim(0.3, len(responses) + 0.7)
        _key(axes, side, unknown, about, style)
        canvas.settle(figure)
        if not few:
            lower, upper = (span.clip(numbers(responses, end)) for end in ("lower", "upper"))
            name_extremes(axes, _names(responses, 14), lower, upper, style)
    return figure


def _sides(prob_above: np.ndarray[Any, np.dtype[np.float64]]) -> list[str]:
    return [
        "above" if p > SURELY_ABOVE else "below" if p < 1 - SURELY_ABOVE else "undecided"
        for p in prob_above
    ]


def _names(responses: pd.DataFrame, longest: int) -> list[str]:
    """Name responses by neuron and condition, both shortened where they are too long."""
    pairs = zip(texts(responses, "neuron"), texts(responses, "condition"), strict=True)
    return [_name(neuron, condition, longest) for neuron, condition in pairs]


def _name(neuron: str, condition: str, longest: int) -> str:
    if not condition:
        return printable(neuron, longest)
    of = f" · {printable(condition, longest // 2 - 2)}"
    return printable(neuron, longest - len(of)) + of


def _draw_rows(
    axes: Any, responses: pd.DataFrame, side: list[str], span: SignedRange, style: PlotStyle
) -> None:
    y = np.arange(1, len(responses) + 1)
    x, low, high = (span.clip(numbers(responses, of)) for of in ("evoked", "lower", "upper"))
    for name, colour, mark, *_ in reversed(_SIDES):
        rows = np.array(side) == name
        axes.hlines(y[rows], low[rows], high[rows], color=colour, linewidth=0.8 * style.scale,
                    gid="intervals")  # fmt: skip
        axes.scatter(x[rows], y[rows], 12 * style.scale**2, marker=mark, edgecolor=colour,
                     facecolor="white" if name == "undecided" else colour, zorder=3,
                     linewidth=0.7 * style.scale, gid=name)  # fmt: skip
    axes.set_yticks(y, _names(responses, 24))
    axes.tick_params(axis="y", length=0)


def _draw_ranks(
    axes: Any, responses: pd.DataFrame, side: list[str], span: SignedRange, style: PlotStyle
) -> None:
    y = np.arange(1, len(responses) + 1)
    pitch_pt = 95 * style.scale / 25.4 * 72 / len(responses)
    x, low, high = (span.clip(numbers(responses, of)) for of in ("evoked", "lower", "upper"))
    for name, colour, *_ in reversed(_SIDES):
        rows = np.array(side) == name
        axes.hlines(y[rows], low[rows], high[rows], color=colour, alpha=0.45,
                    linewidth=max(0.25, 0.6 * pitch_pt), gid="intervals")  # fmt: skip
        axes.scatter(x[rows], y[rows], max(0.8, min(5, pitch_pt**2)), color=colour, linewidth=0,
                     zorder=3, gid=name)  # fmt: skip
    of = "neurons × conditions" if any(texts(responses, "condition")) else "neurons"
    axes.set_ylabel(f"{of}, by evoked rate")


def _key(axes: Any, side: list[str], unknown: int, about: About, style: PlotStyle) -> None:
    """Say what is what, above the rows, in the colours of the marks."""
    few = len(side) <= MOST_ROWS
    lines = [
        (colour, f"{sign if few else '—'} {words}: {side.count(name):,}")
        for name, colour, _, sign, words in _SIDES
    ]
    lines.append((INK, f"medians and {about.percent} intervals"))
    if unknown:
        lines.append((INK, f"not shown, no baseline: {unknown:,}"))
    for level, (colour, text) in enumerate(reversed(lines)):
        axes.annotate(
            text, (1, 1), (0, 3 + 1.3 * style.font_pt * level), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="bottom", color=colour, gid="key",
            annotation_clip=False,
        )  # fmt: skip

"""Conditions along an axis: of numbers, of a circle, or of categories; and further factors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from matplotlib.ticker import (
    AutoMinorLocator,
    FixedFormatter,
    FixedLocator,
    MaxNLocator,
    NullLocator,
)

from spikepool.data.keys import SEPARATOR
from spikepool.data.natural_order import numbers_first
from spikepool.data.spike_counts import Factor, FloatArray
from spikepool.report.plots.labels import LINE_HEIGHT, printable
from spikepool.report.plots.style import PlotStyle

type Kind = Literal["numeric", "circular", "categorical"]

MOST_SERIES: Final = 5
"""Up to this many levels of the other factors are curves; more are labels along the axis."""
LONGEST_LABEL: Final = 14


@dataclass(frozen=True)
class StimulusAxis:
    """Where each condition stands.

    Attributes
    ----------
    name : str
        What runs along the axis, with its unit where it is known.
    kind : {'numeric', 'circular', 'categorical'}
    period : float
        NaN unless circular.
    place : ndarray, shape (conditions,)
        Number on the axis; of categories their rank.
    label : tuple of str, one per condition
        As written along an axis of categories.
    series_name : str
        What tells curves apart; empty where there is one curve.
    series : tuple of str, one per condition
        The curve that it is part of.
    series_levels : tuple of str
        The curves, in order.
    """

    name: str
    kind: Kind
    period: float
    place: FloatArray
    label: tuple[str, ...]
    series_name: str
    series: tuple[str, ...]
    series_levels: tuple[str, ...]


def stimulus_axis(factors: Sequence[Factor]) -> StimulusAxis:
    """Lay conditions out: the factor with most levels along the axis, the others as curves.

    Parameters
    ----------
    factors : sequence of Factor
        Of several with equally many levels the first is taken. Where the others have more than
        five levels together, all are joined into categories.
    """
    main, others = _shared_out(factors)
    positions = main[0].positions if len(main) == 1 else None
    period = None if positions is None else main[0].period
    unit = "" if positions is None else main[0].unit
    n = len(factors[0].labels)
    curves = _joined(others, n)
    first = np.unique(_ranks(others), return_index=True)[1] if others else [0]
    return StimulusAxis(
        name=_names(main) + (f" ({unit})" if unit else ""),
        kind="categorical" if positions is None else "numeric" if period is None else "circular",
        period=np.nan if period is None else period,
        place=_ranks(main) if positions is None else positions,
        label=_joined(main, n),
        series_name=_names(others),
        series=curves,
        series_levels=tuple(curves[i] for i in first),
    )


def _shared_out(factors: Sequence[Factor]) -> tuple[list[Factor], list[Factor]]:
    """Return the factors along the axis, and those that tell curves apart."""
    levels = [len(set(factor.labels)) for factor in factors]
    main = factors[int(np.argmax(levels))]
    others = [factor for factor in factors if factor is not main]
    if len(set(_joined(others, len(main.labels)))) > MOST_SERIES:
        return list(factors), []
    return [main], others


def _names(factors: Sequence[Factor]) -> str:
    return SEPARATOR.join(factor.name for factor in factors)


def _joined(factors: Sequence[Factor], n: int) -> tuple[str, ...]:
    """Join the labels of each of n conditions; of no factor they are empty."""
    return tuple(SEPARATOR.join(factor.labels[i] for factor in factors) for i in range(n))


def _ranks(factors: Sequence[Factor]) -> FloatArray:
    """Rank of each condition by the factors, the first one first; shape (conditions,)."""
    codes = []
    for factor in factors:
        distinct = list(dict.fromkeys(factor.labels))
        rank = {distinct[i]: place for place, i in enumerate(numbers_first(distinct))}
        codes.append([rank[label] for label in factor.labels])
    _, ranks = np.unique(np.array(codes), axis=1, return_inverse=True)
    return ranks.astype(np.float64)


def dress_numbers(
    axis: Any, low: float, high: float, period: float, ticks: int, *, whole: bool
) -> None:
    """Set the ticks of numbers; of a circle at its quarters or halves.

    Parameters
    ----------
    axis : Axis
    low, high : float
        Of the numbers shown.
    period : float
        NaN unless circular.
    ticks : int
        How many there is room for.
    whole : bool
        Whether ticks are to stand at whole numbers.
    """
    if np.isfinite(period):
        step = period / 4 if ticks >= 5 else period / 2
        first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
        places = step * np.arange(first, last + 1)
    else:
        locator = MaxNLocator(max(2, ticks - 1), steps=[1, 2, 2.5, 5, 10], integer=whole)
        places = np.asarray(locator.tick_values(low, high))
        places = places[(places >= low) & (places <= high)]
    axis.set_major_locator(FixedLocator(places.tolist()))
    close = whole and len(places) > 1 and places[1] - places[0] < 2
    axis.set_minor_locator(NullLocator() if close else AutoMinorLocator(2))
    axis.set_major_formatter(FixedFormatter([number_label(place) for place in places.tolist()]))


def number_label(value: float) -> str:
    """Write a tick's number, with a minus sign."""
    return f"{value + 0.0:,.4g}".replace("-", "−")


def dress_categories(axes: Any, labels: Sequence[str], width_mm: float, style: PlotStyle) -> None:
    """Set the ticks of categories: upright where they fit, else turned, and thinned if many."""
    shown = [printable(label, LONGEST_LABEL) for label in labels]
    upright = turned_mm(labels, width_mm, style) == 0
    line = LINE_HEIGHT * style.font_pt * 25.4 / 72
    every = 1 if upright else int(np.ceil(line * len(shown) / width_mm))
    places = np.arange(0, len(shown), every)
    axes.set_xticks(places, [shown[i] for i in places], rotation=0 if upright else 90)
    if every == 1:
        axes.tick_params(axis="x", length=0)


def turned_mm(labels: Sequence[str], width_mm: float, style: PlotStyle) -> float:
    """Height of labels that must be turned to fit; 0 of those that fit upright, or of none."""
    longest = max((len(printable(label, LONGEST_LABEL)) for label in labels), default=0)
    if style.characters_mm(longest + 1) * len(labels) <= width_mm:
        return 0.0
    return style.characters_mm(longest)

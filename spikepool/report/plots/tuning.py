"""Tuning curves: raw and pooled rates of some neurons in every condition."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikepool.data.spike_counts import Factor, FloatArray, IntArray
from spikepool.posterior.results import NeuronEstimates, ResponseEstimates
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.numbers import numbers, part, table
from spikepool.report.plots.stimulus_axis import StimulusAxis, stimulus_axis
from spikepool.report.plots.style import PlotStyle
from spikepool.report.plots.tuning_key import (
    Words,
    draw_key,
    draw_strengths,
    key_mm,
    key_of,
    sentences_on,
)
from spikepool.report.plots.tuning_panel import Stimulus, draw_panel, stimulus_of

COLUMNS: Final = (
    *("neuron", "condition", "axis", "kind", "period", "series", "panel", "x", "raw", "rate"),
    *("lower", "upper", "own_weight", "raw_strength", "strength"),
)
TUNING: Final = Words(
    "tuning strength", "conditions", "responses", "No neuron was recorded in two conditions."
)
DRIFT: Final = Words("drift", "blocks of trials", "blocks", "No neuron has two blocks of trials.")
MOST_PANELS: Final = 12
_PANEL_MM: Final = 29.0
_STRENGTHS_MM: Final = 42.0
_NARROWEST_MM: Final = 40.0
_COLUMNS_FOR_TEXT: Final = 3
"""With so many columns sentences fit beside the tuning strengths; else they are at the foot."""


def prepare_tuning(
    estimates: NeuronEstimates, factors: Sequence[Factor], raw_strength: FloatArray
) -> pd.DataFrame:
    """Choose neurons, and lay their responses out along the stimulus.

    Up to twelve neurons have a panel: one of each twelfth by pooled tuning strength, the strongest
    first, by turns that of least and of most own weight.

    Parameters
    ----------
    estimates : NeuronEstimates
        Of a model with responses to conditions.
    factors : sequence of Factor
        What the conditions are made of.
    raw_strength : ndarray, shape (N,)
        Tuning strength of raw rates.

    Returns
    -------
    DataFrame
        Part ``axis``: what runs along it, its `kind` and `period`, and what tells `series` apart.
        Part ``series``: what each curve is called, in order. Part ``neuron``, every one of two
        conditions or more: pooled `rate`, mean `own_weight` of its responses, `raw_strength` and
        pooled `strength` of its tuning with the interval `lower` to `upper`, and its `panel`, if
        it has one. Part ``response``, of neurons with a panel: place `x` and label (`condition`)
        on the axis, `series`, `raw` rate, and posterior median `rate` with its interval.
    """
    responses, tuning = estimates.responses, estimates.tuning
    assert responses is not None  # noqa: S101 - the caller has looked
    assert tuning is not None  # noqa: S101 - such models have both
    weight = _mean_weight(responses, len(estimates.neurons))
    chosen = _chosen(tuning.median, weight)
    panel = np.full(len(weight), np.nan)
    panel[chosen] = np.arange(1, len(chosen) + 1)
    axis = stimulus_axis(factors)
    tuned = np.flatnonzero(np.isfinite(tuning.median))
    neurons: dict[str, object] = {
        "neuron": [estimates.neurons[i] for i in tuned],
        "panel": panel[tuned],
        "rate": estimates.rate.median[tuned],
        "own_weight": weight[tuned],
        "raw_strength": raw_strength[tuned],
        "strength": tuning.median[tuned],
        "lower": tuning.lower[tuned],
        "upper": tuning.upper[tuned],
    }
    parts = {
        **_axis_parts(axis),
        "neuron": neurons,
        "response": _responses(responses, estimates.neurons, panel, axis),
    }
    return table(parts, COLUMNS)


def _mean_weight(responses: ResponseEstimates, size: int) -> FloatArray:
    """Mean own weight of each neuron's responses; shape (N,)."""
    total = np.bincount(responses.neuron, responses.own_weight.mean, size)
    return total / np.bincount(responses.neuron, minlength=size)


def _chosen(strength: FloatArray, weight: FloatArray) -> IntArray:
    """Choose the neurons shown; those of one condition have no strength and no panel."""
    order = np.argsort(-strength, kind="stable")[: np.isfinite(strength).sum()]
    parts = np.array_split(order, min(MOST_PANELS, len(order))) if len(order) else []
    ends = (np.argmin, np.argmax)
    chosen = [part[ends[i % 2](weight[part])] for i, part in enumerate(parts)]
    return np.array(chosen, dtype=np.int64)


def _axis_parts(axis: StimulusAxis) -> dict[str, dict[str, object]]:
    of_axis: dict[str, object] = {
        "axis": [axis.name],
        "kind": [axis.kind],
        "period": [axis.period],
        "series": [axis.series_name],
    }
    return {"axis": of_axis, "series": {"series": axis.series_levels}}


def _responses(
    responses: ResponseEstimates, neurons: Sequence[str], panel: FloatArray, axis: StimulusAxis
) -> dict[str, object]:
    """Responses of the neurons shown, panel by panel."""
    of_panel = panel[responses.neuron]
    rows = np.argsort(of_panel, kind="stable")[: np.isfinite(of_panel).sum()]
    conditions = responses.condition[rows]
    return {
        "neuron": [neurons[i] for i in responses.neuron[rows]],
        "panel": of_panel[rows],
        "condition": [axis.label[c] for c in conditions],
        "series": [axis.series[c] for c in conditions],
        "x": axis.place[conditions],
        "raw": responses.rate_raw[rows],
        "rate": responses.rate.median[rows],
        "lower": responses.rate.lower[rows],
        "upper": responses.rate.upper[rows],
    }


def draw_tuning(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw a panel per chosen neuron, and below them the tuning strengths of all."""
    return _draw_responses(data, about, TUNING, style)


def draw_drift(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw how the rates of chosen neurons drift from block to block, and how far those of all."""
    return _draw_responses(data, about, DRIFT, style)


def _draw_responses(data: pd.DataFrame, about: About, words: Words, style: PlotStyle) -> Figure:
    neurons = part(data, "neuron")
    shown = neurons[np.isfinite(numbers(neurons, "panel"))].sort_values("panel", kind="stable")
    if not len(shown):
        return canvas.empty(words.nothing, about, style)
    with style.context():
        width = style.width(180)
        columns = _columns(len(shown), width / style.scale)
        rows, sentences = -(-len(shown) // columns), sentences_on(neurons, words)
        beside = sentences if columns >= _COLUMNS_FOR_TEXT else []
        room = max(columns - 1, 1) * width / columns - 6 * style.scale
        key = key_of(data, about, beside, room, style)
        below = [_STRENGTHS_MM, key_mm(key)] if columns == 1 else [max(_STRENGTHS_MM, key_mm(key))]
        heights = [_PANEL_MM] * rows + below
        stimulus = stimulus_of(data, width / columns - 11 * style.scale, style)
        height = sum(heights) * style.scale + stimulus.labels_mm
        figure = canvas.new_figure(about, style, width, height)
        grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
        _draw_panels(figure, grid, data, shown, stimulus, about, style)
        draw_strengths(figure.add_subplot(grid[rows, 0]), neurons, words, style)
        draw_key(figure.add_subplot(grid[rows, 1:] if columns > 1 else grid[rows + 1, 0]), key)
        if not beside:
            canvas.write_foot(figure, sentences, style, width)
        canvas.settle(figure)
    return figure


def _columns(count: int, width_mm: float) -> int:
    """Columns of panels: as many as fit, at most four, the rows filled evenly."""
    most = int(np.clip(width_mm // _NARROWEST_MM, 1, 4))
    rows = -(-count // most)
    return min(most, max(2, -(-count // rows)))


def _draw_panels(
    figure: Figure,
    grid: Any,
    data: pd.DataFrame,
    shown: pd.DataFrame,
    stimulus: Stimulus,
    about: About,
    style: PlotStyle,
) -> None:
    """Draw the chosen neurons; the lowest of a column names the axis, the first of a row rates."""
    responses, columns = part(data, "response"), grid.ncols
    for place in range(len(shown)):
        neuron = shown.iloc[place : place + 1]
        own = responses[numbers(responses, "panel") == numbers(neuron, "panel")[0]]
        axes = figure.add_subplot(grid[place // columns, place % columns])
        lowest = place + columns >= len(shown)
        draw_panel(axes, neuron, own, stimulus, style, named=lowest)
        if place % columns == 0:
            axes.set_ylabel(about.rate_unit)

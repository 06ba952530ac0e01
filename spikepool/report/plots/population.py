"""Hyperparameters by group, as pictures need them, and lines of several populations."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikepool.posterior.results import PopulationParameter
from spikepool.report.plots import canvas
from spikepool.report.plots.labels import label_column, printable
from spikepool.report.plots.numbers import numbers, texts
from spikepool.report.plots.style import BLACK, PALE, PlotStyle


def by_group(
    population: Sequence[PopulationParameter], parameter: str
) -> dict[str, PopulationParameter]:
    """One hyperparameter of every group that has it, in the order given."""
    return {each.group: each for each in population if each.parameter == parameter}


def draw_levels(axes: Any, population: pd.DataFrame, column: str, style: PlotStyle) -> None:
    """Draw each population's typical value across the axes, with ±τ where there is one alone."""
    for _, row in population.iterrows():
        if len(population) == 1 and np.isfinite(row["lower"]):
            axes.axhspan(row["lower"], row["upper"], color=PALE, alpha=0.35, linewidth=0,
                         zorder=0.3, gid="tau band")  # fmt: skip
        axes.axhline(row[column], color=BLACK, linewidth=0.6 * style.scale,
                     linestyle=(0, (4, 2)), zorder=1.2, gid="population")  # fmt: skip


def settle_with_names(
    figure: Figure, axes: Any, population: pd.DataFrame, column: str, style: PlotStyle
) -> None:
    """Lay the figure out, and name the lines of several populations beyond the right edge.

    Names that there is no room for are left out.
    """
    if len(population) < 2:
        canvas.settle(figure)
        return
    names = texts(population, "group")
    longest = max((printable(name, 10) for name in names), key=len)
    room = axes.annotate(longest, (1.06, 0.5), xycoords="axes fraction", va="center")
    canvas.settle(figure)
    room.remove()
    level = numbers(population, column)
    right = np.full(level.size, axes.get_xlim()[1])
    shown = [printable(name, 10) for name in names]
    label_column(axes, right, level, shown, style, at=1.06, side="right")

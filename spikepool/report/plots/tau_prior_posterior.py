"""What the data taught about spreads: prior and posterior of τ, and of those of conditions."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.group_rows import (
    CURVE_HEIGHT,
    MOST_CURVES,
    baselines,
    name_rows,
    row_mm,
)
from spikepool.report.plots.numbers import numbers, part, table, texts
from spikepool.report.plots.root_scale import root_scale
from spikepool.report.plots.style import BLUE, INK, SKY, VERMILION, PlotStyle, series_colours

COLUMNS: Final = ("parameter", "group", "value", "left", "right", "density", "lower", "upper")
NAMES: Final = {
    "tau": "τ, spread of log rates",
    "tau_delta": "τ_δ, spread of log dispersions",
    "tuning_sd": "ω_b, spread between conditions",
    "drift_sd": "ω_d, spread between blocks of trials",
    "condition_sd": "ω_c, spread of effects of conditions",
    "gain_sd": "gain sd",
    "excess_fano": "excess Fano factor",
}
_BINS: Final = 40


def prepare_tau_prior_posterior(
    draws: Mapping[str, Mapping[str, NDArray[np.float64]]],
    priors: Mapping[str, tuple[FloatArray, FloatArray]],
    interval: float = 0.95,
) -> pd.DataFrame:
    """Prior density and each group's posterior histogram of each parameter that has both.

    Parameters
    ----------
    draws : dict of group to dict of parameter to ndarray
        Posterior draws, any shape.
    priors : dict of str to (grid, density)
        Each parameter's prior density on a grid of values.
    interval : float
        Mass of the posterior interval.

    Returns
    -------
    DataFrame
        Part ``prior``: `density` at `value`. Part ``posterior``: histogram between `left` and
        `right`. Part ``summary``: posterior median `value`, with `lower` and `upper`.
    """
    frames = []
    for name, (grid, density) in priors.items():
        known = {group: of[name] for group, of in draws.items() if name in of}
        known = {group: values for group, values in known.items() if np.isfinite(values).any()}
        if known:
            prior = {"parameter": name, "value": grid, "density": density}
            frames.append(table({"prior": prior}, COLUMNS))
        frames += [
            table(_parts(name, group, np.ravel(values), interval), COLUMNS)
            for group, values in known.items()
        ]
    return pd.concat(frames, ignore_index=True) if frames else table({}, COLUMNS)


def _parts(
    name: str, group: str, draws: FloatArray, interval: float
) -> dict[str, dict[str, object]]:
    draws = draws[np.isfinite(draws)]
    heights, edges = np.histogram(draws, _BINS, density=True)
    tail = (1 - interval) / 2
    lower, median, upper = np.quantile(draws, [tail, 0.5, 1 - tail])
    keys = {"parameter": name, "group": group}
    return {
        "posterior": {**keys, "left": edges[:-1], "right": edges[1:], "density": heights},
        "summary": {**keys, "value": median, "lower": lower, "upper": upper},
    }


def draw_tau_prior_posterior(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw the posterior's histogram under the prior's line, one panel per parameter.

    Several groups have a row each, with the prior in every one.
    """
    data = data[np.isfinite(numbers(data, "density")) | np.isfinite(numbers(data, "lower"))]
    parameters = list(dict.fromkeys(texts(part(data, "summary"), "parameter")))
    if not parameters:
        return canvas.empty("This model has no population spread: nothing is pooled partially.",
                            about, style)  # fmt: skip
    groups = list(dict.fromkeys(texts(part(data, "summary"), "group")))
    panel_mm = 52.0 if len(groups) == 1 else len(groups) * row_mm(len(groups)) + 16
    natural = 85 if len(parameters) == 1 else 180
    wide = style.columns(natural) and len(parameters) > 1
    with style.context():
        width = style.width(natural)
        columns = min(2, len(parameters)) if wide else 1
        rows = -(-len(parameters) // columns)
        figure = canvas.new_figure(about, style, width, (panel_mm * rows + 6) * style.scale)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, parameter in zip(grid.flat, parameters, strict=False):
            own = data[data["parameter"] == parameter]
            if len(groups) == 1:
                _panel(axes, own, parameter, about, style)
            else:
                _rows(axes, own, groups, parameter, style)
        for axes in grid.flat[len(parameters) :]:
            axes.set_axis_off()
        canvas.settle(figure)
    return figure


def _panel(axes: Any, data: pd.DataFrame, parameter: str, about: About, style: PlotStyle) -> None:
    posterior, prior, summary = (part(data, name) for name in ("posterior", "prior", "summary"))
    left, right = numbers(posterior, "left"), numbers(posterior, "right")
    axes.bar(left, numbers(posterior, "density"), right - left, align="edge", color=SKY,
             linewidth=0, gid="posterior")  # fmt: skip
    axes.plot(numbers(prior, "value"), numbers(prior, "density"), color=VERMILION, gid="prior",
              linewidth=1.1 * style.scale)  # fmt: skip
    median, lower, upper = (float(numbers(summary, end)[0]) for end in ("value", "lower", "upper"))
    axes.plot([lower, upper], [0, 0], color=BLUE, linewidth=3 * style.scale, zorder=3,
              solid_capstyle="butt", clip_on=False, gid="interval")  # fmt: skip
    axes.set_xlim(0, max(1.15 * right.max(), 1.3 * median))
    heights = numbers(posterior, "density").max(), numbers(prior, "density").max()
    if heights[0] > 6 * heights[1]:
        root_scale(axes, "y", 0.0, 1.05 * float(heights[0]))
    axes.set_ylim(0, 1.05 * max(heights))
    axes.set_xlabel(NAMES.get(parameter, parameter) + " (e-folds)")
    rooted = axes.get_yscale() != "linear"
    axes.set_ylabel("density (square-root scale)" if rooted else "density")
    words = f"posterior {_digits(median, upper - lower)} [{_digits(lower, upper - lower)}, "
    axes.set_title(
        words + f"{_digits(upper, upper - lower)}], {about.percent}", loc="left", color=BLUE
    )
    axes.set_title("— prior", loc="right", color=VERMILION)


def _rows(
    axes: Any, data: pd.DataFrame, groups: list[str], parameter: str, style: PlotStyle
) -> None:
    """Draw a row for each group: its histogram and interval over the prior they share."""
    posterior, prior, summary = (part(data, name) for name in ("posterior", "prior", "summary"))
    grid, density = numbers(prior, "value"), numbers(prior, "density")
    colours = series_colours(len(groups))
    notes = []
    for base, group, colour in zip(baselines(len(groups)), groups, colours, strict=True):
        own, ends = (of[of["group"] == group] for of in (posterior, summary))
        median, lower, upper = (float(numbers(ends, e)[0]) for e in ("value", "lower", "upper"))
        notes.append(
            f"{_digits(median, upper - lower)} "
            f"[{_digits(lower, upper - lower)}, {_digits(upper, upper - lower)}]"
        )
        height = numbers(own, "density")
        scale = CURVE_HEIGHT / float(height.max())
        if len(groups) <= MOST_CURVES:
            left, right = numbers(own, "left"), numbers(own, "right")
            axes.bar(left, scale * height, right - left, base, align="edge", color=colour,
                     alpha=0.4, linewidth=0, gid="posterior")  # fmt: skip
            axes.plot(grid, base + np.minimum(scale * density, 0.95), color=INK, gid="prior",
                      linewidth=0.7 * style.scale)  # fmt: skip
        axes.plot([lower, upper], [base, base], color=colour, linewidth=2.4 * style.scale, zorder=3,
                  solid_capstyle="butt", clip_on=False, gid="interval")  # fmt: skip
    axes.set_xlim(0, 1.25 * float(numbers(summary, "upper").max()))
    name_rows(axes, groups, colours, notes)
    axes.set_xlabel(NAMES.get(parameter, parameter) + " (e-folds)")
    if len(groups) <= MOST_CURVES:
        axes.set_title("— prior, on each row's scale", loc="right", color=INK)


def _digits(value: float, width: float) -> str:
    """Two significant digits of the interval's width."""
    places = int(np.clip(1 - np.floor(np.log10(width)), 0, 6)) if width > 0 else 3
    return f"{value:.{places}f}"

"""What the data taught about the spread of the population: prior and posterior of τ."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.numbers import numbers, part, table, texts
from spikepool.report.plots.root_scale import root_scale
from spikepool.report.plots.style import BLUE, SKY, VERMILION, PlotStyle

COLUMNS: Final = ("parameter", "value", "left", "right", "density", "lower", "upper")
NAMES: Final = {
    "tau": "τ, spread of log rates",
    "tau_delta": "τ_δ, spread of log dispersions",
    "tuning_sd": "tuning sd, spread across conditions",
    "gain_sd": "gain sd",
    "excess_fano": "excess Fano factor",
}
_BINS: Final = 40


def prepare_tau_prior_posterior(
    draws: Mapping[str, NDArray[np.float64]],
    priors: Mapping[str, tuple[FloatArray, FloatArray]],
    interval: float = 0.95,
) -> pd.DataFrame:
    """Prior density and posterior histogram of each parameter that has both.

    Parameters
    ----------
    draws : dict of str to ndarray
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
    frames = [
        table(_parts(name, np.ravel(draws[name]), *priors[name], interval), COLUMNS)
        for name in priors
        if name in draws and np.isfinite(draws[name]).any()
    ]
    return pd.concat(frames, ignore_index=True) if frames else table({}, COLUMNS)


def _parts(
    name: str, draws: FloatArray, grid: FloatArray, density: FloatArray, interval: float
) -> dict[str, dict[str, object]]:
    draws = draws[np.isfinite(draws)]
    heights, edges = np.histogram(draws, _BINS, density=True)
    tail = (1 - interval) / 2
    lower, median, upper = np.quantile(draws, [tail, 0.5, 1 - tail])
    return {
        "prior": {"parameter": name, "value": grid, "density": density},
        "posterior": {
            "parameter": name, "left": edges[:-1], "right": edges[1:], "density": heights,
        },
        "summary": {"parameter": name, "value": median, "lower": lower, "upper": upper},
    }  # fmt: skip


def draw_tau_prior_posterior(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw the posterior's histogram under the prior's line, one panel per parameter."""
    data = data[np.isfinite(numbers(data, "density")) | np.isfinite(numbers(data, "lower"))]
    parameters = list(dict.fromkeys(texts(part(data, "summary"), "parameter")))
    if not parameters:
        return canvas.empty("This model has no population spread: nothing is pooled partially.",
                            about, style)  # fmt: skip
    natural = 85 if len(parameters) == 1 else 180
    wide = style.columns(natural) and len(parameters) > 1
    with style.context():
        width = style.width(natural)
        columns = min(2, len(parameters)) if wide else 1
        rows = -(-len(parameters) // columns)
        figure = canvas.new_figure(about, style, width, (52 * rows + 6) * style.scale)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, parameter in zip(grid.flat, parameters, strict=False):
            _panel(axes, data[data["parameter"] == parameter], parameter, about, style)
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


def _digits(value: float, width: float) -> str:
    """Two significant digits of the interval's width."""
    places = int(np.clip(1 - np.floor(np.log10(width)), 0, 6)) if width > 0 else 3
    return f"{value:.{places}f}"

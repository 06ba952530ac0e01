"""Traces of the hyperparameters by chain, with their marginal distributions."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spikepool.posterior.results import PopulationParameter
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.labels import printable
from spikepool.report.plots.numbers import numbers, part, table, texts
from spikepool.report.plots.style import CYCLE, INK, PlotStyle

COLUMNS: Final = (
    "parameter", "group", "chain", "draw", "value", "left", "right", "density", "r_hat",
    "ess_bulk", "ess_tail",
)  # fmt: skip
NAMES: Final = {
    "mu": "μ (log rate)",
    "tau": "τ",
    "mu_delta": "μ_δ",
    "tau_delta": "τ_δ",
    "gain_sd": "gain sd",
    "excess_fano": "excess Fano",
    "tuning_sd": "tuning sd",
    "drift_sd": "drift sd",
}
_MOST_POINTS: Final = 1000
_BINS: Final = 30


_MOST_ROWS: Final = 16


def prepare_trace(
    draws: Mapping[str, Mapping[str, NDArray[np.float64]]],
    population: Sequence[PopulationParameter] = (),
) -> pd.DataFrame:
    """Traces and marginals of each hyperparameter of each group.

    Parameters
    ----------
    draws : dict of group to dict of parameter to ndarray, shape (chains, draws)
    population : sequence of PopulationParameter, optional
        For R̂ and effective sample sizes.

    Returns
    -------
    DataFrame
        Part ``trace``: `value` by `chain` and `draw`, thinned to 1,000 draws a chain. Part
        ``marginal``: histogram of all draws of a chain between `left` and `right`. Part
        ``diagnostics``: `r_hat`, `ess_bulk`, `ess_tail`.
    """
    found = {(each.group, each.parameter): each for each in population}
    frames = [
        table(_parts(group, name, np.atleast_2d(values), found.get((group, name))), COLUMNS)
        for group, of in draws.items()
        for name, values in of.items()
        if np.size(values) and np.isfinite(values).all()
    ]
    return pd.concat(frames, ignore_index=True) if frames else table({}, COLUMNS)


def _parts(
    group: str, name: str, values: NDArray[np.float64], found: PopulationParameter | None
) -> dict[str, dict[str, object]]:
    chains, length = values.shape
    kept = np.arange(0, length, -(-length // _MOST_POINTS))
    edges = np.histogram_bin_edges(values, _BINS)
    heights = np.array([np.histogram(chain, edges, density=True)[0] for chain in values])
    parts: dict[str, dict[str, object]] = {
        "trace": {
            "parameter": name,
            "group": group,
            "chain": np.repeat(np.arange(1, chains + 1), kept.size),
            "draw": np.tile(kept + 1, chains),
            "value": values[:, kept].ravel(),
        },
        "marginal": {
            "parameter": name,
            "group": group,
            "chain": np.repeat(np.arange(1, chains + 1), edges.size - 1),
            "left": np.tile(edges[:-1], chains),
            "right": np.tile(edges[1:], chains),
            "density": heights.ravel(),
        },
    }
    if found is not None:
        parts["diagnostics"] = {
            "parameter": name, "group": group, "r_hat": found.r_hat,
            "ess_bulk": found.ess_bulk, "ess_tail": found.ess_tail,
        }  # fmt: skip
    return parts


def draw_trace(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw one row per hyperparameter and group: marginals at the left, traces at the right.

    Of more than 16 rows those with the fewest effective draws are shown.
    """
    data = data[(data["part"] == "diagnostics") | np.isfinite(numbers(data, "chain"))]
    every = _rows(data)
    shown = _worst(data, every)
    if not shown:
        return canvas.empty("This model has no population parameters to trace.", about, style)
    with style.context():
        height = ((24 if len(shown) <= 8 else 15) * len(shown) + 12) * style.scale
        figure = canvas.new_figure(about, style, style.width(180), height)
        grid = figure.subplots(len(shown), 2, squeeze=False, sharey="row", width_ratios=(1, 4))
        several = len({group for group, _ in every}) > 1
        for (marginal, trace), (group, parameter) in zip(grid, shown, strict=True):
            rows = data[(data["parameter"] == parameter) & (data["group"] == group)]
            _marginals(marginal, part(rows, "marginal"), style)
            _traces(trace, part(rows, "trace"), style)
            marginal.set_ylabel(NAMES.get(parameter, parameter))
            told = [printable(group, 24)] if several else []
            if style.columns(180) or not several:
                told.append(_diagnosis(part(rows, "diagnostics")))
            trace.set_title(" · ".join(filter(None, told)), loc="right", color=INK)
            trace.tick_params(labelbottom=trace is grid[-1, 1])
        chains = int(np.nanmax(numbers(data, "chain")))
        grid[0, 0].set_title(f"{chains} chain" + "s" * (chains > 1), loc="left", color=INK)
        left_out = len(every) - len(shown)
        grid[-1, 0].set_xlabel(f"density; {left_out:,} better not shown" if left_out else "density")
        grid[-1, 1].set_xlabel("draw")
        figure.align_ylabels(grid[:, 0])
        canvas.settle(figure)
    return figure


def _rows(data: pd.DataFrame) -> list[tuple[str, str]]:
    """Every group and parameter that has a trace, in the order given."""
    traces = part(data, "trace")
    return list(dict.fromkeys(zip(texts(traces, "group"), texts(traces, "parameter"), strict=True)))


def _worst(data: pd.DataFrame, every: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Choose the rows with the fewest effective draws where there are too many, in their order."""
    told = part(data, "diagnostics")
    keys = zip(texts(told, "group"), texts(told, "parameter"), strict=True)
    ess = dict(zip(keys, numbers(told, "ess_bulk").tolist(), strict=True))
    ranked = sorted(every, key=lambda row: np.nan_to_num(ess.get(row, np.inf), nan=-1.0))
    chosen = set(ranked[:_MOST_ROWS])
    return [row for row in every if row in chosen]


def _marginals(axes: Any, rows: pd.DataFrame, style: PlotStyle) -> None:
    for chain, group in rows.groupby("chain"):
        edges = np.append(numbers(group, "left"), numbers(group, "right")[-1])
        axes.stairs(numbers(group, "density"), edges, orientation="horizontal", baseline=None,
                    color=_colour(chain), linewidth=0.7 * style.scale)  # fmt: skip
    axes.set_xticks([])
    axes.invert_xaxis()


def _traces(axes: Any, rows: pd.DataFrame, style: PlotStyle) -> None:
    for chain, group in rows.groupby("chain"):
        axes.plot(numbers(group, "draw"), numbers(group, "value"), color=_colour(chain),
                  linewidth=0.3 * style.scale, alpha=0.8)  # fmt: skip
    axes.set_xlim(1, max(2, numbers(rows, "draw").max()))
    axes.tick_params(labelleft=False)


def _colour(chain: object) -> str:
    return CYCLE[(int(float(str(chain))) - 1) % len(CYCLE)]


def _diagnosis(rows: pd.DataFrame) -> str:
    if not len(rows):
        return ""
    values = [float(numbers(rows, name)[0]) for name in ("r_hat", "ess_bulk", "ess_tail")]
    r_hat = "" if np.isnan(values[0]) else f"R\u0302 {values[0]:.3f} · "
    return f"{r_hat}ESS bulk {values[1]:,.0f}, tail {values[2]:,.0f}"

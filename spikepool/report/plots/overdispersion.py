"""Overdispersion: variance against mean, and raw against model Fano factor."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import gamma

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.posterior.results import NeuronEstimates, PopulationParameter
from spikepool.report.plots import canvas
from spikepool.report.plots.about import About
from spikepool.report.plots.fano_panel import draw_fano
from spikepool.report.plots.numbers import numbers, part, table
from spikepool.report.plots.population import by_group
from spikepool.report.plots.style import PlotStyle
from spikepool.report.plots.variance_panel import draw_variance

COLUMNS: Final = (
    "neuron", "family", "group", "verdict", "n_trials", "mean_count", "variance", "lower", "upper",
    "fano_raw", "fano_lower", "fano_upper", "fano_model", "model_lower", "model_upper", "left",
    "right", "observed", "expected", "modelled",
)  # fmt: skip
_GRID: Final = 81
_BINS: Final = 24


class FanoFactors(Protocol):
    """Fano factors and their tests, one entry per neuron (an `Overdispersion` has them)."""

    @property
    def n_trials(self) -> IntArray:
        """Trials."""

    @property
    def mean_count(self) -> FloatArray:
        """Spikes per trial."""

    @property
    def fano_raw(self) -> FloatArray:
        """Raw Fano factor; NaN where undefined."""

    @property
    def dispersion_index(self) -> FloatArray:
        """X², the raw Fano factor times its degrees of freedom."""

    @property
    def fano_lower(self) -> FloatArray:
        """Lower end of the interval for the neuron's own Fano factor."""

    @property
    def fano_upper(self) -> FloatArray:
        """Upper end of the interval for the neuron's own Fano factor."""

    @property
    def poisson_lower(self) -> FloatArray:
        """Lower end of what a Poisson neuron with these trials would show."""

    @property
    def poisson_upper(self) -> FloatArray:
        """Upper end of what a Poisson neuron with these trials would show."""

    @property
    def verdict(self) -> Iterable[str]:
        """``over``, ``poisson``, ``under`` or ``undecided``."""


def prepare_overdispersion(
    neurons: Sequence[str],
    fano: FanoFactors,
    estimates: NeuronEstimates | None = None,
    populations: Mapping[str, Sequence[PopulationParameter]] | None = None,
) -> pd.DataFrame:
    """Fano factors, the band of a Poisson neuron, and the curves of the fitted populations.

    Parameters
    ----------
    neurons : sequence of str, length N
    fano : FanoFactors
    estimates : NeuronEstimates, optional
        Of a negative-binomial model, of the same neurons in the same order: its Fano factors.
    populations : dict of family to sequence of PopulationParameter, optional
        For ``nb2`` and ``nb1``, whichever are fitted.

    Returns
    -------
    DataFrame
        Part ``neuron``: mean count, `variance` = F m, Fano factors with their intervals, and
        `lower` and `upper`, a Poisson neuron's band of F. Part ``poisson``: `variance` = m with
        the band of the neurons near that mean. Part ``curve``: variance against mean of each
        population. Part ``histogram``: neurons `observed`, `expected` if all were Poisson, and
        `modelled`, by Fano factor (the outermost bins hold all beyond them).
    """
    raw = np.asarray(fano.fano_raw, dtype=np.float64)
    mean = np.asarray(fano.mean_count, dtype=np.float64)
    rows: dict[str, object] = {
        "neuron": neurons,
        "verdict": [str(verdict) for verdict in fano.verdict],
        "n_trials": fano.n_trials,
        "mean_count": mean,
        "variance": raw * mean,
        "lower": fano.poisson_lower,
        "upper": fano.poisson_upper,
        "fano_raw": raw,
        "fano_lower": fano.fano_lower,
        "fano_upper": fano.fano_upper,
    }
    model = None if estimates is None or estimates.dispersion is None else estimates.dispersion.fano
    if model is not None:
        rows |= {
            "fano_model": model.median, "model_lower": model.lower, "model_upper": model.upper,
        }  # fmt: skip
    parts = {"neuron": rows}
    known = np.isfinite(raw) & (mean > 0)
    if known.any():
        ends = mean[known].min(), mean[known].max()
        highest = max(ends[1], float((raw * mean)[known].max()))
        parts["poisson"] = _poisson_band(np.geomspace(*ends, _GRID), fano, known)
        curve = np.geomspace(ends[0] / 1.3, 2 * highest, _GRID)
        parts["curve"] = _curves(curve, populations or {})
        parts["histogram"] = _histogram(fano, known, None if model is None else model.median)
    return table(parts, COLUMNS)


def _poisson_band(
    grid: FloatArray, fano: FanoFactors, known: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
) -> dict[str, object]:
    """Average the neurons' own bands of F over neighbours in log mean (a Gaussian kernel)."""
    logs = np.log(fano.mean_count[known])
    width = max(0.3, float(np.ptp(logs)) / 15)
    distance = (np.log(grid)[:, None] - logs) / width
    nearest = np.min(np.abs(distance), axis=1, keepdims=True)
    weight = np.exp(-(distance**2 - nearest**2) / 2)
    weight /= weight.sum(axis=1, keepdims=True)
    ends = [np.nan_to_num(end[known], nan=1.0) for end in (fano.poisson_lower, fano.poisson_upper)]
    lower, upper = (grid * (weight @ end) for end in ends)
    return {"mean_count": grid, "variance": grid, "lower": lower, "upper": upper}


def _curves(
    grid: FloatArray, populations: Mapping[str, Sequence[PopulationParameter]]
) -> dict[str, object]:
    """Variance m + α m² (NB2) and m (1 + ω) (NB1) at the typical dispersion.

    Where time draws gains anew, that of NB2 is of trials of the reference exposure.
    """
    found = [
        (family, group, [_dispersion(parameter, end) for end in ("median", "lower", "upper")])
        for family, population in populations.items()
        for name in ("mu_delta", "gain_sd", "excess_fano")
        for group, parameter in by_group(population, name).items()
    ]
    power = {"nb2": 2, "nb1": 1}
    columns = {
        end: np.array([grid + values[i] * grid ** power[family] for family, _, values in found])
        for i, end in enumerate(("variance", "lower", "upper"))
    }
    return {
        "family": [family for family, _, _ in found for _ in grid],
        "group": [group for _, group, _ in found for _ in grid],
        "mean_count": np.tile(grid, len(found)),
        **{end: values.ravel() for end, values in columns.items()},
    }


def _dispersion(parameter: PopulationParameter, end: str) -> float:
    """Return α or ω: exp 2 μ_δ, σ_G², or the excess Fano factor itself."""
    value = float(getattr(parameter, end))
    if parameter.parameter == "mu_delta":
        return float(np.exp(2 * value))
    return value**2 if parameter.parameter == "gain_sd" else value


def _histogram(
    fano: FanoFactors,
    known: "np.ndarray[tuple[int], np.dtype[np.bool_]]",
    model: FloatArray | None,
) -> dict[str, object]:
    raw, spikes = fano.fano_raw[known], (fano.n_trials * fano.mean_count)[known]
    freedom = (fano.n_trials[known] - 1).astype(np.float64)
    np.divide(fano.dispersion_index[known], raw, out=freedom, where=raw > 0)
    modelled = np.full(raw.size, np.nan) if model is None else model[known]
    values = np.concatenate((raw, modelled))
    values = values[np.isfinite(values) & (values > 0)]
    edges = np.geomspace(
        min(0.3, values.min(initial=1.0)) / 1.001, max(3.0, values.max(initial=1.0)) * 1.001,
        _BINS + 1,
    )  # fmt: skip
    inside = edges.copy()
    inside[0], inside[-1] = 0.0, np.inf
    missing = np.full(_BINS, np.nan)
    return {
        "left": edges[:-1],
        "right": edges[1:],
        "observed": np.histogram(raw, inside)[0],
        "expected": np.diff(poisson_fano_cdf(inside, freedom, spikes)).sum(axis=0),
        "modelled": missing if model is None else np.histogram(modelled, inside)[0],
    }


def poisson_fano_cdf(fano: FloatArray, freedom: FloatArray, spikes: FloatArray) -> FloatArray:
    """Return the distribution of a Poisson neuron's raw Fano factor given its spikes.

    Given S spikes in n equal trials the counts are multinomial, and F has mean 1 and variance
    2 (1 − 1/S)/(n − 1) exactly (Haldane 1937). A gamma distribution with these moments stands
    for it, and a step at 1 where the variance is 0.

    Parameters
    ----------
    fano : ndarray, shape (points,)
    freedom, spikes : ndarray, shape (N,)
        Degrees of freedom, n − 1, and S.

    Returns
    -------
    ndarray, shape (N, points)
    """
    variance = 2 * (1 - 1 / np.maximum(spikes, 1)) / np.maximum(freedom, 1)
    shape = 1 / np.maximum(variance, 1e-6)[:, None]
    return np.asarray(gamma.cdf(fano, shape, scale=1 / shape))


def draw_overdispersion(data: pd.DataFrame, about: About, style: PlotStyle) -> Figure:
    """Draw (a) variance against mean count and (b) raw against model Fano factor."""
    neurons = part(data, "neuron")
    known = np.isfinite(numbers(neurons, "fano_raw")) & (numbers(neurons, "mean_count") > 0)
    neurons = neurons[known]
    if not len(neurons):
        return canvas.empty(
            "No neuron has a Fano factor: it takes two trials and a spike.", about, style
        )
    with style.context():
        wide = style.columns(180)
        width = style.width(180)
        height = 0.47 * width if wide else min(1.9 * width, 180 * style.scale)
        figure = canvas.new_figure(about, style, width, height)
        rows, columns = (1, 2) if wide else (2, 1)
        first, second = figure.subfigures(rows, columns, squeeze=False).flat
        poisson, curve = part(data, "poisson"), part(data, "curve")
        draw_variance(first, (neurons, poisson, curve), about, style)
        draw_fano(second, neurons, part(data, "histogram"), about, style)
        canvas.settle(figure)
        for letter, panel in (("a", first), ("b", second)):
            panel.text(0.005, 0.995, letter, weight="bold", ha="left", va="top")
    return figure

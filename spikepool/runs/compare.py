"""Finished runs of the same data, compared by what their models predict of what was left out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.wording import quoted
from spikepool.diagnostics.comparison import LeftOut, sum_and_error
from spikepool.diagnostics.stacking import stacking_weights
from spikepool.errors import BadDataError, NoInputError
from spikepool.posterior.quadrature import MOST_PARETO_K

LEFT_OUT_FILE = "left_out.parquet"
_TRIAL = ["neuron", "exposure", "count"]
_COLUMNS = ["model", "left_out", "session", "condition", *_TRIAL, "n_trials", "log_density"]
_HINT = "compare fits of the same rows, with the same exposures"


@dataclass(frozen=True)
class StoredModel:
    """What one model of a finished run predicts of what was left out.

    Attributes
    ----------
    run : Path
    label : str
        The model in words.
    converged : bool
    pareto_k : dict of {'trial', 'neuron'} to float
    left_out : DataFrame
        Rows of the table `left_out`.
    """

    run: Path
    label: str
    converged: bool
    pareto_k: dict[str, float]
    left_out: pd.DataFrame

    def of(self, kind: LeftOut) -> pd.DataFrame:
        """Return the rows of trials, or of neurons."""
        return self.left_out[self.left_out["left_out"] == kind]

    @property
    def has_conditions(self) -> bool:
        """Whether its trials have conditions."""
        return bool(self.of("trial")["condition"].notna().any())


@dataclass(frozen=True)
class ComparedModel:
    """One model among those compared.

    Attributes
    ----------
    run, model : str
    converged : bool
    left_out : {'trial', 'neuron'}
    elpd, elpd_se : float
        Expected log predictive density, in nats, and its standard error over neurons, or over
        sessions where these are the independent units.
    behind, behind_se : float
        Nats behind the best model, and their standard error.
    stacking_weight : float
        Its share in the mixture that predicts best; NaN where trials cannot be paired.
    pareto_k : float
        Largest k̂; NaN where importance weights do not matter, infinite where it is not defined.
    """

    run: str
    model: str
    converged: bool
    left_out: LeftOut
    elpd: float
    elpd_se: float
    behind: float
    behind_se: float
    stacking_weight: float
    pareto_k: float

    @property
    def is_doubtful(self) -> bool:
        """Whether k̂ is so large that `elpd` may be too high."""
        return self.pareto_k > MOST_PARETO_K


def read_models(runs: Sequence[Path]) -> list[StoredModel]:
    """Read the models of finished runs.

    Parameters
    ----------
    runs : sequence of Path
        Output directories of fits of counts.

    Returns
    -------
    list of StoredModel

    Raises
    ------
    NoInputError
        If one holds no finished run, or none that left anything out.
    """
    return [model for run in runs for model in _models_of(run)]


def compare_models(models: Sequence[StoredModel]) -> list[ComparedModel]:
    """Score models of the same data, the best first: by trials left out, then by neurons.

    Parameters
    ----------
    models : sequence of StoredModel

    Returns
    -------
    list of ComparedModel
        By neurons only those that can leave whole neurons out.

    Raises
    ------
    BadDataError
        If they were fitted to different data.
    """
    _check_same_data(models)
    whole = [model for model in models if model.of("neuron")["log_density"].notna().all()]
    by_neuron = [model.of("neuron").set_index("neuron")["log_density"] for model in whole]
    return [
        *_ranked("trial", models, [_summed(model) for model in models], _trial_weights(models)),
        *_ranked("neuron", whole, by_neuron, _weights(by_neuron, None)),
    ]


def _models_of(run: Path) -> list[StoredModel]:
    try:
        summary = json.loads((run / "summary.json").read_bytes())
        table = pd.read_parquet(run / LEFT_OUT_FILE, columns=_COLUMNS)
        return [_stored(run, model, table) for model in summary["models"]]
    except FileNotFoundError as error:
        hint = "name output directories of fits of spike counts by this version"
        raise NoInputError(f"{run} holds no predictions of left-out trials", hint) from error
    except (OSError, ValueError, KeyError) as error:
        told = str(error).partition("\n")[0]
        hint = "fit the table again: another version wrote them, or they are damaged"
        raise BadDataError(f"{run}: its results cannot be read: {told}", hint) from error


def _stored(run: Path, model: dict[str, Any], table: pd.DataFrame) -> StoredModel:
    """Take one model's rows out of the table."""
    return StoredModel(
        run=run,
        label=model["label"],
        converged=model["converged"],
        pareto_k={kind: _pareto_k(of) for kind, of in model["elpd"].items()},
        left_out=table[table["model"] == model["label"]],
    )


def _pareto_k(score: dict[str, Any]) -> float:
    """Read k̂, for whose infinity JSON has no number."""
    if score["pareto_k"] is None:
        return float("inf" if score["is_doubtful"] else "nan")
    return float(score["pareto_k"])


def _check_same_data(models: Sequence[StoredModel]) -> None:
    """Refuse models of different trials, naming the first neuron that differs."""
    first, *others = models
    expected = _trials(first)
    for model in others:
        found = _trials(model)
        if found.equals(expected):
            continue
        both = pd.concat([expected, found], axis=1, keys=["a", "b"]).fillna(0)
        neuron = str(both.index[both["a"] != both["b"]][0][0])
        told = (_told(each, neuron) for each in (first, model))
        raise BadDataError(
            f"{first.run} and {model.run} are fits of different data: neuron {quoted(neuron)} has "
            + " and ".join(told),
            _HINT,
        )


def _trials(model: StoredModel) -> "pd.Series[int]":
    """Count the trials of each neuron, exposure and count."""
    return model.of("trial").groupby(_TRIAL, sort=True)["n_trials"].sum()


def _by_condition(model: StoredModel) -> "pd.Series[int]":
    """Count the trials of each neuron, condition, exposure and count."""
    return model.of("trial").groupby(["condition", *_TRIAL], sort=True)["n_trials"].sum()


def _told(model: StoredModel, neuron: str) -> str:
    rows = model.of("neuron")
    rows = rows[rows["neuron"] == neuron]
    trials, spikes, exposure = (float(rows[c].sum()) for c in ("n_trials", "count", "exposure"))
    return f"{trials:,.0f} trials, {spikes:,.0f} spikes and exposure {exposure:.6g} in {model.run}"


def _summed(model: StoredModel) -> "pd.Series[float]":
    """Add up the log densities of each neuron's trials."""
    rows = model.of("trial")
    return (rows["log_density"] * rows["n_trials"]).groupby(rows["neuron"]).sum()


def _units(models: Sequence[StoredModel], neurons: "pd.Index[str]") -> IntArray | None:
    """Return the sessions of the neurons by number, of a fit that was told; None without such."""
    for model in models:
        session = model.of("neuron").set_index("neuron")["session"].reindex(neurons)
        if session.notna().all():
            return pd.factorize(session)[0].astype(np.int64)
    return None


def _trial_weights(models: Sequence[StoredModel]) -> FloatArray:
    """Stack the models trial by trial; NaN where their conditions divide the trials differently."""
    divided = [model for model in models if model.has_conditions]
    if any(not _by_condition(model).equals(_by_condition(divided[0])) for model in divided[1:]):
        return np.full(len(models), np.nan)
    finest = divided[0] if divided else models[0]
    cells = finest.of("trial")[["condition", *_TRIAL, "n_trials"]]
    columns = []
    for model in models:
        keys = [*_TRIAL, "condition"] if model.has_conditions else _TRIAL
        rows = model.of("trial")[[*keys, "log_density"]]
        columns.append(cells.merge(rows, on=keys, how="left")["log_density"])
    return _weights(columns, cells["n_trials"].to_numpy())


def _weights(columns: Sequence["pd.Series[float]"], times: FloatArray | None) -> FloatArray:
    """Stack what models predict of the same parts."""
    if not columns:
        return np.zeros(0)
    joined = pd.concat(columns, axis=1).to_numpy(np.float64).T
    return stacking_weights(joined, np.ones(joined.shape[1]) if times is None else times)


def _ranked(
    kind: LeftOut,
    models: Sequence[StoredModel],
    by_neuron: Sequence["pd.Series[float]"],
    weights: FloatArray,
) -> list[ComparedModel]:
    if not models:
        return []
    best = reduce(lambda a, b: b if b.sum() > a.sum() else a, by_neuron)
    units = _units(models, best.index)
    aligned = [own.reindex(best.index) for own in by_neuron]
    compared = [
        ComparedModel(
            str(model.run),
            model.label,
            model.converged,
            kind,
            *sum_and_error(np.asarray(own, np.float64), units),
            *sum_and_error(np.asarray(best - own, np.float64), units),
            weight,
            model.pareto_k.get(kind, float("nan")),
        )
        for model, own, weight in zip(models, aligned, weights.tolist(), strict=True)
    ]
    return sorted(compared, key=lambda each: -each.elpd)

"""A model under several priors of τ: its tables, and the same as JSON."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
from pydantic import JsonValue

from spikepool import __version__
from spikepool.data.spike_counts import RateUnit
from spikepool.diagnostics.power_scaling import THRESHOLD, PowerScaling
from spikepool.diagnostics.prior_sensitivity import MOST_MOVE, Sensitivity, UnderPrior
from spikepool.posterior.groups import WHOLE_TABLE
from spikepool.posterior.results import PopulationParameter
from spikepool.report.arrow_tables import Row, table_of_rows
from spikepool.report.schema import RATE_UNIT
from spikepool.report.sensitivity_schema import SENSITIVITY_SCHEMAS
from spikepool.report.summary_parts import Json, finite, model_names

MOST_NAMED = 10
"""Neurons that are named, those that move most."""


def make_sensitivity_tables(found: Sensitivity, rate_unit: RateUnit) -> dict[str, pa.Table]:
    """Return every table by its name.

    Parameters
    ----------
    found : Sensitivity
    rate_unit : {'spikes/s', 'spikes/trial'}

    Returns
    -------
    dict of str to pyarrow.Table
    """
    rows: dict[str, list[Row]] = {
        "prior_sensitivity": [row for each in found.under for row in _parameter_rows(each)],
        "prior_sensitivity_neurons": [row for each in found.under for row in _neuron_rows(each)],
        "power_scaling": [
            {"group": group, **_scaled(each)}
            for group, of in found.power_scaling.items()
            for each in of
        ],
    }
    tables = {}
    for name, columns in SENSITIVITY_SCHEMAS.items():
        known = [replace(c, unit=c.unit.replace(RATE_UNIT, rate_unit)) for c in columns]
        tables[name] = table_of_rows(name, known, rows[name])
    return tables


def sensitivity_as_json(found: Sensitivity, interval: float) -> Json:
    """Return what was found as JSON: every prior, the neurons that move, power scaling.

    Parameters
    ----------
    found : Sensitivity
    interval : float
        Mass of the intervals.
    """
    return {
        "spikepool": __version__,
        "status": _status(found),
        "problems": list(found.problems),
        "model": model_names(found.spec),
        "interval": interval,
        "most_move": MOST_MOVE,
        "priors": [_prior_as_json(each) for each in found.under],
        "moved": list(_moved(found)),
        "power_scaling_threshold": THRESHOLD,
        "power_scaling": [
            {"group": group, "parameters": [_scaled(each) for each in of]}
            for group, of in found.power_scaling.items()
        ],
    }


def _status(found: Sensitivity) -> str:
    if found.problems:
        return "not_converged"
    if any(each.log_rates.moved.any() for each in found.under):
        return "sensitive"
    if any(each.log_rates.undecided.any() for each in found.under):
        return "undecided"
    return "robust"


def _method(each: UnderPrior) -> dict[str, JsonValue]:
    return {
        "method": each.method,
        "why_refitted": each.why or None,
        "pareto_k": finite(each.pareto_k),
        "ess": finite(each.ess),
        "largest_move": float(np.abs(each.log_rates.move).max()),
        "neurons_moved": int(each.log_rates.moved.sum()),
        "neurons_undecided": int(each.log_rates.undecided.sum()),
    }


def _of_parameter(of: PopulationParameter) -> dict[str, JsonValue]:
    names = ("mean", "sd", "median", "lower", "upper")
    return {name: finite(getattr(of, name)) for name in names}


def _parameter_rows(each: UnderPrior) -> Iterator[Row]:
    shared = {
        "prior": f"{each.prior.prior}",
        "reason": each.prior.reason or None,
        "group": each.group,
        **_method(each),
    }
    for of in each.parameters:
        yield {**shared, "parameter": of.parameter, **_of_parameter(of)}


def _neuron_rows(each: UnderPrior) -> Iterator[Row]:
    rates = each.log_rates
    for i, neuron in enumerate(each.neurons):
        yield {
            "prior": f"{each.prior.prior}",
            "group": None if each.group == WHOLE_TABLE else each.group,
            "neuron": neuron,
            "log_rate_mean": float(rates.mean[i]),
            "log_rate_sd": float(rates.sd[i]),
            "move": float(rates.move[i]),
            "move_error": float(rates.error[i]),
            "moved": bool(rates.moved[i]),
            "undecided": bool(rates.undecided[i]),
        }


def _scaled(each: PowerScaling) -> dict[str, JsonValue]:
    return {
        "parameter": each.parameter,
        "prior_sensitivity": each.prior,
        "likelihood_sensitivity": each.likelihood,
        "diagnosis": each.diagnosis,
    }


def _prior_as_json(each: UnderPrior) -> Json:
    return {
        "prior": f"{each.prior.prior}",
        "reason": each.prior.reason or None,
        "group": each.group,
        "neurons": len(each.neurons),
        **_method(each),
        "parameters": {of.parameter: _of_parameter(of) for of in each.parameters},
    }


def _moved(found: Sensitivity) -> Iterator[JsonValue]:
    """Yield the neurons that move, each under the prior that moves it most, farthest first."""
    rows = [row for each in found.under for row in _neuron_rows(each) if row["moved"]]
    rows.sort(key=lambda row: -abs(_number(row["move"])))
    seen = set[object]()
    for row in rows:
        key = row["group"], row["neuron"]
        if key not in seen:
            seen.add(key)
            names = ("prior", "group", "neuron", "log_rate_mean", "log_rate_sd", "move")
            yield {name: _cell(row[name]) for name in (*names, "move_error")}


def _number(value: object) -> float:
    assert isinstance(value, float)  # noqa: S101 - the column's type
    return value


def _cell(value: object) -> JsonValue:
    assert value is None or isinstance(value, str | float)  # noqa: S101 - the columns' types
    return value

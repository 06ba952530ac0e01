"""Tables of what the models predict: of left-out trials and neurons, and of replicated data."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spikepool.diagnostics.company import session_of_neurons
from spikepool.posterior.quadrature import LeaveOut
from spikepool.report.run_results import FittedModel, RunResults
from spikepool.report.table_parts import columns_table, group_names, model_cells, rows_table

if TYPE_CHECKING:
    from spikepool.report.arrow_tables import Values


def make_comparison(results: RunResults) -> pa.Table:
    """One row per what is left out, group and model."""
    engines = {model.spec: model.engine for model in results.models}
    rows = [
        {
            **model_cells(score.spec, engines[score.spec]),
            "is_primary": score.spec == results.primary,
            "group": score.group,
            "left_out": score.left_out,
            "elpd": score.elpd,
            "elpd_se": score.elpd_se,
            "elpd_difference": score.difference,
            "elpd_difference_se": score.difference_se,
            "stacking_weight": score.weight,
            "pareto_k": score.pareto_k,
        }
        for score in results.scores
    ]
    return rows_table("comparison", rows, results)


def make_law(results: RunResults) -> pa.Table:
    """One row per group and family; none unless Poisson, NB1 and NB2 were fitted."""
    engines = {model.spec: model.engine for model in results.models}
    rows = [
        {
            **model_cells(each.spec, engines[each.spec]),
            "group": law.group,
            "elpd": each.elpd,
            "elpd_behind": each.behind,
            "elpd_behind_se": each.behind_se,
            "stacking_weight": each.weight,
            "neurons": law.neurons,
            "neurons_telling": law.telling,
            "law": law.law,
        }
        for law in results.laws
        for each in law.families
    ]
    return rows_table("law", rows, results)


def make_holdout(results: RunResults) -> pa.Table:
    """One row per hold-out and model, the raw rates first; none unless it was asked for."""
    engines = {model.spec: model.engine for model in results.models}
    rows = [
        {
            **({} if each.spec is None else model_cells(each.spec, engines[each.spec])),
            "estimate": "raw" if each.spec is None else "model",
            "is_primary": each.spec == results.primary,
            "holdout_share": each.kept.share,
            "holdout_keep": each.kept.trials,
            "trials_fitted": each.trials_fitted,
            "trials_aside": each.trials_aside,
            "neurons": each.neurons,
            "squared_error": each.squared_error,
            "squared_error_se": each.squared_error_se,
            "squared_error_ratio": each.ratio,
            "squared_error_ratio_se": each.ratio_se,
            "expected_ratio": each.expected_ratio,
            "log_score": each.log_score,
            "log_score_se": each.log_score_se,
            "log_score_difference": each.gain,
            "log_score_difference_se": each.gain_se,
        }
        for each in results.holdout
    ]
    return rows_table("holdout", rows, results)


def make_predictive(results: RunResults) -> pa.Table:
    """One row per neuron: its counts against data simulated from the primary model."""
    if results.predictive is None:
        return rows_table("predictive", [], results)
    tally = results.tally
    columns: dict[str, Values] = {"neuron": tally.neurons, "group": group_names(results)}
    for name, check in results.predictive.neurons.items():
        columns |= {
            f"{name}_observed": check.observed,
            f"{name}_expected": check.expected,
            f"{name}_pvalue": check.pvalue,
        }
    return columns_table("predictive", columns, results)


def make_left_out(results: RunResults) -> pa.Table:
    """One row per model and cell of the tally, then per neuron; none of what is not known."""
    nothing = rows_table("left_out", [], results)
    tables = [
        columns_table("left_out", {**_names(model, size), **columns}, results)
        for model in results.models
        if model.leave_out is not None
        for size, columns in (
            (len(results.tally.count), _left_out_trials(model.leave_out, results)),
            (results.tally.n_neurons, _left_out_neurons(model.leave_out, results)),
        )
    ]
    return pa.concat_tables([nothing, *tables]).combine_chunks()


def _names(model: FittedModel, size: int) -> "dict[str, Values]":
    cells = {"model": model.spec.label, **model_cells(model.spec, model.engine)}
    return {name: [value] * size for name, value in cells.items()}


def _left_out_trials(left_out: LeaveOut, results: RunResults) -> "dict[str, Values]":
    tally = results.tally
    conditions = np.array(tally.conditions if results.counts.responses else [None], object)
    return {
        "left_out": ["trial"] * len(tally.count),
        "neuron": np.array(tally.neurons, object)[tally.neuron],
        "session": _sessions_of_neurons(results)[tally.neuron],
        "condition": conditions[tally.condition],
        "exposure": tally.exposure,
        "count": tally.count,
        "n_trials": tally.weight,
        "log_density": left_out.trial,
    }


def _sessions_of_neurons(results: RunResults) -> NDArray[np.object_]:
    """Name the session of every neuron, where they are the units of standard errors."""
    session, codes = results.counts.session, session_of_neurons(results.counts)
    if session is None or codes is None:
        return np.full(results.tally.n_neurons, None, object)
    return np.array(session.values, object)[codes]


def _left_out_neurons(left_out: LeaveOut, results: RunResults) -> "dict[str, Values]":
    tally = results.tally
    return {
        "left_out": ["neuron"] * tally.n_neurons,
        "neuron": tally.neurons,
        "session": _sessions_of_neurons(results),
        "condition": [None] * tally.n_neurons,
        "exposure": tally.total_exposure,
        "count": tally.spike_count,
        "n_trials": tally.n_trials,
        "log_density": left_out.neuron,
    }

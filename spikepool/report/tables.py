"""The tables of a run, with the columns of `schema`."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spikepool import __version__
from spikepool.data.spike_counts import SpikeCounts
from spikepool.diagnostics.convergence import LEAST_BFMI, LEAST_ESS_PER_CHAIN, MOST_R_HAT
from spikepool.models.spec import ModelSpec, Pooling
from spikepool.posterior.mixing import ParameterDiagnostics
from spikepool.posterior.quadrature import MOST_QUADRATURE_ERROR, Certificate
from spikepool.posterior.results import Summary
from spikepool.report.run_results import FittedModel, RunResults
from spikepool.report.schema import (
    EXPOSURE_UNIT,
    RATE_UNIT,
    Column,
    ColumnType,
    table_schemas,
)

type Values = Sequence[object] | NDArray[np.generic]
type Row = dict[str, object]

FEW_TRIALS = 4
"""A neuron with this many trials or fewer is flagged."""
HYPERPARAMETERS, QUADRATURE = "hyperparameters", "quadrature"
"""What rows of the collapsed engine are about, in the column `parameter` of `diagnostics`."""
SAMPLER = "sampler"
"""Stands for the whole run of a model in the column `parameter` of `diagnostics`."""

_ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
}


def make_tables(results: RunResults) -> dict[str, pa.Table]:
    """Return every table of a run by its name.

    Parameters
    ----------
    results : RunResults

    Returns
    -------
    dict of str to pyarrow.Table
        Undefined numbers are null. Fields carry their description and unit as metadata.
    """
    return {
        "estimates": make_estimates(results),
        "neurons": make_neurons(results),
        "population": make_population(results),
        "overdispersion": make_overdispersion(results),
        "comparison": make_comparison(results),
        "diagnostics": make_diagnostics(results),
    }


def make_estimates(results: RunResults) -> pa.Table:
    """One row per model × neuron, models in the order fitted."""
    of_models = [
        _table("estimates", _estimate_columns(model, results), results.counts)
        for model in results.models
    ]
    return _with_neuron_columns(pa.concat_tables(of_models).combine_chunks(), results)


def make_neurons(results: RunResults) -> pa.Table:
    """One row per neuron from the primary model, raw beside pooled."""
    columns = {
        **_estimate_columns(results.primary_model, results),
        "rate_mean_none": _rate_mean(results, "none"),
        "rate_mean_complete": _rate_mean(results, "complete"),
    }
    return _with_neuron_columns(_table("neurons", columns, results.counts), results)


def make_population(results: RunResults) -> pa.Table:
    """One row per hyperparameter of each model."""
    rows = [
        {**_model_cells(model.spec, model.engine), **vars(parameter)}
        for model in results.models
        for parameter in model.population
    ]
    return _table("population", _columns_of("population", rows), results.counts)


def make_overdispersion(results: RunResults) -> pa.Table:
    """One row per neuron: its counts' dispersion, and the primary model's."""
    measured, tally = results.overdispersion, results.tally
    modelled = results.primary_model.estimates.dispersion
    nothing = np.full(tally.n_neurons, np.nan)
    columns: dict[str, Values] = {
        **vars(measured),
        "neuron": tally.neurons,
        "group": _groups(results),
        **_spread("fano_model", modelled.fano if modelled else None, tally.n_neurons),
        "prob_fano_above": modelled.prob_fano_above if modelled else nothing,
    }
    return _table("overdispersion", columns, results.counts)


def make_comparison(results: RunResults) -> pa.Table:
    """One row per model and per what is left out; none for models sampled by NUTS."""
    engines = {model.spec: model.engine for model in results.models}
    rows = [
        {
            **_model_cells(score.spec, engines[score.spec]),
            "is_primary": score.spec == results.primary,
            "left_out": score.left_out,
            "elpd": score.elpd,
            "elpd_se": score.elpd_se,
            "elpd_difference": score.difference,
            "elpd_difference_se": score.difference_se,
            "pareto_k": score.pareto_k,
        }
        for score in results.scores
    ]
    return _table("comparison", _columns_of("comparison", rows), results.counts)


def make_diagnostics(results: RunResults) -> pa.Table:
    """For each model one row per sampled quantity, and one for the sampler."""
    rows = [row for model in results.models for row in _diagnostic_rows(model)]
    return _table("diagnostics", _columns_of("diagnostics", rows), results.counts)


def _model_cells(spec: ModelSpec, engine: str) -> Row:
    return {
        "family": spec.family,
        "pooling": spec.pooling,
        "dispersion_pooling": spec.dispersion_pooling,
        "engine": engine,
    }


def _estimate_columns(model: FittedModel, results: RunResults) -> dict[str, Values]:
    estimates, dispersion = model.estimates, model.estimates.dispersion
    n = len(estimates.neurons)
    cells = {
        **_model_cells(model.spec, model.engine),
        "level": "neuron",
        "condition": None,
        "is_primary": model.spec == results.primary,
        "rate_unit": estimates.rate_unit,
    }
    return {
        **{name: [value] * n for name, value in cells.items()},
        "neuron": estimates.neurons,
        "group": _groups(results),
        "n_trials": estimates.n_trials,
        "exposure": estimates.exposure,
        "spike_count": estimates.spike_count,
        "rate_raw": estimates.rate_raw,
        "rate_mean": estimates.rate.mean,
        "rate_sd": estimates.rate.sd,
        **_spread("rate", estimates.rate, n),
        "log_rate_mean": estimates.log_rate.mean,
        "log_rate_sd": estimates.log_rate.sd,
        "own_weight_mean": estimates.own_weight.mean,
        "own_weight_lower": estimates.own_weight.lower,
        "own_weight_upper": estimates.own_weight.upper,
        "realised_weight": estimates.realised_weight,
        "mse_ratio": estimates.mse_ratio,
        **_spread("gain_sd", dispersion.gain_sd if dispersion else None, n),
        **_spread("fano_model", dispersion.fano if dispersion else None, n),
        "dispersion_source": dispersion.source if dispersion else [None] * n,
        "elpd_trials": model.leave_out.trial_by_neuron if model.leave_out else np.full(n, np.nan),
        "elpd_neuron": model.leave_out.neuron if model.leave_out else np.full(n, np.nan),
        "flags": _flags(model, results),
    }


def _spread(prefix: str, summary: Summary | None, n: int) -> dict[str, Values]:
    """Median and interval of n neurons; NaN where the model has no such quantity."""
    parts = ("median", "lower", "upper")
    if summary is None:
        return {f"{prefix}_{part}": np.full(n, np.nan) for part in parts}
    return {f"{prefix}_{part}": getattr(summary, part) for part in parts}


def _flags(model: FittedModel, results: RunResults) -> list[str]:
    """Words of `FLAGS`, per neuron, in the order of `FLAGS`."""
    estimates, dispersion = model.estimates, model.estimates.dispersion
    n = len(estimates.neurons)
    largest = np.zeros(n, dtype=np.int64)
    np.maximum.at(largest, results.tally.neuron, results.tally.count)
    raised: dict[str, Values] = {
        "silent": estimates.spike_count == 0,
        "one_trial": estimates.n_trials == 1,
        "few_trials": estimates.n_trials <= FEW_TRIALS,
    }
    if dispersion is not None:
        raised["no_count_above_1"] = largest <= 1
        raised["dispersion_from_prior"] = [source == "prior" for source in dispersion.source]
        raised["shared_dispersion"] = [model.spec.dispersion_pooling == "complete"] * n
    raised["underdispersed"] = results.overdispersion.verdict == "under"
    return [" ".join(flag for flag, of in raised.items() if of[i]) for i in range(n)]


def _groups(results: RunResults) -> list[str | None]:
    if results.counts.group is None:
        return [None] * results.tally.n_neurons
    return [results.tally.groups[code] for code in results.tally.group]


def _rate_mean(results: RunResults, pooling: Pooling) -> Values:
    """Mean rate of the primary's family under another pooling; NaN where it was not fitted."""
    family = results.primary.family
    dispersion_pooling = None if family == "poisson" else pooling
    population = results.primary.population if pooling == "partial" else "normal"
    wanted = ModelSpec(family, pooling, dispersion_pooling, population)
    fitted = [m for m in results.models if (m.spec.family, m.spec.pooling) == (family, pooling)]
    if not fitted:
        return np.full(results.tally.n_neurons, np.nan)
    return next((m for m in fitted if m.spec == wanted), fitted[0]).estimates.rate.mean


def _with_neuron_columns(table: pa.Table, results: RunResults) -> pa.Table:
    """Append the input's own columns, repeated for every model."""
    repeats = table.num_rows // results.tally.n_neurons
    for column in results.counts.neuron_columns:
        name = column.name
        while name in table.column_names:
            name = f"input_{name}"
        described = Column(name, "text", "", f"Input column {column.name!r}, as written.")
        values = pa.array(column.values * repeats, pa.string())
        table = table.append_column(_field(described, results.counts), values)
    return table


def _diagnostic_rows(model: FittedModel) -> Iterator[Row]:
    convergence = model.convergence
    cells = _model_cells(convergence.spec, convergence.engine)
    if convergence.certificate is not None:
        neurons = model.estimates.neurons
        for row in _certificate_rows(convergence.certificate, neurons):
            yield {**cells, **row}
    sampler = convergence.sampler
    if sampler is None:
        return
    bfmi = float(np.min(sampler.bfmi))
    yield {
        **cells,
        "parameter": SAMPLER,
        "passed": sampler.divergences == 0 and bfmi >= LEAST_BFMI,
        "divergences": sampler.divergences,
        "bfmi": bfmi,
        "gradient_evaluations": sampler.gradient_evaluations,
    }
    least_ess = LEAST_ESS_PER_CHAIN * len(sampler.bfmi)
    for each in convergence.parameters:
        yield from ({**cells, **row} for row in _mixing_rows(each, least_ess))


def _certificate_rows(certificate: Certificate, neurons: Sequence[str]) -> Iterator[Row]:
    if not np.isnan(certificate.pareto_k):
        yield {
            "parameter": HYPERPARAMETERS,
            "ess_bulk": certificate.ess,
            "pareto_k": certificate.pareto_k,
            "outside": certificate.outside,
            "passed": certificate.sample_passed,
        }
    errors = np.stack([certificate.refinement_error, certificate.direct_error])
    for i in np.flatnonzero(~np.isnan(errors).all(axis=0)).tolist():
        yield {
            "parameter": QUADRATURE,
            "neuron": neurons[i],
            "refinement_error": errors[0, i],
            "direct_error": errors[1, i],
            "passed": bool(np.all(errors[:, i] <= MOST_QUADRATURE_ERROR)),
        }


def _mixing_rows(each: ParameterDiagnostics, least_ess: int) -> Iterator[Row]:
    centring = [None] * len(each.neurons) if each.centring is None else each.centring
    mixing = zip(each.neurons, each.r_hat, each.ess_bulk, each.ess_tail, centring, strict=True)
    for neuron, r_hat, ess_bulk, ess_tail, centred in mixing:
        mixed = r_hat <= MOST_R_HAT and ess_bulk >= least_ess and ess_tail >= least_ess
        yield {
            "parameter": each.parameter,
            "neuron": neuron or None,
            "r_hat": r_hat,
            "ess_bulk": ess_bulk,
            "ess_tail": ess_tail,
            "passed": bool(mixed),
            "centring": centred,
        }


def _columns_of(table: str, rows: Sequence[Row]) -> dict[str, Values]:
    names = [column.name for column in table_schemas()[table]]
    return {name: [row.get(name) for row in rows] for name in names}


def _table(name: str, columns: Mapping[str, Values], counts: SpikeCounts) -> pa.Table:
    """Put columns in the order of the schema; one that is missing is a KeyError."""
    described = table_schemas()[name]
    schema = pa.schema(
        [_field(column, counts) for column in described],
        metadata={"table": name, "spikepool_version": __version__},
    )
    arrays = [_array(columns[column.name], column) for column in described]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Values, column: Column) -> pa.Array:
    """NaN and None become null."""
    if column.type == "text":
        values = list(values)
    return pa.array(values, _ARROW_TYPES[column.type], from_pandas=True)


def _field(column: Column, counts: SpikeCounts) -> pa.Field:
    unit = column.unit.replace(RATE_UNIT, counts.rate_unit)
    unit = unit.replace(EXPOSURE_UNIT, "s" if counts.exposure_known else "trials")
    metadata = {"description": column.description, "unit": unit}
    return pa.field(column.name, _ARROW_TYPES[column.type], metadata=metadata)

"""The tables of a run of estimates, with the columns of `normal_schema`."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spikepool import __version__
from spikepool.models.spec import ModelSpec, Pooling
from spikepool.report.normal_results import NormalFit, NormalResults
from spikepool.report.normal_schema import normal_table_schemas
from spikepool.report.schema import Column, ColumnType

type Values = Sequence[object] | NDArray[np.generic]

_ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
}


def make_normal_tables(results: NormalResults) -> dict[str, pa.Table]:
    """Return every table of a run by its name.

    Parameters
    ----------
    results : NormalResults

    Returns
    -------
    dict of str to pyarrow.Table
        Undefined numbers are null. Fields carry their description and unit as metadata.
    """
    of_fits = [_table("estimates", _estimate_columns(fit, results)) for fit in results.fits]
    estimates = pa.concat_tables(of_fits).combine_chunks()
    primary = {
        **_estimate_columns(results.primary_fit, results),
        "estimate_mean_none": _means(results, "none"),
        "estimate_mean_complete": _means(results, "complete"),
    }
    return {
        "estimates": _with_neuron_columns(estimates, results),
        "neurons": _with_neuron_columns(_table("neurons", primary), results),
        "population": _population(results),
        "diagnostics": _diagnostics(results),
    }


def _model_cells(spec: ModelSpec, engine: str) -> dict[str, object]:
    population = spec.population if spec.pooling == "partial" else None
    cells = {"family": spec.family, "pooling": spec.pooling}
    return {**cells, "population": population, "engine": engine}


def _estimate_columns(fit: NormalFit, results: NormalResults) -> dict[str, Values]:
    posterior, estimates = fit.posterior, results.estimates
    cells = {
        **_model_cells(fit.spec, posterior.engine),
        "is_primary": fit.spec == results.primary,
    }
    return {
        **{name: [value] * estimates.n_neurons for name, value in cells.items()},
        "neuron": estimates.neurons,
        "group": _groups(results),
        "estimate_raw": estimates.estimate,
        "standard_error": estimates.standard_error,
        **{f"estimate_{part}": values for part, values in vars(posterior.theta).items()},
        "own_weight_mean": posterior.own_weight.mean,
        "own_weight_lower": posterior.own_weight.lower,
        "own_weight_upper": posterior.own_weight.upper,
        "realised_weight": posterior.realised_weight,
        "mse_ratio": posterior.mse_ratio,
    }


def _groups(results: NormalResults) -> list[str | None]:
    group = results.estimates.group
    if group is None:
        return [None] * results.estimates.n_neurons
    return [group.values[code] for code in group.codes]


def _means(results: NormalResults, pooling: Pooling) -> Values:
    """Posterior means under another pooling; NaN where it was not fitted."""
    found = [fit.posterior.theta.mean for fit in results.fits if fit.spec.pooling == pooling]
    return found[0] if found else np.full(results.estimates.n_neurons, np.nan)


def _population(results: NormalResults) -> pa.Table:
    rows = [
        {**_model_cells(fit.spec, fit.posterior.engine), **vars(parameter)}
        for fit in results.fits
        for parameter in fit.posterior.population
    ]
    return _table_of_rows("population", rows)


def _diagnostics(results: NormalResults) -> pa.Table:
    rows = [
        {**_model_cells(fit.spec, fit.posterior.engine), **vars(check)}
        for fit in results.fits
        for check in fit.checks
    ]
    return _table_of_rows("diagnostics", rows)


def _table_of_rows(name: str, rows: Sequence[Mapping[str, object]]) -> pa.Table:
    names = [column.name for column in normal_table_schemas()[name]]
    return _table(name, {column: [row[column] for row in rows] for column in names})


def _table(name: str, columns: Mapping[str, Values]) -> pa.Table:
    """Put columns in the order of the schema; one that is missing is a KeyError."""
    described = normal_table_schemas()[name]
    schema = pa.schema(
        [_field(column) for column in described],
        metadata={"table": name, "spikepool_version": __version__},
    )
    arrays = [_array(columns[column.name], column) for column in described]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Values, column: Column) -> pa.Array:
    """NaN and None become null."""
    if column.type == "text":
        values = list(values)
    return pa.array(values, _ARROW_TYPES[column.type], from_pandas=True)


def _field(column: Column) -> pa.Field:
    metadata = {"description": column.description, "unit": column.unit}
    return pa.field(column.name, _ARROW_TYPES[column.type], metadata=metadata)


def _with_neuron_columns(table: pa.Table, results: NormalResults) -> pa.Table:
    """Append the input's own columns, repeated for every model."""
    repeats = table.num_rows // results.estimates.n_neurons
    for column in results.estimates.neuron_columns:
        name = column.name
        while name in table.column_names:
            name = f"input_{name}"
        described = Column(name, "text", "", f"Input column {column.name!r}, as written.")
        values = pa.array(column.values * repeats, pa.string())
        table = table.append_column(_field(described), values)
    return table

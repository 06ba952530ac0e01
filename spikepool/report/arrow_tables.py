"""Arrow tables with the columns, types and descriptions of a schema."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spikepool import __version__
from spikepool.data.spike_counts import Factor, IntArray, NeuronColumn
from spikepool.report.columns import Column, ColumnType, number, text

type Values = Sequence[object] | NDArray[np.generic]
type Row = Mapping[str, object]

_ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
}


_WHOLE = "Empty: the row is about the whole neuron."


def arrow_table(name: str, described: Sequence[Column], columns: Mapping[str, Values]) -> pa.Table:
    """Put columns in the order of a schema.

    Parameters
    ----------
    name : str
    described : sequence of Column
    columns : mapping of str to sequence
        One that is missing is a KeyError. NaN and None become null.

    Returns
    -------
    pyarrow.Table
        Its fields carry their description and unit as metadata.
    """
    schema = pa.schema(
        [_field(column) for column in described],
        metadata={"table": name, "spikepool_version": __version__},
    )
    arrays = [_array(columns[column.name], column) for column in described]
    return pa.Table.from_arrays(arrays, schema=schema)


def table_of_rows(name: str, described: Sequence[Column], rows: Sequence[Row]) -> pa.Table:
    """Put rows in the order of a schema; a cell that a row does not have is null."""
    columns = {column.name: [row.get(column.name) for row in rows] for column in described}
    return arrow_table(name, described, columns)


def with_neuron_columns(
    table: pa.Table, columns: Iterable[NeuronColumn], neuron: IntArray
) -> pa.Table:
    """Append the input's own columns.

    Parameters
    ----------
    table : pyarrow.Table
    columns : iterable of NeuronColumn
        A name that is taken gets ``input_`` before it.
    neuron : ndarray of int64, shape (rows,)
        The neuron that each row is about.

    Returns
    -------
    pyarrow.Table
    """
    for column in columns:
        name = _free_name(column.name, table)
        field = _field(text(name, f"Input column {column.name!r}, as written."))
        table = table.append_column(field, pa.array(column.values, pa.string()).take(neuron))
    return table


def with_factor_columns(
    table: pa.Table, factors: Sequence[Factor], condition: IntArray
) -> pa.Table:
    """Append the columns that conditions are made of.

    Parameters
    ----------
    table : pyarrow.Table
    factors : sequence of Factor
        Numbers where all labels are, else text as written. A name that is taken gets ``input_``
        before it; a single one called ``condition`` is that column already.
    condition : ndarray of int64, shape (rows,)
        The condition that each row is about; -1: the row is about the whole neuron.

    Returns
    -------
    pyarrow.Table
    """
    if [factor.name for factor in factors] == ["condition"]:
        return table
    some = pa.array(np.where(condition < 0, 0, condition), mask=condition < 0)
    for factor in factors:
        name, numbers = _free_name(factor.name, table), factor.numbers
        told = "Number of the block of trials (--drift-block)"
        if factor.is_input:
            told = f"Input column {factor.name!r}, a factor of the condition"
        if numbers is None:
            column = text(name, f"{told}, as written. {_WHOLE}")
            values = pa.array(factor.labels, pa.string())
        else:
            column = number(name, factor.unit, f"{told}. {_WHOLE}")
            values = pa.array(numbers)
        table = table.append_column(_field(column), values.take(some))
    return table


def _free_name(name: str, table: pa.Table) -> str:
    while name in table.column_names:
        name = f"input_{name}"
    return name


def _array(values: Values, column: Column) -> pa.Array:
    if column.type == "text":
        values = list(values)
    return pa.array(values, _ARROW_TYPES[column.type], from_pandas=True)


def _field(column: Column) -> pa.Field:
    metadata = {"description": column.description, "unit": column.unit}
    return pa.field(column.name, _ARROW_TYPES[column.type], metadata=metadata)

"""What the tables of a run of counts have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from spikepool.data.spike_counts import SpikeCounts
from spikepool.models.spec import ModelSpec
from spikepool.report.arrow_tables import Row, Values, arrow_table, table_of_rows
from spikepool.report.columns import Column
from spikepool.report.run_results import RunResults
from spikepool.report.schema import EXPOSURE_UNIT, RATE_UNIT, table_schemas


def model_cells(spec: ModelSpec, engine: str) -> dict[str, object]:
    """Return the cells that name a model."""
    return {
        "family": spec.family,
        "pooling": spec.pooling,
        "dispersion_pooling": spec.dispersion_pooling,
        "dispersion_scaling": spec.dispersion_scaling,
        "condition_pooling": spec.condition_pooling,
        "engine": engine,
    }


def group_names(results: RunResults) -> list[str | None]:
    """Return every neuron's group; None where the table has none; length N."""
    if results.counts.group is None:
        return [None] * results.tally.n_neurons
    return [results.tally.groups[code] for code in results.tally.group]


def columns_table(name: str, columns: Mapping[str, Values], results: RunResults) -> pa.Table:
    """Put columns in the order of a table's schema."""
    return arrow_table(name, _described(name, results.counts), columns)


def rows_table(name: str, rows: Sequence[Row], results: RunResults) -> pa.Table:
    """Put rows in the order of a table's schema; a cell that a row does not have is null."""
    return table_of_rows(name, _described(name, results.counts), rows)


def _described(table: str, counts: SpikeCounts) -> list[Column]:
    """Return the columns of a table with the units that hold for these counts."""
    exposure_unit = "s" if counts.exposure_known else "trials"
    return [
        replace(
            column,
            unit=column.unit.replace(RATE_UNIT, counts.rate_unit).replace(
                EXPOSURE_UNIT, exposure_unit
            ),
        )
        for column in table_schemas()[table]
    ]

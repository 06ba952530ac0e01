"""Read tables of estimates with standard errors: the whole way from files to `Estimates`."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from spikepool.config import InputOptions
from spikepool.data.estimate_columns import (
    EstimateRoles,
    recognise_estimate_roles,
    refuse_options_of_counts,
)
from spikepool.data.estimates import Estimates
from spikepool.data.formats import read_table
from spikepool.data.keys import check_labels, joined_column, refuse_shared_neurons
from spikepool.data.natural_order import NUMBER
from spikepool.data.observations import Observations
from spikepool.data.selection import select_rows
from spikepool.data.sources import check_unchanged, find_files, read_file
from spikepool.data.spike_counts import FloatArray, IntArray, Labels, Notice
from spikepool.data.text_table import (
    TextColumn,
    TextTable,
    as_labels,
    combined_codes,
    concatenate,
)
from spikepool.data.trials import carried_columns, spare_columns
from spikepool.data.wording import listed, plural, quoted
from spikepool.errors import BadDataError

LARGEST = 1e100
"""Of an estimate and of a standard error, whose least is 1/LARGEST: squares stay finite."""

_ESTIMATE_HINT = "an estimate is a plain decimal number, such as -1.5 or 2e-3"
_ERROR_HINT = "a standard error is a number above 0; an estimate without one cannot be weighed"


def read_estimates(options: InputOptions) -> Estimates:
    """Read, check and select estimates, one row per neuron.

    Parameters
    ----------
    options : InputOptions

    Returns
    -------
    Estimates
        Neurons in natural order, whatever the order of the rows.

    Raises
    ------
    BadDataError
        If a table cannot be read as estimates; file, line, column and value are named.
    NoInputError
        If a file is not there.
    ReadWriteError
        If a file changes while it is read.
    UsageError
        If options cannot be used, or not together.
    """
    refuse_options_of_counts(options)
    notices: list[Notice] = []
    files = [read_file(location) for location in find_files(options.tables)]
    table = concatenate([read_table(file, options, notices) for file in files])
    roles = recognise_estimate_roles(table, options)
    table = select_rows(table, options.where, notices)
    table = _without_blanks(table, roles, options, notices)
    check_labels(table, "neuron", roles.neuron, notices)
    check_labels(table, "group", roles.group, notices)
    neuron = joined_column(table, roles.neuron)
    if not options.same_neurons:
        refuse_shared_neurons(table, neuron)
    rows = _one_row_each(table, roles, neuron, notices)
    for file in files:
        check_unchanged(file)
    if table.nested:
        text = f"columns of lists or records are ignored: {listed(table.nested)}"
        notices.append(Notice("nested-columns", text))
    return replace(
        _assembled(table, roles, neuron, rows),
        sources=tuple(file.as_source() for file in files),
        notices=tuple(dict.fromkeys(notices)),
    )


def _without_blanks(
    table: TextTable, roles: EstimateRoles, options: InputOptions, notices: list[Notice]
) -> TextTable:
    """Drop the rows without an estimate or a standard error, where the options say so."""
    if options.missing == "error":
        return table
    filled = np.ones(len(table.rows), dtype=bool)
    for name in (roles.estimate, roles.standard_error):
        column = table.column(name)
        filled &= np.array([bool(value.strip()) for value in column.values])[column.codes]
    if not filled.any():
        raise BadDataError("every row lacks its estimate or its standard error")
    dropped = int(np.sum(~filled))
    if not dropped:
        return table
    text = f"{plural(dropped, 'row')} with an empty estimate or standard error left out"
    notices.append(Notice("missing-estimates", text))
    return table.take(np.flatnonzero(filled).astype(np.int64))


def _one_row_each(
    table: TextTable, roles: EstimateRoles, neuron: TextColumn, notices: list[Notice]
) -> IntArray:
    """Return the row of every neuron, neurons in natural order; exact repeats count once.

    Raises
    ------
    BadDataError
        If two rows of one neuron differ, naming both.
    """
    whole = combined_codes([column.codes for column in table.columns])
    labels = as_labels(neuron)
    _, rows = np.unique(labels.codes, return_index=True)
    first = rows[labels.codes]
    odd = np.flatnonzero(whole != whole[first])
    if odd.size:
        row = int(odd[0])
        raise _stands_twice(table, roles, neuron, int(first[row]), row)
    repeated = len(labels.codes) - len(rows)
    if repeated:
        text = f"{plural(repeated, 'row')} repeated exactly; each neuron is counted once"
        notices.append(Notice("repeated-rows", text))
    return rows.astype(np.int64)


def _stands_twice(
    table: TextTable, roles: EstimateRoles, neuron: TextColumn, earlier: int, row: int
) -> BadDataError:
    differing = [c.name for c in table.columns if c.codes[earlier] != c.codes[row]]
    measured = {roles.estimate, roles.standard_error}
    apart = next((name for name in differing if name not in measured), None)
    column = f"; column {quoted(apart)} tells them apart" if apart else ""
    key = ",".join((apart or "session", *roles.neuron))
    return BadDataError(
        f"neuron {quoted(neuron.cell(row))} stands twice: {table.place(earlier)} and "
        f"{table.place(row)}{column}",
        f"one row per neuron is needed: if one id is used for two neurons, --neuron {key}; "
        "if only some rows are meant, choose them with --where",
    )


def _assembled(
    table: TextTable, roles: EstimateRoles, neuron: TextColumn, rows: IntArray
) -> Estimates:
    """Parse the numbers, and put every column in the order of the neurons."""
    estimate = _numbers(table, roles.estimate, _estimate_problem, _ESTIMATE_HINT)
    error = _numbers(table, roles.standard_error, _error_problem, _ERROR_HINT)
    observations = Observations(neuron, table.column(roles.estimate), table)
    used = roles.as_of_counts()
    spare = spare_columns(observations, used)
    parts = roles.neuron if len(roles.neuron) > 1 else ()
    own = [table.column(name) for name in parts if name not in roles.group]
    return Estimates(
        neurons=tuple(neuron.cell(int(row)) for row in rows),
        estimate=estimate[rows],
        standard_error=error[rows],
        group=_groups(table, roles, rows),
        neuron_columns=carried_columns(observations, [*own, *spare], neuron.codes[rows]),
        unmodelled=tuple(column.name for column in spare if len(column.values) > 1),
        recognised=roles.as_pairs(),
    )


def _groups(table: TextTable, roles: EstimateRoles, rows: IntArray) -> Labels | None:
    return as_labels(joined_column(table, roles.group).take(rows)) if roles.group else None


def _numbers(
    table: TextTable, name: str, problem_of: Callable[[str], str], hint: str
) -> FloatArray:
    """Read a column of numbers.

    Raises
    ------
    BadDataError
        At the first row that does not hold one.
    """
    column = table.column(name)
    problems = [problem_of(value.strip(" \t")) for value in column.values]
    bad = column.rows_where([bool(problem) for problem in problems])
    if bad.size:
        row = int(bad[0])
        cell = column.cell(row)
        advice = hint if cell.strip() else f"{hint}; --missing drop leaves out the row"
        raise table.bad_cell(row, name, cell, problems[int(column.codes[row])], advice)
    return np.array([float(value) for value in column.values], dtype=np.float64)[column.codes]


def _estimate_problem(text: str) -> str:
    if not text:
        return "where an estimate is needed"
    if not NUMBER.fullmatch(text):
        return "is not a plain number"
    return "is larger than supported (1e100)" if abs(float(text)) > LARGEST else ""


def _error_problem(text: str) -> str:
    if not text:
        return "where a standard error is needed"
    if not NUMBER.fullmatch(text):
        return "is not a plain number"
    value = float(text)
    if value <= 0:
        return "is not above 0"
    if not 1 / LARGEST <= value <= LARGEST:
        return "is not between 1e-100 and 1e100"
    return ""

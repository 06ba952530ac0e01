"""The identity of a trial: repeated rows, contradictions, and groups of neurons."""

import re
from collections.abc import Collection, Sequence

import numpy as np

from spikepool.data.columns import Roles
from spikepool.data.natural_order import NUMBER
from spikepool.data.observations import Observations
from spikepool.data.spike_counts import FloatArray, IntArray, NeuronColumn, Notice
from spikepool.data.text_table import TextColumn, combined_codes
from spikepool.data.wording import plural, quoted
from spikepool.errors import BadDataError

_MEASURED_NAME = re.compile(r"count|spike|rate|duration|time|onset|index|number", re.IGNORECASE)
"""Names of columns that hold a quantity of the trial, never a label of it."""


def is_measured(column: TextColumn) -> bool:
    """Tell a measurement: all cells numbers or empty, and one at least with a fraction."""
    numbers = [value for value in column.values if value.strip()]
    if not numbers or not all(NUMBER.fullmatch(value.strip()) for value in numbers):
        return False
    return any(not float(value).is_integer() for value in numbers)


def spare_columns(observations: Observations, roles: Roles) -> tuple[TextColumn, ...]:
    """Return the columns without a role."""
    return tuple(c for c in observations.table.columns if c.name not in roles.used)


def rows_without_repeats(
    observations: Observations,
    roles: Roles,
    count: IntArray,
    exposure: FloatArray,
    notices: list[Notice],
) -> IntArray:
    """Return the rows to keep: of a row repeated exactly, the first.

    A trial is identified by neuron, trial, condition and every other label column; a column of
    measurements (numbers, some with a fraction) is no label. Without a trial column every row is
    a trial.

    Parameters
    ----------
    observations : Observations
    roles : Roles
    count : ndarray of int64, shape (rows,)
    exposure : ndarray of float64, shape (rows,)
    notices : list of Notice

    Returns
    -------
    ndarray of int64

    Raises
    ------
    BadDataError
        If two rows of one trial differ.
    """
    rows = np.arange(len(count), dtype=np.int64)
    if roles.trial is None:
        return rows
    spare = spare_columns(observations, roles)
    measured = [column for column in spare if is_measured(column)]
    key_names = (roles.trial, *roles.condition, *roles.group, *roles.within)
    labels = [observations.neuron, *(observations.table.column(name) for name in key_names)]
    labels += [column for column in spare if column not in measured]
    first = _first_row_of_key(combined_codes([column.codes for column in labels]))
    again = np.flatnonzero(first != rows)
    if not again.size:
        return rows
    differing: list[tuple[str, IntArray | FloatArray]] = [("count", count), ("exposure", exposure)]
    differing += _of_baseline(observations, roles)
    differing += [(column.name, column.codes) for column in measured]
    _refuse_contradictions(observations, roles, differing, first, again)
    text = f"{plural(len(again), 'row')} repeated exactly; each trial is counted once"
    notices.append(Notice("repeated-rows", text))
    return np.flatnonzero(first == rows).astype(np.int64)


def _of_baseline(observations: Observations, roles: Roles) -> list[tuple[str, IntArray]]:
    """Return what was recorded before the stimulus, as written, by role."""
    columns = (
        ("baseline count", roles.baseline_count),
        ("baseline exposure", roles.baseline_exposure),
    )
    return [(role, observations.table.column(name).codes) for role, name in columns if name]


def check_constant(observations: Observations, labels: TextColumn, what: str) -> None:
    """Check that every neuron has one label.

    Parameters
    ----------
    observations : Observations
    labels : TextColumn
        Of the groups, or of what lies within them.
    what : str
        Such as ``a group``.

    Raises
    ------
    BadDataError
        Naming the neuron and its two labels.
    """
    first = _first_row_of_key(observations.neuron.codes)
    odd = np.flatnonzero(labels.codes[first] != labels.codes)
    if odd.size:
        row, before = int(odd[0]), int(first[odd[0]])
        table = observations.table
        raise BadDataError(
            f"neuron {quoted(observations.neuron.cell(row))} has two labels in "
            f"{quoted(labels.name)}: {quoted(labels.cell(before))} ({table.place(before)}) and "
            f"{quoted(labels.cell(row))} ({table.place(row)})",
            f"{what} must be the same in all rows of a neuron; a column that changes within a "
            "neuron may be a --condition",
        )


def carried_columns(
    observations: Observations, columns: Sequence[TextColumn], order: IntArray
) -> tuple[NeuronColumn, ...]:
    """Return the columns that are constant within every neuron.

    Parameters
    ----------
    observations : Observations
    columns : sequence of TextColumn
    order : ndarray of int64, shape (neurons,)
        The neuron (index into ``observations.neuron.values``) of every place in the result.

    Returns
    -------
    tuple of NeuronColumn
    """
    first = _first_row_of_key(observations.neuron.codes)
    row_of = np.zeros(len(observations.neuron.values), dtype=np.int64)
    row_of[observations.neuron.codes] = first
    constant = [c for c in columns if np.array_equal(c.codes[first], c.codes)]
    return tuple(
        NeuronColumn(c.name, tuple(c.cell(int(row)) or None for row in row_of[order]))
        for c in constant
    )


def varying_labels(
    observations: Observations, roles: Roles, constant: Collection[str]
) -> tuple[TextColumn, ...]:
    """Return labels that change within neurons and come back: stimuli that no part models.

    A label has two rows or more for every neuron × value, on average; what is measured anew on
    every trial, such as a time, is none.

    Parameters
    ----------
    observations : Observations
    roles : Roles
    constant : collection of str
        Columns that are constant within neurons.

    Returns
    -------
    tuple of TextColumn
    """
    return tuple(
        column
        for column in spare_columns(observations, roles)
        if column.name not in constant
        and not is_measured(column)
        and not _MEASURED_NAME.search(column.name)
        and _comes_back(observations.neuron.codes, column.codes)
    )


def _comes_back(neuron: IntArray, label: IntArray) -> bool:
    both = combined_codes([neuron, label])
    return len(both) >= 2 * len(np.unique(both))


def _first_row_of_key(key: IntArray) -> IntArray:
    """Return, for every row, the first row with the same key."""
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def _refuse_contradictions(
    observations: Observations,
    roles: Roles,
    differing: Sequence[tuple[str, IntArray | FloatArray]],
    first: IntArray,
    again: IntArray,
) -> None:
    before = first[again]
    odd = np.zeros(len(again), dtype=bool)
    for _, values in differing:
        odd |= values[again] != values[before]
    if not odd.any():
        return
    row, earlier = int(again[odd][0]), int(before[odd][0])
    names = [name for name, values in differing if values[row] != values[earlier]]
    raise _contradiction(observations, roles, names, earlier, row)


def _contradiction(
    observations: Observations, roles: Roles, names: Sequence[str], earlier: int, row: int
) -> BadDataError:
    table, neuron = observations.table, observations.neuron.cell(row)
    trial = table.column(roles.trial).cell(row) if roles.trial else ""
    what = _counts_of(observations, roles, names, earlier, row)
    named = {"exposure": roles.exposure, "baseline exposure": roles.baseline_exposure}
    others = [n for n in names if n not in {"count", "baseline count", *named}]
    others += [column for name, column in named.items() if name in names and column is not None]
    apart = f"; column {quoted(others[0])} tells them apart" if others else ""
    key = ",".join((others[0] if others else "session", *(roles.neuron or ("neuron",))))
    column = "" if others else "a column that tells them apart is needed: "
    return BadDataError(
        f"neuron {quoted(neuron)}, trial {quoted(trial)} stands twice with {what}: "
        f"{table.place(earlier)} and {table.place(row)}{apart}",
        f"{column}if one id is used for two neurons, --neuron {key}; "
        "if the trials differ in a stimulus, --condition with its column",
    )


def _counts_of(
    observations: Observations, roles: Roles, names: Sequence[str], earlier: int, row: int
) -> str:
    """Write the counts of two rows of one trial: those that differ, else the one of both."""
    column, what = observations.count, "count"
    if "count" not in names and "baseline count" in names and roles.baseline_count is not None:
        column, what = observations.table.column(roles.baseline_count), "baseline count"
    before, now = column.cell(earlier), column.cell(row)
    return f"{what}s {before} and {now}" if what in names else f"{what} {before}"

"""Read tables of spike counts: the whole way from files to `SpikeCounts`."""

from dataclasses import dataclass, replace

import numpy as np

from spikepool.config import InputOptions
from spikepool.data.baseline import (
    put_windows_apart,
    suggest_baseline,
    take_out_baseline,
)
from spikepool.data.baseline_windows import Windows, check_windows, parse_windows
from spikepool.data.columns import Roles, recognise_roles
from spikepool.data.drift_blocks import cut_into_blocks
from spikepool.data.exposure import check_finite_sum, note_high_rates, parse_exposures
from spikepool.data.factors import check_axes, order_conditions, parse_periods
from spikepool.data.formats import read_table
from spikepool.data.integers import parse_counts
from spikepool.data.keys import check_labels, joined_column, note_odd_labels, refuse_shared_neurons
from spikepool.data.layout import to_observations
from spikepool.data.observations import Observations
from spikepool.data.selection import select_rows
from spikepool.data.sources import SourceFile, check_unchanged, find_files, read_file
from spikepool.data.spike_counts import (
    Factor,
    FloatArray,
    IntArray,
    Labels,
    NeuronColumn,
    Notice,
    SpikeCounts,
)
from spikepool.data.text_table import TextColumn, TextTable, as_labels, concatenate
from spikepool.data.trials import (
    carried_columns,
    check_constant,
    rows_without_repeats,
    spare_columns,
    varying_labels,
)
from spikepool.data.wording import listed, plural
from spikepool.data.zeros import note_missing_zeros, plan_filling
from spikepool.errors import BadDataError


@dataclass(frozen=True)
class _Rows:
    """The columns of the result, row by row."""

    neuron: TextColumn
    count: IntArray
    exposure: FloatArray
    trial: TextColumn | None
    condition: TextColumn | None
    group: TextColumn | None
    within: TextColumn | None
    session: TextColumn | None
    varying: tuple[TextColumn, ...] = ()


def read_counts(options: InputOptions) -> SpikeCounts:
    """Read, check and select spike counts.

    Parameters
    ----------
    options : InputOptions

    Returns
    -------
    SpikeCounts
        Rows in the order read; zeros filled in stand last.

    Raises
    ------
    BadDataError
        If a table cannot be read as spike counts; file, line, column and value are named.
    NoInputError
        If a file is not there.
    ReadWriteError
        If a file changes while it is read.
    UsageError
        If options cannot be used, or not together.
    """
    notices: list[Notice] = []
    files = [read_file(location) for location in find_files(options.tables)]
    table = concatenate([read_table(file, options, notices) for file in files])
    roles = recognise_roles(table, options, notices)
    check_windows(roles, options, notices)
    periods = parse_periods(options.circular, roles.condition)
    table = select_rows(table, options.where, notices)
    observations, roles = to_observations(table, roles, options, notices)
    observations = _without_blanks(observations, options, notices)
    _check_all_labels(observations, roles, options, notices)
    observations, rows, windows = _checked_rows(observations, roles, options, notices)
    counts = _assembled(observations, roles, rows, periods, options, notices)
    counts = _with_baseline(counts, windows, options, notices)
    check_axes(counts.factors, notices)
    if options.drift_block is not None:
        counts = cut_into_blocks(counts, options.drift_block, notices)
    _check_files(files)
    _note_nested(table, notices)
    return replace(
        counts,
        sources=tuple(file.as_source() for file in files),
        notices=tuple(dict.fromkeys(notices)),
    )


def _without_blanks(
    observations: Observations, options: InputOptions, notices: list[Notice]
) -> Observations:
    """Drop the rows with an empty count, where the options say so."""
    if options.missing == "error":
        return observations
    filled = observations.count.rows_where([bool(v.strip()) for v in observations.count.values])
    dropped = len(observations.table.rows) - len(filled)
    if not dropped:
        return observations
    if not filled.size:
        raise BadDataError("every count is empty")
    text = f"{plural(dropped, 'row')} with an empty count left out"
    notices.append(Notice("missing-counts", text))
    return observations.take(filled)


def _check_all_labels(
    observations: Observations, roles: Roles, options: InputOptions, notices: list[Notice]
) -> None:
    trial = () if roles.trial is None else (roles.trial,)
    if observations.wide:
        note_odd_labels(observations.neuron.values, "neuron", notices)
    else:
        check_labels(observations.table, "neuron", roles.neuron, notices)
    check_labels(observations.table, "trial", trial, notices)
    check_labels(observations.table, "condition", roles.condition, notices)
    check_labels(observations.table, "group", roles.group, notices)
    check_labels(observations.table, "within", roles.within, notices)
    check_labels(observations.table, "session", roles.session, notices)
    if not options.same_neurons:
        refuse_shared_neurons(observations.table, observations.neuron)


def _assembled(
    observations: Observations,
    roles: Roles,
    rows: _Rows,
    periods: dict[str, float],
    options: InputOptions,
    notices: list[Notice],
) -> SpikeCounts:
    carried = _carried(observations, roles, as_labels(observations.neuron))
    varying = varying_labels(observations, roles, {column.name for column in carried})
    rows = replace(rows, varying=varying)
    if options.fill_zeros:
        rows = _with_zeros(observations, roles, rows, notices)
    condition, factors = _conditions(observations.table, roles, rows, periods)
    known = roles.exposure is not None or options.duration is not None
    _note_improbable(rows, notices, long=not observations.wide, exposure_known=known)
    return SpikeCounts(
        neuron=as_labels(rows.neuron),
        count=rows.count,
        exposure=rows.exposure,
        exposure_known=known,
        trial=None if rows.trial is None else as_labels(rows.trial),
        condition=condition,
        group=None if rows.group is None else as_labels(rows.group),
        factors=factors,
        within=None if rows.within is None else as_labels(rows.within),
        session=None if rows.session is None else as_labels(rows.session),
        neuron_columns=carried,
        unmodelled=_unmodelled(observations, roles),
        varying=tuple(as_labels(column) for column in rows.varying),
        recognised=_recognised(observations, roles),
    )


def _checked_rows(
    observations: Observations, roles: Roles, options: InputOptions, notices: list[Notice]
) -> tuple[Observations, _Rows, Windows | None]:
    """Parse counts and exposures, and keep one row per trial."""
    table = observations.table
    count_column_of = observations.count_column_of
    count = parse_counts(observations.count, table, count_column_of, notices, strict=options.strict)
    exposure = parse_exposures(table, roles.exposure, roles.exposure_unit, options, notices)
    keep = rows_without_repeats(observations, roles, count, exposure, notices)
    if len(keep) < len(count):
        observations, count, exposure = observations.take(keep), count[keep], exposure[keep]
    rows = _rows(observations, roles, count, exposure)
    if rows.group is not None:
        check_constant(observations, rows.group, "a group")
    if rows.within is not None:
        check_constant(observations, rows.within, "a label within groups")
    check_finite_sum(rows.exposure)
    return observations, rows, parse_windows(observations, roles, options, notices)


def _with_baseline(
    counts: SpikeCounts, windows: Windows | None, options: InputOptions, notices: list[Notice]
) -> SpikeCounts:
    """Put what was recorded without a stimulus apart, or suggest it."""
    if options.baseline_condition is not None:
        return take_out_baseline(counts, options.baseline_condition, notices)
    if windows is not None:
        return put_windows_apart(counts, windows, notices)
    suggest_baseline(counts, notices)
    return counts


def _conditions(
    table: TextTable, roles: Roles, rows: _Rows, periods: dict[str, float]
) -> tuple[Labels | None, tuple[Factor, ...]]:
    if rows.condition is None:
        return None, ()
    return order_conditions(table, rows.condition, roles.condition, periods)


def _note_improbable(
    rows: _Rows, notices: list[Notice], *, long: bool, exposure_known: bool
) -> None:
    """Note missing zeros and impossible rates."""
    if long:
        condition = None if rows.condition is None else rows.condition.codes
        note_missing_zeros(rows.neuron.codes, condition, rows.count, notices)
    if exposure_known:
        note_high_rates(rows.neuron.codes, rows.count, rows.exposure, notices)


def _rows(observations: Observations, roles: Roles, count: IntArray, exposure: FloatArray) -> _Rows:
    table = observations.table
    return _Rows(
        neuron=observations.neuron,
        count=count,
        exposure=exposure,
        trial=None if roles.trial is None else table.column(roles.trial),
        condition=joined_column(table, roles.condition) if roles.condition else None,
        group=joined_column(table, roles.group) if roles.group else None,
        within=joined_column(table, roles.within) if roles.within else None,
        session=joined_column(table, roles.session) if roles.session else None,
    )


def _with_zeros(
    observations: Observations, roles: Roles, rows: _Rows, notices: list[Notice]
) -> _Rows:
    filling = plan_filling(observations, roles, rows.exposure, notices)
    zeros = np.zeros(len(filling.neuron_row), dtype=np.int64)
    return _Rows(
        neuron=_extended(rows.neuron, filling.neuron_row),
        count=np.concatenate([rows.count, zeros]),
        exposure=np.concatenate([rows.exposure, rows.exposure[filling.trial_row]]),
        trial=None if rows.trial is None else _extended(rows.trial, filling.trial_row),
        condition=None if rows.condition is None else _extended(rows.condition, filling.trial_row),
        group=None if rows.group is None else _extended(rows.group, filling.neuron_row),
        within=None if rows.within is None else _extended(rows.within, filling.neuron_row),
        session=None if rows.session is None else _extended(rows.session, filling.trial_row),
        varying=tuple(_extended(column, filling.trial_row) for column in rows.varying),
    )


def _extended(column: TextColumn, rows: IntArray) -> TextColumn:
    return replace(column, codes=np.concatenate([column.codes, column.codes[rows]]))


def _carried(observations: Observations, roles: Roles, neuron: Labels) -> tuple[NeuronColumn, ...]:
    """Return the columns constant within neurons, and the parts of a neuron's joined name."""
    parts = roles.neuron if len(roles.neuron) > 1 else ()
    named = dict.fromkeys((*parts, *roles.within))
    columns = [observations.table.column(name) for name in named if name not in roles.group]
    columns += spare_columns(observations, roles)
    place = {value: i for i, value in enumerate(observations.neuron.values)}
    order = np.array([place[value] for value in neuron.values], dtype=np.int64)
    return carried_columns(observations, columns, order)


def _unmodelled(observations: Observations, roles: Roles) -> tuple[str, ...]:
    """Name the columns with more than one value that nothing uses."""
    spare, used = spare_columns(observations, roles), roles.session or ()
    return tuple(c.name for c in spare if len(c.values) > 1 and c.name not in used)


def _recognised(observations: Observations, roles: Roles) -> tuple[tuple[str, str], ...]:
    if not observations.wide:
        return roles.as_pairs()
    return (("neuron", listed(observations.neuron.values)), *roles.as_pairs())


def _check_files(files: list[SourceFile]) -> None:
    for file in files:
        check_unchanged(file)


def _note_nested(table: TextTable, notices: list[Notice]) -> None:
    if table.nested:
        text = f"columns of lists or records are ignored: {listed(table.nested)}"
        notices.append(Notice("nested-columns", text))

"""Tell long from wide tables, and bring both to one row per neuron × trial."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np

from spikepool.config import InputOptions
from spikepool.data.columns import COUNT_NAMES, NEURON_NAMES, Roles, missing_column
from spikepool.data.integers import read_integer
from spikepool.data.keys import joined_column
from spikepool.data.natural_order import NUMBER
from spikepool.data.observations import Observations
from spikepool.data.spike_counts import Notice
from spikepool.data.text_table import TextColumn, TextTable, column_of_texts
from spikepool.data.wording import did_you_mean, listed, plural, quoted
from spikepool.errors import BadDataError, UsageError

LABEL_NAMES = frozenset(
    (
        *("session", "session_id", "recording", "recording_id", "probe", "probe_id", "run", "date"),
        *("day", "block", "block_id", "block_number", "animal", "animal_id", "subject"),
        *("subject_id", "mouse", "mouse_id", "rat", "rat_id", "monkey", "monkey_id", "area"),
        *("region", "layer", "depth", "group", "quality", "stimulus", "stimulus_id", "stim"),
        *("stim_id", "condition", "condition_id", "direction", "orientation", "contrast"),
        *("frequency", "phase", "size", "position", "context", "choice", "outcome", "reward"),
        *("correct", "index", "id", "row", "time", "start", "stop", "onset", "start_time"),
        *("stop_time", "trial", "trial_id", "trial_number", "trial_index", "repeat", "rep"),
    )
)
"""Columns that are never taken for neurons unless --wide-columns says so."""


def to_observations(
    table: TextTable, roles: Roles, options: InputOptions, notices: list[Notice]
) -> tuple[Observations, Roles]:
    """Read a long or wide table as one row per neuron × trial.

    Parameters
    ----------
    table : TextTable
    roles : Roles
    options : InputOptions
        `layout` and `wide_columns` are used.
    notices : list of Notice

    Returns
    -------
    observations : Observations
    roles : Roles
        Without neuron and count where the table is wide.

    Raises
    ------
    BadDataError
        If the table is neither, or a column could be a neuron or a label.
    """
    if options.layout == "wide" or (options.layout == "auto" and _looks_wide(table, roles)):
        if options.neuron or options.count:
            raise UsageError("--neuron and --count belong to long tables, not to wide ones")
        if options.baseline_count:
            raise UsageError(
                "--baseline-count belongs to long tables: a column of a wide one would be the "
                "baseline of all neurons alike",
                "write a row per neuron and trial, with both counts",
            )
        roles = replace(roles, neuron=(), count=None)
        return _melted(table, roles, options, notices), roles
    if not roles.neuron:
        raise missing_column(table, roles, "neuron", NEURON_NAMES)
    if roles.count is None:
        raise missing_column(table, roles, "count", COUNT_NAMES)
    neuron = joined_column(table, roles.neuron)
    return Observations(neuron, table.column(roles.count), table), roles


def _looks_wide(table: TextTable, roles: Roles) -> bool:
    """Tell a wide table: no column like neuron or count, and several of whole numbers."""
    if roles.neuron or roles.count is not None or roles.baseline_count is not None:
        return False
    if _headerless(table, roles):
        return False
    words = [name for name in table.names if not any(c.isdigit() for c in name)]
    if did_you_mean((*NEURON_NAMES, *COUNT_NAMES), [w for w in words if w not in roles.used]):
        return False
    counts = [c for c in table.columns if c.name not in roles.used and not _known_label(c.name)]
    return sum(_all_integers(column) for column in counts) > 1


def _headerless(table: TextTable, roles: Roles) -> bool:
    """Tell a header that may be data: numbers among its names, and no usual name."""
    return not roles.used and any(NUMBER.fullmatch(name) for name in table.names)


def _known_label(name: str) -> bool:
    return name.casefold() in LABEL_NAMES


def _all_integers(column: TextColumn) -> bool:
    filled = [value for value in column.values if value.strip()]
    return bool(filled) and not any(read_integer(value).problem for value in filled)


def _melted(
    table: TextTable, roles: Roles, options: InputOptions, notices: list[Notice]
) -> Observations:
    neurons, labels = _neuron_columns(table, roles, options)
    filled = np.column_stack([_filled(column) for column in neurons])
    row, which = np.nonzero(filled)
    if not row.size:
        raise BadDataError("every cell of the neuron columns is empty")
    texts = [value for column in neurons for value in column.values]
    offsets = np.cumsum([0, *(len(column.values) for column in neurons)])[:-1]
    codes = np.column_stack([c.codes + o for c, o in zip(neurons, offsets, strict=True)])
    count = column_of_texts("count", texts, codes[row, which])
    neuron = column_of_texts("neuron", [c.name for c in neurons], which.astype(np.int64))
    _note_wide(neurons, labels, int(filled.size - row.size), options, notices)
    others = table.without([column.name for column in neurons])
    return Observations(neuron, count, others.take(row.astype(np.int64)), wide=True)


def _filled(column: TextColumn) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([bool(value.strip()) for value in column.values])[column.codes]


def _neuron_columns(
    table: TextTable, roles: Roles, options: InputOptions
) -> tuple[list[TextColumn], list[str]]:
    """Split the columns without a role into neurons and labels."""
    free = [column for column in table.columns if column.name not in roles.used]
    matching = [c for c in free if fnmatchcase(c.name, options.wide_columns)]
    if options.wide_columns == "*":
        matching = [column for column in matching if _is_neuron(table, column)]
    if not matching:
        raise BadDataError(
            f"no column matches --wide-columns {quoted(options.wide_columns)} and holds counts; "
            f"the columns are: {listed(table.names)}",
            "give a pattern such as --wide-columns 'unit*'",
        )
    taken = {column.name for column in matching}
    return matching, [column.name for column in free if column.name not in taken]


def _is_neuron(table: TextTable, column: TextColumn) -> bool:
    """Tell counts from labels; a column that holds both is refused, not guessed."""
    if _known_label(column.name):
        return False
    filled = [bool(value.strip()) for value in column.values]
    whole = [
        ok and not read_integer(v).problem for ok, v in zip(filled, column.values, strict=True)
    ]
    if not any(whole):
        return False
    odd = column.rows_where([ok and not w for ok, w in zip(filled, whole, strict=True)])
    if odd.size:
        row = int(odd[0])
        raise table.bad_cell(
            row,
            column.name,
            column.cell(row),
            "is not a whole number, though other cells of the column are",
            "if the column is a neuron, mend the cell (a rate is not a count); if it is a label, "
            "name the neurons' columns with --wide-columns",
        )
    return True


def _note_wide(
    neurons: Sequence[TextColumn],
    labels: Sequence[str],
    empty: int,
    options: InputOptions,
    notices: list[Notice],
) -> None:
    named = listed([column.name for column in neurons])
    others = f"; labels: {listed(labels)}" if labels else ""
    advice = "" if options.wide_columns != "*" else " (if not so: --wide-columns PATTERN)"
    text = f"a wide table: {plural(len(neurons), 'neuron column')} ({named}){others}{advice}"
    notices.append(Notice("wide-table", text))
    if empty:
        text = f"{plural(empty, 'empty cell')} left out: the neuron was not recorded on that trial"
        notices.append(Notice("empty-cells", text))

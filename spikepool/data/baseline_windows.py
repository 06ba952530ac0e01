"""Counts in a window before the stimulus, in columns of every trial's row."""

from dataclasses import dataclass

import numpy as np

from spikepool.config import InputOptions
from spikepool.data.columns import Roles
from spikepool.data.exposure import check_finite_sum, note_high_rates, parse_exposures
from spikepool.data.integers import parse_counts
from spikepool.data.observations import Observations
from spikepool.data.spike_counts import FloatArray, IntArray, Notice
from spikepool.data.wording import plural, quoted
from spikepool.errors import BadDataError, UsageError


@dataclass(frozen=True)
class Windows:
    """What was counted before the stimuli.

    Attributes
    ----------
    name : str
        As printed: ``column pre_count``.
    rows : ndarray of int64, shape (windows,)
        Rows that have a count, ascending.
    count : ndarray of int64, shape (windows,)
    exposure : ndarray of float64, shape (windows,)
        Seconds; 1 where none are known.
    """

    name: str
    rows: IntArray
    count: IntArray
    exposure: FloatArray


def check_windows(roles: Roles, options: InputOptions, notices: list[Notice]) -> None:
    """Check that the options of windows before the stimulus go together.

    Parameters
    ----------
    roles : Roles
    options : InputOptions
    notices : list of Notice

    Raises
    ------
    UsageError
        If they do not, or the rates before and after would not be in one unit.
    """
    if roles.baseline_count is None:
        if roles.baseline_exposure is not None:
            raise UsageError(
                f"--baseline-exposure {roles.baseline_exposure} belongs to --baseline-count",
                "name the column of counts before the stimulus with --baseline-count",
            )
        return
    given = f"--baseline-count {roles.baseline_count}"
    if options.baseline_condition is not None:
        raise UsageError(
            f"{given} and --baseline-condition {options.baseline_condition} exclude each other",
            "give one of them: a window before every stimulus, or trials without one",
        )
    if options.fill_zeros:
        raise UsageError(
            f"--fill-zeros adds trials whose baseline is not known, so that {given} would be of "
            "the others only",
            "write a row for every neuron and trial, with both counts",
        )
    _check_units(given, roles, options, notices)


def _check_units(given: str, roles: Roles, options: InputOptions, notices: list[Notice]) -> None:
    """Refuse rates before and after in different units; warn where windows have no length."""
    known = f"--duration {options.duration}" if options.duration is not None else None
    if roles.exposure is not None:
        known = f"column {quoted(roles.exposure)}"
    if known is not None and roles.baseline_exposure is None:
        raise UsageError(
            f"{given}: the length of this window is not known, though that of the response is "
            f"({known}), and both rates must be in one unit",
            "name the column of its length with --baseline-exposure (the exposure column again, "
            "if both windows are equally long)",
        )
    if known is None and roles.baseline_exposure is not None:
        raise UsageError(
            f"--baseline-exposure {roles.baseline_exposure}: the time counted in the responses is "
            "not known, and both rates must be in one unit",
            "name its column with --exposure, or give --duration",
        )
    if known is None:
        text = (
            "no exposure is given: baselines and responses are compared in spikes/trial, which "
            "holds only if both windows are equally long; if not, --exposure and "
            "--baseline-exposure"
        )
        notices.append(Notice("baseline-per-trial", text))


def parse_windows(
    observations: Observations, roles: Roles, options: InputOptions, notices: list[Notice]
) -> Windows | None:
    """Read counts and exposures before the stimulus, as those of the responses are read.

    Parameters
    ----------
    observations : Observations
        One row per trial.
    roles : Roles
    options : InputOptions
        With ``missing`` ``drop`` a row without a baseline count keeps its response.
    notices : list of Notice

    Returns
    -------
    Windows or None
        None without such a column.

    Raises
    ------
    BadDataError
        At the first row whose cells are no count and no time.
    """
    name = roles.baseline_count
    if name is None:
        return None
    rows = _rows_with_count(observations, name, options, notices)
    table = observations.table.take(rows)
    count = parse_counts(
        table.column(name),
        table,
        lambda _: name,
        notices,
        strict=options.strict,
        what="baseline count",
    )
    exposure = parse_exposures(
        table, roles.baseline_exposure, roles.baseline_exposure_unit, options, notices
    )
    check_finite_sum(exposure)
    if roles.baseline_exposure is not None:
        neuron = observations.neuron.codes[rows]
        note_high_rates(neuron, count, exposure, notices, where=" before the stimulus")
    return Windows(f"column {name}", rows, count, exposure)


def _rows_with_count(
    observations: Observations, name: str, options: InputOptions, notices: list[Notice]
) -> IntArray:
    """Return the rows to read: all, or without empty cells where the options say so."""
    every = len(observations.table.rows)
    if options.missing == "error":
        return np.arange(every, dtype=np.int64)
    column = observations.table.column(name)
    rows = column.rows_where([bool(value.strip()) for value in column.values])
    if not rows.size:
        raise BadDataError(f"every baseline count (column {quoted(name)}) is empty")
    if rows.size < every:
        text = f"{plural(every - rows.size, 'row')} with an empty baseline count kept as responses"
        notices.append(Notice("missing-counts", text))
    return rows

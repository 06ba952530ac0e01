"""Zero counts that were left out of a long table: noticed, or filled in."""

from dataclasses import dataclass

import numpy as np

from spikepool.data.columns import Roles
from spikepool.data.observations import Observations
from spikepool.data.spike_counts import FloatArray, IntArray, Notice
from spikepool.data.text_table import combined_codes
from spikepool.data.trials import is_measured, spare_columns
from spikepool.data.wording import plural
from spikepool.errors import BadDataError, UsageError

SUSPICIOUS_ZEROS = 10.0
"""Zeros that Poisson counts of these means would show. The chance of none is below exp(-10)."""
MOST_CELLS = 10**9

SESSION_NAMES = frozenset(
    (
        *("session", "session_id", "recording", "recording_id", "experiment", "experiment_id"),
        *("dataset", "animal", "animal_id", "subject", "subject_id", "mouse", "mouse_id"),
        *("rat", "rat_id", "monkey", "monkey_id", "date", "day", "file"),
    )
)
"""Columns that separate recordings: a neuron has no zeros in the trials of another recording."""


@dataclass(frozen=True)
class Filling:
    """Rows to add: each copies neuron from one row and the trial from another.

    Attributes
    ----------
    neuron_row, trial_row : ndarray of int64, shape (added,)
    """

    neuron_row: IntArray
    trial_row: IntArray


def note_missing_zeros(
    neuron: IntArray, condition: IntArray | None, count: IntArray, notices: list[Notice]
) -> None:
    """Note a table without zeros whose mean counts would give many.

    The number expected is the sum over rows of exp(-mean count of the neuron in the condition):
    the zeros of Poisson counts, fewer than any over-dispersed neuron shows.

    Parameters
    ----------
    neuron, condition, count : ndarray of int64, shape (rows,)
    notices : list of Notice
    """
    if not count.all():
        return
    cell = neuron if condition is None else combined_codes([neuron, condition])
    rows = np.bincount(cell)
    means = np.bincount(cell, weights=count)[rows > 0] / rows[rows > 0]
    expected = float(np.sum(rows[rows > 0] * np.exp(-means)))
    if expected > SUSPICIOUS_ZEROS:
        text = (
            f"no count is zero, though about {expected:,.0f} zeros would be expected at these "
            "means; if trials without spikes were left out, give --fill-zeros"
        )
        notices.append(Notice("no-zeros", text))


def plan_filling(
    observations: Observations, roles: Roles, exposure: FloatArray, notices: list[Notice]
) -> Filling:
    """Find the trials of a recording that a neuron has no row for.

    A recording is an input file or folder and, within it, a value of the columns named like
    sessions or animals. Its trials are those of all its neurons together.

    Parameters
    ----------
    observations : Observations
    roles : Roles
    exposure : ndarray of float64, shape (rows,)
    notices : list of Notice

    Returns
    -------
    Filling

    Raises
    ------
    UsageError
        If the table has no trial column, or is wide.
    BadDataError
        If a trial has two exposures.
    """
    if observations.wide:
        raise UsageError("--fill-zeros is for long tables; write 0 in the cells of a wide one")
    if roles.trial is None:
        raise UsageError("--fill-zeros needs a trial column", "name it with --trial")
    recording = _recording(observations, roles)
    trial = _trial_key(observations, roles, recording)
    _check_one_exposure(observations, trial, exposure)
    filling = _missing_cells(observations.neuron.codes, recording, trial)
    text = f"{plural(len(filling.neuron_row), 'row')} with count 0 filled in"
    notices.append(Notice("filled-zeros", text))
    return filling


def _recording(observations: Observations, roles: Roles) -> IntArray:
    table = observations.table
    names = [name for name in table.names if name.casefold() in SESSION_NAMES]
    kept = [name for name in names if name not in {roles.trial, roles.count, *roles.condition}]
    return combined_codes([table.table_of_rows(), *(table.column(name).codes for name in kept)])


def _trial_key(observations: Observations, roles: Roles, recording: IntArray) -> IntArray:
    """Give each trial a number; other labels count where trial and condition do not do."""
    names = [name for name in (roles.trial, *roles.condition) if name is not None]
    key = combined_codes([recording, *(observations.table.column(n).codes for n in names)])
    neuron = observations.neuron.codes
    if len(np.unique(combined_codes([neuron, key]))) == len(key):
        return key
    spare = [c.codes for c in spare_columns(observations, roles) if not is_measured(c)]
    varying = [codes for codes in spare if _varies_within(neuron, codes)]
    return combined_codes([key, *varying])


def _varies_within(neuron: IntArray, codes: IntArray) -> bool:
    return len(np.unique(combined_codes([neuron, codes]))) > len(np.unique(neuron))


def _check_one_exposure(observations: Observations, trial: IntArray, exposure: FloatArray) -> None:
    _, first, inverse = np.unique(trial, return_index=True, return_inverse=True)
    odd = np.flatnonzero(exposure[first][inverse] != exposure)
    if odd.size:
        row = int(odd[0])
        earlier = int(first[inverse[row]])
        table = observations.table
        raise BadDataError(
            f"one trial has two exposures, {exposure[earlier]:g} and {exposure[row]:g} s: "
            f"{table.place(earlier)} and {table.place(row)}",
            "--fill-zeros needs one exposure per trial; was it one trial?",
        )


def _missing_cells(neuron: IntArray, recording: IntArray, trial: IntArray) -> Filling:
    neuron_rows: list[IntArray] = []
    trial_rows: list[IntArray] = []
    n_cells = 0
    for one in range(int(recording.max()) + 1):
        rows = np.flatnonzero(recording == one)
        neurons, neuron_at, neuron_of = np.unique(
            neuron[rows], return_index=True, return_inverse=True
        )
        trials, trial_at, trial_of = np.unique(trial[rows], return_index=True, return_inverse=True)
        n_cells += len(neurons) * len(trials)
        if n_cells > MOST_CELLS:
            raise BadDataError(f"--fill-zeros would make more than {MOST_CELLS:,} rows")
        present = np.zeros((len(neurons), len(trials)), dtype=bool)
        present[neuron_of, trial_of] = True
        absent_neuron, absent_trial = np.nonzero(~present)
        neuron_rows.append(rows[neuron_at[absent_neuron]])
        trial_rows.append(rows[trial_at[absent_trial]])
    return Filling(np.concatenate(neuron_rows), np.concatenate(trial_rows))

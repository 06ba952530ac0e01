"""Read exposures: positive seconds."""

import math
from decimal import Decimal

import numpy as np

from spikepool.config import InputOptions
from spikepool.data.columns import Unit
from spikepool.data.natural_order import NUMBER
from spikepool.data.spike_counts import FloatArray, IntArray, Notice
from spikepool.data.text_table import TextColumn, TextTable
from spikepool.data.wording import plural, quoted
from spikepool.errors import BadDataError, UsageError

LONG_EXPOSURE = 60.0
"""Seconds; a median above it suggests milliseconds."""
HIGH_RATE = 300.0
"""Spikes per second; a neuron above it suggests wrong exposures."""

_HINT = "an exposure is the time of the trial in seconds, above 0 (or --exposure-unit ms)"


def parse_exposures(
    table: TextTable, name: str | None, unit: Unit, options: InputOptions, notices: list[Notice]
) -> FloatArray:
    """Return the seconds of every row; 1 where neither a column nor a duration is given.

    Parameters
    ----------
    table : TextTable
    name : str or None
        The column.
    unit : {'s', 'ms'}
        Its unit.
    options : InputOptions
        `duration` and `exposure_round` are used.
    notices : list of Notice

    Returns
    -------
    ndarray of float64, shape (rows,)

    Raises
    ------
    BadDataError
        At the first row whose exposure is not a positive number.
    """
    rows = len(table.rows)
    if name is None:
        seconds = 1.0 if options.duration is None else options.duration
        if not math.isfinite(seconds):
            raise UsageError(f"--duration {seconds} is not a time in seconds")
        return np.full(rows, seconds)
    column = table.column(name)
    divisor = 1000.0 if unit == "ms" else 1.0
    seconds_of_text = [_positive(text) / divisor for text in column.values]
    problem = "is not a positive time"
    _refuse_zero(table, column, seconds_of_text, problem, _HINT)
    if options.exposure_round is not None:
        step = options.exposure_round
        seconds_of_text = [_rounded(seconds, step) for seconds in seconds_of_text]
        problem = f"rounds to 0 at steps of {step:g} s"
        _refuse_zero(table, column, seconds_of_text, problem, "give a smaller --exposure-round")
    exposure = np.array(seconds_of_text, dtype=np.float64)[column.codes]
    _note_long(exposure, column.name, notices)
    return exposure


def note_high_rates(
    neuron: IntArray,
    count: IntArray,
    exposure: FloatArray,
    notices: list[Notice],
    *,
    where: str = "",
) -> None:
    """Note how many neurons fire faster than any neuron does, and where if not everywhere."""
    total = np.bincount(neuron, weights=count)
    time = np.bincount(neuron, weights=exposure)
    fast = int(np.sum(total > HIGH_RATE * time))
    if fast:
        of = f"{plural(fast, 'neuron')} above {HIGH_RATE:g} spikes/s{where}"
        text = f"{of}: are the exposures right?"
        notices.append(Notice("high-rates", text))


def check_finite_sum(exposure: FloatArray) -> None:
    """Refuse exposures so long that their sum is not a number.

    Raises
    ------
    BadDataError
        If the sum overflows.
    """
    with np.errstate(over="ignore"):
        total = float(exposure.sum())
    if not math.isfinite(total):
        raise BadDataError("the sum of all exposures is not finite", _HINT)


def _refuse_zero(
    table: TextTable, column: TextColumn, seconds: list[float], problem: str, hint: str
) -> None:
    """Refuse the first row whose time (one per distinct text) is not above 0."""
    bad = column.rows_where([not value > 0 for value in seconds])
    if bad.size:
        row = int(bad[0])
        raise table.bad_cell(row, column.name, column.cell(row), problem, hint)


def _positive(text: str) -> float:
    """Return the number, or NaN where the text is not a positive finite number."""
    text = text.strip(" \t")
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    return value if 0 < value < math.inf else math.nan


def _rounded(seconds: float, step: float) -> float:
    """Round to a whole number of steps, as the decimal number nearest to it."""
    if not math.isfinite(step):
        raise UsageError(f"--exposure-round {step} is not a time in seconds")
    return float(Decimal(repr(step)) * round(seconds / step))


def _note_long(exposure: FloatArray, name: str, notices: list[Notice]) -> None:
    median = float(np.median(exposure))
    if median > LONG_EXPOSURE:
        text = (
            f"the median exposure is {median:g} s (column {quoted(name)}); "
            "if these are milliseconds, give --exposure-unit ms"
        )
        notices.append(Notice("long-exposure", text))

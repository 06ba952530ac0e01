"""Read counts exactly from text."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import numpy as np

from spikepool.data.spike_counts import IntArray, Notice
from spikepool.data.text_table import TextColumn, TextTable
from spikepool.data.wording import plural, quoted

LARGEST_COUNT = 10**9
"""Spikes in one trial; no sum over fewer than nine billion rows can then overflow int64."""

_INTEGER = re.compile(r"-?[0-9]+")
_DECIMAL = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:[,_'’   ][0-9]{3})+")
_HINT = "a count is a whole number, 0 or more, in plain digits"


@dataclass(frozen=True)
class Reading:
    """One text read as a count.

    Attributes
    ----------
    value : int
    decimal : bool
        Whether it was written with a point or an exponent, such as ``3.0``.
    problem, hint : str
        Why it is not a count; empty where it is.
    """

    value: int = 0
    decimal: bool = False
    problem: str = ""
    hint: str = ""


def read_integer(text: str) -> Reading:
    """Read one count; spaces around it are allowed.

    Parameters
    ----------
    text : str

    Returns
    -------
    Reading
    """
    text = text.strip(" \t")
    if not _DECIMAL.fullmatch(text):
        return _not_a_number(text)
    plain = _INTEGER.fullmatch(text) is not None
    try:
        value = Decimal(text)
        too_large = value.adjusted() > 18 or value > LARGEST_COUNT
    except InvalidOperation:  # an exponent beyond what Decimal holds
        return _out_of_range(text)
    if value < 0:
        return Reading(problem="is negative", hint=_HINT)
    if too_large:
        return _out_of_range(text)
    if value % 1:
        hint = "rates are not counts: give the counts, and the time counted (--exposure)"
        return Reading(problem="is not a whole number", hint=hint)
    return Reading(int(value), decimal=not plain)


def parse_counts(
    column: TextColumn,
    table: TextTable,
    column_of: Callable[[int], str],
    notices: list[Notice],
    *,
    strict: bool,
    what: str = "count",
) -> IntArray:
    """Read the counts of all rows exactly.

    Parameters
    ----------
    column : TextColumn
    table : TextTable
        For the place of a row in messages.
    column_of : callable
        Gives the name of the input column of a row's count.
    notices : list of Notice
    strict : bool
        Refuse ``3.0`` and ``1e3``.
    what : str
        Of the counts, in a notice.

    Returns
    -------
    ndarray of int64, shape (rows,)

    Raises
    ------
    BadDataError
        At the first row that is not a count.
    """
    readings = [_strictly(read_integer(text), strict=strict) for text in column.values]
    bad = column.rows_where([bool(reading.problem) for reading in readings])
    if bad.size:
        row = int(bad[0])
        reading = readings[column.codes[row]]
        raise table.bad_cell(row, column_of(row), column.cell(row), reading.problem, reading.hint)
    _note_decimals(column, readings, what, notices)
    values = np.array([reading.value for reading in readings], dtype=np.int64)
    return values[column.codes]


def _strictly(reading: Reading, *, strict: bool) -> Reading:
    if strict and reading.decimal:
        hint = "write it without a decimal point or exponent, or leave out --strict"
        return Reading(problem="is not written as a whole number", hint=hint)
    return reading


def _note_decimals(
    column: TextColumn, readings: list[Reading], what: str, notices: list[Notice]
) -> None:
    decimal = column.rows_where([reading.decimal for reading in readings])
    if decimal.size:
        text = (
            f"{plural(len(decimal), what)} written with a decimal point or exponent, "
            f"such as {quoted(column.cell(int(decimal[0])))}, read as whole numbers"
        )
        notices.append(Notice("decimal-counts", text))


def _out_of_range(text: str) -> Reading:
    if text.startswith("-"):
        return Reading(problem="is negative", hint=_HINT)
    if "-" in text:
        return Reading(problem="is not a whole number", hint=_HINT)
    problem = f"is larger than supported ({LARGEST_COUNT:,} spikes in one trial)"
    return Reading(problem=problem, hint="is this column the count?")


def _not_a_number(text: str) -> Reading:
    if not text:
        return Reading(problem="where a count is needed", hint="--missing drop leaves it out")
    if _GROUPED.fullmatch(text):
        hint = "write the number without separators between its digits"
        return Reading(problem="is not a plain whole number", hint=hint)
    return Reading(problem="is not a whole number of spikes", hint=_HINT)

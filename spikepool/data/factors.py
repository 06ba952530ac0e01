"""Conditions as points on the axes of a stimulus: their order, and which axes are circular."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from spikepool.data.natural_order import NUMBER, numbers_first
from spikepool.data.spike_counts import Factor, IntArray, Labels, Notice
from spikepool.data.text_table import TextColumn, TextTable
from spikepool.data.wording import did_you_mean, listed, quoted
from spikepool.errors import UsageError

FULL_TURN = 360.0
"""Period of a circular axis unless another is given."""


def parse_periods(circular: Sequence[str], condition: Sequence[str]) -> dict[str, float]:
    """Read which columns of conditions are circular.

    Parameters
    ----------
    circular : sequence of str
        ``COL``, or ``COL=PERIOD``.
    condition : sequence of str
        The columns of conditions.

    Returns
    -------
    dict of str to float
        Period of each circular column.

    Raises
    ------
    UsageError
        If a column is none of conditions or named twice, or its period no number above 0.
    """
    periods: dict[str, float] = {}
    for text in circular:
        name, period = _name_and_period(text, condition)
        if name not in condition:
            raise UsageError(
                f"--circular names {quoted(name)}, which is no column of conditions",
                f"{did_you_mean([name], condition)}name it with --condition too",
            )
        if name in periods:
            raise UsageError(f"--circular names {quoted(name)} twice", "give it one period")
        periods[name] = period
    return periods


def order_conditions(
    table: TextTable, joined: TextColumn, names: Sequence[str], periods: Mapping[str, float]
) -> tuple[Labels, tuple[Factor, ...]]:
    """Sort conditions by their factors: numbers by value, then other labels naturally.

    Parameters
    ----------
    table : TextTable
    joined : TextColumn
        The condition of every row of `table`; further rows repeat them.
    names : sequence of str
        The columns that it is made of.
    periods : mapping of str to float
        Of the circular ones.

    Returns
    -------
    Labels
    tuple of Factor
        One for each of `names`.
    """
    columns = [table.column(name) for name in names]
    _, row_of = np.unique(joined.codes[: len(table.rows)], return_index=True)
    ranks = [_ranks(column)[column.codes[row_of]] for column in columns]
    order = np.lexsort(ranks[::-1])
    factors = tuple(
        Factor(
            column.name,
            tuple(column.cell(int(row)) for row in row_of[order]),
            periods.get(column.name),
        )
        for column in columns
    )
    return Labels(
        joined.name, tuple(joined.values[i] for i in order), np.argsort(order)[joined.codes]
    ), factors


def check_axes(factors: Sequence[Factor], notices: list[Notice]) -> None:
    """Refuse words on a circle; note labels that are one place on an axis.

    Parameters
    ----------
    factors : sequence of Factor
    notices : list of Notice

    Raises
    ------
    UsageError
        If a circular column has a label that is not a finite number.
    """
    for factor in factors:
        _refuse_words_on_a_circle(factor)
    _note_same_places(factors, notices)


def _note_same_places(factors: Sequence[Factor], notices: list[Notice]) -> None:
    """Note labels that are written differently and stand for one number, or one angle."""
    for factor in factors:
        if factor.positions is None:
            continue
        labels: dict[float, set[str]] = defaultdict(set)
        for place, label in zip(factor.positions.tolist(), factor.labels, strict=True):
            labels[place].add(label)
        alike = next((sorted(same) for same in labels.values() if len(same) > 1), None)
        if alike is not None:
            place = "number" if factor.period is None else f"place on a circle of {factor.period:g}"
            text = (
                f"labels of {quoted(factor.name)} that are one {place} are kept apart as "
                f"conditions: {listed(map(quoted, alike))}"
            )
            notices.append(Notice("same-place", text))


def _ranks(column: TextColumn) -> IntArray:
    """Place of each of a column's texts among them, in order; shape (values,)."""
    return np.argsort(numbers_first(column.values)).astype(np.int64)


def _name_and_period(text: str, condition: Sequence[str]) -> tuple[str, float]:
    """Split at the last ``=``, unless the whole is a column."""
    name, equals, period = text.rpartition("=")
    if not equals or text in condition:
        return text, FULL_TURN
    value = float(period) if NUMBER.fullmatch(period.strip()) else np.nan
    if not (np.isfinite(value) and value > 0):
        raise UsageError(
            f"--circular {text}: {quoted(period)} is no period",
            "a period is a number above 0, such as --circular orientation=180",
        )
    return name.strip(), value


def _refuse_words_on_a_circle(factor: Factor) -> None:
    if factor.period is None or factor.numbers is not None:
        return
    word = next(
        label
        for label in factor.labels
        if not (NUMBER.fullmatch(label) and np.isfinite(float(label)))
    )
    raise UsageError(
        f"--circular {factor.name}: the label {quoted(word)} is not a number",
        "leave out --circular, leave out such rows with --where, or name them with "
        "--baseline-condition",
    )

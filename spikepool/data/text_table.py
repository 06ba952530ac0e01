"""A table of text: every cell as written, with the place of every row for messages."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spikepool.data.natural_order import natural_order
from spikepool.data.spike_counts import IntArray, Labels
from spikepool.data.wording import quoted, shown_path
from spikepool.errors import BadDataError

type BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class TextColumn:
    """A column stored as its distinct texts and an index per row.

    Attributes
    ----------
    name : str
    values : tuple of str
        Distinct texts; an empty cell (or a null of Parquet) is the empty text.
    codes : ndarray of int64, shape (rows,)
    """

    name: str
    values: tuple[str, ...]
    codes: IntArray

    def take(self, rows: IntArray) -> "TextColumn":
        """Return the column of these rows, without the texts that no row has any more."""
        codes = self.codes[rows]
        used = np.zeros(len(self.values), dtype=bool)
        used[codes] = True
        renumbered = np.cumsum(used) - 1
        values = tuple(value for value, keep in zip(self.values, used, strict=True) if keep)
        return TextColumn(self.name, values, renumbered[codes])

    def cell(self, row: int) -> str:
        """Return the text of one row."""
        return self.values[int(self.codes[row])]

    def rows_where(self, chosen: Sequence[bool]) -> IntArray:
        """Return the rows whose text is among the chosen ones (`chosen`: one per value)."""
        return np.flatnonzero(np.asarray(chosen, dtype=bool)[self.codes]).astype(np.int64)


@dataclass(frozen=True)
class Origin:
    """The file that rows came from.

    Attributes
    ----------
    path : str
    table : int
        Number of the input; the files of one partitioned folder share it.
    lines : ndarray of int64
        1-based line (or row, in Parquet) of every row of the file.
    unit : str
        ``line`` or ``row``.
    """

    path: str
    table: int
    lines: IntArray
    unit: str = "line"


@dataclass(frozen=True)
class TextTable:
    """Columns of equal length, and where each row stood.

    Attributes
    ----------
    columns : tuple of TextColumn
    origins : tuple of Origin
    rows : ndarray of int64
        Index of every row in the concatenated origins.
    nested : tuple of str
        Columns left out because a cell holds a list or a record.
    """

    columns: tuple[TextColumn, ...]
    origins: tuple[Origin, ...]
    rows: IntArray
    nested: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> TextColumn:
        """Return a column by its name."""
        return next(column for column in self.columns if column.name == name)

    def take(self, rows: IntArray) -> "TextTable":
        """Return the table of these rows."""
        columns = tuple(column.take(rows) for column in self.columns)
        return replace(self, columns=columns, rows=self.rows[rows])

    def without(self, names: Sequence[str]) -> "TextTable":
        """Return the table without some columns."""
        return replace(self, columns=tuple(c for c in self.columns if c.name not in names))

    def origin_of_rows(self) -> IntArray:
        """Return the index of the origin of every row."""
        ends = np.cumsum([len(origin.lines) for origin in self.origins])
        return np.searchsorted(ends, self.rows, side="right").astype(np.int64)

    def table_of_rows(self) -> IntArray:
        """Return the number of the input that every row belongs to."""
        tables = np.array([origin.table for origin in self.origins], dtype=np.int64)
        return tables[self.origin_of_rows()]

    def place(self, row: int) -> str:
        """Write the file and the line of a row: ``a.csv, line 12``."""
        starts = np.concatenate([[0], np.cumsum([len(origin.lines) for origin in self.origins])])
        original = int(self.rows[row])
        index = bisect_right(starts.tolist(), original) - 1
        origin = self.origins[index]
        number = origin.lines[original - int(starts[index])]
        return f"{shown_path(origin.path)}, {origin.unit} {number}"

    def bad_cell(self, row: int, column: str, value: str, problem: str, hint: str) -> BadDataError:
        """Make the error for one cell."""
        found = f"{quoted(value)} {problem}" if value else f"an empty cell {problem}"
        return BadDataError(f"{self.place(row)}, column {quoted(column)}: {found}", hint)


def text_column(name: str, array: pa.ChunkedArray) -> TextColumn:
    """Make a column of an Arrow array of text, dictionary-encoded or not; nulls become empty."""
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    whole = array.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0)
    values: list[str | None] = whole.dictionary.to_pylist()
    codes = whole.indices.fill_null(len(values)).to_numpy(zero_copy_only=False).astype(np.int64)
    if whole.indices.null_count:
        values.append(None)
    return column_of_texts(name, ["" if value is None else value for value in values], codes)


def column_of_texts(name: str, texts: Sequence[str], codes: IntArray) -> TextColumn:
    """Make a column of texts that may repeat; texts without a row are dropped."""
    distinct: dict[str, int] = {}
    first = [distinct.setdefault(text, len(distinct)) for text in texts]
    merged = np.array(first, dtype=np.int64)[codes] if len(distinct) < len(first) else codes
    column = TextColumn(name, tuple(distinct), merged)
    return column.take(np.arange(len(codes)))


def concatenate(tables: Sequence[TextTable]) -> TextTable:
    """Stack tables that have the same columns, in the order of the first.

    Raises
    ------
    BadDataError
        If two files differ in their columns.
    """
    first, *others = tables
    if not others:
        return first
    for other in others:
        _check_same_columns(first, other)
    columns = tuple(_stack([table.column(name) for table in tables]) for name in first.names)
    origins = tuple(origin for table in tables for origin in table.origins)
    nested = tuple(dict.fromkeys(name for table in tables for name in table.nested))
    return TextTable(columns, origins, np.arange(len(columns[0].codes)), nested)


def combined_codes(columns: Sequence[IntArray]) -> IntArray:
    """Give every distinct combination of several integer columns a number, in sorted order."""
    combined = np.zeros(len(columns[0]), dtype=np.int64)
    for codes in columns:
        _, compact = np.unique(combined, return_inverse=True)
        combined = compact * (int(codes.max(initial=0)) + 1) + codes
    _, numbers = np.unique(combined, return_inverse=True)
    return numbers.astype(np.int64)


def as_labels(column: TextColumn) -> Labels:
    """Sort the distinct texts of a column naturally; rows keep their order."""
    order = natural_order(column.values)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return Labels(column.name, tuple(column.values[i] for i in order), rank[column.codes])


def _stack(columns: Sequence[TextColumn]) -> TextColumn:
    offsets = np.cumsum([0, *(len(column.values) for column in columns)])
    texts = [value for column in columns for value in column.values]
    codes = [column.codes + offset for column, offset in zip(columns, offsets[:-1], strict=True)]
    return column_of_texts(columns[0].name, texts, np.concatenate(codes))


def _check_same_columns(first: TextTable, other: TextTable) -> None:
    odd = sorted(set(first.names) ^ set(other.names))
    if odd:
        has, lacks = (first, other) if odd[0] in first.names else (other, first)
        raise BadDataError(
            f"{shown_path(lacks.origins[0].path)} has no column {quoted(odd[0])}, "
            f"but {shown_path(has.origins[0].path)} has it",
            "give files with the same columns, or read them one at a time",
        )

"""Parse delimited text with Python's strict csv reader, which knows the line of every fault."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO

import numpy as np
import pyarrow as pa

from spikepool.data.header import checked_header
from spikepool.data.sources import SourceFile
from spikepool.data.spike_counts import IntArray
from spikepool.data.text_table import TextColumn, text_column
from spikepool.data.wording import plural
from spikepool.errors import BadDataError


@dataclass(frozen=True)
class Parsed:
    """Columns of a text file, the line of every row, and how many blank lines were passed."""

    columns: tuple[TextColumn, ...]
    lines: IntArray
    blank_lines: int


@dataclass
class _Lines:
    """Feed lines to the csv reader; between rows, pass over blank and comment lines."""

    text: StringIO
    comment: str | None
    number: int = 0
    blank: int = 0
    row_line: int = 0
    between_rows: bool = field(default=True)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self.text:
            self.number += 1
            if not self.between_rows:
                return line
            if not line.strip(" \r\n"):
                self.blank += 1
            elif not (self.comment and line.startswith(self.comment)):
                self.between_rows = False
                self.row_line = self.number
                return line
        raise StopIteration


def parse_strictly(file: SourceFile, data: bytes, delimiter: str, comment: str | None) -> Parsed:
    """Parse a table, checking every row as it comes.

    Parameters
    ----------
    file : SourceFile
    data : bytes
        The text as UTF-8.
    delimiter : str
    comment : str or None
        What a comment line begins with.

    Returns
    -------
    Parsed

    Raises
    ------
    BadDataError
        At the first line that does not fit the header.
    """
    feed = _Lines(StringIO(data.decode(), newline=""), comment)
    rows = _strict_rows(file, feed, delimiter)
    header = next(rows, None)
    if header is None:
        raise BadDataError(f"{file.shown} has no header and no rows: it holds blank lines only")
    names = checked_header(file, header, delimiter, comment)
    cells: list[list[str]] = []
    lines: list[int] = []
    for row in rows:
        if len(row) != len(names):
            raise _wrong_length(file, feed.row_line, row, names)
        cells.append(row)
        lines.append(feed.row_line)
    if not cells:
        raise BadDataError(f"{file.shown} has a header but no rows")
    arrays = (pa.chunked_array([pa.array(c, pa.large_string())]) for c in zip(*cells, strict=True))
    columns = tuple(text_column(name, array) for name, array in zip(names, arrays, strict=True))
    return Parsed(columns, np.array(lines, dtype=np.int64), feed.blank)


def _strict_rows(file: SourceFile, feed: _Lines, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.between_rows = True
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _bad_quoting(file, feed.row_line, error) from error
        yield row


def _bad_quoting(file: SourceFile, line: int, error: csv.Error) -> BadDataError:
    place = f"{file.shown}, line {line}"
    if "limit" in str(error):
        size = f"{csv.field_size_limit():,} characters"
        return BadDataError(f"{place}: a cell is longer than {size}", "is a quote left open?")
    return BadDataError(
        f'{place}: a quote (") opened on this line is not closed as it should be',
        'close the quote, and write a quote within a cell twice ("")',
    )


def _wrong_length(file: SourceFile, line: int, row: list[str], names: list[str]) -> BadDataError:
    found = f"{plural(len(row), 'cell')} where the header has {len(names):,}"
    if row[0].startswith(("#", "%")):
        hint = f"if it is a comment, give --comment '{row[0][0]}'"
    elif len(row) < len(names):
        hint = "complete the line, or remove it"
    else:
        hint = "give every column a name, and quote cells that hold the delimiter"
    return BadDataError(f"{file.shown}, line {line}: {found}", hint)

"""Parse delimited text with Arrow, where that gives every cell exactly as written."""

import csv
import re

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from spikepool.data.header import checked_header
from spikepool.data.sources import SourceFile
from spikepool.data.spike_counts import IntArray
from spikepool.data.strict_csv import Parsed
from spikepool.data.text_table import text_column

_BOM = b"\xef\xbb\xbf"
_LINE_OF_SPACES = re.compile(rb"^ +$", re.MULTILINE)
_NEWLINE, _QUOTE = ord("\n"), ord('"')


def parse_with_arrow(
    file: SourceFile, data: bytes, delimiter: str, comment: str | None
) -> Parsed | None:
    """Parse a table, or return None where only the strict reader can tell.

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
    Parsed or None

    Raises
    ------
    BadDataError
        If the header cannot be used.
    """
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not _is_plain(data, delimiter):
        return None
    data, commented = _blank_comments(data, comment) if comment is not None else (data, 0)
    lines = _lines_with_text(data)
    if len(lines) < 2:
        return None
    header, body = _split_header(data)
    cells = next(csv.reader([header.decode()], delimiter=delimiter))
    names = checked_header(file, cells, delimiter, comment)
    table = _arrow_table(body, delimiter, len(names))
    if table is None or table.num_rows != len(lines) - 1:
        return None
    columns = tuple(text_column(name, table.column(i)) for i, name in enumerate(names))
    n_lines = data.count(b"\n") + (not data.endswith(b"\n"))
    return Parsed(columns, lines[1:], n_lines - len(lines) - commented)


def _is_plain(data: bytes, delimiter: str) -> bool:
    """Tell text that Arrow reads as it is written."""
    if b"\0" in data or not delimiter.isascii():
        return False
    if b"\n " in data and _LINE_OF_SPACES.search(data):
        return False
    return b'"' not in data or _plainly_quoted(data, delimiter)


def _arrow_table(body: bytes, delimiter: str, n_columns: int) -> pa.Table | None:
    if body.startswith(_BOM):
        return None  # Arrow would take it for a byte-order mark
    names = [str(i) for i in range(n_columns)]
    text = pa.dictionary(pa.int32(), pa.string())
    try:
        return pa_csv.read_csv(
            pa.BufferReader(body),
            read_options=pa_csv.ReadOptions(column_names=names),
            parse_options=pa_csv.ParseOptions(delimiter=delimiter, double_quote=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, text), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None  # the strict reader says where


def _plainly_quoted(data: bytes, delimiter: str) -> bool:
    """Tell whether every quote opens or closes a whole cell within one line."""
    text = np.frombuffer(b"\n" + data + b"\n", dtype=np.uint8)
    quotes = np.flatnonzero(text == _QUOTE)
    if len(quotes) % 2:
        return False
    opening, closing = quotes[0::2], quotes[1::2]
    ends = np.array([_NEWLINE, ord(delimiter)], dtype=np.uint8)
    whole_cells = np.isin(text[opening - 1], ends).all() and np.isin(text[closing + 1], ends).all()
    newlines = np.flatnonzero(text == _NEWLINE)
    one_line = np.searchsorted(newlines, opening) == np.searchsorted(newlines, closing)
    return bool(whole_cells and one_line.all())


def _blank_comments(data: bytes, comment: str) -> tuple[bytes, int]:
    pattern = rb"^" + re.escape(comment.encode()) + rb"[^\n]*$"
    return re.subn(pattern, b"", data, flags=re.MULTILINE)


def _lines_with_text(data: bytes) -> IntArray:
    """Return the 1-based numbers of the lines that are not empty."""
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
    if not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    lengths = np.diff(ends, prepend=-1) - 1
    return (np.flatnonzero(lengths) + 1).astype(np.int64)


def _split_header(data: bytes) -> tuple[bytes, bytes]:
    start = len(data) - len(data.lstrip(b"\n"))
    end = data.index(b"\n", start)
    return data[start:end], data[end + 1 :]

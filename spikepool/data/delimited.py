"""Read delimited text: Arrow where the text is plain, Python's strict reader elsewhere.

Both readers give every cell as written. The strict reader also locates every fault by its line,
so a table that Arrow refuses is read again to find out where.
"""

import numpy as np

from spikepool.config import InputOptions
from spikepool.data.arrow_csv import parse_with_arrow
from spikepool.data.encoding import as_utf8
from spikepool.data.header import is_index
from spikepool.data.sources import SourceFile
from spikepool.data.spike_counts import Notice
from spikepool.data.strict_csv import Parsed, parse_strictly
from spikepool.data.text_table import Origin, TextTable
from spikepool.data.wording import plural, quoted
from spikepool.errors import UsageError


def read_delimited(file: SourceFile, options: InputOptions, notices: list[Notice]) -> TextTable:
    """Read a CSV or TSV table as text.

    Parameters
    ----------
    file : SourceFile
        Unpacked bytes.
    options : InputOptions
        `delimiter`, `comment` and `encoding` are used.
    notices : list of Notice
        Blank lines and a missing final newline are noted here.

    Returns
    -------
    TextTable

    Raises
    ------
    BadDataError
        If a line does not fit the header, with the line's number.
    """
    data = as_utf8(file, options.encoding)
    delimiter = _delimiter(file, data, options)
    parsed = parse_with_arrow(file, data, delimiter, options.comment)
    if parsed is None:
        parsed = parse_strictly(file, data, delimiter, options.comment)
    _note_text_faults(file, data, parsed, notices)
    origin = Origin(file.location.path, file.location.table, parsed.lines)
    columns = tuple(column for column in parsed.columns if not is_index(column.name))
    return TextTable(columns, (origin,), np.arange(len(parsed.lines)))


def _delimiter(file: SourceFile, data: bytes, options: InputOptions) -> str:
    """Return the delimiter given, that of the file's ending, or a tab if the header has one."""
    if options.delimiter is not None:
        if options.delimiter in '"\r\n ':
            raise UsageError(f"{options.delimiter!r} cannot be a delimiter")
        return options.delimiter
    name = file.location.path.lower().removesuffix(".gz")
    if name.endswith((".tsv", ".tab")):
        return "\t"
    first_line = data.lstrip(b"\r\n").split(b"\n", 1)[0]
    return "," if name.endswith(".csv") or b"\t" not in first_line else "\t"


def _note_text_faults(file: SourceFile, data: bytes, parsed: Parsed, notices: list[Notice]) -> None:
    if not data.endswith((b"\n", b"\r")):
        text = f"{file.shown} ends without a newline: its last line may have been cut off"
        notices.append(Notice("no-final-newline", text))
    if parsed.blank_lines:
        text = f"{file.shown}: {plural(parsed.blank_lines, 'blank line')} ignored"
        notices.append(Notice("blank-lines", text))
    unnamed = [column.name for column in parsed.columns if is_index(column.name)]
    if unnamed:
        text = f"{file.shown}: column {quoted(unnamed[0])} looks like a row index and is ignored"
        notices.append(Notice("index-column", text))

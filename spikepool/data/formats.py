"""Tell a file's format by its first bytes, and hand it to the reader of that format."""

import gzip
import zlib
from dataclasses import replace
from io import BytesIO

import numpy as np

from spikepool.config import InputOptions
from spikepool.data.delimited import read_delimited
from spikepool.data.parquet import PARQUET_MAGIC, read_parquet
from spikepool.data.sources import SourceFile
from spikepool.data.spike_counts import Notice
from spikepool.data.text_table import TextColumn, TextTable
from spikepool.data.wording import quoted
from spikepool.errors import BadDataError

GZIP_MAGIC = b"\x1f\x8b"
LARGEST_UNPACKED = 4 * 2**30
"""Bytes that a gzip file may unpack to; a larger one is refused rather than exhaust memory."""

_FOREIGN = {
    b"PK\x03\x04": "a zip archive or an Excel workbook (.xlsx)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
    b"%PDF": "a PDF document",
    b"\x89HDF\r\n": "an HDF5 or NWB file",
    b"ARROW1": "an Arrow (Feather) file",
    b"PARE": "an encrypted Parquet file",
    b"\x93NUMPY": "a NumPy array (.npy)",
    b"MATLAB 5.0 MAT": "a MATLAB file",
    b"SQLite format 3": "an SQLite database",
    b"\x89PNG": "a PNG picture",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"RDX": "an R data file",
}
_HTML = (b"<!doctype html", b"<html", b"<?xml")


def read_table(file: SourceFile, options: InputOptions, notices: list[Notice]) -> TextTable:
    """Read one file of any supported format as text.

    Parameters
    ----------
    file : SourceFile
    options : InputOptions
    notices : list of Notice
        What the user should know is appended here.

    Returns
    -------
    TextTable

    Raises
    ------
    BadDataError
        If the bytes are not a readable table.
    """
    file = _unpacked(file)
    if not file.data:
        raise BadDataError(f"{file.shown} is empty (0 bytes)", "was it written completely?")
    if file.data.startswith(PARQUET_MAGIC):
        table = read_parquet(file)
    else:
        _refuse_foreign(file)
        table = read_delimited(file, options, notices)
    return _with_partitions(file, table)


def _unpacked(file: SourceFile) -> SourceFile:
    """Unpack gzip, all members."""
    if not file.data.startswith(GZIP_MAGIC):
        if file.data and file.location.path.lower().endswith(".gz"):
            raise BadDataError(f"{file.shown} is named .gz but is not gzip", "rename it")
        return file
    try:
        with gzip.GzipFile(fileobj=BytesIO(file.data)) as stream:
            data = stream.read(LARGEST_UNPACKED + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise BadDataError(
            f"{file.shown} is a damaged or truncated gzip file: {error}", "copy it again"
        ) from error
    if len(data) > LARGEST_UNPACKED:
        raise BadDataError(
            f"{file.shown} unpacks to more than {LARGEST_UNPACKED // 2**30} GiB",
            "store it as Parquet, or split it",
        )
    return replace(file, data=data)


def _refuse_foreign(file: SourceFile) -> None:
    start = file.data[:64]
    kind = next((kind for magic, kind in _FOREIGN.items() if start.startswith(magic)), "")
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML):
        kind = "a web page (HTML or XML)"
    if start.startswith(GZIP_MAGIC):
        kind = "gzip within gzip"
    if kind:
        raise BadDataError(
            f"{file.shown} is {kind}, not a table that spikepool reads",
            "export it as CSV, TSV or Parquet",
        )
    if file.location.path.lower().endswith((".parquet", ".pq")):
        raise BadDataError(
            f"{file.shown} is not a Parquet file: it begins with {start[:4]!r}, not b'PAR1'",
            "copy it again, or give it the ending of what it is",
        )


def _with_partitions(file: SourceFile, table: TextTable) -> TextTable:
    """Add the columns that the names of the folders hold (``session=3/``)."""
    rows = len(table.rows)
    for name, value in file.location.partitions:
        if name in table.names:
            raise BadDataError(
                f"{file.shown}: column {quoted(name)} is in the file and in the folder's name",
                "remove one of them",
            )
        column = TextColumn(name, (value,), np.zeros(rows, dtype=np.int64))
        table = replace(table, columns=(*table.columns, column))
    return table

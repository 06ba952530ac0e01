"""Read Parquet as text: integers exactly, page checksums verified."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from spikepool.data.header import checked_names, is_index
from spikepool.data.sources import SourceFile
from spikepool.data.text_table import Origin, TextColumn, TextTable, text_column
from spikepool.data.wording import quoted
from spikepool.errors import BadDataError

PARQUET_MAGIC = b"PAR1"


def read_parquet(file: SourceFile) -> TextTable:
    """Read a Parquet file; every value becomes its decimal or plain text.

    Parameters
    ----------
    file : SourceFile

    Returns
    -------
    TextTable
        Lists and records are left out and named in `nested`.

    Raises
    ------
    BadDataError
        If the file is damaged or has no rows.
    """
    table = _arrow_table(file)
    if not table.num_rows:
        raise BadDataError(f"{file.shown} has no rows")
    names = checked_names(file.shown, table.column_names)
    pairs = [(name, table.column(i)) for i, name in enumerate(names) if not is_index(name)]
    nested = tuple(name for name, array in pairs if pa.types.is_nested(array.type))
    columns = tuple(_column(file, name, array) for name, array in pairs if name not in nested)
    lines = np.arange(1, table.num_rows + 1)
    origin = Origin(file.location.path, file.location.table, lines, unit="row")
    return TextTable(columns, (origin,), np.arange(table.num_rows), nested)


def _arrow_table(file: SourceFile) -> pa.Table:
    try:
        reader = pq.ParquetFile(pa.BufferReader(file.data), page_checksum_verification=True)
        table = reader.read()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise BadDataError(
            f"{file.shown} is a damaged Parquet file: {reason}", "copy it again"
        ) from error
    return table


def _column(file: SourceFile, name: str, array: pa.ChunkedArray) -> TextColumn:
    try:
        return text_column(name, _as_text(array))
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise BadDataError(
            f"{file.shown}, column {quoted(name)}: {array.type} cannot be read as text",
            "store the column as text or numbers",
        ) from error


def _as_text(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dictionary-encode, then write only the distinct values as text."""
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    whole = array.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0)
    texts = _texts(whole.dictionary)
    return pa.chunked_array([pa.DictionaryArray.from_arrays(whole.indices, texts)])


def _texts(values: pa.Array) -> pa.Array:
    if pa.types.is_floating(values.type):
        # NumPy writes the shortest text that reads back as the same number: 0.42, also in float32.
        return pa.array(values.to_numpy(zero_copy_only=False).astype(str).tolist(), pa.string())
    if pa.types.is_decimal(values.type):
        return pa.array([format(value, "f") for value in values.to_pylist()], pa.string())
    if pa.types.is_boolean(values.type):
        return pa.array([str(value) for value in values.to_pylist()], pa.string())
    return values.cast(pa.large_string())

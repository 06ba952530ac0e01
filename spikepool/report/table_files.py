"""Tables as the bytes of files: Parquet with page checksums, and CSV."""

import io
from collections.abc import Iterable, Mapping
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

type TableFormat = Literal["parquet", "csv"]

RUN_BY_SPREADSHEETS = r"^[=+\-@\t\r]"
"""How a cell begins that a spreadsheet would run as a formula."""


PARQUET_ONLY = frozenset({"left_out"})
"""Tables for programs, too long to be text."""


def render_tables(
    tables: Mapping[str, pa.Table], formats: Iterable[TableFormat], *, csv_safe: bool
) -> dict[str, bytes]:
    """Return the files of tables, by name; the same bytes for the same tables.

    Parameters
    ----------
    tables : dict of str to pyarrow.Table
    formats : iterable of {'parquet', 'csv'}
    csv_safe : bool
        Prefix CSV text cells that a spreadsheet would run with an apostrophe.

    Returns
    -------
    dict of str to bytes
    """
    files = {}
    for name, table in tables.items():
        for table_format in ("parquet",) if name in PARQUET_ONLY else formats:
            as_parquet = table_format == "parquet"
            data = parquet_bytes(table) if as_parquet else csv_bytes(table, csv_safe=csv_safe)
            files[f"{name}.{table_format}"] = data
    return files


def parquet_bytes(table: pa.Table) -> bytes:
    """Parquet with a checksum in every page."""
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd", write_page_checksum=True)
    return stream.getvalue()


def csv_bytes(table: pa.Table, *, csv_safe: bool = False) -> bytes:
    """CSV with all digits; text in quotes, and null an empty cell without quotes."""
    stream = io.BytesIO()
    pa_csv.write_csv(_made_safe(table) if csv_safe else table, stream)
    return stream.getvalue()


def _made_safe(table: pa.Table) -> pa.Table:
    names = _prefixed(pa.array(table.column_names, pa.string())).to_pylist()
    columns = [
        _prefixed(column) if pa.types.is_string(column.type) else column for column in table.columns
    ]
    return pa.table(columns, names=names)


def _prefixed(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    dangerous = pc.match_substring_regex(texts, RUN_BY_SPREADSHEETS)
    return pc.if_else(dangerous, pc.binary_join_element_wise("'", texts, ""), texts)

"""Tables as files: exact, repeatable, and guarded by checksums."""

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spikepool.report.schema import TABLE_NAMES
from spikepool.report.table_files import PARQUET_ONLY, csv_bytes, parquet_bytes, render_tables
from spikepool.report.tables import make_tables

NUMBERS = [0.1, 2 / 3, 1e-300, 123456789.12345679, 1e22, float("inf"), None]


def rows_of(data):
    """Cells of a CSV as text."""
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def test_same_results_give_the_same_bytes(make_run):
    """Two runs alike write files alike, to the byte."""
    one, two = (
        render_tables(make_tables(make_run()), ("parquet", "csv"), csv_safe=False) for _ in range(2)
    )
    assert one == two
    assert len(one) == 2 * len(TABLE_NAMES) - len(PARQUET_ONLY)


def test_parquet_gives_back_the_table(run):
    """Values, types and metadata survive."""
    for name, table in make_tables(run).items():
        read = pq.read_table(pa.BufferReader(parquet_bytes(table)), page_checksum_verification=True)
        assert read.equals(table, check_metadata=True), name


def test_csv_gives_back_awkward_ids(run):
    """Commas, quotes and line ends within an id are kept, and so are `007` and `NA`."""
    rows = rows_of(csv_bytes(make_tables(run)["neurons"]))
    assert [row[0] for row in rows] == ["neuron", *run.tally.neurons]


def test_csv_has_every_digit_and_null_is_empty():
    """Each number reads back as itself; null and the empty text differ."""
    table = pa.table({"x": pa.array(NUMBERS, pa.float64()), "t": ["", *"abcde", None]})
    data = csv_bytes(table)
    cells = [row[0] for row in rows_of(data)[1:]]
    assert [float(cell) if cell else None for cell in cells] == NUMBERS
    lines = data.decode().splitlines()
    assert (lines[1], lines[-1]) == ('0.1,""', ",")


def test_csv_safe_disarms_formulas_and_leaves_numbers(run):
    """Text that a spreadsheet would run gets an apostrophe; negative numbers do not."""
    dangerous = ["=1+1", "+1", "-1", "@x", "\tx", "\rx"]
    harmless = ["a=1", "007", "", None]
    table = pa.table({"=t": [*dangerous, *harmless], "x": pa.array([-1.5] * 10)})
    header, *rows = rows_of(csv_bytes(table, csv_safe=True))
    assert header == ["'=t", "x"]
    assert [row[0] for row in rows] == [*(f"'{text}" for text in dangerous), "a=1", "007", "", ""]
    assert {row[1] for row in rows} == {"-1.5"}
    assert rows_of(csv_bytes(table))[1][0] == "=1+1"


def test_only_the_formats_asked_for(run):
    """No CSV where only Parquet is wanted."""
    tables = make_tables(run)
    assert set(render_tables(tables, ("parquet",), csv_safe=False)) == {
        f"{t}.parquet" for t in tables
    }


def test_a_flipped_byte_is_noticed(run):
    """Every page has a checksum: a change within one is an error, not another number."""
    data = bytearray(parquet_bytes(make_tables(run)["neurons"]))
    group = pq.ParquetFile(pa.BufferReader(bytes(data))).metadata.row_group(0)
    names = [group.column(i).path_in_schema for i in range(group.num_columns)]
    chunk = group.column(names.index("rate_mean"))
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data[start + chunk.total_compressed_size - 4] ^= 1
    with pytest.raises(OSError, match=r"(?i)crc|checksum"):
        pq.read_table(pa.BufferReader(bytes(data)), page_checksum_verification=True)

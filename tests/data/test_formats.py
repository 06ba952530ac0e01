"""Formats are told by their first bytes, and Parquet is read exactly."""

import gzip
import io
import sys
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spikepool.errors import BadDataError


def parquet(columns, **options):
    """Return the bytes of a Parquet file."""
    sink = io.BytesIO()
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, sink, **options)
    return sink.getvalue()


IDS = ["a", "b", "a"]


@pytest.mark.parametrize(
    ("array", "notice"),
    [
        pytest.param(pa.array([1, 2, 3], pa.int8()), [], id="int8"),
        pytest.param(pa.array([1, 2, 3], pa.uint64()), [], id="uint64"),
        pytest.param(pa.array([1, 2, 3]).dictionary_encode(), [], id="dictionary"),
        pytest.param(pa.array([1.0, 2.0, 3.0]), ["decimal-counts"], id="float64"),
        pytest.param(pa.array([1, 2, 3], pa.float32()), ["decimal-counts"], id="float32"),
        pytest.param(pa.array([1, 2, 3], pa.decimal128(9, 2)), ["decimal-counts"], id="decimal"),
        pytest.param(pa.array(["1", "2", "3"]), [], id="text"),
    ],
)
def test_count_types(read, codes, array, notice):
    """51: every type of whole numbers is read exactly."""
    counts = read(parquet({"neuron": IDS, "count": array}), "t.parquet")
    assert counts.count.tolist() == [1, 2, 3]
    assert codes(counts) == notice


@pytest.mark.parametrize(
    ("array", "message"),
    [
        pytest.param(pa.array([1, None, 3]), "row 2, column 'count': an empty", id="22-null"),
        pytest.param(pa.array([2**53 + 1, None, 3]), "9007199254740993", id="23-int"),
        pytest.param(pa.array([float(2**53), None, 3]), "larger than", id="23-float"),
        pytest.param(pa.array([1, 2, 2**64 - 1], pa.uint64()), "larger than", id="24-uint64"),
        pytest.param(pa.array([1.0, 2.5, 3.0]), "row 2.*'2.5' is not a whole", id="16-float"),
        pytest.param(pa.array([1.0, float("nan"), 3.0]), "row 2.*'nan'", id="20-nan"),
        pytest.param(pa.array([True, False, True]), "row 1.*'True'", id="21-bool"),
        pytest.param(pa.array([Decimal("0.5")] * 3), "'0.5' is not a whole", id="51-decimal"),
        pytest.param(pa.array([date(2024, 1, 1)] * 3), "'2024-01-01'", id="51-date"),
        pytest.param(pa.array([[1], [2], [3]]), "lists or records", id="51-list"),
        pytest.param(pa.array([{"x": 1}] * 3), "lists or records", id="51-struct"),
        pytest.param(pa.array([b"\xff"] * 3), "cannot be read as text", id="51-binary"),
    ],
)
def test_bad_count_types(read, array, message):
    """51: what is not exactly a count is refused, with its row."""
    with pytest.raises(BadDataError, match=f"(?s){message}"):
        read(parquet({"neuron": IDS, "count": array}), "t.parquet")


def test_null_and_empty_ids_are_refused(read):
    """8: a null id is no name."""
    with pytest.raises(BadDataError, match="row 2, column 'neuron': an empty cell"):
        read(parquet({"neuron": ["a", None], "count": [1, 2]}), "t.parquet")


def test_integer_ids_are_decimal_text(read):
    """Ids stored as integers are their digits, beyond 2^53 too."""
    counts = read(parquet({"neuron": [2**53 + 1, None, 2**53][::2], "count": [1, 2]}), "t.parquet")
    assert counts.neuron.values == ("9007199254740992", "9007199254740993")


def test_float32_exposure_is_its_shortest_decimal(read):
    """An exposure of 0.42 stored in 32 bits is 0.42."""
    table = {"neuron": ["a"], "count": [1], "duration": pa.array([0.42], pa.float32())}
    assert read(parquet(table), "t.parquet").exposure.tolist() == [0.42]


def test_nested_columns_without_a_role_are_noticed(read, codes):
    """51: lists that no role needs are left out."""
    table = {"neuron": ["a"], "count": [1], "times": [[0.1]]}
    counts = read(parquet(table), "t.parquet")
    assert "nested-columns" in codes(counts)
    assert counts.unmodelled == ()


def test_repeated_column_name(read):
    """36: two columns of one name are refused in Parquet too."""
    table = pa.Table.from_arrays(
        [pa.array(["a"]), pa.array([1]), pa.array([2])], ["neuron"] + 2 * ["count"]
    )
    with pytest.raises(BadDataError, match="columns 2 and 3"):
        read(parquet(table), "t.parquet")


def test_no_rows(read):
    """33: Parquet without rows is refused."""
    with pytest.raises(BadDataError, match="no rows"):
        read(parquet({"neuron": pa.array([], pa.string()), "count": []}), "t.parquet")


@pytest.mark.parametrize("keep", [4, 100, -1])
def test_cut_parquet(read, keep):
    """48: a Parquet file that was cut is refused."""
    data = parquet({"neuron": IDS, "count": [1, 2, 3]})
    with pytest.raises(BadDataError, match="damaged Parquet"):
        read(data[:keep], "t.parquet")


def test_damaged_column_name(read):
    """48: a column name that is no text any more is damage, not a bug."""
    data = parquet({"neuron": IDS, "count": [1, 2, 3]})
    with pytest.raises(BadDataError, match="damaged Parquet"):
        read(data.replace(b"neuron", b"\x91euron"), "t.parquet")


def test_flipped_bytes_are_never_silently_different(read):
    """49: with page checksums, a flipped byte is an error or changes nothing."""
    data = parquet({"neuron": IDS * 50, "count": range(150)}, write_page_checksum=True)
    expected = read(data, "t.parquet").count.tolist()
    refused = 0
    for position in range(4, 900, 9):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        try:
            counts = read(bytes(damaged), "t.parquet").count.tolist()
        except BadDataError:
            refused += 1
        else:
            assert counts == expected
    assert refused > 50


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "-", "t.parquet.gz"])
def test_parquet_is_known_by_its_bytes(read, monkeypatch, name):
    """54: the ending of the name does not matter."""
    data = parquet({"neuron": IDS, "count": [1, 2, 3]})
    if name.endswith(".gz"):
        data = gzip.compress(data)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert read(data, name if name != "-" else "x").count.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        pytest.param(b"neuron,count\n", "t.parquet", "is not a Parquet file", id="54-csv"),
        pytest.param(b"\x89HDF\r\n\x1a\n", "t.csv", "HDF5", id="54-hdf5"),
        pytest.param(b"neuron,count\n", "t.csv.gz", "named .gz but is not gzip", id="53-plain"),
        pytest.param(gzip.compress(b"neuron,count\na,3\n")[:-4], "t.gz", "truncated", id="53-cut"),
        pytest.param(gzip.compress(b"x" * 99)[:20] + b"zzzz", "t.gz", "gzip", id="53-damaged"),
        pytest.param(gzip.compress(gzip.compress(b"x")), "t.gz", "gzip within", id="53-twice"),
        pytest.param(gzip.compress(b""), "t.csv.gz", "is empty", id="53-empty"),
    ],
)
def test_wrong_bytes(read, content, name, message):
    """Bytes that do not fit the name, or a damaged archive, are refused."""
    with pytest.raises(BadDataError, match=message):
        read(content, name)


def test_gzip_bomb(read, monkeypatch):
    """53: a gzip file that would fill the memory is refused."""
    monkeypatch.setattr("spikepool.data.formats.LARGEST_UNPACKED", 1000)
    with pytest.raises(BadDataError, match="unpacks to more"):
        read(gzip.compress(b"x" * 1001), "t.csv.gz")


@pytest.mark.parametrize(
    ("name", "delimiter", "options"),
    [
        ("t.tsv", "\t", {}),
        ("t.tsv.gz", "\t", {}),
        ("t.txt", "\t", {}),
        ("t.txt", ",", {}),
        ("t.csv", ";", {"delimiter": ";"}),
        ("t.csv", "\t", {"delimiter": "\t"}),
        ("t.csv", "·", {"delimiter": "·"}),
    ],
)
def test_delimiters(read, name, delimiter, options):
    """40: the delimiter follows from the ending or the option."""
    data = "neuron,trial,count\na,1,3\n".replace(",", delimiter).encode()
    counts = read(gzip.compress(data) if name.endswith("gz") else data, name, **options)
    assert counts.count.tolist() == [3]

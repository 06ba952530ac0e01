"""What must hold for every table."""

import contextlib
import csv
import io
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from spikepool.config import InputOptions
from spikepool.data.arrow_csv import parse_with_arrow
from spikepool.data.integers import LARGEST_COUNT, read_integer
from spikepool.data.keys import joined_column
from spikepool.data.natural_order import natural_order
from spikepool.data.read import read_counts
from spikepool.data.sources import Location, SourceFile
from spikepool.data.spike_counts import SpikeCounts
from spikepool.data.strict_csv import parse_strictly
from spikepool.data.tally import tally_counts
from spikepool.data.text_table import Origin, TextTable, column_of_texts
from spikepool.errors import SpikepoolError

LABELS = st.sampled_from(["n1", "n2", "n10", "007", "7", "NA", "x,y", "é"])
ROWS = st.lists(
    st.tuples(LABELS, st.sampled_from("ab"), st.integers(0, 9), st.sampled_from(["0.5", "1"])),
    min_size=2,
    max_size=30,
)
TEXT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda text: text.strip())


def csv_text(rows, quoting=csv.QUOTE_MINIMAL):
    """Write rows as CSV."""
    sink = io.StringIO(newline="")
    csv.writer(sink, quoting=quoting, lineterminator="\n").writerows(rows)
    return sink.getvalue()


def read_rows(*tables, **options) -> SpikeCounts:
    """Write each table of rows to its own file, and read all."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{i}.csv") for i in range(len(tables))]
        for path, rows in zip(paths, tables, strict=True):
            path.write_text(csv_text(rows), encoding="utf-8", newline="")
        return read_counts(InputOptions(tables=tuple(map(str, paths)), **options))


def numbered(rows):
    """Put a trial number of its own into every row."""
    header = ("neuron", "condition", "count", "duration_s", "trial")
    return header, [(*row, str(i)) for i, row in enumerate(rows)]


def same(first, second):
    """Tell whether two tallies are identical."""
    a, b = tally_counts(first), tally_counts(second)
    arrays = ("neuron", "condition", "exposure", "count", "weight", "group")
    return (a.neurons, a.conditions) == (b.neurons, b.conditions) and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in arrays
    )


@given(ROWS, st.randoms())
def test_order_of_rows_and_columns_does_not_matter(rows, random):
    """46: the tally is the same for every order of rows and of columns."""
    header, body = numbered(rows)
    shuffled = random.sample(body, len(body))
    order = random.sample(range(5), 5)
    turned = [tuple(row[i] for i in order) for row in (header, *shuffled)]
    assert same(read_rows([header, *body]), read_rows(turned))


@given(ROWS, st.data())
def test_splitting_a_file_does_not_matter(rows, data):
    """Two files with the same neurons give the tally of one."""
    header, body = numbered(rows)
    cut = data.draw(st.integers(1, len(body) - 1))
    whole = read_rows([header, *body])
    parts = read_rows([header, *body[:cut]], [header, *body[cut:]], same_neurons=True)
    assert same(whole, parts)
    assert whole.count.tolist() == parts.count.tolist()


@given(st.lists(st.integers(0, LARGEST_COUNT), min_size=1))
def test_counts_round_trip(values):
    """Every supported count is read exactly, in its row."""
    counts = read_rows([("neuron", "count"), *(("a", value) for value in values)])
    assert counts.count.tolist() == values


@given(st.lists(TEXT, min_size=1, max_size=8))
def test_ids_round_trip(labels):
    """9: every id, with any character but NUL, comes back byte for byte, from CSV and Parquet."""
    rows = [(label, i) for i, label in enumerate(labels)]
    with tempfile.TemporaryDirectory() as folder:
        minimal, full, parquet = (Path(folder, name) for name in ("a.csv", "b.csv", "c.parquet"))
        head = [("neuron", "count")]
        minimal.write_bytes(csv_text(head + rows).encode())
        full.write_bytes(csv_text(head + rows, csv.QUOTE_ALL).encode())
        pq.write_table(pa.table({"neuron": labels, "count": range(len(labels))}), parquet)
        for path in (minimal, full, parquet):
            counts = read_counts(InputOptions(tables=(str(path),)))
            assert [counts.neuron.values[code] for code in counts.neuron.codes] == labels


@given(st.text(st.sampled_from("0123456789+-.eE_, x"), max_size=12))
def test_what_is_read_is_what_python_reads(text):
    """A text read as a count is the number that Python's float finds, and whole."""
    reading = read_integer(text)
    if not reading.problem:
        assert float(text) == reading.value
        assert 0 <= reading.value <= LARGEST_COUNT


@given(st.lists(st.text(st.sampled_from("01na.é-"), max_size=5), unique=True), st.randoms())
def test_natural_order_is_total(labels, random):
    """The order of labels does not depend on the order they are met in."""
    shuffled = random.sample(labels, len(labels))
    assert [labels[i] for i in natural_order(labels)] == [
        shuffled[i] for i in natural_order(shuffled)
    ]


def test_natural_order_of_numbers():
    """Runs of digits and decimal numbers are ordered by size."""
    for labels in (["n1", "n2", "n10"], ["-0.800", "-0.4", "0", "0.25", "10"], ["a", "a1", "b"]):
        assert [labels[i] for i in natural_order(labels)] == labels


@given(st.lists(st.tuples(*2 * [st.text(st.sampled_from("a/\\"), max_size=3)]), min_size=1))
def test_joined_names_never_collide(pairs):
    """Two different pairs of labels have two different joined names."""
    rows = np.arange(len(pairs))
    columns = tuple(column_of_texts(n, [p[i] for p in pairs], rows) for i, n in enumerate("su"))
    joined = joined_column(TextTable(columns, (Origin("x", 0, rows),), rows), ("s", "u"))
    assert len(joined.values) == len(set(pairs))


CELLS = st.sampled_from(
    ["a", "", " ", "1", "2.5", '"', '""', '"a"', "NA", "é", "\ufeff", "0x1", "#"]
)
LINES = st.lists(st.lists(CELLS, min_size=1, max_size=4).map(",".join), max_size=8)
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\n ", "\n,"])
HEADS = st.sampled_from(["neuron,trial,count", '"neuron","count"', "trial,n1,n2", "count,neuron,x"])


@given(HEADS, LINES, ENDS)
def test_arrow_and_strict_reader_agree(head, lines, end):
    """Where Arrow parses a text at all, it gives the cells and lines of the strict reader."""
    data = end.join([head, *lines]).encode()
    file = SourceFile(Location("x.csv", 0), data, None)
    fast = parse_with_arrow(file, data, ",", None)
    if fast is not None:
        strict = parse_strictly(file, data, ",", None)
        assert fast.lines.tolist() == strict.lines.tolist()
        assert fast.blank_lines == strict.blank_lines
        for one, other in zip(fast.columns, strict.columns, strict=True):
            assert [one.values[i] for i in one.codes] == [other.values[i] for i in other.codes]


@given(HEADS, LINES, ENDS, st.binary(max_size=3), st.integers(0, 60))
def test_any_text_is_read_or_refused(head, lines, end, dirt, position):
    """No text ends in anything but counts or an error of the tree."""
    data = end.join([head, *lines]).encode()
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        Path(file.name).write_bytes(data[:position] + dirt + data[position:])
        with contextlib.suppress(SpikepoolError):
            assert tally_counts(read_counts(InputOptions(tables=(file.name,)))).n_neurons > 0

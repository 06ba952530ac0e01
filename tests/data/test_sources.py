"""Files are found, read once, and watched for change."""

import hashlib
import io
import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from spikepool.config import InputOptions
from spikepool.data import read as read_module
from spikepool.data.read import read_counts
from spikepool.errors import BadDataError, NoInputError, ReadWriteError, UsageError

ONE = "neuron,trial,count\na,1,3\n"
TWO = "neuron,trial,count\nb,1,4\n"


def counts_of(*tables, **options):
    """Read tables by their paths."""
    return read_counts(InputOptions(tables=tuple(map(str, tables)), **options))


def test_several_files_and_a_glob_agree(write, tmp_path):
    """A glob reads its files in the order of their names."""
    paths = [write(ONE, "x1.csv"), write(TWO, "x2.csv")]
    given, found = counts_of(*paths), counts_of(tmp_path / "x*.csv")
    assert given.count.tolist() == found.count.tolist() == [3, 4]
    assert given.sources == found.sources
    assert given.sources[0].sha256 == hashlib.sha256(ONE.encode()).hexdigest()
    assert given.sources[0].size == len(ONE)


@pytest.mark.parametrize(
    "name", ["with space.csv", "new\nline.csv", "-dash.csv", "[a].csv", "é.csv", "n\udcff.csv"]
)
def test_odd_file_names(write, name):
    """58: any name that the system allows is read, and printed harmlessly in errors."""
    path = write(ONE, name)
    assert counts_of(path).sources[0].path == path
    with pytest.raises(BadDataError) as caught:
        counts_of(write("neuron,trial,count\na,1,x\n", name))
    assert "\n" not in caught.value.message
    caught.value.message.encode()


@pytest.mark.parametrize("table", ["none.csv", "none*.csv", "bad\0name"])
def test_missing_file(tmp_path, table):
    """58: a file or a glob that matches nothing is no input."""
    with pytest.raises(NoInputError) as caught:
        counts_of(tmp_path / table)
    assert caught.value.exit_code == 66


def test_no_table_is_a_usage_error():
    """Nothing to read is a usage error."""
    with pytest.raises(UsageError):
        counts_of()


def test_special_files(tmp_path, monkeypatch):
    """55: a dangling link, a loop, a socket and an empty folder are no input."""
    (tmp_path / "dangling.csv").symlink_to("nowhere")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "empty").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        listening.bind("socket.csv")
        for name in ("dangling.csv", "loop.csv", "socket.csv", "empty"):
            with pytest.raises(NoInputError):
                counts_of(tmp_path / name)


def test_named_pipe(tmp_path):
    """55: a FIFO is read to its end."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(ONE,))
    writer.start()
    assert counts_of(path).count.tolist() == [3]
    writer.join()


def test_standard_input(monkeypatch):
    """55: a dash is standard input, whatever format stands there."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ONE.replace(",", "\t").encode())))
    counts = counts_of("-")
    assert counts.count.tolist() == [3]
    assert counts.sources[0].path == "-"


def test_same_file_by_two_names(write, tmp_path):
    """57: one file under two names is refused."""
    path = write(ONE)
    (tmp_path / "link.csv").symlink_to(path)
    for other in (path, tmp_path / "link.csv", "-"):
        with pytest.raises(UsageError, match="twice"):
            counts_of(*((path, other) if other != "-" else ("-", "-")))


@pytest.mark.parametrize("change", ["append", "replace", "delete"])
def test_change_while_reading(write, monkeypatch, change):
    """56: a file that changes before the end of reading is not trusted."""
    path = Path(write(ONE))
    read_table = read_module.read_table

    def changing(*args):
        table = read_table(*args)
        if change == "append":
            path.write_text(ONE + "a,2,3\n")
        elif change == "replace":
            path.rename(path.with_name("old"))
            path.write_text(ONE)
        else:
            path.unlink()
        return table

    monkeypatch.setattr(read_module, "read_table", changing)
    with pytest.raises(ReadWriteError, match="changed while"):
        counts_of(path)


def test_partitioned_folder(write, tmp_path):
    """52: the names of folders are columns, as text; junk files are passed over."""
    write("neuron,trial,count\na,1,3\n", "data/session=007/day=a%2Fb/x.csv")
    write("count,neuron,trial\n4,a,1\n", "data/session=7/day=c/x.csv")
    for junk in ("_SUCCESS", ".x.csv.crc", "session=7/._x.csv", "_temporary/x.csv"):
        write("junk", f"data/{junk}")
    counts = counts_of(tmp_path / "data")
    assert counts.count.tolist() == [3, 4]
    assert counts.neuron.values == ("a",)
    assert counts.unmodelled == ("day",)
    counts = counts_of(tmp_path / "data", neuron=("session", "neuron"))
    assert set(counts.neuron.values) == {"007/a", "7/a"}
    assert [c.name for c in counts.neuron_columns] == ["session", "neuron", "day"]


def test_partition_that_is_also_a_column(write, tmp_path):
    """52: a column that the folder's name repeats is refused."""
    write(ONE, "data/trial=3/x.csv")
    with pytest.raises(BadDataError, match="'trial' is in the file and"):
        counts_of(tmp_path / "data")


def test_files_with_other_columns(write):
    """52: files of different columns are refused, naming file and column."""
    with pytest.raises(BadDataError, match=r"x1.csv has no column 'area', but .*x2.csv"):
        counts_of(write(ONE, "x1.csv"), write("neuron,trial,count,area\nb,1,3,V1\n", "x2.csv"))


def test_empty_file_in_a_folder(write, tmp_path):
    """52: an empty file among others is named."""
    write(ONE, "data/x.csv")
    write("", "data/y.csv")
    with pytest.raises(BadDataError, match=r"y.csv is empty"):
        counts_of(tmp_path / "data")


def test_neuron_in_two_files(write):
    """The same id in two files needs a decision."""
    paths = write(ONE, "x1.csv"), write(ONE.replace(",1,", ",2,"), "x2.csv")
    with pytest.raises(BadDataError, match=r"(?s)x1.csv, line 2 and .*x2.csv, line 2.*--same-neu"):
        counts_of(*paths)
    assert counts_of(*paths, same_neurons=True).count.tolist() == [3, 3]


def test_lines_are_counted_per_file(write):
    """An error in the second file names its own line."""
    paths = write(ONE, "x1.csv"), write(TWO + "b,2,x\n", "x2.csv")
    with pytest.raises(BadDataError, match=r"x2.csv, line 3, column 'count': 'x'"):
        counts_of(*paths)

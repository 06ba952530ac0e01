"""Find the input files, read their bytes once, and tell whether they changed meanwhile."""

import glob
import hashlib
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from spikepool.data.spike_counts import Source
from spikepool.data.wording import shown_path
from spikepool.errors import NoInputError, ReadWriteError, UsageError

STANDARD_INPUT = "-"
EMPTY_PARTITION = "__HIVE_DEFAULT_PARTITION__"

type Signature = tuple[int, int, int, int]


@dataclass(frozen=True)
class Location:
    """A file to read.

    Attributes
    ----------
    path : str
        As given on the command line, or found below a given folder.
    table : int
        Number of the input it belongs to: a partitioned folder is one table.
    partitions : tuple of (str, str)
        Columns named by folders, such as ``session=3``.
    """

    path: str
    table: int
    partitions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class SourceFile:
    """The bytes of a file, read once, and the file's state at that time.

    Attributes
    ----------
    location : Location
    data : bytes
    signature : tuple or None
        Device, inode, size and time of change; None where the file is a pipe.
    """

    location: Location
    data: bytes
    signature: Signature | None

    @property
    def shown(self) -> str:
        """The path as printed in messages."""
        return shown_path(self.location.path)

    def as_source(self) -> Source:
        """Return path, size and digest for the manifest."""
        digest = hashlib.sha256(self.data).hexdigest()
        return Source(self.location.path, len(self.data), digest)


def find_files(tables: Sequence[str]) -> tuple[Location, ...]:
    """Expand paths, globs and partitioned folders into files.

    In a folder, names that begin with ``_`` or ``.`` are ignored, at any depth.

    Parameters
    ----------
    tables : sequence of str

    Returns
    -------
    tuple of Location
        In the order given; the files of a glob or a folder sorted by path.

    Raises
    ------
    NoInputError
        If nothing is there.
    UsageError
        If no table is given, or a file is given twice.
    """
    if not tables:
        raise UsageError("no table was given", "name a CSV, TSV or Parquet file, or - for stdin")
    paths = [path for table in tables for path in _expand(table)]
    found = tuple(loc for number, path in enumerate(paths) for loc in _locate(path, number))
    _refuse_repeats(found)
    return found


def read_file(location: Location) -> SourceFile:
    """Read all bytes of a file, or of standard input.

    Raises
    ------
    NoInputError
        If the file cannot be opened.
    ReadWriteError
        If the file changes while it is read.
    """
    if location.path == STANDARD_INPUT:
        return SourceFile(location, sys.stdin.buffer.read(), None)
    try:
        with Path(location.path).open("rb") as stream:
            before = _signature(os.fstat(stream.fileno()))
            data = stream.read()
    except OSError as error:
        raise _cannot_open(location.path, error) from error
    if before is not None and before[2] != len(data):
        raise _changed(location.path)
    file = SourceFile(location, data, before)
    check_unchanged(file)
    return file


def check_unchanged(file: SourceFile) -> None:
    """Compare a file with its state when it was read.

    Raises
    ------
    ReadWriteError
        If it has changed or gone since.
    """
    if file.signature is None:
        return
    try:
        now = _signature(Path(file.location.path).stat())
    except OSError as error:
        raise _changed(file.location.path) from error
    if now != file.signature:
        raise _changed(file.location.path)


def _expand(table: str) -> list[str]:
    """Return the paths that an argument stands for; a file with that very name comes first."""
    if table == STANDARD_INPUT or os.path.lexists(table) or not glob.has_magic(table):
        return [table]
    matches = sorted(glob.glob(table, recursive=True))  # noqa: PTH207 (keeps the path as typed)
    if not matches:
        raise NoInputError(f"no file matches {shown_path(table)}")
    return matches


def _locate(path: str, number: int) -> Iterator[Location]:
    if path == STANDARD_INPUT:
        yield Location(path, number)
        return
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:
        raise _cannot_open(path, error) from error
    if stat.S_ISSOCK(mode):
        raise NoInputError(f"{shown_path(path)} is a socket, not a file")
    if stat.S_ISDIR(mode):
        yield from _files_below(path, number)
    else:
        yield Location(path, number)


def _files_below(folder: str, number: int) -> Iterator[Location]:
    root = Path(folder)
    inside = sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())
    kept = [path for path in inside if not any(part[0] in "_." for part in path.parts)]
    if not kept:
        raise NoInputError(f"the folder {shown_path(folder)} holds no tables")
    for path in kept:
        partitions = tuple(_partition(part) for part in path.parent.parts if "=" in part)
        yield Location(str(root / path), number, partitions)


def _partition(folder_name: str) -> tuple[str, str]:
    name, _, value = folder_name.partition("=")
    return unquote(name), "" if value == EMPTY_PARTITION else unquote(value)


def _refuse_repeats(found: Sequence[Location]) -> None:
    seen: dict[tuple[int, int] | str, str] = {}
    for location in found:
        key: tuple[int, int] | str = location.path
        if location.path != STANDARD_INPUT:
            state = Path(location.path).stat()
            if not stat.S_ISREG(state.st_mode):
                continue
            key = (state.st_dev, state.st_ino)
        if key in seen:
            names = f"{shown_path(seen[key])} and {shown_path(location.path)}"
            raise UsageError(f"the same file is given twice: {names}", "give each file once")
        seen[key] = location.path


def _signature(state: os.stat_result) -> Signature | None:
    if not stat.S_ISREG(state.st_mode):
        return None
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _cannot_open(path: str, error: OSError | ValueError) -> NoInputError:
    if isinstance(error, FileNotFoundError):
        return NoInputError(f"there is no file {shown_path(path)}")
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return NoInputError(f"cannot open {shown_path(path)}: {reason}")


def _changed(path: str) -> ReadWriteError:
    return ReadWriteError(
        f"{shown_path(path)} changed while it was read", "wait until it is written, and run again"
    )

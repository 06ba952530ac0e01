"""The output folder: made all at once or not at all.

Everything is written into a folder beside the output, the manifest last, and that folder is then
renamed. A run that dies leaves the earlier output, or none; never a part that looks whole.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spikepool.config import RunConfig
from spikepool.data.spike_counts import Source
from spikepool.data.wording import quoted, shown_path
from spikepool.errors import OutputExistsError, ReadWriteError, UsageError
from spikepool.report.folder_content import FolderContent, list_content
from spikepool.report.manifest import (
    MANIFEST_NAME,
    FileDigest,
    Manifest,
    changed_files,
    differences,
    digest_of,
    manifest_bytes,
    read_manifest,
)
from spikepool.report.replacement import hidden_beside, replace_folder
from spikepool.report.schema import TABLE_NAMES

type IfExists = Literal["fail", "skip", "replace"]

ALWAYS_OURS = frozenset(
    {"summary.json", "config.toml", "run.log", MANIFEST_NAME}
    | {f"{table}.{suffix}" for table in TABLE_NAMES for suffix in ("parquet", "csv")}
)
"""Names at the top of an output folder that a run may write."""

_OTHER_FOLDER = "name another folder with -o"
_NO_SPACE = "free space there, or name another -o"
_REPLACE = f"{_OTHER_FOLDER}, or give --if-exists replace"


@dataclass(frozen=True)
class Output:
    """An output folder that was found free, or free to be replaced.

    Attributes
    ----------
    path : Path
        Absolute, symbolic links followed.
    if_exists : {'fail', 'skip', 'replace'}
    previous : Manifest or None
        Of the run whose results are there.
    """

    path: Path
    if_exists: IfExists
    previous: Manifest | None

    @property
    def shown(self) -> str:
        """The path as printed in messages."""
        return shown_path(str(self.path))


def open_output(path: Path, if_exists: IfExists) -> Output:
    """Check, before any work, that the output folder can be made; write nothing.

    Parameters
    ----------
    path : Path
    if_exists : {'fail', 'skip', 'replace'}
        What to do with a folder that is not empty.

    Returns
    -------
    Output

    Raises
    ------
    OutputExistsError
        If the folder is taken, or cannot be made.
    """
    shown = shown_path(str(path))
    try:
        target = path.resolve()
        _refuse_unusable(target, shown)
        output = Output(target, if_exists, read_manifest(target))
        if _is_taken(target):
            _refuse_taken(output)
        _try_folder_beside(target)
    except (OSError, RuntimeError) as error:
        raise OutputExistsError(
            f"cannot make the output folder {shown}: {_reason(error)}", _OTHER_FOLDER
        ) from error
    return output


def already_done(output: Output, config: RunConfig, sources: Iterable[Source]) -> bool:
    """Whether ``--if-exists skip`` finds the results of this very run, whole.

    Parameters
    ----------
    output : Output
    config : RunConfig
    sources : iterable of Source
        The inputs, as read.

    Returns
    -------
    bool

    Raises
    ------
    OutputExistsError
        If the folder holds another run's results, or not all of its files.
    """
    if output.if_exists != "skip" or output.previous is None:
        return False
    differing = differences(output.previous, config, sources)
    if differing:
        raise OutputExistsError(
            f"{output.shown} holds another run's results: other {' and '.join(differing)}", _REPLACE
        )
    changed = changed_files(output.path, output.previous)
    if changed:
        raise OutputExistsError(
            f"{output.shown} is not as it was written: {quoted(changed[0])} is missing or changed",
            _REPLACE,
        )
    return True


def write_output(
    output: Output,
    contents: Iterable[tuple[str, bytes]],
    manifest_of: Callable[[dict[str, FileDigest]], Manifest],
) -> Manifest:
    """Write the output folder, all of it or nothing.

    Parameters
    ----------
    output : Output
    contents : iterable of (str, bytes)
        Path in the folder, with ``/``, and content of every file.
    manifest_of : callable
        Makes the manifest from the digests of the files.

    Returns
    -------
    Manifest

    Raises
    ------
    OutputExistsError
        If the folder was taken meanwhile; nothing is changed.
    ReadWriteError
        If a write fails; the earlier content of the folder is as it was.
    """
    staging = hidden_beside(output.path, "partial")
    try:
        output.path.parent.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
        manifest = _stage(staging, contents, manifest_of)
        _publish(staging, output, frozenset(manifest.files))
        _sync(output.path.parent)
    except OSError as error:
        raise ReadWriteError(f"cannot write {output.shown}: {_reason(error)}", _NO_SPACE) from error
    finally:
        # After the renaming there is nothing of this name.
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def write_files(folder: Path, files: Iterable[tuple[str, bytes]]) -> list[Path]:
    """Write files into a folder of their own, each whole; earlier ones are replaced.

    Parameters
    ----------
    folder : Path
        Not the folder of a run, whose manifest would no longer hold.
    files : iterable of (str, bytes)
        Path in the folder, with ``/``, and content.

    Returns
    -------
    list of Path

    Raises
    ------
    OutputExistsError
        If `folder` holds a run's results, or is a file.
    ReadWriteError
        If a write fails.
    """
    refuse_folder_of_run(folder)
    try:
        return [_write_over(folder / name, data) for name, data in files]
    except OSError as error:
        shown = shown_path(str(folder))
        raise ReadWriteError(f"cannot write {shown}: {_reason(error)}", _NO_SPACE) from error


def refuse_folder_of_run(folder: Path) -> None:
    """Check that files of their own can be written into a folder.

    Raises
    ------
    OutputExistsError
        If `folder` holds a run's results, or is a file.
    ReadWriteError
        If it cannot be looked into.
    """
    shown = shown_path(str(folder))
    try:
        if read_manifest(folder) is not None:
            raise OutputExistsError(f"{shown} holds the results of a run", _OTHER_FOLDER)
    except OSError as error:
        raise ReadWriteError(f"cannot write {shown}: {_reason(error)}", _NO_SPACE) from error
    if folder.exists() and not folder.is_dir():
        raise OutputExistsError(f"{shown} is a file, where a folder is needed", _OTHER_FOLDER)


def refuse_taken_file(path: Path, *, force: bool) -> None:
    """Check, before any work, that a table can be written into a file of its own.

    Parameters
    ----------
    path : Path
        Ends in ``.csv`` or ``.parquet``.
    force : bool
        Whether a file that is there is to be replaced.

    Raises
    ------
    UsageError
        If the name has another ending.
    OutputExistsError
        If the file is there, or its folder is not.
    """
    shown = shown_path(str(path))
    if path.suffix not in {".csv", ".parquet"}:
        raise UsageError(f"--output is {quoted(shown)}", "its name ends in .csv or .parquet")
    if not path.parent.is_dir():
        raise OutputExistsError(f"there is no folder {path.parent}", "make it first")
    if path.is_dir() or (os.path.lexists(path) and not force):
        raise OutputExistsError(f"{shown} exists", "give another name, or --force")


def write_file(path: Path, data: bytes) -> None:
    """Write a file of its own, whole.

    Raises
    ------
    ReadWriteError
    """
    try:
        _write_over(path, data)
    except OSError as error:
        shown = shown_path(str(path))
        raise ReadWriteError(f"cannot write {shown}: {_reason(error)}", _NO_SPACE) from error


def _write_over(path: Path, data: bytes) -> Path:
    """Write a file beside its name, then rename it."""
    partial = hidden_beside(path, "partial")
    try:
        _write_file(partial, data)
        return partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _refuse_unusable(target: Path, shown: str) -> None:
    if target == target.parent or os.path.ismount(target):
        raise OutputExistsError(
            f"{shown} is the root of a file system: it cannot be made all at once",
            "name a folder in it with -o",
        )
    if target.exists() and not target.is_dir():
        raise OutputExistsError(f"{shown} is a file, where a folder is needed", _OTHER_FOLDER)


def _is_taken(target: Path) -> bool:
    return target.is_dir() and any(target.iterdir())


def _refuse_taken(output: Output) -> None:
    """Refuse a folder with content, unless it is spikepool's own and the user said so."""
    if output.if_exists == "fail":
        raise OutputExistsError(f"{output.shown} exists and is not empty", _REPLACE)
    content = list_content(output.path, _written_by(output.previous))
    if output.previous is None and (content.foreign_files or output.if_exists == "skip"):
        raise OutputExistsError(
            f"{output.shown} is not empty and holds no results of spikepool", _OTHER_FOLDER
        )
    if output.if_exists == "replace":
        _refuse_in_the_way(content, ALWAYS_OURS, output)


def _written_by(previous: Manifest | None) -> frozenset[str]:
    return frozenset() if previous is None else frozenset({*previous.files, MANIFEST_NAME})


def _refuse_in_the_way(content: FolderContent, written: frozenset[str], output: Output) -> None:
    """Refuse to write over what spikepool did not write."""
    path = content.first_in_the_way(written)
    if path is not None:
        raise OutputExistsError(
            f"{output.shown} holds {quoted(path)}, which spikepool did not write and would replace",
            f"move it away, or {_OTHER_FOLDER}",
        )


def _try_folder_beside(target: Path) -> None:
    """Make and remove a folder where the output will be staged."""
    parent = next(folder for folder in target.parents if folder.exists())
    trial = hidden_beside(parent / target.name, "partial")
    trial.mkdir()
    trial.rmdir()


def _stage(
    staging: Path,
    contents: Iterable[tuple[str, bytes]],
    manifest_of: Callable[[dict[str, FileDigest]], Manifest],
) -> Manifest:
    """Write every file to the disk itself, the manifest last."""
    digests: dict[str, FileDigest] = {}
    for relative, data in contents:
        if relative in digests or relative == MANIFEST_NAME:
            raise ValueError(f"two files of one name: {relative}")
        _write_file(staging / relative, data)
        digests[relative] = digest_of(data)
    manifest = manifest_of(digests)
    _write_file(staging / MANIFEST_NAME, manifest_bytes(manifest))
    for folder, _, _ in os.walk(staging):
        _sync(Path(folder))
    return manifest


def _write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(staging: Path, output: Output, written: frozenset[str]) -> None:
    """Give the staged folder its name."""
    target = output.path
    if target.is_dir():
        shutil.copymode(target, staging)
    if not _is_taken(target):
        _rename_to_free(staging, output)
        return
    if output.if_exists != "replace" or read_manifest(target) != output.previous:
        raise _taken_meanwhile(output)
    listed = _written_by(output.previous)
    _refuse_in_the_way(list_content(target, listed), written, output)
    replace_folder(staging, target, listed)


def _rename_to_free(staging: Path, output: Output) -> None:
    try:
        staging.rename(output.path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise _taken_meanwhile(output) from error
        raise


def _taken_meanwhile(output: Output) -> OutputExistsError:
    return OutputExistsError(f"{output.shown} was written by another run meanwhile", _OTHER_FOLDER)

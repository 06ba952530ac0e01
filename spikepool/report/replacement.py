"""Replace an output folder by a finished one, keeping what spikepool did not write."""

import contextlib
import os
import secrets
from pathlib import Path

from spikepool.data.wording import shown_path
from spikepool.errors import ReadWriteError
from spikepool.report.folder_content import list_content


def hidden_beside(target: Path, what: str) -> Path:
    """Return a new hidden name on the same file system."""
    return target.with_name(f".{target.name}.{what}-{secrets.token_hex(4)}")


def replace_folder(staging: Path, target: Path, listed: frozenset[str]) -> None:
    """Put a finished folder in the place of an earlier one, or leave that where it was.

    A kill between the two renames leaves both beside the target's name, each whole.

    Parameters
    ----------
    staging : Path
        The finished folder, beside `target`.
    target : Path
    listed : frozenset of str
        The files in `target` that spikepool wrote: they are deleted. All else is moved along.

    Raises
    ------
    OSError
        If a step fails.
    ReadWriteError
        If something that spikepool did not write cannot be moved along; it is kept beside.
    """
    old = hidden_beside(target, "previous")
    try:
        target.rename(old)
        staging.rename(target)
    finally:
        if old.exists() and target.exists():
            _dismantle(old, target, listed)
        elif old.exists():
            old.rename(target)


def _dismantle(old: Path, target: Path, listed: frozenset[str]) -> None:
    """Move along what spikepool did not write; delete what it wrote, and the folders of that."""
    content = list_content(old, listed)
    for path in content.foreign_folders:
        (target / path).mkdir(parents=True, exist_ok=True)
    for path in content.foreign_files:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(target / path):
            (old / path).rename(target / path)
    for path in content.ours:
        (old / path).unlink()
    for folder, _, _ in os.walk(old, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
    if old.exists():
        raise ReadWriteError(
            f"the results are in {shown_path(str(target))}, but files that were there before could "
            f"not be moved along: they are in {shown_path(str(old))}",
            "move them by hand",
        )

"""What lies in an output folder: what spikepool wrote there, and what it did not."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class FolderContent:
    """A folder's content, as paths in it, at any depth.

    Attributes
    ----------
    ours : tuple of str
        Files that spikepool wrote.
    foreign_files : tuple of str
        All other files; symbolic links are not followed.
    foreign_folders : tuple of str
        Empty folders, which spikepool never makes.
    """

    ours: tuple[str, ...]
    foreign_files: tuple[str, ...]
    foreign_folders: tuple[str, ...]

    def first_in_the_way(self, written: frozenset[str]) -> str | None:
        """Return what cannot be kept beside files of these paths, or None."""
        folders = {parent for path in written for parent in _parents(path)}
        for path in self.foreign_files:
            if path in folders:
                return path
        for path in (*self.foreign_files, *self.foreign_folders):
            if path in written or not written.isdisjoint(_parents(path)):
                return path
        return None


def list_content(folder: Path, written: frozenset[str]) -> FolderContent:
    """Tell what spikepool wrote from what it did not.

    Parameters
    ----------
    folder : Path
    written : set of str
        The files that spikepool wrote, as its manifest lists them.

    Returns
    -------
    FolderContent
    """
    leaves = list(_leaves(folder, ""))
    files = [path for path, is_folder in leaves if not is_folder]
    return FolderContent(
        ours=tuple(path for path in files if path in written),
        foreign_files=tuple(path for path in files if path not in written),
        foreign_folders=tuple(path for path, is_folder in leaves if is_folder),
    )


def _leaves(folder: Path, prefix: str) -> Iterator[tuple[str, bool]]:
    """Yield files and empty folders, each with whether it is a folder."""
    for entry in sorted(folder.iterdir()):
        path = prefix + entry.name
        if entry.is_symlink() or not entry.is_dir():
            yield path, False
        elif any(entry.iterdir()):
            yield from _leaves(entry, f"{path}/")
        else:
            yield path, True


def _parents(path: str) -> set[str]:
    return {str(parent) for parent in PurePosixPath(path).parents}

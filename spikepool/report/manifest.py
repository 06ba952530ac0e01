"""The manifest: what a run read, with what it was made, and a digest of every file it wrote."""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from spikepool import __version__
from spikepool.config import RunConfig
from spikepool.data.spike_counts import Source
from spikepool.data.wording import shown_path
from spikepool.report.results import Fit, Results

MANIFEST_NAME = "manifest.json"
LIBRARIES = ("numpy", "scipy", "pymc", "pytensor", "nutpie", "arviz", "pandas", "pyarrow")

WITHOUT_EFFECT = (
    ("input", "tables"),
    ("engine", "cores"),
    ("run", "if_exists"),
    ("run", "on_nonconvergence"),
)
"""Options that change no result; the tables are known by their digests."""


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or str(pure) != path or path == ".":
        raise ValueError(f"not a plain path inside the output folder: {path!r}")
    return path


type RelativePath = Annotated[str, AfterValidator(_inside)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class FileDigest(_Frozen):
    """Size in bytes and SHA-256 of a file."""

    size: int
    sha256: str


class InputFile(FileDigest):
    """A file that was read, with its path as printed."""

    path: str


class Manifest(_Frozen):
    """What `manifest.json` holds.

    Attributes
    ----------
    spikepool : str
        Version.
    versions : dict of str to str
        Python and the libraries that decide the numbers.
    platform : str
        System, release and processor.
    started, finished : str
        ISO 8601 times.
    seed : int
    status : str
        ``converged`` or ``not_converged``.
    models : tuple of str
        Names of the models that were fitted.
    config_sha256 : str
        Of every option that changes a result.
    inputs : tuple of InputFile
    files : dict of str to FileDigest
        Every file written, by its path in the output folder; not the manifest itself.
    """

    spikepool: str
    versions: dict[str, str]
    platform: str
    started: str
    finished: str
    seed: int
    status: str
    models: tuple[str, ...] = ()
    config_sha256: str
    inputs: tuple[InputFile, ...]
    files: dict[RelativePath, FileDigest]


def make_manifest[F: Fit](
    results: Results[F],
    config: RunConfig,
    *,
    started: datetime,
    finished: datetime,
    files: Mapping[str, FileDigest],
) -> Manifest:
    """Describe a run.

    Parameters
    ----------
    results : Results
    config : RunConfig
    started, finished : datetime
        With their time zone.
    files : dict of str to FileDigest

    Returns
    -------
    Manifest
    """
    versions = {"python": platform.python_version()}
    versions |= {library: metadata.version(library) for library in LIBRARIES}
    return Manifest(
        spikepool=__version__,
        versions=versions,
        platform=platform.platform(),
        started=started.isoformat(timespec="seconds"),
        finished=finished.isoformat(timespec="seconds"),
        seed=config.engine.seed,
        status=results.status,
        models=tuple(fit.spec.name for fit in results.models),
        config_sha256=config_digest(config),
        inputs=tuple(
            InputFile(path=shown_path(each.path), size=each.size, sha256=each.sha256)
            for each in results.sources
        ),
        files=dict(sorted(files.items())),
    )


def manifest_bytes(manifest: Manifest) -> bytes:
    """JSON of a manifest."""
    return (json.dumps(manifest.model_dump(mode="json"), indent=2) + "\n").encode()


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of an output folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Manifest or None
        None where there is none that spikepool could have written.
    """
    try:
        return Manifest.model_validate_json((folder / MANIFEST_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValidationError):
        return None


def config_digest(config: RunConfig) -> str:
    """SHA-256 of the options that change a result, as canonical JSON."""
    options = config.model_dump(mode="json")
    for section, option in WITHOUT_EFFECT:
        del options[section][option]
    return digest_of(json.dumps(options, sort_keys=True, separators=(",", ":")).encode()).sha256


def digest_of(data: bytes) -> FileDigest:
    """Size and SHA-256 of bytes."""
    return FileDigest(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def differences(
    manifest: Manifest, config: RunConfig, sources: Iterable[Source]
) -> tuple[str, ...]:
    """Say in what a run differs from the one that a manifest describes.

    Parameters
    ----------
    manifest : Manifest
    config : RunConfig
    sources : iterable of Source

    Returns
    -------
    tuple of str
        Among ``input data``, ``options``, ``version of spikepool``; empty for the same run.
    """
    told_apart = {
        "input data": _inputs(manifest.inputs) != _inputs(sources),
        "options": manifest.config_sha256 != config_digest(config),
        "version of spikepool": manifest.spikepool != __version__,
    }
    return tuple(what for what, differs in told_apart.items() if differs)


def changed_files(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    """Return the files that are missing or no longer have their digest.

    Parameters
    ----------
    folder : Path
    manifest : Manifest

    Returns
    -------
    tuple of str
        Paths in the folder.
    """
    return tuple(
        path for path, digest in manifest.files.items() if not _unchanged(folder / path, digest)
    )


def _unchanged(file: Path, digest: FileDigest) -> bool:
    if not file.is_file() or file.stat().st_size != digest.size:
        return False
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == digest.sha256


def _inputs(sources: Iterable[Source | InputFile]) -> list[tuple[tuple[str, ...], str]]:
    """Digests, each with the ``key=value`` folders that become columns of a partitioned table."""
    return sorted((_partitions(source.path), source.sha256) for source in sources)


def _partitions(path: str) -> tuple[str, ...]:
    return tuple(part for part in shown_path(path).split("/")[:-1] if "=" in part)

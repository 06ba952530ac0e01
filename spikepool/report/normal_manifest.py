"""The manifest of a run of estimates."""

import platform
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata

from spikepool import __version__
from spikepool.config import RunConfig
from spikepool.data.wording import shown_path
from spikepool.report.manifest import LIBRARIES, FileDigest, InputFile, Manifest, config_digest
from spikepool.report.normal_results import NormalResults


def make_normal_manifest(
    results: NormalResults,
    config: RunConfig,
    *,
    started: datetime,
    finished: datetime,
    files: Mapping[str, FileDigest],
) -> Manifest:
    """Describe a run; parameters as of `spikepool.report.manifest.make_manifest`."""
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
        config_sha256=config_digest(config),
        inputs=tuple(
            InputFile(path=shown_path(each.path), size=each.size, sha256=each.sha256)
            for each in results.estimates.sources
        ),
        files=dict(sorted(files.items())),
    )

"""The manifest: enough to repeat a run, and to tell whether it was this one."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from spikepool import __version__
from spikepool.config import EngineOptions, InputOptions, ReportOptions, RunConfig, RunOptions
from spikepool.data.spike_counts import Source
from spikepool.report.manifest import (
    MANIFEST_NAME,
    changed_files,
    config_digest,
    differences,
    digest_of,
    make_manifest,
    manifest_bytes,
    read_manifest,
)

CONFIG = RunConfig(engine=EngineOptions(seed=2**64 - 1))
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def manifest(run):
    """Return the manifest of the small run."""
    files = {"b.csv": digest_of(b"b"), "a.csv": digest_of(b"a")}
    return make_manifest(run, CONFIG, started=START, finished=START, files=files)


def test_reads_back_as_it_was_written(manifest, tmp_path):
    """A seed of 64 bits keeps every bit."""
    (tmp_path / MANIFEST_NAME).write_bytes(manifest_bytes(manifest))
    assert read_manifest(tmp_path) == manifest
    assert json.loads(manifest_bytes(manifest))["seed"] == 2**64 - 1


def test_states_versions_inputs_and_digests(manifest):
    """What is needed to repeat the run, or to see that it cannot be."""
    assert manifest.spikepool == __version__
    assert manifest.versions["numpy"] == np.__version__
    assert (manifest.inputs[0].path, manifest.inputs[0].sha256) == ("counts.csv", "ab" * 32)
    assert manifest.files["a.csv"].sha256 == (
        "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    )
    assert list(manifest.files) == ["a.csv", "b.csv"]
    assert manifest.started == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    "damage",
    [b"", b"{}", b"not json", b"\xff"],
    ids=["empty", "no keys", "no JSON", "no text"],
)
def test_a_file_that_is_no_manifest_is_none(damage, tmp_path):
    """Nothing is deleted on the word of such a file."""
    (tmp_path / MANIFEST_NAME).write_bytes(damage)
    assert read_manifest(tmp_path) is None


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", ".", "a//b"])
def test_a_manifest_that_points_outside_is_none(manifest, path, tmp_path):
    """A tampered manifest cannot have other files deleted."""
    content = json.loads(manifest_bytes(manifest))
    content["files"][path] = content["files"]["a.csv"]
    (tmp_path / MANIFEST_NAME).write_text(json.dumps(content))
    assert read_manifest(tmp_path) is None


def test_no_folder_no_manifest(tmp_path):
    """Neither a missing folder nor a file in its place has one."""
    (tmp_path / "file").touch()
    assert read_manifest(tmp_path / "missing") is None
    assert read_manifest(tmp_path / "file") is None


def test_the_same_run_is_recognised(run, manifest):
    """Cores, input path and what to do with results make no other run."""
    assert differences(manifest, CONFIG, run.counts.sources) == ()
    elsewhere = CONFIG.model_copy(
        update={
            "input": InputOptions(tables=("elsewhere/counts.csv",)),
            "engine": EngineOptions(seed=2**64 - 1, cores=7),
            "run": RunOptions(if_exists="skip", on_nonconvergence="warn"),
        }
    )
    moved = (Source("elsewhere/counts.csv", 120, "ab" * 32),)
    assert differences(manifest, elsewhere, moved) == ()


def test_another_run_is_told_apart(run, manifest):
    """By its data, its options, or the version."""
    sources = run.counts.sources
    assert differences(manifest, CONFIG, (Source("counts.csv", 120, "cd" * 32),)) == ("input data",)
    assert differences(manifest, CONFIG, (*sources, *sources)) == ("input data",)
    assert differences(manifest, CONFIG, (Source("s=3/counts.csv", 120, "ab" * 32),)) == (
        "input data",
    )
    assert differences(manifest, RunConfig(), sources) == ("options",)
    older = manifest.model_copy(update={"spikepool": "0.0.1"})
    assert differences(older, CONFIG, sources) == ("version of spikepool",)


def test_every_option_that_changes_a_result_changes_the_digest():
    """An interval, a format or a unit is another run."""
    base = config_digest(RunConfig())
    assert config_digest(RunConfig(report=ReportOptions(interval=0.9))) != base
    assert config_digest(RunConfig(report=ReportOptions(tables=("csv",)))) != base
    assert config_digest(RunConfig(input=InputOptions(exposure_unit="ms"))) != base


def test_changed_and_missing_files_are_named(manifest, tmp_path):
    """By digest, not by size alone."""
    (tmp_path / "a.csv").write_bytes(b"a")
    (tmp_path / "b.csv").write_bytes(b"b")
    assert changed_files(tmp_path, manifest) == ()
    (tmp_path / "a.csv").write_bytes(b"x")
    Path(tmp_path / "b.csv").unlink()
    assert changed_files(tmp_path, manifest) == ("a.csv", "b.csv")

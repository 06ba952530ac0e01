"""Threads and caches are set before the compilers are imported, and only where they are not."""

from pathlib import Path

import pytest

from spikepool.cli import environment
from spikepool.cli.environment import THREAD_VARIABLES, prepare_environment


@pytest.fixture
def variables(monkeypatch, tmp_path):
    """Return the environment of a user whose home can be written to."""
    found = {"HOME": str(tmp_path)}
    monkeypatch.setattr(environment.os, "environ", found)
    monkeypatch.setattr(environment.tempfile, "tempdir", str(tmp_path))
    return found


def test_every_chain_gets_one_thread(variables):
    """BLAS and OpenMP."""
    prepare_environment()
    assert {variables[name] for name in THREAD_VARIABLES} == {"1"}


def test_what_the_user_set_is_left_alone(variables):
    """Threads and compiler folders."""
    variables |= {"OMP_NUM_THREADS": "6", "PYTENSOR_FLAGS": "base_compiledir=/there"}
    variables["HOME"] = "/no/such/home"
    prepare_environment()
    assert variables["OMP_NUM_THREADS"] == "6"
    assert variables["PYTENSOR_FLAGS"] == "base_compiledir=/there"
    assert "NUMBA_CACHE_DIR" not in variables


def test_home_is_used_where_it_can_be(variables):
    """Compiled code is found again by the next run."""
    prepare_environment()
    assert "PYTENSOR_FLAGS" not in variables
    assert "NUMBA_CACHE_DIR" not in variables


@pytest.mark.parametrize("flags", [None, "optimizer=fast_run"])
def test_without_a_home_compilers_get_a_folder_of_their_own(variables, flags):
    """On a cluster node: HOME is nowhere, other flags stay."""
    variables["HOME"] = "/no/such/home"
    if flags:
        variables["PYTENSOR_FLAGS"] = flags
    prepare_environment()
    *kept, folder = variables["PYTENSOR_FLAGS"].split(",")
    assert kept == ([flags] if flags else [])
    assert folder.startswith("base_compiledir=")
    assert Path(folder.removeprefix("base_compiledir=")).is_dir()
    assert variables["NUMBA_CACHE_DIR"] == folder.removeprefix("base_compiledir=")


def test_user_without_an_entry_is_no_error(variables, monkeypatch):
    """A container's user id that no file knows."""

    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(environment.Path, "home", nowhere)
    prepare_environment()
    assert "base_compiledir" in variables["PYTENSOR_FLAGS"]

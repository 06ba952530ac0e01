"""Run the command line in this process or in one of its own, and a small fit by it."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from spikepool.cli.app import app, run_guarded

COMMAND = (sys.executable, "-c", "from spikepool.cli.app import main; main()")


@dataclass(frozen=True)
class Ended:
    """What a command left: exit code, standard output and standard error."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def command() -> tuple[str, ...]:
    """Return the command line as a process would be started."""
    return COMMAND


@pytest.fixture
def spikepool(capsys) -> Callable[..., Ended]:
    """Return a function that runs the command line in this process."""

    def run(*arguments: object) -> Ended:
        code = run_guarded(lambda: app([str(each) for each in arguments]), debug=False)
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def process() -> Callable[..., Ended]:
    """Return a function that runs the command line in a process of its own."""

    def run(*arguments: object, text: str = "", **environment: str) -> Ended:
        done = subprocess.run(
            [*COMMAND, *(str(each) for each in arguments)],
            input=text,
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, **environment},
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@dataclass(frozen=True)
class Fit:
    """A fit by the command line: its table, its output directory, and what was printed."""

    table: Path
    out: Path
    ended: Ended


@pytest.fixture(scope="session")
def fit(tmp_path_factory, process) -> Fit:
    """Fit Poisson without pooling and draw every plot that this has."""
    folder = tmp_path_factory.mktemp("fit")
    table = folder / "counts.csv"
    counts = np.random.default_rng(1).poisson(np.linspace(1, 9, 6)[:, np.newaxis], (6, 8))
    lines = [f"n{i},{t},{counts[i, t]},0.5" for i in range(6) for t in range(8)]
    table.write_text("\n".join(["neuron,trial,count,duration", *lines, ""]))
    ended = process(
        *("fit", table, "-o", folder / "out", "--family", "poisson", "--pooling", "none"),
        *("--draws", 800, "--seed", 5),
    )
    return Fit(table, folder / "out", ended)

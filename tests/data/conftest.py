"""Write small tables and read them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spikepool.config import InputOptions
from spikepool.data.read import read_counts
from spikepool.data.spike_counts import SpikeCounts

type Read = Callable[..., SpikeCounts]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write text or bytes to a file and return its path."""

    def write_file(content: str | bytes, name: str = "table.csv") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write_file


@pytest.fixture
def read(write: Callable[..., str]) -> Read:
    """Write one table and read it."""

    def read_text(content: str | bytes, name: str = "table.csv", **options: Any) -> SpikeCounts:
        return read_counts(InputOptions(tables=(write(content, name),), **options))

    return read_text


@pytest.fixture
def codes() -> Callable[[SpikeCounts], list[str]]:
    """Return the codes of the notices of a table."""
    return lambda counts: [notice.code for notice in counts.notices]

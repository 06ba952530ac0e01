"""What tests of every part share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("spikepool", derandomize="CI" in os.environ)
settings.load_profile("spikepool")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture
def shared_data() -> Path:
    """Return the folder of real tables beside the checkout; skip where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"the real tables are not here: {folder.parent.name}/data")
    return folder


@pytest.fixture
def shared_reference() -> Path:
    """Return the folder of published numbers beside the checkout; skip where it is absent."""
    folder = SHARED / "reference"
    if not folder.is_dir():
        pytest.skip(f"the published numbers are not here: {folder.parent.name}/reference")
    return folder

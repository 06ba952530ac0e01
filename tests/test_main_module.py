"""`python -m spikepool` is the command line."""

import subprocess
import sys

import spikepool


def test_version():
    """As the script prints it."""
    done = subprocess.run(
        [sys.executable, "-m", "spikepool", "--version"], capture_output=True, text=True, check=True
    )
    assert spikepool.__version__ in done.stdout

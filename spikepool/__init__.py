"""Partial pooling of spike counts, from a table to per-neuron posterior estimates.

The command line does the same as ``spikepool.run(spikepool.RunConfig(...), folder)``. Everything
here is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikepool.config import RunConfig
    from spikepool.data.read import read_counts
    from spikepool.data.tally import tally_counts
    from spikepool.models.spec import ModelSpec
    from spikepool.pipeline import run

__version__ = "0.1.0"
__all__ = ["ModelSpec", "RunConfig", "__version__", "read_counts", "run", "tally_counts"]

_HOMES = {
    "ModelSpec": "spikepool.models.spec",
    "RunConfig": "spikepool.config",
    "read_counts": "spikepool.data.read",
    "run": "spikepool.pipeline",
    "tally_counts": "spikepool.data.tally",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

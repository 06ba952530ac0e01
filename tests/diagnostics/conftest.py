"""Tallies made from plain arrays of counts."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import Tally, tally_counts

type BuildTally = Callable[..., Tally]


@pytest.fixture
def build_tally() -> BuildTally:
    """Return a function from neurons' counts to their tally."""
    return _build_tally


def _build_tally(
    counts: Sequence[Sequence[int]] | np.ndarray,
    exposure: Sequence[Sequence[float]] | np.ndarray | None = None,
    condition: Sequence[Sequence[int]] | None = None,
    names: Sequence[str] | None = None,
) -> Tally:
    """Build a tally from one sequence of counts per neuron (of any lengths)."""
    lengths = [len(row) for row in counts]
    flat = np.concatenate([np.asarray(row, dtype=np.int64) for row in counts])
    labels = tuple(names or (f"n{i:05d}" for i in range(len(lengths))))
    conditions = None
    if condition is not None:
        codes = np.concatenate([np.asarray(row, dtype=np.int64) for row in condition])
        values = tuple(f"c{k}" for k in range(int(codes.max()) + 1))
        conditions = Labels("condition", values, codes)
    return tally_counts(
        SpikeCounts(
            neuron=Labels("neuron", labels, np.repeat(np.arange(len(lengths)), lengths)),
            count=flat,
            exposure=np.ones(len(flat))
            if exposure is None
            else np.concatenate([np.asarray(row, dtype=float) for row in exposure]),
            exposure_known=exposure is not None,
            condition=conditions,
        )
    )

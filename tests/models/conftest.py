"""Small tables made from plain arrays, and their tallies."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import Tally, tally_counts

type BuildCounts = Callable[..., SpikeCounts]
type BuildTally = Callable[..., Tally]


@pytest.fixture(scope="session")
def build_counts() -> BuildCounts:
    """Return a function from neurons' counts to a table of trials."""
    return _build_counts


@pytest.fixture(scope="session")
def build_tally() -> BuildTally:
    """Return a function from neurons' counts to their tally."""
    return lambda *args, **options: tally_counts(_build_counts(*args, **options))


@pytest.fixture(scope="session")
def mixed_counts() -> SpikeCounts:
    """Return unequal exposures and trials, two conditions, a silent and a very busy neuron."""
    return _build_counts(
        [[0, 0, 0, 0], [1, 0, 0, 1, 0, 0], [5], [9, 2, 4, 7, 4], [600, 700, 513, 550]],
        [[0.5] * 4, [0.5, 0.5, 2.0, 0.5, 1.0, 0.5], [2.0], [0.5, 0.5, 1, 1, 1], [1, 2, 1, 1]],
        [[0, 1, 0, 1], [0, 1, 1, 0, 0, 1], [0], [0, 0, 0, 1, 1], [1, 1, 0, 0]],
    )


def _build_counts(
    counts: Sequence[Sequence[int]] | np.ndarray,
    exposure: Sequence[Sequence[float]] | np.ndarray | float = 1.0,
    condition: Sequence[Sequence[int]] | None = None,
) -> SpikeCounts:
    """Build a table from one sequence of counts per neuron (of any lengths)."""
    lengths = [len(row) for row in counts]
    rows = sum(lengths)
    conditions = None
    if condition is not None:
        codes = np.concatenate([np.asarray(row, dtype=np.int64) for row in condition])
        conditions = Labels("condition", tuple(f"c{k}" for k in range(codes.max() + 1)), codes)
    return SpikeCounts(
        neuron=Labels(
            "neuron",
            tuple(f"n{i}" for i in range(len(lengths))),
            np.repeat(np.arange(len(lengths)), lengths),
        ),
        count=np.concatenate([np.asarray(row, dtype=np.int64) for row in counts]),
        exposure=np.full(rows, exposure)
        if isinstance(exposure, float)
        else np.concatenate([np.asarray(row, dtype=np.float64) for row in exposure]),
        exposure_known=True,
        condition=conditions,
    )

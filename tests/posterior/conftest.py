"""Posterior draws and tallies made from plain arrays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import Tally, tally_counts
from spikepool.models.parametrization import Parametrization
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import PosteriorDraws, SamplerStatistics

type MakeDraws = Callable[..., PosteriorDraws]
type MakeTally = Callable[..., Tally]


@pytest.fixture(scope="session")
def make_draws() -> MakeDraws:
    """Return a function from flat arrays, shape (draws, N), to one chain of draws."""
    return _make_draws


@pytest.fixture(scope="session")
def make_tally() -> MakeTally:
    """Return a function from neurons' counts, and one exposure for all trials, to their tally."""
    return _make_tally


def _make_draws(
    spec: ModelSpec,
    theta: Any,
    delta: Any = None,
    population: Mapping[str, Any] | None = None,
) -> PosteriorDraws:
    theta = np.asarray(theta, dtype=float)
    n = theta.shape[1]
    return PosteriorDraws(
        spec=spec,
        engine="nuts",
        neurons=tuple(f"n{i}" for i in range(n)),
        population={
            name: np.asarray(values, dtype=float)[np.newaxis]
            for name, values in (population or {}).items()
        },
        theta=theta[np.newaxis],
        delta=None if delta is None else np.asarray(delta, dtype=float)[np.newaxis],
        parametrization=Parametrization(np.ones(n), np.ones(n)),
        sampler=SamplerStatistics(0, np.ones(1), 1, 0.0, 0.0),
    )


def _make_tally(counts: Sequence[Sequence[int]], exposure: float = 1.0) -> Tally:
    lengths = [len(row) for row in counts]
    return tally_counts(
        SpikeCounts(
            neuron=Labels(
                "neuron",
                tuple(f"n{i}" for i in range(len(lengths))),
                np.repeat(np.arange(len(lengths)), lengths),
            ),
            count=np.concatenate([np.asarray(row, dtype=np.int64) for row in counts]),
            exposure=np.full(sum(lengths), exposure),
            exposure_known=True,
        )
    )

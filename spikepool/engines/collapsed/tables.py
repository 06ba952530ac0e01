"""The population's density on the global nodes, for a batch of hyperparameters."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray
from spikepool.engines.collapsed.axes import Ladder
from spikepool.engines.collapsed.levels import Hyperparameters, Level

type BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Table:
    """One axis of the quadrature for D hyperparameters.

    Attributes
    ----------
    weights : ndarray, shape (D, G)
        Step × density at every global node, of a population no narrower than the steps resolve.
    narrow : ndarray of bool, shape (D, C)
        Whether the population is too narrow for the steps of a class.
    nodes, log_weights : ndarray, shape (D, Q)
        What serves there instead, where integrals must be exact.
    """

    weights: FloatArray
    narrow: BoolArray
    nodes: FloatArray
    log_weights: FloatArray


def make_table(
    level: Level | None,
    ladder: Ladder,
    phi: Hyperparameters,
    draws: int,
    widened: float = 1.0,
) -> Table:
    """Tabulate a level for the rule that `kernels.evidence` applies.

    Populations are taken no narrower than `widened` times what the steps resolve.
    """
    nothing = np.zeros((draws, 1))
    narrow = np.zeros((draws, len(ladder.classes)), dtype=np.bool_)
    if level is None:
        return Table(np.ones((draws, len(ladder.nodes))), narrow, nothing, nothing)
    width = np.broadcast_to(level.width(phi), (draws,))
    least = widened * level.steps_per_sd * ladder.step
    narrow |= width[:, np.newaxis] < least
    nodes, log_weights = level.nodes(phi) if narrow.any() else (nothing, nothing)
    columns = {name: values[:, np.newaxis] for name, values in phi.items()}
    weights = np.empty((draws, len(ladder.nodes)))
    ends = np.searchsorted(ladder.node_class, np.arange(len(ladder.classes) + 1)).tolist()
    for which, of in enumerate(map(slice, ends[:-1], ends[1:])):
        wide = level.widened(columns, least[which])
        np.exp(level.log_density(ladder.nodes[of], wide), out=weights[:, of])
        weights[:, of] *= ladder.step[which]
    return Table(weights, narrow, nodes, log_weights)

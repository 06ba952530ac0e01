"""Complete pooling of everything: all neurons are one, and nothing is integrated."""

from dataclasses import dataclass, replace

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.data.tally import Tally
from spikepool.engines.collapsed.levels import Hyperparameters
from spikepool.models.families import CountFamily
from spikepool.models.statistics import CountStatistics

_VALUES_AT_ONCE = 3_000_000


@dataclass(frozen=True)
class SharedLikelihood:
    """Likelihood of counts that share one rate and one dispersion.

    Attributes
    ----------
    family : CountFamily
    merged : CountStatistics
        Of all counts as those of a single neuron.
    """

    family: CountFamily
    merged: CountStatistics

    def total(self, phi: Hyperparameters, draws: int) -> FloatArray:
        """Return ln p(y | φ); shape (D,)."""
        total: FloatArray = by_neuron(self.family, self.merged, phi, draws)[0]
        return total


def merge(tally: Tally) -> Tally:
    """Take all counts as those of one neuron in one condition."""
    cells, where = np.unique(
        np.stack([tally.exposure, tally.count.astype(np.float64)]), axis=1, return_inverse=True
    )
    nothing = np.zeros(cells.shape[1], dtype=np.int64)
    weight = np.bincount(where, weights=tally.weight, minlength=cells.shape[1])
    return replace(
        tally,
        neurons=("all",),
        neuron=nothing,
        condition=nothing,
        exposure=cells[0],
        count=cells[1].astype(np.int64),
        weight=weight.astype(np.int64),
        group=np.zeros(1, dtype=np.int64),
        conditions=("all",),
    )


def by_neuron(
    family: CountFamily, statistics: CountStatistics, phi: Hyperparameters, draws: int
) -> FloatArray:
    """Return the log-likelihood of each neuron at shared parameters; shape (N, D)."""
    theta = phi["mu"][:, np.newaxis]
    delta = phi["delta"][:, np.newaxis] if "delta" in phi else np.zeros_like(theta)
    n = statistics.n_neurons
    terms = max(len(statistics.cell_neuron) + len(statistics.tail_neuron), n)
    step = max(1, _VALUES_AT_ONCE // terms)
    out = np.empty((n, draws))
    for begin in range(0, draws, step):
        batch = slice(begin, begin + step)
        shape = (len(theta[batch]), n)
        out[:, batch] = family.log_likelihood(
            np.broadcast_to(theta[batch], shape), np.broadcast_to(delta[batch], shape), statistics
        ).T
    return out

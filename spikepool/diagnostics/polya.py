"""The Poisson null of every neuron given its totals, and Pólya urns that reach into its tails."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.diagnostics.pearson import PearsonTable

type Counters = NDArray[np.uint64]


@dataclass(frozen=True)
class PoissonNull:
    """Independent multinomials, one per informative condition: Poisson counts given their totals.

    Trials of a condition with one exposure are one kind. Neurons hold runs of conditions
    (entries of the `PearsonTable`), conditions runs of kinds and of the tally's cells; where a
    run starts stands in arrays with one value more.

    Attributes
    ----------
    condition_start : ndarray of int64, shape (N + 1,)
        First condition of each neuron.
    kind_start, cell_start : ndarray of int64, shape (G + 1,)
        First kind and first cell of each condition.
    spikes : ndarray of int64, shape (G,)
        Total of each condition.
    probability : ndarray of float64, shape (K,)
        ``p_t = e_t / Σe`` of each trial of the kind.
    trials : ndarray of int64, shape (K,)
    cell_kind : ndarray of int64, shape (cells,)
        Kind of the trials of each cell.
    cell_count, cell_weight : ndarray of int64, shape (cells,)
        What was observed: this count in so many trials.
    """

    condition_start: IntArray
    kind_start: IntArray
    cell_start: IntArray
    spikes: IntArray
    probability: FloatArray
    trials: IntArray
    cell_kind: IntArray
    cell_count: IntArray
    cell_weight: IntArray

    @property
    def condition_of_kind(self) -> IntArray:
        """Condition of each kind; shape (K,)."""
        return np.repeat(np.arange(len(self.spikes)), np.diff(self.kind_start))

    def draw_x2(self, neurons: IntArray, counters: Counters, size: int) -> FloatArray:
        """Draw Pearson's X² of `size` tables of each of these neurons; moves their `counters` on.

        Parameters
        ----------
        neurons : ndarray of int64, shape (n,)
        counters : ndarray of uint64, shape (n,)
            States of the neurons' random generators; see `start_streams`.
        size : int

        Returns
        -------
        ndarray of float64, shape (n, size)
        """
        from spikepool.diagnostics import urn_kernels

        x2 = np.empty((len(neurons), size))
        urn_kernels.null_x2(
            self.condition_start,
            self.kind_start,
            self.probability,
            self.trials,
            self.spikes,
            neurons,
            counters,
            x2,
        )
        return x2


def poisson_null(tally: Tally, table: PearsonTable) -> PoissonNull:
    """Gather the null of every neuron from its informative conditions."""
    n_cells = table.last_cell - table.first_cell
    cell_start = _starts(n_cells)
    condition = np.repeat(np.arange(len(n_cells)), n_cells)
    cells = np.arange(len(condition)) + (table.first_cell - cell_start[:-1])[condition]
    exposure, weight = tally.exposure[cells], tally.weight[cells]
    first = np.ones(len(cells), dtype=bool)
    first[1:] = (np.diff(condition) != 0) | (np.diff(exposure) != 0)
    kind = np.cumsum(first) - 1
    total = np.bincount(condition, weights=exposure * weight)
    return PoissonNull(
        condition_start=_starts(np.bincount(table.neuron, minlength=table.neurons)),
        kind_start=_starts(np.bincount(condition[first], minlength=len(n_cells))),
        cell_start=cell_start,
        spikes=table.spikes.astype(np.int64),
        probability=exposure[first] / total[condition[first]],
        trials=np.bincount(kind, weights=weight).astype(np.int64),
        cell_kind=kind,
        cell_count=tally.count[cells],
        cell_weight=weight,
    )


def _starts(lengths: IntArray) -> IntArray:
    """Return the first index of each run, and the end of the last."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def start_streams(seed: int, purpose: str, neurons: Sequence[str]) -> Counters:
    """Return where each neuron's random numbers start, by the run's seed, the purpose and its id.

    Shape (neurons,); uniform over all 64-bit numbers.
    """
    digests = (hashlib.sha256(f"{seed}\0{purpose}\0{name}".encode()).digest() for name in neurons)
    return np.array([int.from_bytes(digest[:8]) for digest in digests], dtype=np.uint64)


@dataclass(frozen=True)
class PolyaUrn:
    """An urn for every condition: `share` of the first ball, `feedback` of each on the next.

    Attributes
    ----------
    share : ndarray of float64, shape (K,)
        Probability of one trial of the kind.
    feedback : ndarray of float64, shape (G,)
        β: with k balls in all and y in a trial, the next falls there with probability
        ``(share + β y) / (1 + β k)``.
    log_constant : ndarray of float64, shape (G,)
        ``−Σ ln(1 + β k)`` over k < S, the denominators of the pmf of a table.
    """

    share: FloatArray
    feedback: FloatArray
    log_constant: FloatArray


def _urn(null: PoissonNull, share: FloatArray, feedback: FloatArray) -> PolyaUrn:
    """Complete an urn with what its pmf needs."""
    S, balls = null.spikes, 1 / np.abs(feedback)
    more = special.gammaln(balls + S) - special.gammaln(balls)
    fewer = special.gammaln(balls + 1) - special.gammaln(np.maximum(balls - S, 0) + 1)
    constant = S * np.log(balls) - np.where(feedback > 0, more, fewer)
    return PolyaUrn(share, feedback, np.asarray(constant, dtype=np.float64))


def dirichlet_multinomial(null: PoissonNull, ratio: FloatArray) -> PolyaUrn:
    """Return urns more variable than Poisson: mean X² is `ratio` (> 1) times the null's.

    Where few spikes cannot reach that far β is 1.
    """
    S = null.spikes
    reachable = ratio < S
    feedback = np.divide(ratio - 1, S - ratio, out=np.ones(len(S)), where=reachable)
    return _urn(null, null.probability, np.minimum(feedback, 1.0))


def hypergeometric(null: PoissonNull, ratio: FloatArray) -> PolyaUrn:
    """Return urns less variable than Poisson: mean X² is about `ratio` (< 1) times the null's.

    Balls are drawn without replacement from an urn with a whole number of them for each trial.
    """
    S, condition = null.spikes, null.condition_of_kind
    size = np.maximum((S - ratio) / (1 - ratio), S)
    balls = np.ceil(size[condition] * null.probability)
    total = np.bincount(condition, weights=balls * null.trials, minlength=len(S))
    return _urn(null, balls / total[condition], -1 / total)


@dataclass(frozen=True)
class TailMixture:
    """The null with probability `null_share`, else one of two urns, equally probable.

    Keeping the null in bounds every importance weight by ``1 / null_share``.
    """

    null: PoissonNull
    urns: tuple[PolyaUrn, PolyaUrn]
    null_share: float = 0.2

    @cached_property
    def _stacked(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Shares, feedbacks and constants of both urns, one row for each."""
        first, second = self.urns
        return (
            np.stack([first.share, second.share]),
            np.stack([first.feedback, second.feedback]),
            np.stack([first.log_constant, second.log_constant]),
        )

    def pvalues(
        self,
        neurons: IntArray,
        counters: Counters,
        inner: tuple[FloatArray, FloatArray],
        draws: IntArray,
    ) -> FloatArray:
        """Draw tables of each of these neurons, and estimate how often the null is as extreme.

        Parameters
        ----------
        neurons : ndarray of int64, shape (n,)
        counters : ndarray of uint64, shape (n,)
            As for `PoissonNull.draw_x2`.
        inner : tuple of ndarray of float64, shape (n,)
            Open interval of X² outside of which a table is as extreme as the observed one.
        draws : ndarray of int64, shape (n,)

        Returns
        -------
        ndarray of float64, shape (n,)
            ``[w(y) + Σ w(y*) 1{y* as extreme}] / (1 + draws)`` with w = null pmf / mixture pmf.
        """
        from spikepool.diagnostics import urn_kernels

        pvalues = np.empty(len(neurons))
        urn_kernels.importance_pvalues(
            self.null.condition_start,
            self.null.kind_start,
            self.null.probability,
            self.null.trials,
            self.null.spikes,
            self.null.cell_start,
            self.null.cell_kind,
            self.null.cell_count,
            self.null.cell_weight,
            *self._stacked,
            self.null_share,
            neurons,
            counters,
            *inner,
            draws,
            pvalues,
        )
        return pvalues

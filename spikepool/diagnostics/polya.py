"""The Poisson null of one neuron given its totals, and Pólya urns that reach into its tails."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy import special

from spikepool.data.spike_counts import FloatArray, IntArray


@dataclass(frozen=True)
class PoissonNull:
    """Independent multinomials, one per condition: Poisson counts given their totals.

    Attributes
    ----------
    probabilities : tuple of ndarray of float64
        ``p_t = e_t / Σe`` of the trials of each condition.
    spikes : tuple of int
        Total of each condition.
    """

    probabilities: tuple[FloatArray, ...]
    spikes: tuple[int, ...]

    @property
    def conditions(self) -> Iterator[tuple[FloatArray, int]]:
        """Probabilities and total of each condition."""
        return zip(self.probabilities, self.spikes, strict=True)

    def draw(self, rng: np.random.Generator, size: int) -> IntArray:
        """Draw tables of counts; shape (size, trials)."""
        blocks = [rng.multinomial(S, p, size=size) for p, S in self.conditions]
        return np.concatenate(blocks, axis=1)

    def x2(self, counts: IntArray) -> FloatArray:
        """Pearson's X² of each table; shape (size,)."""
        expected = np.concatenate([S * p for p, S in self.conditions])
        return cast("FloatArray", ((counts - expected) ** 2 / expected).sum(axis=1))


@dataclass(frozen=True)
class DirichletMultinomial:
    """Counts more variable than Poisson: mean X² is `ratio` times the null's, `ratio` > 1."""

    ratio: float

    def _parameters(self, p: FloatArray, S: int) -> FloatArray:
        beta = min((self.ratio - 1) / (S - self.ratio), 1.0) if self.ratio < S else 1.0
        return p / beta

    def draw(self, null: PoissonNull, rng: np.random.Generator, size: int) -> IntArray:
        """Draw tables of counts; shape (size, trials)."""
        blocks = []
        for p, S in null.conditions:
            theta = rng.dirichlet(self._parameters(p, S), size=size)
            blocks.append(rng.multinomial(S, theta))
        return np.concatenate(blocks, axis=1)

    def log_ratio(self, null: PoissonNull, counts: IntArray) -> FloatArray:
        """Log pmf of each table less its log pmf under the null; shape (size,)."""
        total = np.zeros(len(counts))
        for (p, S), y in zip(null.conditions, _split(counts, null), strict=True):
            a = self._parameters(p, S)
            A = a.sum()
            total += special.gammaln(A) - special.gammaln(A + S)
            total += (special.gammaln(a + y) - special.gammaln(a) - y * np.log(p)).sum(axis=1)
        return total


@dataclass(frozen=True)
class Hypergeometric:
    """Counts less variable than Poisson: mean X² is about `ratio` times the null's."""

    ratio: float

    def _balls(self, p: FloatArray, S: int) -> IntArray:
        urn = max((S - self.ratio) / (1 - self.ratio), float(S))
        return np.ceil(urn * p).astype(np.int64)

    def draw(self, null: PoissonNull, rng: np.random.Generator, size: int) -> IntArray:
        """Draw tables of counts; shape (size, trials)."""
        blocks = [
            rng.multivariate_hypergeometric(self._balls(p, S), S, size=size, method="marginals")
            for p, S in null.conditions
        ]
        return np.concatenate(blocks, axis=1)

    def log_ratio(self, null: PoissonNull, counts: IntArray) -> FloatArray:
        """Log pmf of each table less its log pmf under the null; shape (size,)."""
        total = np.zeros(len(counts))
        for (p, S), y in zip(null.conditions, _split(counts, null), strict=True):
            balls = self._balls(p, S)
            M = balls.sum()
            total += special.gammaln(M - S + 1.0) - special.gammaln(M + 1.0)
            left = np.maximum(balls - y, 0)
            terms = special.gammaln(balls + 1.0) - special.gammaln(left + 1.0) - y * np.log(p)
            total += np.where((y <= balls).all(axis=1), terms.sum(axis=1), -np.inf)
        return total


type Urn = DirichletMultinomial | Hypergeometric


def _split(counts: IntArray, null: PoissonNull) -> list[IntArray]:
    """Cut the columns of `counts` into the conditions' blocks."""
    return np.split(counts, np.cumsum([len(p) for p in null.probabilities])[:-1], axis=1)


@dataclass(frozen=True)
class TailMixture:
    """The null with probability `null_share`, else one of `urns`, each equally probable.

    Keeping the null in bounds every importance weight by ``1 / null_share``.
    """

    null: PoissonNull
    urns: tuple[Urn, ...]
    null_share: float = 0.2

    @property
    def shares(self) -> FloatArray:
        """Probability of the null and of each urn."""
        urn = (1 - self.null_share) / len(self.urns)
        return np.array([self.null_share, *(urn for _ in self.urns)])

    def draw(self, rng: np.random.Generator, size: int) -> IntArray:
        """Draw independent tables of counts, in the order of the parts; shape (size, trials)."""
        sizes = rng.multinomial(size, self.shares)
        blocks = [self.null.draw(rng, sizes[0])]
        for urn, part in zip(self.urns, sizes[1:], strict=True):
            blocks.append(urn.draw(self.null, rng, part))
        return np.concatenate(blocks)

    def weights(self, counts: IntArray) -> FloatArray:
        """Null pmf over mixture pmf of each table; shape (size,)."""
        log_ratios = [urn.log_ratio(self.null, counts) for urn in self.urns]
        parts = np.stack([np.zeros(len(counts)), *log_ratios])
        return cast("FloatArray", np.exp(-special.logsumexp(parts.T, axis=1, b=self.shares)))

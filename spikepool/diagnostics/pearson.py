"""Pearson's X² of every neuron within conditions, and its exact moments given the totals.

Given the total S of a (neuron, condition), Poisson counts are multinomial with probabilities
``p_t = e_t / Σe``, whatever the rate: every moment here is exact and free of parameters.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally


@dataclass(frozen=True)
class PearsonTable:
    """One entry per informative (neuron, condition): at least two trials and one spike.

    A condition without a spike has no Fano factor (its X² is 0/0), one with a single trial
    fits itself: neither says anything about dispersion, so neither gives X² or degrees of
    freedom. Since both are chosen by the totals alone, every statement given the totals holds.

    Attributes
    ----------
    neurons : int
        Number of neurons N of the tally, informative or not.
    neuron : ndarray of int64, shape (G,)
        Index of the neuron; ascending.
    trials : ndarray of float64, shape (G,)
        n, trials of the neuron in the condition.
    spikes : ndarray of float64, shape (G,)
        S, spikes over these trials.
    inverse_sum, inverse_square_sum : ndarray of float64, shape (G,)
        ``Σ_t 1/p_t`` (n² for equal exposures) and ``Σ_t 1/p_t²`` (n³).
    x2 : ndarray of float64, shape (G,)
        ``Σ_t (y_t − S p_t)² / (S p_t)``.
    first_cell, last_cell : ndarray of int64, shape (G,)
        The tally's cells of the entry, as a half-open range.
    """

    neurons: int
    neuron: IntArray
    trials: FloatArray
    spikes: FloatArray
    inverse_sum: FloatArray
    inverse_square_sum: FloatArray
    x2: FloatArray
    first_cell: IntArray
    last_cell: IntArray

    def per_neuron(self, values: FloatArray) -> FloatArray:
        """Sum `values` (one per entry) within each neuron; shape (N,)."""
        return np.bincount(self.neuron, weights=values, minlength=self.neurons)

    @property
    def defined(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Neurons with at least one informative condition; shape (N,)."""
        return np.bincount(self.neuron, minlength=self.neurons) > 0

    @property
    def equal_exposures(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Entries whose trials all have one exposure; shape (G,)."""
        return np.isclose(self.inverse_sum, self.trials**2, rtol=1e-12, atol=0)

    @property
    def lattice_step(self) -> FloatArray:
        """Smallest step of X² of each entry with equal exposures, ``2n/S``; shape (G,)."""
        return 2 * self.trials / self.spikes


def tabulate_pearson(tally: Tally) -> PearsonTable:
    """Compute X² of every informative (neuron, condition).

    Parameters
    ----------
    tally : Tally

    Returns
    -------
    PearsonTable

    References
    ----------
    Pearson, K. (1900). On the criterion that a given system of deviations ... is such that it
    can be reasonably supposed to have arisen from random sampling. Philosophical Magazine 50,
    157-175.
    """
    starts = _entry_starts(tally)
    ends = np.append(starts[1:], len(tally.count))
    entry = np.repeat(np.arange(len(starts)), ends - starts)

    def total(values: FloatArray | IntArray) -> FloatArray:
        return np.bincount(entry, weights=values, minlength=len(starts))

    trials = total(tally.weight)
    spikes = total(tally.count * tally.weight)
    inverse_p = total(tally.exposure * tally.weight)[entry] / tally.exposure
    expected = spikes[entry] / inverse_p
    deviation = np.divide(
        (tally.count - expected) ** 2, expected, out=np.zeros(len(entry)), where=expected > 0
    )
    keep = (trials >= 2) & (spikes >= 1)
    return PearsonTable(
        neurons=tally.n_neurons,
        neuron=tally.neuron[starts][keep],
        trials=trials[keep],
        spikes=spikes[keep],
        inverse_sum=total(tally.weight * inverse_p)[keep],
        inverse_square_sum=total(tally.weight * inverse_p**2)[keep],
        x2=total(tally.weight * deviation)[keep],
        first_cell=starts[keep],
        last_cell=ends[keep],
    )


def _entry_starts(tally: Tally) -> IntArray:
    """Return the first cell of every (neuron, condition) of the sorted tally."""
    changes = np.ones(len(tally.count), dtype=bool)
    changes[1:] = (np.diff(tally.neuron) != 0) | (np.diff(tally.condition) != 0)
    return np.flatnonzero(changes).astype(np.int64)


def fano_per_neuron(table: PearsonTable, ddof: int) -> FloatArray:
    """Raw Fano factor X² / Σ_c (n_c − ddof); NaN without an informative condition; shape (N,)."""
    return table.per_neuron(table.x2) / fano_divisor(table, ddof)


def fano_divisor(table: PearsonTable, ddof: int) -> FloatArray:
    """Σ_c (n_c − ddof) over informative conditions; NaN where there is none; shape (N,)."""
    divisor = table.per_neuron(table.trials - ddof)
    return cast("FloatArray", np.where(table.defined, divisor, np.nan))


def polya_mean_variance(table: PearsonTable, beta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of X² given S when counts come from a Pólya urn.

    β = 0 is the multinomial (Poisson counts); β > 0 the Dirichlet-multinomial with parameters
    ``p_t / β`` (NB counts of Fano factor ``1 + Sβ`` on average); β < 0 the multivariate
    hypergeometric with ``−p_t / β`` balls (binomial counts). With ρ = Σ1/p − n²::

        mean = (n − 1)(1 + Sβ)/(1 + β)
        var  = (1 + Sβ)/(S(1 + β)(1 + 2β)(1 + 3β))
               · [2(S − 1)(n − 1)(1 + nβ)(1 + Sβ + β)/(1 + β) + ρ(1 − β + 6Sβ(1 + Sβ))]

    derived from the factorial moments ``S^(r) Π a_t^[r_t] / A^[r]``; at β = 0 it is Haldane's.

    Parameters
    ----------
    table : PearsonTable
    beta : ndarray of float64, shape (G,)
        Above −1/3 (or with S > 3, above −1/S).

    Returns
    -------
    mean, variance : ndarray of float64, shape (G,)
    """
    n, S = table.trials, table.spikes
    excess = np.where(table.equal_exposures, 0.0, table.inverse_sum - n**2)
    mean = (n - 1) * (1 + S * beta) / (1 + beta)
    even = 2 * (S - 1) * (n - 1) * (1 + n * beta) * (1 + S * beta + beta) / (1 + beta)
    uneven = excess * (1 - beta + 6 * S * beta * (1 + S * beta))
    scale = (1 + S * beta) / (S * (1 + beta) * (1 + 2 * beta) * (1 + 3 * beta))
    return mean, np.maximum(scale * (even + uneven), 0.0)


@dataclass(frozen=True)
class NullMoments:
    """Exact mean, variance and third central moment of a neuron's X² under Poisson; shape (N,).

    The mean is the degrees of freedom Σ_c (n_c − 1).
    """

    mean: FloatArray
    variance: FloatArray
    third: FloatArray

    @property
    def skewness(self) -> FloatArray:
        """Third central moment over the 3/2 power of the variance; 0 where X² is constant."""
        scale = np.where(self.variance > 0, self.variance, 1.0) ** 1.5
        return cast("FloatArray", np.where(self.variance > 0, self.third / scale, 0.0))


def null_moments(table: PearsonTable) -> NullMoments:
    """Exact moments of X² given the totals when counts are Poisson, summed over conditions.

    With R1 = Σ1/p and R2 = Σ1/p²::

        mean = n − 1
        var  = 2(n − 1)(1 − 1/S) + (R1 − n²)/S
        μ3   = 8(n − 1) + (22 R1 − 18n² − 36n + 32)/S
               + (R2 − 3nR1 − 22 R1 + 2n³ + 18n² + 28n − 24)/S²

    Parameters
    ----------
    table : PearsonTable

    Returns
    -------
    NullMoments

    References
    ----------
    Haldane, J. B. S. (1937). The exact value of the moments of the distribution of χ², used as
    a test of goodness of fit, when expectations are small. Biometrika 29, 133-143.
    """
    n, S, R1, R2 = table.trials, table.spikes, table.inverse_sum, table.inverse_square_sum
    mean, variance = polya_mean_variance(table, np.zeros(len(n)))
    third = (
        8 * (n - 1)
        + (22 * R1 - 18 * n**2 - 36 * n + 32) / S
        + (R2 - 3 * n * R1 - 22 * R1 + 2 * n**3 + 18 * n**2 + 28 * n - 24) / S**2
    )
    return NullMoments(
        mean=table.per_neuron(mean),
        variance=table.per_neuron(variance),
        third=table.per_neuron(third),
    )

"""Posteriors of the responses to each condition, from those of their neurons."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray
from spikepool.data.tally import Tally
from spikepool.engines.collapsed import kernels_tuned
from spikepool.engines.collapsed.lattice import Lattice, Region
from spikepool.engines.collapsed.leave_out import TrialCollector
from spikepool.engines.collapsed.marginal_likelihood import MarginalLikelihood, in_parallel
from spikepool.engines.collapsed.responses import ResponseStatistics
from spikepool.engines.collapsed.tuned_lattice import (
    HERMITE,
    ResponseLattice,
    TunedLattice,
    fill_responses,
)
from spikepool.models.families import CountFamily

_BLUR = 0.5
"""Width, over the sd of a, of what stands for a response whose ω is too narrow for nodes."""


@dataclass(frozen=True)
class ResponseMixture:
    """Summaries of every response's marginal posterior.

    Attributes
    ----------
    theta, rate : (mean, sd), each of shape (R,)
    theta_quantiles, sum_quantiles : ndarray, shape (R, M)
        Of θ, and of a θ + b δ.
    above : ndarray, shape (R,)
        Mass of a θ + b δ above its threshold.
    """

    theta: tuple[FloatArray, FloatArray]
    rate: tuple[FloatArray, FloatArray]
    theta_quantiles: FloatArray
    sum_quantiles: FloatArray
    above: FloatArray


class ResponseCollector:
    """Takes the posterior mass of one run of neurons after another.

    Parameters
    ----------
    family : CountFamily
    statistics : ResponseStatistics
    tally : Tally
    region : Region
    masses : ndarray, shape (M,)
        Ascending probabilities of the quantiles.
    combination : (float, float)
        a and b of a θ + b δ.
    thresholds : ndarray, shape (R,)
        Of that combination.
    """

    def __init__(
        self,
        family: CountFamily,
        statistics: ResponseStatistics,
        tally: Tally,
        region: Region,
        masses: FloatArray,
        combination: tuple[float, float],
        thresholds: FloatArray,
    ) -> None:
        self._family, self._statistics = family, statistics
        self._masses, self._combination, self._thresholds = masses, combination, thresholds
        self._collector = TrialCollector(family, tally.by_response(), region, None)
        self.trials = self._collector.trials
        size = len(statistics.neuron)
        self._moments = np.empty((size, 4))
        self._quantiles = np.full((size, len(masses)), np.nan)
        self._sum_quantiles = np.full((size, len(masses)), np.nan)
        self._above = np.full(size, np.nan)

    def add(self, lattice: Lattice | TunedLattice, neurons: slice, mass: FloatArray) -> None:
        """Take the mass of a run of neurons at every (ω, a, δ); may be called on any thread."""
        assert isinstance(lattice, TunedLattice)  # noqa: S101
        first = self._statistics.first
        where = slice(int(first[neurons.start]), int(first[neurons.stop]))
        s = self._statistics.of_neurons(np.arange(neurons.start, neurons.stop))
        responses = fill_responses(self._family, s, lattice.axes, lattice.tuning.sd)
        densities, sums = self._densities(s, lattice, responses, mass)
        theta, columns = lattice.theta, lattice.columns
        of_responses = Lattice(
            theta, columns.take(s.neuron), responses.values, responses.offset, responses.peak
        )
        kernels_tuned.summarise_responses(
            densities,
            responses.offset,
            s.neuron,
            theta.start,
            theta.length,
            theta.step,
            columns.length,
            columns.start,
            columns.step,
            sums,
            *self._combination,
            self._thresholds[where],
            self._masses,
            self._moments[where],
            self._quantiles[where],
            self._sum_quantiles[where],
            self._above[where],
        )
        self._collector.add(of_responses, where, densities, self._moments[where, :2])

    def _densities(
        self,
        s: ResponseStatistics,
        lattice: TunedLattice,
        responses: ResponseLattice,
        mass: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Posterior mass on the nodes (θ, δ) of every response, and its sums, shape (R, 5)."""
        densities, sums = np.zeros_like(responses.values), np.zeros((len(s.neuron), 5))
        theta = lattice.theta
        kernels_tuned.add_response_densities(
            responses.values,
            responses.offset,
            s.first,
            theta.start,
            theta.length,
            theta.step,
            responses.peak,
            lattice.rows.start,
            lattice.rows.step,
            lattice.rows.length,
            lattice.columns.length,
            lattice.tuning.sd,
            responses.wide,
            responses.stride,
            mass,
            lattice.offset,
            densities,
            sums,
        )
        kernels_tuned.add_narrow_densities(
            responses.values,
            responses.offset,
            s.first,
            theta.start,
            theta.length,
            theta.step,
            lattice.rows.start,
            lattice.rows.step,
            lattice.rows.length,
            lattice.columns.length,
            lattice.tuning.sd,
            responses.rule,
            HERMITE.count,
            HERMITE.nodes,
            HERMITE.log_weights,
            mass,
            lattice.offset,
            np.maximum(_BLUR * _sd_of_rows(lattice, mass), 1e-9),
            densities,
            sums,
        )
        return densities, sums

    def as_mixture(self) -> ResponseMixture:
        """Name what was computed."""
        mean, variance, rate, rate_variance = self._moments.T
        return ResponseMixture(
            theta=(mean, np.sqrt(variance)),
            rate=(rate, np.sqrt(rate_variance)),
            theta_quantiles=self._quantiles,
            sum_quantiles=self._sum_quantiles,
            above=self._above,
        )


def _sd_of_rows(lattice: TunedLattice, mass: FloatArray) -> FloatArray:
    """Posterior sd of each neuron's a; shape (N,)."""
    out = np.empty(len(lattice.peak))
    for i in range(len(out)):
        n_rows = int(lattice.rows.length[i])
        own = mass[lattice.offset[i] : lattice.offset[i + 1]]
        share = own.reshape(-1, n_rows, lattice.columns.length[i]).sum(axis=(0, 2))
        a = np.arange(n_rows) * lattice.rows.step[i]
        mean = np.sum(share * a) / share.sum()
        out[i] = np.sqrt(np.sum(share * (a - mean) ** 2) / share.sum())
    return out


def draw_all_responses(
    family: CountFamily,
    statistics: ResponseStatistics,
    marginal: MarginalLikelihood,
    drawn: tuple[NDArray[np.float32], NDArray[np.float32]],
    tuning_sd: FloatArray,
    names: list[str],
    seed: int,
) -> NDArray[np.float32]:
    """Draw every response given the joint draws of its neuron.

    Parameters
    ----------
    family : CountFamily
    statistics : ResponseStatistics
    marginal : MarginalLikelihood
    drawn : (ndarray, ndarray), each of shape (S, N)
        Of a and δ.
    tuning_sd : ndarray, shape (S,)
    names : list of str
        Of the responses: the order of a response's draws follows from its name and the seed.
    seed : int

    Returns
    -------
    ndarray of float32, shape (S, R)
    """
    out = np.empty((len(tuning_sd), len(names)), dtype=np.float32)
    seeds = _seeds(names, seed)
    first = statistics.first

    def run(task: tuple[Lattice | TunedLattice, slice]) -> None:
        lattice, neurons = task
        assert isinstance(lattice, TunedLattice)  # noqa: S101
        where = slice(int(first[neurons.start]), int(first[neurons.stop]))
        s = statistics.of_neurons(np.arange(neurons.start, neurons.stop))
        theta, columns = lattice.theta, lattice.columns
        responses = fill_responses(family, s, lattice.axes, lattice.tuning.sd)
        kernels_tuned.draw_responses(
            responses.values,
            responses.offset,
            s.first,
            theta.start,
            theta.length,
            theta.step,
            columns.length,
            columns.start,
            columns.step,
            drawn[0][:, neurons],
            drawn[1][:, neurons],
            tuning_sd,
            seeds[where],
            out[:, where],
        )

    in_parallel(run, marginal.tasks(), marginal.cores)
    return out


def _seeds(names: list[str], seed: int) -> NDArray[np.uint64]:
    digests = b"".join(
        hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest() for name in names
    )
    return np.frombuffer(digests, np.uint64)

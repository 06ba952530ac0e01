"""The members of a population: their posteriors, averaged over its hyperparameters."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.engines.collapsed.estimates import (
    combination_of,
    error_of_responses,
    mixture_of_rates,
    neuron_marginals,
    response_marginals,
    thresholds_of,
)
from spikepool.engines.collapsed.leave_out import TrialCollector, TrialDensities
from spikepool.engines.collapsed.levels import Hyperparameters, take
from spikepool.engines.collapsed.marginal_likelihood import MarginalLikelihood
from spikepool.engines.collapsed.marginals import Mixture, Wanted, mix
from spikepool.engines.collapsed.response_marginals import ResponseCollector, draw_all_responses
from spikepool.engines.collapsed.responses import ResponseStatistics
from spikepool.engines.collapsed.search import Problem
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.quadrature import (
    HyperparameterSample,
    NeuronMarginals,
    ResponseMarginals,
)
from spikepool.posterior.summary import SummaryOptions
from spikepool.posterior.weighted import systematic

MOST_SUMS, MOST_TUNED_SUMS = 1_500_000, 400_000
"""Neurons × hyperparameter draws to average over, without and with conditions; fewer draws serve
where it would be more."""
MOST_TABLED = 40_000_000
"""Nodes × hyperparameter draws of the populations' tables, likewise."""
FEWEST_DRAWS = 256
LEFT_OUT_DRAWS, MOST_LEFT_OUT = 2048, 500_000
"""Hyperparameters for the densities of what is left out, which smooth them one by one: at most so
many, but more of them in small tables, where each matters more: as many neurons × draws."""


@dataclass(frozen=True)
class Kept:
    """Points of a weighted sample to average over; `weights` sum to 1."""

    points: IntArray
    weights: FloatArray

    def copies(self, total: int) -> IntArray:
        """Return how often each point is drawn, `total` times in all."""
        return copies_of(self.weights, total)


@dataclass(frozen=True)
class Members:
    """The neurons of one population.

    Attributes
    ----------
    theta, delta : ndarray of float32, shape (S, N)
        Joint draws.
    response : ndarray of float32, shape (S, R), or None
    marginals : NeuronMarginals
    responses : ResponseMarginals or None
    trials : TrialDensities
        Of every trial, given the neuron's marginal posterior.
    draw_of : ndarray of int64, shape (S,)
        The hyperparameters that each joint draw has.
    """

    theta: NDArray[np.float32]
    delta: NDArray[np.float32]
    response: NDArray[np.float32] | None
    marginals: NeuronMarginals
    responses: ResponseMarginals | None
    trials: TrialDensities
    draw_of: IntArray


def draws_to_average(marginals: list[MarginalLikelihood]) -> int:
    """How many hyperparameters to average the neurons of some populations over."""
    neurons = sum(each.n_neurons for each in marginals)
    nodes = max(len(each.rows.nodes) + len(each.columns.nodes) for each in marginals)
    tuned = any(each.region.tuning is not None for each in marginals)
    sums = MOST_TUNED_SUMS if tuned else MOST_SUMS
    return max(FEWEST_DRAWS, min(sums // neurons, MOST_TABLED // nodes))


def draws_left_out(n_neurons: int) -> int:
    """How many hyperparameters the densities of what is left out are for."""
    return max(LEFT_OUT_DRAWS, MOST_LEFT_OUT // n_neurons)


def kept_of(weights: FloatArray, size: int) -> Kept:
    """Choose all points that matter, or a systematic resample where they would be too many."""
    points = np.flatnonzero(weights > 1e-8)
    if len(points) <= size:
        return Kept(points, weights[points] / weights[points].sum())
    copies = copies_of(weights, size)
    points = np.flatnonzero(copies)
    return Kept(points, copies[points] / size)


def copies_of(weights: FloatArray, total: int) -> IntArray:
    """Return how often each point is drawn, `total` times in all."""
    return np.bincount(systematic(weights, total, 0.5), minlength=len(weights))


@dataclass(frozen=True)
class Population:
    """One population, ready to be averaged.

    Attributes
    ----------
    spec : ModelSpec
    tally : Tally
    problem : Problem
    marginal : MarginalLikelihood
    sample : HyperparameterSample
        The posterior of its hyperparameters.
    """

    spec: ModelSpec
    tally: Tally
    problem: Problem
    marginal: MarginalLikelihood
    sample: HyperparameterSample

    def integrate(
        self,
        phi: Hyperparameters,
        kept: Kept,
        rows: IntArray,
        priors: Priors,
        summary: SummaryOptions,
        seed: int,
    ) -> Members:
        """Average over the hyperparameters.

        Parameters
        ----------
        phi : dict of str to ndarray, shape (D,)
            Those of `kept`.
        kept : Kept
        rows : ndarray of int64, shape (S,)
            Order of the joint draws, of which those with one φ are made one after another.
        priors : Priors
        summary : SummaryOptions
        seed : int
        """
        copies = kept.copies(len(rows))
        draw_of = np.repeat(np.arange(len(copies)), copies)[rows]
        wanted = Wanted(
            masses=summary.masses,
            combination=combination_of(self.spec),
            thresholds=thresholds_of(self.spec, self.tally, summary),
            copies=copies,
            seed=seed,
            neurons=self.tally.neurons,
        )
        collector = self._collector(kept, phi, summary)
        mixture = mix(self.marginal, phi, kept.weights, wanted, collector.add).with_draws(rows)
        theta, response, responses = mixture.theta_draws, None, None
        if isinstance(collector, ResponseCollector):
            drawn = take(phi, draw_of)
            response = self._responses(mixture, drawn, seed)
            error = error_of_responses(response, drawn, kept.weights)
            of_responses = collector.as_mixture()
            responses = response_marginals(self.spec, self.tally, of_responses, mixture, error)
            mixture = mixture_of_rates(self.tally, mixture, of_responses, response, summary.masses)
        marginals = neuron_marginals(
            self.spec, self.tally, mixture, self.sample, priors, summary, draw_of
        )
        return Members(
            theta=theta,
            delta=mixture.delta_draws,
            response=response,
            marginals=marginals,
            responses=responses,
            trials=collector.trials,
            draw_of=draw_of,
        )

    def _collector(
        self, kept: Kept, phi: Hyperparameters, summary: SummaryOptions
    ) -> TrialCollector | ResponseCollector:
        """Return what takes the posterior mass of the neurons, to average over it."""
        problem, tally, region = self.problem, self.tally, self.marginal.region
        if isinstance(problem.statistics, ResponseStatistics):
            thresholds, _ = thresholds_of(self.spec, tally.by_response(), summary)
            return ResponseCollector(
                problem.family,
                problem.statistics,
                tally,
                region,
                summary.masses,
                combination_of(self.spec),
                thresholds,
            )
        shared = region.shared
        mean = None if shared is None else float(np.sum(kept.weights * phi[shared]))
        return TrialCollector(problem.family, tally, region, mean)

    def _responses(
        self, mixture: Mixture, drawn: Hyperparameters, seed: int
    ) -> NDArray[np.float32]:
        """Draw the responses of the neurons' joint draws; shape (S, R)."""
        problem = self.problem
        assert isinstance(problem.statistics, ResponseStatistics)  # noqa: S101
        assert problem.tuning is not None  # noqa: S101
        return draw_all_responses(
            problem.family,
            problem.statistics,
            self.marginal,
            (mixture.theta_draws, mixture.delta_draws),
            problem.tuning.sd(drawn, len(mixture.theta_draws)),
            self.tally.response_names,
            seed,
        )

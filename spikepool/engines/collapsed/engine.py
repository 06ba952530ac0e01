"""The collapsed engine on one page: from a tally to a certified posterior."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.engines.collapsed.certificate import certify_sample
from spikepool.engines.collapsed.certified_search import find_certified
from spikepool.engines.collapsed.estimates import (
    combination_of,
    mixture_of_rates,
    neuron_marginals,
    response_marginals,
    shared_marginals,
    thresholds_of,
)
from spikepool.engines.collapsed.hyperposterior import WeightedSample
from spikepool.engines.collapsed.lattice import Region
from spikepool.engines.collapsed.leave_out import TrialCollector, leave_out, leave_out_shared
from spikepool.engines.collapsed.levels import Hyperparameters, take
from spikepool.engines.collapsed.marginal_likelihood import MarginalLikelihood
from spikepool.engines.collapsed.marginals import Mixture, Wanted, mix
from spikepool.engines.collapsed.model import (
    HyperpriorFunctions,
    compile_hyperpriors,
    levels_of,
    tuning_of,
)
from spikepool.engines.collapsed.response_marginals import ResponseCollector, draw_all_responses
from spikepool.engines.collapsed.responses import ResponseStatistics, response_statistics
from spikepool.engines.collapsed.search import (
    STEPS,
    Problem,
    find_again,
    find_shared_hyperposterior,
    first_guess,
)
from spikepool.engines.collapsed.shared import SharedLikelihood, merge
from spikepool.engines.seeds import model_seed
from spikepool.errors import UsageError
from spikepool.models.families import FAMILIES
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import Posterior, PosteriorDraws
from spikepool.posterior.quadrature import Certificate, HyperparameterSample, Quadrature
from spikepool.posterior.summary import SummaryOptions
from spikepool.posterior.weighted import systematic
from spikepool.progress import Progress


class UncertifiedError(Exception):
    """A posterior whose certificate has problems, where ``auto`` has another engine for it."""

    def __init__(self, certificate: Certificate) -> None:
        super().__init__("; ".join(certificate.problems))
        self.certificate = certificate


MOST_SUMS, MOST_TUNED_SUMS = 1_500_000, 400_000
"""Neurons × hyperparameter draws to average over, without and with conditions; fewer draws serve
where it would be more."""
MOST_TABLED = 40_000_000
"""Nodes × hyperparameter draws of the populations' tables, likewise."""
FEWEST_DRAWS = 256
LEFT_OUT_DRAWS, MOST_LEFT_OUT = 2048, 500_000
"""Hyperparameters for the densities of what is left out, which smooth them one by one: at most so
many, but more of them in small tables, where each matters more: as many neurons × draws."""


def integrate_posterior(
    spec: ModelSpec,
    tally: Tally,
    priors: Priors,
    options: EngineOptions,
    summary: SummaryOptions,
    progress: Progress,
) -> Posterior:
    """Compute the posterior of `spec` given `tally` by quadrature.

    Parameters
    ----------
    spec : ModelSpec
    tally : Tally
    priors : Priors
    options : EngineOptions
        Nothing depends on `cores`.
    summary : SummaryOptions
    progress : Progress

    Returns
    -------
    Posterior
        With the verdict of its own checks in ``quadrature.certificate``.

    Raises
    ------
    UncertifiedError
        With the engine ``auto``, where a check failed and nothing helped.
    """
    rng = np.random.default_rng([model_seed(options.seed, spec), 1])
    hyperpriors = compile_hyperpriors(spec, priors)
    start = first_guess(hyperpriors, tally)
    alike = spec.pooling == "complete" and spec.dispersion_pooling in ("complete", None)
    if alike and not spec.is_tuned:
        return _all_shared(spec, tally, priors, hyperpriors, start, options, summary, rng)
    problem = problem_of(spec, tally, priors, hyperpriors)
    family = problem.family
    found, certificate = find_certified(spec, priors, problem, start, options, rng, progress)
    _refuse_uncertified(certificate, options)
    nodes = len(found.marginal.rows.nodes) + len(found.marginal.columns.nodes)
    sums = MOST_SUMS if problem.tuning is None else MOST_TUNED_SUMS
    averaged_over = max(FEWEST_DRAWS, min(sums // tally.n_neurons, MOST_TABLED // nodes))
    kept = _kept(found.sample, averaged_over)
    phi = take(found.phi, kept.points)
    copies = _copies(kept.weights, summary.joint_draws)
    progress.advance(4, STEPS, "posteriors of the neurons")
    collector = _collector(spec, tally, problem, found.region, kept.weights, phi, summary)
    wanted = Wanted(
        masses=summary.masses,
        combination=combination_of(spec),
        thresholds=thresholds_of(spec, tally, summary),
        copies=copies,
        seed=options.seed,
        neurons=tally.neurons,
    )
    mixture = mix(found.marginal, phi, kept.weights, wanted, collector.add)
    progress.advance(5, STEPS, "densities of what is left out")
    most = max(LEFT_OUT_DRAWS, MOST_LEFT_OUT // tally.n_neurons)
    fewer = _kept(found.sample, min(averaged_over, most))
    fewer_phi = take(found.phi, fewer.points)
    left_out = leave_out(
        family,
        tally,
        found.region,
        found.marginal.by_neuron(fewer_phi, len(fewer.weights)),
        fewer_phi,
        fewer.weights,
        collector.trials,
        found.marginal,
        partial(find_again, problem, found, rng),
    )
    hyperparameters = HyperparameterSample(
        reported(spec, found.phi), found.sample.weights, found.sample.pareto_k
    )
    rows = rng.permutation(summary.joint_draws)
    draw_of = np.repeat(np.arange(len(copies)), copies)[rows]
    drawn, mixture = take(phi, draw_of), mixture.with_draws(rows)
    draws = _joint_draws(spec, tally, drawn, mixture.theta_draws, mixture.delta_draws)
    responses = None
    if isinstance(collector, ResponseCollector):
        response = _drawn_responses(problem, found.marginal, mixture, drawn, tally, options.seed)
        draws = replace(draws, response=response[np.newaxis])
        of_responses = collector.as_mixture()
        responses = response_marginals(spec, tally, of_responses, mixture)
        mixture = mixture_of_rates(tally, mixture, of_responses, response, summary.masses)
    quadrature = Quadrature(
        hyperparameters,
        neuron_marginals(spec, tally, mixture, hyperparameters, priors, summary, draw_of),
        certificate,
        left_out,
        responses,
    )
    return Posterior(draws, quadrature, certificate.notes)


def is_collapsible(spec: ModelSpec) -> bool:
    """Whether the engine knows a model: with conditions no parameter may be shared by all."""
    return not spec.is_tuned or "complete" not in (spec.pooling, spec.dispersion_pooling)


def problem_of(
    spec: ModelSpec, tally: Tally, priors: Priors, hyperpriors: HyperpriorFunctions
) -> Problem:
    """State a model of a tally with the neurons' own parameters to be integrated out.

    Raises
    ------
    UsageError
        If the engine has no such model (see `is_collapsible`).
    """
    family, levels = FAMILIES[spec.family], levels_of(spec, priors)
    if not spec.is_tuned:
        return Problem(family, family.statistics(tally), *levels, hyperpriors)
    if not is_collapsible(spec):
        raise UsageError(
            f"--engine collapsed: {spec.label} has conditions, and a parameter that all neurons "
            "share, which this engine cannot do together",
            "leave --engine at auto, or give --engine nuts",
        )
    statistics = response_statistics(family, tally)
    return Problem(family, statistics, *levels, hyperpriors, tuning_of(spec))


def _collector(
    spec: ModelSpec,
    tally: Tally,
    problem: Problem,
    region: Region,
    weights: FloatArray,
    phi: Hyperparameters,
    summary: SummaryOptions,
) -> TrialCollector | ResponseCollector:
    """Return what takes the posterior mass of the neurons, to average over it."""
    if isinstance(problem.statistics, ResponseStatistics):
        thresholds, _ = thresholds_of(spec, tally.by_response(), summary)
        return ResponseCollector(
            problem.family,
            problem.statistics,
            tally,
            region,
            summary.masses,
            combination_of(spec),
            thresholds,
        )
    shared = region.shared
    mean = None if shared is None else float(np.sum(weights * phi[shared]))
    return TrialCollector(problem.family, tally, region, mean)


def _drawn_responses(
    problem: Problem,
    marginal: MarginalLikelihood,
    mixture: Mixture,
    phi: Hyperparameters,
    tally: Tally,
    seed: int,
) -> NDArray[np.float32]:
    """Draw the responses of the neurons' joint draws; shape (S, R)."""
    assert isinstance(problem.statistics, ResponseStatistics)  # noqa: S101
    assert problem.tuning is not None  # noqa: S101
    drawn = mixture.theta_draws, mixture.delta_draws
    tuning_sd = problem.tuning.sd(phi, len(mixture.theta_draws))
    names = tally.response_names
    return draw_all_responses(
        problem.family, problem.statistics, marginal, drawn, tuning_sd, names, seed
    )


def _all_shared(
    spec: ModelSpec,
    tally: Tally,
    priors: Priors,
    hyperpriors: HyperpriorFunctions,
    start: FloatArray,
    options: EngineOptions,
    summary: SummaryOptions,
    rng: np.random.Generator,
) -> Posterior:
    """Compute the posterior of a model in which all neurons share their parameters."""
    family = FAMILIES[spec.family]
    merged = merge(tally)
    likelihood = SharedLikelihood(family, family.statistics(merged))
    sample, phi = find_shared_hyperposterior(hyperpriors, likelihood, start, rng)
    certificate = certify_sample(sample, tally.n_neurons)
    _refuse_uncertified(certificate, options)
    hyperparameters = HyperparameterSample(reported(spec, phi), sample.weights, sample.pareto_k)
    copies = _copies(sample.weights, summary.joint_draws)
    draw_of = rng.permutation(np.repeat(np.arange(len(copies)), copies))
    drawn = take(phi, draw_of)
    n = tally.n_neurons
    theta = np.broadcast_to(drawn["mu"].astype(np.float32)[:, np.newaxis], (len(draw_of), n))
    delta = np.broadcast_to(
        drawn.get("delta", np.zeros(1)).astype(np.float32)[:, np.newaxis], (len(draw_of), n)
    )
    draws = _joint_draws(spec, tally, drawn, theta, delta)
    quadrature = Quadrature(
        hyperparameters,
        shared_marginals(spec, tally, draws, hyperparameters, priors, summary),
        certificate,
        leave_out_shared(family, tally, merged, phi, sample.weights),
    )
    return Posterior(draws, quadrature)


def _refuse_uncertified(certificate: Certificate, options: EngineOptions) -> None:
    if certificate.problems and options.engine == "auto":
        raise UncertifiedError(certificate)


def reported(spec: ModelSpec, phi: Hyperparameters) -> dict[str, FloatArray]:
    """Return the hyperparameters under the names of the PyMC model's variables."""
    name = FAMILIES[spec.family].dispersion_name
    return {
        name if each == "delta" else each: np.exp(values) if each == "delta" else values
        for each, values in phi.items()
    }


def _joint_draws(
    spec: ModelSpec,
    tally: Tally,
    phi: Hyperparameters,
    theta: NDArray[np.float32],
    delta: NDArray[np.float32],
) -> PosteriorDraws:
    """Return joint draws as one chain of independent ones."""
    return PosteriorDraws(
        spec=spec,
        engine="collapsed",
        neurons=tally.neurons,
        population={name: values[np.newaxis] for name, values in reported(spec, phi).items()},
        theta=theta[np.newaxis],
        delta=None if spec.dispersion_pooling is None else delta[np.newaxis],
    )


@dataclass(frozen=True)
class _Kept:
    """Points of the weighted sample to average over; `weights` sum to 1."""

    points: IntArray
    weights: FloatArray


def _kept(sample: WeightedSample, size: int) -> _Kept:
    """Choose all points that matter, or a systematic resample where they would be too many."""
    points = np.flatnonzero(sample.weights > 1e-8)
    if len(points) <= size:
        weights = sample.weights[points]
        return _Kept(points, weights / weights.sum())
    copies = _copies(sample.weights, size)
    points = np.flatnonzero(copies)
    return _Kept(points, copies[points] / size)


def _copies(weights: FloatArray, total: int) -> IntArray:
    """Return how often each point is drawn, `total` times in all."""
    return np.bincount(systematic(weights, total, 0.5), minlength=len(weights))

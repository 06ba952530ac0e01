"""The collapsed engine on one page: from a tally to a certified posterior."""

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import FloatArray
from spikepool.data.tally import Tally
from spikepool.engines.collapsed.certificate import certify_sample
from spikepool.engines.collapsed.certified_search import find_certified
from spikepool.engines.collapsed.estimates import shared_marginals
from spikepool.engines.collapsed.hyperposterior import WeightedSample
from spikepool.engines.collapsed.leave_out import leave_out
from spikepool.engines.collapsed.leave_out_lattice import leave_out_by_lattice, leave_out_shared
from spikepool.engines.collapsed.levels import Hyperparameters, take
from spikepool.engines.collapsed.members import (
    Population,
    copies_of,
    draws_left_out,
    draws_to_average,
    kept_of,
)
from spikepool.engines.collapsed.model import (
    HyperpriorFunctions,
    compile_hyperpriors,
    levels_of,
    tuning_of,
)
from spikepool.engines.collapsed.responses import response_statistics
from spikepool.engines.collapsed.search import (
    STEPS,
    Problem,
    find_again,
    find_shared_hyperposterior,
    first_guess,
)
from spikepool.engines.collapsed.shared import SharedLikelihood, merge
from spikepool.engines.cores import granted_cores
from spikepool.engines.seeds import model_seed
from spikepool.errors import UsageError
from spikepool.models.families import family_of
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import Posterior, PosteriorDraws
from spikepool.posterior.quadrature import Certificate, HyperparameterSample, Quadrature
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Progress


class UncertifiedError(Exception):
    """A posterior whose certificate has problems, where ``auto`` has another engine for it."""

    def __init__(self, certificate: Certificate) -> None:
        super().__init__("; ".join(certificate.problems))
        self.certificate = certificate


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
    found, certificate = find_certified(spec, priors, problem, start, options, rng, progress)
    refuse_uncertified(certificate, options)
    sample = HyperparameterSample(
        reported(spec, found.phi),
        found.sample.weights,
        found.sample.pareto_k,
        log_likelihood_of(found.sample, hyperpriors),
    )
    size = draws_to_average([found.marginal])
    kept = kept_of(sample.weights, size)
    rows = rng.permutation(summary.joint_draws)
    progress.advance(4, STEPS, "posteriors of the neurons")
    phi = take(found.phi, kept.points)
    population = Population(spec, tally, problem, found.marginal, sample)
    members = population.integrate(phi, kept, rows, priors, summary, options.seed)
    progress.advance(5, STEPS, "densities of what is left out")
    left_out = leave_out_by_lattice(tally, problem, found, granted_cores(options.cores))
    if left_out is None:
        fewer = kept_of(sample.weights, min(size, draws_left_out(tally.n_neurons)))
        phi_left_out = take(found.phi, fewer.points)
        refit = partial(find_again, problem, found, rng)
        left_out = leave_out(
            tally, found.marginal, phi_left_out, fewer.weights, members.trials, refit
        )
    drawn = take(phi, members.draw_of)
    draws = _joint_draws(spec, tally, drawn, members.theta, members.delta)
    if members.response is not None:
        response, labels = members.response[np.newaxis], tally.response_labels
        draws = replace(draws, response=response, response_labels=labels)
    quadrature = Quadrature(sample, certificate, left_out, members.marginals, members.responses)
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
    family, levels = family_of(spec), levels_of(spec, priors)
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
    family = family_of(spec)
    merged = merge(tally)
    likelihood = SharedLikelihood(family, family.statistics(merged))
    sample, phi = find_shared_hyperposterior(hyperpriors, likelihood, start, rng)
    certificate = certify_sample(sample, tally.n_neurons)
    refuse_uncertified(certificate, options)
    hyperparameters = HyperparameterSample(
        reported(spec, phi),
        sample.weights,
        sample.pareto_k,
        log_likelihood_of(sample, hyperpriors),
    )
    copies = copies_of(sample.weights, summary.joint_draws)
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
        certificate,
        leave_out_shared(family, tally, merged, hyperpriors, sample),
        shared_marginals(spec, tally, draws, hyperparameters, priors, summary),
    )
    return Posterior(draws, quadrature)


def refuse_uncertified(certificate: Certificate, options: EngineOptions) -> None:
    """Refuse a posterior that did not pass its checks, where another engine can be tried.

    Raises
    ------
    UncertifiedError
    """
    if certificate.problems and options.engine == "auto":
        raise UncertifiedError(certificate)


def log_likelihood_of(sample: WeightedSample, hyperpriors: HyperpriorFunctions) -> FloatArray:
    """Return ln p(y | hyperparameters) at every point with a weight, else NaN; shape (D,)."""
    log_prior, _ = hyperpriors.at(sample.points)
    log_density, weighed = np.asarray(sample.log_density), sample.weights > 0
    return np.where(weighed, log_density, np.nan) - np.where(weighed, log_prior, np.nan)


def reported(spec: ModelSpec, phi: Hyperparameters) -> dict[str, FloatArray]:
    """Return the hyperparameters under the names of the PyMC model's variables."""
    name = family_of(spec).dispersion_name
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

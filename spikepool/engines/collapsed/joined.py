"""Groups that labels within them join, on one page: from a tally to a certified posterior."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.engines.collapsed.certificate import (
    MOST_CHECKED,
    IntegralErrors,
    integral_errors,
    judge,
)
from spikepool.engines.collapsed.engine import problem_of, refuse_uncertified, reported
from spikepool.engines.collapsed.joined_search import (
    FoundJoined,
    Pair,
    begin_pair,
    find_joined,
    guide_of,
)
from spikepool.engines.collapsed.leave_out import leave_out
from spikepool.engines.collapsed.levels import take
from spikepool.engines.collapsed.marginal_likelihood import MarginalLikelihood
from spikepool.engines.collapsed.members import (
    Kept,
    Members,
    Population,
    draws_left_out,
    draws_to_average,
    kept_of,
)
from spikepool.engines.collapsed.model import compile_hyperpriors
from spikepool.engines.collapsed.search import STEPS, first_guess
from spikepool.engines.cores import granted_cores
from spikepool.engines.seeds import model_seed
from spikepool.models.graph import hyperparameter_names, population_variables
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.models.within import entries_of
from spikepool.posterior.draws import Posterior, PosteriorDraws
from spikepool.posterior.groups import Part, merge_left_out
from spikepool.posterior.quadrature import (
    Certificate,
    HyperparameterSample,
    JoinedQuadrature,
    LeaveOut,
    Quadrature,
)
from spikepool.posterior.summary import SummaryOptions
from spikepool.posterior.within import parts_of_pairs
from spikepool.progress import Progress

_FEWEST_CHECKED = 16


@dataclass(frozen=True)
class _Integrated:
    """The neurons of one pair."""

    part: Part
    members: Members
    left_out: LeaveOut
    sample: HyperparameterSample


def integrate_joined(
    spec: ModelSpec,
    tally: Tally,
    priors: Priors,
    options: EngineOptions,
    summary: SummaryOptions,
    progress: Progress,
) -> Posterior:
    """Compute the posterior of joined groups, with every neuron's own parameters integrated out.

    Parameters
    ----------
    spec : ModelSpec
        With labels within groups.
    tally : Tally
    priors : Priors
    options : EngineOptions
        Nothing depends on `cores`.
    summary : SummaryOptions
    progress : Progress

    Returns
    -------
    Posterior
        With a `JoinedQuadrature`.

    Raises
    ------
    UncertifiedError
        With the engine ``auto``, where a check failed.
    """
    alone, seed = replace(spec, within=None), model_seed(options.seed, spec)
    parts = parts_of_pairs(tally)
    progress.advance(1, STEPS, "likelihoods of the neurons")
    pairs = list(_pairs(alone, tally, parts, priors, granted_cores(options.cores)))
    found = find_joined(spec, tally, priors, pairs, options, seed, progress)
    progress.advance(3, STEPS, "certificate")
    certificate = _certified(found, pairs, parts, tally.n_neurons, granted_cores(options.cores))
    refuse_uncertified(certificate, options)
    rng = np.random.default_rng([seed, 2])
    rows = rng.permutation(summary.joint_draws)
    marginals = [_marginal(pair) for pair in pairs]
    kept = kept_of(found.weights, draws_to_average(marginals))
    progress.advance(4, STEPS, "posteriors of the neurons")
    each = [
        _integrated(alone, pair, part, found, place, kept, rows, priors, summary, options.seed)
        for place, (pair, part) in enumerate(zip(pairs, parts, strict=True))
    ]
    return _assembled(spec, tally, found, certificate, kept, each)


def _pairs(
    alone: ModelSpec, tally: Tally, parts: tuple[Part, ...], priors: Priors, cores: int
) -> Iterator[Pair]:
    """State the problem of every pair, and find where its mode is."""
    hyperpriors, names = compile_hyperpriors(alone, priors), hyperparameter_names(alone)
    guides = []
    for group in range(len(tally.groups)):
        of_group = tally.of_group(group)
        problem = problem_of(alone, of_group, priors, hyperpriors)
        guides.append(guide_of(names, problem, first_guess(hyperpriors, of_group), cores))
    for group, part in zip(tally.pairs.group, parts, strict=True):
        guide, own = guides[group], part.tally
        problem = problem_of(alone, own, priors, guide.as_hyperpriors())
        log_rate = np.log((own.spike_count + 0.5) / own.total_exposure)
        yield begin_pair(problem, guide, float(log_rate.mean()), cores)


def _marginal(pair: Pair) -> MarginalLikelihood:
    assert pair.marginal is not None  # noqa: S101 - made with the first draws
    return pair.marginal


def _certified(
    found: FoundJoined, pairs: list[Pair], parts: tuple[Part, ...], n_neurons: int, cores: int
) -> Certificate:
    """Check the integrals of some neurons of every pair, and the sample of all hyperparameters."""
    errors = IntegralErrors(np.full(n_neurons, np.nan), np.full(n_neurons, np.nan))
    most = max(_FEWEST_CHECKED, 2 * MOST_CHECKED // len(pairs))
    for pair, part, phi in zip(pairs, parts, found.phi, strict=True):
        own = integral_errors(pair.problem, _marginal(pair), phi, found.weights, cores, most)
        errors.refinement[part.neurons] = own.refinement
        errors.direct[part.neurons] = own.direct
    return judge(errors, found.pareto_k, found.ess, found.outside, found.chains)


def _integrated(
    alone: ModelSpec,
    pair: Pair,
    part: Part,
    found: FoundJoined,
    place: int,
    kept: Kept,
    rows: IntArray,
    priors: Priors,
    summary: SummaryOptions,
    seed: int,
) -> _Integrated:
    phi, marginal = found.phi[place], _marginal(pair)
    sample = HyperparameterSample(reported(alone, phi), found.weights, found.pareto_k)
    population = Population(alone, part.tally, pair.problem, marginal, sample)
    members = population.integrate(take(phi, kept.points), kept, rows, priors, summary, seed)
    fewer = kept_of(found.weights, min(len(kept.points), draws_left_out(len(part.neurons))))
    left_out = leave_out(
        part.tally, marginal, take(phi, fewer.points), fewer.weights, members.trials, None
    )
    return _Integrated(part, members, left_out, sample)


def _assembled(
    spec: ModelSpec,
    tally: Tally,
    found: FoundJoined,
    certificate: Certificate,
    kept: Kept,
    each: list[_Integrated],
) -> Posterior:
    """Put the neurons of all pairs into the table's order."""
    parts = [one.part for one in each]
    members = [one.members for one in each]
    order = np.argsort(np.concatenate([part.neurons for part in parts]), kind="stable")
    of_responses = np.argsort(np.concatenate([part.responses for part in parts]), kind="stable")
    named = _named(found, spec, tally)
    chosen = kept.points[members[0].draw_of]
    responses = [one.response for one in members if one.response is not None]
    draws = PosteriorDraws(
        spec=spec,
        engine="collapsed",
        neurons=tally.neurons,
        population={name: values[np.newaxis, chosen] for name, values in named.items()},
        theta=np.hstack([one.theta for one in members])[np.newaxis, :, order],
        delta=(
            None
            if spec.dispersion_pooling is None
            else np.hstack([one.delta for one in members])[np.newaxis, :, order]
        ),
        response=np.hstack(responses)[np.newaxis, :, of_responses] if responses else None,
        response_labels=tally.response_labels if responses else (),
    )
    quadrature = JoinedQuadrature(
        hyperparameters=HyperparameterSample(named, found.weights, found.pareto_k),
        certificate=certificate,
        leave_out=merge_left_out(parts, [one.left_out for one in each]),
        pairs=tuple(
            Quadrature(
                one.sample, certificate, one.left_out, one.members.marginals, one.members.responses
            )
            for one in each
        ),
    )
    return Posterior(draws, quadrature)


def _named(found: FoundJoined, spec: ModelSpec, tally: Tally) -> dict[str, FloatArray]:
    """Name the draws of every hyperparameter and effect; each of shape (D,)."""
    variables = {name: found.draws[name][np.newaxis] for name in population_variables(spec)}
    return {name: values[0] for name, values in entries_of(variables, spec, tally)}

"""From the name of an engine to its posterior."""

from dataclasses import replace
from typing import assert_never

from spikepool.config import EngineOptions
from spikepool.data.tally import Tally
from spikepool.engines.collapsed.engine import (
    UncertifiedError,
    integrate_posterior,
    is_collapsible,
)
from spikepool.engines.collapsed.joined import integrate_joined
from spikepool.engines.collapsed.tuned_lattice import TooWideError
from spikepool.engines.nuts import sample_posterior
from spikepool.errors import NotConvergedError
from spikepool.models.plan import refuse_collapsed
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import Posterior
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Progress

LEAST_JOINED = 2000
"""Neurons, or neurons × conditions, of groups that labels join from which on integrals are quicker
than chains of all parameters."""


def compute_posterior(
    spec: ModelSpec,
    tally: Tally,
    priors: Priors,
    options: EngineOptions,
    summary: SummaryOptions,
    progress: Progress,
) -> Posterior:
    """Compute the posterior of one model with the engine asked for.

    Parameters
    ----------
    spec : ModelSpec
    tally : Tally
    priors : Priors
    options : EngineOptions
        With the engine ``auto``, what fails the collapsed engine's own checks is sampled by
        ``nuts``, and the posterior's notes say so.
    summary : SummaryOptions
        What the collapsed engine computes exactly.
    progress : Progress

    Returns
    -------
    Posterior

    Raises
    ------
    UsageError
        If the engine `collapsed` is asked for a model that it does not have.
    NotConvergedError
        If it is asked for one that it has no room for.
    """
    refuse_collapsed(options, spec)
    match options.engine:
        case "nuts":
            return _sampled(spec, tally, priors, options, progress)
        case "collapsed":
            try:
                return _integrated(spec, tally, priors, options, summary, progress)
            except TooWideError as failed:
                hint = "leave --engine at auto, or give --engine nuts"
                raise NotConvergedError(f"{spec.label}: {failed}", hint) from failed
        case "auto":
            reason = _reason_to_sample(spec, tally)
            if reason is not None:
                sampled = _sampled(spec, tally, priors, options, progress)
                return replace(sampled, notes=(f"sampled by nuts: {reason}",))
            try:
                return _integrated(spec, tally, priors, options, summary, progress)
            except UncertifiedError as failed:
                sampled = _sampled(spec, tally, priors, options, progress)
                note = f"sampled by nuts, since the collapsed engine did not pass: {failed}"
                return replace(sampled, notes=(*failed.certificate.notes, note))
            except TooWideError as failed:
                sampled = _sampled(spec, tally, priors, options, progress)
                return replace(sampled, notes=(f"sampled by nuts: {failed}",))
    assert_never(options.engine)


def _reason_to_sample(spec: ModelSpec, tally: Tally) -> str | None:
    """Say why NUTS is the better engine, or the only one; None where it is not."""
    if spec.coupling is not None:
        return spec.coupling
    if not is_collapsible(spec):
        return "with conditions and a parameter that all neurons share"
    size = tally.responses.size if spec.is_tuned else tally.n_neurons
    if spec.within is not None and size < LEAST_JOINED:
        return "labels within groups join neurons of all groups, and these are few enough for it"
    return None


def _integrated(
    spec: ModelSpec,
    tally: Tally,
    priors: Priors,
    options: EngineOptions,
    summary: SummaryOptions,
    progress: Progress,
) -> Posterior:
    integrate = integrate_posterior if spec.within is None else integrate_joined
    return integrate(spec, tally, priors, options, summary, progress)


def _sampled(
    spec: ModelSpec, tally: Tally, priors: Priors, options: EngineOptions, progress: Progress
) -> Posterior:
    return Posterior(sample_posterior(spec, tally, priors, options, progress))

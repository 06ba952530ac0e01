"""Estimates of every neuron's response to every condition."""

from collections.abc import Iterator, Sequence

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.models.families import family_of
from spikepool.models.priors import RATE_SD
from spikepool.posterior.draws import Posterior, PosteriorDraws
from spikepool.posterior.quadrature import Quadrature
from spikepool.posterior.results import ResponseEstimates, Summary
from spikepool.posterior.summary import SummaryOptions, error_of_mean, summarise

_VALUES_AT_ONCE = 4_000_000


def summarise_responses(
    posterior: Posterior, tally: Tally, options: SummaryOptions
) -> ResponseEstimates:
    """Summarise every response: from its exact marginal where there is one, else from draws.

    Parameters
    ----------
    posterior : Posterior
        Of a model in which conditions make a difference.
    tally : Tally
    options : SummaryOptions

    Returns
    -------
    ResponseEstimates
    """
    responses, each = tally.responses, tally.by_response()
    known = posterior.quadrature
    marginals = known.responses if isinstance(known, Quadrature) else None
    parts = [
        _of_draws(posterior.draws, each, responses.neuron, some, options)
        for some in _chunks(responses.size, len(posterior.draws.flat_theta))
    ]
    weight, rate, log_rate, fano = map(_joined, zip(*(part[0] for part in parts), strict=True))
    above = np.concatenate([part[1] for part in parts])
    has_dispersion = family_of(posterior.draws.spec).has_dispersion
    return ResponseEstimates(
        neuron=responses.neuron,
        condition=responses.condition,
        n_trials=each.n_trials,
        exposure=each.total_exposure,
        spike_count=each.spike_count,
        rate_raw=each.spike_count / each.total_exposure,
        rate=marginals.rate if marginals else rate,
        log_rate=marginals.log_rate if marginals else log_rate,
        log_rate_mcse=marginals.log_rate_mcse if marginals else _errors(posterior.draws),
        own_weight=weight,
        fano=(marginals.fano if marginals else fano) if has_dispersion else None,
        prob_fano_above=(
            (marginals.prob_fano_above if marginals else above) if has_dispersion else None
        ),
    )


def tuning_sds(draws: PosteriorDraws) -> FloatArray:
    """Draws of ω, the sd between conditions or blocks; shape (draws,)."""
    if draws.spec.condition_pooling == "partial":
        return draws.flat(draws.spec.response_sd)
    return np.full(len(draws.flat_theta), RATE_SD)


def _of_draws(
    draws: PosteriorDraws, each: Tally, neuron: IntArray, some: slice, options: SummaryOptions
) -> tuple[tuple[Summary, Summary, Summary, Summary], FloatArray]:
    """Own weight, rate, log rate, Fano factor and P(Fano > threshold) of some responses."""
    family = family_of(draws.spec)
    part = each.of_neurons(some)
    assert draws.response is not None  # noqa: S101
    theta = draws.response[..., some].reshape(-1, part.n_neurons).astype(np.float64)
    delta = np.zeros_like(theta)
    if draws.delta is not None:
        delta = draws.delta[..., neuron[some]].reshape(theta.shape).astype(np.float64)
    information = family.information(theta, delta, family.statistics(part))
    squared = tuning_sds(draws)[:, np.newaxis] ** 2
    fano = family.fano(theta, delta, part.mean_exposure)
    weight = information * squared / (1 + information * squared)
    summaries = (
        summarise(weight, options.interval),
        summarise(np.exp(theta), options.interval),
        summarise(theta, options.interval),
        summarise(fano, options.interval),
    )
    return summaries, np.mean(fano > options.fano_threshold, axis=0)


def _errors(draws: PosteriorDraws) -> FloatArray:
    """Monte Carlo standard error of every mean log rate, from chains; shape (R,)."""
    assert draws.response is not None  # noqa: S101
    response = draws.response
    chunks = _chunks(response.shape[-1], response.shape[0] * response.shape[1])
    return np.concatenate([error_of_mean(response[..., some]) for some in chunks])


def _chunks(n_responses: int, n_draws: int) -> Iterator[slice]:
    size = max(1, _VALUES_AT_ONCE // n_draws)
    for start in range(0, n_responses, size):
        yield slice(start, min(start + size, n_responses))


def _joined(parts: Sequence[Summary]) -> Summary:
    columns = zip(*((p.mean, p.median, p.sd, p.lower, p.upper) for p in parts), strict=True)
    return Summary(*(np.concatenate(column) for column in columns))

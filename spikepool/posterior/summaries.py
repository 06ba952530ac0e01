"""From joint draws to what is reported: rates, own weights, dispersions and hyperparameters."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.data.tally import Tally
from spikepool.models.families import family_of
from spikepool.models.populations import POPULATIONS
from spikepool.models.prior_density import density_of
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import Posterior, PosteriorDraws
from spikepool.posterior.quadrature import NeuronMarginals, Quadrature
from spikepool.posterior.responses import summarise_responses, tuning_sds
from spikepool.posterior.results import (
    DispersionEstimates,
    DispersionSource,
    NeuronEstimates,
    Summary,
)
from spikepool.posterior.shrinkage import conditional_variance, fitted_on, rate_variance, unbounded
from spikepool.posterior.summary import SummaryOptions, error_of_mean, summarise
from spikepool.posterior.tuning import mean_over_conditions, tuning_strength

_VALUES_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class _Population:
    """Level 2 as drawn: centre, scale and hyperparameters of a neuron-level parameter."""

    centre: FloatArray
    scale: FloatArray
    hyperparameters: tuple[FloatArray, ...]


def summarise_neurons(
    posterior: Posterior, tally: Tally, priors: Priors, options: SummaryOptions
) -> NeuronEstimates:
    """Summarise every neuron's posterior: from its exact marginals where there are, else draws.

    Parameters
    ----------
    posterior : Posterior
    tally : Tally
    priors : Priors
        The priors of the fit.
    options : SummaryOptions

    Returns
    -------
    NeuronEstimates
    """
    draws = posterior.draws
    known = posterior.quadrature
    marginals = known.marginals if isinstance(known, Quadrature) else None
    weight = _own_weights(draws, tally, priors, options, marginals)
    theta = log_rates(draws, tally)
    response = draws.flat_response
    return NeuronEstimates(
        spec=draws.spec,
        neurons=tally.neurons,
        rate_unit=tally.rate_unit,
        n_trials=tally.n_trials,
        exposure=tally.total_exposure,
        spike_count=tally.spike_count,
        rate_raw=_raw_rates(draws.spec, tally),
        rate=marginals.rate if marginals else summarise(np.exp(theta), options.interval),
        log_rate=marginals.log_rate if marginals else summarise(theta, options.interval),
        log_rate_mcse=(
            marginals.log_rate_mcse
            if marginals
            else error_of_mean(theta.reshape(*draws.theta.shape))
        ),
        own_weight=weight.kappa,
        realised_weight=weight.realised,
        mse_ratio=weight.mse_ratio,
        dispersion=(
            marginals.dispersion if marginals else _dispersion(draws, tally, priors, options)
        ),
        tuning=(
            None
            if response is None
            else summarise(tuning_strength(tally, response), options.interval)
        ),
        responses=None if response is None else summarise_responses(posterior, tally, options),
    )


def log_rates(draws: PosteriorDraws, tally: Tally) -> FloatArray:
    """Draws of every neuron's log rate, with conditions of the mean rate; shape (draws, N)."""
    response = draws.flat_response
    if response is None:
        return draws.flat_theta
    return np.log(mean_over_conditions(tally, np.exp(response)))


def _raw_rates(spec: ModelSpec, tally: Tally) -> FloatArray:
    if not spec.is_tuned:
        return np.asarray(tally.spike_count / tally.total_exposure)
    each = tally.by_response()
    return mean_over_conditions(tally, each.spike_count / each.total_exposure)


@dataclass(frozen=True)
class _Weights:
    kappa: Summary
    realised: FloatArray
    mse_ratio: FloatArray


def _own_weights(
    draws: PosteriorDraws,
    tally: Tally,
    priors: Priors,
    options: SummaryOptions,
    marginals: NeuronMarginals | None,
) -> _Weights:
    """κ, realised weight and MSE ratio of every neuron (see `design/models.md`)."""
    n = tally.n_neurons
    if draws.spec.pooling == "complete":
        zero = np.zeros(n)
        return _Weights(Summary(zero, zero, zero, zero, zero), zero, zero)
    population = _rate_population(draws, priors)
    parts = [
        _own_weights_of(draws, tally, population, neurons, options.interval, marginals)
        for neurons in _chunks(n, len(draws.flat_theta))
    ]
    kappas = (part.kappa for part in parts)
    columns = zip(*((k.mean, k.median, k.sd, k.lower, k.upper) for k in kappas), strict=True)
    return _Weights(
        kappa=Summary(*(np.concatenate(column) for column in columns)),
        realised=np.concatenate([part.realised for part in parts]),
        mse_ratio=np.concatenate([part.mse_ratio for part in parts]),
    )


def _own_weights_of(
    draws: PosteriorDraws,
    tally: Tally,
    population: _Population,
    neurons: slice,
    interval: float,
    marginals: NeuronMarginals | None,
) -> _Weights:
    """Weigh a slice of the neurons."""
    theta = draws.flat_theta[:, neurons]
    information = _information(draws, tally, neurons)
    tau_squared = population.scale[:, np.newaxis] ** 2
    kappa = summarise(information * tau_squared / (1 + information * tau_squared), interval)
    if marginals is not None:
        mse_ratio = np.mean(marginals.rate_variance[:, neurons] * information, axis=0)
        return _Weights(kappa, marginals.realised_weight[neurons], mse_ratio)
    phi = population.hyperparameters
    variance = rate_variance(theta, population.centre, population.scale, information, phi)
    information_given_population = fitted_on(information, phi)
    return _Weights(
        kappa=kappa,
        realised=np.clip(1 - np.mean(variance / tau_squared, axis=0), 0.0, 1.0),
        mse_ratio=np.mean(variance * np.maximum(information_given_population, 0.0), axis=0),
    )


def _information(draws: PosteriorDraws, tally: Tally, neurons: slice) -> FloatArray:
    """1/σ_i² about the neurons' own log rates; shape (draws, n).

    With conditions 1/Σ_c 1/(ω² + σ_ic²): a response tells of the neuron's rate up to its spread.
    """
    family, part = family_of(draws.spec), tally.of_neurons(neurons)
    theta, delta = draws.flat_theta[:, neurons], draws.flat_delta
    delta = np.zeros_like(theta) if delta is None else delta[:, neurons]
    response = draws.flat_response
    if response is None:
        return family.information(theta, delta, family.statistics(part))
    own = tally.responses.neuron
    where = slice(*np.searchsorted(own, [neurons.start, neurons.stop]).tolist())
    of, each = part.responses.neuron, family.statistics(part.by_response())
    information = family.information(response[:, where], delta[:, of], each)
    first = np.searchsorted(of, np.arange(part.n_neurons))
    squared = tuning_sds(draws)[:, np.newaxis] ** 2
    return np.asarray(np.add.reduceat(information / (1 + information * squared), first, axis=1))


def _chunks(n_neurons: int, n_draws: int) -> Iterator[slice]:
    size = max(1, _VALUES_AT_ONCE // n_draws)
    for start in range(0, n_neurons, size):
        yield slice(start, min(start + size, n_neurons))


def _rate_population(draws: PosteriorDraws, priors: Priors) -> _Population:
    n_draws = len(draws.flat_theta)
    hyperparameters = unbounded(_flat(draws))
    if draws.spec.pooling == "partial":
        population = POPULATIONS[draws.spec.population]
        own = {name: draws.flat(name) for name in population.hyperparameters}
        return _Population(population.centre(**own), population.sd(**own), hyperparameters)
    fixed = np.full(n_draws, priors.theta.mean), np.full(n_draws, priors.theta.sd)
    return _Population(*fixed, hyperparameters)


def _flat(draws: PosteriorDraws) -> dict[str, FloatArray]:
    """Every hyperparameter over all chains; shape (draws,)."""
    return {name: draws.flat(name) for name in draws.population}


def _dispersion(
    draws: PosteriorDraws, tally: Tally, priors: Priors, options: SummaryOptions
) -> DispersionEstimates | None:
    theta, delta = log_rates(draws, tally), draws.flat_delta
    if delta is None:
        return None
    family = family_of(draws.spec)
    exposure = tally.mean_exposure
    fano = family.fano(theta, delta, exposure)
    return DispersionEstimates(
        gain_sd=summarise(family.gain_sd(theta, delta, exposure), options.interval),
        fano=summarise(fano, options.interval),
        prob_fano_above=np.mean(fano > options.fano_threshold, axis=0),
        log_dispersion=summarise(delta, options.interval),
        source=_sources(draws, delta, priors),
    )


def _sources(
    draws: PosteriorDraws, delta: FloatArray, priors: Priors
) -> tuple[DispersionSource, ...]:
    """Tell what decides δ: 1 − Var(δ|y, φ)/τ_δ² above ½ is the data, below 0.1 the prior."""
    if draws.spec.dispersion_pooling == "partial":
        centre, scale = draws.flat("mu_delta"), draws.flat("tau_delta")
        standardised = (delta - centre[:, np.newaxis]) / scale[:, np.newaxis]
        share = conditional_variance(standardised, unbounded(_flat(draws))).mean(axis=0)
    else:
        share = delta.var(axis=0) / prior_sd_of_log_dispersion(draws.spec, priors) ** 2
    return dispersion_sources(share)


def prior_sd_of_log_dispersion(spec: ModelSpec, priors: Priors) -> float:
    """Prior sd of δ where it has no population; π/√8 under the default, half-normal."""
    prior = priors.of(family_of(spec).dispersion_name)
    return density_of(prior, of_logarithm=True).sd


def dispersion_sources(share: FloatArray) -> tuple[DispersionSource, ...]:
    """Tell what decides each δ, from the share of its prior variance that is left."""
    return tuple("data" if s < 0.5 else "mixed" if s <= 0.9 else "prior" for s in share.tolist())

"""From averaged densities to what is reported of every neuron."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.engines.collapsed.levels import Hyperparameters
from spikepool.engines.collapsed.marginals import Mixture
from spikepool.engines.collapsed.response_marginals import ResponseMixture
from spikepool.models.families import family_of
from spikepool.models.families.interface import Direction
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import PosteriorDraws
from spikepool.posterior.quadrature import (
    HyperparameterSample,
    NeuronMarginals,
    ResponseMarginals,
)
from spikepool.posterior.results import DispersionEstimates, Summary
from spikepool.posterior.shrinkage import fitted_on, unbounded
from spikepool.posterior.summaries import dispersion_sources, prior_sd_of_log_dispersion
from spikepool.posterior.summary import SummaryOptions
from spikepool.posterior.tuning import mean_over_conditions
from spikepool.posterior.weighted import weighted_quantiles, weighted_summary

_VALUES_AT_ONCE = 4_000_000


def neuron_marginals(
    spec: ModelSpec,
    tally: Tally,
    mixture: Mixture,
    hyperparameters: HyperparameterSample,
    priors: Priors,
    options: SummaryOptions,
    draw_of: IntArray,
) -> NeuronMarginals:
    """Put the mixtures into the form that is reported.

    Parameters
    ----------
    spec : ModelSpec
    tally : Tally
    mixture : Mixture
    hyperparameters : HyperparameterSample
    priors : Priors
    options : SummaryOptions
    draw_of : ndarray of int64, shape (S,)
        Index of the φ of every joint draw.
    """
    error = mixture.error_theta
    if spec.pooling == "complete":
        error = _shared_error(hyperparameters, tally.n_neurons)
        log_rate = _repeated(_shared(hyperparameters, "mu", options), tally.n_neurons)
        rate = _repeated(_shared(hyperparameters, "mu", options, np.exp), tally.n_neurons)
    else:
        log_rate = _summary(mixture.theta, mixture.theta_quantiles)
        rate = _where_it_exists(_summary(mixture.rate, np.exp(mixture.theta_quantiles)))
    return NeuronMarginals(
        rate=rate,
        log_rate=log_rate,
        dispersion=_dispersion(spec, tally, mixture, hyperparameters, priors, options),
        realised_weight=np.clip(1 - mixture.shared_theta, 0.0, 1.0),
        rate_variance=mixture.variances.T[draw_of].astype(np.float32),
        log_rate_mcse=error,
    )


def response_marginals(
    spec: ModelSpec,
    tally: Tally,
    mixture: ResponseMixture,
    of_neurons: Mixture,
    error: FloatArray,
) -> ResponseMarginals:
    """Put the mixtures of the responses into the form that is reported.

    Parameters
    ----------
    spec : ModelSpec
    tally : Tally
    mixture : ResponseMixture
    of_neurons : Mixture
    error : ndarray, shape (R,)
        Of the means of θ (see `error_of_responses`).
    """
    rate = _summary(mixture.rate, np.exp(mixture.theta_quantiles))
    excess = family_of(spec).log_excess_fano
    fano = above = None
    if excess is not None:
        neuron = tally.responses.neuron
        design = excess.of_design(tally.by_response().mean_exposure[:, np.newaxis])
        own = mixture.sum_quantiles
        if excess.theta == 0:
            own, above = excess.delta * of_neurons.delta_quantiles[neuron], of_neurons.delta_above
            above = above[neuron]
        else:
            above = mixture.above
        fano = _quantiles_only(1 + np.exp(own + design))
    return ResponseMarginals(
        rate=_where_it_exists(rate),
        log_rate=_summary(mixture.theta, mixture.theta_quantiles),
        log_rate_mcse=error,
        fano=fano,
        prob_fano_above=above,
    )


def error_of_responses(
    response: NDArray[np.float32], phi: Hyperparameters, weights: FloatArray
) -> FloatArray:
    """Monte Carlo standard error of the mean of every response's θ, from the finite number of φ.

    √(Σ w² Var_φ E[θ|φ]), with E[θ|φ] by the regression of `posterior.shrinkage` on the joint draws:
    what that takes for signal by chance makes the error larger, by up to about a seventh of that of
    as many draws of θ itself.

    Parameters
    ----------
    response : ndarray of float32, shape (S, R)
        Joint draws.
    phi : dict of str to ndarray, shape (S,)
        Of every draw.
    weights : ndarray, shape (D,)
        Of the φ that were averaged over.

    Returns
    -------
    ndarray, shape (R,)
    """
    free, (n_draws, size) = unbounded(phi), response.shape
    step = max(1, _VALUES_AT_ONCE // n_draws)
    variances = [
        fitted_on(response[:, i : i + step].astype(np.float64), free).var(axis=0)
        for i in range(0, size, step)
    ]
    return np.asarray(np.sqrt(np.sum(weights**2) * np.concatenate(variances)))


def mixture_of_rates(
    tally: Tally,
    mixture: Mixture,
    responses: ResponseMixture,
    drawn: NDArray[np.float32],
    masses: FloatArray,
) -> Mixture:
    """Return the neurons' mixture with the log of their mean rate over conditions in place of θ.

    The mean of the rate is exact; its sd, and all of its logarithm, are those of the joint draws.

    Parameters
    ----------
    tally : Tally
    mixture : Mixture
    responses : ResponseMixture
    drawn : ndarray of float32, shape (S, R)
        Joint draws of the responses.
    masses : ndarray, shape (M,)
    """
    rate = mean_over_conditions(tally, np.exp(drawn.astype(np.float64)))
    log_rate = np.log(rate)
    sd = log_rate.std(axis=0, ddof=1)
    return replace(
        mixture,
        theta=(log_rate.mean(axis=0), sd),
        rate=(mean_over_conditions(tally, responses.rate[0]), rate.std(axis=0, ddof=1)),
        theta_quantiles=np.quantile(log_rate, masses, axis=0).T,
        error_theta=np.sqrt(mixture.error_theta**2 + sd**2 / len(rate)),
        theta_draws=log_rate.astype(np.float32),
    )


def shared_marginals(
    spec: ModelSpec,
    tally: Tally,
    draws: PosteriorDraws,
    hyperparameters: HyperparameterSample,
    priors: Priors,
    options: SummaryOptions,
) -> NeuronMarginals:
    """Give every neuron the parameters that all share."""
    n = tally.n_neurons
    nothing = np.zeros(n)
    return NeuronMarginals(
        rate=_repeated(_shared(hyperparameters, "mu", options, np.exp), n),
        log_rate=_repeated(_shared(hyperparameters, "mu", options), n),
        dispersion=_shared_dispersion(spec, tally, hyperparameters, priors, options),
        realised_weight=nothing,
        rate_variance=np.zeros((draws.theta.shape[1], 1), dtype=np.float32),
        log_rate_mcse=_shared_error(hyperparameters, n),
    )


def _shared_dispersion(
    spec: ModelSpec,
    tally: Tally,
    sample: HyperparameterSample,
    priors: Priors,
    options: SummaryOptions,
) -> DispersionEstimates | None:
    family = family_of(spec)
    excess, gain = family.log_excess_fano, family.log_gain_sd
    if excess is None or gain is None:
        return None
    mu, delta = sample.values["mu"], np.log(sample.values[family.dispersion_name])
    log_dispersion = _repeated(
        weighted_summary(delta, sample.weights, options.masses), tally.n_neurons
    )
    exposure = tally.mean_exposure[:, np.newaxis]
    quantiles = {
        direction: weighted_quantiles(
            direction.theta * mu + direction.delta * delta, sample.weights, options.masses
        )
        + direction.of_design(exposure)
        for direction in (excess, gain)
    }
    of_excess = excess.theta * mu + excess.delta * delta
    with np.errstate(divide="ignore"):
        wanted = np.log(options.fano_threshold - 1) - excess.of_design(exposure)
    above = [float(np.sum(sample.weights[of_excess > each])) for each in wanted[:, 0]]
    share = (log_dispersion.sd / prior_sd_of_log_dispersion(spec, priors)) ** 2
    return DispersionEstimates(
        gain_sd=_quantiles_only(np.exp(quantiles[gain])),
        fano=_quantiles_only(1 + np.exp(quantiles[excess])),
        prob_fano_above=np.array(above),
        log_dispersion=log_dispersion,
        source=dispersion_sources(share),
    )


def _summary(moments: tuple[FloatArray, FloatArray], quantiles: FloatArray) -> Summary:
    return Summary(moments[0], quantiles[:, 1], moments[1], quantiles[:, 0], quantiles[:, 2])


def _where_it_exists(rate: Summary) -> Summary:
    """Leave out a mean that lies above the whole interval: the far tail alone decides it.

    Under a negative-binomial model a huge gain explains zeros at any rate, and the posterior mean
    of a silent neuron's rate need not exist.
    """
    exists = rate.mean < rate.upper
    mean, sd = np.where(exists, rate.mean, np.nan), np.where(exists, rate.sd, np.nan)
    return Summary(mean, rate.median, sd, rate.lower, rate.upper)


def _quantiles_only(quantiles: FloatArray) -> Summary:
    """Return a summary of a quantity whose mean and sd need not exist."""
    undefined = np.full(len(quantiles), np.nan)
    return Summary(undefined, quantiles[:, 1], undefined, quantiles[:, 0], quantiles[:, 2])


def _shared(
    sample: HyperparameterSample,
    name: str,
    options: SummaryOptions,
    transform: Callable[[FloatArray], FloatArray] | None = None,
) -> Summary:
    values = sample.values[name]
    return weighted_summary(
        transform(values) if transform else values, sample.weights, options.masses
    )


def _shared_error(sample: HyperparameterSample, n: int) -> FloatArray:
    """Monte Carlo error of the mean of μ, for every neuron."""
    mu, weights = sample.values["mu"], sample.weights
    departure = weights * (mu - np.sum(weights * mu))
    return np.full(n, np.sqrt(np.sum(departure**2)))


def _repeated(summary: Summary, n: int) -> Summary:
    """Give every neuron what all share."""
    parts = (summary.mean, summary.median, summary.sd, summary.lower, summary.upper)
    return Summary(*(np.repeat(part, n) for part in parts))


def _dispersion(
    spec: ModelSpec,
    tally: Tally,
    mixture: Mixture,
    hyperparameters: HyperparameterSample,
    priors: Priors,
    options: SummaryOptions,
) -> DispersionEstimates | None:
    family = family_of(spec)
    excess, gain = family.log_excess_fano, family.log_gain_sd
    if excess is None or gain is None:
        return None
    if spec.dispersion_pooling == "complete":
        shared = _shared(hyperparameters, family.dispersion_name, options, np.log)
        log_dispersion = _repeated(shared, tally.n_neurons)
        share = (log_dispersion.sd / prior_sd_of_log_dispersion(spec, priors)) ** 2
    else:
        log_dispersion = _summary(mixture.delta, mixture.delta_quantiles)
        share = mixture.shared_delta
    fano = 1 + np.exp(_direction_quantiles(excess, spec, tally, mixture, log_dispersion, options))
    gain_sd = np.exp(_direction_quantiles(gain, spec, tally, mixture, log_dispersion, options))
    return DispersionEstimates(
        gain_sd=_quantiles_only(gain_sd),
        fano=_quantiles_only(fano),
        prob_fano_above=_above(excess, spec, tally, mixture, options),
        log_dispersion=log_dispersion,
        source=dispersion_sources(share),
    )


def _known_by_draws(spec: ModelSpec) -> bool:
    """Whether θ and δ together are known by their joint draws alone."""
    return spec.is_tuned or "complete" in (spec.pooling, spec.dispersion_pooling)


def _direction_quantiles(
    direction: Direction,
    spec: ModelSpec,
    tally: Tally,
    mixture: Mixture,
    log_dispersion: Summary,
    options: SummaryOptions,
) -> FloatArray:
    """Quantiles of a logarithm that is linear in θ and δ; shape (N, M)."""
    design = direction.of_design(tally.mean_exposure[:, np.newaxis])
    if direction.theta == 0:
        of_delta = (log_dispersion.lower, log_dispersion.median, log_dispersion.upper)
        return direction.delta * np.stack(of_delta, axis=1) + design
    if not _known_by_draws(spec):
        return mixture.sum_quantiles + design
    drawn = _drawn(direction, mixture, tally)
    return np.quantile(drawn, options.masses, axis=0).T


def _drawn(direction: Direction, mixture: Mixture, tally: Tally) -> FloatArray:
    """Values at the joint draws; shape (S, N)."""
    theta, delta = mixture.theta_draws.astype(np.float64), mixture.delta_draws.astype(np.float64)
    return direction.at(theta, delta, tally.mean_exposure)


def _above(
    excess: Direction, spec: ModelSpec, tally: Tally, mixture: Mixture, options: SummaryOptions
) -> FloatArray:
    """P(Fano > threshold | y); shape (N,)."""
    if excess.theta == 0 and spec.dispersion_pooling != "complete":
        return mixture.delta_above
    if excess.theta != 0 and not _known_by_draws(spec):
        return mixture.above
    drawn = _drawn(excess, mixture, tally)
    return np.mean(np.exp(drawn) > options.fano_threshold - 1, axis=0)


def combination_of(spec: ModelSpec) -> tuple[float, float]:
    """Return a and b of the combination a θ + b δ that the family reports; zeros for none."""
    family = family_of(spec)
    for direction in (family.log_excess_fano, family.log_gain_sd):
        if direction is not None and direction.theta != 0:
            return direction.theta, direction.delta
    return 0.0, 0.0


def thresholds_of(
    spec: ModelSpec, tally: Tally, options: SummaryOptions
) -> tuple[FloatArray, FloatArray]:
    """Thresholds of that combination, and of δ, beyond which Fano exceeds its own; shape (N,)."""
    nowhere = np.full(tally.n_neurons, np.inf)
    excess = family_of(spec).log_excess_fano
    if excess is None:
        return nowhere, nowhere
    with np.errstate(divide="ignore"):
        wanted = np.log(options.fano_threshold - 1)
    own = wanted - excess.of_design(tally.mean_exposure)
    if excess.theta == 0:
        return nowhere, own / excess.delta
    return own, nowhere

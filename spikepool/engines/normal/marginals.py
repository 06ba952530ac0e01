"""Every θ_i by its closed form, averaged over a weighted sample of the hyperparameters."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spikepool.data.estimates import Estimates
from spikepool.data.spike_counts import FloatArray
from spikepool.engines.normal.request import NormalRequest
from spikepool.models.normal_normal import Conditional, condition, own_weights, variance_mixture
from spikepool.models.populations import POPULATIONS
from spikepool.models.spec import PopulationName
from spikepool.posterior.normal_mixture import NormalMixtures
from spikepool.posterior.results import Summary
from spikepool.posterior.weighted import systematic, weighted_quantiles, weighted_summary

_VALUES_AT_ONCE = 4_000_000
_MOST_VALUES = 8_000_000
"""Components × neurons of the mixtures; fewer hyperparameters are kept where it would be more."""
_NEGLIGIBLE = 1e-9
"""Mass of a mixture that components without weight in any neuron may take away with them."""


@dataclass(frozen=True)
class Marginals:
    """Of every neuron, in the table's own units; fields as those of `NormalPosterior`."""

    theta: Summary
    own_weight: Summary
    realised_weight: FloatArray
    mse_ratio: FloatArray
    mcse: FloatArray


def completely_pooled(theta: Summary, mcse: FloatArray) -> Marginals:
    """Return the marginals of neurons that have no weight of their own."""
    zero = np.zeros(len(mcse))
    return Marginals(theta, Summary(zero, zero, zero, zero, zero), zero, zero, mcse)


def shared_marginals(
    mu: FloatArray, weights: FloatArray, n_neurons: int, request: NormalRequest
) -> Marginals:
    """Return the marginals where every θ_i is μ.

    Parameters
    ----------
    mu, weights : ndarray, shape (D,)
    n_neurons : int
    request : NormalRequest

    Returns
    -------
    Marginals
    """
    one = weighted_summary(mu, weights, np.array(request.masses))
    theta = Summary(*(np.repeat(values, n_neurons) for values in vars(one).values()))
    error = np.sqrt(np.sum(weights**2 * (mu - one.mean) ** 2))
    return completely_pooled(theta, np.full(n_neurons, error))


def averaged_marginals(
    population: PopulationName,
    x: Estimates,
    phi: Mapping[str, FloatArray],
    weights: FloatArray,
    request: NormalRequest,
) -> Marginals:
    """Average the conditional posteriors over the hyperparameters, some neurons at a time.

    Parameters
    ----------
    population : {'normal', 'student-t'}
    x : Estimates
    phi : mapping of str to ndarray, shape (D,)
        ``mu`` and ``tau``.
    weights : ndarray, shape (D,)
    request : NormalRequest

    Returns
    -------
    Marginals
    """
    components = len(variance_mixture(population).factors)
    kept = weights > 1e-9
    most = max(256, _MOST_VALUES // (components * x.n_neurons))
    if kept.sum() > most:
        copies = np.bincount(systematic(weights, most, 0.5), minlength=len(weights))
        weights, kept = copies / most, copies > 0
    weights = weights[kept] / weights[kept].sum()
    mu, tau = phi["mu"][kept], phi["tau"][kept]
    size = max(1, _VALUES_AT_ONCE // (len(weights) * components))
    parts = [
        _averaged_part(population, some_neurons(x, i, i + size), mu, tau, weights, request)
        for i in range(0, x.n_neurons, size)
    ]
    return Marginals(
        theta=_joined([part.theta for part in parts]),
        own_weight=_joined([part.own_weight for part in parts]),
        realised_weight=np.concatenate([part.realised_weight for part in parts]),
        mse_ratio=np.concatenate([part.mse_ratio for part in parts]),
        mcse=np.concatenate([part.mcse for part in parts]),
    )


def some_neurons(x: Estimates, first: int, end: int) -> Estimates:
    """Return the estimates of the neurons from `first` up to `end`."""
    chosen = slice(first, end)
    return Estimates(x.neurons[chosen], x.estimate[chosen], x.standard_error[chosen])


def _joined(parts: list[Summary]) -> Summary:
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Summary(*(np.concatenate(column) for column in columns))


def _averaged_part(
    population: PopulationName,
    x: Estimates,
    mu: FloatArray,
    tau: FloatArray,
    weights: FloatArray,
    request: NormalRequest,
) -> Marginals:
    given = condition(x, population, mu, tau)
    mixtures = _mixtures(given, weights)
    lower, median, upper = (mixtures.quantiles(mass) for mass in request.masses)
    mean = mixtures.means()
    departure = given.total_mean - mean
    variance = given.total_variance
    spread = POPULATIONS[population].sd(mu=mu, tau=tau)[:, np.newaxis] ** 2
    return Marginals(
        theta=Summary(mean, median, mixtures.sds(), lower, upper),
        own_weight=_own_weight(population, x, tau, weights, request),
        realised_weight=1 - _mean(variance / spread, weights),
        mse_ratio=_mean(variance, weights) / x.standard_error**2,
        mcse=np.sqrt(_mean(departure**2, weights**2)),
    )


def _own_weight(
    population: PopulationName,
    x: Estimates,
    tau: FloatArray,
    weights: FloatArray,
    request: NormalRequest,
) -> Summary:
    """Summarise κ, whose quantiles are those of τ: it grows with τ."""
    kappa = own_weights(x, population, tau)
    mean = _mean(kappa, weights)
    ends = weighted_quantiles(tau, weights, np.array(request.masses))
    lower, median, upper = own_weights(x, population, ends)
    sd = np.sqrt(_mean((kappa - mean) ** 2, weights))
    return Summary(mean, median, sd, lower, upper)


def _mixtures(given: Conditional, weights: FloatArray) -> NormalMixtures:
    """Lay hyperparameters and components side by side; shape (at most D K, N)."""
    n_neurons = given.mean.shape[-1]
    weight = (given.weight * weights[:, np.newaxis, np.newaxis]).reshape(-1, n_neurons)
    felt = weight.max(axis=1) > _NEGLIGIBLE / len(weight)
    mean, variance = (part.reshape(-1, n_neurons)[felt] for part in (given.mean, given.variance))
    weight = weight[felt]
    return NormalMixtures(mean, np.sqrt(variance), weight / weight.sum(axis=0))


def _mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Σ_d w_d values_d; shape (N,)."""
    return np.asarray(np.sum(weights[:, np.newaxis] * values, axis=0))

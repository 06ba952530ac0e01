"""Where each neuron's parameters are centred: the choice between CP and NCP, made continuous.

The sampled variable of neuron i is x_i ~ N(w_i μ, τ^{w_i}) with θ_i = μ + τ^{1−w_i}(x_i − w_i μ):
w = 1 is the centred and w = 0 the non-centred parametrisation. The best w follows how much the
neuron's own data say, so that w_i = κ_i, its own weight (Papaspiliopoulos, Roberts & Sköld 2007;
Gorinova, Moore & Hoffman 2020). κ falls with τ, and the funnel that centring digs lies at the
smallest τ the data allow: w_i is κ_i there, at the first percentile of a quick approximation to the
posterior of τ. The same for δ. The choice changes the speed, not the posterior.

All this holds for any location-scale family, x_i = w_i μ + τ^{w_i} z_i, and so for a student-t
population. A gamma population has no such form: its rates are sampled as they are (w_i = 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.errors import UsageError
from spikepool.models.condition_effects import presented
from spikepool.models.families import CountFamily, family_of
from spikepool.models.populations import POPULATIONS
from spikepool.models.spec import ModelSpec
from spikepool.models.statistics import CountStatistics

type ParametrizationChoice = Literal["auto", "centered", "noncentered"]

LOW_SPREAD = 0.01
"""Quantile of τ at which own weights are taken."""
_SPREADS = np.geomspace(0.005, 4.0, 48)
_DELTAS = np.linspace(-5.0, 3.0, 81)
_CENTRES = np.linspace(-4.0, 1.0, 26)
_LEAST_RESOLVED = 0.1
"""Spread below which the grid of δ does not resolve a population."""


@dataclass(frozen=True)
class Parametrization:
    """How far each neuron's parameters are centred, from 0 (non-centred) to 1 (centred).

    Attributes
    ----------
    rate, dispersion : ndarray, shape (N,)
    response : ndarray, shape (R,), or None
        Of the responses to each condition; None where they are not parameters.
    condition : ndarray, shape (conditions − 1,), or None
        Of the contrasts that effects of conditions on all neurons are made of.
    """

    rate: FloatArray
    dispersion: FloatArray
    response: FloatArray | None = None
    condition: FloatArray | None = None


def choose_parametrization(
    spec: ModelSpec, tally: Tally, choice: ParametrizationChoice = "auto"
) -> Parametrization:
    """Choose each neuron's centring from its own counts.

    Parameters
    ----------
    spec : ModelSpec
    tally : Tally
    choice : {'auto', 'centered', 'noncentered'}

    Returns
    -------
    Parametrization

    Raises
    ------
    UsageError
        If a population is to be non-centred that cannot be.
    """
    if choice != "auto":
        if choice == "noncentered":
            _refuse_centred_population(spec)
        fixed = np.full(tally.n_neurons, float(choice == "centered"))
        responses = np.full(tally.responses.size, fixed[0]) if spec.is_tuned else None
        contrasts = len(presented(tally)) - 1
        effects = np.full(contrasts, fixed[0]) if spec.condition_effects else None
        return Parametrization(fixed, fixed, responses, effects)
    if spec.within is not None and len(tally.groups) > 1:
        return _of_groups(spec, tally)
    if spec.is_tuned:
        return _of_responses(spec, tally)
    family = family_of(spec)
    log_rate = np.log((tally.spike_count + 0.5) / tally.total_exposure)
    delta = dispersion_weight = np.zeros(tally.n_neurons)
    if family.has_dispersion:
        delta, dispersion_weight = _dispersion_weights(family, tally)
    variance = 1 / family.information(log_rate, delta, family.statistics(tally))
    rate = np.ones(tally.n_neurons)
    if POPULATIONS[spec.population].has_centring:
        rate = centring_of(log_rate, variance, _with_one_mean(spec, tally))
    return Parametrization(rate=rate, dispersion=dispersion_weight)


def _refuse_centred_population(spec: ModelSpec) -> None:
    if not POPULATIONS[spec.population].has_centring:
        raise UsageError(
            f"--parametrization noncentered: a {spec.population} population has no such form",
            "leave --parametrization at auto, or take --population normal",
        )


def _with_one_mean(spec: ModelSpec, tally: Tally) -> list[IntArray]:
    """Return the neurons of every label within the one group; none where all have one mean."""
    if spec.within is None:
        return []
    pair = tally.pairs.of_neuron
    return [np.flatnonzero(pair == each).astype(np.int64) for each in range(pair.max() + 1)]


def centring_of(
    estimate: FloatArray, variance: FloatArray, with_one_mean: Sequence[IntArray] = ()
) -> FloatArray:
    """Choose centrings from estimates of the neurons' parameters alone.

    Parameters
    ----------
    estimate, variance : ndarray, shape (N,)
        Each θ̂_i ~ N(μ, τ² + variance_i), in units in which τ ~ half-Cauchy(1).
    with_one_mean : sequence of ndarray of int64
        Places of the neurons that share a μ; empty: all share one.

    Returns
    -------
    ndarray, shape (N,)
        κ_i at the first percentile of τ.
    """
    log_posterior = -np.log1p(_SPREADS**2)
    for places in with_one_mean or (slice(None),):
        log_posterior = log_posterior + _log_evidence_of_spread(estimate[places], variance[places])
    tau_squared = _SPREADS[_low_spread(log_posterior)] ** 2
    return np.asarray(tau_squared / (tau_squared + variance))


def _log_evidence_of_spread(estimate: FloatArray, variance: FloatArray) -> FloatArray:
    """Log density of the estimates at every τ of `_SPREADS`, with a flat μ integrated out."""
    total = _SPREADS[:, np.newaxis] ** 2 + variance
    centre = np.sum(estimate / total, axis=1) / np.sum(1 / total, axis=1)
    squares = (estimate - centre[:, np.newaxis]) ** 2 / total
    log_density = -0.5 * np.sum(np.log(total) + squares, axis=1)
    return np.asarray(log_density - 0.5 * np.log(np.sum(1 / total, axis=1)))


def _of_groups(spec: ModelSpec, tally: Tally) -> Parametrization:
    """Choose the centrings of every group's neurons as if the group were alone."""
    chosen = [choose_parametrization(spec, tally.of_group(g)) for g in range(len(tally.groups))]
    order = np.argsort(np.argsort(tally.group, kind="stable"), kind="stable")
    response = None
    if spec.is_tuned:
        of_response = np.argsort(tally.group[tally.responses.neuron], kind="stable")
        response = np.empty(tally.responses.size)
        response[of_response] = np.concatenate(
            [each.response for each in chosen if each.response is not None]
        )
    return Parametrization(
        rate=np.concatenate([each.rate for each in chosen])[order],
        dispersion=np.concatenate([each.dispersion for each in chosen])[order],
        response=response,
    )


def _of_responses(spec: ModelSpec, tally: Tally) -> Parametrization:
    """Choose the centrings of neurons with several conditions.

    Responses are centred as if their neurons' own log rates were their means; those log rates as
    if the responses spread as they do.
    """
    family, neuron = family_of(spec), tally.responses.neuron
    of_responses = tally.by_response()
    log_rate = np.log((of_responses.spike_count + 0.5) / of_responses.total_exposure)
    delta = dispersion_weight = np.zeros(tally.n_neurons)
    if family.has_dispersion:
        delta, dispersion_weight = _dispersion_weights(family, of_responses, neuron)
    variance = 1 / family.information(log_rate, delta[neuron], family.statistics(of_responses))
    own = np.bincount(neuron, log_rate / variance) / np.bincount(neuron, 1 / variance)
    departure = log_rate - own[neuron]
    condition = None
    if spec.condition_effects:
        effect, condition = _effects(departure, variance, tally)
        departure = departure - effect
    response = centring_of(departure, variance)
    spread = max(float(np.mean(departure**2 - variance)), 0.0)
    precision = np.bincount(neuron, 1 / (spread + variance))
    rate = np.ones(tally.n_neurons)
    if POPULATIONS[spec.population].has_centring:
        rate = centring_of(own, 1 / precision, _with_one_mean(spec, tally))
    return Parametrization(
        rate=rate, dispersion=dispersion_weight, response=response, condition=condition
    )


def _effects(
    departure: FloatArray, variance: FloatArray, tally: Tally
) -> tuple[FloatArray, FloatArray]:
    """Estimate the effects of conditions from departures of responses, and choose their centring.

    Returns the effect of every response's condition, and one centring for all contrasts.
    """
    _, of = np.unique(tally.responses.condition, return_inverse=True)
    plain = np.bincount(of, departure) / np.bincount(of)
    spread = max(float(np.mean((departure - plain[of]) ** 2 - variance)), 0.0)
    precision = np.bincount(of, 1 / (spread + variance))
    effect = np.bincount(of, departure / (spread + variance)) / precision
    centring = centring_of(effect, 1 / precision).mean()
    return effect[of], np.full(len(precision) - 1, centring)


def _dispersion_weights(
    family: CountFamily, tally: Tally, neuron: IntArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Posterior mean of δ_i, and its own weight at the first percentile of τ_δ; shape (N,).

    δ_i ~ N(μ_δ, τ_δ²) with the priors of `priors`, on grids. Where `neuron` is given, rows of the
    tally are responses of those neurons.
    """
    statistics = family.statistics(tally)
    log_rate = np.log((tally.spike_count + 0.5) / tally.total_exposure)
    levels = (np.full(tally.n_neurons, delta) for delta in _DELTAS)
    log_likelihood = np.stack([_adjusted_profile(family, log_rate, d, statistics) for d in levels])
    if neuron is not None:
        starts = np.flatnonzero(np.diff(neuron, prepend=-1))
        log_likelihood = np.add.reduceat(log_likelihood, starts, axis=1)
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=0))
    log_posterior = np.array(
        [[_log_evidence(likelihood, centre, spread) for centre in _CENTRES] for spread in _SPREADS]
    )
    log_posterior += _CENTRES - np.exp(2 * _CENTRES) / 2 - 2 * _SPREADS[:, np.newaxis] ** 2
    best = log_posterior.max(axis=1)
    low = _low_spread(best + np.log(np.exp(log_posterior - best[:, np.newaxis]).sum(axis=1)))
    centre, tau = float(_CENTRES[np.argmax(log_posterior[low])]), float(_SPREADS[low])
    prior = _population(centre, max(tau, _LEAST_RESOLVED))
    weights = likelihood * prior[:, np.newaxis]
    weights /= weights.sum(axis=0)
    mean = _DELTAS @ weights
    information = np.maximum(1 / _variance(weights) - 1 / _variance(prior), 0.0)
    return mean, np.asarray(tau**2 * information / (1 + tau**2 * information))


def _variance(weights: FloatArray) -> FloatArray:
    """Variance on the grid of δ of every column of `weights`."""
    mean = _DELTAS @ weights
    return np.asarray(_DELTAS**2 @ weights - mean**2)


def _adjusted_profile(
    family: CountFamily, log_rate: FloatArray, delta: FloatArray, s: CountStatistics
) -> FloatArray:
    """Log-likelihood of δ with θ integrated out, by Laplace's method about the own log rate.

    A spread of 1 between log rates keeps a silent neuron from favouring any δ.
    """
    information = family.information(log_rate, delta, s)
    return np.asarray(family.log_likelihood(log_rate, delta, s) - 0.5 * np.log1p(information))


def _population(centre: float, spread: float) -> FloatArray:
    """Weights of N(centre, spread²) on the grid of δ, summing to 1."""
    density = np.exp(-0.5 * ((_DELTAS - centre) / max(spread, _LEAST_RESOLVED)) ** 2)
    return np.asarray(density / np.sum(density))


def _log_evidence(likelihood: FloatArray, centre: float, spread: float) -> float:
    """Σ_i ln ∫ L_i(δ) N(δ; centre, spread²) dδ."""
    return float(np.log(_population(centre, spread) @ likelihood + 1e-300).sum())


def _low_spread(log_posterior: FloatArray) -> int:
    """Index of the first percentile of τ, from its log density on `_SPREADS`."""
    mass = np.exp(log_posterior - log_posterior.max()) * np.gradient(_SPREADS)
    return int(np.searchsorted(np.cumsum(mass) / mass.sum(), LOW_SPREAD))

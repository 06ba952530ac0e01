"""The Normal-Normal model: estimates x_i ~ N(θ_i, σ_i²) with known σ_i, and θ_i pooled.

`build_normal_model` states it. Given the hyperparameters φ everything else is in closed form:
x_i ~ N(μ, τ² + σ_i²) once θ_i is integrated out (`build_marginal_model`), and θ_i given x_i and φ
is N(κ_i x_i + (1 − κ_i) μ, κ_i σ_i²) with κ_i = τ²/(τ² + σ_i²) (`condition`).

A student-t population of ν degrees of freedom is a mixture of normal ones, θ_i ~ N(μ, τ²/w) with
w ~ Gamma(ν/2, ν/2): the same forms hold for each w, which is integrated by the trapezoidal rule in
ln w, where the integrand is analytic and falls off at both ends.

References
----------
Gelman, A. et al. (2013). Bayesian Data Analysis, third edition, section 5.4.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from spikepool.data.estimates import Estimates
from spikepool.data.spike_counts import FloatArray
from spikepool.models.normal_priors import NormalPriors
from spikepool.models.populations import POPULATIONS, STUDENT_T_NU
from spikepool.models.spec import ModelSpec, PopulationName

_LOG_PRECISIONS = np.arange(-24.0, 3.01, 0.45)
"""Nodes of ln w: the density of the population is right within 2e-7 out to 10,000 scales."""


@dataclass(frozen=True)
class VarianceMixture:
    """A population as a mixture of normals N(μ, factor · τ²).

    Attributes
    ----------
    factors, log_weights : ndarray, shape (K,)
    """

    factors: FloatArray
    log_weights: FloatArray


def variance_mixture(population: PopulationName) -> VarianceMixture:
    """Return the normals that a population is made of: one, or the nodes of a student-t."""
    match population:
        case "normal":
            return VarianceMixture(np.ones(1), np.zeros(1))
        case "student-t":
            half = STUDENT_T_NU / 2
            log_weights = half * _LOG_PRECISIONS - half * np.exp(_LOG_PRECISIONS)
            log_weights -= special.logsumexp(log_weights)
            return VarianceMixture(np.exp(-_LOG_PRECISIONS), log_weights)
        case "gamma":
            raise ValueError("estimates have any sign: they cannot have a gamma population")


def normal_hyperparameters(spec: ModelSpec) -> tuple[str, ...]:
    """Names of what the θ_i depend on, in the model's order."""
    names: dict[str, tuple[str, ...]] = {
        "none": (), "complete": ("mu",), "partial": ("mu", "tau"),
    }  # fmt: skip
    return names[spec.pooling]


def build_normal_model(
    spec: ModelSpec, estimates: Estimates, priors: NormalPriors, centring: FloatArray
) -> Any:
    """Build the PyMC model of `spec`.

    Parameters
    ----------
    spec : ModelSpec
    estimates : Estimates
    priors : NormalPriors
        In the unit of the estimates.
    centring : ndarray, shape (N,)
        How far each θ_i is sampled centred, from 0 to 1; without effect on the posterior.

    Returns
    -------
    pymc.Model
        With the coordinate ``neuron`` and the variables ``mu``, ``tau``, ``theta``.
    """
    import pymc as pm
    import pytensor.tensor as pt

    with pm.Model(coords={"neuron": list(estimates.neurons)}) as model:
        placed = _place_hyperparameters(spec, priors)
        match spec.pooling:
            case "none":
                theta = priors.theta.variable("theta", dims="neuron")
            case "complete":
                theta = pt.full((estimates.n_neurons,), placed["mu"])
            case "partial":
                theta = POPULATIONS[spec.population].place(placed, centring)
        error, observed = estimates.standard_error, estimates.estimate
        pm.Normal("estimate", theta, error, observed=observed, dims="neuron")
    return model


def build_marginal_model(spec: ModelSpec, estimates: Estimates, priors: NormalPriors) -> Any:
    """Build the PyMC model of the hyperparameters alone, each θ_i integrated out.

    Parameters
    ----------
    spec : ModelSpec
        With complete or partial pooling.
    estimates : Estimates
    priors : NormalPriors

    Returns
    -------
    pymc.Model
        Its ``log_likelihood`` potential is ln p(x | φ), constants included.
    """
    import pymc as pm
    import pytensor.tensor as pt

    mixture = variance_mixture(spec.population)
    with pm.Model() as model:
        placed = _place_hyperparameters(spec, priors)
        tau_squared = placed["tau"] ** 2 if spec.pooling == "partial" else pt.zeros(())
        factors, log_weights = mixture.factors[:, np.newaxis], mixture.log_weights[:, np.newaxis]
        variance = tau_squared * factors + estimates.standard_error**2
        squares = (estimates.estimate - placed["mu"]) ** 2 / variance
        terms = log_weights - 0.5 * (squares + pt.log(2 * np.pi * variance))
        total = terms[0] if len(mixture.factors) == 1 else pt.logsumexp(terms, axis=0)
        pm.Potential("log_likelihood", pt.sum(total))
    return model


def _place_hyperparameters(spec: ModelSpec, priors: NormalPriors) -> dict[str, Any]:
    return {name: priors.of(name).variable(name) for name in normal_hyperparameters(spec)}


@dataclass(frozen=True)
class Conditional:
    """The posterior of every θ_i given the hyperparameters: a mixture of K normals.

    Attributes
    ----------
    mean, variance, weight : ndarray, shape (D, K, N)
        For D values of the hyperparameters; weights sum to 1 over K.
    """

    mean: FloatArray
    variance: FloatArray
    weight: FloatArray

    @property
    def total_mean(self) -> FloatArray:
        """E[θ_i | x, φ]; shape (D, N)."""
        return np.asarray(np.sum(self.weight * self.mean, axis=1))

    @property
    def total_variance(self) -> FloatArray:
        """Var(θ_i | x, φ); shape (D, N)."""
        departure = self.mean - self.total_mean[:, np.newaxis]
        return np.asarray(np.sum(self.weight * (self.variance + departure**2), axis=1))


def condition(
    estimates: Estimates, population: PopulationName, mu: FloatArray, tau: FloatArray
) -> Conditional:
    """Return each θ_i given its estimate and the hyperparameters.

    Parameters
    ----------
    estimates : Estimates
    population : {'normal', 'student-t'}
    mu, tau : ndarray, shape (D,)

    Returns
    -------
    Conditional
        κ x + (1 − κ) μ and κ σ², with κ = f τ²/(f τ² + σ²) for each factor f of the population.
    """
    mixture = variance_mixture(population)
    x, noise = estimates.estimate, estimates.standard_error**2
    spread = mixture.factors[:, np.newaxis] * tau[:, np.newaxis, np.newaxis] ** 2
    centre = mu[:, np.newaxis, np.newaxis]
    total = spread + noise
    kappa = spread / total
    mean, variance = kappa * x + (1 - kappa) * centre, kappa * noise
    if len(mixture.factors) == 1:
        return Conditional(mean, variance, np.ones_like(mean))
    log_weight = -0.5 * ((x - centre) ** 2 / total + np.log(total))
    log_weight += mixture.log_weights[:, np.newaxis]
    weight = np.exp(log_weight - special.logsumexp(log_weight, axis=1, keepdims=True))
    return Conditional(mean, variance, weight)


def own_weights(estimates: Estimates, population: PopulationName, tau: FloatArray) -> FloatArray:
    """κ_i = V/(V + σ_i²), V the variance of the population; shape (D, N)."""
    spread = POPULATIONS[population].sd(mu=np.zeros_like(tau), tau=tau)[:, np.newaxis] ** 2
    return np.asarray(spread / (spread + estimates.standard_error**2))

"""The joint posterior of a model of estimates by NUTS."""

import time
from collections.abc import Iterator, Mapping

import numpy as np

from spikepool.config import EngineOptions
from spikepool.data.estimates import Estimates
from spikepool.data.spike_counts import FloatArray
from spikepool.engines.normal.marginals import Marginals, averaged_marginals, completely_pooled
from spikepool.engines.normal.request import NormalRequest
from spikepool.engines.normal.units import hyperparameters_in_unit, summary_in_unit
from spikepool.engines.sampler import sample_model
from spikepool.engines.seeds import model_seed
from spikepool.models.normal_normal import build_normal_model, normal_hyperparameters
from spikepool.models.normal_priors import NormalPriors, Unit, unit_of
from spikepool.models.parametrization import centring_of
from spikepool.models.spec import ModelSpec
from spikepool.posterior.mixing import ParameterDiagnostics, measure_mixing
from spikepool.posterior.normal_results import NormalPosterior
from spikepool.posterior.results import PopulationParameter, Summary
from spikepool.progress import Progress


def sample_normal(
    spec: ModelSpec,
    estimates: Estimates,
    priors: NormalPriors,
    options: EngineOptions,
    request: NormalRequest,
    progress: Progress,
) -> NormalPosterior:
    """Draw from the joint posterior of `spec` by NUTS.

    Parameters
    ----------
    spec : ModelSpec
    estimates : Estimates
    priors : NormalPriors
    options : EngineOptions
    request : NormalRequest
    progress : Progress

    Returns
    -------
    NormalPosterior
        Its own weights are the closed forms at the drawn τ; θ is summarised from its draws.
    """
    started = time.perf_counter()
    unit = unit_of(estimates)
    x, own = unit.standardised(estimates), unit.priors(priors)
    model = build_normal_model(spec, x, own, _centring(x, options))
    names = [*normal_hyperparameters(spec), *([] if spec.pooling == "complete" else ["theta"])]
    sampled = sample_model(model, names, options, model_seed(options.seed, spec), progress)
    drawn = dict(sampled.draws)
    theta = drawn.pop("theta", None)
    if theta is None:
        theta = np.broadcast_to(drawn["mu"][:, :, np.newaxis], (*drawn["mu"].shape, x.n_neurons))
    mixing = _mixing(spec, drawn, theta, x.neurons)
    marginals = _marginals(spec, x, own, drawn, theta, request)
    return NormalPosterior(
        spec=spec,
        engine="nuts",
        theta=summary_in_unit(marginals.theta, unit),
        own_weight=marginals.own_weight,
        realised_weight=marginals.realised_weight,
        mse_ratio=marginals.mse_ratio,
        mcse=marginals.theta.sd / np.sqrt(mixing[-1].ess_bulk) * unit.scale,
        population=tuple(_population(drawn, mixing, unit, request)),
        hyperparameters=hyperparameters_in_unit(drawn, unit),
        draws=(unit.centre + unit.scale * theta).astype(np.float32) if request.joint else None,
        importance=None,
        mixing=mixing,
        sampler=sampled.sampler,
        seconds=time.perf_counter() - started,
    )


def _centring(x: Estimates, options: EngineOptions) -> FloatArray:
    if options.parametrization == "auto":
        return centring_of(x.estimate, x.standard_error**2)
    return np.full(x.n_neurons, float(options.parametrization == "centered"))


def _mixing(
    spec: ModelSpec, drawn: Mapping[str, FloatArray], theta: FloatArray, neurons: tuple[str, ...]
) -> tuple[ParameterDiagnostics, ...]:
    """Of the hyperparameters, then of the θ_i unless they are all μ."""
    found = [measure_mixing(name, ("",), each[:, :, np.newaxis]) for name, each in drawn.items()]
    if spec.pooling != "complete":
        found.append(measure_mixing("theta", neurons, theta))
    return tuple(found)


def _marginals(
    spec: ModelSpec,
    x: Estimates,
    priors: NormalPriors,
    drawn: Mapping[str, FloatArray],
    theta: FloatArray,
    request: NormalRequest,
) -> Marginals:
    flat = theta.reshape(-1, x.n_neurons)
    lower, median, upper = np.quantile(flat, request.masses, axis=0)
    summary = Summary(flat.mean(axis=0), median, flat.std(axis=0), lower, upper)
    unknown = np.zeros(x.n_neurons)
    if spec.pooling == "complete":
        return completely_pooled(summary, unknown)
    mu = drawn["mu"].reshape(-1) if "mu" in drawn else np.array([priors.theta.mean])
    tau = drawn["tau"].reshape(-1) if "tau" in drawn else np.array([priors.theta.sd])
    weights = np.full(len(tau), 1 / len(tau))
    exact = averaged_marginals(spec.population, x, {"mu": mu, "tau": tau}, weights, request)
    return Marginals(summary, exact.own_weight, exact.realised_weight, exact.mse_ratio, unknown)


def _population(
    drawn: Mapping[str, FloatArray],
    mixing: tuple[ParameterDiagnostics, ...],
    unit: Unit,
    request: NormalRequest,
) -> Iterator[PopulationParameter]:
    in_unit = hyperparameters_in_unit(drawn, unit)
    for each, (name, values) in zip(mixing, in_unit.items(), strict=False):
        flat = values.reshape(-1)
        lower, median, upper = np.quantile(flat, request.masses)
        yield PopulationParameter(
            group="all",
            parameter=name,
            mean=float(flat.mean()),
            sd=float(flat.std()),
            median=float(median),
            lower=float(lower),
            upper=float(upper),
            ess_bulk=float(each.ess_bulk[0]),
            ess_tail=float(each.ess_tail[0]),
            r_hat=float(each.r_hat[0]),
        )

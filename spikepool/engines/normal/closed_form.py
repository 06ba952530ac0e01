"""The posterior of a model of estimates by closed forms, averaged over the hyperparameters."""

import hashlib
import time
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from spikepool.config import EngineOptions
from spikepool.data.estimates import Estimates
from spikepool.data.spike_counts import FloatArray
from spikepool.engines.normal.hyperposterior import Hyperposterior, integrate_hyperparameters
from spikepool.engines.normal.marginals import averaged_marginals, shared_marginals, some_neurons
from spikepool.engines.normal.request import NormalRequest
from spikepool.engines.normal.units import hyperparameters_in_unit, summary_in_unit
from spikepool.engines.seeds import model_seed
from spikepool.models.normal_normal import condition
from spikepool.models.normal_priors import NormalPriors, Unit, unit_of
from spikepool.models.spec import ModelSpec
from spikepool.posterior.normal_results import NormalPosterior
from spikepool.posterior.results import PopulationParameter
from spikepool.posterior.weighted import weighted_summary


def integrate_normal(
    spec: ModelSpec,
    estimates: Estimates,
    priors: NormalPriors,
    options: EngineOptions,
    request: NormalRequest,
) -> NormalPosterior:
    """Compute the posterior of `spec` by closed forms, averaged over the hyperparameters.

    Parameters
    ----------
    spec : ModelSpec
    estimates : Estimates
    priors : NormalPriors
    options : EngineOptions
        `seed` and `draws` (of those that are kept) are used.
    request : NormalRequest

    Returns
    -------
    NormalPosterior
        Only the hyperparameters carry Monte Carlo error; its `importance` tells how much.
    """
    started = time.perf_counter()
    unit = unit_of(estimates)
    x, own = unit.standardised(estimates), unit.priors(priors)
    rng = np.random.default_rng([model_seed(options.seed, spec), 1])
    found = integrate_hyperparameters(spec, x, own, rng)
    drawn = found.drawn(options.draws, rng)
    if spec.pooling == "complete":
        marginals = shared_marginals(found.values["mu"], found.weights, x.n_neurons, request)
    else:
        marginals = averaged_marginals(spec.population, x, found.values, found.weights, request)
    return NormalPosterior(
        spec=spec,
        engine="collapsed",
        theta=summary_in_unit(marginals.theta, unit),
        own_weight=marginals.own_weight,
        realised_weight=marginals.realised_weight,
        mse_ratio=marginals.mse_ratio,
        mcse=marginals.mcse * unit.scale,
        population=tuple(_population(found, unit, request)),
        hyperparameters={
            name: values[np.newaxis]
            for name, values in hyperparameters_in_unit(drawn, unit).items()
        },
        draws=_drawn_theta(spec, x, own, drawn, options, unit) if request.joint else None,
        importance=found.quality,
        mixing=(),
        sampler=None,
        seconds=time.perf_counter() - started,
    )


def _population(
    found: Hyperposterior, unit: Unit, request: NormalRequest
) -> Iterator[PopulationParameter]:
    if found.quality is None:
        return
    for name, values in hyperparameters_in_unit(found.values, unit).items():
        summary = weighted_summary(values, found.weights, np.array(request.masses))
        yield PopulationParameter(
            group="all",
            parameter=name,
            **{part: float(each[0]) for part, each in vars(summary).items()},
            ess_bulk=found.quality.ess,
            ess_tail=np.nan,
            r_hat=np.nan,
        )


def _drawn_theta(
    spec: ModelSpec,
    x: Estimates,
    priors: NormalPriors,
    drawn: Mapping[str, FloatArray],
    options: EngineOptions,
    unit: Unit,
) -> NDArray[np.float32]:
    """Draw every θ_i given the drawn hyperparameters; shape (1, draws, N).

    A neuron's draws depend on its id and on the run's seed, not on which others there are.
    """
    mu = drawn.get("mu", np.full(options.draws, priors.theta.mean))
    if spec.pooling == "complete":
        theta = np.repeat(mu[:, np.newaxis], x.n_neurons, axis=1)
    else:
        tau = drawn.get("tau", np.full(options.draws, priors.theta.sd))
        theta = np.empty((options.draws, x.n_neurons))
        for i, neuron in enumerate(x.neurons):
            rng = np.random.default_rng(_neuron_seed(options.seed, spec, neuron))
            given = condition(some_neurons(x, i, i + 1), spec.population, mu, tau)
            ends = np.cumsum(given.weight[:, :, 0], axis=1)
            which = np.sum(rng.random((options.draws, 1)) > ends[:, :-1], axis=1)
            rows = np.arange(options.draws)
            z = rng.standard_normal(options.draws)
            theta[:, i] = given.mean[rows, which, 0] + z * np.sqrt(given.variance[rows, which, 0])
    return (unit.centre + unit.scale * theta)[np.newaxis].astype(np.float32)


def _neuron_seed(seed: int, spec: ModelSpec, neuron: str) -> int:
    digest = hashlib.sha256(f"{seed}/{spec.name}/{neuron}".encode()).digest()
    return int.from_bytes(digest[:8], "little")

"""The joint posterior of all parameters by the No-U-Turn sampler, through nutpie or PyMC."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikepool.config import EngineOptions
from spikepool.data.tally import Tally
from spikepool.engines.cores import granted_cores
from spikepool.engines.seeds import model_seed
from spikepool.errors import SpikepoolError
from spikepool.models.families import FAMILIES
from spikepool.models.graph import build_model
from spikepool.models.parametrization import Parametrization, choose_parametrization
from spikepool.models.populations import POPULATIONS
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import PosteriorDraws, SamplerStatistics
from spikepool.progress import Progress

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class _Sampled:
    """What either sampler returns: named draws, shape (chains, draws, ...), and statistics."""

    draws: dict[str, NDArray[np.float64]]
    sampler: SamplerStatistics


def sample_posterior(
    spec: ModelSpec, tally: Tally, priors: Priors, options: EngineOptions, progress: Progress
) -> PosteriorDraws:
    """Draw from the joint posterior of `spec` given `tally`.

    Parameters
    ----------
    spec : ModelSpec
    tally : Tally
    priors : Priors
    options : EngineOptions
        The draws do not depend on `cores`.
    progress : Progress

    Returns
    -------
    PosteriorDraws

    Raises
    ------
    SpikepoolError
        The sampler returned fewer draws than were asked for.
    """
    parametrization = choose_parametrization(spec, tally, options.parametrization)
    model = build_model(spec, tally, priors, parametrization)
    names = _reported_variables(spec)
    run = _sample_nutpie if options.sampler == "nutpie" else _sample_pymc
    sampled = run(model, names, options, model_seed(options.seed, spec), progress)
    _refuse_incomplete(sampled, options)
    return _assemble(spec, tally, parametrization, sampled)


def _reported_variables(spec: ModelSpec) -> list[str]:
    """Names of the model's variables that the posterior keeps."""
    hyperparameters = POPULATIONS[spec.population].hyperparameters
    names = {"none": ["theta"], "complete": ["mu"], "partial": [*hyperparameters, "theta"]}[
        spec.pooling
    ]
    dispersion = FAMILIES[spec.family].dispersion_name
    if spec.dispersion_pooling is None:
        return names
    return (
        names
        + {
            "none": ["delta"],
            "complete": [dispersion],
            "partial": ["mu_delta", "tau_delta", "delta"],
        }[spec.dispersion_pooling]
    )


def _sample_nutpie(
    model: Any,
    names: list[str],
    options: EngineOptions,
    seed: int,
    progress: Progress,
) -> _Sampled:
    import nutpie

    started = time.perf_counter()
    compiled = nutpie.compile_pymc_model(model, var_names=names, freeze_model=True)
    compiled_at = time.perf_counter()
    total = options.chains * (options.tune + options.draws)
    tracker = _ChainTracker()
    sampler = nutpie.sample(
        compiled,
        draws=options.draws,
        tune=options.tune,
        chains=options.chains,
        cores=min(granted_cores(options.cores), options.chains),
        target_accept=options.target_accept,
        seed=seed,
        save_warmup=False,
        progress_bar=False,
        progress_callback=tracker,
        blocking=False,
    )
    tree = _wait(sampler, lambda: progress.advance(tracker.done, total, tracker.detail))
    progress.advance(total, total, tracker.detail)
    stats = tree.sample_stats
    return _Sampled(
        draws={name: tree.posterior[name].to_numpy() for name in names},
        sampler=SamplerStatistics(
            divergences=int(stats.diverging.sum()),
            bfmi=_bfmi(stats.energy.to_numpy()),
            gradient_evaluations=int(stats.n_steps.sum()),
            compile_seconds=compiled_at - started,
            sampling_seconds=time.perf_counter() - compiled_at,
        ),
    )


class _ChainTracker:
    """Called by nutpie on a thread of its own; only stores numbers that the main thread reads."""

    def __init__(self) -> None:
        self.done = 0
        self.detail = ""

    def __call__(self, chains: list[Any]) -> None:
        self.done = sum(chain.finished_draws for chain in chains)
        divergences = sum(chain.divergences for chain in chains)
        self.detail = f"{divergences} divergent" if divergences else ""


def _wait(sampler: Any, report: Callable[[], None]) -> Any:
    """Poll until nutpie is done; any exception, an interrupt included, stops the chains.

    nutpie's own blocking call returns ragged, NaN-padded chains when it is interrupted, so it
    is never used.
    """
    try:
        while True:
            try:
                return sampler.wait(timeout=POLL_SECONDS)
            except TimeoutError:
                report()
    except BaseException:
        sampler.cancel()
        raise


def _sample_pymc(
    model: Any,
    names: list[str],
    options: EngineOptions,
    seed: int,
    progress: Progress,
) -> _Sampled:
    import pymc as pm

    started = time.perf_counter()
    total = options.chains * (options.tune + options.draws)
    done = 0

    def count(**_: Any) -> None:
        nonlocal done
        done += 1
        if done % 100 == 0:
            progress.advance(done, total)

    tree = pm.sample(
        draws=options.draws,
        tune=options.tune,
        chains=options.chains,
        cores=min(granted_cores(options.cores), options.chains),
        target_accept=options.target_accept,
        random_seed=seed,
        model=model,
        var_names=names,
        progressbar=False,
        quiet=True,
        callback=count,
        compute_convergence_checks=False,
    )
    progress.advance(total, total)
    stats = tree.sample_stats
    return _Sampled(
        draws={name: tree.posterior[name].to_numpy() for name in names},
        sampler=SamplerStatistics(
            divergences=int(stats.diverging.sum()),
            bfmi=_bfmi(stats.energy.to_numpy()),
            gradient_evaluations=int(stats.n_steps.sum()),
            compile_seconds=0.0,
            sampling_seconds=time.perf_counter() - started,
        ),
    )


def _bfmi(energy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bayesian fraction of missing information per chain; `energy` has shape (chains, draws)."""
    from arviz_stats.base import array_stats

    return np.asarray(array_stats.bfmi(energy))


def _refuse_incomplete(sampled: _Sampled, options: EngineOptions) -> None:
    for name, values in sampled.draws.items():
        if values.shape[:2] != (options.chains, options.draws) or np.isnan(values).any():
            raise SpikepoolError(
                f"the sampler returned incomplete draws of {name}: shape {values.shape[:2]}, "
                f"wanted ({options.chains}, {options.draws}) without gaps",
                "run again; if it repeats, try --sampler pymc",
            )


def _assemble(
    spec: ModelSpec, tally: Tally, parametrization: Parametrization, sampled: _Sampled
) -> PosteriorDraws:
    """Give every neuron its draws; completely pooled parameters are shared, not copied."""
    draws = dict(sampled.draws)
    theta, delta = draws.pop("theta", None), draws.pop("delta", None)
    if theta is None:
        theta = _shared(draws["mu"], tally.n_neurons)
    if delta is None and spec.dispersion_pooling is not None:
        delta = _shared(np.log(draws[FAMILIES[spec.family].dispersion_name]), tally.n_neurons)
    return PosteriorDraws(
        spec=spec,
        engine="nuts",
        neurons=tally.neurons,
        population=draws,
        theta=theta,
        delta=delta,
        parametrization=parametrization,
        sampler=sampled.sampler,
    )


def _shared(values: NDArray[np.float64], n_neurons: int) -> NDArray[np.float64]:
    return np.broadcast_to(values[:, :, None], (*values.shape, n_neurons))

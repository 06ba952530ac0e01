"""The No-U-Turn sampler on any PyMC model, through nutpie or PyMC itself."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import FloatArray
from spikepool.engines.cores import granted_cores
from spikepool.errors import SpikepoolError
from spikepool.posterior.draws import SamplerStatistics
from spikepool.progress import Progress

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Sampled:
    """What either sampler returns.

    Attributes
    ----------
    draws : dict of str to ndarray, shape (chains, draws, ...)
    sampler : SamplerStatistics
    """

    draws: dict[str, NDArray[np.float64]]
    sampler: SamplerStatistics


@dataclass(frozen=True)
class CompiledModel:
    """A PyMC model that nutpie has turned into machine code.

    Attributes
    ----------
    compiled : nutpie.CompiledModel
    names : list of str
        The variables to keep.
    seconds : float
        What it took.
    """

    compiled: Any
    names: list[str]
    seconds: float

    def with_data(self, data: dict[str, FloatArray]) -> "CompiledModel":
        """Return the same model with other values of its data."""
        return replace(self, compiled=self.compiled.with_data(**data), seconds=0.0)

    def sample(self, options: EngineOptions, seed: int, progress: Progress) -> Sampled:
        """Draw from the posterior; see `sample_model`."""
        return _sampled(_run_nutpie(self, options, seed, progress), self.names, options)


def compile_model(model: Any, names: list[str], *, freeze: bool = True) -> CompiledModel:
    """Turn a PyMC model into machine code.

    Without reordered arithmetic: it would differ between code just compiled and the same code from
    PyTensor's cache, and so would a run and its repetition.

    Parameters
    ----------
    model : pymc.Model
    names : list of str
        The variables to keep.
    freeze : bool
        Whether the model's data stay as they are, which makes faster code.
    """
    import nutpie
    import pytensor

    started = time.perf_counter()
    with pytensor.config.change_flags(numba__fastmath=False):
        compiled = nutpie.compile_pymc_model(model, var_names=names, freeze_model=freeze)
    return CompiledModel(compiled, names, time.perf_counter() - started)


@dataclass(frozen=True)
class _Run:
    """An ArviZ tree of draws, and how long it took."""

    tree: Any
    compile_seconds: float
    sampling_seconds: float


def sample_model(
    model: Any, names: list[str], options: EngineOptions, seed: int, progress: Progress
) -> Sampled:
    """Draw from the posterior of a model.

    Parameters
    ----------
    model : pymc.Model
    names : list of str
        The variables to keep.
    options : EngineOptions
        The draws do not depend on `cores`.
    seed : int
    progress : Progress

    Returns
    -------
    Sampled

    Raises
    ------
    SpikepoolError
        The sampler returned fewer draws than were asked for.
    """
    if options.sampler == "nutpie":
        return compile_model(model, names).sample(options, seed, progress)
    return _sampled(_run_pymc(model, names, options, seed, progress), names, options)


def _sampled(run: _Run, names: list[str], options: EngineOptions) -> Sampled:
    draws = {name: run.tree.posterior[name].to_numpy() for name in names}
    _refuse_incomplete(draws, options)
    stats = run.tree.sample_stats
    statistics = SamplerStatistics(
        divergences=int(stats.diverging.sum()),
        bfmi=_bfmi(stats.energy.to_numpy()),
        gradient_evaluations=int(stats.n_steps.sum()),
        compile_seconds=run.compile_seconds,
        sampling_seconds=run.sampling_seconds,
    )
    return Sampled(draws, statistics)


def _run_nutpie(
    model: CompiledModel, options: EngineOptions, seed: int, progress: Progress
) -> _Run:
    import nutpie

    started = time.perf_counter()
    total = options.chains * (options.tune + options.draws)
    tracker = _ChainTracker()
    sampler = nutpie.sample(
        model.compiled,
        **_chains(options),
        seed=seed,
        save_warmup=False,
        progress_bar=False,
        progress_callback=tracker,
        blocking=False,
    )
    tree = _wait(sampler, lambda: progress.advance(tracker.done, total, tracker.detail))
    progress.advance(total, total, tracker.detail)
    return _Run(tree, model.seconds, time.perf_counter() - started)


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


def _run_pymc(
    model: Any, names: list[str], options: EngineOptions, seed: int, progress: Progress
) -> _Run:
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
        **_chains(options),
        random_seed=seed,
        model=model,
        var_names=names,
        progressbar=False,
        quiet=True,
        callback=count,
        compute_convergence_checks=False,
    )
    progress.advance(total, total)
    return _Run(tree, 0.0, time.perf_counter() - started)


def _chains(options: EngineOptions) -> dict[str, Any]:
    """Return what both samplers call by the same names."""
    return {
        "draws": options.draws,
        "tune": options.tune,
        "chains": options.chains,
        "cores": min(granted_cores(options.cores), options.chains),
        "target_accept": options.target_accept,
    }


def _bfmi(energy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bayesian fraction of missing information per chain; `energy` has shape (chains, draws)."""
    from arviz_stats.base import array_stats

    return np.asarray(array_stats.bfmi(energy))


def _refuse_incomplete(draws: dict[str, NDArray[np.float64]], options: EngineOptions) -> None:
    for name, values in draws.items():
        if values.shape[:2] != (options.chains, options.draws) or np.isnan(values).any():
            raise SpikepoolError(
                f"the sampler returned incomplete draws of {name}: shape {values.shape[:2]}, "
                f"wanted ({options.chains}, {options.draws}) without gaps",
                "run again; if it repeats, try --sampler pymc",
            )

"""Whether the posterior of a model of estimates can be used."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.data.wording import plural
from spikepool.diagnostics.convergence import (
    HYPERPARAMETERS,
    LEAST_BFMI,
    LEAST_ESS_PER_CHAIN,
    SAMPLER,
)
from spikepool.posterior.mixing import ParameterDiagnostics
from spikepool.posterior.normal_results import NormalPosterior
from spikepool.posterior.quadrature import LEAST_ESS, MOST_PARETO_K, MOST_R_HAT


@dataclass(frozen=True)
class NormalCheck:
    """One row of the diagnostics; NaN and None where it does not apply."""

    parameter: str
    passed: bool
    neuron: str | None = None
    ess: float = np.nan
    pareto_k: float = np.nan
    mcse: float = np.nan
    r_hat: float = np.nan
    ess_bulk: float = np.nan
    ess_tail: float = np.nan
    divergences: int | None = None
    bfmi: float = np.nan
    gradient_evaluations: int | None = None


def check_normal(posterior: NormalPosterior, neurons: tuple[str, ...]) -> tuple[NormalCheck, ...]:
    """Hold what an engine says of itself against the limits of this module.

    Parameters
    ----------
    posterior : NormalPosterior
    neurons : tuple of str

    Returns
    -------
    tuple of NormalCheck
        The hyperparameters or the sampler first, then each neuron's Monte Carlo error.
    """
    return tuple(_checks(posterior, neurons))


def normal_problems(checks: tuple[NormalCheck, ...]) -> tuple[str, ...]:
    """Say which checks failed, in words; empty when the posterior can be used."""
    return tuple(text for check in checks if not check.passed for text in _problems(check))


def _checks(posterior: NormalPosterior, neurons: tuple[str, ...]) -> Iterator[NormalCheck]:
    importance, sampler = posterior.importance, posterior.sampler
    if importance is not None:
        good = importance.ess >= LEAST_ESS and importance.pareto_k <= MOST_PARETO_K
        yield NormalCheck(HYPERPARAMETERS, good, ess=importance.ess, pareto_k=importance.pareto_k)
    if sampler is not None:
        bfmi = float(np.min(sampler.bfmi))
        yield NormalCheck(
            SAMPLER,
            sampler.divergences == 0 and bfmi >= LEAST_BFMI,
            divergences=sampler.divergences,
            bfmi=bfmi,
            gradient_evaluations=sampler.gradient_evaluations,
        )
        for each in posterior.mixing:
            yield from _mixing_checks(each, posterior.mcse, len(sampler.bfmi))
        return
    for neuron, error in zip(neurons, posterior.mcse, strict=True):
        yield NormalCheck("theta", passed=True, neuron=neuron, mcse=float(error))


def _mixing_checks(
    each: ParameterDiagnostics, mcse: FloatArray, chains: int
) -> Iterator[NormalCheck]:
    least = LEAST_ESS_PER_CHAIN * chains
    for i, neuron in enumerate(each.neurons):
        ends = float(each.ess_bulk[i]), float(each.ess_tail[i])
        yield NormalCheck(
            each.parameter,
            chains > 1 and float(each.r_hat[i]) <= MOST_R_HAT and min(ends) >= least,
            neuron=neuron or None,
            r_hat=float(each.r_hat[i]),
            ess_bulk=ends[0],
            ess_tail=ends[1],
            mcse=float(mcse[i]) if each.parameter == "theta" else np.nan,
        )


def _problems(check: NormalCheck) -> Iterator[str]:
    if check.parameter == HYPERPARAMETERS:
        yield (
            f"importance sampling of the hyperparameters: Pareto k {check.pareto_k:.2f} (wanted at "
            f"most {MOST_PARETO_K}), effective sample size {check.ess:.0f} (wanted at least "
            f"{LEAST_ESS:.0f}): take --engine nuts"
        )
    elif check.parameter == SAMPLER:
        divergent = plural(check.divergences or 0, "divergent transition")
        yield (
            f"{divergent} (wanted 0), BFMI {check.bfmi:.2f} (wanted at least {LEAST_BFMI}): raise "
            "--target-accept or --tune"
        )
    else:
        of = f" of neuron {check.neuron!r}" if check.neuron else ""
        yield (
            f"{check.parameter}{of}: R\u0302 {check.r_hat:.4f} (wanted at most {MOST_R_HAT}), "
            f"effective sample sizes {check.ess_bulk:.0f} (bulk) and {check.ess_tail:.0f} (tail): "
            "raise --draws and --chains"
        )

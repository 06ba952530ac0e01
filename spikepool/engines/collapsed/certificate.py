"""Checks that every run of the collapsed engine makes of itself."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.wording import plural
from spikepool.engines.collapsed.direct import integrate_directly
from spikepool.engines.collapsed.direct_tuned import TunedLikelihood, TunedStatistics
from spikepool.engines.collapsed.hyperposterior import WeightedSample
from spikepool.engines.collapsed.lattice import FINE, FINER, Quality, Region
from spikepool.engines.collapsed.levels import NEGLIGIBLE, Hyperparameters, take
from spikepool.engines.collapsed.marginal_likelihood import (
    MarginalLikelihood,
    in_parallel,
    tabulate,
)
from spikepool.engines.collapsed.responses import ResponseStatistics
from spikepool.engines.collapsed.search import Found, Problem
from spikepool.posterior.quadrature import (
    LEAST_ESS,
    MOST_OUTSIDE,
    MOST_PARETO_K,
    MOST_QUADRATURE_ERROR,
    MOST_R_HAT,
    Certificate,
    ChainCheck,
)
from spikepool.posterior.weighted import systematic

MOST_CHECKED = 96
"""Neurons whose integrals are computed again; all of them where there are fewer."""
FINER_DRAWS = 8
DIRECT_DRAWS = 3
MOST_DIRECT_TUNED = 5
"""Neurons with several conditions that the direct kernel integrates."""
_FEW_RESPONSES = 64
"""Of neurons that it integrates at once."""
_FINEST = Quality(0.4, NEGLIGIBLE + 12, 1e-10, 1e-11)
_CHECKED_BY = {FINE: FINER, FINER: _FINEST}


def certify(
    problem: Problem, found: Found, cores: int, chains: ChainCheck | None = None
) -> Certificate:
    """Compute some integrals again, finer and by the direct kernel, and judge the sample of φ.

    Parameters
    ----------
    problem : Problem
    found : Found
    cores : int
    chains : ChainCheck, optional
        Of a sample by NUTS.

    Returns
    -------
    Certificate
    """
    errors = integral_errors(problem, found.marginal, found.phi, found.sample.weights, cores)
    sample = found.sample
    return judge(errors, sample.pareto_k, sample.ess, found.outside, chains)


@dataclass(frozen=True)
class IntegralErrors:
    """How far integrals are from those on finer lattices, and by the direct kernel.

    Attributes
    ----------
    refinement, direct : ndarray, shape (N,)
        The largest over a few φ; NaN where a neuron was not among those checked.
    """

    refinement: FloatArray
    direct: FloatArray


def integral_errors(
    problem: Problem,
    marginal: MarginalLikelihood,
    phi: Hyperparameters,
    weights: FloatArray,
    cores: int,
    most: int = MOST_CHECKED,
) -> IntegralErrors:
    """Compute some integrals again, on finer lattices and by the direct kernel.

    Parameters
    ----------
    problem : Problem
    marginal : MarginalLikelihood
    phi : dict of str to ndarray, shape (D,)
    weights : ndarray, shape (D,)
    cores : int
    most : int
        Neurons to check.
    """
    n, chosen = problem.statistics.n_neurons, _chosen(problem, most)
    some = _spread_draws(weights, FINER_DRAWS)
    phi = take(phi, some)
    by_lattice = marginal.of_neurons(chosen).by_neuron(phi, len(some))
    statistics = problem.statistics.of_neurons(chosen)
    again = tabulate(problem.family, statistics, _finer(marginal.region, phi), cores)
    errors = IntegralErrors(np.full(n, np.nan), np.full(n, np.nan))
    gaps = np.nan_to_num(np.abs(again.by_neuron(phi, len(some)) - by_lattice), nan=np.inf)
    errors.refinement[chosen] = gaps.max(axis=1)
    errors.direct[chosen] = _direct_errors(problem, chosen, phi, by_lattice, cores)
    return errors


def _finer(region: Region, phi: Hyperparameters) -> Region:
    """Return the region of nothing but the given φ, to be covered more finely and more widely.

    The central corner stays the first.
    """
    corners = {name: np.append(ends[:1], phi[name]) for name, ends in region.corners.items()}
    return replace(region, corners=corners, quality=_CHECKED_BY[region.quality])


def certify_sample(sample: WeightedSample, n_neurons: int) -> Certificate:
    """Judge the sample of φ alone, where nothing is integrated."""
    nothing = np.full(n_neurons, np.nan)
    return judge(IntegralErrors(nothing, nothing), sample.pareto_k, sample.ess, 0.0, None)


def judge(
    errors: IntegralErrors, pareto_k: float, ess: float, outside: float, chains: ChainCheck | None
) -> Certificate:
    """Hold what is known of a posterior against the limits; see `Certificate`."""
    unjudged = Certificate(
        errors.refinement, errors.direct, pareto_k, ess, outside, (), chains=chains
    )
    problems = (*integral_problems(unjudged), *sample_problems(unjudged))
    return replace(unjudged, problems=problems)


def _chosen(problem: Problem, most: int) -> IntArray:
    """Return neurons spread over all totals of spikes, silent and loudest included."""
    n = problem.statistics.n_neurons
    order = np.argsort(problem.statistics.spikes, kind="stable")
    places = np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
    return np.sort(order[places]).astype(np.int64)


def _spread_draws(weights: FloatArray, count: int) -> IntArray:
    """Return points that stand for equal shares of the weight."""
    return np.unique(systematic(weights, count, 0.5))


def _direct_errors(
    problem: Problem, chosen: IntArray, phi: Hyperparameters, by_lattice: FloatArray, cores: int
) -> FloatArray:
    """Largest difference from the direct kernel over a few φ, NaN where it vouches for none."""
    some = _affordable(problem, chosen)
    draws = np.unique(np.linspace(0, by_lattice.shape[1] - 1, DIRECT_DRAWS).astype(np.int64))

    def gaps(task: tuple[int, IntArray]) -> FloatArray:
        draw, places = task
        one = {name: np.full(len(places), values[draw]) for name, values in phi.items()}
        integral = integrate_directly(
            *_likelihood(problem, chosen[places], one), problem.rate, problem.dispersion, one
        )
        gap = np.abs(integral.log_integral - by_lattice[places, draw])
        return np.where(np.isfinite(integral.error), gap, np.nan)

    parts = _direct_parts(problem, chosen, some)
    tasks = [(draw, part) for draw in draws.tolist() for part in parts]
    found = np.concatenate(in_parallel(gaps, tasks, cores)).reshape(len(draws), len(some))
    worst = np.full(len(chosen), np.nan)
    worst[some] = np.fmax.reduce(found, axis=0)
    return worst


def _direct_parts(problem: Problem, chosen: IntArray, some: IntArray) -> list[IntArray]:
    """Split neurons into tasks: those of many responses one by one."""
    if not isinstance(problem.statistics, ResponseStatistics):
        return [some]
    responses = np.diff(problem.statistics.first)[chosen[some]]
    return np.array_split(some, np.clip(responses.sum() // _FEW_RESPONSES, 1, len(some)))


def _affordable(problem: Problem, chosen: IntArray) -> IntArray:
    """Return which of the chosen neurons get a direct integral: of many responses, only some."""
    if problem.tuning is None:
        return np.arange(len(chosen))
    places = np.linspace(0, len(chosen) - 1, min(len(chosen), MOST_DIRECT_TUNED))
    return np.unique(places.astype(np.int64))


def _likelihood(problem: Problem, neurons: IntArray, phi: Hyperparameters) -> tuple[Any, Any]:
    """Likelihood and statistics of some neurons, as the direct kernel takes them."""
    statistics = problem.statistics.of_neurons(neurons)
    if problem.tuning is None or not isinstance(statistics, ResponseStatistics):
        return problem.family, statistics
    tuning_sd = problem.tuning.sd(phi, len(neurons))
    return TunedLikelihood(problem.family), TunedStatistics(statistics, tuning_sd)


def integral_problems(certificate: Certificate) -> list[str]:
    """Say where the integrals are further off than they may be."""
    problems = []
    for name, errors in (
        ("a finer lattice", certificate.refinement_error),
        ("the direct kernel", certificate.direct_error),
    ):
        worst = np.max(errors, initial=0.0, where=~np.isnan(errors))
        if not worst <= MOST_QUADRATURE_ERROR:
            limit = f"(wanted at most {MOST_QUADRATURE_ERROR:g})"
            problems.append(f"quadrature differs from {name} by {worst:.1e} {limit}")
    return problems


def sample_problems(certificate: Certificate) -> list[str]:
    """Say why the sample of φ cannot be used."""
    return list(_sample_problems(certificate))


def _sample_problems(certificate: Certificate) -> Iterator[str]:
    chains, pareto_k, ess = certificate.chains, certificate.pareto_k, certificate.ess
    if chains is not None:
        yield from _chain_problems(chains)
    elif np.isnan(pareto_k):
        return
    if pareto_k > MOST_PARETO_K:
        limit = f"(wanted at most {MOST_PARETO_K})"
        yield f"Pareto k\u0302 of the hyperparameters {pareto_k:.2f} {limit}"
    if not ess >= LEAST_ESS:
        yield f"{ess:.0f} effective hyperparameter draws (wanted at least {LEAST_ESS:.0f})"
    if not certificate.outside <= MOST_OUTSIDE:
        share = 100 * certificate.outside
        yield f"{share:.1f} % of the hyperposterior lies beyond the lattices"


def _chain_problems(chains: ChainCheck) -> Iterator[str]:
    if not chains.r_hat <= MOST_R_HAT:
        yield f"R\u0302 of the hyperparameters {chains.r_hat:.4f} (wanted at most {MOST_R_HAT})"
    if chains.divergences:
        count = plural(chains.divergences, "divergent transition")
        yield f"{count} of the hyperparameters (wanted 0)"

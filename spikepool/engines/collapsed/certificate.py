"""Checks that every run of the collapsed engine makes of itself."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.engines.collapsed.direct import integrate_directly
from spikepool.engines.collapsed.hyperposterior import WeightedSample
from spikepool.engines.collapsed.lattice import FINER
from spikepool.engines.collapsed.levels import Hyperparameters, take
from spikepool.engines.collapsed.marginal_likelihood import tabulate
from spikepool.engines.collapsed.search import Found, Problem
from spikepool.posterior.quadrature import (
    LEAST_ESS,
    MOST_OUTSIDE,
    MOST_PARETO_K,
    MOST_QUADRATURE_ERROR,
    Certificate,
)

MOST_CHECKED = 96
"""Neurons whose integrals are computed again; all of them where there are fewer."""
FINER_DRAWS = 8
DIRECT_DRAWS = 3


def certify(problem: Problem, found: Found, cores: int) -> Certificate:
    """Compute some integrals again, finer and by the direct kernel, and judge the sample of φ.

    Parameters
    ----------
    problem : Problem
    found : Found
    cores : int

    Returns
    -------
    Certificate
    """
    n = problem.statistics.n_neurons
    chosen = _chosen(problem)
    phi = take(found.phi, _spread_draws(found.sample.weights, FINER_DRAWS))
    draws = len(_spread_draws(found.sample.weights, FINER_DRAWS))
    statistics = problem.statistics.of_neurons(chosen)
    by_lattice = found.marginal.of_neurons(chosen).by_neuron(phi, draws)
    finer = replace(found.region, quality=FINER)
    again = tabulate(problem.family, statistics, finer, cores).by_neuron(phi, draws)
    refinement, direct = np.full(n, np.nan), np.full(n, np.nan)
    refinement[chosen] = np.abs(again - by_lattice).max(axis=1)
    direct[chosen] = _direct_errors(problem, chosen, phi, by_lattice)
    sample = found.sample
    problems = _problems(refinement, direct, sample.pareto_k, sample.ess, found.outside)
    return Certificate(
        refinement, direct, sample.pareto_k, sample.ess, found.outside, tuple(problems)
    )


def certify_sample(sample: WeightedSample, n_neurons: int) -> Certificate:
    """Judge the sample of φ alone, where nothing is integrated."""
    nothing = np.full(n_neurons, np.nan)
    problems = _problems(nothing, nothing, sample.pareto_k, sample.ess, 0.0)
    return Certificate(nothing, nothing, sample.pareto_k, sample.ess, 0.0, tuple(problems))


def _chosen(problem: Problem) -> IntArray:
    """Return neurons spread over all totals of spikes, silent and loudest included."""
    n = problem.statistics.n_neurons
    order = np.argsort(problem.statistics.spikes, kind="stable")
    places = np.unique(np.linspace(0, n - 1, min(n, MOST_CHECKED)).astype(np.int64))
    return np.sort(order[places]).astype(np.int64)


def _spread_draws(weights: FloatArray, count: int) -> IntArray:
    """Return points that stand for equal shares of the weight."""
    middles = (np.arange(count) + 0.5) / count
    return np.unique(np.searchsorted(np.cumsum(weights), middles * weights.sum()))


def _direct_errors(
    problem: Problem, chosen: IntArray, phi: Hyperparameters, by_lattice: FloatArray
) -> FloatArray:
    """Largest difference from the direct kernel over a few φ, NaN where it vouches for none."""
    statistics = problem.statistics.of_neurons(chosen)
    count = by_lattice.shape[1]
    worst = np.full(len(chosen), np.nan)
    for draw in np.unique(np.linspace(0, count - 1, DIRECT_DRAWS).astype(np.int64)):
        one = {name: np.full(len(chosen), values[draw]) for name, values in phi.items()}
        integral = integrate_directly(
            problem.family, statistics, problem.rate, problem.dispersion, one
        )
        gap = np.abs(integral.log_integral - by_lattice[:, draw])
        worst = np.fmax(worst, np.where(np.isfinite(integral.error), gap, np.nan))
    return worst


def _problems(
    refinement: FloatArray, direct: FloatArray, pareto_k: float, ess: float, outside: float
) -> Iterator[str]:
    for name, errors in (("a finer lattice", refinement), ("the direct kernel", direct)):
        worst = np.max(errors, initial=0.0, where=~np.isnan(errors))
        if not worst <= MOST_QUADRATURE_ERROR:
            limit = f"(wanted at most {MOST_QUADRATURE_ERROR:g})"
            yield f"quadrature differs from {name} by {worst:.1e} {limit}"
    if pareto_k > MOST_PARETO_K:
        limit = f"(wanted at most {MOST_PARETO_K})"
        yield f"Pareto k\u0302 of the hyperparameters {pareto_k:.2f} {limit}"
    if not np.isnan(pareto_k) and not ess >= LEAST_ESS:
        yield f"{ess:.0f} effective hyperparameter draws (wanted at least {LEAST_ESS:.0f})"
    if not outside <= MOST_OUTSIDE:
        yield f"{100 * outside:.1f} % of the hyperposterior lies beyond the lattices"

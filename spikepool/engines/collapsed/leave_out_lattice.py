"""What is left out of small tables: one trial, or one neuron, at a time, to a thousandth of a nat.

Without trial t, or without neuron i, the posterior of the hyperparameters is that of a table of its
own, and the predictive density is the ratio of two integrals over them,

    p(y_t | y_−t) = ∫ p(y | φ) p(φ) dφ / ∫ p(y_−t | φ) p(φ) dφ ,

both on one lattice of hyperparameters. Nothing is reweighted, so that there is no Pareto k̂.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.engines.collapsed.hyperlattice import lattice_around
from spikepool.engines.collapsed.hyperposterior import WeightedSample
from spikepool.engines.collapsed.lattice import Quality, Region
from spikepool.engines.collapsed.leave_out import without_trials
from spikepool.engines.collapsed.marginal_likelihood import MarginalLikelihood, tabulate
from spikepool.engines.collapsed.model import HyperpriorFunctions
from spikepool.engines.collapsed.search import Found, Problem
from spikepool.engines.collapsed.shared import by_neuron
from spikepool.models.families import CountFamily
from spikepool.posterior.quadrature import LeaveOut

COARSE = Quality(1.8, 10.0, 5e-3, 1e-3)
"""For densities of what is left out where there are dispersions: their errors are 1e-4 then."""
MOST_CELLS = 400
"""Different trials of a small table."""
MOST_SUMS = 3e10
"""Nodes × hyperparameters, in all: some seconds."""
MOST_DISAGREEMENT = 0.1
"""Of the two halves of the lattice, in nats: where they differed by 0.05, the whole was off by at
most 6e-4."""
MOST_EDGE = 3e-4
"""Share beside what the neurons' lattices do not reach: what is beyond was about five times it."""
_FURTHER = 1.0
"""How much further down than the whole table needs they reach, over the width of its box: without
a burst, or a neuron, little spread and no dispersion are likelier."""
_MOST_SHARED_POINTS = 100_000


def leave_out_by_lattice(
    tally: Tally, problem: Problem, found: Found, cores: int
) -> LeaveOut | None:
    """Leave-one-trial-out and leave-one-neuron-out log predictive densities of a small table.

    Parameters
    ----------
    tally : Tally
    problem : Problem
    found : Found
        Where the hyperparameters of the whole table are.
    cores : int
        Nothing depends on it.

    Returns
    -------
    LeaveOut or None
        None where there are no hyperparameters, where there are conditions, or where there is too
        much to add up.
    """
    small = len(tally.count) <= MOST_CELLS and found.sample.points.shape[1] > 0
    if not small or problem.tuning is not None:
        return None
    alone = tally.n_trials[tally.neuron] == 1
    cells = np.flatnonzero(~alone)
    tables = [tally, without_trials(tally, cells)] if len(cells) else [tally]
    region = _region_without(problem, found)
    family = problem.family
    integrals = [tabulate(family, family.statistics(table), region, cores) for table in tables]
    lattice = lattice_around(found.sample)
    most = MOST_SUMS / sum(float(each.nodes_per_neuron().sum()) for each in integrals)
    if lattice.expected_points > most:
        return None
    densities = _densities_without(problem.hyperpriors, integrals, tally.neuron[cells])
    result = lattice.integrate(densities, int(most))
    if result is None or _halves_differ(result.disagreement) or result.edge.max() > MOST_EDGE:
        return None
    left_out = result.log_integral[0] - result.log_integral[1:]
    neuron = left_out[: tally.n_neurons]
    trial = neuron[tally.neuron]
    trial[cells] = left_out[tally.n_neurons :]
    return _as_left_out(tally, trial, neuron)


def _region_without(problem: Problem, found: Found) -> Region:
    """Return the region that lattices are for, coarse ones where there are dispersions."""
    lower, upper = found.box.lower, found.box.upper
    further = _FURTHER * (upper - lower)
    further[0] = 0.0  # the mean
    corners = problem.hyperpriors.at(replace(found.box, lower=lower - further).corners())[1]
    quality = found.region.quality if problem.dispersion is None else COARSE
    return replace(found.region, corners=corners, quality=quality)


def _densities_without(
    hyperpriors: HyperpriorFunctions, integrals: list[MarginalLikelihood], of_cell: IntArray
) -> Callable[[FloatArray], FloatArray]:
    """Log densities of everything, of all but one neuron, and of all but one trial."""

    def log_densities(points: FloatArray) -> FloatArray:
        log_prior, phi = hyperpriors.at(points)
        own, *without_trial = (each.by_neuron(phi, len(points)) for each in integrals)
        others = log_prior + _without_each(own)
        rest = [others[of_cell] + each for each in without_trial]
        return np.vstack([others[0] + own[0], others, *rest])

    return log_densities


def _without_each(log_p: FloatArray) -> FloatArray:
    """Σ_j≠i ln p_j for every neuron i, also where its own p_i is not known; shape (N, D)."""
    known = np.isfinite(log_p)
    counted = np.where(known, log_p, 0.0)
    others = np.ascontiguousarray(counted.T).sum(axis=1) - counted
    unknown = np.sum(~known, axis=0) - ~known
    return np.where(unknown == 0, others, np.nan)


def leave_out_shared(
    family: CountFamily,
    tally: Tally,
    merged: Tally,
    hyperpriors: HyperpriorFunctions,
    sample: WeightedSample,
) -> LeaveOut:
    """Leave-one-out densities where all neurons share their parameters.

    Parameters
    ----------
    family : CountFamily
    tally, merged : Tally
        As read, and as that of a single neuron.
    hyperpriors : HyperpriorFunctions
        Of the shared parameters.
    sample : WeightedSample
        Of them.
    """
    statistics = family.statistics(merged.single_trials(np.arange(len(merged.count))))
    of_cell = _places(tally, merged)

    def log_densities(points: FloatArray) -> FloatArray:
        log_prior, phi = hyperpriors.at(points)
        single = by_neuron(family, statistics, phi, len(points))
        total = log_prior + (single * merged.weight[:, np.newaxis]).sum(axis=0)
        return np.vstack([total, total - single, total - _per_neuron(single, of_cell, tally)])

    result = lattice_around(sample).integrate(log_densities, _MOST_SHARED_POINTS)
    assert result is not None  # noqa: S101 - one or two parameters need a few hundred points
    left_out = result.log_integral[0] - result.log_integral[1:]
    cells = len(merged.count)
    return _as_left_out(tally, left_out[:cells][of_cell], left_out[cells:])


def _places(tally: Tally, merged: Tally) -> IntArray:
    """Return where each cell of a tally is in the one of all neurons together; shape (cells,)."""
    cells = zip(merged.exposure.tolist(), merged.count.tolist(), strict=True)
    place = {cell: i for i, cell in enumerate(cells)}
    read = zip(tally.exposure.tolist(), tally.count.tolist(), strict=True)
    return np.array([place[cell] for cell in read])


def _per_neuron(single: FloatArray, of_cell: IntArray, tally: Tally) -> FloatArray:
    """Add up the log densities of each neuron's trials; shape (N, D)."""
    first = np.searchsorted(tally.neuron, np.arange(tally.n_neurons + 1))
    out = np.empty((tally.n_neurons, single.shape[1]))
    for i, (a, b) in enumerate(pairwise(first.tolist())):
        out[i] = (single[of_cell[a:b]] * tally.weight[a:b, np.newaxis]).sum(axis=0)
    return out


def _halves_differ(disagreement: FloatArray) -> bool:
    """Whether the ratios to the first integral are not the same on the two halves."""
    return bool(np.abs(disagreement - disagreement[0]).max() > MOST_DISAGREEMENT)


def _as_left_out(tally: Tally, trial: FloatArray, neuron: FloatArray) -> LeaveOut:
    nothing_reweighted = float("nan")
    return LeaveOut(
        trial=trial,
        trial_by_neuron=tally.per_neuron(trial * tally.weight),
        neuron=neuron,
        trial_pareto_k=nothing_reweighted,
        neuron_pareto_k=nothing_reweighted,
    )

"""Predictive densities of what is left out: one trial, or one neuron, at a time.

With a neuron's own parameters integrated out, for trial t of neuron i

    1 / p(y_t | y_−t) = E_{φ|y} [1 / p(y_t | y_i,−t, φ)],   p(y_t | y_i,−t, φ) = p_i(φ) / p_i,−t(φ).

The most surprising trials get lattices of their own for p_i,−t, with the trial removed, the ratio
for every φ, and Pareto smoothing; where its k̂ asks for it, p(y) and p(y_−t) from a hyperposterior
each. For the others the expectation of 1/p(y_t | θ, δ) under the neuron's marginal posterior is the
same number.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.engines.collapsed.hyperposterior import (
    NO_WEIGHT,
    WeightedSample,
    pareto_smoothed,
)
from spikepool.engines.collapsed.lattice import FINE, ROUGH, Lattice, Quality, Region
from spikepool.engines.collapsed.levels import Hyperparameters
from spikepool.engines.collapsed.marginal_likelihood import MarginalLikelihood, tabulate
from spikepool.engines.collapsed.responses import response_statistics
from spikepool.engines.collapsed.tuned_lattice import TunedLattice
from spikepool.models.families import CountFamily
from spikepool.posterior.quadrature import LeaveOut

MOST_EXAMINED = 400
"""Trials that get lattices of their own: the least expected ones."""
MOST_PARETO_K = 0.5
MOST_SUMS = 3e9
"""Nodes × draws of those lattices, in all."""
MOST_REFITS = 8
"""Hyperposteriors without a neuron, and without a trial, where importance weights do not serve."""
REFIT_SUMS = 5e9
"""Nodes × draws of those, in all: many neurons get none, and the k̂ stands in the results."""
LEAST_VARIATION = 5e-3
"""Variance over φ of a log density below which its ratios have no tail to smooth."""
_VALUES_AT_ONCE = 2_000_000
_SPARSE = 24
_MOST_EDGE = 1e-3
_ROUNDING = 1e-30
"""Posterior mass of a node, over the largest, below which it may be what rounding or blurring left,
however unlikely the trial is there."""


type LogTerm = Callable[[Hyperparameters, int], FloatArray]
type Refit = Callable[[LogTerm], tuple[WeightedSample, dict[str, FloatArray]]]


@dataclass(frozen=True)
class TrialDensities:
    """ln p(y_t | y_−t) of every cell of a tally by the neurons' marginal posteriors.

    Attributes
    ----------
    log_density : ndarray, shape (cells,)
    doubtful : ndarray of bool, shape (cells,)
        Whether the sum leaned on the edge of the lattice, or would on nodes with hardly any mass.
    """

    log_density: FloatArray
    doubtful: np.ndarray


class TrialCollector:
    """Averages 1/p(y_t | θ, δ) over the marginal posteriors of one run of neurons after another.

    Parameters
    ----------
    family : CountFamily
    tally : Tally
    region : Region
    shared : float or None
        Posterior mean of the θ or δ that all neurons share, which stands for its posterior here.
    """

    def __init__(
        self, family: CountFamily, tally: Tally, region: Region, shared: float | None
    ) -> None:
        self._family, self._tally, self._region, self._shared = family, tally, region, shared
        cells = len(tally.count)
        self.trials = TrialDensities(np.empty(cells), np.zeros(cells, dtype=np.bool_))

    def add(
        self,
        lattice: Lattice | TunedLattice,
        neurons: slice,
        mass: FloatArray,
        moments: FloatArray | None = None,
    ) -> None:
        """Take the posterior mass of a run of neurons; may be called on any thread.

        `moments`: the exact mean and variance of θ, shape (neurons, 2), where the mass is blurred;
        the nodes are moved to them.
        """
        assert isinstance(lattice, Lattice)  # noqa: S101 - responses have lattices of their own
        ends = np.searchsorted(self._tally.neuron, [neurons.start, neurons.stop])
        begin = int(ends[0])
        of_cell = self._tally.neuron[ends[0] : ends[1]] - neurons.start
        shapes = np.stack([lattice.rows.length, lattice.columns.length])[:, of_cell]
        for rows, columns in np.unique(shapes, axis=1).T.tolist():
            cells = np.flatnonzero((shapes[0] == rows) & (shapes[1] == columns))
            width = 1 if self._shared is not None else columns
            pieces = max(1, len(cells) * rows * width // _VALUES_AT_ONCE)
            for part in np.array_split(cells, min(pieces, len(cells))):
                who, of = np.unique(of_cell[part], return_inverse=True)
                theta, delta, posterior = self._nodes(lattice, who, rows, columns, mass)
                if moments is not None:
                    theta = _moved(theta, posterior, moments[who])
                self._average(begin + part, theta, delta, posterior, of)

    def _nodes(
        self, lattice: Lattice, who: IntArray, rows: int, columns: int, mass: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Nodes of θ and δ, and the posterior mass there; shapes (rows, columns, n) or 1."""
        at_rows = lattice.rows.nodes(who, rows)[:, np.newaxis, :]
        if self._shared is not None:
            posterior = mass[who, :rows].T[:, np.newaxis, :]
            at_columns = np.full((1, 1, len(who)), self._shared)
            by_row = every_second(rows)
            at_rows, posterior = at_rows[by_row], posterior[by_row]
            if self._region.rate.is_point:
                return at_columns, at_rows, posterior
            return at_rows, at_columns, posterior
        where = lattice.offset[who][:, np.newaxis] + np.arange(rows * columns)
        posterior = np.moveaxis(mass[where].reshape(-1, rows, columns), 0, -1)
        at_columns = lattice.columns.nodes(who, columns)[np.newaxis]
        by_row, by_column = every_second(rows), every_second(columns)
        return at_rows[by_row], at_columns[:, by_column], posterior[by_row, by_column]

    def _average(
        self,
        cells: IntArray,
        theta: FloatArray,
        delta: FloatArray,
        posterior: FloatArray,
        of: IntArray,
    ) -> None:
        single = self._family.statistics(self._tally.single_trials(cells))
        mass = posterior[..., of]
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # far out, without mass
            log_p = self._family.log_likelihood(theta[..., of], delta[..., of], single)
            every = np.where(mass > 0, np.log(mass) - log_p, -np.inf)
        counted = (posterior > _ROUNDING * posterior.max(axis=(0, 1)))[..., of]
        terms = np.where(counted, every, -np.inf)
        top = terms.max(axis=(0, 1))
        known = np.isfinite(top)  # else no mass on the lattice at all
        neglected = every.max(axis=(0, 1)) > top
        parts = np.exp(np.where(known, terms, 0.0) - np.where(known, top, 0.0))
        total = parts.sum(axis=(0, 1))
        share = np.where(known, posterior.sum(axis=(0, 1))[of], 1.0)
        self.trials.log_density[cells] = np.where(known, np.log(share / total) - top, np.nan)
        edges = [parts[0].sum(axis=0), parts[-1].sum(axis=0)]
        if parts.shape[1] > 1:
            edges += [parts[:, 0].sum(axis=0), parts[:, -1].sum(axis=0)]
        doubtful = ~(np.max(edges, axis=0) <= _MOST_EDGE * total)
        self.trials.doubtful[cells] = doubtful | ~known | neglected


def _moved(theta: FloatArray, posterior: FloatArray, moments: FloatArray) -> FloatArray:
    """Move nodes of θ to where the posterior's mean and variance are exact, shape (n, 2)."""
    mass = posterior.sum(axis=1, keepdims=True)
    mass = mass / mass.sum(axis=0)
    mean = (mass * theta).sum(axis=0)
    sd = np.sqrt((mass * (theta - mean) ** 2).sum(axis=0))
    moved = moments[:, 0] + np.sqrt(moments[:, 1]) / sd * (theta - mean)
    return np.where(np.isfinite(moved), moved, theta)


def every_second(size: int) -> slice:
    """Take every second node of a long axis: what is averaged over φ is smoother than its parts."""
    return slice(None, None, 2 if size >= _SPARSE else 1)


def without_trials(tally: Tally, cells: IntArray) -> Tally:
    """Return a tally with, for each given cell, its neuron less one trial of that cell.

    Every such neuron must have another trial.
    """
    first = np.searchsorted(tally.neuron, tally.neuron[cells])
    last = np.searchsorted(tally.neuron, tally.neuron[cells], side="right")
    size = last - first
    begin = np.cumsum(size) - size
    neuron = np.repeat(np.arange(len(cells)), size)
    source = np.arange(size.sum()) - begin[neuron] + first[neuron]
    weight = tally.weight[source] - (source == cells[neuron])
    kept = weight > 0
    source, neuron = source[kept], neuron[kept]
    return replace(
        tally,
        neurons=tuple(map(str, range(len(cells)))),
        neuron=neuron,
        condition=tally.condition[source],
        exposure=tally.exposure[source],
        count=tally.count[source],
        weight=weight[kept],
        group=np.zeros(len(cells), dtype=np.int64),
    )


@dataclass(frozen=True)
class _Smoothed:
    """Predictive densities from importance ratios, and the k̂ of each; shape (n,)."""

    log_density: FloatArray
    pareto_k: FloatArray

    def replace(self, i: int, density_and_k: tuple[float, float]) -> None:
        """Put a better density in the place of one."""
        self.log_density[i], self.pareto_k[i] = density_and_k


def smooth_ratios(log_densities: FloatArray, weights: FloatArray) -> _Smoothed:
    """Ln of 1/E[1/p] over weighted draws, by Pareto smoothed importance sampling.

    Parameters
    ----------
    log_densities : ndarray, shape (n, D)
        ln p(left out | rest, φ).
        Draws beyond the lattices are not finite, and are left out.
    weights : ndarray, shape (D,)
        Of the draws; sum to 1.
    """
    used = weights > 0
    log_densities, weights = log_densities[:, used], weights[used]
    beyond = ~np.isfinite(log_densities)
    log_densities = np.where(beyond, 0.0, log_densities)
    mean = (log_densities * weights).sum(axis=1, keepdims=True)
    variation = ((log_densities - mean) ** 2 * weights).sum(axis=1)
    log_weights = np.where(beyond, NO_WEIGHT, np.log(weights))
    result = -special.logsumexp(log_weights - log_densities, axis=1)
    pareto_k = np.full(len(result), np.nan)
    matters = np.flatnonzero(variation > LEAST_VARIATION)
    if len(matters):
        of_rest = log_densities[matters]
        smoothed, pareto_k[matters] = pareto_smoothed(log_weights[matters] - of_rest)
        total = special.logsumexp(smoothed, axis=1)
        result[matters] = special.logsumexp(smoothed + of_rest, axis=1) - total
    return _Smoothed(result, pareto_k)


def leave_out(
    tally: Tally,
    integrals: MarginalLikelihood,
    phi: Hyperparameters,
    weights: FloatArray,
    trials: TrialDensities,
    refit: Refit | None,
) -> LeaveOut:
    """Leave-one-trial-out and leave-one-neuron-out log predictive densities.

    Parameters
    ----------
    tally : Tally
    integrals : MarginalLikelihood
        Of all neurons.
    phi : dict of str to ndarray, shape (D,)
    weights : ndarray, shape (D,)
    trials : TrialDensities
    refit : callable or None
        Samples the hyperparameters anew, given what is to be added to their log posterior; None:
        the importance ratios stand as they are, with their k̂.

    Returns
    -------
    LeaveOut
    """
    family, region = integrals.family, integrals.region
    without = replace(region, quality=_quality_without(region))
    marginal = integrals.by_neuron(phi, len(weights))
    neurons = smooth_ratios(marginal, weights)
    sizes = integrals.nodes_per_neuron()
    refits = min(MOST_REFITS, int(REFIT_SUMS / (sizes.sum() * len(weights)))) if refit else 0
    refitted = _Refitted(refit)
    for i in _worst(neurons.pareto_k, refits):
        whole = integrals.of_neurons(np.array([i]))
        neurons.replace(i, refitted.without(whole, None))
    trial = trials.log_density.copy()
    alone = tally.n_trials[tally.neuron] == 1
    trial[alone] = neurons.log_density[tally.neuron[alone]]
    pareto_k = [neurons.pareto_k[tally.neuron[alone]]]
    left = refits
    for cells in _examined(trials, alone, sizes[tally.neuron], len(weights)):
        reduced = without_trials(tally, cells)
        statistics = (
            family.statistics(reduced)
            if region.tuning is None
            else response_statistics(family, reduced)
        )
        rest = tabulate(family, statistics, without, integrals.cores)
        ratios = marginal[tally.neuron[cells]] - rest.by_neuron(phi, len(weights))
        smoothed = smooth_ratios(ratios, weights)
        worst = _worst(smoothed.pareto_k, left)
        left -= len(worst)
        for i in worst:
            whole = integrals.of_neurons(tally.neuron[cells[i : i + 1]])
            less = rest.of_neurons(np.array([i]))
            smoothed.replace(i, refitted.without(whole, less))
        trial[cells] = smoothed.log_density
        pareto_k.append(smoothed.pareto_k)
    return LeaveOut(
        trial=trial,
        trial_by_neuron=tally.per_neuron(trial * tally.weight),
        neuron=neurons.log_density,
        trial_pareto_k=_largest(np.concatenate(pareto_k)),
        neuron_pareto_k=_largest(neurons.pareto_k),
    )


def _quality_without(region: Region) -> Quality:
    """Return the quality of lattices without a trial, one for each.

    With conditions they are much of the work of small tables; rougher ones, in a fifth of the time,
    change densities by 2e-4 nats at most (132 neurons in 7 conditions), of small tables by 1e-6.
    """
    rough = region.tuning is not None and region.quality == FINE
    return ROUGH if rough else region.quality


def _worst(pareto_k: FloatArray, most: int) -> list[int]:
    """Return what needs a hyperposterior of its own, at most so many."""
    bad = np.flatnonzero(np.nan_to_num(pareto_k, nan=-1.0) > MOST_PARETO_K)
    return [int(i) for i in bad[np.argsort(-pareto_k[bad], kind="stable")][:most]]


class _Refitted:
    """Hyperposteriors without what is left out, and one of everything to hold them against."""

    def __init__(self, refit: Refit | None) -> None:
        self._refit = refit
        self._everything: WeightedSample | None = None

    def without(
        self, whole: MarginalLikelihood, less: MarginalLikelihood | None
    ) -> tuple[float, float]:
        """Sample φ without what is left out; returns ln p(left out | rest) and the larger k̂.

        It is ln p(y) − ln p(rest), each from a sample of its own: the posterior without an outlying
        trial hardly reaches the φ that explain it, so that its mean density would be decided by a
        few.
        """
        assert self._refit is not None  # noqa: S101 - nothing is refitted then

        def left_out(phi: Hyperparameters, draws: int) -> FloatArray:
            density: FloatArray = whole.by_neuron(phi, draws)[0]
            with np.errstate(invalid="ignore"):  # φ beyond the lattices
                return density if less is None else density - less.by_neuron(phi, draws)[0]

        if self._everything is None:
            self._everything = self._refit(lambda _, draws: np.zeros(draws))[0]
        full = self._everything
        rest, _ = self._refit(lambda phi, draws: -left_out(phi, draws))
        return full.log_evidence - rest.log_evidence, max(full.pareto_k, rest.pareto_k)


def _examined(
    trials: TrialDensities, alone: np.ndarray, nodes: IntArray, draws: int
) -> Iterator[IntArray]:
    """Yield the cells that get lattices of their own, few at a time; `nodes`: size of each."""
    least = np.where(trials.doubtful, -np.inf, trials.log_density)
    order = np.argsort(np.where(alone, np.inf, least), kind="stable")[: int(np.sum(~alone))]
    count = max(MOST_EXAMINED, int(np.sum(trials.doubtful & ~alone)))
    affordable = int(np.searchsorted(np.cumsum(nodes[order]), MOST_SUMS / draws))
    chosen = np.sort(order[: min(count, affordable)])
    for begin in range(0, len(chosen), 256):
        yield chosen[begin : begin + 256]


def _largest(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    return float(known.max()) if known.size else float("nan")

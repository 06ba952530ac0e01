"""Likelihoods of neurons with several conditions, on lattices of (a, δ) and nodes of ω.

The responses θ_c ~ N(a, ω²) of a neuron are integrated out one by one, each on nodes of its own;
where ω is small beside what a response's likelihood resolves, by Gauss-Hermite nodes about a. What
is left depends on the neuron's own log rate a, its δ, and ω, along which logarithms are
interpolated (see `tuning`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.engines.collapsed import kernels_tuned
from spikepool.engines.collapsed.axes import Axis, join_axes, make_axis
from spikepool.engines.collapsed.lattice import (
    LARGEST_STEP_DELTA,
    LARGEST_STEP_THETA,
    MOST_MENDED,
    STEP_PER_SD,
    Lattice,
    Region,
    examine_lattice,
)
from spikepool.engines.collapsed.levels import Level, take
from spikepool.engines.collapsed.responses import ResponseStatistics
from spikepool.engines.collapsed.tuning import TuningAxis
from spikepool.models.families import CountFamily

type BoolArray = NDArray[np.bool_]

MOST_PLANE = MOST_MENDED // 8
"""Nodes (a, δ) of a neuron up to which a lattice is refined or widened."""
MOST_VALUES = 200_000_000
"""Of the lattices of one neuron (1.6 GB): a population that may be very narrow and very wide needs
more where a neuron is silent."""
NARROW = 0.5
"""ω, over the standard error of a response, below which Gauss-Hermite nodes about a serve."""
_RULES = ((0.05, 6), (0.2, 10), (NARROW, 16))
"""How many of them, up to an ω over the standard error of a response."""
_SPAN = 7.5
_ROUNDS = 8
_ZOOMS = 4
_DELTA_NODES, _THETA_NODES = 24, 48
_VALUES_AT_ONCE = 3_000_000
_MOST_DELTA, _FARTHEST_THETA = 60.0, 350.0
_NEGLIGIBLE_RATE = 14.0
_MOST_LOG = 700.0
_SPEAKS_AGAINST = (25.0, 6.0)
"""Spikes n for which 21 nats exclude a rate of n + 6 √n + 25."""
_LARGEST_STRIDE = 64
_LEAST_STEP = 0.4
"""Of the usual step, beside narrow populations: those narrower still have nodes of their own."""


class TooWideError(Exception):
    """A neuron's likelihood would take more nodes than there is room for."""


@dataclass(frozen=True)
class HermiteRules:
    """Gauss-Hermite rules of the standard normal, few nodes first.

    Attributes
    ----------
    nodes, log_weights : ndarray, shape (rules, most)
    count : ndarray of int64, shape (rules,)
    """

    nodes: FloatArray
    log_weights: FloatArray
    count: IntArray


def _hermite_rules() -> HermiteRules:
    count = np.array([count for _, count in _RULES])
    nodes, log_weights = np.zeros((len(count), count.max())), np.zeros((len(count), count.max()))
    for place, size in enumerate(count.tolist()):
        z, weights = np.polynomial.hermite_e.hermegauss(size)
        nodes[place, :size] = z
        log_weights[place, :size] = np.log(weights / np.sqrt(2 * np.pi))
    return HermiteRules(nodes, log_weights, count)


HERMITE = _hermite_rules()


@dataclass(frozen=True)
class Axes:
    """Nodes of a run of neurons: a and δ of each, θ of each response."""

    rows: Axis
    columns: Axis
    theta: Axis


@dataclass(frozen=True)
class ResponseLattice:
    """Log-likelihoods of responses on nodes of θ, at the δ of their neurons.

    Attributes
    ----------
    theta : Axis
        Of R responses.
    values : ndarray
        ln L of response r in ``values[offset[r] : offset[r + 1]]``, δ innermost.
    offset : ndarray of int64, shape (R + 1,)
    peak : ndarray, shape (R,)
        The largest of the values.
    rule : ndarray of int64, shape (R, Q)
        Gauss-Hermite rule that serves at each ω, an index into `HERMITE`; one past the last where
        the nodes of θ do.
    stride : ndarray of int64, shape (R, Q)
        Of how many nodes one suffices at each ω.
    """

    theta: Axis
    values: FloatArray
    offset: IntArray
    peak: FloatArray
    rule: IntArray
    stride: IntArray

    @property
    def wide(self) -> BoolArray:
        """Whether the nodes of θ serve at each ω; shape (R, Q)."""
        return np.asarray(self.rule == len(_RULES))


@dataclass(frozen=True)
class TunedLattice:
    """Log-likelihoods of a run of neurons, each on its own lattice.

    Attributes
    ----------
    rows, columns : Axis
        Of a and δ, with one column at δ = 0 where the family has no dispersion.
    values : ndarray
        ln L − `peak` of neuron i in ``values[offset[i] : offset[i + 1]]``, shape
        (Q, rows, columns).
    offset : ndarray of int64, shape (N + 1,)
    peak : ndarray, shape (N,)
    tuning : TuningAxis
    theta : Axis
        Nodes of the responses.
    """

    rows: Axis
    columns: Axis
    values: FloatArray
    offset: IntArray
    peak: FloatArray
    tuning: TuningAxis
    theta: Axis
    first: IntArray

    @property
    def axes(self) -> Axes:
        """The nodes."""
        return Axes(self.rows, self.columns, self.theta)

    def take(self, neurons: IntArray) -> "TunedLattice":
        """Return the lattices of some neurons."""
        pieces = [self.values[self.offset[i] : self.offset[i + 1]] for i in neurons.tolist()]
        responses = np.concatenate(
            [np.arange(self.first[i], self.first[i + 1]) for i in neurons.tolist()]
        )
        return replace(
            self,
            rows=self.rows.take(neurons),
            columns=self.columns.take(neurons),
            values=np.concatenate(pieces),
            offset=np.concatenate([[0], np.cumsum(np.diff(self.offset)[neurons])]),
            peak=self.peak[neurons],
            theta=self.theta.take(responses),
            first=np.concatenate([[0], np.cumsum(np.diff(self.first)[neurons])]),
        )

    def at(self, tuning_sd: float) -> Lattice:
        """Return the likelihoods at one ω."""
        coefficients = self.tuning.coefficients(np.array([tuning_sd]))[0]
        size = self.rows.length * self.columns.length
        offset = np.concatenate([[0], np.cumsum(size)])
        values = np.empty(offset[-1])
        for i in range(len(self.peak)):
            own = self.values[self.offset[i] : self.offset[i + 1]].reshape(len(coefficients), -1)
            logs = np.einsum("q,qe->e", coefficients, own)
            values[offset[i] : offset[i + 1]] = np.exp(np.minimum(logs, _MOST_LOG))
        return Lattice(self.rows, self.columns, values, offset, self.peak)


def build_tuned_lattice(
    family: CountFamily, s: ResponseStatistics, region: Region, tuning: TuningAxis
) -> TunedLattice:
    """Tabulate the likelihoods of a run of neurons, finely and widely enough.

    Parameters
    ----------
    family : CountFamily
    s : ResponseStatistics
        Of those neurons.
    region : Region
    tuning : TuningAxis

    Returns
    -------
    TunedLattice

    Raises
    ------
    TooWideError
    """
    axes = _first_axes(family, s, region, tuning)
    _check_size(axes, s, len(tuning.sd))
    lattice, errors, edges = _fill(family, s, region, tuning, axes)
    parts = {int(i): lattice.take(np.array([i])) for i in range(s.n_neurons)}
    every = np.arange(s.n_neurons)
    for _ in range(_ROUNDS):
        axes, changed = _mended(lattice, errors, edges, region)
        if not changed.any():
            break
        every = every[changed]
        some = s.of_neurons(every)
        chosen = np.flatnonzero(changed)
        kept = changed[_neuron_of(lattice)]
        axes = Axes(axes.rows.take(chosen), axes.columns.take(chosen), axes.theta.take(kept))
        lattice, errors, edges = _fill(family, some, region, tuning, axes)
        for place, i in enumerate(every.tolist()):
            parts[i] = lattice.take(np.array([place]))
    return _joined([parts[i] for i in range(s.n_neurons)])


def _check_size(axes: Axes, s: ResponseStatistics, n_sds: int) -> None:
    """Refuse lattices that no memory holds, before any of them is filled."""
    width = axes.columns.length
    responses = np.add.reduceat(axes.theta.length * width[s.neuron], s.first[:-1])
    most = int(np.max(n_sds * axes.rows.length * width + responses))
    if most > MOST_VALUES:
        raise TooWideError(
            f"the likelihood of a neuron would take {most:.1e} nodes (at most {MOST_VALUES:.0e}), "
            "as of neurons without spikes where the spread of the rates is hardly known"
        )


def _neuron_of(lattice: TunedLattice) -> IntArray:
    return np.repeat(np.arange(len(lattice.peak)), np.diff(lattice.first))


def _joined(parts: list[TunedLattice]) -> TunedLattice:
    sizes = np.concatenate([np.diff(part.offset) for part in parts])
    counts = np.concatenate([np.diff(part.first) for part in parts])
    return replace(
        parts[0],
        rows=join_axes([part.rows for part in parts]),
        columns=join_axes([part.columns for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        offset=np.concatenate([[0], np.cumsum(sizes)]),
        peak=np.concatenate([part.peak for part in parts]),
        theta=join_axes([part.theta for part in parts]),
        first=np.concatenate([[0], np.cumsum(counts)]),
    )


def _mended(
    lattice: TunedLattice, errors: FloatArray, edges: FloatArray, region: Region
) -> tuple[Axes, BoolArray]:
    """Return finer or wider axes for the neurons that need and can have them, and which do."""
    quality = region.quality
    n = len(lattice.peak)
    of_neurons, at_edges = np.zeros((n, 2)), np.zeros((n, 4))
    assert region.tuning is not None  # noqa: S101
    sd = region.tuning.sd(region.corners, region.n_corners)
    for which in range(region.n_corners):
        corner = {name: values[which : which + 1] for name, values in region.corners.items()}
        own = examine_lattice(lattice.at(float(sd[which])), replace(region, corners=corner))
        of_neurons, at_edges = np.maximum(of_neurons, own[0]), np.maximum(at_edges, own[1])
    coarse, cut = ~(of_neurons <= quality.most_error), ~(at_edges <= quality.most_edge)
    coarse_theta, cut_theta = errors > quality.most_error, edges > quality.most_edge
    rows = lattice.rows.wider(cut[:, 0], cut[:, 1]).finer(coarse[:, 0])
    columns = lattice.columns.wider(cut[:, 2], cut[:, 3]).finer(coarse[:, 1])
    theta = lattice.theta.wider(cut_theta[:, 0], cut_theta[:, 1]).finer(coarse_theta)
    doubtful = coarse_theta | cut_theta.any(axis=1)
    changed = coarse.any(axis=1) | cut.any(axis=1)
    changed |= np.bitwise_or.reduceat(doubtful, lattice.first[:-1])
    affordable = rows.length * columns.length <= MOST_PLANE
    sizes = theta.length * columns.length[_neuron_of(lattice)]
    affordable &= np.maximum.reduceat(sizes, lattice.first[:-1]) <= MOST_MENDED
    return Axes(rows, columns, theta), changed & affordable


def _fill(
    family: CountFamily, s: ResponseStatistics, region: Region, tuning: TuningAxis, axes: Axes
) -> tuple[TunedLattice, FloatArray, FloatArray]:
    """Evaluate on given nodes; also the errors (R,) and edges (R, 2) of the sums over θ."""
    rows, columns = axes.rows, axes.columns
    tuning_sd = tuning.sd
    responses = fill_responses(family, s, axes, tuning_sd)
    size = rows.length * columns.length
    offset = np.concatenate([[0], np.cumsum(len(tuning_sd) * size)])
    values = np.zeros(offset[-1])
    errors, edges = np.zeros(len(s.neuron)), np.zeros((len(s.neuron), 2))
    kernels_tuned.add_responses(
        responses.values,
        responses.offset,
        s.first,
        axes.theta.step_class,
        axes.theta.start,
        axes.theta.length,
        axes.theta.step,
        responses.peak,
        rows.start,
        rows.step,
        rows.length,
        columns.length,
        tuning_sd,
        responses.wide,
        responses.stride,
        values,
        offset,
        errors,
        edges,
    )
    kernels_tuned.add_narrow_responses(
        responses.values,
        responses.offset,
        s.first,
        axes.theta.start,
        axes.theta.length,
        axes.theta.step,
        responses.peak,
        rows.start,
        rows.step,
        rows.length,
        columns.length,
        tuning_sd,
        responses.rule,
        HERMITE.count,
        HERMITE.nodes,
        HERMITE.log_weights,
        values,
        offset,
        edges,
    )
    lattice = TunedLattice(
        rows, columns, values, offset, np.zeros(s.n_neurons), tuning, axes.theta, s.first
    )
    peak = _peaks(lattice, region)
    for i in range(s.n_neurons):
        values[offset[i] : offset[i + 1]] -= peak[i]
    return replace(lattice, peak=peak), errors, edges


def _peaks(lattice: TunedLattice, region: Region) -> FloatArray:
    """Log-likelihood where it is largest with the population of the central corner; shape (N,)."""
    assert region.tuning is not None  # noqa: S101
    corner = take(region.corners, slice(0, 1))
    coefficients = lattice.tuning.coefficients(region.tuning.sd(corner, 1))[0]
    peak = np.empty(len(lattice.peak))
    for i in range(len(peak)):
        shape = len(coefficients), lattice.rows.length[i], lattice.columns.length[i]
        own = lattice.values[lattice.offset[i] : lattice.offset[i + 1]].reshape(shape)
        logs = np.einsum("q,qjk->jk", coefficients, own)
        a = lattice.rows.nodes(np.array([i]), shape[1])
        total = logs + region.rate.log_density(a, corner)
        if region.dispersion is not None:
            delta = lattice.columns.nodes(np.array([i]), shape[2])
            total = total + region.dispersion.log_density(delta.T, corner)
        peak[i] = logs.flat[np.argmax(total)]
    return peak


def fill_responses(
    family: CountFamily, s: ResponseStatistics, axes: Axes, tuning_sd: FloatArray
) -> ResponseLattice:
    """Evaluate the log-likelihoods of responses on their nodes of θ."""
    theta, columns = axes.theta, axes.columns
    width = columns.length[s.neuron]
    offset = np.concatenate([[0], np.cumsum(theta.length * width)])
    values = np.empty(offset[-1])
    for n_theta, n_columns, chosen in _same_shape(theta.length, width, s):
        at_theta = theta.nodes(chosen, n_theta)[:, np.newaxis, :]
        at_delta = columns.nodes(s.neuron[chosen], n_columns)[np.newaxis]
        at_theta = np.clip(at_theta, -_FARTHEST_THETA, _FARTHEST_THETA)
        block = family.log_likelihood(at_theta, at_delta, s.each.of_neurons(chosen))
        where = offset[chosen][:, np.newaxis] + np.arange(n_theta * n_columns)
        values[where] = block.reshape(n_theta * n_columns, len(chosen)).T
    peak = np.maximum.reduceat(values, offset[:-1])
    highest = (axes.rows.start + axes.rows.length - 1) * axes.rows.step
    lowest = columns.start * columns.step
    sharpest = sharpest_information(family, s, highest, lowest)
    relative = tuning_sd * np.sqrt(sharpest)[:, np.newaxis]
    rule = np.searchsorted([most for most, _ in _RULES], relative).astype(np.int64)
    own = family.information(own_log_rates(s), lowest[s.neuron], s.each)
    strides = _strides(own, tuning_sd, rule == len(_RULES))
    return ResponseLattice(theta, values, offset, peak, rule, strides)


def _strides(information: FloatArray, tuning_sd: FloatArray, wide: BoolArray) -> IntArray:
    """Powers of two by which a response's nodes may be thinned out, as N(θ; a, ω²) widens."""
    sd = 1 / np.sqrt(information[:, np.newaxis] + tuning_sd**-2)
    least = np.where(wide, sd, np.inf).min(axis=1, keepdims=True)
    ratio = np.minimum(STEP_PER_SD * sd, LARGEST_STEP_THETA) / (STEP_PER_SD * least)
    ratio = np.clip(ratio, 1.0, _LARGEST_STRIDE)
    return np.where(wide, 2 ** np.floor(np.log2(ratio)), 1).astype(np.int64)


def sharpest_information(
    family: CountFamily, s: ResponseStatistics, highest: FloatArray, lowest_delta: FloatArray
) -> FloatArray:
    """Return the most that each response can tell of θ at any a that it allows; shape (R,).

    That is at the lowest δ and the highest rate: what a response without spikes tells grows with
    the rate that it speaks against.
    """
    constant, factor = _SPEAKS_AGAINST
    spikes = s.each.spikes
    allowed = np.log((spikes + factor * np.sqrt(spikes) + constant) / s.each.exposure)
    theta = np.maximum(own_log_rates(s), np.minimum(highest[s.neuron], allowed))
    return family.information(theta, lowest_delta[s.neuron], s.each)


def own_log_rates(s: ResponseStatistics) -> FloatArray:
    """Log rate of each response by itself; shape (R,)."""
    return np.log((s.each.spikes + 0.5) / s.each.exposure)


def _same_shape(
    n_theta: IntArray, n_columns: IntArray, s: ResponseStatistics
) -> Iterator[tuple[int, int, IntArray]]:
    """Yield responses with nodes of one shape, few enough to evaluate at once."""
    shapes, group = np.unique(np.stack([n_theta, n_columns]), axis=1, return_inverse=True)
    for which, (rows, columns) in enumerate(shapes.T.tolist()):
        chosen = np.flatnonzero(group == which)
        size = np.cumsum(rows * columns * s.each.cells_per_neuron(chosen)) // _VALUES_AT_ONCE
        for part in np.split(chosen, np.flatnonzero(np.diff(size)) + 1):
            yield rows, columns, part.astype(np.int64)


def _first_axes(
    family: CountFamily, s: ResponseStatistics, region: Region, tuning: TuningAxis
) -> Axes:
    """Guess windows and steps from normal approximations; what they miss is mended later."""
    guess = _Guess(family, s, region)
    factor = region.quality.step_factor
    rows = make_axis(*guess.rows(), LARGEST_STEP_THETA * factor)
    if region.dispersion is None:
        zero = np.zeros(s.n_neurons, dtype=np.int64)
        columns = Axis(zero, zero, zero + 1, LARGEST_STEP_DELTA)
    else:
        columns = make_axis(*guess.columns(), LARGEST_STEP_DELTA * factor)
    theta = make_axis(*guess.theta(tuning.sd), LARGEST_STEP_THETA * factor)
    return Axes(rows, columns, theta)


class _Guess:
    """Where a, δ and each θ can be, by Laplace's method about each response's own log rate.

    Attributes
    ----------
    delta : ndarray, shape (D, N)
        Nodes of δ over the window.
    drop : ndarray, shape (D, N)
        Log density there below its largest, the least over the corners.
    """

    def __init__(self, family: CountFamily, s: ResponseStatistics, region: Region) -> None:
        assert region.tuning is not None  # noqa: S101
        self.family, self.s, self.region = family, s, region
        self.x = own_log_rates(s)
        self.tuning_sd = region.tuning.sd(region.corners, region.n_corners)
        self._find_delta()
        self._find_a()

    def _find_delta(self) -> None:
        s, region = self.s, self.region
        level = region.dispersion
        if level is None:
            self.delta = np.zeros((1, s.n_neurons))
            self.drop = np.zeros((1, s.n_neurons))
            self.sd_delta = np.ones(s.n_neurons)
            self._evaluate()
            return
        ends = level.support(region.corners)
        lower = np.full(s.n_neurons, max(float(ends[0].min()), -_MOST_DELTA))
        upper = np.full(s.n_neurons, min(float(ends[1].max()), _MOST_DELTA))
        for _ in range(_ZOOMS):
            self.delta = np.asarray(np.linspace(lower, upper, _DELTA_NODES))
            self._evaluate()
            inside = self._delta_inside(level)
            gap = self.delta[1] - self.delta[0]
            first = np.argmax(inside, axis=0)
            last = len(inside) - 1 - np.argmax(inside[::-1], axis=0)
            every = np.arange(s.n_neurons)
            new = self.delta[first, every] - gap, self.delta[last, every] + gap
            if np.all(new[1] - new[0] > 0.75 * (upper - lower)):
                break
            lower, upper = np.maximum(lower, new[0]), np.minimum(upper, new[1])

    def _evaluate(self) -> None:
        """Log-likelihood and information of every response at its own log rate."""
        at = self.delta[:, self.s.neuron]
        self.log_likelihood = self.family.log_likelihood(self.x[np.newaxis], at, self.s.each)
        theta = np.broadcast_to(self.x, at.shape)
        self.information = self.family.information(theta, at, self.s.each)

    def _delta_inside(self, level: Level) -> BoolArray:
        """Mark the δ that matter under any corner."""
        self.drop = np.full(self.delta.shape, np.inf)
        gap = self.delta[1] - self.delta[0]
        for which, sd in enumerate(self.tuning_sd):
            own = self.log_likelihood - 0.5 * np.log1p(sd**2 * self.information)
            profile = self.s.sum(own)
            if which == 0:
                shape = np.exp(profile - profile.max(axis=0))
                shape /= shape.sum(axis=0)
                mean = (shape * self.delta).sum(axis=0)
                self.sd_delta = np.sqrt((shape * (self.delta - mean) ** 2).sum(axis=0))
            corner = level.widened(take(self.region.corners, which), gap)
            total = profile + level.log_density(self.delta, corner)
            self.drop = np.minimum(self.drop, total.max(axis=0) - total)
        return self.drop < self.region.quality.negligible

    def _find_a(self) -> None:
        """Mean and precision of a at every δ and corner; the window, and the largest precision."""
        region = self.region
        centre, width = _centre_and_width(region)
        depth = np.maximum(region.quality.negligible - self.drop, 0.0)
        reach = np.sqrt(2 * depth) + 0.5
        lower, upper = np.full(self.s.n_neurons, np.inf), np.full(self.s.n_neurons, -np.inf)
        self.precision = np.zeros(self.s.n_neurons)
        for which, sd in enumerate(self.tuning_sd):
            precision_of_each = 1 / (sd**2 + 1 / self.information)
            own = self.s.sum(precision_of_each)
            weighted = self.s.sum(precision_of_each * self.x)
            total = own + 1 / width[which] ** 2
            mean = (weighted + centre[which] / width[which] ** 2) / total
            spread = 1 / np.sqrt(total)
            lower = np.minimum(lower, (mean - reach * spread).min(axis=0))
            upper = np.maximum(upper, (mean + reach * spread + 2 * spread**2).max(axis=0))
            self.precision = np.maximum(self.precision, own.max(axis=0))
        self.lower, self.upper = lower, upper

    def rows(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return ends and steps of a; shape (N,)."""
        step = STEP_PER_SD / np.sqrt(self.precision)
        least = self.region.least_width[0] / self.region.rate.steps_per_sd
        return self.lower, self.upper, self._step(step, least, LARGEST_STEP_THETA)

    def columns(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return ends and steps of δ; shape (N,)."""
        level = self.region.dispersion
        assert level is not None  # noqa: S101
        step = STEP_PER_SD * np.maximum(self.sd_delta, 1e-9)
        least = self.region.least_width[1] / level.steps_per_sd
        lower, upper = self.delta[0], self.delta[-1]
        return lower, upper, self._step(step, least, LARGEST_STEP_DELTA)

    def _step(self, step: FloatArray, least: float, cap: float) -> FloatArray:
        wanted = np.minimum(np.minimum(step, np.maximum(least, _LEAST_STEP * step)), cap)
        return np.asarray(wanted * self.region.quality.step_factor)

    def theta(self, tuning_sd: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return ends and steps of each response's θ; shape (R,)."""
        lower, upper = self._theta_window()
        most = sharpest_information(self.family, self.s, self.upper, self.delta[0])
        wide = tuning_sd * np.sqrt(most)[:, np.newaxis] > NARROW
        sharpest = self.information.max(axis=0)
        least = np.where(wide, tuning_sd, np.inf).min(axis=1)
        step = STEP_PER_SD / np.sqrt(sharpest + 1 / least**2)
        step = np.minimum(step, LARGEST_STEP_THETA) * self.region.quality.step_factor
        return lower, upper, np.asarray(step)

    def _theta_window(self) -> tuple[FloatArray, FloatArray]:
        """Where L(θ) N(θ; a, ω²) is not negligible beside its peak, for any a, δ and ω."""
        negligible = self.region.quality.negligible
        of = self.s.neuron
        ends_a = self.lower[of], self.upper[of]
        middle = self.delta[len(self.delta) // 2]
        deltas = np.stack([self.delta[0], middle, self.delta[-1]])[:, of]
        sds = np.unique([self.tuning_sd.min(), self.tuning_sd.max()])
        lower = np.minimum(ends_a[0], self.x) - _SPAN * sds[-1]
        upper = np.maximum(ends_a[1], self.x) + _SPAN * sds[-1] + 2 * sds[-1] ** 2
        upper = np.minimum(upper, _FARTHEST_THETA)  # where e^θ is far from overflow
        for _ in range(_ZOOMS):
            theta = np.asarray(np.linspace(lower, upper, _THETA_NODES))
            gap = theta[1] - theta[0]
            logs = self.family.log_likelihood(theta[:, np.newaxis], deltas[np.newaxis], self.s.each)
            inside = np.zeros(theta.shape, dtype=np.bool_)
            for a in ends_a:
                for sd in sds:
                    spread = -0.5 * ((theta - a) / np.maximum(sd, gap)) ** 2
                    values = logs + spread[:, np.newaxis]
                    inside |= (values > values.max(axis=0) - negligible).any(axis=1)
                    tilted = values + 2 * theta[:, np.newaxis]
                    inside |= (tilted > tilted.max(axis=0) - _NEGLIGIBLE_RATE).any(axis=1)
            every = np.arange(theta.shape[1])
            first = np.argmax(inside, axis=0)
            last = len(theta) - 1 - np.argmax(inside[::-1], axis=0)
            new = theta[first, every] - gap, theta[last, every] + gap
            done = np.all(new[1] - new[0] > 0.75 * (upper - lower))
            lower, upper = np.maximum(lower, new[0]), np.minimum(upper, new[1])
            if done:
                break
        return lower, upper


def _centre_and_width(region: Region) -> tuple[FloatArray, FloatArray]:
    """Middle and sd of the population of a at every corner; shape (C,)."""
    ends = region.rate.support(region.corners)
    centre = np.broadcast_to(0.5 * (ends[0] + ends[1]), (region.n_corners,))
    return centre, np.broadcast_to(region.rate.width(region.corners), (region.n_corners,))


def smallest_standard_error(s: ResponseStatistics) -> float:
    """Return the standard error of the best known response, if counts were Poisson."""
    return float(1 / np.sqrt(np.max(s.each.spikes + 0.5)))

"""Every neuron's likelihood on a lattice of its own, that serves all plausible hyperparameters.

Nodes lie on global ladders of steps: node g of step h is at g h. Neurons that share a step share
their nodes, so that the population's density is tabulated once per step and not once per neuron.
The trapezoid rule on such nodes converges geometrically in 1/h for an analytic integrand that
vanishes at both ends (Trefethen & Weideman 2014).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.engines.collapsed import kernels, kernels_shared
from spikepool.engines.collapsed.axes import Axis, make_axis, make_ladder
from spikepool.engines.collapsed.levels import (
    NEGLIGIBLE,
    Hyperparameters,
    Level,
    SharedLevel,
    TuningLevel,
    take,
)
from spikepool.engines.collapsed.tables import make_table
from spikepool.models.families import CountFamily
from spikepool.models.statistics import CountStatistics

type BoolArray = NDArray[np.bool_]

SHARED_STEP = 0.7
"""Steps along a shared parameter, over these caps: logarithms are interpolated there."""
LARGEST_STEP_THETA = 0.5
LARGEST_STEP_DELTA = 0.2
"""Caps that the singularities of log1p(α m), at Im θ = π and Im δ = π/2, impose."""
STEP_PER_SD = 0.7
"""Step over the sd of the likelihood."""
EXAMINED = 1.8
"""Populations are taken no narrower than this many times what the steps resolve where the rule's
error is estimated: it is then that of the likelihood alone."""
NARROW_CAPS = 0.5
"""Caps on the steps, over the usual ones, where some population has nodes of its own: there the
logarithm of the likelihood is interpolated."""
MOST_NODES = (400, 200)
"""Nodes of θ and δ above which only a likelihood that is sharp refines an axis further."""
MOST_BUILT, MOST_MENDED = 2**20, 2**18
"""Nodes of a neuron that a lattice may have, and up to which it is refined or widened; where more
would be needed the certificate tells."""
BLUR = 0.08
"""Step, over the parameter's sd, that the narrowest populations may not go below."""
_SCAN_ROWS, _SCAN_COLUMNS = 18, 16
_ZOOMS = 8
_SHRUNK = 0.75
_STEP_MATTERS = 6.0
_ROUNDS = 8
_VALUES_AT_ONCE = 3_000_000
_MARGIN = 6
_MOST_LOG = 700.0
_MOST_THETA, _LEAST_THETA, _MOST_DELTA = 300.0, 300.0, 60.0
_FARTHEST_THETA = 350.0
_NEGLIGIBLE_RATE = 14.0


@dataclass(frozen=True)
class Lattice:
    """Likelihoods of a run of neurons, each on its own lattice.

    Attributes
    ----------
    rows, columns : Axis
        Of θ and δ, with one column at δ = 0 where the family has no dispersion; where all neurons
        share θ, rows are those of δ and columns those of θ.
    values : ndarray
        L / exp(`peak`) of neuron i in ``values[offset[i] : offset[i + 1]]``, columns innermost;
        its logarithm where the parameter of the columns is shared.
    offset : ndarray of int64, shape (N + 1,)
    peak : ndarray, shape (N,)
        The log-likelihood where likelihood × population is largest.
    """

    rows: Axis
    columns: Axis
    values: FloatArray
    offset: IntArray
    peak: FloatArray

    def take(self, neurons: IntArray) -> "Lattice":
        """Return the lattices of some neurons."""
        pieces = [self.values[self.offset[i] : self.offset[i + 1]] for i in neurons.tolist()]
        size = self.rows.length[neurons] * self.columns.length[neurons]
        return Lattice(
            self.rows.take(neurons),
            self.columns.take(neurons),
            np.concatenate(pieces),
            np.concatenate([[0], np.cumsum(size)]),
            self.peak[neurons],
        )

    def with_neurons(self, neurons: IntArray, part: "Lattice") -> "Lattice":
        """Return a lattice with those of some neurons replaced."""
        pieces = [self.values[a:b] for a, b in pairwise(self.offset.tolist())]
        for place, i in enumerate(neurons.tolist()):
            pieces[i] = part.values[part.offset[place] : part.offset[place + 1]]
        rows = self.rows.with_neurons(neurons, part.rows)
        columns = self.columns.with_neurons(neurons, part.columns)
        offset = np.concatenate([[0], np.cumsum(rows.length * columns.length)])
        peak = self.peak.copy()
        peak[neurons] = part.peak
        return Lattice(rows, columns, np.concatenate(pieces), offset, peak)


@dataclass(frozen=True)
class Windows:
    """Where each neuron's parameters can be, and how finely they must be resolved.

    Attributes
    ----------
    lower, upper, step : ndarray, shape (2, N)
        For θ and δ.
    """

    lower: FloatArray
    upper: FloatArray
    step: FloatArray

    def along(self, which: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Lower and upper ends and steps of one parameter; shape (N,)."""
        return self.lower[which], self.upper[which], self.step[which]


@dataclass(frozen=True)
class Quality:
    """How fine and how wide a lattice is.

    Attributes
    ----------
    step_factor : float
        Steps, over those that the widths of the likelihoods suggest.
    negligible : float
        Log density below its maximum at which a window ends.
    most_error : float
        Estimated relative error along an axis above which a lattice is refined.
    most_edge : float
        Share of an edge above which a lattice is widened.
    """

    step_factor: float
    negligible: float
    most_error: float
    most_edge: float


FINE = Quality(1.0, NEGLIGIBLE, 3e-8, 1e-8)
ROUGH = Quality(1.4, 11.0, 1e-3, 1e-4)
"""For finding the mode."""
FINER = Quality(0.6, NEGLIGIBLE + 8, 1e-9, 1e-10)
"""For checking the others."""


@dataclass(frozen=True)
class Region:
    """The hyperparameters a lattice must serve.

    Attributes
    ----------
    rate, dispersion : Level
        `dispersion` is None for a family that has none.
    corners : dict of str to ndarray, shape (C,)
        Hyperparameters, the central ones first: the window covers what matters under each.
    least_width : tuple of (float, float)
        Population widths, of θ and δ, that the lattice should still resolve.
    quality : Quality
    tuning : TuningLevel or None
        Of the responses to several conditions; θ is then the neuron's own a.
    """

    rate: Level
    dispersion: Level | None
    corners: Hyperparameters
    least_width: tuple[float, float]
    quality: Quality
    tuning: TuningLevel | None = None

    @property
    def shared(self) -> str | None:
        """The hyperparameter that all neurons have as their θ or δ; None where each has its own."""
        for level in (self.rate, self.dispersion):
            if isinstance(level, SharedLevel):
                return level.name
        return None

    @property
    def row_level(self) -> Level:
        """The level of the parameter along the rows of the lattices."""
        if self.rate.is_point and self.dispersion is not None:
            return self.dispersion
        return self.rate

    @property
    def n_corners(self) -> int:
        """Number of corners; 1 without hyperparameters."""
        return next((len(values) for values in self.corners.values()), 1)


def build_lattice(family: CountFamily, s: CountStatistics, region: Region) -> Lattice:
    """Tabulate the likelihoods of a run of neurons, finely and widely enough.

    Parameters
    ----------
    family : CountFamily
    s : CountStatistics
        Of those neurons.
    region : Region

    Returns
    -------
    Lattice
    """
    windows = find_windows(family, s, region)
    factor = region.quality.step_factor
    theta = make_axis(*windows.along(0), LARGEST_STEP_THETA * factor)
    delta = make_axis(*windows.along(1), LARGEST_STEP_DELTA * factor)
    if region.dispersion is None:
        zero = np.zeros(s.n_neurons, dtype=np.int64)
        delta = Axis(zero, zero, zero + 1, LARGEST_STEP_DELTA)
    rows, columns = (delta, theta) if region.rate.is_point else (theta, delta)
    lattice = fill(family, s, region, rows, columns)
    doubtful = np.arange(s.n_neurons)
    for _ in range(_ROUNDS):
        rows, columns, changed = _mended(lattice.take(doubtful), region)
        doubtful = doubtful[changed]
        if not len(doubtful):
            return lattice
        part = fill(
            family, s.of_neurons(doubtful), region, rows.take(changed), columns.take(changed)
        )
        lattice = lattice.with_neurons(doubtful, part)
    return lattice


def _mended(lattice: Lattice, region: Region) -> tuple[Axis, Axis, BoolArray]:
    """Return finer or wider axes for the neurons that need and can have them, and which do."""
    errors, edges = examine_lattice(lattice, region)
    coarse, cut = errors > region.quality.most_error, edges > region.quality.most_edge
    rows = lattice.rows.wider(cut[:, 0], cut[:, 1]).finer(coarse[:, 0])
    columns = lattice.columns.wider(cut[:, 2], cut[:, 3]).finer(coarse[:, 1])
    affordable = rows.length * columns.length <= MOST_MENDED
    return rows, columns, (coarse.any(axis=1) | cut.any(axis=1)) & affordable


def examine_lattice(lattice: Lattice, region: Region) -> tuple[FloatArray, FloatArray]:
    """Estimate the rule's error and weigh the edges, at every corner of the region.

    Returns
    -------
    errors : ndarray, shape (N, 2)
        Largest estimated relative error along rows and columns; 0 along the columns of a shared
        parameter.
    edges : ndarray, shape (N, 4)
        Largest share of the first and the last row, and of the first and the last column.
    """
    n = len(lattice.peak)
    errors, edges = np.zeros((n, 2)), np.zeros((n, 4))
    rows, columns = make_ladder(lattice.rows), make_ladder(lattice.columns)
    table = make_table(region.row_level, rows, region.corners, region.n_corners, EXAMINED).weights
    if region.shared is not None:
        kernels_shared.examine_shared(
            lattice.values,
            lattice.offset,
            lattice.rows.length,
            lattice.columns.length,
            rows.place,
            lattice.columns.start,
            lattice.columns.step,
            table,
            region.corners[region.shared],
            errors[:, 0],
            edges[:, :2],
        )
        return errors, edges
    kernels.examine(
        lattice.values,
        lattice.offset,
        lattice.rows.length,
        lattice.columns.length,
        rows.place,
        columns.place,
        table,
        make_table(region.dispersion, columns, region.corners, region.n_corners, EXAMINED).weights,
        errors,
        edges,
    )
    return errors, edges


def fill(
    family: CountFamily, s: CountStatistics, region: Region, rows: Axis, columns: Axis
) -> Lattice:
    """Evaluate the likelihood on given nodes."""
    offset = np.concatenate([[0], np.cumsum(rows.length * columns.length)])
    values, peak = np.empty(offset[-1]), np.empty(s.n_neurons)
    for n_rows, n_columns, neurons in _same_shape(rows, columns, s):
        at_rows = rows.nodes(neurons, n_rows)[:, np.newaxis, :]
        at_columns = columns.nodes(neurons, n_columns)[np.newaxis]
        theta, delta = (at_columns, at_rows) if region.rate.is_point else (at_rows, at_columns)
        population = _central(region, theta, delta)
        reached = np.clip(theta, -_FARTHEST_THETA, _FARTHEST_THETA)  # beyond, exp is 0 or infinite
        block = _in_pieces(family, reached, delta, s.of_neurons(neurons))
        flat = block.reshape(n_rows * n_columns, len(neurons))
        best = np.argmax((block + population).reshape(flat.shape), axis=0)
        peak[neurons] = flat[best, np.arange(len(neurons))]
        where = offset[neurons][:, np.newaxis] + np.arange(n_rows * n_columns)
        relative = flat - peak[neurons]
        if region.shared is None:
            relative = np.exp(np.minimum(relative, _MOST_LOG))
        values[where] = relative.T
    return Lattice(rows, columns, values, offset, peak)


def _in_pieces(
    family: CountFamily, theta: FloatArray, delta: FloatArray, s: CountStatistics
) -> FloatArray:
    """Evaluate log-likelihoods a few rows at a time where all would take too much memory."""
    terms = int(np.sum(s.cells_per_neuron(np.arange(s.n_neurons))))
    rows = max(1, _VALUES_AT_ONCE // (max(theta.shape[1], delta.shape[1]) * terms))
    pieces = range(0, max(len(theta), len(delta)), rows)
    theta_pieces = [theta[i : i + rows] if len(theta) > 1 else theta for i in pieces]
    delta_pieces = [delta[i : i + rows] if len(delta) > 1 else delta for i in pieces]
    blocks = map(lambda x, z: family.log_likelihood(x, z, s), theta_pieces, delta_pieces)
    return np.concatenate(list(blocks))


def _central(region: Region, theta: FloatArray, delta: FloatArray) -> FloatArray:
    """Log density of the population under the central corner; broadcasts to the lattice."""
    corner = take(region.corners, 0)
    total = np.zeros((1, 1, 1))
    if not region.rate.is_point:
        total = total + region.rate.log_density(theta, corner)
    if region.dispersion is not None and not region.dispersion.is_point:
        total = total + region.dispersion.log_density(delta, corner)
    return total


def _same_shape(
    rows: Axis, columns: Axis, s: CountStatistics
) -> Iterator[tuple[int, int, IntArray]]:
    """Yield neurons with lattices of one shape, few enough to evaluate at once."""
    lengths = np.stack([rows.length, columns.length])
    shapes, group = np.unique(lengths, axis=1, return_inverse=True)
    for which, (n_rows, n_columns) in enumerate(shapes.T.tolist()):
        neurons = np.flatnonzero(group == which)
        per_neuron = n_rows * n_columns * s.cells_per_neuron(neurons)
        part = np.cumsum(per_neuron) // _VALUES_AT_ONCE
        for each in np.split(neurons, np.flatnonzero(np.diff(part)) + 1):
            yield n_rows, n_columns, each.astype(np.int64)


def find_windows(family: CountFamily, s: CountStatistics, region: Region) -> Windows:
    """Find where each neuron's likelihood × population is not negligible, by zooming in.

    For every δ of a coarse grid the scan closes in on the θ that matter: at fixed δ the integrand
    has one peak in θ, and a scan that is too coarse sees too low a peak and so keeps too wide a
    window. What the δ are worth is judged by those peaks only then, since a likelihood that is
    sharp in θ at one δ would else lose to a blunt one at another.
    """
    parts = [_zoomed(family, s.of_neurons(part), region) for part in _scan_parts(s)]
    return Windows(*(np.concatenate(each, axis=1) for each in zip(*parts, strict=True)))


def _scan_parts(s: CountStatistics) -> list[IntArray]:
    """Split neurons into runs that can be scanned at once."""
    every = np.arange(s.n_neurons)
    size = np.cumsum(s.cells_per_neuron(every) * _SCAN_ROWS * _SCAN_COLUMNS) // _VALUES_AT_ONCE
    return np.split(every, np.flatnonzero(np.diff(size)) + 1)


def _zoomed(
    family: CountFamily, s: CountStatistics, region: Region
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return lower and upper ends and steps, shape (2, n)."""
    scan = _Scan(family, s, region, *_delta_support(s, region), *_theta_support(s, region))
    lower, upper, step = _closed_in(scan, _ZOOMS)
    step *= region.quality.step_factor
    nodes = np.prod((upper - lower) / step + 1, axis=0)
    step *= np.maximum(1.0, np.sqrt(nodes / MOST_BUILT))
    for axis, level in enumerate((region.rate, region.dispersion)):
        if level is not None and level.is_point:
            lower[axis] -= _MARGIN * step[axis]
            upper[axis] += _MARGIN * step[axis]
    return lower, upper, step


def _closed_in(scan: "_Scan", zooms: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what a scan finds; of neurons whose δ that matter are few, what a closer one finds."""
    found = scan.windows()
    lower, upper = scan.delta_window()
    closer = np.flatnonzero(upper - lower < _SHRUNK * (scan.delta[-1] - scan.delta[0]))
    if zooms and len(closer) and scan.integrates_delta:
        for whole, part in zip(found, _closed_in(scan.closer(closer), zooms - 1), strict=True):
            whole[:, closer] = part
    return found


def _delta_support(s: CountStatistics, region: Region) -> tuple[FloatArray, FloatArray]:
    """Everything any corner's population allows; shape (n,)."""
    lower = upper = 0.0
    if region.dispersion is not None:
        ends = region.dispersion.support(region.corners)
        lower, upper = float(ends[0].min()), float(ends[1].max())
    lower, upper = max(lower, -_MOST_DELTA), min(upper, _MOST_DELTA)
    return np.full(s.n_neurons, lower), np.full(s.n_neurons, upper)


def _theta_support(s: CountStatistics, region: Region) -> tuple[FloatArray, FloatArray]:
    """Everything any corner's population allows, and the neuron's own rate; shape (n,)."""
    ends = region.rate.support(region.corners)
    lower, upper = float(ends[0].min()), float(ends[1].max())
    own = np.log((s.spikes + 0.5) / s.exposure)
    if region.rate.is_point:
        return np.full_like(own, lower), np.full_like(own, upper)
    lowest, highest = np.minimum(lower, own - 1.0), np.maximum(upper, own + 1.0)
    return np.maximum(lowest, own - _LEAST_THETA), np.minimum(highest, _MOST_THETA)


class _Scan:
    """Likelihood × population on a grid of δ and, for each δ, a grid of the θ that matter."""

    def __init__(
        self,
        family: CountFamily,
        s: CountStatistics,
        region: Region,
        delta_lower: FloatArray,
        delta_upper: FloatArray,
        lower: FloatArray,
        upper: FloatArray,
    ) -> None:
        self.family, self.s, self.region = family, s, region
        columns = 1 if region.dispersion is None else _SCAN_COLUMNS
        self.delta = np.asarray(np.linspace(delta_lower, delta_upper, columns))
        shape = self.delta.shape
        self.lower = np.broadcast_to(lower, shape).copy()
        self.upper = np.broadcast_to(upper, shape).copy()
        self._evaluate()
        if region.rate.is_point:
            return
        for _ in range(_ZOOMS):
            lower, upper = _ends(self.in_column, self.theta)
            closer = np.any(upper - lower < _SHRUNK * (self.upper - self.lower), axis=0)
            if not closer.any():
                break
            self.lower = np.where(closer, lower, self.lower)
            self.upper = np.where(closer, upper, self.upper)
            self._evaluate()

    @property
    def integrates_delta(self) -> bool:
        """Whether δ differs between neurons."""
        return self.region.dispersion is not None and not self.region.dispersion.is_point

    def closer(self, neurons: IntArray) -> "_Scan":
        """Scan the δ of some neurons that matter, from the θ that matter at their neighbours."""
        lower, upper = (each[neurons] for each in self.delta_window())
        delta = np.asarray(np.linspace(lower, upper, _SCAN_COLUMNS))
        first, second = self.delta[0, neurons], self.delta[1, neurons]
        left = np.floor((delta - first) / (second - first)).astype(np.int64)
        left = np.clip(left, 0, _SCAN_COLUMNS - 2)
        ends = []
        for of, better in ((self.lower, np.minimum), (self.upper, np.maximum)):
            beside = of[left, neurons], of[left + 1, neurons]
            ends.append(better(*beside))
        statistics = self.s.of_neurons(neurons)
        return _Scan(self.family, statistics, self.region, lower, upper, ends[0], ends[1])

    def _evaluate(self) -> None:
        """Evaluate the grid, and mark what matters under any corner."""
        self.lower = np.maximum(self.lower, -_FARTHEST_THETA)
        self.upper = np.minimum(self.upper, _FARTHEST_THETA)
        self.theta = np.asarray(np.linspace(self.lower, self.upper, _SCAN_ROWS))
        likelihood = self.family.log_likelihood(self.theta, self.delta, self.s)
        self.in_column = np.zeros(likelihood.shape, dtype=np.bool_)
        self.inside = np.zeros(likelihood.shape, dtype=np.bool_)
        for which, corner in enumerate(self._corners()):
            values = likelihood + self._population(corner)
            top = values.max(axis=0)
            self.in_column |= values > top - self.region.quality.negligible
            self.inside |= values > top.max(axis=0) - self.region.quality.negligible
            if which == 0:
                self.values = values - top.max(axis=0)
                if not self.region.rate.is_point and self.region.rate.rate_has_moments:
                    self._mark_rates(likelihood + self._population(corner, widen=False))

    def _mark_rates(self, values: FloatArray) -> None:
        """Mark also what matters to the mean and the variance of the rate e^θ."""
        for power in (1, 2):
            tilted = values + power * self.theta
            self.in_column |= tilted > tilted.max(axis=0) - _NEGLIGIBLE_RATE
            self.inside |= tilted > tilted.max(axis=(0, 1)) - _NEGLIGIBLE_RATE

    def _corners(self) -> Iterator[Hyperparameters]:
        for which in range(self.region.n_corners):
            yield take(self.region.corners, which)

    def _population(self, corner: Hyperparameters, *, widen: bool = True) -> FloatArray:
        """Log density of the population on the grid, none narrower than the grid's gaps."""
        total = np.zeros(1)
        rate, dispersion = self.region.rate, self.region.dispersion
        if not rate.is_point:
            of = rate.widened(corner, self.theta[1] - self.theta[0]) if widen else corner
            total = total + rate.log_density(self.theta, of)
        if dispersion is not None and not dispersion.is_point:
            of = dispersion.widened(corner, self.delta[1] - self.delta[0]) if widen else corner
            total = total + dispersion.log_density(self.delta, of)
        return total

    def windows(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return lower and upper ends and steps, shape (2, n)."""
        ends = self.theta_window(), self.delta_window()
        return (
            np.stack([lower for lower, _ in ends]),
            np.stack([upper for _, upper in ends]),
            self.steps(),
        )

    def theta_window(self) -> tuple[FloatArray, FloatArray]:
        """Return the ends over the columns that matter; shape (n,)."""
        lower, upper = _ends(self.inside, self.theta)
        matters = self.inside.any(axis=0)
        return (
            np.where(matters, lower, np.inf).min(axis=0),
            np.where(matters, upper, -np.inf).max(axis=0),
        )

    def delta_window(self) -> tuple[FloatArray, FloatArray]:
        """Return the ends of the columns that matter; shape (n,)."""
        if len(self.delta) == 1:
            return self.delta[0], self.delta[0]
        return _ends(self.inside.any(axis=0), self.delta)

    def _width(self, axis: int) -> FloatArray:
        """Width of each neuron's window along θ or δ; shape (n,)."""
        lower, upper = self.theta_window() if axis == 0 else self.delta_window()
        return upper - lower

    def steps(self) -> FloatArray:
        """Return steps in θ and δ; shape (2, n)."""
        conditional = np.exp(self.values - self.values.max(axis=0))
        total = conditional.sum(axis=0)
        conditional /= total
        top = self.values.max(axis=0)
        mass = np.exp(top) * total * (self.upper - self.lower)
        mass /= mass.sum(axis=0)
        theta = np.sum(conditional * self.theta, axis=0)
        information = self.family.information(theta, self.delta, self.s)
        matters = top > -_STEP_MATTERS
        sharpest = np.where(matters, information, 0.0).max(axis=0)
        spread = np.sum(mass * np.sum(conditional * self.theta**2, axis=0), axis=0)
        sd_theta = np.sqrt(np.maximum(spread - np.sum(mass * theta, axis=0) ** 2, 0.0))
        mean_delta = np.sum(mass * self.delta, axis=0)
        sd_delta = np.sqrt(np.sum(mass * (self.delta - mean_delta) ** 2, axis=0))
        own = np.zeros_like(sd_delta)
        if self.region.dispersion is not None and not self.region.dispersion.is_point:
            width = float(np.max(self.region.dispersion.width(self.region.corners)))
            own = 1 / np.maximum(sd_delta, 1e-9) ** 2 - 1 / width**2
        steps: FloatArray = STEP_PER_SD / np.sqrt(np.maximum(np.stack([sharpest, own]), 1e-9))
        for axis, (level, sd, cap) in enumerate(
            (
                (self.region.rate, sd_theta, LARGEST_STEP_THETA),
                (self.region.dispersion, sd_delta, LARGEST_STEP_DELTA),
            )
        ):
            if level is not None and level.is_point:
                steps[axis] = SHARED_STEP * cap
                continue
            widest = self._width(axis) / MOST_NODES[axis]
            if level is None:
                continue
            resolved = np.maximum(self.region.least_width[axis] / level.steps_per_sd, BLUR * sd)
            resolved = np.maximum(resolved, widest)
            steps[axis] = np.minimum(np.minimum(steps[axis], resolved), cap)
            narrowest = float(np.min(level.width(self.region.corners)))
            coarse = level.steps_per_sd * steps[axis] > narrowest
            steps[axis] = np.minimum(steps[axis], np.where(coarse, NARROW_CAPS * cap, cap))
        return steps


def _ends(inside: BoolArray, grid: FloatArray) -> tuple[FloatArray, FloatArray]:
    """First and last point of `grid` that is inside, along the first axis, one gap further out."""
    gap = grid[1] - grid[0]
    first = np.argmax(inside, axis=0)[np.newaxis]
    last = len(grid) - 1 - np.argmax(inside[::-1], axis=0)[np.newaxis]
    lower = np.take_along_axis(grid, first, axis=0)[0] - gap
    upper = np.take_along_axis(grid, last, axis=0)[0] + gap
    return lower, upper

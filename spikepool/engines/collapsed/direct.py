"""p_i(φ) for one φ per neuron, afresh: a second opinion on the lattices.

The trapezoid rule over θ at every δ, then over δ: from each neuron's own peaks outwards, until
the integrand is negligible. It converges geometrically for an analytic integrand that vanishes at
both ends (Trefethen & Weideman 2014), and tells its own error: even and odd nodes are two rules of
twice the step, every fourth node is a rule of four times the step.

Nothing is shared with the lattices but the families' densities and the levels.

References
----------
Trefethen, L. N. & Weideman, J. A. C. (2014). The exponentially convergent trapezoidal rule. SIAM
Review 56, 385-458.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.engines.collapsed.levels import Hyperparameters, Level, PooledLevel, take
from spikepool.models.families import CountFamily
from spikepool.models.populations import STUDENT_T_NU, StudentTPopulation
from spikepool.models.statistics import CountStatistics

type BoolArray = NDArray[np.bool_]
type LogDensity = Callable[[FloatArray], FloatArray]

DEPTH = 25.0
"""Log density below the peak at which a tail is cut."""
STEP_PER_SD = 0.7
LARGEST_STEP_THETA = 0.5
LARGEST_STEP_DELTA = 0.28
"""Caps that the singularities of log1p(α m), at Im θ = π and Im δ = π/2, impose."""
MOST_ERROR = 1e-7
"""Relative error, along one axis, above which a step is halved."""
MOST_NODES = 2_000_000
"""Nodes (θ, δ) of one neuron."""
_MOST_COLUMNS = 4_000
_ROUNDS = 12
_VALUES_AT_ONCE = 2_000_000
_USUAL_ROWS = 64
_SIMILAR = 1.25
_CLIMBS, _FEW_CLIMBS = 60, 8
_CLIMBED = 0.02
_INFORMATION_OF_TRIAL = 10.0
_ROUNDING = 1e-12
_FAR = 1e6
_TINY = 1e-300
_REACHES = np.sqrt(2 * DEPTH) * 1.2 ** np.arange(-4.0, 48.0)
_SCAN = np.linspace(-8.0, 8.0, 25)
_THETA_LIMITS = (-300.0, 400.0)
_DELTA_LIMITS = (-100.0, 100.0)
"""Where a likelihood is constant, or negligible, to rounding."""


@dataclass(frozen=True)
class DirectIntegral:
    """The likelihood of every neuron given the hyperparameters.

    Attributes
    ----------
    log_integral : ndarray, shape (n,)
        ln p_i(φ).
    error : ndarray, shape (n,)
        Estimated relative error of p_i(φ); inf where it could not be brought down.
    """

    log_integral: FloatArray
    error: FloatArray


def integrate_directly(
    family: CountFamily,
    statistics: CountStatistics,
    rate: Level,
    dispersion: Level | None,
    phi: Hyperparameters,
) -> DirectIntegral:
    """Integrate each neuron's own parameters out of its likelihood, for one φ per neuron.

    Parameters
    ----------
    family : CountFamily
    statistics : CountStatistics
        Of n neurons, from `family`.
    rate : Level
        Where θ comes from.
    dispersion : Level or None
        Where δ comes from; None for a family that has none.
    phi : dict of str to ndarray, shape (n,)
        Hyperparameters of each neuron; may be empty where no level has any.

    Returns
    -------
    DirectIntegral
    """
    count = statistics.n_neurons
    everything = _Neurons(family, statistics, rate, dispersion, dict(phi))
    result = DirectIntegral(np.empty(count), np.empty(count))
    with np.errstate(over="ignore", invalid="ignore"):
        for some in _parts(np.full(count, len(_SCAN)), everything.terms):
            part = _integrate(everything.take(some))
            result.log_integral[some] = part.log_integral
            result.error[some] = part.error
    return result


@dataclass(frozen=True)
class _Coordinate:
    """An axis along which to integrate: the parameter itself, or sinh-spaced about a centre.

    A student-t has a narrow peak, poles at ±i √ν τ beside it, and tails many τ long: equal steps
    of v in centre + √ν τ sinh v serve all three.

    Attributes
    ----------
    centre, scale : ndarray, shape (n,), or None
        None for the parameter itself.
    """

    centre: FloatArray | None = None
    scale: FloatArray | None = None

    def parameter(self, v: FloatArray) -> FloatArray:
        """Return the parameter at places `v`, shape (..., n)."""
        if self.centre is None or self.scale is None:
            return v
        return np.asarray(self.centre + self.scale * np.sinh(v))

    def log_slope(self, v: FloatArray) -> FloatArray:
        """Return the logarithm of the parameter's derivative."""
        if self.scale is None:
            return np.zeros(1)
        return np.asarray(np.log(self.scale * np.cosh(v)))

    def place(self, parameter: FloatArray) -> FloatArray:
        """Return where a parameter lies."""
        if self.centre is None or self.scale is None:
            return parameter
        return np.asarray(np.arcsinh((parameter - self.centre) / self.scale))


def _coordinate(level: Level, phi: Hyperparameters) -> _Coordinate:
    if not isinstance(level, PooledLevel) or not isinstance(level.population, StudentTPopulation):
        return _Coordinate()
    lower, upper = level.support(phi)
    tau = level.width(phi) / np.sqrt(STUDENT_T_NU / (STUDENT_T_NU - 2))
    return _Coordinate((lower + upper) / 2, np.sqrt(STUDENT_T_NU) * tau)


@dataclass(frozen=True)
class _Neurons:
    """Some neurons with their hyperparameters, and densities of their θ and δ."""

    family: CountFamily
    statistics: CountStatistics
    rate: Level
    dispersion: Level | None
    phi: dict[str, FloatArray]

    @property
    def count(self) -> int:
        """Number of neurons."""
        return self.statistics.n_neurons

    @property
    def terms(self) -> IntArray:
        """Values that one evaluation of each neuron's likelihood takes; shape (n,)."""
        return self.statistics.cells_per_neuron(np.arange(self.count))

    @property
    def integrates_delta(self) -> bool:
        """Whether δ differs between neurons."""
        return self.dispersion is not None and not self.dispersion.is_point

    def take(self, some: IntArray) -> "_Neurons":
        """Return some of the neurons, given in ascending order."""
        return replace(self, statistics=self.statistics.of_neurons(some), phi=take(self.phi, some))

    def log_likelihood(self, theta: FloatArray, delta: FloatArray) -> FloatArray:
        """Return log-likelihoods; shape (..., n)."""
        return self.family.log_likelihood(
            np.clip(theta, *_THETA_LIMITS), np.clip(delta, *_DELTA_LIMITS), self.statistics
        )

    def only_delta(self) -> FloatArray:
        """Return the δ that is not integrated over; shape (1, n)."""
        if self.dispersion is None:
            return np.zeros((1, self.count))
        return self._spread(self.dispersion.support(self.phi)[0])[np.newaxis]

    def only_theta(self) -> FloatArray:
        """Return the θ that is not integrated over; shape (n,)."""
        return self._spread(self.rate.support(self.phi)[0])

    def theta_axis(self) -> _Coordinate:
        """Return the axis of θ."""
        return _coordinate(self.rate, self.phi)

    def delta_axis(self) -> _Coordinate:
        """Return the axis of δ."""
        return _Coordinate() if self.dispersion is None else _coordinate(self.dispersion, self.phi)

    def along_theta(self, delta: FloatArray) -> LogDensity:
        """Return the log integrand of θ, on its axis, at given δ of shape (..., n)."""
        axis = self.theta_axis()

        def log_density(v: FloatArray) -> FloatArray:
            theta = axis.parameter(v)
            population = self.rate.log_density(theta, self.phi)
            return self.log_likelihood(theta, delta) + population + axis.log_slope(v)

        return log_density

    def along_delta(self) -> LogDensity:
        """Return the log integrand of δ, on its axis, with θ integrated out roughly."""
        axis = self.delta_axis()

        def log_density(v: FloatArray) -> FloatArray:
            delta = axis.parameter(v)
            return _roughly_over_theta(self, delta) + self.log_prior(delta) + axis.log_slope(v)

        return log_density

    def log_prior(self, delta: FloatArray) -> FloatArray:
        """Return the log density of the population of δ."""
        if self.dispersion is None or self.dispersion.is_point:
            return np.zeros(self.count)
        return self.dispersion.log_density(delta, self.phi)

    def start(self, level: Level) -> tuple[FloatArray, FloatArray]:
        """Return about the mode of a population, and its sd; shape (n,)."""
        lower, upper = level.support(self.phi)
        grid = np.linspace(self._spread(lower), self._spread(upper), 33)
        highest = np.argmax(level.log_density(grid, self.phi), axis=0)
        mode = np.take_along_axis(grid, highest[np.newaxis], axis=0)[0]
        return mode, self._spread(level.width(self.phi))

    def _spread(self, values: FloatArray) -> FloatArray:
        return np.broadcast_to(values, (self.count,))


@dataclass(frozen=True)
class _Peaks:
    """Local maxima; every field has the shape of the starting points."""

    place: FloatArray
    height: FloatArray
    sd: FloatArray


@dataclass(frozen=True)
class _Rule:
    """Equidistant nodes on an axis, several axes at once.

    Attributes
    ----------
    first, step : ndarray, shape (...)
    length : ndarray of int64, shape (...)
    """

    first: FloatArray
    step: FloatArray
    length: IntArray

    def take(self, some: IntArray) -> "_Rule":
        """Return the rules of some neurons."""
        return _Rule(self.first[..., some], self.step[..., some], self.length[..., some])

    def halved(self, times: IntArray) -> "_Rule":
        """Halve the steps, over the same range."""
        return _Rule(self.first, self.step * 0.5**times, (self.length - 1) * 2**times + 1)

    def nodes(self) -> tuple[FloatArray, BoolArray]:
        """Return nodes, the longest rule's number of them, and which belong to their rule."""
        index = np.arange(self.length.max()).reshape(-1, *np.ones(self.length.ndim, dtype=int))
        belongs = index < self.length
        return self.first + self.step * np.minimum(index, self.length - 1), belongs


def _integrate(neurons: _Neurons) -> DirectIntegral:
    """Integrate, and halve steps until the error is small or the nodes run out."""
    rule = _delta_rule(neurons)
    log_integral, error = np.empty(neurons.count), np.empty((2, neurons.count))
    halvings = np.zeros((2, neurons.count), dtype=np.int64)
    exhausted = np.zeros(neurons.count, dtype=np.bool_)
    todo = np.arange(neurons.count)
    for _ in range(_ROUNDS):
        nodes = np.zeros(neurons.count, dtype=np.int64)
        of = rule.take(todo).halved(halvings[1, todo])
        for some in _parts(of.length, neurons.terms[todo]):
            chosen = todo[some]
            log_integral[chosen], error[:, chosen], nodes[chosen] = _sum_over_both(
                neurons.take(chosen), of.take(some), halvings[0, chosen]
            )
        coarse = error[:, todo] > MOST_ERROR
        coarse[1] &= ~coarse[0]  # what is wrong along θ spoils the look of δ
        halvings[:, todo] += coarse
        exhausted[todo] = coarse.any(axis=0)
        todo = todo[coarse.any(axis=0) & (2 * nodes[todo] <= MOST_NODES)]
        if not len(todo):
            break
    total = error.sum(axis=0) + np.exp(-DEPTH) * DEPTH
    return DirectIntegral(log_integral, np.where(exhausted, np.inf, total))


def _parts(lengths: IntArray, terms: IntArray) -> Iterator[IntArray]:
    """Yield neurons of similar lengths, few enough to evaluate at once, in ascending order."""
    order = np.argsort(lengths, kind="stable")
    begin = 0
    while begin < len(order):
        longest = lengths[order[begin]] * _SIMILAR + 2
        end = begin + int(np.searchsorted(lengths[order[begin:]], longest, side="right"))
        size = np.cumsum(longest * terms[order[begin:end]] * _USUAL_ROWS)
        end = begin + max(1, int(np.searchsorted(size, _VALUES_AT_ONCE)))
        yield np.sort(order[begin:end])
        begin = end


def _delta_rule(neurons: _Neurons) -> _Rule:
    """Place nodes along δ; a single one where δ is not integrated over."""
    if neurons.dispersion is None or neurons.dispersion.is_point:
        ones = np.ones(neurons.count)
        return _Rule(neurons.only_delta()[0], ones, ones.astype(np.int64))
    axis, log_density = neurons.delta_axis(), neurons.along_delta()
    mode, width = neurons.start(neurons.dispersion)
    start = axis.place(np.stack([mode, *_likely_delta(neurons)]))
    scale = np.stack([width, *[np.minimum(width, 0.3)] * 2]) * np.exp(-axis.log_slope(start))
    peaks = _climb(log_density, start, scale)
    # trials tell δ no better than this; what looks narrower is where Laplace's method jumps
    least = 1 / np.sqrt(width**-2 + _INFORMATION_OF_TRIAL * neurons.statistics.trials)
    least = least * np.exp(-axis.log_slope(peaks.place))
    peaks = replace(peaks, sd=np.maximum(peaks.sd, least))
    return _rule(log_density, peaks, LARGEST_STEP_DELTA, _MOST_COLUMNS)


def _likely_delta(neurons: _Neurons) -> FloatArray:
    """Return the best δ of a coarse scan, and where the likelihood alone peaks; shape (2, n).

    A narrow population far from a sharp likelihood leaves two peaks with a deep valley between
    them, and a scan sees only one.
    """

    def likelihood(delta: FloatArray) -> FloatArray:
        return _roughly_over_theta(neurons, delta)

    scan = np.broadcast_to(_SCAN[:, np.newaxis], (len(_SCAN), neurons.count))
    seen = likelihood(scan)
    best = [
        np.take_along_axis(scan, np.argmax(values, axis=0)[np.newaxis], axis=0)[0]
        for values in (seen + neurons.log_prior(scan), seen)
    ]
    top = _climb(likelihood, best[1], np.full(neurons.count, 0.3), _FEW_CLIMBS)
    return np.stack([best[0], np.clip(top.place, _SCAN[0], _SCAN[-1])])


def _theta_peaks(neurons: _Neurons, delta: FloatArray) -> _Peaks:
    """Climb from the population's mode and from the neuron's own rate; shape (2, ..., n)."""
    axis, s = neurons.theta_axis(), neurons.statistics
    own = np.broadcast_to(np.log((s.spikes + 0.5) / s.exposure), delta.shape)
    mode, width = (np.broadcast_to(each, delta.shape) for each in neurons.start(neurons.rate))
    own_sd = 1 / np.sqrt(neurons.family.information(own, np.clip(delta, -20, 20), s))
    start = axis.place(np.stack([mode, own]))
    scale = np.stack([width, np.minimum(own_sd, 1.0)]) * np.exp(-axis.log_slope(start))
    return _climb(neurons.along_theta(delta), start, scale)


def _roughly_over_theta(neurons: _Neurons, delta: FloatArray) -> FloatArray:
    """Integrate θ out by Laplace's method at every peak; the shape of `delta`."""
    if neurons.rate.is_point:
        return neurons.log_likelihood(neurons.only_theta(), delta)
    peaks = _theta_peaks(neurons, delta)
    return np.asarray(np.logaddexp.reduce(peaks.height + np.log(peaks.sd), axis=0))


def _climb(
    log_density: LogDensity, start: FloatArray, scale: FloatArray, most: int = _CLIMBS
) -> _Peaks:
    """Climb to local maxima by Newton steps, never longer than a radius that adapts.

    Parameters
    ----------
    log_density : callable
        From places, shape (..., *start.shape), to values.
    start, scale : ndarray
        First places and the scale of the first steps.
    most : int
        Steps.
    """
    top = _Peaks(start, np.full_like(start, -np.inf), scale)
    radius, step = scale, np.zeros_like(start)
    climbing = np.ones(start.shape, dtype=np.bool_)
    for _ in range(most):
        reach = 0.2 * np.clip(top.sd, 0.05 * radius, radius)
        place = top.place + step
        low, value, high = log_density(np.stack([place - reach, place, place + reach]))
        better = climbing & (value >= top.height - _ROUNDING * np.abs(top.height))
        newton, sd = _newton(low, value, high, reach, np.maximum(top.sd, radius))
        top = _Peaks(
            np.where(better, place, top.place),
            np.where(better, value, top.height),
            np.where(better, sd, top.sd),
        )
        # a step downhill is taken back, and the slope measured anew at closer quarters
        longest = np.where(better, radius, np.abs(step) / 4)
        step = np.where(better, np.clip(newton, -radius, radius), 0.0)
        radius = np.where(better & (np.abs(newton) > radius), 2 * radius, longest)
        climbing &= ~better | (np.abs(step) > _CLIMBED * top.sd)
        if not climbing.any():
            break
    return top


def _newton(
    low: FloatArray, value: FloatArray, high: FloatArray, reach: FloatArray, scale: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the step to the top of a parabola through three points, and its sd.

    Where the parabola has no top, or rounding hides it: far uphill, and twice the scale.
    """
    slope = np.where(np.isfinite(high - low), (high - low) / (2 * reach), 0.0)
    change = 2 * value - high - low
    concave = np.isfinite(change) & (change > _ROUNDING * (1 + np.abs(value)))
    sd = np.where(concave, reach / np.sqrt(np.where(concave, change, 1.0)), 2 * scale)
    return np.where(concave, slope * sd**2, np.sign(slope) * _FAR), sd


def _rule(log_density: LogDensity, peaks: _Peaks, largest_step: float, most: int) -> _Rule:
    """Place nodes over all peaks that matter, from the highest one outwards.

    Parameters
    ----------
    log_density : callable
    peaks : _Peaks
        Shape (2, ...).
    largest_step : float
    most : int
        Nodes.
    """
    top = peaks.height.max(axis=0)
    matters = peaks.height > top - DEPTH
    step = np.where(matters, np.minimum(STEP_PER_SD * peaks.sd, largest_step), np.inf).min(axis=0)
    ends = []
    for side in (-1, 1):
        outermost = np.argmax(np.where(matters, side * peaks.place, -np.inf), axis=0)[np.newaxis]
        place, sd = (
            np.take_along_axis(each, outermost, axis=0)[0] for each in (peaks.place, peaks.sd)
        )
        ends.append(_walk(log_density, place, side * np.minimum(sd, 4 * step), top - DEPTH))
    highest = np.argmax(peaks.height, axis=0)[np.newaxis]
    middle = np.take_along_axis(peaks.place, highest, axis=0)[0]
    step = np.maximum(step, (ends[1] - ends[0]) / max(most - 3, 1))
    below, above = np.ceil((middle - ends[0]) / step), np.ceil((ends[1] - middle) / step)
    return _Rule(middle - below * step, step, (below + above + 1).astype(np.int64))


def _walk(
    log_density: LogDensity, start: FloatArray, sd: FloatArray, target: FloatArray
) -> FloatArray:
    """Walk away from a peak, sd by sd, until the log density is below its target."""
    place: FloatArray = start + _REACHES[0] * sd
    for reach in _REACHES[1:]:
        above = log_density(place) > target
        if not above.any():
            break
        place = np.where(above, start + reach * sd, place)
    return place


def _sum_over_both(
    neurons: _Neurons, rule: _Rule, halvings: IntArray
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Sum over the nodes of δ and, at each of them, over those of θ.

    Returns
    -------
    log_integral : ndarray, shape (n,)
    error : ndarray, shape (2, n)
        Relative errors along θ and δ.
    nodes : ndarray of int64, shape (n,)
    """
    axis = neurons.delta_axis()
    v, belongs = rule.nodes()
    delta = axis.parameter(v)
    log_inner, inner_error, nodes = _sum_over_theta(neurons, delta, halvings)
    values = log_inner + neurons.log_prior(delta)
    if neurons.integrates_delta:
        values = values + axis.log_slope(v) + np.log(rule.step)
    values = np.where(belongs, values, -np.inf)
    log_integral, error = _sum_line(values)
    share = np.exp(values - log_integral)
    if not neurons.integrates_delta:
        error = np.zeros_like(error)
    return log_integral, np.stack([(share * inner_error).sum(axis=0), error]), nodes


def _sum_over_theta(
    neurons: _Neurons, delta: FloatArray, halvings: IntArray
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Integrate over θ at every δ, shape (columns, n); also the errors, and nodes per neuron."""
    if neurons.rate.is_point:
        values = neurons.log_likelihood(neurons.only_theta(), delta)
        return values, np.zeros_like(values), np.full(neurons.count, len(delta))
    log_density = neurons.along_theta(delta)
    most = MOST_NODES // len(delta)
    rule = _rule(log_density, _theta_peaks(neurons, delta), LARGEST_STEP_THETA, most)
    rule = rule.halved(halvings)
    result, error = np.empty(delta.shape), np.empty(delta.shape)
    longest = rule.length.max(axis=0)
    for some in _parts(longest, neurons.terms * len(delta) // _USUAL_ROWS + 1):
        v, belongs = rule.take(some).nodes()
        values = neurons.take(some).along_theta(delta[:, some])(v) + np.log(rule.step[:, some])
        result[:, some], error[:, some] = _sum_line(np.where(belongs, values, -np.inf))
    return result, error, longest * len(delta)


def _sum_line(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the log of a sum over the first axis, and the relative error of the rule.

    With e(h) the error at step h, e(2h) and e(4h) are seen. Both where e falls geometrically in
    1/h and where it falls as a power of h, e(h) is at most e(2h)²/e(4h). Rules can agree by luck
    about an edge that none of them resolves, so the error that a Gaussian of the local curvature
    would cause, exp(−2π² sd²/h²), is added.
    """
    top = values.max(axis=0)
    terms = np.exp(values - top)
    fourth = np.stack([terms[start::4].sum(axis=0) for start in range(4)])
    total = fourth.sum(axis=0)
    twice = np.abs(fourth[0] + fourth[2] - fourth[1] - fourth[3])
    four_times = 2 * np.abs(fourth[:2] - fourth[2:]).max(axis=0)
    error = twice**2 / np.maximum(np.maximum(four_times, twice), _TINY)
    unresolved = np.exp(-2 * np.pi**2 / _curvature(values))
    error += (terms[1:-1] * unresolved).sum(axis=0)
    return top + np.log(total), error / total


def _curvature(values: FloatArray) -> FloatArray:
    """Return |second differences| along the first axis, not 0; ends of a rule count as straight."""
    change = np.abs(values[2:] - 2 * values[1:-1] + values[:-2])
    return np.where(np.isfinite(change), np.maximum(change, 0.01), 0.01)

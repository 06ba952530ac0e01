"""From counts to the posterior of the hyperparameters: where to look, then the search itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.data.tally import Tally
from spikepool.engines.collapsed.hyperposterior import (
    Laplace,
    WeightedSample,
    find_mode,
    sample_adaptively,
)
from spikepool.engines.collapsed.lattice import FINE, ROUGH, Quality, Region
from spikepool.engines.collapsed.levels import Level, TuningLevel
from spikepool.engines.collapsed.marginal_likelihood import (
    MarginalLikelihood,
    Statistics,
    tabulate,
)
from spikepool.engines.collapsed.model import HyperpriorFunctions
from spikepool.engines.collapsed.shared import SharedLikelihood
from spikepool.models.families import CountFamily
from spikepool.posterior.weighted import weighted_quantiles
from spikepool.progress import Progress

type LogTerm = Callable[[Mapping[str, FloatArray], int], FloatArray]
type _Likelihood = MarginalLikelihood | SharedLikelihood

_TYPICAL_DISPERSION = 0.4
STEPS = 6
"""Steps of a fit that progress counts."""
SCOUTS = (128, 2048)
"""Neurons that find the rough place of the mode."""
_REACH = 6.0
_MOST_REACH = (1.2, 3.0)
_CUT = 1e-4
_MOST_OUTSIDE = 1e-3
_BATCH = 512
_MOST_TRIES = 6
_GENERATORS = (3, 2)
"""Coordinates whose signs make that of the fourth and of the fifth: a fractional factorial."""
_LOWER_MARGIN = 10.0
"""Margin below, over that above, of all coordinates but the first: the tails towards no spread and
no dispersion are long, and cost no lattice more."""


@dataclass(frozen=True)
class Problem:
    """A model of counts with the neurons' own parameters integrated out.

    Attributes
    ----------
    family : CountFamily
    statistics : CountStatistics
    rate, dispersion : Level
        `dispersion` is None where the family has none.
    hyperpriors : HyperpriorFunctions
    tuning : TuningLevel or None
        Of the responses to several conditions; `statistics` are then those of the responses.
    """

    family: CountFamily
    statistics: Statistics
    rate: Level
    dispersion: Level | None
    hyperpriors: HyperpriorFunctions
    tuning: TuningLevel | None = None


@dataclass(frozen=True)
class Box:
    """Ranges of the unconstrained coordinates."""

    centre: FloatArray
    lower: FloatArray
    upper: FloatArray

    def contains(self, points: FloatArray) -> np.ndarray:
        """Whether each point is inside; shape (D,)."""
        return np.asarray(((points >= self.lower) & (points <= self.upper)).all(axis=1))

    def clipped(self, points: FloatArray) -> FloatArray:
        """Return points with what lies outside moved to the faces."""
        return np.clip(points, self.lower, self.upper)

    def corners(self) -> FloatArray:
        """Return the centre, then the corners; of more than eight, a balanced eight."""
        size = len(self.centre)
        signs = np.array(list(product((0, 1), repeat=min(size, 3))), dtype=np.int64)
        for of in _GENERATORS[: max(size - 3, 0)]:
            signs = np.column_stack([signs, signs[:, :of].sum(axis=1) % 2])
        ends = np.stack([self.lower, self.upper])
        return np.vstack([self.centre, ends[signs, np.arange(size)]])


@dataclass(frozen=True)
class Found:
    """The hyperposterior, and the lattices that it was found with.

    Attributes
    ----------
    sample : WeightedSample
    phi : dict of str to ndarray, shape (D,)
        The hyperparameters of every point of the sample.
    marginal : MarginalLikelihood
    region : Region
    box : Box
        What the lattices were made for.
    outside : float
        Weight of the points outside the box.
    """

    sample: WeightedSample
    phi: dict[str, FloatArray]
    marginal: MarginalLikelihood
    region: Region
    box: Box
    outside: float


def first_guess(hyperpriors: HyperpriorFunctions, tally: Tally) -> FloatArray:
    """Guess the unconstrained hyperparameters from the table; shape (P,)."""
    log_rate = np.log((tally.spike_count + 0.5) / tally.total_exposure)
    mean, sd = float(log_rate.mean()), float(np.clip(log_rate.std(), 0.1, 5.0))
    shape = 1 / sd**2
    guesses = {"mu": mean, "tau": sd, "a": shape, "b": shape / float(np.exp(mean))}
    guess = hyperpriors.start.copy()
    for place, (name, coordinate) in enumerate(hyperpriors.coordinates.items()):
        value = coordinate(guesses.get(name, _TYPICAL_DISPERSION))
        if np.isfinite(value):
            guess[place] = value
    return guess


def find_hyperposterior(
    problem: Problem,
    start: FloatArray,
    cores: int,
    rng: np.random.Generator,
    progress: Progress,
    quality: Quality = FINE,
) -> Found:
    """Find the posterior of the hyperparameters.

    Parameters
    ----------
    problem : Problem
    start : ndarray, shape (P,)
        First guess, unconstrained.
    cores : int
    rng : Generator
    progress : Progress
    quality : Quality
        Of the lattices.

    Returns
    -------
    Found
    """
    if problem.hyperpriors.size == 0:
        return _without_hyperparameters(problem, cores, quality)
    laplace = rough_mode(problem, start, cores)
    unseen = max(problem.statistics.n_neurons / SCOUTS[-1] - 1, 0.0)
    box = _box_around(laplace, _REACH + 2.5 * np.sqrt(unseen))
    if problem.tuning is not None and np.any(_widest_reach(laplace) < _REACH * laplace.sd):
        laplace, box = _scouted(problem, laplace, box, cores, rng)
    for tries in range(1, _MOST_TRIES + 1):
        region = region_of(problem, box, laplace, quality)
        progress.advance(1, STEPS, "likelihoods of the neurons")
        marginal = tabulate(problem.family, problem.statistics, region, cores)
        progress.advance(2, STEPS, "posterior of the hyperparameters")
        target = _Target(problem.hyperpriors, marginal)
        laplace = find_mode(target.log_density, laplace.mode, laplace.sd)
        if tries < _MOST_TRIES and not box.contains(laplace.mode[np.newaxis])[0]:
            box = _box_around(laplace, _REACH)
            continue
        batch = _batch(problem)
        sample = sample_adaptively(
            target.log_density, laplace, rng, batch=batch, least_ess=2.0 * batch
        )
        outside = float(sample.weights[~box.contains(sample.points)].sum())
        phi = problem.hyperpriors.at(sample.points)[1]
        found = Found(sample, phi, marginal, region, box, outside)
        if outside < _MOST_OUTSIDE:
            return found
        box = _box_of(sample, laplace)
    return found


def _without_hyperparameters(problem: Problem, cores: int, quality: Quality) -> Found:
    """Tabulate the neurons of a model in which nothing is pooled."""
    widths = _least_width(problem.rate, {}), _least_width(problem.dispersion, {})
    region = Region(problem.rate, problem.dispersion, {}, widths, quality, problem.tuning)
    marginal = tabulate(problem.family, problem.statistics, region, cores)
    nothing = np.zeros((1, 0))
    log_evidence = float(marginal.total({}, 1)[0])
    sample = WeightedSample(nothing, np.zeros(1), np.ones(1), float("nan"), log_evidence)
    box = Box(nothing[0], nothing[0], nothing[0])
    return Found(sample, {}, marginal, region, box, 0.0)


def find_shared_hyperposterior(
    hyperpriors: HyperpriorFunctions,
    likelihood: SharedLikelihood,
    start: FloatArray,
    rng: np.random.Generator,
) -> tuple[WeightedSample, dict[str, FloatArray]]:
    """Find the posterior of the parameters that all neurons share."""
    target = _Target(hyperpriors, likelihood)
    laplace = find_mode(target.log_density, start, np.full(len(start), 0.2))
    sample = sample_adaptively(target.log_density, laplace, rng, batch=_BATCH)
    return sample, hyperpriors.at(sample.points)[1]


def find_again(
    problem: Problem, found: Found, rng: np.random.Generator, added: LogTerm
) -> tuple[WeightedSample, dict[str, FloatArray]]:
    """Sample the hyperparameters from their posterior times e to a further term."""
    target = _Target(problem.hyperpriors, found.marginal)

    def log_density(points: FloatArray) -> FloatArray:
        _, phi = problem.hyperpriors.at(points)
        own = target.log_density(points)
        further = added(phi, len(points))
        defined = np.isfinite(own) & np.isfinite(further)
        return np.where(
            defined, np.where(defined, own, 0.0) + np.where(defined, further, 0.0), -np.inf
        )

    laplace = find_mode(log_density, *_centre_and_spread(found.sample))
    sample = sample_adaptively(log_density, laplace, rng, batch=_BATCH)
    return sample, problem.hyperpriors.at(sample.points)[1]


def _centre_and_spread(sample: WeightedSample) -> tuple[FloatArray, FloatArray]:
    weights = sample.weights[:, np.newaxis]
    mean = (weights * sample.points).sum(axis=0)
    return mean, np.sqrt((weights * (sample.points - mean) ** 2).sum(axis=0))


def _batch(problem: Problem) -> int:
    """Points of an iteration: more where the integrals have one dimension and cost little."""
    if problem.dispersion is not None or problem.tuning is not None:
        return _BATCH
    return 16 * _BATCH if problem.statistics.n_neurons <= 200 else 2 * _BATCH


class _Target:
    """The log posterior density of the unconstrained coordinates, many points at once."""

    def __init__(
        self, hyperpriors: HyperpriorFunctions, marginal: _Likelihood, scale: float = 1.0
    ) -> None:
        self._hyperpriors, self._marginal, self._scale = hyperpriors, marginal, scale

    def log_density(self, points: FloatArray) -> FloatArray:
        """Return log densities of points, shape (D, P); NaN where the lattices do not reach."""
        log_prior, phi = self._hyperpriors.at(points)
        return np.asarray(log_prior + self._scale * self._marginal.total(phi, len(points)))


def rough_mode(problem: Problem, start: FloatArray, cores: int) -> Laplace:
    """Find the mode on rough lattices, with some neurons that stand for all, then with more."""
    laplace = Laplace(start, np.diag(np.full(len(start), 0.3**2)))
    reach = np.full(len(start), 0.8)
    total, before = problem.statistics.n_neurons, 0
    for scouts in SCOUTS:
        chosen = np.unique(np.linspace(0, total - 1, min(total, scouts)).astype(np.int64))
        if len(chosen) == before:
            break
        statistics = problem.statistics.of_neurons(chosen)
        laplace = _climbed(problem, statistics, total / len(chosen), laplace, reach, cores)
        reach = np.minimum(_MOST_REACH[0], 4 * np.sqrt(total / len(chosen)) * laplace.sd)
        before = len(chosen)
    return laplace


def _climbed(
    problem: Problem,
    statistics: Statistics,
    scale: float,
    laplace: Laplace,
    reach: FloatArray,
    cores: int,
) -> Laplace:
    """Climb within boxes of half-width `reach`, each about the highest point of the one before."""
    for _ in range(_MOST_TRIES):
        box = Box(laplace.mode, laplace.mode - reach, laplace.mode + reach)
        region = region_of(problem, box, laplace, ROUGH)
        marginal = tabulate(problem.family, statistics, region, cores)
        target = _Target(problem.hyperpriors, marginal, scale)
        laplace = find_mode(target.log_density, laplace.mode, np.minimum(0.2, 0.5 * reach))
        if np.all(np.abs(laplace.mode - box.centre) < reach):
            break
    return laplace


def _box_around(laplace: Laplace, reach_in_sd: float) -> Box:
    """Box about a mode; where a coordinate is known badly, not all that the curvature suggests."""
    reach = np.minimum(reach_in_sd * laplace.sd, _widest_reach(laplace))
    return Box(laplace.mode, laplace.mode - reach, laplace.mode + reach)


def _widest_reach(laplace: Laplace) -> FloatArray:
    return np.clip(3 * laplace.sd, *_MOST_REACH)


def _scouted(
    problem: Problem, laplace: Laplace, box: Box, cores: int, rng: np.random.Generator
) -> tuple[Laplace, Box]:
    """Find the box of nearly all the weight on rough lattices, where curvature does not tell it."""
    region = region_of(problem, box, laplace, ROUGH)
    marginal = tabulate(problem.family, problem.statistics, region, cores)
    target = _Target(problem.hyperpriors, marginal)
    laplace = find_mode(target.log_density, laplace.mode, laplace.sd)
    if not box.contains(laplace.mode[np.newaxis])[0]:
        return laplace, _box_around(laplace, _REACH)
    sample = sample_adaptively(target.log_density, laplace, rng, batch=_batch(problem))
    return laplace, _box_of(sample, laplace)


def _box_of(sample: WeightedSample, laplace: Laplace) -> Box:
    """Return the box of nearly all the weight, with a margin."""
    ends = np.array(
        [
            weighted_quantiles(values, sample.weights, np.array([_CUT, 1 - _CUT]))
            for values in sample.points.T
        ]
    )
    margin = 0.05 * (ends[:, 1] - ends[:, 0])
    lower_margin = margin * np.where(np.arange(len(ends)) > 0, _LOWER_MARGIN, 1.0)
    return Box(laplace.mode, ends[:, 0] - lower_margin, ends[:, 1] + margin)


def region_of(problem: Problem, box: Box, laplace: Laplace, quality: Quality) -> Region:
    """Return what lattices must cover for the hyperparameters in a box."""
    _, corners = problem.hyperpriors.at(box.corners())
    _, low = problem.hyperpriors.at(np.stack([laplace.mode, laplace.mode - 2 * laplace.sd]))
    return Region(
        problem.rate,
        problem.dispersion,
        corners,
        (_least_width(problem.rate, low), _least_width(problem.dispersion, low)),
        quality,
        problem.tuning,
    )


def _least_width(level: Level | None, phi: Mapping[str, FloatArray]) -> float:
    return 1.0 if level is None else float(np.min(level.width(phi)))

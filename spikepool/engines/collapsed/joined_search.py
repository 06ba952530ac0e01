"""The hyperparameters of joined groups: NUTS on surrogates, put right by importance weights.

Given its hyperparameters every pair of group and label is a population as any other, with a
log-likelihood ln p_p(φ_p) by quadrature. A polynomial stands for it (see `surrogate`) while the
hyperparameters of all groups and labels are sampled; the draws are then weighed by
exp Σ_p (ln p_p − polynomial), and the polynomials fitted again, to where the draws are, until the
weights are nearly equal.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import special

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import FloatArray
from spikepool.data.tally import Tally
from spikepool.engines.collapsed.hyperposterior import NO_WEIGHT, Laplace, pareto_smoothed
from spikepool.engines.collapsed.joined_model import (
    OF_PAIRS,
    Coordinates,
    floors_of,
    surrogate_model,
)
from spikepool.engines.collapsed.lattice import FINE
from spikepool.engines.collapsed.marginal_likelihood import MarginalLikelihood, tabulate
from spikepool.engines.collapsed.model import HyperpriorFunctions
from spikepool.engines.collapsed.search import STEPS, Box, Problem, region_of, rough_mode
from spikepool.engines.collapsed.surrogate import (
    Frame,
    Surrogate,
    as_data,
    fit_surrogate,
    quadratic,
)
from spikepool.engines.cores import granted_cores
from spikepool.engines.sampler import Sampled, compile_model
from spikepool.models.graph import population_variables
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.mixing import measure_mixing
from spikepool.posterior.quadrature import MOST_OUTSIDE, ChainCheck
from spikepool.progress import Progress, Silent

MOST_ROUNDS = 6
CHAINS, TUNE, DRAWS, TARGET_ACCEPT = 4, 1000, 2000, 0.98
_SMALLER_STEPS = 5
"""By how much the next round divides the rejection rate, where one diverged."""
MOST_TRIED, MOST_WEIGHED = 512, 1024
"""Draws that are weighed to judge polynomials, and in the end."""
GOOD_PARETO_K, GOOD_SHARE = 0.6, 0.7
"""k̂, and the effective share of the weighed draws, at which the polynomials are good enough."""
_SPREAD, _FURTHER = 2.0, 256
"""Spread, over that of the draws, and number of further points that polynomials are fitted to."""
_CUT, _MARGIN = 2e-3, 0.3
"""Tails of the draws beyond which lattices need not reach, and their margin over the range."""
_MOST_REACH = 3.0
"""Reach of the lattices from the guide's centre at most, in its sds."""
_FAR_BELOW = 10.0
"""Log-likelihoods so far below the others need not be fitted well, but must stay low."""
_FLOOR = 0.3
"""Spreads below which a likelihood hardly changes, over those of the group."""
_GUIDE_SD = {"mu": 2.0, "mu_delta": 1.0, "delta": 1.0}
_GUIDE_SPREAD = 0.7
"""Least sds of the guide to a pair's mode, and that of the logarithms of spreads."""


@dataclass(frozen=True)
class Guide:
    """Where the hyperparameters of a group lie, roughly; `centre` and `sd` of shape (K,)."""

    coordinates: Coordinates
    centre: FloatArray
    sd: FloatArray

    def as_hyperpriors(self) -> HyperpriorFunctions:
        """Put it in the place of priors, in a search for a pair's own mode."""

        def at(points: FloatArray) -> tuple[FloatArray, ...]:
            departure = (points - self.centre) / self.sd
            return -0.5 * (departure**2).sum(axis=1), *self.coordinates.phi(points).values()

        names = self.coordinates.names
        return HyperpriorFunctions(names, len(names), self.centre.copy(), {}, at)


@dataclass
class Pair:
    """What is known of a pair of group and label so far.

    Attributes
    ----------
    problem : Problem
        Its neurons as a population of their own.
    coordinates : Coordinates
    limits : Box
        What its lattices never exceed.
    surrogate : Surrogate
    marginal : MarginalLikelihood or None
        None before the first draws.
    box : Box or None
        What its lattices are for.
    """

    problem: Problem
    coordinates: Coordinates
    limits: Box
    surrogate: Surrogate
    marginal: MarginalLikelihood | None = None
    box: Box | None = None
    _points: list[FloatArray] = field(default_factory=list)
    _values: list[FloatArray] = field(default_factory=list)

    def cover(self, cloud: FloatArray, cores: int) -> None:
        """Have lattices that reach beyond nearly all of a cloud, shape (D, K)."""
        lower, upper = np.quantile(cloud, [_CUT, 1 - _CUT], axis=0)
        lower, upper = self.limits.clipped(lower), self.limits.clipped(upper)
        if self.box is not None and self.box.contains(np.stack([lower, upper])).all():
            return
        margin = _MARGIN * (upper - lower)
        laplace = Laplace(cloud.mean(axis=0), np.atleast_2d(np.cov(cloud.T)))
        lower, upper = self.limits.clipped(lower - margin), self.limits.clipped(upper + margin)
        self.box = Box(self.limits.clipped(laplace.mode), lower, upper)
        region = region_of(self.problem, self.box, laplace, FINE)
        self.marginal = tabulate(self.problem.family, self.problem.statistics, region, cores)
        self._points, self._values = [], []

    def reaches(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether the lattices are for each point, shape (D, K)."""
        assert self.box is not None  # noqa: S101 - covered before
        return self.box.contains(points)

    def evaluate(self, points: FloatArray) -> FloatArray:
        """Return exact log-likelihoods at points, shape (D, K), and remember them."""
        assert self.marginal is not None  # noqa: S101 - covered before
        phi = self.coordinates.phi(points)
        values = self.marginal.total(phi, len(points))
        self._points.append(points)
        self._values.append(values)
        return values

    def refit(self, cloud: FloatArray, rng: np.random.Generator) -> None:
        """Fit the polynomial to all that is known, near a cloud above all."""
        assert self.box is not None  # noqa: S101 - covered before
        frame, size = Frame.of_cloud(self.limits.clipped(cloud)), cloud.shape[1]
        further = frame.points(_SPREAD * rng.standard_normal((_FURTHER, size)))
        self.evaluate(further[self.box.contains(further)])
        points, values = np.concatenate(self._points), np.concatenate(self._values)
        known = np.isfinite(values)
        values = np.where(known, values, values[known].min())  # beyond the lattices: no better
        distance = (frame.whitened(points) ** 2).sum(axis=1) / (2 * size)
        below = np.maximum(np.quantile(values, 0.9) - values, 0.0) / _FAR_BELOW
        self.surrogate = fit_surrogate(frame, points, values, 1 / (1 + distance) / (1 + below**2))


@dataclass(frozen=True)
class FoundJoined:
    """The hyperposterior of joined groups.

    Attributes
    ----------
    draws : dict of str to ndarray, shape (D, ...)
        Of the model's variables.
    phi : tuple of dict of str to ndarray, shape (D,)
        The hyperparameters of every pair.
    weights : ndarray, shape (D,)
        Sum to 1.
    pareto_k : float
    outside : float
        Share of the draws beyond the lattices.
    chains : ChainCheck
    chain_ess : float
        Effective sample size of the chains alone.
    """

    draws: dict[str, FloatArray]
    phi: tuple[dict[str, FloatArray], ...]
    weights: FloatArray
    pareto_k: float
    outside: float
    chains: ChainCheck
    chain_ess: float

    @property
    def ess(self) -> float:
        """Effective sample size: of the weights, or of the chains where they repeat themselves."""
        return min(float(1 / np.sum(self.weights**2)), self.chain_ess)

    @property
    def is_good(self) -> bool:
        """Whether better polynomials, or smaller steps, would gain little."""
        enough = 1 / np.sum(self.weights**2) > GOOD_SHARE * len(self.weights)
        weighed = self.pareto_k < GOOD_PARETO_K and enough and self.outside <= MOST_OUTSIDE
        return bool(weighed and self.chains.passed)


def guide_of(names: tuple[str, ...], problem: Problem, start: FloatArray, cores: int) -> Guide:
    """Find roughly where the hyperparameters of a group lie, its labels left aside."""
    laplace = rough_mode(problem, start, cores)
    root = np.linalg.cholesky(laplace.covariance)
    around = problem.hyperpriors.at(
        laplace.mode + np.vstack([np.zeros(len(root)), root.T, -root.T])
    )[1]
    coordinates = Coordinates(names, floors_of(names, around, _FLOOR))
    points = coordinates.points(around)
    sd = np.sqrt(((points[1:] - points[0]) ** 2).sum(axis=0) / 2)
    least = [_GUIDE_SD.get(name, _GUIDE_SPREAD) for name in names]
    return Guide(coordinates, points[0], np.maximum(3 * sd, least))


def begin_pair(problem: Problem, guide: Guide, typical: float, cores: int) -> Pair:
    """Start from a parabola at the pair's own mode.

    Parameters
    ----------
    problem : Problem
        Of the pair's neurons, with `guide` in the place of priors.
    guide : Guide
    typical : float
        Mean log rate of its neurons.
    cores : int
    """
    start = guide.centre.copy()
    start[problem.hyperpriors.names.index("mu")] = typical
    laplace = rough_mode(problem, start, cores)
    frame = Frame.of_moments(laplace.mode, laplace.covariance)
    root = frame.root
    of_guide = np.einsum("ki,k,kj->ij", root, guide.sd**-2, root)
    curvature = of_guide - np.eye(len(root))
    slope = root.T @ ((laplace.mode - guide.centre) / guide.sd**2)
    reach = _MOST_REACH * guide.sd
    limits = Box(guide.centre, guide.centre - reach, guide.centre + reach)
    return Pair(problem, guide.coordinates, limits, quadratic(frame, slope, curvature))


def find_joined(
    spec: ModelSpec,
    tally: Tally,
    priors: Priors,
    pairs: list[Pair],
    options: EngineOptions,
    seed: int,
    progress: Progress,
) -> FoundJoined:
    """Sample the hyperparameters of all groups and labels.

    Parameters
    ----------
    spec : ModelSpec
        With labels within groups.
    tally : Tally
    priors : Priors
    pairs : list of Pair
        In the tally's order; what they know grows.
    options : EngineOptions
        Nothing depends on `cores`.
    seed : int
    progress : Progress

    Returns
    -------
    FoundJoined
        Of the last round, whose `pareto_k` and `ess` tell how good it is.
    """
    rng, cores = np.random.default_rng([seed, 1]), granted_cores(options.cores)
    coordinates, surrogates = zip(
        *((pair.coordinates, pair.surrogate) for pair in pairs), strict=True
    )
    model = surrogate_model(spec, tally, priors, coordinates, list(surrogates))
    names = [OF_PAIRS, *population_variables(spec)]
    compiled = compile_model(model, names, freeze=False)
    accept = TARGET_ACCEPT
    for turn in range(MOST_ROUNDS):
        progress.advance(2, STEPS, f"hyperparameters by NUTS, round {turn + 1}")
        data = as_data([pair.surrogate for pair in pairs])
        sampled = compiled.with_data(data).sample(_chains(options, accept), seed + turn, Silent())
        found = _weighed(sampled, pairs, cores, MOST_TRIED)
        if found.is_good:
            size = int(np.clip(found.chain_ess, 1, MOST_WEIGHED))
            found = _weighed(sampled, pairs, cores, size)
        if found.is_good or turn == MOST_ROUNDS - 1:
            break
        if found.chains.divergences:
            accept = 1 - (1 - accept) / _SMALLER_STEPS
        clouds = np.moveaxis(found.draws[OF_PAIRS], 1, 0)
        for pair, cloud in zip(pairs, clouds, strict=True):
            pair.refit(cloud, rng)
    return found


def _chains(options: EngineOptions, accept: float) -> EngineOptions:
    chosen = {"chains": CHAINS, "tune": TUNE, "draws": DRAWS, "target_accept": accept}
    return options.model_copy(update=chosen)


def _weighed(sampled: Sampled, pairs: list[Pair], cores: int, size: int) -> FoundJoined:
    """Take draws evenly from all chains, and weigh them by what the polynomials miss."""
    ess, r_hat = _mixing(sampled)
    total = CHAINS * DRAWS
    places = np.linspace(0, total - 1, size).astype(np.int64)
    draws = {
        name: values.reshape(total, *values.shape[2:])[places]
        for name, values in sampled.draws.items()
    }
    log_ratio, inside = np.zeros(size), np.ones(size, dtype=np.bool_)
    for place, pair in enumerate(pairs):
        cloud = draws[OF_PAIRS][:, place]
        pair.cover(cloud, cores)
        gap = pair.evaluate(cloud) - pair.surrogate.at(cloud)
        known = np.isfinite(gap)
        inside &= known & pair.reaches(cloud)
        log_ratio += np.where(known, gap - np.mean(gap[known]), NO_WEIGHT)
    smoothed, pareto_k = pareto_smoothed(log_ratio)
    weights = np.exp(smoothed - special.logsumexp(smoothed))
    phi = tuple(pair.coordinates.phi(draws[OF_PAIRS][:, place]) for place, pair in enumerate(pairs))
    chains = ChainCheck(r_hat, sampled.sampler.divergences)
    outside = float(np.mean(~inside))
    weights = weights / weights.sum()
    return FoundJoined(draws, phi, weights, float(pareto_k), outside, chains, ess)


def _mixing(sampled: Sampled) -> tuple[float, float]:
    """Return the least effective sample size and the largest R̂ of all variables."""
    ess, r_hat = [], []
    for name, values in sampled.draws.items():
        flat = values.reshape(*values.shape[:2], -1)
        mixing = measure_mixing(name, ("",) * flat.shape[2], flat)
        ess += [mixing.ess_bulk.min(), mixing.ess_tail.min()]
        r_hat.append(mixing.r_hat.max())
    return float(np.min(ess)), float(np.max(r_hat))

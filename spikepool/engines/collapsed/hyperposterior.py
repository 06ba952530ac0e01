"""The posterior of the hyperparameters: its mode, then adaptive importance sampling.

Proposals are mixtures of t densities, refitted to the weighted sample of all iterations so far;
the weights are those of the deterministic mixture of all proposals (Cornuet et al. 2012), points
are scrambled Sobol points (Owen 1997).

Towards no spread and no dispersion the logarithms of hyperparameters have exponential tails, many
times longer than the curvature at the mode suggests. So the first proposal is wide, and every later
one has a component where the weights are largest, as in incremental mixture importance sampling
(Raftery & Bao 2010).

References
----------
Cornuet, J.-M., Marin, J.-M., Mira, A. & Robert, C. P. (2012). Adaptive multiple importance
sampling. Scandinavian Journal of Statistics 39, 798-812.
Raftery, A. E. & Bao, L. (2010). Estimating and projecting trends in HIV/AIDS generalized epidemics
using incremental mixture importance sampling. Biometrics 66, 1162-1173.
Vehtari, A., Simpson, D., Gelman, A., Yao, Y. & Gabry, J. (2024). Pareto smoothed importance
sampling. Journal of Machine Learning Research 25 (72).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special
from scipy.stats import qmc

from spikepool.data.spike_counts import FloatArray

NU = 6.0
"""Degrees of freedom of the proposals."""
MOST_PARETO_K = 0.5
LEAST_ESS = 1000.0
NO_WEIGHT = -1e10
"""Logarithm of the weight of a point that has none."""
_ITERATIONS = 12
_EM_STEPS = 8
_MOST_DROP = 1e6
_MOST_COMPONENTS = 4
_WIDE, _FIRST_WIDE = 2.0, 5.0
"""Scale of the component that covers the others, and that covers the mode."""
_FAR = 1.5
"""Scale of the component where the weights are largest."""
_LEAST_INDEPENDENT = 1e-6
"""Share of a coordinate's variance that no other explains, in a covariance that has no factor."""

type LogDensity = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Laplace:
    """A mode with the covariance that the curvature there suggests.

    Attributes
    ----------
    mode : ndarray, shape (P,)
    covariance : ndarray, shape (P, P)
    """

    mode: FloatArray
    covariance: FloatArray

    @property
    def sd(self) -> FloatArray:
        """Marginal sds; shape (P,)."""
        return np.sqrt(np.diag(self.covariance))


@dataclass(frozen=True)
class Component:
    """A multivariate t density with a share of a mixture."""

    share: float
    mean: FloatArray
    cholesky: FloatArray


@dataclass(frozen=True)
class WeightedSample:
    """Points with importance weights.

    Attributes
    ----------
    points : ndarray, shape (D, P)
    log_density : ndarray, shape (D,)
        Unnormalised.
    weights : ndarray, shape (D,)
        Pareto smoothed; sum to 1.
    pareto_k : float
    log_evidence : float
        ln of the integral of the density.
    """

    points: FloatArray
    log_density: FloatArray
    weights: FloatArray
    pareto_k: float
    log_evidence: float

    @property
    def ess(self) -> float:
        """Effective sample size 1/Σw²."""
        return float(1 / np.sum(self.weights**2))


def find_mode(log_density: LogDensity, start: FloatArray, scale: FloatArray) -> Laplace:
    """Climb to the mode by Newton steps on a quadratic fitted around each point.

    Parameters
    ----------
    log_density : callable
        From points, shape (D, P), to log densities, shape (D,).
    start, scale : ndarray, shape (P,)
        A first point, and the scale of the first steps.

    Returns
    -------
    Laplace
    """
    x, scale = start.copy(), scale.copy()
    value, gradient, hessian = _derivatives(log_density, x, scale)
    for _ in range(60):
        step = _newton_step(gradient, hessian, scale)
        candidates = x + np.outer([1.0, 0.5, 0.2, 0.05, 1.6], step)
        values = _finite(log_density(candidates))
        best = int(np.argmax(values))
        if not values[best] > value:
            if np.all(np.abs(step) < 0.1 * scale):
                break
            scale *= 0.5
        else:
            x = candidates[best]
        sd = np.sqrt(np.diag(_covariance(hessian, scale)))
        scale = np.clip(sd, 0.2 * scale, 3 * scale)
        before = value
        value, gradient, hessian = _derivatives(log_density, x, 0.5 * scale)
        if value - before < 1e-3 and np.all(np.abs(step) < 0.05 * scale):
            break
    return Laplace(x, _covariance(hessian, scale))


def _finite(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values), values, -np.inf)


def _derivatives(
    log_density: LogDensity, x: FloatArray, step: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Value, gradient and Hessian by central differences, in one batch."""
    size = len(x)
    pairs = [(i, j) for i in range(size) for j in range(i)]
    unit = np.diag(step)
    points = [x, *(x + unit), *(x - unit)]
    points += [x + a * unit[i] + b * unit[j] for i, j in pairs for a, b in ((1, 1), (-1, -1))]
    values = _finite(log_density(np.array(points)))
    values = np.maximum(values, max(values.max(), -1e300) - _MOST_DROP)
    centre, plus, minus = values[0], values[1 : 1 + size], values[1 + size : 1 + 2 * size]
    gradient = (plus - minus) / (2 * step)
    hessian = np.diag((plus - 2 * centre + minus) / step**2)
    rest = values[1 + 2 * size :].reshape(-1, 2)
    for (i, j), (both, neither) in zip(pairs, rest, strict=True):
        mixed = both + neither - plus[i] - minus[i] - plus[j] - minus[j] + 2 * centre
        hessian[i, j] = hessian[j, i] = mixed / (2 * step[i] * step[j])
    return float(centre), gradient, hessian


def _covariance(hessian: FloatArray, scale: FloatArray) -> FloatArray:
    """Invert minus the Hessian, its eigenvalues, in units of `scale`, kept between 0.1 and 1e12."""
    scaled = -hessian * np.outer(scale, scale)
    scaled = np.where(np.isfinite(scaled), scaled, 0.0)
    values, vectors = np.linalg.eigh(scaled)
    inverse = (vectors / np.clip(values, 0.1, 1e12)) @ vectors.T
    return np.asarray(inverse * np.outer(scale, scale))


def _newton_step(gradient: FloatArray, hessian: FloatArray, scale: FloatArray) -> FloatArray:
    gradient = np.where(np.isfinite(gradient), gradient, 0.0)
    step = _covariance(hessian, scale) @ gradient
    return np.asarray(step * min(1.0, 4.0 / np.max(np.abs(step) / scale, initial=1e-300)))


def sample_adaptively(
    log_density: LogDensity,
    laplace: Laplace,
    rng: np.random.Generator,
    *,
    batch: int,
    least_ess: float = LEAST_ESS,
) -> WeightedSample:
    """Sample until the effective sample size and the Pareto check suffice.

    Parameters
    ----------
    log_density : callable
    laplace : Laplace
        The first proposal.
    rng : Generator
    batch : int
        Points of an iteration; a power of 2.
    least_ess : float

    Returns
    -------
    WeightedSample
        The best that was reached; its `pareto_k` and `ess` tell how good it is.
    """
    proposal = _first_proposal(laplace)
    points: list[FloatArray] = []
    densities: list[FloatArray] = []
    proposals: list[tuple[Component, ...]] = []
    for iteration in range(_ITERATIONS):
        new = _draw(proposal, batch, rng)
        points.append(new)
        densities.append(_finite(log_density(new)))
        proposals.append(proposal)
        sample = _weighted(np.concatenate(points), np.concatenate(densities), proposals)
        if sample.ess >= least_ess and sample.pareto_k < MOST_PARETO_K and iteration > 0:
            break
        if np.isneginf(sample.log_evidence):  # nothing to adapt to
            break
        proposal = _fitted(sample, min(iteration + 2, _MOST_COMPONENTS), rng)
    return sample


def _first_proposal(laplace: Laplace) -> tuple[Component, ...]:
    cholesky = np.linalg.cholesky(laplace.covariance)
    return (
        Component(0.7, laplace.mode, cholesky * 1.1),
        Component(0.3, laplace.mode, cholesky * _FIRST_WIDE),
    )


def _draw(proposal: tuple[Component, ...], size: int, rng: np.random.Generator) -> FloatArray:
    """Scrambled Sobol points of a mixture; shape (size, P)."""
    dimension = len(proposal[0].mean)
    uniform = qmc.Sobol(dimension + 2, rng=rng).random(size)
    uniform = np.clip(uniform, 1e-12, 1 - 1e-12)
    z = special.ndtri(uniform[:, :dimension])
    radius = np.sqrt(NU / (2 * special.gammaincinv(NU / 2, uniform[:, dimension])))
    ends = np.cumsum([each.share for each in proposal])
    which = np.minimum(np.searchsorted(ends, uniform[:, -1]), len(proposal) - 1)
    points = np.empty((size, dimension))
    for index, each in enumerate(proposal):
        chosen = which == index
        points[chosen] = each.mean + radius[chosen, np.newaxis] * (
            z[chosen, np.newaxis, :] * each.cholesky
        ).sum(axis=2)
    return points


def _log_t(points: FloatArray, component: Component) -> FloatArray:
    size = len(component.mean)
    constant = special.gammaln((NU + size) / 2) - special.gammaln(NU / 2)
    constant -= 0.5 * size * np.log(NU * np.pi) + np.log(np.diag(component.cholesky)).sum()
    return np.asarray(constant - 0.5 * (NU + size) * np.log1p(_distance(points, component) / NU))


def _distance(points: FloatArray, component: Component) -> FloatArray:
    """Squared Mahalanobis distance from the centre; shape (D,)."""
    inverse = np.linalg.inv(component.cholesky)
    z = np.einsum("dj,ij->di", points - component.mean, inverse)
    return np.asarray(np.einsum("di,di->d", z, z))


def _log_mixture(points: FloatArray, proposal: tuple[Component, ...]) -> FloatArray:
    each = [np.log(one.share) + _log_t(points, one) for one in proposal]
    return np.asarray(special.logsumexp(each, axis=0))


def _weighted(
    points: FloatArray, log_density: FloatArray, proposals: list[tuple[Component, ...]]
) -> WeightedSample:
    """Weigh points by the deterministic mixture of all proposals, equally many from each."""
    log_proposal = special.logsumexp([_log_mixture(points, each) for each in proposals], axis=0)
    log_ratio = log_density - (log_proposal - np.log(len(proposals)))
    log_evidence = float(special.logsumexp(log_ratio) - np.log(len(points)))
    finite = np.isfinite(log_ratio)
    if not finite.any():  # all the weight at the likeliest guess
        weights = (np.arange(len(points)) == np.argmax(log_proposal)).astype(np.float64)
        return WeightedSample(points, log_density, weights, np.inf, log_evidence)
    smoothed, pareto_k = pareto_smoothed(np.where(finite, log_ratio, NO_WEIGHT))
    weights = np.where(finite, np.exp(smoothed - special.logsumexp(smoothed)), 0.0)
    return WeightedSample(
        points, log_density, weights / weights.sum(), float(pareto_k), log_evidence
    )


def pareto_smoothed(log_weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Smooth the largest importance weights (Vehtari et al. 2024).

    Parameters
    ----------
    log_weights : ndarray, shape (D,) or (n, D)

    Returns
    -------
    log_weights : ndarray, of the same shape
        Not normalised.
    pareto_k : ndarray, shape () or (n,)
        Infinite where too few points have any weight, or too many of the tail the same one, so
        that there is no tail to fit.
    """
    from arviz_stats.base import array_stats

    try:
        # All weight on a few points: quantiles beyond all numbers, or 0/0.
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            smoothed, pareto_k = array_stats.psislw(-log_weights)
    except (ValueError, IndexError):
        if log_weights.ndim == 1:
            return log_weights, np.array(np.inf)
        rows = [pareto_smoothed(row) for row in log_weights]
        return np.stack([row for row, _ in rows]), np.stack([k for _, k in rows])
    defined = np.all(smoothed < np.inf, axis=-1) & ~np.isnan(pareto_k)
    smoothed = np.where(defined[..., np.newaxis], smoothed, log_weights)
    return smoothed, np.where(defined, pareto_k, np.inf)


def _fitted(
    sample: WeightedSample, components: int, rng: np.random.Generator
) -> tuple[Component, ...]:
    """Fit a mixture of t densities, one wide and one where the weights are largest among them."""
    weights = _tempered(sample.weights, 10.0 * (sample.points.shape[1] + 1) * components)
    kept = weights > 1e-9
    points, weights = sample.points[kept], weights[kept] / weights[kept].sum()
    mean, spread = _moments(points, weights)
    close = _expectation_maximisation(points, weights, spread, components, rng)
    wide = Component(0.1, mean, _WIDE * _root(spread))
    centre, around = _moments(*_excess(sample))
    far = Component(0.1, centre, _FAR * _root(around + 0.1 * spread))
    return (*(Component(0.8 * c.share, c.mean, c.cholesky) for c in close), wide, far)


def _excess(sample: WeightedSample) -> tuple[FloatArray, FloatArray]:
    """Return the points that the Pareto check examines, and their weights above the others'."""
    tail = np.argsort(sample.weights, kind="stable")[-int(3 * np.sqrt(len(sample.points))) :]
    excess = sample.weights[tail] - sample.weights[tail[0]]
    return sample.points[tail], excess / excess.sum()


def _expectation_maximisation(
    points: FloatArray,
    weights: FloatArray,
    spread: FloatArray,
    components: int,
    rng: np.random.Generator,
) -> list[Component]:
    centres = points[rng.choice(len(points), components, p=weights)]
    cholesky = _root(spread * components ** (-2 / points.shape[1]))
    mixture = [Component(1 / components, centre, cholesky) for centre in centres]
    for _ in range(_EM_STEPS):
        mixture = _em_step(points, weights, mixture, 1e-4 * spread)
    return mixture


def _em_step(
    points: FloatArray, weights: FloatArray, mixture: list[Component], ridge: FloatArray
) -> list[Component]:
    size = points.shape[1]
    log_parts = np.array([np.log(c.share) + _log_t(points, c) for c in mixture])
    belongs = np.exp(log_parts - special.logsumexp(log_parts, axis=0)) * weights
    result = []
    for component, share in zip(mixture, belongs, strict=True):
        total = float(share.sum())
        if total < 0.02:
            continue
        pull = share * (NU + size) / (NU + _distance(points, component))
        mean = (pull[:, np.newaxis] * points).sum(axis=0) / pull.sum()
        centred = points - mean
        spread = np.einsum("d,di,dj->ij", pull, centred, centred) / total + ridge
        result.append(Component(total, mean, _root(spread)))
    rescale = sum(c.share for c in result)
    return [Component(c.share / rescale, c.mean, c.cholesky) for c in result]


def _root(spread: FloatArray) -> FloatArray:
    """Return the Cholesky factor of a covariance, a little wider where rounding left it none.

    Weights on a few points that lie on a line, or almost, leave a covariance that is singular in
    floating-point numbers. A proposal may be any density that is wide enough.
    """
    try:
        return np.asarray(np.linalg.cholesky(spread))
    except np.linalg.LinAlgError:
        variance = np.diag(np.diag(spread))
        return np.asarray(np.linalg.cholesky(spread + _LEAST_INDEPENDENT * variance))


def _moments(points: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    mean = (weights[:, np.newaxis] * points).sum(axis=0)
    centred = points - mean
    spread = np.einsum("d,di,dj->ij", weights, centred, centred)
    return mean, spread + 1e-12 * np.eye(len(mean))


def _tempered(weights: FloatArray, least_ess: float) -> FloatArray:
    """Flatten weights until their effective sample size reaches `least_ess`."""
    for _ in range(40):
        if 1 / np.sum(weights**2) >= min(least_ess, 0.5 * np.count_nonzero(weights)):
            break
        weights = np.sqrt(weights)
        weights = weights / weights.sum()
    return weights

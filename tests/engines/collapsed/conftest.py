"""Difficult neurons, populations for them, and a quadrature that shares no method with the code."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from scipy import special

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines.collapsed.levels import FixedLevel, PooledLevel, SharedLevel
from spikepool.models.families import FAMILIES
from spikepool.models.populations import POPULATIONS
from spikepool.models.prior_density import PriorDensity

WIDTHS = (1e-3, 0.03, 0.3, 1.0, 10.0)
OFFSETS = (0.0, 2.0, -2.0, 5.0, -5.0)
DELTA_CENTRES = (-0.7, -4.0, 1.0)
PANEL_NODES, PANEL_WEIGHTS = np.polynomial.legendre.leggauss(8)
PANEL_ERROR = 3e-9
NEGLIGIBLE_PANEL = 40.0


def _gain(rng, mean, gain_sd, trials):
    """Return counts of a Poisson rate with a gamma gain."""
    shape = 1 / gain_sd**2
    return rng.poisson(mean * rng.gamma(shape, 1 / shape, trials))


def _neurons():
    """Return counts and exposures of difficult neurons, by name."""
    rng = np.random.default_rng(20240611)
    unequal = np.array([0.2, 0.2, 0.5, 1.0, 3.0, 3.0])
    return {
        "silent": ([0] * 5, 1.0),
        "silent, one short trial": ([0], 1e-3),
        "silent, long": ([0] * 3, 1e4),
        "one trial": ([3], 1.0),
        "one busy trial": ([100_000], 1.0),
        "one spike": ([0, 0, 1, 0, 0, 0, 0, 0], 0.5),
        "underdispersed": ([7] * 20, 1.0),
        "Poisson": (rng.poisson(4.0, 30), 1.0),
        "overdispersed": ([0, 0, 12, 1, 30, 3], 1.0),
        "busy": (_gain(rng, 1e5, 0.2, 10), 1.0),
        "busy Poisson": (rng.poisson(1e5, 10), 1.0),
        "short": (rng.poisson(0.05, 40), 1e-3),
        "long": (_gain(rng, 400.0, 0.3, 12), 1e4),
        "many": (_gain(rng, 20.0, 0.5, 200), 1.0),
        "unequal": (rng.poisson(6.0 * unequal), unequal),
        "unequal, overdispersed": ([0, 5, 0, 9, 2, 60], unequal),
    }


NEURONS = _neurons()


@dataclass(frozen=True)
class Case:
    """One neuron with one population."""

    family: str
    population: str
    neuron: str
    phi: dict[str, float]


def _build_tally(neurons):
    """Return the tally of neurons given as (counts, exposures)."""
    counts = [np.asarray(count, dtype=np.int64) for count, _ in neurons]
    exposure = [
        np.broadcast_to(float(e) if np.isscalar(e) else e, len(c))
        for c, (_, e) in zip(counts, neurons, strict=True)
    ]
    names = tuple(f"n{i}" for i in range(len(counts)))
    of = np.repeat(np.arange(len(counts)), [len(count) for count in counts])
    return tally_counts(
        SpikeCounts(
            neuron=Labels("neuron", names, of),
            count=np.concatenate(counts),
            exposure=np.concatenate(exposure),
            exposure_known=True,
            condition=None,
        )
    )


@pytest.fixture(scope="session")
def build_tally():
    """Return a function from neurons, (counts, exposures), to their tally."""
    return _build_tally


@pytest.fixture(scope="session")
def difficult_neurons():
    """Return counts and exposures by name."""
    return NEURONS


def _level(kind, population="normal", names=("mu", "tau")):
    match kind:
        case "point":
            return SharedLevel(names[0])
        case "fixed":
            return FixedLevel(PriorDensity(_fixed_density, -16.0, 18.0, 2.5))
        case "pooled":
            own = POPULATIONS[population].hyperparameters
            return PooledLevel(POPULATIONS[population], tuple(zip(own, names, strict=True)))


def _fixed_density(x):
    return -0.5 * ((x - 1.0) / 2.5) ** 2 - np.log(2.5 * np.sqrt(2 * np.pi))


@pytest.fixture(scope="session")
def make_level():
    """Return a function to levels: 'point', 'fixed' (N(1, 2.5²)) or 'pooled'."""
    return _level


def _hyperparameters(population, neuron, width, offset):
    """Return a population of the given width, so many sds away from the neuron's own rate."""
    counts, exposure = NEURONS[neuron]
    spikes = np.sum(counts) + 0.5
    own = np.log(spikes / np.sum(np.broadcast_to(exposure, len(counts))))
    mu = own + offset * np.sqrt(width**2 + 1 / spikes)
    if population != "gamma":
        return {"mu": mu, "tau": width}
    shape = 1 / width**2 if width < 1 else 1 / width
    return {"mu": shape, "tau": shape * np.exp(-mu)}


def _cases():
    """Return the whole stress set, in an order in which every stretch has something of all."""
    cases = []
    for population, neuron, width, offset in product(POPULATIONS, NEURONS, WIDTHS, OFFSETS):
        phi = _hyperparameters(population, neuron, width, offset)
        cases.append(Case("poisson", population, neuron, phi))
    combinations = list(product(("nb2", "nb1"), NEURONS, WIDTHS, WIDTHS, OFFSETS, DELTA_CENTRES))
    rng = np.random.default_rng(8)
    for which in rng.permutation(len(combinations))[:3600]:
        family, neuron, width, width_delta, offset, centre = combinations[which]
        population = tuple(POPULATIONS)[max(0, which % 5 - 2)]
        phi = _hyperparameters(population, neuron, width, offset)
        phi |= {"mu_delta": centre, "tau_delta": width_delta}
        cases.append(Case(family, population, neuron, phi))
    return [cases[i] for i in rng.permutation(len(cases))]


@pytest.fixture(scope="session")
def stress_cases():
    """Return some thousand cases."""
    return _cases()


@dataclass(frozen=True)
class Line:
    """One axis of the oracle: panels between edges, shape (panels, 2), or a single value."""

    edges: np.ndarray | None
    value: float = 0.0

    def nodes(self):
        """Return nodes and log weights; shape (panels, nodes)."""
        if self.edges is None:
            return np.full((1, 1), self.value), np.zeros((1, 1))
        half = np.diff(self.edges, axis=1) / 2
        middle = self.edges.mean(axis=1, keepdims=True)
        return middle + half * PANEL_NODES, np.log(half * PANEL_WEIGHTS)

    def halves(self, which):
        """Return some panels, each in two halves."""
        lower, upper = self.edges[which].T
        middle = (lower + upper) / 2
        return Line(np.stack([lower, middle, middle, upper], axis=1).reshape(-1, 2))


def _log_sums(log_density, theta_line, delta_line):
    """Return the log integral over every pair of panels; shape (panels of θ, panels of δ)."""
    (theta, theta_weight), (delta, delta_weight) = theta_line.nodes(), delta_line.nodes()
    logs = log_density(theta.reshape(-1, 1), delta.reshape(1, -1))
    logs = logs.reshape(*theta.shape, *delta.shape)
    logs = logs + theta_weight[:, :, np.newaxis, np.newaxis] + delta_weight
    return special.logsumexp(logs, axis=(1, 3))


def _worth_while(log_density, lines):
    """Drop panels that are negligible at their edges and at those of their neighbours."""
    points = [
        np.array([line.value])
        if line.edges is None
        else np.append(line.edges[:, 0], line.edges[-1, 1])
        for line in lines
    ]
    values = log_density(points[0][:, np.newaxis], points[1][np.newaxis])
    kept = []
    for axis, line in enumerate(lines):
        highest = np.pad(values.max(axis=1 - axis), 1, constant_values=-np.inf)
        near = np.lib.stride_tricks.sliding_window_view(highest, min(4, len(highest))).max(axis=1)
        worth = near > values.max() - 2 * NEGLIGIBLE_PANEL
        kept.append(line if line.edges is None else Line(line.edges[worth]))
    return kept


def _integrate_panels(log_density, lines):
    """Return ln ∬ exp(log_density) by Gauss–Legendre panels, halved until nothing changes.

    Parameters
    ----------
    log_density : callable
        From θ, shape (J, 1), and δ, shape (1, K).
    lines : list of Line
        Panels to begin with, of θ and δ.
    """
    lines = _worth_while(log_density, lines)
    sums = _log_sums(log_density, *lines)
    unchecked = [
        np.full(size, line.edges is not None) for size, line in zip(sums.shape, lines, strict=True)
    ]
    verified = False
    for _ in range(200):
        for axis in (0, 1):
            which = np.flatnonzero(unchecked[axis])
            if not len(which):
                continue
            halved = lines[axis].halves(which)
            new = np.moveaxis(_log_sums(log_density, *_with(lines, axis, halved)), axis, 0)
            old = np.moveaxis(sums, axis, 0)
            total = np.logaddexp(special.logsumexp(old), special.logsumexp(new))
            pairs = np.exp(new.reshape(len(which), 2, -1) - total).sum(axis=1)
            coarse = np.abs(pairs - np.exp(old[which] - total)).sum(axis=1) > PANEL_ERROR
            verified &= not coarse.any()
            kept = np.delete(np.arange(len(old)), which[coarse])
            from_halves = np.repeat(coarse, 2)
            edges = np.concatenate([lines[axis].edges[kept], halved.edges[from_halves]])
            rows = np.concatenate([old[kept], new[from_halves]])
            todo = np.arange(len(rows)) >= len(kept)
            worth = special.logsumexp(rows, axis=1) > total - NEGLIGIBLE_PANEL
            lines = _with(lines, axis, Line(edges[worth]))
            sums, unchecked[axis] = np.moveaxis(rows[worth], 0, axis), todo[worth]
        if not any(each.any() for each in unchecked):
            if verified:
                return special.logsumexp(sums)
            verified = True
            unchecked = [
                np.full(size, line.edges is not None)
                for size, line in zip(sums.shape, lines, strict=True)
            ]
    raise AssertionError("the oracle did not converge")


def _with(lines, axis, line):
    return [line, lines[1]] if axis == 0 else [lines[0], line]


def _graded(lower, upper, *features):
    """Return panels that grow geometrically away from every (centre, width)."""
    reach = 2.0 ** np.arange(-1.0, 24.0)
    points = [np.array([lower, upper])]
    for centre, width in features:
        points += [centre - width * reach, [centre], centre + width * reach]
    points.append(np.arange(max(lower, -60.0), min(upper, 60.0), 1.5))
    edges = np.unique(np.concatenate(points))
    edges = edges[(edges >= lower) & (edges <= upper)]
    edges = edges[np.append(True, np.diff(edges) > 1e-9 * (1 + np.abs(edges[1:])))]
    return Line(np.stack([edges[:-1], edges[1:]], axis=1))


def _oracle(family, statistics, rate, dispersion, phi):
    """Return ln p(φ) of a single neuron."""
    of = {name: np.array([value]) for name, value in phi.items()}

    def log_density(theta, delta):
        # beyond these a likelihood is constant, or nothing
        x = np.clip(theta, -250.0, 450.0)[..., np.newaxis]
        z = np.clip(delta, -110.0, 90.0)[..., np.newaxis]
        total = FAMILIES[family].log_likelihood(x, z, statistics)[..., 0]
        if not rate.is_point:
            total = total + rate.log_density(theta, of)
        if dispersion is not None and not dispersion.is_point:
            total = total + dispersion.log_density(delta, of)
        return total

    own = float(np.log((statistics.spikes[0] + 0.5) / statistics.exposure[0]))
    lines = [
        _line(rate, of, (-1e4, 1e4), (own, (statistics.spikes[0] + 0.5) ** -0.5)),
        _line(dispersion, of, (-1e4, 1e4), (0.0, 1.0)),
    ]
    with np.errstate(over="ignore", invalid="ignore"):
        return _integrate_panels(log_density, lines)


def _line(level, phi, limits, own):
    if level is None:
        return Line(None, 0.0)
    lower, upper = (float(end[0]) for end in level.support(phi))
    if level.is_point:
        return Line(None, lower)
    return _graded(*limits, own, ((lower + upper) / 2, float(level.width(phi)[0])))


@pytest.fixture(scope="session")
def oracle() -> Callable[..., float]:
    """Return a function to ln p(φ) of one neuron by adaptive Gauss–Legendre panels."""
    return _oracle

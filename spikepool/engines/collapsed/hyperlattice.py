"""Integrals over a few hyperparameters on a lattice, where too little is known to sample them.

A few neurons leave their population's hyperparameters wide posteriors, and what is left out of such
a table is as uncertain as the sample of them is small. On a lattice the error falls exponentially
with the step (Trefethen & Weideman 2014). This one is body-centred cubic in the coordinates in
which the sample has no correlations: a cubic lattice, and another in the middles of its cubes, the
best covering for its number of points in three and in four dimensions. How far the integrals on
the two differ shows that the step is fine enough. Its points are found from the centre outwards, by
neighbours of those where one of the densities matters.

References
----------
Trefethen, L. N. & Weideman, J. A. C. (2014). The exponentially convergent trapezoidal rule. SIAM
Review 56, 385-458.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.engines.collapsed.hyperposterior import WeightedSample

STEP = 1.1
"""Step of each of the two cubic lattices, in standard deviations."""
DROP = 9.5
"""Log density below its maximum beyond which a density does not matter."""
_MOST_WEIGHT = 1e-8
_VISITED = 6.0
"""Points visited, over those where the sample is."""
_REACH = 2048
"""Points from the centre along an axis that keys can tell apart."""

type LogDensities = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class LatticeIntegrals:
    """Integrals of some densities.

    Attributes
    ----------
    log_integral : ndarray, shape (K,)
    disagreement : ndarray, shape (K,)
        Logarithm of the ratio of the integrals on the two cubic lattices; the error of their mean
        is much smaller.
    edge : ndarray, shape (K,)
        Share of the points beside those where the density is not known.
    points : int
        Visited.
    """

    log_integral: FloatArray
    disagreement: FloatArray
    edge: FloatArray
    points: int


@dataclass(frozen=True)
class HyperLattice:
    """Points about a sample of the hyperparameters.

    Attributes
    ----------
    centre : ndarray, shape (P,)
    cholesky : ndarray, shape (P, P)
        Of the sample's covariance.
    expected_points : float
        That an integral visits, by the sample.
    """

    centre: FloatArray
    cholesky: FloatArray
    expected_points: float

    def at(self, place: IntArray) -> FloatArray:
        """Return the points at places whose coordinates are all even or all odd; shape (D, P)."""
        steps = 0.5 * STEP * place
        return np.asarray(self.centre + (steps[:, np.newaxis, :] * self.cholesky).sum(axis=2))

    @property
    def log_cell(self) -> float:
        """Logarithm of the volume of a point."""
        size = len(self.centre)
        return float(size * np.log(STEP) + np.log(np.diag(self.cholesky)).sum() - np.log(2))

    def integrate(self, log_densities: LogDensities, most_points: int) -> LatticeIntegrals | None:
        """Integrate densities over all the points where one of them matters.

        Parameters
        ----------
        log_densities : callable
            From points, shape (D, P), to log densities, shape (K, D); NaN where not known.
        most_points : int

        Returns
        -------
        LatticeIntegrals or None
            None where more points are needed.
        """
        reached = self._reach(log_densities, most_points)
        if reached is None:
            return None
        place, values = reached
        known = np.where(np.isnan(values), -np.inf, values)
        even, odd = (
            np.logaddexp.reduce(known[:, place[:, 0] % 2 == half], axis=1) for half in (0, 1)
        )
        total = np.logaddexp(even, odd)
        edge = np.exp(_beside_unknown(place, values) - total)
        return LatticeIntegrals(total + self.log_cell, even - odd, edge, len(place))

    def _reach(
        self, log_densities: LogDensities, most_points: int
    ) -> tuple[IntArray, FloatArray] | None:
        """Return all places where a density matters, those beside them, and the densities there."""
        front, seen = np.zeros((1, len(self.centre)), dtype=np.int64), np.zeros(0, dtype=np.int64)
        places: list[IntArray] = []
        values: list[FloatArray] = []
        top: FloatArray | float = -np.inf
        while len(front):
            seen = np.union1d(seen, _keys(front))
            if len(seen) > most_points:
                return None
            new = log_densities(self.at(front))
            places.append(front)
            values.append(new)
            with np.errstate(invalid="ignore"):
                top = np.fmax(top, np.fmax.reduce(new, axis=1))
                matters = (new > (top - DROP)[:, np.newaxis]).any(axis=0)
            front = _beside(front[matters])
            front = front[~np.isin(_keys(front), seen)]
        return np.concatenate(places), np.concatenate(values, axis=1)


def lattice_around(sample: WeightedSample) -> HyperLattice:
    """Return a lattice about a sample."""
    kept = sample.weights > _MOST_WEIGHT
    points, weights = sample.points[kept], sample.weights[kept] / sample.weights[kept].sum()
    centre = (weights[:, np.newaxis] * points).sum(axis=0)
    covariance = np.einsum("d,di,dj->ij", weights, points - centre, points - centre)
    lattice = HyperLattice(centre, np.linalg.cholesky(covariance), np.nan)
    density = sample.log_density[kept]
    matters = density > density.max() - DROP
    volume = np.sum(weights * np.exp(np.where(matters, sample.log_evidence - density, -np.inf)))
    visited = _VISITED * float(volume) / np.exp(lattice.log_cell)
    return HyperLattice(lattice.centre, lattice.cholesky, visited)


def _beside_unknown(place: IntArray, values: FloatArray) -> FloatArray:
    """Ln of the sum over the points beside those where a density is not known; shape (K,)."""
    result, keys = np.full(len(values), -np.inf), _keys(place)
    unknown = np.isnan(values)
    for k in np.flatnonzero(unknown.any(axis=1)):
        beside = np.isin(keys, _keys(_beside(place[unknown[k]]))) & ~unknown[k]
        result[k] = np.logaddexp.reduce(values[k, beside], initial=-np.inf)
    return result


def _beside(place: IntArray) -> IntArray:
    """Return every corner of the cubes about some places, once; shape (D, P)."""
    size = place.shape[1]
    corners = np.array(list(product((-1, 1), repeat=size)))
    near = (place[:, np.newaxis, :] + corners).reshape(-1, size)
    once: IntArray = near[np.unique(_keys(near), return_index=True)[1]]
    return once


def _keys(place: IntArray) -> IntArray:
    """Return a number for each place; shape (D,)."""
    base = 2 * _REACH
    return np.asarray(((place + _REACH) * base ** np.arange(place.shape[1])).sum(axis=1))

"""Mixtures of normals, one per neuron: moments in closed form, quantiles by root-finding."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from spikepool.data.spike_counts import FloatArray

_MOST_STEPS = 100
_TOLERANCE = 1e-12
"""Of a quantile, in units of the mixture's sd."""


@dataclass(frozen=True)
class NormalMixtures:
    """N mixtures of C normals.

    Attributes
    ----------
    mean, sd, weight : ndarray, shape (C, N)
        Weights sum to 1 over C; sds are above 0.
    """

    mean: FloatArray
    sd: FloatArray
    weight: FloatArray

    def means(self) -> FloatArray:
        """Mean of each mixture; shape (N,)."""
        return np.asarray(np.sum(self.weight * self.mean, axis=0))

    def sds(self) -> FloatArray:
        """Sd of each mixture; shape (N,)."""
        departure = self.mean - self.means()
        return np.sqrt(np.sum(self.weight * (self.sd**2 + departure**2), axis=0))

    def cdf(self, at: FloatArray) -> FloatArray:
        """Cumulative probability of each mixture at a value of its own; shape (N,)."""
        return np.asarray(np.sum(self.weight * special.ndtr((at - self.mean) / self.sd), axis=0))

    def density(self, at: FloatArray) -> FloatArray:
        """Density of each mixture at a value of its own; shape (N,)."""
        z = (at - self.mean) / self.sd
        each = np.exp(-0.5 * z**2) / (self.sd * np.sqrt(2 * np.pi))
        return np.asarray(np.sum(self.weight * each, axis=0))

    def quantiles(self, mass: float) -> FloatArray:
        """Values below which `mass` of each mixture lies; shape (N,).

        Newton steps on the normal score of the cdf, which is nearly linear, kept inside a
        bracket: the quantile lies between the least and the largest of the components' own.

        Parameters
        ----------
        mass : float
            Between 0 and 1.

        Returns
        -------
        ndarray, shape (N,)
        """
        score = float(special.ndtri(mass))
        own = self.mean + score * self.sd
        counts = self.weight > 0
        low = np.min(np.where(counts, own, np.inf), axis=0)
        high = np.max(np.where(counts, own, -np.inf), axis=0)
        sd = self.sds()
        at = np.clip(self.means() + score * sd, low, high)
        for _ in range(_MOST_STEPS):
            reached = special.ndtri(self.cdf(at))
            above = reached > score
            low, high = np.where(above, low, at), np.where(above, at, high)
            with np.errstate(all="ignore"):  # far out the density is 0: the bracket is halved
                slope = self.density(at) * np.sqrt(2 * np.pi) * np.exp(0.5 * reached**2)
                stepped = at - (reached - score) / slope
            inside = (stepped >= low) & (stepped <= high)
            new = np.where(inside, stepped, 0.5 * (low + high))
            done = np.all(np.abs(new - at) <= _TOLERANCE * sd)
            at = new
            if done:
                break
        return at

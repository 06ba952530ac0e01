"""The PyMC model of joined groups in which only hyperparameters are left, on surrogates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.data.tally import Tally
from spikepool.engines.collapsed.levels import Hyperparameters
from spikepool.engines.collapsed.surrogate import Surrogate, log_likelihoods
from spikepool.models.graph import hyperparameter_names, place_hyperparameters
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.models.within import coordinates, hyperparameters_of_pairs

OF_PAIRS = "of_pairs"
"""Name in the model of the pairs' coordinates; shape (P, K)."""
_UNBOUNDED = ("mu", "mu_delta", "delta")
_LEAST_OF_FLOOR = 1e-3


@dataclass(frozen=True)
class Coordinates:
    """Coordinates in which a likelihood of hyperparameters is smooth: means, and logs of spreads.

    The coordinate of a spread τ is ln(τ² + s²)/2, not ln τ: below a floor s, smaller than what the
    neurons resolve, the likelihood hardly changes, and would do so over an infinite range.

    Attributes
    ----------
    names : tuple of str, length K
    floor : ndarray, shape (K,)
        s of every spread; 0 of means.
    """

    names: tuple[str, ...]
    floor: FloatArray

    def phi(self, points: FloatArray) -> dict[str, FloatArray]:
        """Return the hyperparameters at points, shape (D, K)."""
        return {
            name: x.copy() if name in _UNBOUNDED else self._spread(x, s)
            for name, x, s in zip(self.names, points.T, self.floor, strict=True)
        }

    @staticmethod
    def _spread(x: FloatArray, floor: float) -> FloatArray:
        return np.sqrt(np.maximum(np.exp(2 * x) - floor**2, (_LEAST_OF_FLOOR * floor) ** 2))

    def points(self, phi: Hyperparameters) -> FloatArray:
        """Return hyperparameters, each of shape (D,), as points, shape (D, K)."""
        each = (
            phi[name] if name in _UNBOUNDED else 0.5 * np.log(phi[name] ** 2 + s**2)
            for name, s in zip(self.names, self.floor, strict=True)
        )
        return np.stack(list(each), axis=1)


def floors_of(names: tuple[str, ...], typical: Hyperparameters, share: float) -> FloatArray:
    """Return floors that are a share of typical spreads; shape (K,)."""
    return np.array(
        [
            0.0 if name in _UNBOUNDED else max(share * float(typical[name][0]), 0.05)
            for name in names
        ]
    )


def surrogate_model(
    spec: ModelSpec,
    tally: Tally,
    priors: Priors,
    pairs: Sequence[Coordinates],
    surrogates: list[Surrogate],
) -> Any:
    """Build the model of `spec` with a polynomial for each pair of group and label.

    Parameters
    ----------
    spec : ModelSpec
        With labels within groups.
    tally : Tally
    priors : Priors
    pairs : sequence of Coordinates
    surrogates : list of Surrogate
        Of every pair, in its coordinates.

    Returns
    -------
    pymc.Model
    """
    import pymc as pm
    import pytensor.tensor as pt

    floor = np.stack([pair.floor for pair in pairs], axis=1)
    with pm.Model(coords=coordinates(tally)) as model:
        of_groups = place_hyperparameters(spec, priors)
        of_pairs = hyperparameters_of_pairs(spec, tally.pairs, priors, of_groups)
        each = [
            of_pairs[name] if name in _UNBOUNDED else 0.5 * pt.log(of_pairs[name] ** 2 + s**2)
            for name, s in zip(hyperparameter_names(spec), floor, strict=True)
        ]
        pm.Deterministic(OF_PAIRS, pt.stack(each, axis=1))
        pm.Potential("log_likelihood", pt.sum(log_likelihoods(surrogates, each)))
    return model

"""The PyMC model of joined groups in which only hyperparameters are left, on surrogates."""

import math
from collections.abc import Callable
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


def surrogate_model(
    spec: ModelSpec, tally: Tally, priors: Priors, surrogates: list[Surrogate]
) -> Any:
    """Build the model of `spec` with a polynomial for each pair of group and label.

    Parameters
    ----------
    spec : ModelSpec
        With labels within groups.
    tally : Tally
    priors : Priors
    surrogates : list of Surrogate
        Of every pair.

    Returns
    -------
    pymc.Model
    """
    import pymc as pm
    import pytensor.tensor as pt

    with pm.Model(coords=coordinates(tally)) as model:
        of_groups = place_hyperparameters(spec, priors)
        of_pairs = hyperparameters_of_pairs(spec, tally.pairs, priors, of_groups)
        each = [
            of_pairs[name] if name in _UNBOUNDED else pt.log(of_pairs[name])
            for name in hyperparameter_names(spec)
        ]
        pm.Deterministic(OF_PAIRS, pt.stack(each, axis=1))
        pm.Potential("log_likelihood", pt.sum(log_likelihoods(surrogates, each)))
    return model


def phi_at(names: tuple[str, ...], points: FloatArray) -> dict[str, FloatArray]:
    """Return the hyperparameters at coordinates, shape (D, K)."""
    columns = zip(names, points.T, strict=True)
    return {name: x.copy() if name in _UNBOUNDED else np.exp(x) for name, x in columns}


def coordinates_of(names: tuple[str, ...], phi: Hyperparameters) -> FloatArray:
    """Return the coordinates of hyperparameters: themselves or their logarithms; shape (D, K)."""
    each = [phi[name] if name in _UNBOUNDED else np.log(phi[name]) for name in names]
    return np.stack(each, axis=1)


def to_coordinate(name: str) -> Callable[[float], float]:
    """Return the function from a hyperparameter to its coordinate."""
    return float if name in _UNBOUNDED else math.log

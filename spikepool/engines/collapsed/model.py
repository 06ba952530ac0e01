"""The collapsed model: hyperparameters with their priors, and one term for all the neurons."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.engines.collapsed.levels import (
    FixedLevel,
    Level,
    PooledLevel,
    SharedLevel,
    TuningLevel,
)
from spikepool.models.families import family_of
from spikepool.models.graph import hyperparameter_names, place_hyperparameters
from spikepool.models.many_points import interpreted, of_many_points
from spikepool.models.populations import POPULATIONS
from spikepool.models.prior_density import density_of
from spikepool.models.priors import RATE_SD, Priors
from spikepool.models.spec import ModelSpec


@dataclass(frozen=True)
class HyperpriorFunctions:
    """The priors of a model as functions of its unconstrained coordinates, many points at once.

    Attributes
    ----------
    names : tuple of str
        Of the hyperparameters, as `hyperparameter_names` has them.
    size : int
        Number of coordinates.
    start : ndarray, shape (size,)
        A point that the priors allow.
    coordinates : dict of str to callable
        For every variable of the model, in the order of the coordinates: from its value to its
        coordinate.
    """

    names: tuple[str, ...]
    size: int
    start: FloatArray
    coordinates: dict[str, Callable[[float], float]]
    _function: Any

    def at(self, points: FloatArray) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Log prior density, of the coordinates, and the hyperparameters.

        Parameters
        ----------
        points : ndarray, shape (D, size)

        Returns
        -------
        log_prior : ndarray, shape (D,)
        phi : dict of str to ndarray, shape (D,)
        """
        if self.size == 0:
            return np.zeros(len(points)), {}
        log_prior, *values = self._function(points)
        return np.asarray(log_prior), {
            name: np.broadcast_to(value, (len(points),)).astype(np.float64)
            for name, value in zip(self.names, values, strict=True)
        }


def compile_hyperpriors(spec: ModelSpec, priors: Priors) -> HyperpriorFunctions:
    """Turn the priors of the PyMC model into functions; nothing is compiled to machine code."""
    import pymc as pm

    names = hyperparameter_names(spec)
    if not names:
        return HyperpriorFunctions((), 0, np.zeros(0), {}, None)
    with pm.Model() as model:
        placed = place_hyperparameters(spec, priors)
    function, start = of_many_points(model, model.varlogp, [placed[name] for name in names])
    return HyperpriorFunctions(
        names=names,
        size=len(start),
        start=start,
        coordinates={rv.name: _transform(model, rv) for rv in model.free_RVs},
        _function=function,
    )


def levels_of(spec: ModelSpec, priors: Priors) -> tuple[Level, Level | None]:
    """Where each neuron's θ and δ come from; None for the δ of a family without dispersion."""
    return _rate_level(spec, priors), _dispersion_level(spec, priors)


def tuning_of(spec: ModelSpec) -> TuningLevel | None:
    """Where the responses to each condition come from; None where all are alike."""
    if not spec.is_tuned:
        return None
    fixed = None if spec.condition_pooling == "partial" else RATE_SD
    return TuningLevel(fixed, spec.response_sd)


def _rate_level(spec: ModelSpec, priors: Priors) -> Level:
    match spec.pooling:
        case "none":
            return FixedLevel(density_of(priors.theta, of_logarithm=False))
        case "complete":
            return SharedLevel("mu")
        case "partial":
            population = POPULATIONS[spec.population]
            return PooledLevel(population, tuple((n, n) for n in population.hyperparameters))


def _dispersion_level(spec: ModelSpec, priors: Priors) -> Level | None:
    match spec.dispersion_pooling:
        case None:
            return None
        case "none":
            prior = priors.of(family_of(spec).dispersion_name)
            return FixedLevel(density_of(prior, of_logarithm=True))
        case "complete":
            return SharedLevel("delta")
        case "partial":
            names = (("mu", "mu_delta"), ("tau", "tau_delta"))
            return PooledLevel(POPULATIONS["normal"], names)


def _transform(model: Any, rv: Any) -> Any:
    """Return the function from a variable's value to its unconstrained coordinate."""
    import pytensor.tensor as pt

    transform = model.rvs_to_transforms[rv]
    if transform is None:
        return float
    value = pt.scalar(dtype="float64")
    function = interpreted([value], transform.forward(value, *rv.owner.inputs))
    return lambda x: float(function(x))

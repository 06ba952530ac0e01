"""The density of a prior as a function of arrays: PyMC's own, without machine code."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.models.many_points import interpreted
from spikepool.models.priors import Prior

_REACH, _POINTS = 80.0, 8001
_FEWEST_INSIDE = 400
_DEPTH = 21.0


@dataclass(frozen=True)
class PriorDensity:
    """A fixed density of one parameter.

    Attributes
    ----------
    log_density : callable
        From an array of values to their log densities.
    lower, upper : float
        Ends beyond which it is negligible.
    sd : float
    """

    log_density: Callable[[FloatArray], FloatArray]
    lower: float
    upper: float
    sd: float


def density_of(prior: Prior, *, of_logarithm: bool) -> PriorDensity:
    """Return the density of a prior, or of the logarithm of what has that prior.

    Parameters
    ----------
    prior : Prior
    of_logarithm : bool

    Returns
    -------
    PriorDensity
    """
    from pymc.distributions.distribution import support_point

    allowed = float(interpreted([], support_point(prior.distribution()))())
    log_density = log_density_of(prior, of_logarithm=of_logarithm)
    return measure(log_density, np.log(allowed) if of_logarithm else allowed)


def log_density_of(
    prior: Prior, *, of_logarithm: bool = False
) -> Callable[[FloatArray], FloatArray]:
    """Return the log density of a prior, or of the logarithm of what has that prior.

    Parameters
    ----------
    prior : Prior
    of_logarithm : bool, optional

    Returns
    -------
    callable
        From an array to its log densities; −inf outside the prior's range.
    """
    import pymc as pm
    import pytensor.tensor as pt

    x = pt.vector("x", dtype="float64")
    value = pt.exp(x) if of_logarithm else x
    log_density = pm.logp(prior.distribution(), value) + (x if of_logarithm else 0.0)
    function, alone = interpreted([x], log_density), Lock()

    def evaluate(at: FloatArray) -> FloatArray:
        with alone:  # PyTensor's functions keep their inputs between calls
            return np.asarray(function(np.ravel(at))).reshape(np.shape(at))

    return evaluate


def measure(log_density: Callable[[FloatArray], FloatArray], allowed: float) -> PriorDensity:
    """Find where a density is not negligible, and its sd, by zooming in.

    Parameters
    ----------
    log_density : callable
    allowed : float
        A value with a positive density.
    """
    grid = allowed + np.linspace(-_REACH, _REACH, _POINTS)
    while True:
        values = log_density(grid)
        inside = np.flatnonzero(values > values.max() - _DEPTH)
        if len(inside) >= _FEWEST_INSIDE:
            break
        first, last = max(inside[0] - 1, 0), min(inside[-1] + 1, _POINTS - 1)
        grid = np.linspace(grid[first], grid[last], _POINTS)
    mass = np.exp(values - values.max())
    mass /= mass.sum()
    sd = float(np.sqrt(np.sum(mass * (grid - np.sum(mass * grid)) ** 2)))
    return PriorDensity(log_density, float(grid[inside[0]]), float(grid[inside[-1]]), sd)

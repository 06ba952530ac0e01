"""Level 2 of a model as the quadrature sees it: where a neuron's θ or δ comes from, given φ."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, override

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.models.populations import (
    GammaPopulation,
    RatePopulation,
    StudentTPopulation,
)
from spikepool.models.prior_density import PriorDensity

type Hyperparameters = Mapping[str, FloatArray]
"""Values of every hyperparameter by name; arrays of one shape."""

NEGLIGIBLE = 21.0
"""Log density below its maximum at which a tail is cut."""
_STEP = 0.6
_STANDARD = np.arange(-40, 41) * _STEP
_HEAVY = np.arange(-75, 76) * 0.1
_SKEWED = 161
_CONFLICT = 21.0
"""How much farther nodes reach, in log density: a likelihood may favour a tail by as much."""


class Level(ABC):
    """Where one parameter of each neuron comes from.

    Attributes
    ----------
    is_point : bool
        Whether all neurons share one value, so that nothing is integrated.
    """

    is_point = False

    @property
    def steps_per_sd(self) -> float:
        """Steps per sd with which the trapezoid rule integrates the density to about 1e-9."""
        return 1.4

    @property
    def rate_has_moments(self) -> bool:
        """Whether e to the parameter has a mean and a variance."""
        return True

    @abstractmethod
    def log_density(self, x: FloatArray, phi: Hyperparameters) -> FloatArray:
        """Log density of the parameter at `x`; shapes of `x` and of φ broadcast."""

    @property
    @abstractmethod
    def hyperparameters(self) -> tuple[str, ...]:
        """Names in φ of what the parameter depends on."""

    @abstractmethod
    def score(self, x: FloatArray, phi: Hyperparameters) -> dict[str, FloatArray]:
        """Return the derivative of the log density at `x` by each of `hyperparameters`."""

    @abstractmethod
    def width(self, phi: Hyperparameters) -> FloatArray:
        """Sd of the parameter; 0 for a point; the shape of φ."""

    @abstractmethod
    def widened(self, phi: Hyperparameters, least: FloatArray | float) -> Hyperparameters:
        """Return φ with every width below `least` raised to it, about the same centre."""

    @abstractmethod
    def support(self, phi: Hyperparameters) -> tuple[FloatArray, FloatArray]:
        """Return the ends beyond which the density is negligible; the shape of φ."""

    @abstractmethod
    def nodes(self, phi: Hyperparameters) -> tuple[FloatArray, FloatArray]:
        """Return nodes and log weights that integrate smooth functions over the density.

        Parameters
        ----------
        phi : dict of str to ndarray, shape (D,)

        Returns
        -------
        nodes, log_weights : ndarray, shape (D, Q)
        """

    @abstractmethod
    def node_derivatives(self, phi: Hyperparameters) -> dict[str, tuple[FloatArray, FloatArray]]:
        """Return how `nodes` and log weights change with each of `hyperparameters`.

        Returns
        -------
        dict of str to (ndarray, ndarray), shapes (D, Q)
        """


@dataclass(frozen=True)
class PooledLevel(Level):
    """A population whose hyperparameters are estimated: partial pooling.

    Attributes
    ----------
    population : RatePopulation
    names : tuple of (str, str)
        The population's name of each hyperparameter, and its name in φ.
    """

    population: RatePopulation
    names: tuple[tuple[str, str], ...]

    @property
    @override
    def steps_per_sd(self) -> float:
        return self.population.steps_per_sd

    @property
    @override
    def rate_has_moments(self) -> bool:
        return self.population.rate_has_moments

    def _of(self, phi: Hyperparameters) -> dict[str, FloatArray]:
        return {own: phi[name] for own, name in self.names}

    @override
    def log_density(self, x: FloatArray, phi: Hyperparameters) -> FloatArray:
        return self.population.log_density(x, **self._of(phi))

    @property
    @override
    def hyperparameters(self) -> tuple[str, ...]:
        return tuple(name for _, name in self.names)

    @override
    def score(self, x: FloatArray, phi: Hyperparameters) -> dict[str, FloatArray]:
        of = self.population.score(x, **self._of(phi))
        return {name: of[own] for own, name in self.names}

    @override
    def width(self, phi: Hyperparameters) -> FloatArray:
        return self.population.sd(**self._of(phi))

    @override
    def widened(self, phi: Hyperparameters, least: FloatArray | float) -> Hyperparameters:
        of = self.population.widened(least, **self._of(phi))
        return {**phi, **{name: of[own] for own, name in self.names}}

    @override
    def support(self, phi: Hyperparameters) -> tuple[FloatArray, FloatArray]:
        return self.population.support(NEGLIGIBLE, **self._of(phi))

    @override
    def nodes(self, phi: Hyperparameters) -> tuple[FloatArray, FloatArray]:
        of = {own: values[:, np.newaxis] for own, values in self._of(phi).items()}
        if isinstance(self.population, GammaPopulation):  # skewed: a long tail to the left
            lower, upper = self.population.support(NEGLIGIBLE + _CONFLICT, **of)
            x = lower + (upper - lower) * np.linspace(0.0, 1.0, _SKEWED)
            gap = (upper - lower) / (_SKEWED - 1)
            return x, self.population.log_density(x, **of) + np.log(gap)
        scale = self.population.sd(**of)
        heavy = isinstance(self.population, StudentTPopulation)
        z, gaps = (np.sinh(_HEAVY), 0.1 * np.cosh(_HEAVY)) if heavy else (_STANDARD, _STEP)
        x = self.population.centre(**of) + scale * z
        return x, self.population.log_density(x, **of) + np.log(scale * gaps)

    @override
    def node_derivatives(self, phi: Hyperparameters) -> dict[str, tuple[FloatArray, FloatArray]]:
        x, _ = self.nodes(phi)
        nothing = np.zeros_like(x)
        columns = {name: values[:, np.newaxis] for name, values in phi.items()}
        if isinstance(self.population, GammaPopulation):  # as if the nodes stayed where they are
            return {name: (nothing, of) for name, of in self.score(x, columns).items()}
        mu, tau = (columns[name] for name in self.hyperparameters)
        moved = nothing + 1, (x - mu) / tau
        return {name: (by, nothing) for name, by in zip(self.hyperparameters, moved, strict=True)}


@dataclass(frozen=True)
class SharedLevel(Level):
    """One value for all neurons: complete pooling.

    Attributes
    ----------
    name : str
        The hyperparameter that is the value: ``mu`` or ``delta``.
    """

    name: str
    is_point = True

    @property
    @override
    def hyperparameters(self) -> tuple[str, ...]:
        return (self.name,)

    @override
    def log_density(self, x: FloatArray, phi: Hyperparameters) -> FloatArray:
        raise TypeError("a point has no density")

    @override
    def score(self, x: FloatArray, phi: Hyperparameters) -> dict[str, FloatArray]:
        raise TypeError("a point has no density")

    @override
    def width(self, phi: Hyperparameters) -> FloatArray:
        return np.zeros_like(phi[self.name])

    @override
    def widened(self, phi: Hyperparameters, least: FloatArray | float) -> Hyperparameters:
        return phi

    @override
    def support(self, phi: Hyperparameters) -> tuple[FloatArray, FloatArray]:
        return phi[self.name], phi[self.name]

    @override
    def nodes(self, phi: Hyperparameters) -> tuple[FloatArray, FloatArray]:
        raise TypeError("a point is not integrated over")

    @override
    def node_derivatives(self, phi: Hyperparameters) -> dict[str, tuple[FloatArray, FloatArray]]:
        raise TypeError("a point is not integrated over")


@dataclass(frozen=True)
class FixedLevel(Level):
    """A fixed prior of each neuron's own parameter: no pooling.

    Attributes
    ----------
    prior : PriorDensity
    """

    prior: PriorDensity

    @property
    @override
    def hyperparameters(self) -> tuple[str, ...]:
        return ()

    @override
    def log_density(self, x: FloatArray, phi: Hyperparameters) -> FloatArray:
        return self.prior.log_density(x)

    @override
    def score(self, x: FloatArray, phi: Hyperparameters) -> dict[str, FloatArray]:
        return {}

    @override
    def width(self, phi: Hyperparameters) -> FloatArray:
        return np.full(_shape(phi), self.prior.sd)

    @override
    def widened(self, phi: Hyperparameters, least: FloatArray | float) -> Hyperparameters:
        return phi

    @override
    def support(self, phi: Hyperparameters) -> tuple[FloatArray, FloatArray]:
        shape = _shape(phi)
        return np.full(shape, self.prior.lower), np.full(shape, self.prior.upper)

    @override
    def nodes(self, phi: Hyperparameters) -> tuple[FloatArray, FloatArray]:
        x = np.linspace(self.prior.lower, self.prior.upper, _SKEWED)
        weights = self.prior.log_density(x) + np.log(x[1] - x[0])
        shape = (*_shape(phi), _SKEWED)
        return np.broadcast_to(x, shape).copy(), np.broadcast_to(weights, shape).copy()

    @override
    def node_derivatives(self, phi: Hyperparameters) -> dict[str, tuple[FloatArray, FloatArray]]:
        return {}


@dataclass(frozen=True)
class TuningLevel:
    """Where the responses of one neuron come from: N(a, ω²) about the neuron's own log rate.

    Attributes
    ----------
    fixed : float or None
        ω where it is not estimated; None: a hyperparameter.
    name : str
        Of that hyperparameter.
    """

    fixed: float | None = None
    name: str = "tuning_sd"

    def sd(self, phi: Hyperparameters, draws: int) -> FloatArray:
        """ω of D hyperparameters; shape (D,)."""
        return np.full(draws, self.fixed) if self.fixed is not None else phi[self.name]


def _shape(phi: Hyperparameters) -> tuple[int, ...]:
    return next((np.shape(values) for values in phi.values()), (1,))


def take(phi: Hyperparameters, draws: Any) -> dict[str, FloatArray]:
    """Return some of the values of every hyperparameter."""
    return {name: values[draws] for name, values in phi.items()}

"""A posterior as draws, with what the sampler said of itself."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray
from spikepool.models.parametrization import Parametrization
from spikepool.models.spec import ModelSpec
from spikepool.posterior.quadrature import HyperparameterSample, Integrated


@dataclass(frozen=True)
class SamplerStatistics:
    """What the sampler reports of its own run.

    Attributes
    ----------
    divergences : int
        Divergent transitions after tuning, over all chains.
    bfmi : ndarray, shape (chains,)
        Bayesian fraction of missing information of each chain's energy.
    gradient_evaluations : int
        After tuning, over all chains.
    compile_seconds, sampling_seconds : float
        `sampling_seconds` includes tuning.
    """

    divergences: int
    bfmi: FloatArray
    gradient_evaluations: int
    compile_seconds: float
    sampling_seconds: float


@dataclass(frozen=True)
class NeuronDraws:
    """Joint posterior draws of what each neuron has of its own.

    Attributes
    ----------
    spec : ModelSpec
    theta : ndarray, shape (chains, draws, N)
        Log rates.
    delta : ndarray, shape (chains, draws, N), or None
        Log dispersions; None for Poisson.
    response : ndarray, shape (chains, draws, R), or None
        Log rates in every condition, in the order of ``Tally.responses``; None where conditions
        make no difference. `theta` is then the neuron's own log rate, about which they lie.
    """

    spec: ModelSpec
    theta: NDArray[np.floating]
    delta: NDArray[np.floating] | None
    response: NDArray[np.floating] | None = field(default=None, kw_only=True)

    @property
    def flat_theta(self) -> FloatArray:
        """Draws of θ over all chains; shape (chains × draws, N)."""
        return self.theta.reshape(-1, self.theta.shape[-1]).astype(np.float64, copy=False)

    @property
    def flat_delta(self) -> FloatArray | None:
        """Draws of δ over all chains; shape (chains × draws, N); None for Poisson."""
        if self.delta is None:
            return None
        return self.delta.reshape(-1, self.delta.shape[-1]).astype(np.float64, copy=False)

    @property
    def flat_response(self) -> FloatArray | None:
        """Draws of the responses over all chains; shape (chains × draws, R)."""
        if self.response is None:
            return None
        return self.response.reshape(-1, self.response.shape[-1]).astype(np.float64, copy=False)


@dataclass(frozen=True)
class PosteriorDraws(NeuronDraws):
    """Joint posterior draws of one model of one population.

    Attributes
    ----------
    engine : str
    neurons : tuple of str, length N
    population : dict of str to ndarray, shape (chains, draws)
        Hyperparameters by name; empty without any pooling. Of groups in one joint model each by
        its group, ``mu[V1]``.
    parametrization : Parametrization or None
        How far each neuron's parameters were centred; None where none was sampled.
    sampler : SamplerStatistics or None
        None where draws are independent.
    condition_effect : ndarray, shape (chains, draws, conditions), or None
        What each condition adds to the log rates of all neurons.
    conditions : tuple of str
        Of those effects.
    response_labels : tuple of (str, str), length R
        Neuron and condition of every response.
    """

    engine: str
    neurons: tuple[str, ...]
    population: dict[str, NDArray[np.float64]]
    parametrization: Parametrization | None = None
    sampler: SamplerStatistics | None = None
    condition_effect: NDArray[np.float64] | None = None
    conditions: tuple[str, ...] = ()
    response_labels: tuple[tuple[str, str], ...] = ()

    def flat(self, name: str) -> FloatArray:
        """Draws of a hyperparameter over all chains; shape (chains × draws,)."""
        return self.population[name].reshape(-1)


@dataclass(frozen=True)
class Posterior:
    """What an engine returns.

    Attributes
    ----------
    draws : PosteriorDraws
    quadrature : Integrated or None
        Of the collapsed engine: a `Quadrature` of one population, a `JoinedQuadrature` of groups
        that labels within them join.
    notes : tuple of str
        What the engine had to do beyond its plan, and why.
    """

    draws: PosteriorDraws
    quadrature: Integrated | None = None
    notes: tuple[str, ...] = ()

    @property
    def hyperparameters(self) -> HyperparameterSample:
        """The hyperparameters as a sample: the engine's weighted one, else all draws alike."""
        if self.quadrature is not None:
            return self.quadrature.hyperparameters
        values = {name: self.draws.flat(name) for name in self.draws.population}
        size = self.draws.theta.shape[0] * self.draws.theta.shape[1]
        return HyperparameterSample(values, np.full(size, 1 / size), float("nan"))

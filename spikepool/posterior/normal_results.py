"""What is reported of the posterior of a model of estimates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import SamplerStatistics
from spikepool.posterior.mixing import ParameterDiagnostics
from spikepool.posterior.results import PopulationParameter, Summary


@dataclass(frozen=True)
class ImportanceSample:
    """How good the importance sample of the hyperparameters is.

    Attributes
    ----------
    points : int
    ess : float
        Effective sample size 1/Σw².
    pareto_k : float
        Shape of the tail of the weights; below 0.7 they can be used.
    """

    points: int
    ess: float
    pareto_k: float


@dataclass(frozen=True)
class NormalPosterior:
    """One model's posterior, in the unit of the estimates.

    Attributes
    ----------
    spec : ModelSpec
    engine : {'collapsed', 'nuts'}
    theta : Summary
        Of every θ_i.
    own_weight : Summary
        κ_i = τ²/(τ² + σ_i²).
    realised_weight, mse_ratio : ndarray, shape (N,)
        1 − E Var(θ_i | x, φ)/Var(θ_i | φ) and E Var(θ_i | x, φ)/σ_i².
    mcse : ndarray, shape (N,)
        Monte Carlo standard error of the mean of θ_i.
    population : tuple of PopulationParameter
    hyperparameters : dict of str to ndarray, shape (chains, draws)
        Draws, equally weighted.
    draws : ndarray, shape (chains, draws, N), or None
        Of every θ_i, where they were asked for.
    importance : ImportanceSample or None
        Of the collapsed engine; None where nothing had to be sampled.
    mixing : tuple of ParameterDiagnostics
        Of NUTS.
    sampler : SamplerStatistics or None
        Of NUTS.
    seconds : float
    """

    spec: ModelSpec
    engine: str
    theta: Summary
    own_weight: Summary
    realised_weight: FloatArray
    mse_ratio: FloatArray
    mcse: FloatArray
    population: tuple[PopulationParameter, ...]
    hyperparameters: dict[str, NDArray[np.float64]]
    draws: NDArray[np.float32] | None
    importance: ImportanceSample | None
    mixing: tuple[ParameterDiagnostics, ...]
    sampler: SamplerStatistics | None
    seconds: float

"""Everything a run of counts found out: what tables, pictures and the terminal are made from."""

from dataclasses import dataclass
from typing import override

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import Source, SpikeCounts
from spikepool.data.tally import Tally
from spikepool.diagnostics.comparison import ModelScore
from spikepool.diagnostics.convergence import Convergence
from spikepool.diagnostics.cross_check import CrossCheck
from spikepool.diagnostics.overdispersion import Overdispersion
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import PosteriorDraws
from spikepool.posterior.quadrature import LeaveOut
from spikepool.posterior.results import NeuronEstimates, PopulationParameter, PredictiveCheck
from spikepool.report.results import Results


@dataclass(frozen=True)
class FittedModel:
    """One model's results.

    Attributes
    ----------
    spec : ModelSpec
    engine : str
    estimates : NeuronEstimates
    population : tuple of PopulationParameter
        Hyperparameters, and the same in words (``typical_rate`` ...); empty without pooling.
    hyperparameters : dict of str to ndarray, shape (chains, draws)
        Draws of the hyperparameters.
    convergence : Convergence
    seconds : float
        Wall-clock time of the fit.
    draws : PosteriorDraws or None
        All draws, where they are still needed.
    leave_out : LeaveOut or None
        Predictive densities of left-out trials and neurons; None of the engine ``nuts``.
    cross_check : CrossCheck or None
        Against the other engine, where that was asked for.
    """

    spec: ModelSpec
    engine: str
    estimates: NeuronEstimates
    population: tuple[PopulationParameter, ...]
    hyperparameters: dict[str, NDArray[np.float64]]
    convergence: Convergence
    seconds: float
    draws: PosteriorDraws | None
    leave_out: LeaveOut | None = None
    cross_check: CrossCheck | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """Each check that failed, in words."""
        return self.convergence.problems


@dataclass(frozen=True)
class RunResults(Results[FittedModel]):
    """The whole run.

    Attributes
    ----------
    counts : SpikeCounts
    tally : Tally
    priors : Priors
    overdispersion : Overdispersion
    predictive : PredictiveCheck or None
        Of the primary model, where it is to be drawn.
    scores : tuple of ModelScore
        Of the models that have left-out densities.
    """

    counts: SpikeCounts
    tally: Tally
    priors: Priors
    overdispersion: Overdispersion
    predictive: PredictiveCheck | None
    scores: tuple[ModelScore, ...]

    @property
    @override
    def sources(self) -> tuple[Source, ...]:
        return self.counts.sources

"""Everything a run of counts found out: what tables, pictures and the terminal are made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import override

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import Source, SpikeCounts
from spikepool.data.tally import Tally
from spikepool.data.wording import listed
from spikepool.diagnostics.company import Sessions
from spikepool.diagnostics.comparison import ModelScore
from spikepool.diagnostics.convergence import Convergence
from spikepool.diagnostics.cross_check import CrossCheck
from spikepool.diagnostics.dispersion_share import DispersionShare
from spikepool.diagnostics.drift import Drift
from spikepool.diagnostics.exchangeability import ExchangeabilityTest
from spikepool.diagnostics.holdout import HoldoutScore
from spikepool.diagnostics.law import LawOfGroup
from spikepool.diagnostics.mean_matching import MatchedPair
from spikepool.diagnostics.overdispersion import Overdispersion
from spikepool.models.identifiability.finding import Finding
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import NeuronDraws
from spikepool.posterior.quadrature import HyperparameterSample, LeaveOut
from spikepool.posterior.results import (
    Contrast,
    EvokedRates,
    NeuronEstimates,
    PopulationParameter,
    PredictiveCheck,
)
from spikepool.report.results import Results


@dataclass(frozen=True)
class GroupFit:
    """What is known of one group under one model, beyond its neurons.

    Attributes
    ----------
    group : str
        Its name; ``all`` where the whole table is one population.
    neurons : tuple of str
        In the order of its certificate.
    hyperparameters : dict of str to ndarray, shape (chains, draws)
        Draws of the hyperparameters.
    sample : HyperparameterSample
        All that is known of them: the engine's weighted sample, else the draws.
    convergence : Convergence
    condition_effect : ndarray, shape (chains, draws, conditions), or None
        Draws of what each condition adds to all neurons' log rates.
    conditions : tuple of str
        Of those effects.
    """

    group: str
    neurons: tuple[str, ...]
    hyperparameters: dict[str, NDArray[np.float64]]
    sample: HyperparameterSample
    convergence: Convergence
    condition_effect: NDArray[np.float64] | None = None
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True)
class BaselineFit:
    """The same model of the trials without a stimulus, and the responses against it.

    Attributes
    ----------
    spec : ModelSpec
        Without conditions.
    engine : str
    population : tuple of PopulationParameter
        Group by group, as of the stimuli.
    groups : tuple of GroupFit
        At least one.
    evoked : EvokedRates
    neurons : tuple of str
        Those that have such trials.
    draws : NeuronDraws or None
        Of these neurons, where they are still needed.
    """

    spec: ModelSpec
    engine: str
    population: tuple[PopulationParameter, ...]
    groups: tuple[GroupFit, ...]
    evoked: EvokedRates
    neurons: tuple[str, ...]
    draws: NeuronDraws | None

    @property
    def problems(self) -> tuple[str, ...]:
        """Each check that failed, in words, with its group where there are several."""
        return tuple(f"baseline: {problem}" for problem in _problems(self.groups))


@dataclass(frozen=True)
class FittedModel:
    """One model's results.

    Attributes
    ----------
    spec : ModelSpec
    engine : str
    estimates : NeuronEstimates
    population : tuple of PopulationParameter
        Hyperparameters, and the same in words (``typical_rate`` ...), group by group; empty
        without pooling.
    groups : tuple of GroupFit
        At least one.
    contrasts : tuple of Contrast
        Between groups.
    seconds : float
        Wall-clock time of the fit.
    draws : NeuronDraws or None
        All draws, where they are still needed.
    leave_out : LeaveOut or None
        Predictive densities of left-out trials and neurons; None where they are not known.
    cross_check : CrossCheck or None
        Against the other engine, where that was asked for.
    joint : GroupFit or None
        All groups as they were fitted, where labels within them join them in one model.
    within : tuple of PopulationParameter
        What those labels add, and how far it differs.
    baseline : BaselineFit or None
        Of the trials without a stimulus, where there are any.
    """

    spec: ModelSpec
    engine: str
    estimates: NeuronEstimates
    population: tuple[PopulationParameter, ...]
    groups: tuple[GroupFit, ...]
    contrasts: tuple[Contrast, ...]
    seconds: float
    draws: NeuronDraws | None
    leave_out: LeaveOut | None = None
    cross_check: CrossCheck | None = None
    joint: GroupFit | None = None
    within: tuple[PopulationParameter, ...] = ()
    baseline: BaselineFit | None = None

    @property
    def computations(self) -> tuple[GroupFit, ...]:
        """What was computed in one go: every group alone, or all of them."""
        return self.groups if self.joint is None else (self.joint,)

    @property
    def problems(self) -> tuple[str, ...]:
        """Each check that failed, in words, with its group where there are several."""
        of_baseline = self.baseline.problems if self.baseline else ()
        return (*_problems(self.computations), *of_baseline)


def _problems(computations: Sequence[GroupFit]) -> tuple[str, ...]:
    """Each check that failed, with its group where there are several."""
    several = len(computations) > 1
    return tuple(
        f"{listed([each.group])}: {problem}" if several else problem
        for each in computations
        for problem in each.convergence.problems
    )


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
        Of the primary model, where it was asked for.
    scores : tuple of ModelScore
        Of the models that have left-out densities.
    laws : tuple of LawOfGroup
        How variance grows with the mean, where all families of counts were fitted.
    holdout : tuple of HoldoutScore
        How the models predict trials that they were not fitted to, where that was asked for.
    shares : tuple of DispersionShare
        What labels that no model uses explain of the dispersion.
    drift : Drift
        What the order of trials says.
    sessions : Sessions or None
        What neurons recorded together share; None where sessions are not known.
    matched : tuple of MatchedPair
        Fano factors of groups, of conditions, and of stimuli and baseline at matched mean counts.
    exchangeability : tuple of ExchangeabilityTest
        Of labels that are constant within neurons.
    findings : tuple of Finding
        What the design cannot tell.
    """

    counts: SpikeCounts
    tally: Tally
    priors: Priors
    overdispersion: Overdispersion
    predictive: PredictiveCheck | None
    scores: tuple[ModelScore, ...]
    laws: tuple[LawOfGroup, ...]
    holdout: tuple[HoldoutScore, ...]
    shares: tuple[DispersionShare, ...]
    drift: Drift
    sessions: Sessions | None
    matched: tuple[MatchedPair, ...]
    exchangeability: tuple[ExchangeabilityTest, ...]
    findings: tuple[Finding, ...] = ()

    @property
    @override
    def sources(self) -> tuple[Source, ...]:
        return self.counts.sources

"""A run under several priors of τ: one fit, new weights for the others, refits where they fail."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikepool.config import EngineOptions, ModelOptions, RunConfig
from spikepool.data.read import read_counts
from spikepool.data.spike_counts import FloatArray, Notice, SpikeCounts
from spikepool.data.tally import Tally, tally_counts
from spikepool.diagnostics.power_scaling import PowerScaling, scale_powers
from spikepool.diagnostics.prior_sensitivity import (
    DrawnLogRates,
    LogRates,
    Method,
    Sensitivity,
    UnderPrior,
    covers,
    reason_to_refit,
    refitted_log_rates,
    reweighted,
    reweighted_log_rates,
)
from spikepool.engines.dispatch import compute_posterior
from spikepool.engines.seeds import model_seed
from spikepool.errors import UsageError
from spikepool.models.kind import reads_estimates
from spikepool.models.plan import ModelPlan, plan_models, refuse_collapsed
from spikepool.models.prior_density import log_density_of
from spikepool.models.priors import Prior
from spikepool.models.spec import ModelSpec
from spikepool.models.tau_priors import TauPrior
from spikepool.posterior.draws import Posterior
from spikepool.posterior.groups import Part, parts_of
from spikepool.posterior.population import reported_hyperparameters, summarise_sample
from spikepool.posterior.quadrature import HyperparameterSample, Quadrature
from spikepool.posterior.summaries import log_rates
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Progress
from spikepool.runs.part_fits import FitSettings, seeded

JOINT_DRAWS, LEAST_JOINT_DRAWS = 4000, 1000
"""Draws of all neurons that are given new weights; fewer of large tables."""
_MOST_VALUES = 20_000_000
_POWER_SCALING = 3


@dataclass(frozen=True)
class SensitivityPlan:
    """A table and the model that is tried under several priors.

    Attributes
    ----------
    config : RunConfig
    table : SpikeCounts
    tally : Tally
    models : ModelPlan
    tried : tuple of TauPrior
        Other than that of the fit.
    """

    config: RunConfig
    table: SpikeCounts
    tally: Tally
    models: ModelPlan
    tried: tuple[TauPrior, ...]

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Of reading and of planning."""
        return (*self.table.notices, *self.models.notices)


def plan_sensitivity(config: RunConfig, priors: Sequence[TauPrior]) -> SensitivityPlan:
    """Read the table and choose the model.

    Parameters
    ----------
    config : RunConfig
        NB2 with partial pooling, where it names no family and no pooling.
    priors : sequence of TauPrior

    Returns
    -------
    SensitivityPlan

    Raises
    ------
    UsageError
        If the model has no τ, or is none of counts by quadrature, or no other prior is named.
    """
    _refuse(config)
    engine = config.engine.model_copy(update={"engine": "collapsed"})
    config = config.model_copy(update={"model": _narrowed(config.model), "engine": engine})
    counts = read_counts(config.input)
    tally = tally_counts(counts)
    models = plan_models(config.model, tally)
    _refuse_model(models.primary)
    refuse_collapsed(engine, models.primary)
    tried = tuple(each for each in priors if each.prior != models.priors.tau)
    if not tried:
        raise UsageError(
            f"--tau-prior: {models.priors.tau} is the prior of the fit already",
            "name another one, or leave --tau-prior out",
        )
    return SensitivityPlan(config, counts, tally, models, tried)


def run_sensitivity(plan: SensitivityPlan, progress: Progress) -> Sensitivity:
    """Fit the model, and see what it says under the other priors.

    Parameters
    ----------
    plan : SensitivityPlan
    progress : Progress

    Returns
    -------
    Sensitivity
    """
    spec = plan.models.primary
    groups = [_Group(plan, part, progress) for part in parts_of(spec, plan.tally)]
    first = tuple(group.as_fitted() for group in groups)
    others = tuple(group.under(prior) for prior in plan.tried for group in groups)
    scaled = {group.part.name: group.power_scaling() for group in groups}
    return Sensitivity(spec, (*first, *others), scaled)


def _narrowed(options: ModelOptions) -> ModelOptions:
    """Plan one model only, NB2 partial, where nothing else was asked for."""
    if options.primary is not None:
        return options
    family, pooling = options.family or ("nb2",), options.pooling or ("partial",)
    return options.model_copy(update={"family": family, "pooling": pooling})


def _refuse(config: RunConfig) -> None:
    if reads_estimates(config):
        raise UsageError(
            "sensitivity is of spike counts, not of estimates with standard errors",
            "fit the estimates once with each prior: fit --prior 'tau=half-normal(1)'",
        )
    if config.engine.engine == "nuts":
        raise UsageError(
            "--engine nuts: sensitivity gives new weights to the draws of the collapsed engine",
            "leave --engine out",
        )


def _refuse_model(spec: ModelSpec) -> None:
    """Refuse a model without a spread τ, or one that joins groups."""
    if spec.pooling != "partial" or spec.population == "gamma":
        raise UsageError(
            f"{spec.label} has no spread τ of log rates, whose prior could matter",
            "give --pooling partial, and a population of log rates (normal or student-t)",
        )
    if spec.within is not None:
        raise UsageError(
            f"{spec.label}: sensitivity cannot yet take groups that labels within them join",
            "leave --within out, or fit once with each prior",
        )


@dataclass(frozen=True)
class _How:
    """How a posterior was computed, as in `UnderPrior`."""

    method: Method
    why: str
    pareto_k: float
    ess: float
    problems: tuple[str, ...] = ()


class _Group:
    """One group's fit, and what new weights make of it."""

    def __init__(self, plan: SensitivityPlan, part: Part, progress: Progress) -> None:
        self.part, self._plan, self._progress = part, plan, progress
        self._spec, self._interval = plan.models.primary, plan.config.report.interval
        self._posterior = self._fitted(plan.models.priors.tau)
        marginals = _quadrature(self._posterior).marginals
        self._drawn = DrawnLogRates(
            log_rates(self._posterior.draws, part.tally),
            self._posterior.draws.flat("tau"),
            marginals.log_rate.mean,
            marginals.log_rate.sd,
        )

    def as_fitted(self) -> UnderPrior:
        """Return the fit itself."""
        prior = TauPrior(self._plan.models.priors.tau, "the prior of the fit")
        sample, still = self._posterior.hyperparameters, np.zeros(self.part.tally.n_neurons)
        how = _How("fitted", "", sample.pareto_k, sample.ess, _problems(self._posterior))
        rates = LogRates(self._drawn.mean, self._drawn.sd, still, still)
        return self._result(prior, how, sample, rates)

    def under(self, tried: TauPrior) -> UnderPrior:
        """Return what the fit says under another prior."""
        sample, drawn = (
            reweighted(each, self._log_ratio(tried.prior, each.values["tau"]))
            for each in (self._posterior.hyperparameters, self._drawn.sample)
        )
        pareto_k = float(np.fmax(sample.pareto_k, drawn.pareto_k))
        ess = min(sample.ess, drawn.ess)
        how = _How("reweighted", reason_to_refit(pareto_k, ess), pareto_k, ess)
        if not covers(self._plan.models.priors.tau, tried.prior):
            how = replace(how, why="the fit's prior ends where this one goes on")
        if how.why:
            return self._refitted(tried, replace(how, method="refitted"))
        moved = reweighted_log_rates(self._drawn, drawn.weights)
        return self._result(tried, how, sample, moved)

    def power_scaling(self) -> tuple[PowerScaling, ...]:
        """Return how far each hyperparameter follows its prior, and the data."""
        seed = model_seed(self._engine.seed, self._spec)
        rng = np.random.default_rng([seed, _POWER_SCALING])
        priors = self._plan.models.priors
        return scale_powers(self._spec, priors, self._posterior.hyperparameters, rng)

    @property
    def _engine(self) -> EngineOptions:
        return seeded(self._plan.config.engine, self.part)

    def _fitted(self, tau: Prior) -> Posterior:
        settings = FitSettings(self._plan.config, replace(self._plan.models.priors, tau=tau))
        self._progress.stage(f"fitting {settings.label(self._spec, self.part)}, τ ~ {tau}")
        values = _MOST_VALUES // self.part.tally.n_neurons
        draws = min(JOINT_DRAWS, max(LEAST_JOINT_DRAWS, values))
        summary = SummaryOptions(self._interval, self._plan.config.report.fano_threshold, draws)
        return compute_posterior(
            self._spec, self.part.tally, settings.priors, self._engine, summary, self._progress
        )

    def _refitted(self, tried: TauPrior, how: _How) -> UnderPrior:
        posterior = self._fitted(tried.prior)
        marginals, before = (_quadrature(each).marginals for each in (posterior, self._posterior))
        error = np.hypot(marginals.log_rate_mcse, before.log_rate_mcse)
        log_rate = marginals.log_rate
        moved = refitted_log_rates(self._drawn, log_rate.mean, log_rate.sd, error)
        how = replace(how, problems=_problems(posterior))
        return self._result(tried, how, posterior.hyperparameters, moved)

    def _log_ratio(self, new: Prior, tau: FloatArray) -> FloatArray:
        """Return ln q(τ)/p(τ)."""
        return log_density_of(new)(tau) - log_density_of(self._plan.models.priors.tau)(tau)

    def _result(
        self, tried: TauPrior, how: _How, sample: HyperparameterSample, rates: LogRates
    ) -> UnderPrior:
        reported = reported_hyperparameters(self._spec, sample.values)
        return UnderPrior(
            prior=tried,
            group=self.part.name,
            method=how.method,
            why=how.why,
            pareto_k=how.pareto_k,
            ess=how.ess,
            parameters=tuple(
                replace(summarise_sample(name, of, sample, self._interval), group=self.part.name)
                for name, of in reported.items()
            ),
            tau=replace(sample, values={"tau": sample.values["tau"]}, log_likelihood=None),
            neurons=self.part.tally.neurons,
            log_rates=rates,
            problems=how.problems,
        )


def _problems(posterior: Posterior) -> tuple[str, ...]:
    return _quadrature(posterior).certificate.problems


def _quadrature(posterior: Posterior) -> Quadrature:
    assert isinstance(posterior.quadrature, Quadrature)  # noqa: S101 - of the collapsed engine
    return posterior.quadrature

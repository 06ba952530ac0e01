"""The fits of a run of spike counts, and the checks of what they say."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from spikepool.config import EngineOptions, RunConfig
from spikepool.data.spike_counts import Notice, SpikeCounts
from spikepool.data.tally import Tally
from spikepool.data.wording import listed
from spikepool.diagnostics.comparison import score_models
from spikepool.diagnostics.convergence import Convergence, check_convergence
from spikepool.diagnostics.cross_check import CrossCheck, compare_engines, worst_of
from spikepool.diagnostics.overdispersion import measure_overdispersion
from spikepool.diagnostics.predictive import check_predictive
from spikepool.engines.dispatch import compute_posterior
from spikepool.engines.seeds import group_seed
from spikepool.models.plan import ModelPlan
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.contrasts import contrast_groups
from spikepool.posterior.draws import Posterior
from spikepool.posterior.groups import (
    WHOLE_TABLE,
    Part,
    merge_draws,
    merge_estimates,
    merge_left_out,
    parts_of,
)
from spikepool.posterior.population import summarise_population
from spikepool.posterior.results import NeuronEstimates, PredictiveCheck
from spikepool.posterior.summaries import summarise_neurons
from spikepool.posterior.summary import SummaryOptions
from spikepool.posterior.within import (
    posteriors_of_groups,
    posteriors_of_pairs,
    summarise_within,
)
from spikepool.progress import Progress
from spikepool.report.run_results import FittedModel, GroupFit, RunResults
from spikepool.runs.interface import RunPlan

type _Plan = RunPlan[SpikeCounts, ModelPlan, RunResults]

MORE_DRAWS = 4
"""How many times the draws a second run takes, where the first mixed too slowly."""
MOST_VALUES = 20_000_000
"""Draws × neurons that a second run may take (160 MB for each parameter)."""
SMALLER_STEPS = 10
"""By how much a second run divides the rejection rate, where the first diverged."""


def fit_models(plan: _Plan, tally: Tally, progress: Progress) -> RunResults:
    """Fit every planned model and check what it says.

    Parameters
    ----------
    plan : RunPlan
    tally : Tally
        Of the plan's table.
    progress : Progress

    Returns
    -------
    RunResults
    """
    config = plan.config
    report, seed = config.report, config.engine.seed
    progress.stage("testing dispersion")
    overdispersion = measure_overdispersion(
        tally, interval=report.interval, ddof=report.fano_ddof, fdr=report.fdr, seed=seed
    )
    notices = list(plan.notices)
    models = tuple(_fitted(spec, plan, tally, notices, progress) for spec in plan.models.specs)
    return RunResults(
        counts=plan.table,
        tally=tally,
        priors=plan.models.priors,
        overdispersion=overdispersion,
        models=models,
        primary=plan.models.primary,
        predictive=_predictive(models, plan, tally, progress),
        scores=score_models(
            [(model.spec, model.leave_out) for model in models], plan.models.primary
        ),
        notices=tuple(notices),
    )


def _predictive(
    models: tuple[FittedModel, ...], plan: _Plan, tally: Tally, progress: Progress
) -> PredictiveCheck | None:
    """Check what the primary model predicts, for the picture."""
    report = plan.config.report
    if not report.plots:
        return None
    primary = next(model for model in models if model.spec == plan.models.primary)
    assert primary.draws is not None  # noqa: S101 - kept by _fitted
    progress.stage("predicting")
    return check_predictive(
        primary.draws,
        tally,
        interval=report.interval,
        ddof=report.fano_ddof,
        seed=plan.config.engine.seed,
    )


@dataclass(frozen=True)
class _PartFit:
    """One model of one group's neurons."""

    part: Part
    posterior: Posterior
    convergence: Convergence
    estimates: NeuronEstimates
    cross_check: CrossCheck | None

    @property
    def engine(self) -> str:
        return self.posterior.draws.engine


def _fitted(
    spec: ModelSpec, plan: _Plan, tally: Tally, notices: list[Notice], progress: Progress
) -> FittedModel:
    """Fit one model; the draws are kept only where they are needed again."""
    interval = plan.config.report.interval
    clock = time.perf_counter()
    parts = parts_of(spec, tally)
    fits = _fitted_parts(spec, parts, plan, notices, progress)
    left_out = [fit.posterior.quadrature.leave_out for fit in fits if fit.posterior.quadrature]
    known = [each for each in left_out if each is not None]
    checks = [fit.cross_check for fit in fits if fit.cross_check is not None]
    joint = fits[0] if spec.within is not None else None
    groups = _groups(fits, tally)
    samples = {name: each.posterior.hyperparameters for name, each in groups.items()}
    keep = spec == plan.models.primary or plan.config.report.posterior == "full"
    return FittedModel(
        spec=spec,
        engine=fits[0].engine,
        estimates=merge_estimates(parts, [fit.estimates for fit in fits]),
        population=tuple(
            parameter
            for name, each in groups.items()
            for parameter in summarise_population(each.posterior, interval, name)
        ),
        groups=tuple(_group_fit(name, each) for name, each in groups.items()),
        contrasts=contrast_groups(spec, samples, interval),
        seconds=time.perf_counter() - clock,
        draws=merge_draws(parts, [fit.posterior.draws for fit in fits]) if keep else None,
        leave_out=merge_left_out(parts, known) if len(known) == len(parts) else None,
        cross_check=worst_of(checks),
        joint=_group_fit(WHOLE_TABLE, joint) if joint else None,
        within=summarise_within(joint.posterior, tally, interval) if joint else (),
    )


def _groups(fits: Sequence[_PartFit], tally: Tally) -> dict[str, _PartFit]:
    """Return the fits by their groups: one each, or one of all that is taken apart."""
    if fits[0].estimates.spec.within is None:
        return {fit.part.name: fit for fit in fits}
    (joint,) = fits
    parts = posteriors_of_groups(joint.posterior, tally)
    return {name: replace(joint, posterior=posterior) for name, posterior in parts.items()}


def _group_fit(name: str, fit: _PartFit) -> GroupFit:
    return GroupFit(
        group=name,
        neurons=fit.posterior.draws.neurons,
        hyperparameters=fit.posterior.draws.population,
        sample=fit.posterior.hyperparameters,
        convergence=fit.convergence,
        condition_effect=fit.posterior.draws.condition_effect,
        conditions=fit.posterior.draws.conditions,
    )


def _fitted_parts(
    spec: ModelSpec,
    parts: Sequence[Part],
    plan: _Plan,
    notices: list[Notice],
    progress: Progress,
) -> list[_PartFit]:
    """Fit a model to each group, to all of them by one engine."""
    fits = [_fitted_part(spec, part, plan, plan.config.engine, notices, progress) for part in parts]
    if len({fit.engine for fit in fits}) == 1:
        return fits
    sampled = plan.config.engine.model_copy(update={"engine": "nuts"})
    text = (
        f"{spec.label}: the other groups were sampled by nuts too, so that all are computed alike"
    )
    notices.append(Notice("engine", text))
    return [
        fit
        if fit.engine == "nuts"
        else _fitted_part(spec, fit.part, plan, sampled, notices, progress)
        for fit in fits
    ]


def _fitted_part(
    spec: ModelSpec,
    part: Part,
    plan: _Plan,
    engine: EngineOptions,
    notices: list[Notice],
    progress: Progress,
) -> _PartFit:
    """Fit a model to one group, or to the whole table, once more where that could mend it."""
    priors, options = plan.models.priors, _summary_options(plan.config)
    label, engine = _label(spec, part), _seeded(engine, part)
    progress.stage(f"fitting {label}")
    posterior = compute_posterior(spec, part.tally, priors, engine, options, progress)
    notices += [Notice("engine", f"{label}: {note}") for note in posterior.notes]
    convergence = check_convergence(posterior)
    again = _second_run(engine, convergence, part.tally.n_neurons)
    if again is not None:
        progress.stage(f"fitting {label} again")
        posterior = compute_posterior(spec, part.tally, priors, again, options, progress)
        notices.append(_note_second_run(label, convergence, again))
        convergence = check_convergence(posterior)
    estimates = _estimates(posterior, part.tally, priors, options)
    return _PartFit(
        part=part,
        posterior=posterior,
        convergence=convergence,
        estimates=estimates,
        cross_check=_cross_checked(estimates, posterior, part, plan, engine, progress),
    )


def _estimates(
    posterior: Posterior, tally: Tally, priors: Priors, options: SummaryOptions
) -> NeuronEstimates:
    """Summarise the neurons, of joined groups against the mean of their own pair."""
    if posterior.draws.spec.within is None:
        return summarise_neurons(posterior, tally, priors, options)
    pairs = list(posteriors_of_pairs(posterior, tally))
    parts = [part for part, _ in pairs]
    return merge_estimates(
        parts, [summarise_neurons(each, part.tally, priors, options) for part, each in pairs]
    )


def _label(spec: ModelSpec, part: Part) -> str:
    return spec.label if part.whole else f"{spec.label}, {listed([part.name])}"


def _seeded(engine: EngineOptions, part: Part) -> EngineOptions:
    """Give a group random numbers of its own; the whole table keeps the run's."""
    if part.whole:
        return engine
    return engine.model_copy(update={"seed": group_seed(engine.seed, part.name)})


def _summary_options(config: RunConfig) -> SummaryOptions:
    """Say how to summarise; draws to store may be more than are averaged otherwise, not fewer."""
    report = config.report
    options = SummaryOptions(report.interval, report.fano_threshold)
    if report.posterior != "full":
        return options
    return replace(options, joint_draws=max(options.joint_draws, config.engine.draws))


def _cross_checked(
    estimates: NeuronEstimates,
    posterior: Posterior,
    part: Part,
    plan: _Plan,
    engine: EngineOptions,
    progress: Progress,
) -> CrossCheck | None:
    """Fit the same model by NUTS, where that was asked for, and compare."""
    if not engine.cross_check or posterior.quadrature is None:
        return None
    progress.stage(f"sampling {_label(estimates.spec, part)} to check it")
    interval = plan.config.report.interval
    sampled = compute_posterior(
        estimates.spec,
        part.tally,
        plan.models.priors,
        engine.model_copy(update={"engine": "nuts"}),
        _summary_options(plan.config),
        progress,
    )
    return compare_engines(estimates, sampled.draws, interval)


def _second_run(
    options: EngineOptions, convergence: Convergence, n_neurons: int
) -> EngineOptions | None:
    """Return the options of a second run that could mend what failed; None where nothing could."""
    if not options.retry or convergence.passed:
        return None
    changes: dict[str, int | float | str] = {}
    if convergence.sampler is None:
        return None
    if convergence.sampler.divergences:
        changes["target_accept"] = 1 - (1 - options.target_accept) / SMALLER_STEPS
    draws = MORE_DRAWS * options.draws
    if convergence.mixes_slowly and draws * options.chains * n_neurons <= MOST_VALUES:
        changes["draws"] = draws
    if not changes:
        return None
    return options.model_copy(update={**changes, "engine": "nuts"})


def _note_second_run(label: str, first: Convergence, again: EngineOptions) -> Notice:
    text = (
        f"{label} was sampled again, with {again.draws:,} draws per chain and target "
        f"acceptance {again.target_accept:.3g}; the first run: {'; '.join(first.problems)}"
    )
    return Notice("sampled-again", text)

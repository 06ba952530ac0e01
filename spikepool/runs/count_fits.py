"""The fits of a run of spike counts, and the checks of what they say."""

import time
from collections.abc import Sequence
from dataclasses import replace

from spikepool.data.spike_counts import Notice, SpikeCounts
from spikepool.data.tally import Tally
from spikepool.diagnostics.company import session_of_neurons
from spikepool.diagnostics.comparison import score_models
from spikepool.diagnostics.cross_check import worst_of
from spikepool.diagnostics.exchangeability import (
    ExchangeabilityTest,
    exchangeability_notices,
    run_exchangeability_tests,
)
from spikepool.diagnostics.law import infer_law
from spikepool.diagnostics.matched_sets import Recorded
from spikepool.diagnostics.mean_matching import MatchedPair, match_means
from spikepool.diagnostics.overdispersion import measure_overdispersion
from spikepool.diagnostics.predictive import check_predictive
from spikepool.models.plan import ModelPlan
from spikepool.models.spec import ModelSpec
from spikepool.posterior.contrasts import contrast_groups
from spikepool.posterior.evoked import DrawnRates
from spikepool.posterior.groups import (
    WHOLE_TABLE,
    merge_draws,
    merge_estimates,
    merge_left_out,
    parts_of,
)
from spikepool.posterior.population import summarise_population
from spikepool.posterior.results import PredictiveCheck
from spikepool.posterior.within import (
    posteriors_of_groups,
    summarise_within,
)
from spikepool.progress import Progress
from spikepool.report.run_results import BaselineFit, FittedModel, RunResults
from spikepool.runs.baseline_fits import fit_baseline
from spikepool.runs.holdout import run_holdouts
from spikepool.runs.interface import RunPlan
from spikepool.runs.left_out import left_out_of
from spikepool.runs.part_fits import FitSettings, PartFit, fit_parts, group_fit
from spikepool.runs.table_checks import TableChecks

type _Plan = RunPlan[SpikeCounts, ModelPlan, RunResults]


def fit_models(plan: _Plan, tally: Tally, checks: TableChecks, progress: Progress) -> RunResults:
    """Fit every planned model and check what it says.

    Parameters
    ----------
    plan : RunPlan
    tally : Tally
        Of the plan's table.
    checks : TableChecks
        Of that table.
    progress : Progress

    Returns
    -------
    RunResults
    """
    config = plan.config
    report, seed = config.report, config.engine.seed
    progress.stage("testing dispersion")
    overdispersion = measure_overdispersion(
        tally,
        interval=report.interval,
        ddof=report.fano_ddof,
        fdr=report.fdr,
        seed=seed,
        cores=config.engine.cores,
    )
    notices = list(plan.notices)
    models = tuple(_fitted(spec, plan, tally, notices, progress) for spec in plan.models.specs)
    tests = _exchangeability(models, plan, tally, progress)
    groups = [column for role, column in plan.table.recognised if role == "group"]
    notices += exchangeability_notices(tests, groups)
    left_out = [(model.spec, model.leave_out) for model in models]
    session = session_of_neurons(plan.table)
    holdout = run_holdouts(plan.models, tally, config, notices, progress)
    return RunResults(
        counts=plan.table,
        tally=tally,
        priors=plan.models.priors,
        overdispersion=overdispersion,
        models=models,
        primary=plan.models.primary,
        predictive=_predictive(models, plan, tally, progress),
        scores=score_models(left_out, plan.models.primary, tally, session),
        holdout=holdout,
        laws=infer_law(left_out, plan.models.primary, tally, session),
        shares=checks.shares,
        drift=checks.drift,
        sessions=checks.sessions,
        matched=_matched(models, plan, tally, progress),
        exchangeability=tests,
        findings=plan.models.findings,
        notices=tuple(notices),
    )


def _exchangeability(
    models: tuple[FittedModel, ...], plan: _Plan, tally: Tally, progress: Progress
) -> tuple[ExchangeabilityTest, ...]:
    """Test the primary model's populations by the labels that it does not use."""
    primary = next(model for model in models if model.spec == plan.models.primary)
    assert primary.draws is not None  # noqa: S101 - kept by _fitted
    within = plan.table.within
    columns = [
        column
        for column in plan.table.neuron_columns
        if within is None or column.name != within.name
    ]
    if columns:
        progress.stage("testing labels")
    return run_exchangeability_tests(primary.draws, tally.group, columns, plan.config.engine.seed)


def _matched(
    models: tuple[FittedModel, ...], plan: _Plan, tally: Tally, progress: Progress
) -> tuple[MatchedPair, ...]:
    """Compare Fano factors at matched mean counts, where there are sets to compare."""
    several = len(tally.groups) > 1 or len(tally.conditions) > 1
    primary = next(model for model in models if model.spec == plan.models.primary)
    assert primary.draws is not None  # noqa: S101 - kept by _fitted
    if not several and primary.baseline is None:
        return ()
    progress.stage("matching mean counts")
    baseline = None
    if primary.baseline is not None and plan.models.baseline is not None:
        assert primary.baseline.draws is not None  # noqa: S101 - kept by _fitted
        baseline = Recorded(plan.models.baseline.tally, primary.baseline.draws)
    return match_means(
        Recorded(tally, primary.draws),
        baseline,
        session_of_neurons(plan.table),
        interval=plan.config.report.interval,
        seed=plan.config.engine.seed,
    )


def _predictive(
    models: tuple[FittedModel, ...], plan: _Plan, tally: Tally, progress: Progress
) -> PredictiveCheck | None:
    """Check what the primary model predicts, where that is to be reported."""
    report = plan.config.report
    if not (bool(report.plots) if report.predictive is None else report.predictive):
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


def _fitted(
    spec: ModelSpec, plan: _Plan, tally: Tally, notices: list[Notice], progress: Progress
) -> FittedModel:
    """Fit one model; the draws are kept only where they are needed again."""
    interval = plan.config.report.interval
    clock = time.perf_counter()
    parts = parts_of(spec, tally)
    settings = FitSettings(plan.config, plan.models.priors)
    fits = fit_parts(spec, parts, settings, notices, progress)
    checks = [fit.cross_check for fit in fits if fit.cross_check is not None]
    joint = fits[0] if spec.within is not None else None
    groups = _groups(fits, tally)
    samples = {name: each.posterior.hyperparameters for name, each in groups.items()}
    estimates = merge_estimates(parts, [fit.estimates for fit in fits])
    draws = merge_draws(parts, [fit.posterior.draws for fit in fits])
    drawn = DrawnRates(draws, tally, estimates)
    keep = spec == plan.models.primary or plan.config.report.posterior == "full"
    return FittedModel(
        spec=spec,
        engine=fits[0].engine,
        estimates=estimates,
        population=tuple(
            parameter
            for name, each in groups.items()
            for parameter in summarise_population(each.posterior, interval, name)
        ),
        groups=tuple(group_fit(name, each) for name, each in groups.items()),
        contrasts=contrast_groups(spec, samples, interval),
        baseline=_baseline(drawn, plan, notices, progress, keep=keep),
        seconds=time.perf_counter() - clock,
        draws=draws if keep else None,
        leave_out=merge_left_out(parts, [left_out_of(fit, settings, progress) for fit in fits]),
        cross_check=worst_of(checks),
        joint=group_fit(WHOLE_TABLE, joint) if joint else None,
        within=summarise_within(joint.posterior, tally, interval) if joint else (),
    )


def _baseline(
    drawn: DrawnRates, plan: _Plan, notices: list[Notice], progress: Progress, *, keep: bool
) -> BaselineFit | None:
    """Fit the same model to what was recorded without a stimulus."""
    planned = plan.models.baseline
    if planned is None:
        return None
    spec, config = drawn.draws.spec, plan.config
    return fit_baseline(drawn, spec, planned, config, notices, progress, keep=keep)


def _groups(fits: Sequence[PartFit], tally: Tally) -> dict[str, PartFit]:
    """Return the fits by their groups: one each, or one of all that is taken apart."""
    if fits[0].estimates.spec.within is None:
        return {fit.part.name: fit for fit in fits}
    (joint,) = fits
    parts = posteriors_of_groups(joint.posterior, tally)
    return {name: replace(joint, posterior=posterior) for name, posterior in parts.items()}

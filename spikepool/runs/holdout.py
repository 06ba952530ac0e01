"""The fits of a hold-out: every model once more without the trials that are kept aside."""

from collections.abc import Iterator

from spikepool.config import ReportOptions, RunConfig
from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.diagnostics.holdout import (
    HoldoutScore,
    Kept,
    Prediction,
    Split,
    predict_aside,
    score_predictions,
    split_trials,
)
from spikepool.models.plan import ModelPlan
from spikepool.models.spec import ModelSpec
from spikepool.posterior.groups import merge_draws, merge_estimates, parts_of
from spikepool.progress import Progress
from spikepool.runs.part_fits import FitSettings, fit_parts


def run_holdouts(
    plan: ModelPlan, tally: Tally, config: RunConfig, notices: list[Notice], progress: Progress
) -> tuple[HoldoutScore, ...]:
    """Fit every model without some trials, and test it on them.

    Parameters
    ----------
    plan : ModelPlan
    tally : Tally
    config : RunConfig
    notices : list of Notice
    progress : Progress

    Returns
    -------
    tuple of HoldoutScore
        Empty unless asked for.
    """
    engine = config.engine.model_copy(update={"cross_check": False})
    alone = config.model_copy(update={"engine": engine})
    scores: list[HoldoutScore] = []
    for kept in _asked(config.report):
        split = split_trials(tally, kept, engine.seed)
        settings = FitSettings(alone, plan.priors, of=f"holdout, {kept}")
        predictions = [_predicted(spec, split, settings, notices, progress) for spec in plan.specs]
        scores += score_predictions(predictions, plan.primary, split)
    return tuple(scores)


def _asked(report: ReportOptions) -> Iterator[Kept]:
    if report.holdout is not None:
        yield Kept(share=report.holdout)
    for trials in report.holdout_keep:
        yield Kept(trials=trials)


def _predicted(
    spec: ModelSpec,
    split: Split,
    settings: FitSettings,
    notices: list[Notice],
    progress: Progress,
) -> Prediction:
    parts = parts_of(spec, split.fitted)
    fits = fit_parts(spec, parts, settings, notices, progress)
    problems = [problem for fit in fits for problem in fit.convergence.problems]
    if problems:
        text = f"{settings.model(spec)} did not converge: {'; '.join(problems)}"
        notices.append(Notice("holdout", text))
    return predict_aside(
        merge_estimates(parts, [fit.estimates for fit in fits]),
        merge_draws(parts, [fit.posterior.draws for fit in fits]),
        split,
        settings.config.engine.seed,
    )

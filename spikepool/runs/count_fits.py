"""The fits of a run of spike counts, and the checks of what they say."""

import time
from dataclasses import replace

from spikepool.config import EngineOptions, RunConfig
from spikepool.data.spike_counts import Notice, SpikeCounts
from spikepool.data.tally import Tally
from spikepool.diagnostics.comparison import score_models
from spikepool.diagnostics.convergence import Convergence, check_convergence
from spikepool.diagnostics.cross_check import CrossCheck, compare_engines
from spikepool.diagnostics.overdispersion import measure_overdispersion
from spikepool.diagnostics.predictive import check_predictive
from spikepool.engines.dispatch import compute_posterior
from spikepool.models.plan import ModelPlan
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import Posterior
from spikepool.posterior.population import summarise_population
from spikepool.posterior.results import NeuronEstimates, PredictiveCheck
from spikepool.posterior.summaries import summarise_neurons
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Progress
from spikepool.report.run_results import FittedModel, RunResults
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


def _fitted(
    spec: ModelSpec, plan: _Plan, tally: Tally, notices: list[Notice], progress: Progress
) -> FittedModel:
    """Fit one model; the draws are kept only where they are needed again."""
    config, priors = plan.config, plan.models.priors
    options = _summary_options(config)
    clock = time.perf_counter()
    progress.stage(f"fitting {spec.label}")
    posterior = compute_posterior(spec, tally, priors, config.engine, options, progress)
    notices += [Notice("engine", f"{spec.label}: {note}") for note in posterior.notes]
    convergence = check_convergence(posterior)
    again = _second_run(config.engine, convergence, tally.n_neurons)
    if again is not None:
        progress.stage(f"fitting {spec.label} again")
        posterior = compute_posterior(spec, tally, priors, again, options, progress)
        notices.append(_note_second_run(convergence, again))
        convergence = check_convergence(posterior)
    estimates = summarise_neurons(posterior, tally, priors, options)
    keep = spec == plan.models.primary or config.report.posterior == "full"
    return FittedModel(
        spec=spec,
        engine=posterior.draws.engine,
        estimates=estimates,
        population=summarise_population(posterior, config.report.interval),
        hyperparameters=posterior.draws.population,
        convergence=convergence,
        seconds=time.perf_counter() - clock,
        draws=posterior.draws if keep else None,
        leave_out=posterior.quadrature.leave_out if posterior.quadrature else None,
        cross_check=_cross_checked(estimates, posterior, plan, tally, progress),
    )


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
    plan: _Plan,
    tally: Tally,
    progress: Progress,
) -> CrossCheck | None:
    """Fit the same model by NUTS, where that was asked for, and compare."""
    if not plan.config.engine.cross_check or posterior.quadrature is None:
        return None
    progress.stage(f"sampling {estimates.spec.label} to check it")
    options = plan.config.engine.model_copy(update={"engine": "nuts"})
    interval = plan.config.report.interval
    sampled = compute_posterior(
        estimates.spec,
        tally,
        plan.models.priors,
        options,
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


def _note_second_run(first: Convergence, again: EngineOptions) -> Notice:
    text = (
        f"{first.spec.label} was sampled again, with {again.draws:,} draws per chain and target "
        f"acceptance {again.target_accept:.3g}; the first run: {'; '.join(first.problems)}"
    )
    return Notice("sampled-again", text)

"""The whole flow on one page: from a table to an output directory."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from spikepool.config import EngineOptions, RunConfig
from spikepool.config_file import config_text
from spikepool.data.read import read_counts
from spikepool.data.spike_counts import Notice, SpikeCounts
from spikepool.data.tally import Tally, tally_counts
from spikepool.diagnostics.comparison import score_models
from spikepool.diagnostics.convergence import Convergence, check_convergence
from spikepool.diagnostics.cross_check import CrossCheck, compare_engines
from spikepool.diagnostics.overdispersion import measure_overdispersion
from spikepool.diagnostics.predictive import check_predictive
from spikepool.engines.dispatch import compute_posterior
from spikepool.models.normal_plan import reads_estimates
from spikepool.models.plan import ModelPlan, plan_models
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import Posterior
from spikepool.posterior.population import summarise_population
from spikepool.posterior.results import NeuronEstimates, PredictiveCheck
from spikepool.posterior.summaries import SummaryOptions, summarise_neurons
from spikepool.progress import Progress, Silent
from spikepool.report.log import log_text
from spikepool.report.manifest import make_manifest
from spikepool.report.pictures import render_pictures
from spikepool.report.posterior_file import render_posteriors
from spikepool.report.run_results import FittedModel, RunResults
from spikepool.report.summary import summarise_data, summarise_run
from spikepool.report.table_files import render_tables
from spikepool.report.tables import make_tables
from spikepool.report.writer import already_done, open_output, write_output

MORE_DRAWS = 4
"""How many times the draws a second run takes, where the first mixed too slowly."""
MOST_VALUES = 20_000_000
"""Draws × neurons that a second run may take (160 MB for each parameter)."""
SMALLER_STEPS = 10
"""By how much a second run divides the rejection rate, where the first diverged."""


@dataclass(frozen=True)
class RunPlan:
    """A table that was read, and the models that would be fitted to it.

    Attributes
    ----------
    config : RunConfig
    counts : SpikeCounts
    tally : Tally
    models : ModelPlan
    """

    config: RunConfig
    counts: SpikeCounts
    tally: Tally
    models: ModelPlan

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Of reading and of planning."""
        return (*self.counts.notices, *self.models.notices)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON: sizes, columns, notices, models and configuration."""
        return {
            "data": summarise_data(self.counts, self.tally),
            "notices": [{"code": each.code, "message": each.message} for each in self.notices],
            "models": [spec.name for spec in self.models.specs],
            "primary": self.models.primary.name,
            "config": self.config.model_dump(mode="json", exclude_none=True),
        }


@dataclass(frozen=True)
class RunOutcome:
    """What a run leaves to say.

    Attributes
    ----------
    folder : Path
    summary : dict
        The content of ``summary.json``, its seconds with those of writing.
    problems : tuple of str
        Failed checks; empty when the run converged.
    was_there : bool
        Whether the results were there already, and nothing was done.
    """

    folder: Path
    summary: dict[str, JsonValue]
    problems: tuple[str, ...]
    was_there: bool = False


def plan_run(config: RunConfig) -> RunPlan:
    """Read the tables and choose the models; nothing is fitted or written."""
    counts = read_counts(config.input)
    tally = tally_counts(counts)
    return RunPlan(config, counts, tally, plan_models(config.model, tally))


def run(config: RunConfig, output: Path, progress: Progress | None = None) -> RunOutcome:
    """Fit the models of `config` and write the output directory.

    Parameters
    ----------
    config : RunConfig
    output : Path
    progress : Progress, optional
        Default: silent.

    Returns
    -------
    RunOutcome

    Raises
    ------
    SpikepoolError
        Of the kind that says what went wrong; nothing is written then.
    """
    progress = progress or Silent()
    if reads_estimates(config):
        from spikepool.normal_pipeline import run_normal

        return run_normal(config, output, progress)
    started, clock = datetime.now(UTC), time.perf_counter()
    target = open_output(output, config.run.if_exists)
    progress.stage("reading")
    plan = plan_run(config)
    if already_done(target, config, plan.counts.sources):
        return _found(output)
    results = fit_models(plan, progress)
    summary = summarise_run(results, config, time.perf_counter() - clock)
    progress.stage("writing")
    write_output(
        target,
        _contents(results, config, summary, started),
        lambda files: make_manifest(
            results, config, started=started, finished=datetime.now(UTC), files=files
        ),
    )
    seconds = round(time.perf_counter() - clock, 3)
    return RunOutcome(output, {**summary, "seconds": seconds}, results.problems)


def fit_models(plan: RunPlan, progress: Progress) -> RunResults:
    """Fit every planned model and check what it says.

    Parameters
    ----------
    plan : RunPlan
    progress : Progress

    Returns
    -------
    RunResults
    """
    config, tally = plan.config, plan.tally
    report, seed = config.report, config.engine.seed
    progress.stage("testing dispersion")
    overdispersion = measure_overdispersion(
        tally, interval=report.interval, ddof=report.fano_ddof, fdr=report.fdr, seed=seed
    )
    notices = list(plan.notices)
    models = tuple(_fitted(spec, plan, notices, progress) for spec in plan.models.specs)
    return RunResults(
        counts=plan.counts,
        tally=tally,
        priors=plan.models.priors,
        overdispersion=overdispersion,
        models=models,
        primary=plan.models.primary,
        predictive=_predictive(models, plan, progress),
        scores=score_models(
            [(model.spec, model.leave_out) for model in models], plan.models.primary
        ),
        notices=tuple(notices),
    )


def _predictive(
    models: tuple[FittedModel, ...], plan: RunPlan, progress: Progress
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
        plan.tally,
        interval=report.interval,
        ddof=report.fano_ddof,
        seed=plan.config.engine.seed,
    )


def _fitted(
    spec: ModelSpec, plan: RunPlan, notices: list[Notice], progress: Progress
) -> FittedModel:
    """Fit one model; the draws are kept only where they are needed again."""
    config, tally, priors = plan.config, plan.tally, plan.models.priors
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
        cross_check=_cross_checked(estimates, posterior, plan, progress),
    )


def _summary_options(config: RunConfig) -> SummaryOptions:
    report = config.report
    if report.posterior == "full":
        return SummaryOptions(report.interval, report.fano_threshold, config.engine.draws)
    return SummaryOptions(report.interval, report.fano_threshold)


def _cross_checked(
    estimates: NeuronEstimates, posterior: Posterior, plan: RunPlan, progress: Progress
) -> CrossCheck | None:
    """Fit the same model by NUTS, where that was asked for, and compare."""
    if not plan.config.engine.cross_check or posterior.quadrature is None:
        return None
    progress.stage(f"sampling {estimates.spec.label} to check it")
    options = plan.config.engine.model_copy(update={"engine": "nuts"})
    interval = plan.config.report.interval
    sampled = compute_posterior(
        estimates.spec,
        plan.tally,
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
    changes: dict[str, int | float] = {}
    if convergence.sampler is None:
        return None
    if convergence.sampler.divergences:
        changes["target_accept"] = 1 - (1 - options.target_accept) / SMALLER_STEPS
    draws = MORE_DRAWS * options.draws
    if convergence.mixes_slowly and draws * options.chains * n_neurons <= MOST_VALUES:
        changes["draws"] = draws
    return options.model_copy(update=changes) if changes else None


def _note_second_run(first: Convergence, again: EngineOptions) -> Notice:
    text = (
        f"{first.spec.label} was sampled again, with {again.draws:,} draws per chain and target "
        f"acceptance {again.target_accept:.3g}; the first run: {'; '.join(first.problems)}"
    )
    return Notice("sampled-again", text)


def _contents(
    results: RunResults, config: RunConfig, summary: dict[str, JsonValue], started: datetime
) -> Iterator[tuple[str, bytes]]:
    """Yield every file of the output directory."""
    report = config.report
    tables = render_tables(make_tables(results), report.tables, csv_safe=report.csv_safe)
    yield from tables.items()
    yield from render_posteriors(results.models, report.posterior)
    if report.plots:
        from spikepool.report.plots.style import PlotStyle

        yield from render_pictures(results, report.interval, report.plots, PlotStyle())
    yield "summary.json", (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode()
    yield "config.toml", config_text(config).encode()
    yield "run.log", log_text(summary, started).encode()


def _found(output: Path) -> RunOutcome:
    """Tell of results that were there."""
    summary = json.loads((output / "summary.json").read_bytes())
    return RunOutcome(output, summary, tuple(summary["problems"]), was_there=True)

"""The flow of a run of estimates on one page: from a table to an output directory."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spikepool.config import RunConfig
from spikepool.config_file import config_text
from spikepool.data.estimates import Estimates
from spikepool.data.read_estimates import read_estimates
from spikepool.data.spike_counts import Notice
from spikepool.diagnostics.normal_checks import check_normal
from spikepool.diagnostics.normal_cross_check import compare_normal_engines
from spikepool.engines.normal.closed_form import integrate_normal
from spikepool.engines.normal.request import NormalRequest
from spikepool.engines.normal.sampled import sample_normal
from spikepool.models.normal_plan import NormalPlan, plan_normal_models
from spikepool.models.spec import ModelSpec
from spikepool.pipeline import RunOutcome
from spikepool.posterior.normal_results import NormalPosterior
from spikepool.progress import Progress
from spikepool.report.normal_manifest import make_normal_manifest
from spikepool.report.normal_pictures import render_normal_pictures
from spikepool.report.normal_posterior_file import render_normal_posteriors
from spikepool.report.normal_results import NormalFit, NormalResults
from spikepool.report.normal_summary import (
    Json,
    normal_log_text,
    summarise_estimates,
    summarise_normal_run,
)
from spikepool.report.normal_tables import make_normal_tables
from spikepool.report.table_files import render_tables
from spikepool.report.writer import already_done, open_output, write_output


@dataclass(frozen=True)
class NormalRunPlan:
    """A table of estimates that was read, and the models that would be fitted to it.

    Attributes
    ----------
    config : RunConfig
    estimates : Estimates
    models : NormalPlan
    """

    config: RunConfig
    estimates: Estimates
    models: NormalPlan

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Of reading and of planning."""
        return (*self.estimates.notices, *self.models.notices)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON: sizes, columns, notices, models and configuration."""
        return {
            "data": summarise_estimates(self.estimates),
            "notices": [{"code": each.code, "message": each.message} for each in self.notices],
            "models": [spec.name for spec in self.models.specs],
            "primary": self.models.primary.name,
            "config": self.config.model_dump(mode="json", exclude_none=True),
        }


def plan_normal_run(config: RunConfig) -> NormalRunPlan:
    """Read the tables and choose the models; nothing is fitted or written."""
    estimates = read_estimates(config.input)
    return NormalRunPlan(config, estimates, plan_normal_models(config.model, estimates))


def run_normal(config: RunConfig, output: Path, progress: Progress) -> RunOutcome:
    """Fit the models of `config` to estimates and write the output directory.

    Parameters
    ----------
    config : RunConfig
    output : Path
    progress : Progress

    Returns
    -------
    RunOutcome

    Raises
    ------
    SpikepoolError
        Of the kind that says what went wrong; nothing is written then.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    target = open_output(output, config.run.if_exists)
    progress.stage("reading")
    plan = plan_normal_run(config)
    if already_done(target, config, plan.estimates.sources):
        summary = json.loads((output / "summary.json").read_bytes())
        return RunOutcome(output, summary, tuple(summary["problems"]), was_there=True)
    results = fit_normal_models(plan, progress)
    summary = summarise_normal_run(results, config, time.perf_counter() - clock)
    progress.stage("writing")
    write_output(
        target,
        _contents(results, config, summary, started),
        lambda files: make_normal_manifest(
            results, config, started=started, finished=datetime.now(UTC), files=files
        ),
    )
    seconds = round(time.perf_counter() - clock, 3)
    return RunOutcome(output, {**summary, "seconds": seconds}, results.problems)


def fit_normal_models(plan: NormalRunPlan, progress: Progress) -> NormalResults:
    """Fit every planned model and check what it says."""
    notices = list(plan.notices)
    fits = tuple(_fitted(spec, plan, notices, progress) for spec in plan.models.specs)
    return NormalResults(
        estimates=plan.estimates,
        priors=plan.models.priors,
        fits=fits,
        primary=plan.models.primary,
        notices=tuple(notices),
    )


def _fitted(
    spec: ModelSpec, plan: NormalRunPlan, notices: list[Notice], progress: Progress
) -> NormalFit:
    """Fit one model by closed forms, or by NUTS where that was asked for or has to help."""
    progress.stage(f"fitting {spec.label}")
    engine = plan.config.engine.engine
    if engine != "nuts":
        fit = _integrated(spec, plan)
        if engine != "auto" or not fit.problems:
            return _cross_checked(fit, plan, progress)
        text = f"{spec.label} was sampled with nuts instead: {'; '.join(fit.problems)}"
        notices.append(Notice("engine-changed", text))
    joint = plan.config.report.posterior == "full"
    posterior = _sampled(spec, plan, progress, joint=joint)
    return NormalFit(posterior, check_normal(posterior, plan.estimates.neurons))


def _integrated(spec: ModelSpec, plan: NormalRunPlan) -> NormalFit:
    report, estimates = plan.config.report, plan.estimates
    request = NormalRequest(report.interval, joint=report.posterior == "full")
    posterior = integrate_normal(spec, estimates, plan.models.priors, plan.config.engine, request)
    return NormalFit(posterior, check_normal(posterior, estimates.neurons))


def _sampled(
    spec: ModelSpec, plan: NormalRunPlan, progress: Progress, *, joint: bool
) -> NormalPosterior:
    request = NormalRequest(plan.config.report.interval, joint)
    options, priors = plan.config.engine, plan.models.priors
    return sample_normal(spec, plan.estimates, priors, options, request, progress)


def _cross_checked(fit: NormalFit, plan: NormalRunPlan, progress: Progress) -> NormalFit:
    """Fit the same model by NUTS, where that was asked for, and compare."""
    if not plan.config.engine.cross_check:
        return fit
    progress.stage(f"sampling {fit.spec.label} to check it")
    sampled = _sampled(fit.spec, plan, progress, joint=True)
    neurons, interval = plan.estimates.neurons, plan.config.report.interval
    check = compare_normal_engines(fit.posterior, sampled, neurons, interval)
    return replace(fit, cross_check=check)


def _contents(
    results: NormalResults, config: RunConfig, summary: Json, started: datetime
) -> Iterator[tuple[str, bytes]]:
    """Yield every file of the output directory."""
    report = config.report
    tables = render_tables(make_normal_tables(results), report.tables, csv_safe=report.csv_safe)
    yield from tables.items()
    yield from render_normal_posteriors(results, report.posterior)
    if report.plots:
        yield from render_normal_pictures(results, report.interval, report.plots)
    yield "summary.json", (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode()
    yield "config.toml", config_text(config).encode()
    yield "run.log", normal_log_text(summary, started).encode()

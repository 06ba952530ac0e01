"""The whole flow on one page: from a table to an output directory."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from spikepool.config import RunConfig
from spikepool.config_file import config_text
from spikepool.models.kind import reads_estimates
from spikepool.progress import Progress, Silent
from spikepool.report.manifest import make_manifest
from spikepool.report.pictures import render_pictures
from spikepool.report.posterior_file import render_posteriors
from spikepool.report.summary_parts import Json
from spikepool.report.summary_text import log_text
from spikepool.report.table_files import render_tables
from spikepool.report.writer import already_done, open_output, write_output

if TYPE_CHECKING:
    from spikepool.runs.interface import RunPlan


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


def plan_run(config: RunConfig) -> "RunPlan[Any, Any, Any]":
    """Read the tables and choose the models; nothing is fitted or written.

    Parameters
    ----------
    config : RunConfig

    Returns
    -------
    RunPlan
        Of counts, or of estimates for ``--family normal``.
    """
    if reads_estimates(config):
        from spikepool.runs.estimates import plan_estimates

        return plan_estimates(config)
    from spikepool.runs.counts import plan_counts

    return plan_counts(config)


def check_design(config: RunConfig) -> "RunPlan[Any, Any, Any]":
    """Read the tables and choose the models, whatever the design cannot tell of them.

    Parameters
    ----------
    config : RunConfig

    Returns
    -------
    RunPlan
        With all that was found.
    """
    insisting = config.model.model_copy(update={"allow_unidentified": True})
    return plan_run(config.model_copy(update={"model": insisting}))


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
    started, clock = datetime.now(UTC), time.perf_counter()
    target = open_output(output, config.run.if_exists)
    progress.stage("reading")
    plan = plan_run(config)
    if already_done(target, config, plan.table.sources):
        return _found(output)
    results = plan.fit(progress)
    summary = plan.summarise(results, time.perf_counter() - clock)
    progress.stage("writing")
    write_output(
        target,
        _contents(plan, results, summary, started),
        lambda files: make_manifest(
            results, config, started=started, finished=datetime.now(UTC), files=files
        ),
    )
    seconds = round(time.perf_counter() - clock, 3)
    return RunOutcome(output, {**summary, "seconds": seconds}, results.problems)


def _contents(
    plan: "RunPlan[Any, Any, Any]", results: Any, summary: Json, started: datetime
) -> Iterator[tuple[str, bytes]]:
    """Yield every file of the output directory."""
    report = plan.config.report
    tables = render_tables(plan.tables(results), report.tables, csv_safe=report.csv_safe)
    yield from tables.items()
    yield from render_posteriors(plan.draws(results), report.posterior)
    if report.plots:
        from spikepool.report.plots.style import PlotStyle

        yield from render_pictures(plan.pictures(results), report.plots, PlotStyle())
    yield "summary.json", (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode()
    yield "config.toml", config_text(plan.config).encode()
    yield "run.log", log_text(summary, started).encode()


def _found(output: Path) -> RunOutcome:
    """Tell of results that were there."""
    summary = json.loads((output / "summary.json").read_bytes())
    return RunOutcome(output, summary, tuple(summary["problems"]), was_there=True)

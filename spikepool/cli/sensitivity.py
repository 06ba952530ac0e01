"""`spikepool sensitivity`: a model under several priors of τ."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikepool.cli.console import make_progress
from spikepool.cli.environment import prepare_environment
from spikepool.cli.options import ConfigFile, Debug, Settings, options_from_config
from spikepool.errors import NotConvergedError

if TYPE_CHECKING:
    from spikepool.config import RunConfig
    from spikepool.diagnostics.prior_sensitivity import Sensitivity
    from spikepool.report.summary_parts import Json
    from spikepool.runs.sensitivity import SensitivityPlan


@options_from_config("input", "model", "engine", "report")
def sensitivity_command(
    settings: Settings,
    tau_prior: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="A prior of τ to try, such as 'half-normal(2)'; once for each. [default: eight "
            "that differ in shape and scale]",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Directory for tables, picture and sensitivity.json; earlier ones are replaced.",
        ),
    ] = None,
    config: ConfigFile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was found as JSON on standard output.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    debug: Debug = False,
) -> None:
    """Say how far the answer depends on the prior of τ, the spread of the log rates.

    One model (NB2 partial, unless told) is fitted with its priors. Its draws then get new weights
    for every other prior of τ; where these fail, it is fitted again. Neurons that move by more than
    a tenth of their posterior sd are named. Power-scaling tells for every hyperparameter whether
    prior or data decide.

    Example: spikepool sensitivity counts.csv --exposure duration --tau-prior 'half-normal(0.5)'
    """
    del debug  # read by the error handler
    prepare_environment()
    from spikepool.config_file import read_settings, resolve_config
    from spikepool.models.prior_spec import tau_prior as read_prior
    from spikepool.models.tau_priors import TAU_PRIORS, TauPrior
    from spikepool.report.sensitivity_text import sensitivity_lines
    from spikepool.report.writer import refuse_folder_of_run, write_files
    from spikepool.runs.sensitivity import plan_sensitivity, run_sensitivity

    resolved = resolve_config(read_settings(config) if config else {}, settings)
    if output is not None:
        refuse_folder_of_run(output)
    own = tuple(dict.fromkeys(TauPrior(read_prior(text)) for text in tau_prior or ()))
    plan = plan_sensitivity(resolved, own or TAU_PRIORS)
    progress = make_progress(quiet=quiet)
    try:
        found = run_sensitivity(plan, progress)
    finally:
        progress.close()
    document = _document(plan, found)
    if output is not None:
        write_files(output, _files(plan, found, document, resolved))
    print(json.dumps(document, indent=2) if as_json else "\n".join(sensitivity_lines(document)))
    if found.problems:
        raise NotConvergedError(
            "a fit did not pass its checks", "see the problems in the report, and try fit"
        )


def _document(plan: "SensitivityPlan", found: "Sensitivity") -> "Json":
    from spikepool.report.count_reading import summarise_data
    from spikepool.report.sensitivity import sensitivity_as_json
    from spikepool.report.summary_parts import notices_as_json

    return {
        **sensitivity_as_json(found, plan.config.report.interval),
        "data": summarise_data(plan.table, plan.tally),
        "notices": notices_as_json(plan.notices),
        "seed": plan.config.engine.seed,
    }


def _files(
    plan: "SensitivityPlan", found: "Sensitivity", document: "Json", config: "RunConfig"
) -> Iterator[tuple[str, bytes]]:
    from spikepool.report.sensitivity import make_sensitivity_tables
    from spikepool.report.table_files import render_tables

    tables = make_sensitivity_tables(found, plan.table.rate_unit)
    report = config.report
    yield from render_tables(tables, report.tables, csv_safe=report.csv_safe).items()
    if report.plots:
        yield from _picture(plan, found, config)
    yield "sensitivity.json", (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()


def _picture(
    plan: "SensitivityPlan", found: "Sensitivity", config: "RunConfig"
) -> Iterator[tuple[str, bytes]]:
    from spikepool.report.pictures import Picture, render_pictures
    from spikepool.report.plots.about import About
    from spikepool.report.plots.style import PlotStyle
    from spikepool.report.plots.tau_under_priors import prepare_tau_under_priors

    tally, interval = plan.tally, config.report.interval
    trials = int(tally.n_trials.sum())
    about = About(found.spec.label, tally.n_neurons, trials, tally.rate_unit, interval)
    picture = Picture("tau_under_priors", about, prepare_tau_under_priors(found, interval))
    yield from render_pictures([picture], config.report.plots, PlotStyle())

"""`spikepool prior`: what priors alone say of a neuron."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikepool.cli.environment import prepare_environment
from spikepool.cli.options import ConfigFile, Debug, Settings, options_from_config

if TYPE_CHECKING:
    from spikepool.config import RunConfig
    from spikepool.runs.prior_predictive import PriorRun


@options_from_config("input", "model", "report")
def prior_command(
    settings: Settings,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Trials of a neuron, over all conditions. [default: the table's median, or 20 "
            "in each condition]",
            show_default=False,
        ),
    ] = None,
    typical_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-3,
            max=1e6,
            show_default=False,
            help="Without a table: the typical rate exp(m0), in spikes/s. [default: 10]",
        ),
    ] = None,
    conditions: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=1000,
            metavar="N",
            show_default=False,
            help="Without a table: conditions that a neuron is presented with, as --condition "
            "names a table's. [default: none]",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Directory for the picture and the table; earlier ones are replaced.",
        ),
    ] = None,
    config: ConfigFile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the quantiles as JSON on standard output.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Show what the priors say before any data: a neuron's rate, Fano factor and own weight.

    For every model that a fit would use. With conditions, its tuning strength, too. A table is
    needed only for its typical rate, its trials and their duration.

    Example: spikepool prior --family nb2 --prior 'tau=half-normal(0.5)' --duration 0.5 -o prior
    """  # fmt: skip
    del debug  # read by the error handler
    prepare_environment()
    from spikepool.config_file import read_settings, resolve_config
    from spikepool.report.prior_text import prior_as_json, prior_lines
    from spikepool.report.summary_text import notice_lines
    from spikepool.report.writer import refuse_folder_of_run, write_files
    from spikepool.runs.prior_predictive import AskedPrior, run_prior

    resolved = resolve_config(read_settings(config) if config else {}, settings)
    if output is not None:
        refuse_folder_of_run(output)
    run = run_prior(resolved, AskedPrior(trials, typical_rate, conditions))
    found = prior_as_json(run.predicted, run.priors, run.design, run.rate_unit)
    if output is not None:
        write_files(output, _files(run, resolved))
    if as_json:
        print(json.dumps(found, indent=2, allow_nan=False))
        return
    notices = [{"code": each.code, "message": each.message} for each in run.notices]
    print("\n".join([*notice_lines(notices), *prior_lines(found)]))


def _files(run: "PriorRun", config: "RunConfig") -> Iterator[tuple[str, bytes]]:
    from spikepool.report.arrow_tables import table_of_rows
    from spikepool.report.pictures import Picture, render_pictures
    from spikepool.report.plots.about import AboutPrior
    from spikepool.report.plots.prior_predictive import prepare_prior_predictive
    from spikepool.report.plots.style import PlotStyle
    from spikepool.report.prior_text import PRIOR_PREDICTIVE, prior_rows
    from spikepool.report.table_files import render_tables

    name, report = "prior_predictive", config.report
    rows = table_of_rows(name, PRIOR_PREDICTIVE, list(prior_rows(run.predicted, run.rate_unit)))
    yield from render_tables({name: rows}, report.tables, csv_safe=report.csv_safe).items()
    if not report.plots:
        return
    draws = len(run.predicted[0].rate)
    about = AboutPrior("", run.design, run.rate_unit, draws)
    data = prepare_prior_predictive(run.predicted, run.typical_rate, report.interval)
    yield from render_pictures([Picture(name, about, data)], report.plots, PlotStyle())

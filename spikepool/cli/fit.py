"""`spikepool fit`: from a table to an output directory."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from spikepool.cli.console import make_progress
from spikepool.cli.environment import prepare_environment
from spikepool.cli.options import ConfigFile, Debug, Settings, options_from_config
from spikepool.errors import NotConvergedError


@options_from_config("input", "model", "engine", "report", "run")
def fit_command(
    settings: Settings,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Directory to write; made whole."),
    ] = None,
    config: ConfigFile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and plan; fit and write nothing.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON on standard output.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print errors and the last line only.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print every model, note and timing.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Fit spike counts and write estimates, dispersion tests, diagnostics and plots.

    A long table has a row per neuron and trial (neuron, trial, count and, if known, the time
    counted); a wide one a row per trial and a column per neuron. Poisson and negative-binomial
    (NB2) models are fitted without, with complete and with partial pooling; --family and
    --pooling choose. Rates are per second when exposures are known.

    Example: spikepool fit counts.csv -o results --exposure duration
    """
    del debug  # read by the error handler
    prepare_environment()
    from spikepool.cli.fit_view import required_output, show_outcome, show_plan
    from spikepool.config_file import read_settings, resolve_config
    from spikepool.pipeline import plan_run, run

    resolved = resolve_config(read_settings(config) if config else {}, settings)
    if dry_run:
        plan = plan_run(resolved)
        _print_json(plan.as_json()) if as_json else show_plan(plan, output)
        return
    progress = make_progress(quiet=quiet)
    try:
        outcome = run(resolved, required_output(output), progress)
    finally:
        progress.close()
    if as_json:
        _print_json(outcome.summary)
    else:
        show_outcome(outcome, quiet=quiet, verbose=verbose)
    if outcome.problems and resolved.run.on_nonconvergence == "fail":
        raise NotConvergedError(
            f"not converged; results are written and marked in {outcome.folder}",
            "see the problems above; --on-nonconvergence warn accepts such a run",
        )


def _print_json(document: Any) -> None:
    json.dump(document, sys.stdout, indent=2, ensure_ascii=True, allow_nan=False)
    sys.stdout.write("\n")

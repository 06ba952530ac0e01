"""`spikepool check`: what a design can tell, before any fit."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikepool.cli.environment import prepare_environment
from spikepool.cli.options import ConfigFile, Debug, Settings, options_from_config
from spikepool.errors import NotIdentifiableError

if TYPE_CHECKING:
    import pyarrow as pa


@options_from_config("input", "model")
def check_command(
    settings: Settings,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write what was found, neuron by neuron, as .csv or .parquet.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace that file.")] = False,
    config: ConfigFile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was found as JSON on standard output.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Say what the tables can tell of rates, spreads, dispersions and tuning, and what would help.

    Nothing is fitted. Every rule that speaks has a line: ✗ what cannot be known, ! what is told by
    so little that priors decide, with what would mend it. Ends with 4 where a fit with the same
    options would be refused, else with 0.

    Example: spikepool check counts.csv --family nb2 --condition direction
    """  # fmt: skip
    del debug  # read by the error handler
    prepare_environment()
    from spikepool.config_file import read_settings, resolve_config
    from spikepool.pipeline import check_design
    from spikepool.report.check_text import check_lines
    from spikepool.report.writer import refuse_taken_file, write_file

    resolved = resolve_config(read_settings(config) if config else {}, settings)
    if output is not None:
        refuse_taken_file(output, force=force)
    plan = check_design(resolved)
    found = plan.check_as_json(allowed=resolved.model.allow_unidentified)
    if output is not None:
        write_file(output, _as_file(plan.identifiability(), output))
    print(json.dumps(found, indent=2) if as_json else "\n".join(check_lines(found)))
    if found["status"] == "refused":
        raise NotIdentifiableError(
            "the design cannot tell what was asked", "see what is refused in the report"
        )


def _as_file(table: "pa.Table", path: Path) -> bytes:
    from spikepool.report.table_files import csv_bytes, parquet_bytes

    return csv_bytes(table) if path.suffix == ".csv" else parquet_bytes(table)

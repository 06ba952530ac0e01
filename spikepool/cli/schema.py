"""`spikepool schema`: every column of every table, described."""

import json
from collections.abc import Iterator
from typing import Annotated, Literal

import typer

from spikepool.cli.options import Debug
from spikepool.errors import UsageError


def schema_command(
    table: Annotated[
        str | None,
        typer.Argument(metavar="TABLE", help="One table only: estimates, neurons, population ..."),
    ] = None,
    family: Annotated[
        Literal["normal"] | None,
        typer.Option(help="normal: the tables of a run of estimates, instead of counts."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Describe the columns of the results, with units and formulas.

    Example: spikepool schema overdispersion
    """
    del debug  # read by the error handler
    from dataclasses import asdict

    from spikepool.report.normal_schema import normal_table_schemas
    from spikepool.report.prior_text import PRIOR_PREDICTIVE
    from spikepool.report.schema import FLAGS, POPULATION_FLAGS, table_schemas
    from spikepool.report.sensitivity_schema import SENSITIVITY_SCHEMAS

    schemas = normal_table_schemas()
    if family is None:
        own = {"prior_predictive": PRIOR_PREDICTIVE}
        schemas = {**table_schemas(), **SENSITIVITY_SCHEMAS, **own}
    if table is not None and table not in schemas:
        raise UsageError(f"there is no table {table!r}", f"the tables are {', '.join(schemas)}")
    chosen = {
        name: [asdict(column) for column in columns]
        for name, columns in schemas.items()
        if table in (None, name)
    }
    if as_json:
        flags = FLAGS if family is None else {}
        words = {"flags": flags, "population_flags": POPULATION_FLAGS}
        print(json.dumps({"tables": chosen, **words}, indent=2))
        return
    for line in _lines(chosen):
        print(line)
    if family is None and table in (None, "estimates", "neurons"):
        _print_flags("words in the column flags", FLAGS)
    if table in (None, "population", "contrasts"):
        _print_flags("words in the column flags of populations", POPULATION_FLAGS)


def _print_flags(title: str, flags: dict[str, str]) -> None:
    print(title)
    for flag, meaning in flags.items():
        print(f"  {flag:<24} {meaning}")


def _lines(tables: dict[str, list[dict[str, str]]]) -> Iterator[str]:
    for name, columns in tables.items():
        yield name
        for column in columns:
            unit = f" ({column['unit']})" if column["unit"] else ""
            yield f"  {column['name']:<24} {column['type']}{unit}: {column['description']}"
        yield ""

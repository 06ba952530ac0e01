"""`spikepool schema`: every column of every table, described."""

import json
from collections.abc import Iterator
from typing import Annotated

import typer

from spikepool.errors import UsageError


def schema_command(
    table: Annotated[
        str | None,
        typer.Argument(metavar="TABLE", help="One table only: estimates, neurons, population ..."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Describe the columns of the results, with units and formulas.

    Example: spikepool schema overdispersion
    """
    from dataclasses import asdict

    from spikepool.report.schema import FLAGS, TABLE_NAMES, table_schemas

    if table is not None and table not in TABLE_NAMES:
        raise UsageError(f"there is no table {table!r}", f"the tables are {', '.join(TABLE_NAMES)}")
    chosen = {
        name: [asdict(column) for column in columns]
        for name, columns in table_schemas().items()
        if table in (None, name)
    }
    if as_json:
        print(json.dumps({"tables": chosen, "flags": FLAGS}, indent=2))
        return
    for line in _lines(chosen):
        print(line)
    if table in (None, "estimates", "neurons"):
        print("words in the column flags")
        for flag, meaning in FLAGS.items():
            print(f"  {flag:<24} {meaning}")


def _lines(tables: dict[str, list[dict[str, str]]]) -> Iterator[str]:
    for name, columns in tables.items():
        yield name
        for column in columns:
            unit = f" ({column['unit']})" if column["unit"] else ""
            yield f"  {column['name']:<24} {column['type']}{unit}: {column['description']}"
        yield ""

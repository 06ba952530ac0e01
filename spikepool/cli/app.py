"""The command line: commands, and the one place where errors become exit codes."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from spikepool import __version__
from spikepool.cli.fit import fit_command
from spikepool.cli.model import model_command
from spikepool.cli.plot import plot_command
from spikepool.cli.schema import schema_command
from spikepool.cli.signals import signals_as_errors
from spikepool.cli.simulate import simulate_command
from spikepool.errors import SpikepoolError

BUG = 70
BROKEN_PIPE = 141

app = typer.Typer(
    name="spikepool",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("fit")(fit_command)
app.command("plot")(plot_command)
app.command("model")(model_command)
app.command("simulate")(simulate_command)
app.command("schema")(schema_command)


def _print_version(value: bool) -> None:
    if value:
        print(f"spikepool {__version__}")
        raise typer.Exit


@app.callback()
def _describe(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    """Partial pooling of spike counts: from a table to per-neuron estimates, tests and plots."""


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run_guarded(lambda: app(), debug="--debug" in sys.argv))  # noqa: PLW0108 - app is Any


def run_guarded(command: Callable[[], object], *, debug: bool) -> int:
    """Run a command; return its exit code, with every error told in one message.

    Parameters
    ----------
    command : callable
    debug : bool
        Let the traceback of an error be seen.

    Returns
    -------
    int
    """
    try:
        with signals_as_errors():
            command()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    except SpikepoolError as error:
        if debug:
            raise
        print(f"spikepool: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return BROKEN_PIPE
    except Exception as error:
        if debug:
            raise
        print(
            f"spikepool: a bug: {type(error).__name__}: {error}\n"
            "  → run it again with --debug and report what it prints",
            file=sys.stderr,
        )
        return BUG
    return 0

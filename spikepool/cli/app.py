"""The command line: commands, and the one place where errors become exit codes."""

import contextlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from spikepool import __version__
from spikepool.cli.check import check_command
from spikepool.cli.compare import compare_command
from spikepool.cli.fit import fit_command
from spikepool.cli.model import model_command
from spikepool.cli.plot import plot_command
from spikepool.cli.prior import prior_command
from spikepool.cli.schema import schema_command
from spikepool.cli.sensitivity import sensitivity_command
from spikepool.cli.signals import signals_as_errors
from spikepool.cli.simulate import simulate_command
from spikepool.errors import ReadWriteError, SpikepoolError

BUG = 70
BROKEN_PIPE = 141
STANDARD_OUTPUT = 1

app = typer.Typer(
    name="spikepool",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("fit")(fit_command)
app.command("compare")(compare_command)
app.command("check")(check_command)
app.command("sensitivity")(sensitivity_command)
app.command("plot")(plot_command)
app.command("model")(model_command)
app.command("prior")(prior_command)
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
    code = _prepare_streams() or run_guarded(lambda: app(), debug="--debug" in sys.argv)  # noqa: PLW0108 - app is Any
    if code in (BROKEN_PIPE, ReadWriteError.exit_code):
        # Python's own flush at exit would fail again, and aloud.
        os.dup2(os.open(os.devnull, os.O_WRONLY), STANDARD_OUTPUT)
    sys.exit(code)


def _prepare_streams() -> int:
    """Let every text be printed in any encoding; return an exit code where nothing can be."""
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    if sys.stdout is None:
        print("spikepool: standard output is closed", file=sys.stderr)
        return ReadWriteError.exit_code
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return 0


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
        return _exit_code_of(command)
    except BrokenPipeError:
        return BROKEN_PIPE
    except SpikepoolError as error:
        if debug:
            raise
        return _told(str(error), error.exit_code)
    except OSError as error:
        if debug:
            raise
        return _told(f"reading or writing failed: {error}", ReadWriteError.exit_code)
    except Exception as error:
        if debug:
            raise
        advice = "run it again with --debug and report what it prints"
        return _told(f"a bug: {type(error).__name__}: {error}\n  → {advice}", BUG)


def _exit_code_of(command: Callable[[], object]) -> int:
    """Run a command to its end, which includes that its output is written."""
    try:
        with signals_as_errors():
            command()
        code = 0
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):  # how Typer and Rich answer one
            return BROKEN_PIPE
        code = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    sys.stdout.flush()
    return code


def _told(message: str, code: int) -> int:
    with contextlib.suppress(BrokenPipeError):
        print(f"spikepool: {message}", file=sys.stderr)
    return code

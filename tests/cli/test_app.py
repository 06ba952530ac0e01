"""The one place where errors become exit codes, and what a terminal or a pipe makes of output."""

import os
import subprocess
import sys

import pytest
from typer.main import get_command

from spikepool import __version__, errors
from spikepool.cli.app import app, run_guarded
from spikepool.errors import SpikepoolError

CODES = {
    "UsageError": 2,
    "NotConvergedError": 3,
    "NotIdentifiableError": 4,
    "BadDataError": 65,
    "NoInputError": 66,
    "OutputExistsError": 73,
    "ReadWriteError": 74,
    "StoppedEarlyError": 75,
}
HEAVY = (
    *("pymc", "pytensor", "nutpie", "arviz_base", "arviz_stats", "xarray"),
    *("matplotlib", "numba", "pandas"),
)
"""Libraries that take long to import; pyarrow imports pandas when a table is read."""


def raising(error):
    """Return a command that raises."""

    def command():
        raise error

    return command


def loaded(arguments, names):
    """Run a command in a process of its own; return those of the modules that it imported."""
    code = (
        "import sys\nfrom spikepool.cli.app import main\n"
        f"sys.argv[1:] = {list(arguments)!r}\n"
        "try:\n    main()\n"
        "except SystemExit:\n"
        f"    print('loaded', *(name for name in {sorted(names)!r} if name in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    word, *found = done.stdout.splitlines()[-1].split()
    assert word == "loaded"
    return found


class TestErrors:
    """Every error is one message on standard error and its exit code."""

    @pytest.mark.parametrize(("name", "code"), CODES.items())
    def test_each_has_its_code_and_is_told_with_its_hint(self, name, code, capsys):
        """No traceback."""
        error = getattr(errors, name)("what is wrong", "what to do")
        assert run_guarded(raising(error), debug=False) == code
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err == "spikepool: what is wrong\n  → what to do\n"

    def test_no_error_of_the_tree_is_forgotten_here(self):
        """InterruptedRunError carries its signal's code, and is tested with the signals."""
        every = {each.__name__ for each in SpikepoolError.__subclasses__()}
        assert every == {*CODES, "InterruptedRunError"}

    def test_an_unforeseen_exception_is_a_bug(self, capsys):
        """Exit 70, with its type and the way to report it."""
        assert run_guarded(raising(KeyError("tau")), debug=False) == 70
        told = capsys.readouterr().err
        assert "a bug: KeyError: 'tau'" in told
        assert "--debug" in told
        assert "Traceback" not in told

    @pytest.mark.parametrize("error", [errors.BadDataError("x"), KeyError("x"), OSError(5, "x")])
    def test_debug_lets_the_traceback_through(self, error):
        """Whatever the error."""
        with pytest.raises(type(error)):
            run_guarded(raising(error), debug=True)

    def test_failed_reading_or_writing_is_no_bug(self, capsys):
        """Exit 74, with the system's reason."""
        error = OSError(28, "No space left on device")
        assert run_guarded(raising(error), debug=False) == 74
        assert "No space left on device" in capsys.readouterr().err

    def test_broken_pipe_is_quiet(self, capsys):
        """As a process that SIGPIPE ended: 141."""
        assert run_guarded(raising(BrokenPipeError(32, "Broken pipe")), debug=False) == 141
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize(("given", "code"), [(0, 0), (2, 2), (None, 0), ("text", 1)])
    def test_exits_keep_their_codes(self, given, code):
        """Those of Typer."""
        assert run_guarded(lambda: sys.exit(given), debug=False) == code

    def test_success_is_zero(self):
        """Nothing raised."""
        assert run_guarded(lambda: None, debug=False) == 0


class TestHelp:
    """Quick, and complete."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--help",), ("--version",), ("fit", "--help"), ("simulate", "--help"),
            ("check", "--help"), ("plot", "--help"), ("model", "--help"), ("schema",),
            ("fit", "--nonsense"),
        ],
    )  # fmt: skip
    def test_imports_nothing_heavy(self, arguments):
        """Neither PyMC nor pictures nor data frames."""
        assert loaded(arguments, HEAVY) == []

    @pytest.mark.parametrize(
        "arguments",
        [
            ("fit", "-o", "out"),
            ("fit", "absent.csv", "-o", "out"),
            ("fit", "absent.csv", "-o", "out", "--family", "normal,nb2"),
            ("plot", "absent"),
        ],
        ids=" ".join,
    )
    def test_what_is_refused_is_refused_at_once(self, arguments):
        """Options and missing files, before anything heavy or `scipy.stats` is imported."""
        assert loaded(arguments, (*HEAVY, "scipy.stats")) == []

    @pytest.mark.parametrize(
        ("table", "options"),
        [
            ("neuron,trial,count\na,1,3\na,2,4\nb,1,0\nb,2,1\n", ()),
            ("neuron,estimate,se\na,3,1\nb,4,1\n", ("--family", "normal")),
        ],
        ids=["counts", "estimates"],
    )
    @pytest.mark.parametrize("command", [("fit", "--dry-run"), ("check",)], ids=" ".join)
    def test_reading_and_planning_import_nothing_of_a_fit(self, table, options, command, tmp_path):
        """Of either kind of table."""
        path = tmp_path / "table.csv"
        path.write_text(table, encoding="utf-8")
        heavy = {*HEAVY, "scipy.stats"} - {"pandas"}
        assert loaded((*command, str(path), *options), heavy) == []

    def test_lists_every_command(self, spikepool):
        """Each with its sentence."""
        ended = spikepool("--help")
        assert ended.code == 0
        for name in ("fit", "check", "plot", "model", "simulate", "schema"):
            assert f" {name} " in ended.out

    @pytest.mark.parametrize("name", ["fit", "check", "plot", "model", "simulate", "schema"])
    def test_every_command_has_an_example(self, spikepool, name):
        """A line to copy."""
        ended = spikepool(name, "--help")
        assert ended.code == 0
        assert f"Example: spikepool {name}" in " ".join(ended.out.split())

    def test_version(self, spikepool):
        """One line."""
        assert spikepool("--version").out == f"spikepool {__version__}\n"

    def test_unknown_command_and_option_are_usage_errors(self, spikepool):
        """Exit 2, and what was meant."""
        assert spikepool("fti").code == 2
        ended = spikepool("fit", "--drws", "3")
        assert ended.code == 2
        assert "--draws" in ended.err


class TestStreams:
    """Output that goes nowhere, or to a narrow place."""

    @pytest.mark.parametrize("arguments", ["schema", "fit --help", "schema population --json"])
    def test_reader_that_left_ends_the_command_quietly(self, command, arguments):
        """``spikepool ... | head -1``: 141 and no word."""
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [*command, *arguments.split()], stdout=write, stderr=subprocess.PIPE, check=False
        )
        os.close(write)
        assert (done.returncode, done.stderr) == (141, b"")

    @pytest.mark.parametrize("arguments", ["schema", "schema population"])
    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
    def test_full_disk_is_told(self, command, arguments):
        """Long output and short: 74, and one message."""
        with open("/dev/full", "wb") as full:  # noqa: PTH123
            done = subprocess.run(
                [*command, *arguments.split()], stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert done.returncode == 74
        assert done.stderr.decode().startswith("spikepool: reading or writing failed")
        assert len(done.stderr.splitlines()) == 1

    @pytest.mark.skipif(os.name != "posix", reason="a POSIX shell")
    def test_closed_output_is_told(self, command):
        """``>&-``: 74 before any work."""
        script = 'exec "$@" >&-'
        done = subprocess.run(
            ["sh", "-c", script, "sh", *command, "schema"], capture_output=True, check=False
        )
        assert done.returncode == 74
        assert done.stderr == b"spikepool: standard output is closed\n"

    @pytest.mark.skipif(os.name != "posix", reason="a POSIX shell")
    def test_closed_error_output_does_not_mix_with_results(self, command):
        """``2>&-``: what was for standard error is lost, not printed among the JSON."""
        done = subprocess.run(
            ["sh", "-c", 'exec "$@" 2>&-', "sh", *command, "fit", "absent.csv", "-o", "out"],
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (66, b"")

    def test_narrow_encoding_escapes_what_it_cannot_show(self, process):
        """Greek letters under ASCII are no error."""
        ended = process("schema", "estimates", PYTHONIOENCODING="ascii")
        assert ended.code == 0
        assert r"\u03a3" in ended.out

    @pytest.mark.parametrize(
        "environment", [{"LC_ALL": "C"}, {"COLUMNS": "1"}, {"TERM": "dumb"}, {"NO_COLOR": "1"}]
    )
    def test_help_works_on_any_terminal(self, process, environment):
        """Without escape sequences, since it is none."""
        ended = process("fit", "--help", **environment)
        assert ended.code == 0
        assert "\x1b" not in ended.out


@pytest.mark.parametrize("command", sorted(get_command(app).commands))
def test_every_command_can_show_a_traceback(command):
    """As its errors advise."""
    names = {name for each in get_command(app).commands[command].params for name in each.opts}
    assert "--debug" in names

"""`spikepool fit`: what is printed where, exit codes, and runs that are stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from spikepool import pipeline
from spikepool.pipeline import RunOutcome

WATCHED = (
    "from spikepool.cli import app, console\n"
    "console.SECONDS_BETWEEN_LINES = 0.0\n"  # so that a line tells when sampling has begun
    "app.main()\n"
)


@pytest.fixture
def summary(fit):
    """Return the summary of the small fit."""
    return json.loads((fit.out / "summary.json").read_text(encoding="utf-8"))


@pytest.fixture
def finished(monkeypatch, summary, tmp_path):
    """Let `run` end at once: return a function that says with which problems."""

    def set_outcome(*problems: str) -> Path:
        told = {**summary, "problems": list(problems)}
        if problems:
            told["status"] = "not_converged"
        outcome = RunOutcome(tmp_path / "out", told, problems)
        monkeypatch.setattr(pipeline, "run", lambda *_: outcome)
        return tmp_path / "out"

    return set_outcome


class TestSmallFit:
    """A real one, in a process of its own."""

    def test_ends_well(self, fit):
        """Exit 0, with a table of six neurons."""
        assert fit.ended.code == 0, fit.ended.err
        assert pq.read_table(fit.out / "neurons.parquet").num_rows == 6

    def test_progress_goes_to_standard_error(self, fit):
        """Plain lines, one a stage, since it is no terminal."""
        lines = [line for line in fit.ended.err.splitlines() if "%" not in line]
        assert lines == [
            "reading", "testing dispersion", "fitting Poisson none", "predicting", "writing",
        ]  # fmt: skip

    def test_results_go_to_standard_output(self, fit):
        """The summary, and no escape sequences."""
        lines = fit.ended.out.splitlines()
        assert lines[0] == "read    48 trials · 6 neurons · exposure 0.5 s (duration)"
        assert lines[-1].startswith(f"OK  converged · {fit.out} · ")
        assert any(line.startswith("Poisson none *") for line in lines)
        assert "\x1b" not in fit.ended.out

    def test_skip_finds_it_again(self, fit, spikepool):
        """Exit 0 and one line; as JSON the earlier summary."""
        again = (
            *("fit", fit.table, "-o", fit.out, "--family", "poisson", "--pooling", "none"),
            *("--draws", 800, "--seed", 5, "--if-exists", "skip"),
        )
        ended = spikepool(*again)
        assert ended.code == 0
        assert "complete: nothing was done" in ended.out
        ended = spikepool(*again, "--json")
        assert json.loads(ended.out) == json.loads((fit.out / "summary.json").read_text())

    def test_taken_folder_is_refused(self, fit, spikepool):
        """Exit 73, with the ways out, before anything is read."""
        ended = spikepool("fit", "absent.csv", "-o", fit.out)
        assert ended.code == 73
        assert "--if-exists replace" in ended.err


class TestPrinting:
    """The same run, told in four ways."""

    def test_json_is_all_of_standard_output(self, finished, spikepool, summary):
        """Valid, ASCII, and the summary itself."""
        out = finished()
        ended = spikepool("fit", "x.csv", "-o", out, "--json")
        assert ended.code == 0
        assert json.loads(ended.out) == summary
        assert ended.out.isascii()

    def test_quiet_prints_the_last_line(self, finished, spikepool):
        """And no progress."""
        ended = spikepool("fit", "x.csv", "-o", finished(), "--quiet")
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.startswith("OK  converged · ")
        assert len(ended.out.splitlines()) == 1

    def test_verbose_adds_how_the_computation_went(self, finished, spikepool):
        """Before the last line."""
        out = finished()
        usual = spikepool("fit", "x.csv", "-o", out).out.splitlines()
        verbose = spikepool("fit", "x.csv", "-o", out, "--verbose").out.splitlines()
        assert [line for line in usual if line not in verbose] == []
        assert verbose[-3].startswith("Poisson none: collapsed in ")
        assert verbose[-1] == usual[-1]

    def test_not_converged_is_exit_3_and_told_last(self, finished, spikepool):
        """The problem on standard output, the error on the other, both with advice."""
        ended = spikepool("fit", "x.csv", "-o", finished("NB2 partial: too few draws"))
        assert ended.code == 3
        assert "! NB2 partial: too few draws\nNOT CONVERGED" in ended.out
        assert "results are written and marked" in ended.err
        assert "--on-nonconvergence warn" in ended.err

    @pytest.mark.parametrize("way", [("--json",), ("--quiet",)])
    def test_not_converged_keeps_standard_output_whole(self, finished, spikepool, way):
        """JSON stays JSON, a line a line."""
        ended = spikepool("fit", "x.csv", "-o", finished("a problem"), *way)
        assert ended.code == 3
        if way == ("--json",):
            assert json.loads(ended.out)["status"] == "not_converged"
        else:
            assert ended.out.startswith("NOT CONVERGED")

    def test_not_converged_can_be_accepted(self, finished, spikepool):
        """Exit 0; the text still says it."""
        out = finished("a problem")
        ended = spikepool("fit", "x.csv", "-o", out, "--on-nonconvergence", "warn")
        assert ended.code == 0
        assert "NOT CONVERGED" in ended.out


class TestDryRun:
    """Reads and plans; fits and writes nothing."""

    def test_shows_what_would_be_done(self, fit, spikepool, tmp_path):
        """Sizes, columns, notices, models with the primary one marked, and the folder."""
        ended = spikepool("fit", fit.table, "-o", tmp_path / "out", "--dry-run")
        assert (ended.code, ended.err) == (0, "")
        lines = ended.out.splitlines()
        assert lines[0] == "read    48 trials · 6 neurons · exposure 0.5 s (duration)"
        assert lines[1] == "        columns: neuron = neuron, trial = trial, count = count"
        assert [line for line in lines if line.startswith("fit ")] == [
            "fit     Poisson none", "fit     Poisson complete", "fit     Poisson partial",
            "fit     NB2 none", "fit     NB2 complete", "fit     NB2 partial *",
        ]  # fmt: skip
        assert lines[-1] == f"write   {tmp_path / 'out'}"
        assert "" not in lines
        assert list(tmp_path.iterdir()) == []

    def test_needs_no_output_folder(self, fit, spikepool):
        """And says so."""
        assert spikepool("fit", fit.table, "--dry-run").out.endswith("nowhere: no -o given\n")

    def test_json_holds_the_resolved_configuration(self, fit, spikepool, tmp_path):
        """File, environment and flags together."""
        config = tmp_path / "run.toml"
        config.write_text("[engine]\ndraws = 111\ntune = 222\n[model]\nfamily = 'nb1'\n")
        ended = spikepool(
            "fit", fit.table, "--config", config, "--tune", 333, "--dry-run", "--json"
        )
        plan = json.loads(ended.out)
        assert (plan["config"]["engine"]["draws"], plan["config"]["engine"]["tune"]) == (111, 333)
        assert plan["models"] == ["nb1-none", "nb1-complete", "nb1-partial"]
        assert plan["data"]["neurons"] == 6

    def test_flags_overrule_the_environment_and_that_the_file(self, fit, process, tmp_path):
        """Each where the stronger one is silent."""
        config = tmp_path / "run.toml"
        config.write_text("[engine]\ndraws = 11\ntune = 11\nchains = 11\n")
        ended = process(
            *("fit", fit.table, "--draws", 33, "--dry-run", "--json"),
            SPIKEPOOL_CONFIG=str(config),
            SPIKEPOOL_DRAWS="22",
            SPIKEPOOL_TUNE="22",
        )
        engine = json.loads(ended.out)["config"]["engine"]
        assert (engine["draws"], engine["tune"], engine["chains"]) == (33, 22, 11)

    def test_reads_standard_input(self, fit, process):
        """As `-`, whatever comes through the pipe."""
        text = fit.table.read_text()
        ended = process("fit", "-", "--dry-run", "--json", text=text)
        assert ended.code == 0
        assert json.loads(ended.out)["data"]["trials"] == 48

    def test_a_circle_of_no_conditions_is_an_error(self, spikepool, fit):
        """Exit 2, with the column."""
        ended = spikepool("fit", fit.table, "--circular", "trial", "--dry-run")
        assert ended.code == 2
        assert "--circular names 'trial', which is no column of conditions" in ended.err

    def test_no_plan_is_an_error(self, spikepool, fit):
        """A dry run finds what a run would: exit 4 for partial pooling of one neuron."""
        ended = spikepool(
            "fit", fit.table, "--where", "neuron == 'n1'", "--pooling", "partial", "--dry-run"
        )
        assert ended.code == 4
        assert "one neuron" in ended.err


class TestErrors:
    """Each with its exit code, before any fit."""

    @pytest.mark.parametrize(
        ("options", "code", "told"),
        [
            (["--draws", "abc"], 2, "--draws"),
            (["--draws", "1"], 2, "--draws: found 1"),
            (["--seed", "-1"], 2, "--seed: found -1"),
            (["--seed", str(2**64)], 2, "--seed"),
            (["--seed", "abc"], 2, "--seed"),
            (["--family", "gauss"], 2, "--family: found 'gauss'"),
            (["--family", "poisson", "--dispersion-pooling", "none"], 2, "--dispersion-pooling"),
            (["--primary", "nb1:none"], 2, "--primary"),
            (["--exposure", "duration", "--duration", "1"], 2, "--exposure"),
            (["--config", "absent.toml"], 66, "absent.toml"),
            (["--count", "spikes"], 65, "spikes"),
        ],
    )
    def test_of_options(self, fit, spikepool, tmp_path, options, code, told):
        """Named as they were written."""
        ended = spikepool("fit", fit.table, "-o", tmp_path / "out", *options)
        assert (ended.code, ended.out) == (code, "")
        assert told in ended.err
        assert list(tmp_path.iterdir()) == []

    def test_no_table(self, spikepool, tmp_path):
        """Exit 2, with what may be given."""
        ended = spikepool("fit", "-o", tmp_path / "out")
        assert ended.code == 2
        assert "no table" in ended.err

    def test_no_output_folder(self, spikepool, fit):
        """Exit 2, with the option."""
        ended = spikepool("fit", fit.table)
        assert ended.code == 2
        assert "-o results" in ended.err

    def test_no_such_table(self, spikepool, tmp_path):
        """Exit 66."""
        ended = spikepool("fit", tmp_path / "absent.csv", "-o", tmp_path / "out")
        assert ended.code == 66
        assert "absent.csv" in ended.err

    def test_bad_data_names_line_column_and_value(self, spikepool, tmp_path):
        """Exit 65."""
        table = tmp_path / "bad.csv"
        table.write_text("neuron,trial,count\na,1,3\na,2,-1\n")
        ended = spikepool("fit", table, "-o", tmp_path / "out")
        assert ended.code == 65
        for part in ("bad.csv", "3", "count", "-1"):
            assert part in ended.err

    def test_design_that_cannot_tell(self, spikepool, tmp_path):
        """Exit 4: NB2 of single trials."""
        table = tmp_path / "lone.csv"
        table.write_text("neuron,trial,count\na,1,3\nb,1,1\n")
        ended = spikepool("fit", table, "-o", tmp_path / "out", "--family", "nb2")
        assert ended.code == 4
        assert "--allow-unidentified" in ended.err

    def test_configuration_file_is_named_key_by_key(self, spikepool, fit, tmp_path):
        """Exit 2."""
        config = tmp_path / "run.toml"
        config.write_text("[engine]\ndrws = 400\n")
        ended = spikepool("fit", fit.table, "-o", tmp_path / "out", "--config", config)
        assert ended.code == 2
        assert "'drws' of section [engine]" in ended.err


@pytest.fixture(scope="module")
def many_neurons(tmp_path_factory) -> Path:
    """Return a table of so many neurons that the collapsed engine needs seconds."""
    neurons, trials = 2000, 12
    path = tmp_path_factory.mktemp("many") / "many.csv"
    rng = np.random.default_rng(4)
    rate = np.exp(rng.normal(1.5, 1.0, neurons))[:, np.newaxis]
    counts = rng.poisson(rate * rng.gamma(4, 0.25, (neurons, trials)))
    lines = [f"n{i},{t},{counts[i, t]}" for i in range(neurons) for t in range(trials)]
    path.write_text("\n".join(["neuron,trial,count", *lines, ""]))
    return path


class TestStopped:
    """A signal ends the run with its code and leaves nothing behind."""

    SAMPLED = ("--engine", "nuts", "--pooling", "complete", "--draws", "50000000", "--chains", "2")

    @pytest.mark.parametrize(
        ("number", "code", "phase"),
        [
            (signal.SIGINT, 130, "sampling"),
            (signal.SIGTERM, 143, "compiling"),
            (signal.SIGUSR1, 75, "sampling"),
        ],
    )
    def test_in_any_phase_of_nuts(self, fit, tmp_path, number, code, phase):
        """Sent twice, as an impatient person or batch system does."""
        until = "%" if phase == "sampling" else None
        options = ("--family", "poisson", *self.SAMPLED)
        self.stop(tmp_path, number, code, until, fit.table, *options)

    @pytest.mark.parametrize(
        ("number", "code", "until"),
        [
            (signal.SIGINT, 130, "likelihoods of the neurons"),
            (signal.SIGTERM, 143, "posterior of the hyperparameters"),
        ],
    )
    def test_in_any_phase_of_the_collapsed_engine(
        self, many_neurons, tmp_path, number, code, until
    ):
        """While the neurons are tabulated, and while the hyperparameters are searched for."""
        options = ("--engine", "collapsed", "--family", "nb2", "--pooling", "partial")
        self.stop(tmp_path, number, code, until, many_neurons, *options)

    def stop(self, tmp_path, number, code, until, *arguments):
        """Send a signal when a line of progress holds `until`, or soon after the first stage."""
        process = subprocess.Popen(
            [*(sys.executable, "-c", WATCHED, "fit"), *arguments, "-o", tmp_path / "deep" / "out"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        try:
            told = [next(line for line in process.stderr if line.startswith("fitting"))]
            if until:
                told.append(next(line for line in process.stderr if until in line))
            else:
                time.sleep(0.3)
            process.send_signal(number)
            time.sleep(0.05)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == code, [*told, err]
        assert out == ""
        assert number.name in err
        assert "nothing was written" in err
        assert "Traceback" not in err
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        assert not list((tmp_path / "deep").glob("*"))

    def test_reader_that_left_ends_the_run(self, fit, command, tmp_path):
        """``spikepool fit ... 2>&1 | head -1``: no traceback, nothing half-written."""
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [*command, "fit", fit.table, "-o", tmp_path / "out"],
            stdout=write,
            stderr=write,
            check=False,
        )
        os.close(write)
        assert done.returncode == 141
        assert list(tmp_path.iterdir()) == []


def test_environment_is_prepared_before_the_compilers(process, fit):
    """A run whose home cannot be written to ends as any other."""
    ended = process("fit", fit.table, "--dry-run", HOME="/no/such/home", TZ="Asia/Kathmandu")
    assert ended.code == 0

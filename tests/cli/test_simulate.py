"""`spikepool simulate` writes a table that reads back, its truth, and clear errors."""

import csv
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from spikepool.cli.simulate import simulate_command
from spikepool.config import InputOptions
from spikepool.data.read import read_counts
from spikepool.errors import OutputExistsError, ReadWriteError, UsageError
from spikepool.models.simulate import simulate
from spikepool.models.simulation_settings import Group, SimulationSettings, directions

SAMPLES = Path(__file__).parents[2] / "sample_data"
RICH = shlex.split("--groups V1:6:12,V2:4 --conditions 4 --trials 2-7 --exposure 0.3-0.5 --seed 3")
RICH_SETTINGS = SimulationSettings(
    groups=(Group("V1", 6, 12.0), Group("V2", 4)),
    conditions=directions(4),
    condition_column="direction",
    trials=(2, 7),
    exposure=(0.3, 0.5),
    seed=3,
)


APP = typer.Typer(add_completion=False)
APP.command("simulate")(simulate_command)


def run(*arguments):
    """Run the command; an exception that is no exit is raised."""
    result = CliRunner().invoke(APP, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def rows_of(path):
    """Return the rows of a CSV file as dicts."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_table_reads_back_without_options(tmp_path, suffix):
    """Neurons, trials, counts, exposures and carried areas are those simulated."""
    table = tmp_path / f"made.{suffix}"
    run("-o", table, *RICH)
    made = simulate(RICH_SETTINGS)
    read = read_counts(InputOptions(tables=(str(table),)))
    assert dict(read.recognised) == {
        "neuron": "neuron", "trial": "trial", "count": "count", "exposure": "duration",
    }  # fmt: skip
    assert read.neuron.values == made.neurons
    assert np.array_equal(read.neuron.codes, made.neuron)
    assert np.array_equal(read.count, made.count)
    assert np.array_equal(read.exposure, made.exposure)
    assert [(c.name, c.values) for c in read.neuron_columns] == [
        ("area", ("V1",) * 6 + ("V2",) * 4)
    ]
    assert {notice.code for notice in read.notices} == {"exposure-recognised"}
    assert [label.name for label in read.varying] == ["direction"]


def test_conditions_and_groups_read_back_by_their_options(tmp_path):
    """Directions and areas are those simulated, row by row."""
    run("-o", tmp_path / "made.csv", *RICH)
    made = simulate(RICH_SETTINGS)
    options = InputOptions(
        tables=(str(tmp_path / "made.csv"),), condition=("direction",), group=("area",)
    )
    read = read_counts(options)
    assert [read.condition.values[c] for c in read.condition.codes] == [
        RICH_SETTINGS.conditions[c] for c in made.condition
    ]
    assert [read.group.values[g] for g in read.group.codes] == [
        RICH_SETTINGS.groups[made.group[i]].name for i in made.neuron
    ]


def test_labelled_conditions_are_recognised(tmp_path):
    """Labels stand in a column named condition, which needs no option."""
    run("-o", tmp_path / "made.csv", "--conditions", "go,stop", "--conditions", "wait")
    read = read_counts(InputOptions(tables=(str(tmp_path / "made.csv"),)))
    assert read.condition.values == ("go", "stop", "wait")


def test_without_exposure_rates_are_per_trial(tmp_path):
    """`--exposure none` writes no duration."""
    run("-o", tmp_path / "made.csv", "--exposure", "none", "--neurons", 3)
    read = read_counts(InputOptions(tables=(str(tmp_path / "made.csv"),)))
    assert read.rate_unit == "spikes/trial"
    assert json.loads((tmp_path / "made.truth.json").read_text())["rate_unit"] == "spikes/trial"


def test_no_options_are_the_settings_own_defaults(tmp_path):
    """The command's defaults, and those its help states, are those of SimulationSettings."""
    run("-o", tmp_path / "made.csv")
    written = json.loads((tmp_path / "made.truth.json").read_text())
    default = SimulationSettings()
    assert written["settings"]["exposure"] == list(default.exposure)
    assert np.array_equal(
        [int(row["count"]) for row in rows_of(tmp_path / "made.csv")], simulate(default).count
    )
    (population,) = default.populations
    stated = {
        "neurons": population.neurons,
        "rate-spread": population.tau,
        "gain-sd": population.gain_sd,
        "dispersion-spread": population.tau_delta,
        "excess-fano": SimulationSettings(family="nb1").populations[0].excess_fano,
        "tuning-sd": SimulationSettings(conditions=("a", "b")).populations[0].tuning_sd,
    }
    defaults = {
        option.opts[0].removeprefix("--"): option.show_default
        for option in typer.main.get_command(APP).params
        if isinstance(option.show_default, str)
    }
    for name, value in stated.items():
        assert float(defaults[name]) == value, name


def test_truth_is_that_of_the_table(tmp_path):
    """One row per neuron × direction: rates, dispersions and Fano factors to ten digits."""
    run("-o", tmp_path / "made.csv", *RICH)
    made = simulate(RICH_SETTINGS)
    truth = rows_of(tmp_path / "made.truth.csv")
    assert [row["neuron"] for row in truth] == list(np.repeat(made.neurons, 4))
    assert [row["direction"] for row in truth] == list(directions(4)) * 10
    assert [row["area"] for row in truth] == ["V1"] * 24 + ["V2"] * 16
    column = {
        name: np.array([float(row[name]) for row in truth]).reshape(10, 4)
        for name in ("neuron_log_rate", "log_rate", "rate", "dispersion", "gain_sd", "fano")
    }
    near = {"rtol": 1e-9, "atol": 0}
    assert np.allclose(column["log_rate"], made.log_rate, **near)
    assert np.allclose(column["rate"], np.exp(made.log_rate), **near)
    assert np.allclose(column["neuron_log_rate"], made.neuron_log_rate[:, None], **near)
    assert np.allclose(column["dispersion"], made.dispersion[:, None], **near)
    assert np.allclose(column["gain_sd"], column["dispersion"], **near)
    fano = 1 + column["dispersion"] ** 2 * column["rate"] * made.mean_exposure
    assert np.allclose(column["fano"], fano, **near)


def test_truth_of_the_populations(tmp_path):
    """Population values are stated per group, None where the model has none."""
    run("-o", tmp_path / "made.csv", "--family", "nb1", "--dispersion-pooling", "complete",
        "--excess-fano", 0.8, "--groups", "A:3:2,B:4", "--typical-rate", 6)  # fmt: skip
    truth = json.loads((tmp_path / "made.truth.json").read_text())
    assert truth["model"] == "nb1-partial-complete"
    first, second = truth["populations"]
    assert (first["group"], first["neurons"], first["typical_rate"]) == ("A", 3, 2)
    assert second["mu"] == pytest.approx(np.log(6), rel=1e-9)
    assert first["mu_delta"] == pytest.approx(np.log(0.8) / 2, rel=1e-9)
    assert (first["tau"], first["tau_delta"], first["gain_sd"]) == (1.0, None, None)


def test_poisson_truth_has_no_dispersion(tmp_path):
    """Poisson: dispersion and gain sd 0, Fano factor 1."""
    run("-o", tmp_path / "made.csv", "--family", "poisson", "--neurons", 4)
    for row in rows_of(tmp_path / "made.truth.csv"):
        assert (row["dispersion"], row["gain_sd"], row["fano"]) == ("0", "0", "1")


def test_negbin_is_nb2(tmp_path):
    """The alias writes the same table."""
    one = run("-o", "-", "--family", "negbin", "--neurons", 4).stdout
    assert one == run("-o", "-", "--family", "nb2", "--neurons", 4).stdout


def test_standard_output_has_the_table_and_nothing_else(tmp_path):
    """`-o -` prints the CSV; that there is no truth is said on standard error."""
    result = run("-o", "-", *RICH)
    run("-o", tmp_path / "made.csv", *RICH)
    assert result.stdout.encode() == (tmp_path / "made.csv").read_bytes()
    assert "no truth" in result.stderr
    assert result.stderr.count("\n") == 1


def test_one_line_says_what_was_written(tmp_path):
    """Neurons, trials, model and files are named on standard error."""
    result = run("-o", tmp_path / "made.csv", "--neurons", 3, "--trials", 4)
    assert result.stdout == ""
    assert result.stderr == (
        f"wrote {tmp_path / 'made.csv'}: 3 neurons · 12 trials · NB2 partial; "
        "truth in made.truth.csv, made.truth.json\n"
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_same_command_same_bytes(tmp_path, suffix):
    """All three files are the same again; another seed changes the table."""
    names = [f"made.{suffix}", "made.truth.csv", "made.truth.json"]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for folder in "ab":
        run("-o", tmp_path / folder / names[0], *RICH)
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    run("-o", tmp_path / "b" / names[0], *RICH, "--seed", 4, "--force")
    assert (tmp_path / "a" / names[0]).read_bytes() != (tmp_path / "b" / names[0]).read_bytes()


@pytest.mark.parametrize("taken", ["made.csv", "made.truth.csv", "made.truth.json"])
def test_existing_files_are_kept_unless_forced(tmp_path, taken):
    """Any of the three in the way stops the run (73) before a byte is written."""
    (tmp_path / taken).write_text("mine")
    with pytest.raises(OutputExistsError, match=re.escape(taken)) as error:
        run("-o", tmp_path / "made.csv", "--neurons", 2)
    assert error.value.exit_code == 73
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(taken, "mine")]
    run("-o", tmp_path / "made.csv", "--neurons", 2, "--force")
    assert len(list(tmp_path.iterdir())) == 3
    assert (tmp_path / taken).read_text() != "mine"


def test_a_symlink_is_replaced_not_written_through(tmp_path):
    """The file a link names keeps its content."""
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / "made.csv").symlink_to(target)
    with pytest.raises(OutputExistsError):
        run("-o", tmp_path / "made.csv", "--neurons", 2)
    run("-o", tmp_path / "made.csv", "--neurons", 2, "--force")
    assert target.read_text() == "mine"
    assert not (tmp_path / "made.csv").is_symlink()


def test_folders_in_the_way_and_missing_folders(tmp_path):
    """A folder as output (even forced) and a parent that is not there are refused (73)."""
    (tmp_path / "made.csv").mkdir()
    with pytest.raises(OutputExistsError, match="is a folder"):
        run("-o", tmp_path / "made.csv", "--force")
    with pytest.raises(OutputExistsError, match="no folder"):
        run("-o", tmp_path / "absent" / "made.csv")


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    """A full disk is error 74; old files stay and no temporary file is left."""
    (tmp_path / "made.csv").write_text("mine")
    write = Path.write_bytes

    def full(self, data):
        write(self, data[:10])
        if "json" in self.name:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ReadWriteError, match="No space left") as error:
        run("-o", tmp_path / "made.csv", "--neurons", 2, "--force")
    assert error.value.exit_code == 74
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("made.csv", "mine")]


WRONG = [
    (["--trials", "many"], "--trials"),
    (["--trials", "-5"], "--trials"),
    (["--trials", "2.5"], "--trials"),
    (["--trials", "5-"], "--trials"),
    (["--trials", "9-5"], "--trials"),
    (["--exposure", "-1"], "--exposure"),
    (["--exposure", "0"], "--exposure"),
    (["--exposure", "nan"], "--exposure"),
    (["--exposure", "1e999"], "--exposure"),
    (["--groups", "V1"], "--groups"),
    (["--groups", "V1:x"], "--groups"),
    (["--groups", "V1:3:-2"], "--groups"),
    (["--groups", "V1:3,"], "--groups"),
    (["--groups", "V1:3,V1:4"], "--groups"),
    (["--groups", "V1:3", "--neurons", "4"], "--neurons"),
    (["--groups", "V1:3", "--group-column", "trial"], "--group-column"),
    (["--conditions", "1"], "--conditions"),
    (["--conditions", "one"], "--conditions"),
    (["--conditions", "a,,b"], "--conditions"),
    (["--conditions", "a,b", "--condition-column", "count"], "--condition-column"),
    (["--tuning-sd", "0.5"], "--tuning-sd"),
    (["--neurons", "0"], "--neurons"),
    (["--typical-rate", "0"], "--typical-rate"),
    (["--rate-spread", "-1"], "--rate-spread"),
    (["--gain-sd", "nan"], "--gain-sd"),
    (["--gain-sd", "0.2", "--family", "poisson"], "--gain-sd"),
    (["--excess-fano", "0.2"], "--excess-fano"),
    (["--dispersion-spread", "9"], "--dispersion-spread"),
    (["--dispersion-pooling", "none", "--family", "poisson"], "--dispersion-pooling"),
    (["--seed", "-1"], "--seed"),
    (["--seed", "18446744073709551616"], "--seed"),
]


@pytest.mark.parametrize(
    ("options", "named"), WRONG, ids=[" ".join(options) for options, _ in WRONG]
)
def test_unusable_options_are_named(tmp_path, options, named):
    """Each is a UsageError (2) that names the option; nothing is written."""
    with pytest.raises(UsageError, match=named) as error:
        run("-o", tmp_path / "made.csv", *options)
    assert error.value.exit_code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options",
    [
        ["--family", "normal"],
        ["--pooling", "some"],
        ["--neurons", "x"],
        ["--dispersion-pooling", "x"],
    ],
)
def test_values_of_the_wrong_type_are_usage_errors(tmp_path, options):
    """Typer refuses them itself, with exit code 2."""
    result = run("-o", tmp_path / "made.csv", *options)
    assert result.exit_code == 2
    assert options[0] in result.stderr


@pytest.mark.parametrize("name", ["made.txt", "made", "made.csv.gz"])
def test_only_csv_and_parquet_are_written(tmp_path, name):
    """Another ending is refused by the option's name."""
    with pytest.raises(UsageError, match="--output"):
        run("-o", tmp_path / name)


def test_help_names_an_example_that_runs(tmp_path, monkeypatch):
    """The example in the docstring works as it stands."""
    example = re.search(r"Example: spikepool simulate (.+)", simulate_command.__doc__)
    monkeypatch.chdir(tmp_path)
    assert run(*shlex.split(example[1])).exit_code == 0
    assert (tmp_path / "v1.truth.csv").is_file()


def test_importing_the_command_is_light():
    """Nothing that `--help` would have to wait for is imported."""
    heavy = "numpy", "pandas", "pyarrow", "scipy", "pymc", "matplotlib"
    code = "import sys, spikepool.cli.simulate; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(heavy) & set(done.stdout.split())


README = (SAMPLES / "README.md").read_text(encoding="utf-8")
MADE = re.findall(r"^spikepool simulate (.+)$", README, re.MULTILINE)


@pytest.mark.parametrize("command", MADE)
def test_sample_data_is_what_its_command_makes(tmp_path, monkeypatch, command):
    """The commands in sample_data/README.md give the same bytes again."""
    arguments = shlex.split(command)
    table = arguments[arguments.index("-o") + 1]
    (tmp_path / "sample_data").mkdir()
    monkeypatch.chdir(tmp_path)
    run(*arguments)
    made = sorted((tmp_path / "sample_data").iterdir())
    assert len(made) == 3
    assert Path(table).name in {path.name for path in made}
    for path in made:
        assert path.read_bytes() == (SAMPLES / path.name).read_bytes(), path.name


def test_every_sample_is_small_and_described():
    """Each file is under 250 kB; each table is in the README with its rows and neurons."""
    assert len(MADE) == 2
    for path in SAMPLES.iterdir():
        assert path.stat().st_size < 250_000
    for table in ("v1_population.csv", "sparse_population.csv", "pumps.csv"):
        read = read_counts(InputOptions(tables=(str(SAMPLES / table),)))
        rows, neurons = len(read.count), len(read.neuron.values)
        assert f"| `{table}` | {rows:,} | {neurons} |" in README
        assert f"spikepool fit sample_data/{table}" in README


def test_sparse_sample_has_the_silent_neurons_the_readme_counts():
    """Seven neurons have no spike."""
    read = read_counts(InputOptions(tables=(str(SAMPLES / "sparse_population.csv"),)))
    silent = np.sum(np.bincount(read.neuron.codes, read.count) == 0)
    assert f"{silent} neurons without a spike" in README


def test_pumps_are_the_published_numbers():
    """Failures and thousands of hours of the OpenBUGS Examples, volume I."""
    failures = [5, 1, 5, 14, 3, 19, 1, 1, 4, 22]
    hours = [94.3, 15.7, 62.9, 126, 5.24, 31.4, 1.05, 1.05, 2.1, 10.5]
    read = read_counts(InputOptions(tables=(str(SAMPLES / "pumps.csv"),), exposure="exposure"))
    order = np.argsort(read.neuron.codes)
    assert read.neuron.values == tuple(f"pump{i}" for i in range(1, 11))
    assert read.count[order].tolist() == failures
    assert read.exposure[order].tolist() == hours

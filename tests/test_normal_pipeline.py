"""One small run of estimates from table to output directory, looked at from all sides."""

import json
from dataclasses import replace
from pathlib import Path
from typing import override

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import xarray as xr

from spikepool.config_file import read_settings, resolve_config
from spikepool.engines.normal.closed_form import integrate_normal
from spikepool.errors import BadDataError, OutputExistsError
from spikepool.pipeline import run
from spikepool.posterior.normal_results import ImportanceSample
from spikepool.progress import Progress
from spikepool.report.manifest import changed_files, read_manifest
from spikepool.report.normal_schema import normal_table_schemas
from spikepool.runs import estimate_fits

SCHOOLS = """school,effect,se,town,estimate_mean
A,28,15,x,1
B,8,10,y,2
C,-3,16,x,3
D,7,11,y,4
E,-1,9,x,5
F,1,11,y,6
G,18,10,x,7
H,12,18,y,8
"""
POOLINGS = ("none", "complete", "partial")


class Recorder(Progress):
    """Keeps the names of the stages."""

    def __init__(self):
        self.stages = []

    @override
    def stage(self, name):
        self.stages.append(name)

    @override
    def advance(self, done, total, detail=""):
        pass

    @override
    def close(self):
        pass


def configure(table, **sections):
    """Return the configuration of a run of the schools, with keys of its sections changed."""
    base = {
        "input": {"tables": [str(table)], "neuron": "school", "standard_error": "se"},
        "model": {"family": "normal"},
        "engine": {"draws": 500, "tune": 500, "seed": 3},
    }
    return resolve_config(base, sections)


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """Write the eight schools, with a town and a column named like a result."""
    path = tmp_path_factory.mktemp("schools") / "schools.csv"
    path.write_text(SCHOOLS, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def stages():
    """Return what keeps the stages of the run."""
    return Recorder()


@pytest.fixture(scope="module")
def outcome(table, stages):
    """Run once with everything on, plots too."""
    config = configure(table, report={"posterior": "full", "plots": "png,svg"})
    return run(config, table.parent / "out", stages)


def read(outcome, name):
    """Read a table of the output as columns by name."""
    return pq.read_table(outcome.folder / f"{name}.parquet").to_pydict()


class TestRun:
    """What the run leaves."""

    def test_it_ends_well(self, outcome, stages):
        """Converged, stage by stage."""
        assert outcome.problems == ()
        assert stages.stages == [
            "reading", "fitting Normal none", "fitting Normal complete", "fitting Normal partial",
            "writing",
        ]  # fmt: skip

    def test_its_files(self, outcome):
        """All that the manifest lists, with their digests, and nothing else."""
        manifest = read_manifest(outcome.folder)
        assert changed_files(outcome.folder, manifest) == ()
        files = {
            f.relative_to(outcome.folder).as_posix()
            for f in outcome.folder.rglob("*")
            if f.is_file()
        }
        assert files == {*manifest.files, "manifest.json"}
        tables = {
            f"{name}.{suffix}" for name in normal_table_schemas() for suffix in ("csv", "parquet")
        }
        assert files == tables | {
            "summary.json", "config.toml", "run.log", "manifest.json",
            *(f"posterior/normal-{pooling}.nc" for pooling in POOLINGS),
            *(f"plots/{name}.png" for name in ("shrinkage", "forest")),
            *(f"plots/{name}.svg" for name in ("shrinkage", "forest")),
            "plots/data/shrinkage.csv", "plots/data/forest.csv", "plots/data/about.json",
        }  # fmt: skip

    @pytest.mark.parametrize("name", normal_table_schemas())
    def test_columns_are_those_of_the_schema(self, outcome, name):
        """In order, with types and descriptions; CSV has the same columns."""
        found = pq.read_table(outcome.folder / f"{name}.parquet")
        described = normal_table_schemas()[name]
        assert found.column_names[: len(described)] == [column.name for column in described]
        types = {"text": "string", "integer": "int64", "number": "double", "boolean": "bool"}
        for column in described:
            field = found.schema.field(column.name)
            assert str(field.type) == types[column.type]
            assert field.metadata[b"description"].decode() == column.description
        csv = pa_csv.read_csv(outcome.folder / f"{name}.csv")
        assert csv.column_names == found.column_names

    def test_neurons(self, outcome):
        """Raw beside pooled, of the primary model, with the columns of the input."""
        neurons = read(outcome, "neurons")
        assert neurons["neuron"] == list("ABCDEFGH")
        assert neurons["estimate_raw"] == [28, 8, -3, 7, -1, 1, 18, 12]
        assert neurons["standard_error"] == [15, 10, 16, 11, 9, 11, 10, 18]
        assert set(neurons["pooling"]) == {"partial"}
        assert neurons["town"] == ["x", "y"] * 4
        assert neurons["input_estimate_mean"] == list("12345678")
        assert len(set(neurons["estimate_mean_complete"])) == 1
        np.testing.assert_allclose(neurons["estimate_mean_none"], neurons["estimate_raw"], atol=0.2)
        for low, middle, high in zip(
            *(neurons[f"estimate_{part}"] for part in ("lower", "median", "upper")), strict=True
        ):
            assert low < middle < high

    def test_mse_ratio_is_the_own_weight(self, outcome):
        """The seed's R_i = κ_i, in every model."""
        estimates = read(outcome, "estimates")
        assert len(estimates["neuron"]) == 24
        np.testing.assert_allclose(estimates["mse_ratio"], estimates["own_weight_mean"], rtol=1e-8)
        np.testing.assert_allclose(
            estimates["realised_weight"], estimates["own_weight_mean"], atol=1e-8
        )

    def test_population_and_diagnostics(self, outcome):
        """μ of two models and τ of one; the sample and every θ are checked."""
        population = read(outcome, "population")
        named = list(zip(population["pooling"], population["parameter"], strict=True))
        assert named == [("complete", "mu"), ("partial", "mu"), ("partial", "tau")]
        assert population["r_hat"] == [None] * 3
        diagnostics = read(outcome, "diagnostics")
        assert all(diagnostics["passed"])
        assert diagnostics["parameter"].count("hyperparameters") == 2
        assert diagnostics["parameter"].count("theta") == 24

    def test_posterior_file(self, outcome):
        """Hyperparameters and θ of every neuron, with their means."""
        with xr.open_datatree(outcome.folder / "posterior/normal-partial.nc") as tree:
            posterior = tree["posterior"]
            assert posterior.theta.dims == ("chain", "draw", "neuron")
            assert posterior.theta.shape == (1, 500, 8)
            assert posterior.tau.shape == (1, 500)
            assert posterior.attrs["family"] == "normal"
            mean = posterior.theta.mean(("chain", "draw")).to_numpy()
        neurons = read(outcome, "neurons")
        error = np.array(neurons["estimate_sd"]) / np.sqrt(500)
        assert np.all(np.abs(mean - neurons["estimate_mean"]) < 5 * error)

    def test_summary(self, outcome):
        """The numbers of the tables."""
        summary = json.loads((outcome.folder / "summary.json").read_text(encoding="utf-8"))
        assert summary["data"]["kind"] == "estimates"
        assert summary["primary"]["name"] == "normal-partial"
        assert summary["priors"]["tau"] == "half-cauchy(11)"
        assert summary["shrinkage"]["most_moved"][0]["neuron"] == "A"
        (tau,) = (m["population"]["tau"] for m in summary["models"] if m["is_primary"])
        assert tau["median"] == read(outcome, "population")["median"][2]

    def test_log(self, outcome):
        """What was printed, the priors and how each model went."""
        log = (outcome.folder / "run.log").read_text(encoding="utf-8")
        assert "read    8 estimates, one per neuron · standard errors 9–18" in log
        assert "columns: neuron = school, estimate = effect, standard error = se" in log
        assert "not modelled: town, estimate_mean" in log
        assert (
            "priors: mu ~ normal(8.75, 110), tau ~ half-cauchy(11), theta ~ normal(8.75, 180)"
            in log
        )
        assert "Normal partial: collapsed, importance sample of the hyperparameters" in log

    def test_numbers_behind_the_pictures(self, outcome):
        """Raw and pooled estimates by increasing pooled estimate, and μ ∓ τ."""
        rows = pa_csv.read_csv(outcome.folder / "plots/data/shrinkage.csv").to_pydict()
        assert rows["part"] == ["neuron"] * 8 + ["population"]
        assert rows["pooled"][:8] == sorted(rows["pooled"][:8])
        neurons = read(outcome, "neurons")
        assert sorted(rows["raw"][:8]) == sorted(neurons["estimate_raw"])
        population = read(outcome, "population")
        mu, tau = population["median"][1:]
        np.testing.assert_allclose(
            [rows[end][8] for end in ("lower", "upper")], [mu - tau, mu + tau]
        )

    def test_pictures_name_every_school(self, outcome):
        """As editable text, with the model and the number of estimates."""
        for name in ("shrinkage", "forest"):
            svg = (outcome.folder / f"plots/{name}.svg").read_text(encoding="utf-8")
            for wanted in (*"ABCDEFGH", "Normal partial · 8 estimates", "estimate"):
                assert f">{wanted}<" in svg, (name, wanted)


class TestAgain:
    """Repeating a run, or not."""

    def test_the_config_repeats_it(self, outcome, table):
        """The tables are the same, byte for byte."""
        config = resolve_config(read_settings(outcome.folder / "config.toml"), {})
        again = run(config, table.parent / "again")
        for name in normal_table_schemas():
            file = f"{name}.parquet"
            assert (again.folder / file).read_bytes() == (outcome.folder / file).read_bytes()

    def test_order_of_rows_changes_nothing(self, outcome, table):
        """Nor do the places of the neurons in the file."""
        header, *rows = SCHOOLS.splitlines()
        shuffled = table.parent / "shuffled.csv"
        shuffled.write_text("\n".join([header, *rows[::-1], ""]), encoding="utf-8")
        config = configure(shuffled, report={"plots": "none", "posterior": "none"})
        other = run(config, table.parent / "other")
        for name in ("estimates.csv", "population.csv"):
            assert (other.folder / name).read_bytes() == (outcome.folder / name).read_bytes()

    def test_skip_does_nothing(self, outcome, table, monkeypatch):
        """With the same input and options the engine is not called."""
        monkeypatch.setattr(estimate_fits, "integrate_normal", None)
        config = configure(
            table, report={"posterior": "full", "plots": "png,svg"}, run={"if_exists": "skip"}
        )
        assert run(config, outcome.folder).was_there

    def test_a_full_folder_is_refused(self, outcome, table):
        """Before anything is read."""
        with pytest.raises(OutputExistsError):
            run(configure(table), outcome.folder)

    def test_bad_data_leave_nothing(self, table):
        """No folder is made."""
        bad = table.parent / "bad.csv"
        bad.write_text("school,effect,se\nA,1,0\n", encoding="utf-8")
        with pytest.raises(BadDataError):
            run(configure(bad), table.parent / "none")
        assert not (table.parent / "none").exists()


class TestEngines:
    """Which engine is used, and what is said of it."""

    def test_nuts_when_asked_for(self, table, tmp_path):
        """The sampler's own checks stand in the diagnostics."""
        config = configure(
            table, engine={"engine": "nuts", "draws": 1500}, model={"pooling": "partial"},
            report={"plots": "none"},
        )  # fmt: skip
        outcome = run(config, tmp_path / "out")
        diagnostics = read(outcome, "diagnostics")
        assert set(diagnostics["engine"]) == {"nuts"}
        assert diagnostics["parameter"] == ["sampler", "mu", "tau", *["theta"] * 8]
        assert diagnostics["divergences"][0] == 0
        assert all(diagnostics["r_hat"][1:])

    def test_a_failing_check_changes_the_engine(self, table, tmp_path, monkeypatch):
        """Auto falls back to NUTS, says so and why."""
        monkeypatch.setattr(estimate_fits, "integrate_normal", spoiled)
        config = configure(table, model={"pooling": "partial"}, report={"plots": "none"})
        outcome = run(config, tmp_path / "out")
        (notice,) = outcome.summary["notices"]
        assert notice["code"] == "engine-changed"
        assert "Pareto k 0.90" in notice["message"]
        assert outcome.summary["models"][0]["engine"] == "nuts"

    def test_collapsed_alone_is_marked_instead(self, table, tmp_path, monkeypatch):
        """Its results are written as not converged."""
        monkeypatch.setattr(estimate_fits, "integrate_normal", spoiled)
        config = configure(
            table, model={"pooling": "partial"}, engine={"engine": "collapsed"},
            report={"plots": "none"},
        )  # fmt: skip
        outcome = run(config, tmp_path / "out")
        assert outcome.summary["status"] == "not_converged"
        assert outcome.problems[0].startswith("Normal partial: importance sampling")
        assert read_manifest(outcome.folder).status == "not_converged"

    def test_cross_check(self, table, tmp_path):
        """NUTS beside the closed forms, and how far they are apart."""
        config = configure(
            table, model={"pooling": "partial"}, engine={"cross_check": True, "draws": 1500},
            report={"plots": "none"},
        )  # fmt: skip
        outcome = run(config, tmp_path / "out")
        check = outcome.summary["models"][0]["cross_check"]
        assert check["engine"] == "nuts"
        assert (check["agrees"], check["compared"]) == (True, 24)
        assert 0 < check["difference"] < 0.5


def spoiled(*arguments):
    """Integrate, with importance weights that fail their check."""
    found = integrate_normal(*arguments)
    return replace(found, importance=ImportanceSample(100, 3.0, 0.9))


@pytest.mark.parametrize("n_neurons", [1, 2, 61, 400])
def test_pictures_of_any_number(n_neurons, tmp_path):
    """One neuron without partial pooling, and more than have names."""
    rng = np.random.default_rng(n_neurons)
    rows = [f"n{i},{rng.normal()},{1 + rng.random()}" for i in range(n_neurons)]
    path = tmp_path / "many.csv"
    path.write_text("\n".join(["neuron,estimate,se", *rows, ""]), encoding="utf-8")
    config = resolve_config({}, {"input": {"tables": [str(path)]}, "model": {"family": "normal"}})
    outcome = run(config, tmp_path / "out")
    for name in ("shrinkage", "forest"):
        assert (outcome.folder / f"plots/{name}.png").stat().st_size > 5000
    assert outcome.summary["data"]["neurons"] == n_neurons

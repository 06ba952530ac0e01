"""Small fits by both engines from table to output directory, looked at from all sides."""

import csv
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, override

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr

from spikepool import pipeline
from spikepool.config import RunConfig
from spikepool.config_file import read_settings, resolve_config
from spikepool.errors import NotIdentifiableError, OutputExistsError, ReadWriteError
from spikepool.pipeline import RunOutcome, plan_run, run
from spikepool.posterior.draws import Posterior
from spikepool.progress import Progress, Silent
from spikepool.report import tables
from spikepool.report.manifest import changed_files, read_manifest
from spikepool.report.schema import TABLE_NAMES, table_schemas
from spikepool.report.table_files import PARQUET_ONLY
from spikepool.runs import count_fits, left_out, part_fits

N, TRIALS, SECONDS = 11, 12, 0.5
NAMES = tuple(f"n{i}" for i in range(1, N + 1))
SILENT = "n5"
OPTIONS: dict[str, dict[str, Any]] = {"model": {"pooling": "partial"}, "engine": {"seed": 7}}
NUTS = {"engine": "nuts", "draws": 300, "tune": 300, "chains": 2, "retry": False}


def rows():
    """Return the rows of the table: NB2 counts, two areas, a depth per neuron, one silent."""
    rng = np.random.default_rng(3)
    rate = np.exp(rng.normal(2.0, 0.8, size=N))
    gain = rng.gamma(4, 1 / 4, size=(N, TRIALS))
    counts = rng.poisson(rate[:, np.newaxis] * gain * SECONDS)
    counts[NAMES.index(SILENT)] = 0
    return [
        (name, t, counts[i, t], SECONDS, "V1" if i % 2 else "V2", f"{100 - i}.0")
        for i, name in enumerate(NAMES)
        for t in range(TRIALS)
    ]


def write_table(path, chosen):
    """Write rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("neuron", "trial", "count", "duration", "area", "depth"))
        writer.writerows(chosen)
    return str(path)


def configure(table, **sections):
    """Return the small run's configuration, with keys of its sections changed."""
    tables = [table] if isinstance(table, str) else table
    changes = {"input": {"tables": tables, **sections.pop("input", {})}, **sections}
    return resolve_config(OPTIONS, changes)


class Recorder(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.steps: list[tuple[int, int]] = []

    @override
    def stage(self, name: str) -> None:
        self.stages.append(name)

    @override
    def advance(self, done: int, total: int, detail: str = "") -> None:
        self.steps.append((done, total))

    @override
    def close(self) -> None:
        return


@dataclass(frozen=True)
class Fitted:
    """A real fit: its configuration, its folder, and every model's posterior."""

    config: RunConfig
    out: Path
    outcome: RunOutcome
    progress: Recorder
    posteriors: dict[str, Any]

    def draws(self, name):
        """Return the draws of a model."""
        return self.posteriors[name].draws


def fitted(folder, **engine):
    """Fit Poisson and NB2 with partial pooling."""
    table = write_table(folder / "counts.csv", rows())
    config, progress = configure(table, engine=engine), Recorder()
    posteriors = {}

    def compute(spec, *rest):
        posteriors[spec.name] = compute_posterior(spec, *rest)
        return posteriors[spec.name]

    compute_posterior = part_fits.compute_posterior
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part_fits, "compute_posterior", compute)
        outcome = run(config, folder / "out", progress)
    return Fitted(config, folder / "out", outcome, progress, posteriors)


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    """Fit by the default engine."""
    return fitted(tmp_path_factory.mktemp("fit"))


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """Fit by NUTS, with few draws."""
    return fitted(tmp_path_factory.mktemp("sampled"), **NUTS)


@pytest.fixture(scope="module", params=["auto", "nuts"])
def any_fit(request):
    """Fit by either engine."""
    return request.getfixturevalue("fit" if request.param == "auto" else "sampled")


@pytest.fixture
def no_fit(monkeypatch):
    """Forbid fitting."""

    def fail(*_):
        pytest.fail("a model was fitted")

    monkeypatch.setattr(part_fits, "compute_posterior", fail)


@pytest.fixture
def known_posteriors(monkeypatch, fit):
    """Give the first fit's posteriors at once, in place of computing them."""
    monkeypatch.setattr(part_fits, "compute_posterior", lambda spec, *_: fit.posteriors[spec.name])


def files_of(folder):
    """Return every file of a folder, at any depth, as paths in it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def content_of(folder):
    """Return the bytes of every file of a folder."""
    return {name: (folder / name).read_bytes() for name in files_of(folder)}


def table(fit, name):
    """Return a table of the fit as columns."""
    return pq.read_table(fit.out / f"{name}.parquet").to_pydict()


class TestFolder:
    """What the run leaves behind."""

    def test_holds_every_file_and_no_other(self, any_fit):
        """The files of the design's list."""
        fit = any_fit
        pictures = {
            "shrinkage", "overdispersion", "forest", "own_weight", "dispersion_shrinkage",
            "tau_prior_posterior", "predictive", "calibration", "trace", "variance_parts",
        }  # fmt: skip
        assert files_of(fit.out) == {
            *(f"{name}.parquet" for name in TABLE_NAMES),
            *(f"{name}.csv" for name in TABLE_NAMES if name not in PARQUET_ONLY),
            *("posterior/poisson-partial.nc", "posterior/nb2-partial.nc"),
            *(f"plots/{name}.png" for name in pictures),
            *(f"plots/data/{name}.csv" for name in pictures),
            *("plots/data/about.json", "summary.json", "config.toml", "run.log", "manifest.json"),
        }

    def test_stands_alone(self, fit):
        """Nothing half-written beside it."""
        assert {path.name for path in fit.out.parent.iterdir()} == {"counts.csv", "out"}

    def test_is_as_its_manifest_says(self, fit):
        """Digests of every file, the input's digest, the seed and the status."""
        manifest = read_manifest(fit.out)
        assert set(manifest.files) == files_of(fit.out) - {"manifest.json"}
        assert changed_files(fit.out, manifest) == ()
        assert [each.path for each in manifest.inputs] == [fit.config.input.tables[0]]
        assert manifest.seed == 7
        assert manifest.models == ("poisson-partial", "nb2-partial")
        assert manifest.status == fit.outcome.summary["status"]

    def test_configuration_is_the_one_that_ran(self, fit):
        """Read back, it is the same."""
        assert resolve_config(read_settings(fit.out / "config.toml"), {}) == fit.config

    def test_summary_is_what_the_caller_gets(self, fit):
        """The file and the returned outcome agree."""
        stored = json.loads((fit.out / "summary.json").read_text())
        assert stored | {"seconds": 0} == fit.outcome.summary | {"seconds": 0}
        assert 0 < stored["seconds"] < fit.outcome.summary["seconds"]  # which include writing
        assert not fit.outcome.was_there

    def test_parametrisation_is_recorded(self, sampled):
        """Each neuron's centring stands in the diagnostics, as it was sampled."""
        table = pq.read_table(sampled.out / "diagnostics.parquet").to_pandas()
        rows = table[(table["family"] == "nb2") & (table["parameter"] == "theta")]
        wanted = sampled.draws("nb2-partial").parametrization.rate
        assert rows["centring"].to_numpy() == pytest.approx(wanted)
        assert table.loc[table["parameter"] == "mu", "centring"].isna().all()

    def test_certificate_is_recorded(self, fit):
        """The sample of the hyperparameters, and the errors of every neuron's integral."""
        table = pq.read_table(fit.out / "diagnostics.parquet").to_pandas()
        assert table["passed"].all()
        rows = table[table["family"] == "nb2"]
        assert rows["parameter"].tolist() == ["hyperparameters"] + ["quadrature"] * N
        certificate = fit.posteriors["nb2-partial"].quadrature.certificate
        assert rows["ess_bulk"].iloc[0] == certificate.ess
        np.testing.assert_array_equal(rows["direct_error"].iloc[1:], certificate.direct_error)
        np.testing.assert_array_equal(
            rows["refinement_error"].iloc[1:], certificate.refinement_error
        )

    def test_log_tells_the_run(self, any_fit):
        """Each model, the table, and how the computation went."""
        log = (any_fit.out / "run.log").read_text(encoding="utf-8")
        engine = any_fit.outcome.summary["models"][0]["engine"]
        way = {"nuts": "nuts, compiled in", "collapsed": "collapsed in"}[engine]
        for text in ("counts.csv", "Poisson partial", "NB2 partial *", way, "132 trials"):
            assert text in log

    def test_every_picture_is_a_png(self, fit):
        """By its first bytes."""
        for path in (fit.out / "plots").glob("*.png"):
            assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


class TestTables:
    """Columns, rows and numbers."""

    @pytest.mark.parametrize("name", TABLE_NAMES)
    def test_columns_are_those_of_the_schema(self, any_fit, name):
        """In its order; the input's own columns after them."""
        carried = ["area", "depth"] if name in {"neurons", "estimates", "evoked"} else []
        wanted = [column.name for column in table_schemas()[name]] + carried
        assert list(table(any_fit, name)) == wanted

    @pytest.mark.parametrize("name", sorted(set(TABLE_NAMES) - PARQUET_ONLY))
    def test_csv_and_parquet_hold_the_same(self, any_fit, name):
        """Every digit; an empty cell is a null."""
        with (any_fit.out / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            cells = list(csv.DictReader(file))
        columns = table(any_fit, name)
        assert len(cells) == len(next(iter(columns.values())))
        for column, values in columns.items():
            for row, value in zip(cells, values, strict=True):
                if value is None:
                    assert row[column] == ""
                elif isinstance(value, float):
                    assert float(row[column]) == value
                else:
                    assert row[column].casefold() == str(value).casefold()

    def test_neurons_are_those_of_the_input_in_natural_order(self, fit):
        """n2 before n10; raw numbers are sums of the input."""
        neurons = table(fit, "neurons")
        assert tuple(neurons["neuron"]) == NAMES
        spikes = [sum(row[2] for row in rows() if row[0] == name) for name in NAMES]
        assert neurons["spike_count"] == spikes
        assert neurons["n_trials"] == [TRIALS] * N
        assert neurons["rate_raw"] == pytest.approx([s / (TRIALS * SECONDS) for s in spikes])
        assert set(neurons["rate_unit"]) == {"spikes/s"}

    def test_input_columns_are_carried_as_written(self, fit):
        """To every model's rows."""
        neurons, estimates = table(fit, "neurons"), table(fit, "estimates")
        assert neurons["depth"] == [f"{100 - i}.0" for i in range(N)]
        assert neurons["area"] == ["V1" if i % 2 else "V2" for i in range(N)]
        assert estimates["depth"] == 2 * neurons["depth"]

    def test_neurons_are_the_primary_models_estimates(self, fit):
        """NB2 with partial pooling, marked in both tables."""
        neurons, estimates = table(fit, "neurons"), table(fit, "estimates")
        assert estimates["family"] == ["poisson"] * N + ["nb2"] * N
        assert estimates["is_primary"] == [False] * N + [True] * N
        for column in set(neurons) & set(estimates):
            assert neurons[column] == estimates[column][N:]

    def test_rates_are_those_of_the_draws(self, sampled):
        """NUTS: mean, median and interval of exp θ."""
        neurons = table(sampled, "neurons")
        rate = np.exp(sampled.draws("nb2-partial").flat_theta)
        lower, median, upper = np.quantile(rate, [0.025, 0.5, 0.975], axis=0)
        for name, wanted in (
            ("mean", rate.mean(axis=0)), ("lower", lower), ("median", median), ("upper", upper),
        ):  # fmt: skip
            np.testing.assert_allclose(neurons[f"rate_{name}"], wanted, rtol=1e-9)

    def test_rates_are_the_exact_marginals(self, fit):
        """Collapsed: those of the quadrature, to the last bit, which the draws follow."""
        neurons = table(fit, "neurons")
        rate = fit.posteriors["nb2-partial"].quadrature.marginals.rate
        for name in ("mean", "median", "sd", "lower", "upper"):
            written = np.array(neurons[f"rate_{name}"], dtype=np.float64)  # null is NaN
            np.testing.assert_array_equal(written, getattr(rate, name))
        drawn = np.exp(fit.draws("nb2-partial").flat_theta)
        exists = ~np.isnan(rate.mean)
        gap = np.abs(drawn.mean(axis=0) - rate.mean)[exists]
        assert exists.sum() >= N - 1
        assert np.all(gap < 5 * rate.sd[exists] / np.sqrt(len(drawn)))

    def test_dispersions_are_medians_of_the_draws(self, sampled):
        """NUTS: σ_G and 1 + α λ ē; no column holds their means, which need not exist."""
        neurons = table(sampled, "neurons")
        draws = sampled.draws("nb2-partial")
        theta, delta = draws.flat_theta, draws.flat_delta
        fano = 1 + np.exp(2 * delta + theta) * SECONDS
        np.testing.assert_allclose(neurons["gain_sd_median"], np.median(np.exp(delta), axis=0))
        np.testing.assert_allclose(neurons["fano_model_median"], np.median(fano, axis=0))
        for name in ("neurons", "estimates", "overdispersion"):
            assert not {"gain_sd_mean", "fano_model_mean"} & set(table(sampled, name))
        above = table(sampled, "overdispersion")["prob_fano_above"]
        np.testing.assert_allclose(above, np.mean(fano > 1.1, axis=0))

    def test_dispersions_are_the_exact_marginals(self, fit):
        """Collapsed: those of the quadrature, to the last bit."""
        neurons = table(fit, "neurons")
        exact = fit.posteriors["nb2-partial"].quadrature.marginals.dispersion
        for part in ("median", "lower", "upper"):
            np.testing.assert_array_equal(neurons[f"gain_sd_{part}"], getattr(exact.gain_sd, part))
            np.testing.assert_array_equal(neurons[f"fano_model_{part}"], getattr(exact.fano, part))
        above = table(fit, "overdispersion")["prob_fano_above"]
        np.testing.assert_array_equal(above, exact.prob_fano_above)
        assert tuple(neurons["dispersion_source"]) == exact.source

    def test_comparison_sums_what_is_predicted_of_each_neuron(self, fit):
        """Both models, by trials and by neurons, with the primary one for zero."""
        rows = pq.read_table(fit.out / "comparison.parquet").to_pylist()
        estimates = table(fit, "estimates")
        assert [(row["family"], row["left_out"]) for row in rows] == [
            ("poisson", "trial"), ("nb2", "trial"), ("poisson", "neuron"), ("nb2", "neuron"),
        ]  # fmt: skip
        for row, column in zip(rows, 2 * ["elpd_trials"] + 2 * ["elpd_neuron"], strict=True):
            whole = np.array(estimates[column])
            own = whole[:N] if row["family"] == "poisson" else whole[N:]
            assert row["elpd"] == pytest.approx(own.sum())
            assert row["elpd_difference"] == pytest.approx((own - whole[N:]).sum())
            error = np.sqrt(N) * np.std(own - whole[N:], ddof=1)
            assert row["elpd_difference_se"] == pytest.approx(error)

    def test_chains_leave_out_trials_and_no_neurons(self, sampled):
        """By importance, from the draws."""
        assert set(table(sampled, "comparison")["left_out"]) == {"trial"}
        assert None not in table(sampled, "neurons")["elpd_trials"]
        assert set(table(sampled, "neurons")["elpd_neuron"]) == {None}

    def test_poisson_has_no_dispersion(self, fit):
        """Empty cells, not zeros."""
        estimates = table(fit, "estimates")
        for column in ("gain_sd_median", "fano_model_median", "dispersion_source"):
            assert estimates[column][:N] == [None] * N
            assert None not in estimates[column][N:]

    def test_silent_neuron_has_its_flag_and_an_upper_bound(self, any_fit):
        """And no raw Fano factor."""
        i = NAMES.index(SILENT)
        neurons, measured = table(any_fit, "neurons"), table(any_fit, "overdispersion")
        assert "silent" in neurons["flags"][i].split()
        assert 0 < neurons["rate_median"][i] < neurons["rate_upper"][i] < 5
        assert measured["fano_raw"][i] is None
        assert measured["verdict"][i] == "undecided"

    def test_silent_neuron_has_a_mean_rate_that_can_be_reported(self, any_fit):
        """Within its interval, under either model, or none where it does not exist."""
        estimates = table(any_fit, "estimates")
        for i in (NAMES.index(SILENT), N + NAMES.index(SILENT)):
            mean = estimates["rate_mean"][i]
            assert mean is None or 0 < mean < estimates["rate_upper"][i] < 5

    def test_partial_pooling_shrinks_towards_the_population(self, fit):
        """Every spiking neuron's log rate lies between its own and μ, within the draws' error."""
        estimates = table(fit, "estimates")
        mu = fit.draws("poisson-partial").flat("mu").mean()
        raw, pooled = np.array(estimates["rate_raw"][:N]), np.array(estimates["log_rate_mean"][:N])
        spiking = raw > 0
        moved = (pooled - np.log(raw, where=spiking, out=np.zeros(N)))[spiking]
        towards = np.sign(mu - np.log(raw[spiking]))
        few = np.array(estimates["spike_count"][:N])[spiking]
        assert np.all(moved * towards > -0.5 / few - 0.02)

    def test_population_is_that_of_the_draws(self, sampled):
        """NUTS: medians of every hyperparameter, and words as their exponentials."""
        found = self.medians(sampled)
        for family in ("poisson", "nb2"):
            for name, word in (("mu", "typical_rate"), ("tau", "rate_spread_fold")):
                draws = sampled.draws(f"{family}-partial").flat(name)
                assert found[family, name] == pytest.approx(np.median(draws))
                assert found[family, word] == pytest.approx(np.median(np.exp(draws)))

    def test_population_is_that_of_the_weighted_sample(self, fit):
        """Collapsed: half the weight lies below each median."""
        found = self.medians(fit)
        for family in ("poisson", "nb2"):
            sample = fit.posteriors[f"{family}-partial"].quadrature.hyperparameters
            for name, word in (("mu", "typical_rate"), ("tau", "rate_spread_fold")):
                below = sample.weights[sample.values[name] < found[family, name]].sum()
                assert below == pytest.approx(0.5, abs=2 * sample.weights.max())
                assert found[family, word] == pytest.approx(np.exp(found[family, name]), rel=0.01)

    def medians(self, fit):
        """Return the medians by family and parameter."""
        population = table(fit, "population")
        names = zip(population["family"], population["parameter"], strict=True)
        found = dict(zip(names, population["median"], strict=True))
        assert len(found) == 4 + 7
        return found


class TestProgress:
    """What a listener hears."""

    def test_stages_follow_the_flow(self, any_fit):
        """From reading to writing, each model by name."""
        assert any_fit.progress.stages == [
            "reading", "testing dispersion", "fitting Poisson partial", "fitting NB2 partial",
            "testing labels", "predicting", "writing",
        ]  # fmt: skip

    def test_steps_of_chains_end_at_their_total(self, sampled):
        """Both models' chains, tuning included."""
        assert sampled.progress.steps.count((1200, 1200)) >= 2
        assert all(0 <= done <= total == 1200 for done, total in sampled.progress.steps)

    def test_steps_of_the_collapsed_engine_follow_one_another(self, fit):
        """For both models, from the lattices to what is left out."""
        assert {total for _, total in fit.progress.steps} == {6}
        done = [done for done, _ in fit.progress.steps]
        assert (done[0], done[-1]) == (1, 5)
        assert [step for step in done if step > 2] == [3, 4, 5, 3, 4, 5]


class TestRepeating:
    """The same run again, in other ways, gives the same tables."""

    def test_config_file_repeats_the_run(self, any_fit, tmp_path):
        """Byte for byte: tables, posterior, pictures and their numbers."""
        fit = any_fit
        again = resolve_config(read_settings(fit.out / "config.toml"), {})
        run(again, tmp_path / "again")
        first, second = content_of(fit.out), content_of(tmp_path / "again")
        assert first.keys() == second.keys()
        timed = {"manifest.json", "summary.json", "run.log"}
        assert {name for name in first if first[name] != second[name]} <= timed

    def test_order_and_files_do_not_matter_nor_what_else_is_fitted(self, any_fit, tmp_path):
        """Rows shuffled, split into two files at random: NB2's estimates to the last bit."""
        fit, shuffled = any_fit, rows()
        np.random.default_rng(1).shuffle(shuffled)
        parts = [
            write_table(tmp_path / "a.csv", shuffled[:50]),
            write_table(tmp_path / "b.csv", shuffled[50:]),
        ]
        config = configure(
            parts,
            input={"same_neurons": True},
            engine=any_fit.config.engine.model_dump(exclude_none=True),
            model={"family": "nb2"},
            report={"plots": "none", "posterior": "none"},
        )
        run(config, tmp_path / "again")
        found = {
            name: pq.read_table(tmp_path / "again" / f"{name}.parquet") for name in TABLE_NAMES
        }
        assert found["neurons"] == pq.read_table(fit.out / "neurons.parquet")
        whole, over_poisson = pq.read_table(fit.out / "overdispersion.parquet"), "elpd_over_poisson"
        alone = found["overdispersion"].drop_columns(over_poisson)  # Poisson is not fitted now
        assert alone == whole.drop_columns(over_poisson)
        for name in ("estimates", "population", "comparison", "diagnostics"):
            whole = pq.read_table(fit.out / f"{name}.parquet")
            nb2 = [i for i, family in enumerate(whole["family"].to_pylist()) if family == "nb2"]
            ours, theirs = found[name], whole.take(pa.array(nb2, pa.int64()))
            if name == "comparison":  # weights are of all the models fitted
                ours, theirs = (each.drop_columns("stacking_weight") for each in (ours, theirs))
            assert ours == theirs


class TestOutputThatExists:
    """--if-exists."""

    @pytest.mark.usefixtures("no_fit")
    def test_fail_refuses_before_any_work(self, fit):
        """And leaves it as it was."""
        before = content_of(fit.out)
        with pytest.raises(OutputExistsError):
            run(fit.config, fit.out)
        assert content_of(fit.out) == before

    @pytest.mark.usefixtures("no_fit")
    def test_skip_finds_the_same_run(self, fit):
        """Nothing is fitted or written; the summary is the earlier one's."""
        before = content_of(fit.out)
        config = configure(fit.config.input.tables[0], run={"if_exists": "skip"})
        outcome = run(config, fit.out)
        assert outcome.was_there
        assert outcome.summary | {"seconds": 0} == fit.outcome.summary | {"seconds": 0}
        assert outcome.problems == fit.outcome.problems
        assert content_of(fit.out) == before

    @pytest.mark.parametrize(
        "changes",
        [{"engine": {"seed": 8}}, {"report": {"interval": 0.9}}, {"model": {"family": "nb2"}}],
    )
    @pytest.mark.usefixtures("no_fit")
    def test_skip_refuses_another_run(self, fit, changes):
        """Other options are another run."""
        config = configure(fit.config.input.tables[0], run={"if_exists": "skip"}, **changes)
        with pytest.raises(OutputExistsError, match="options"):
            run(config, fit.out)

    @pytest.mark.usefixtures("no_fit")
    def test_skip_refuses_other_data(self, fit, tmp_path):
        """One spike more."""
        first, *rest = rows()
        other = write_table(
            tmp_path / "counts.csv", [(*first[:2], first[2] + 1, *first[3:]), *rest]
        )
        with pytest.raises(OutputExistsError, match="input data"):
            run(configure(other, run={"if_exists": "skip"}), fit.out)

    @pytest.mark.usefixtures("known_posteriors")
    def test_replace_keeps_what_it_did_not_write(self, fit, tmp_path):
        """The earlier run's files are gone, the user's own stays."""
        out = shutil.copytree(fit.out, tmp_path / "out")
        (out / "notes.txt").write_text("mine")
        config = configure(
            fit.config.input.tables[0],
            run={"if_exists": "replace"},
            report={"plots": "none", "tables": "csv", "posterior": "full"},
        )
        run(config, out)
        assert (out / "notes.txt").read_text() == "mine"
        assert files_of(out) == {
            *(f"{name}.csv" for name in TABLE_NAMES if name not in PARQUET_ONLY),
            *(f"{name}.parquet" for name in PARQUET_ONLY),
            *("posterior/poisson-partial.nc", "posterior/nb2-partial.nc"),
            *("summary.json", "config.toml", "run.log", "manifest.json", "notes.txt"),
        }
        assert changed_files(out, read_manifest(out)) == ()


class TestFailure:
    """Nothing is left behind."""

    @pytest.mark.parametrize(
        ("module", "failing"),
        [
            (part_fits, "compute_posterior"), (count_fits, "check_predictive"),
            (tables, "make_tables"), (pipeline, "render_pictures"),
        ],
    )  # fmt: skip
    @pytest.mark.usefixtures("known_posteriors")
    def test_leaves_no_folder(self, fit, monkeypatch, tmp_path, module, failing):
        """Whichever stage raises."""

        def fail(*_, **__):
            raise ZeroDivisionError(failing)

        monkeypatch.setattr(module, failing, fail)
        with pytest.raises(ZeroDivisionError):
            run(fit.config, tmp_path / "deep" / "out")
        assert files_of(tmp_path) == set()
        assert not (tmp_path / "deep" / "out").exists()

    @pytest.mark.usefixtures("known_posteriors")
    def test_of_replacing_leaves_the_earlier_results(self, fit, monkeypatch, tmp_path):
        """Half-way through the pictures the disk is full."""
        out = shutil.copytree(fit.out, tmp_path / "out")
        before = content_of(out)

        def fill_up(*_):
            yield "plots/first.png", b"half"
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(pipeline, "render_pictures", fill_up)
        config = configure(fit.config.input.tables[0], run={"if_exists": "replace"})
        with pytest.raises(ReadWriteError, match="No space left"):
            run(config, out)
        assert content_of(out) == before
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    @pytest.mark.usefixtures("no_fit")
    def test_of_the_plan_comes_before_any_fit(self, tmp_path):
        """One trial per neuron, NB2 by name."""
        lone = write_table(tmp_path / "lone.csv", rows()[::TRIALS])
        with pytest.raises(NotIdentifiableError):
            run(configure(lone, model={"family": "nb2"}), tmp_path / "out")
        assert files_of(tmp_path) == {"lone.csv"}


def test_run_that_did_not_converge_is_written_and_marked(sampled, monkeypatch, tmp_path):
    """In the summary, the manifest, the diagnostics, the log and the outcome."""

    def diverging(spec, *_):
        draws = sampled.draws(spec.name)
        return Posterior(replace(draws, sampler=replace(draws.sampler, divergences=5)))

    monkeypatch.setattr(part_fits, "compute_posterior", diverging)
    config = configure(sampled.config.input.tables[0], engine=NUTS, report={"plots": "none"})
    outcome = run(config, tmp_path / "out")
    wanted = "5 divergent transitions (wanted 0): raise --target-accept"
    for label in ("Poisson partial", "NB2 partial"):
        assert f"{label}: {wanted}" in outcome.problems
    assert outcome.summary["status"] == "not_converged"
    assert read_manifest(tmp_path / "out").status == "not_converged"
    diagnostics = pq.read_table(tmp_path / "out" / "diagnostics.parquet").to_pylist()
    samplers = [row for row in diagnostics if row["parameter"] == "sampler"]
    assert [(row["divergences"], row["passed"]) for row in samplers] == [(5, False)] * 2
    assert "NOT CONVERGED" in (tmp_path / "out" / "run.log").read_text(encoding="utf-8")


def test_run_that_is_not_accurate_is_written_and_marked(fit, monkeypatch, tmp_path):
    """Without chains: the certificate's problems, and its rows that did not pass."""
    errors = np.full(N, 1e-9)
    errors[2] = 1e-3

    def inaccurate(spec, *_):
        posterior = fit.posteriors[spec.name]
        certificate = replace(
            posterior.quadrature.certificate, direct_error=errors, problems=("too coarse",)
        )
        return replace(posterior, quadrature=replace(posterior.quadrature, certificate=certificate))

    monkeypatch.setattr(part_fits, "compute_posterior", inaccurate)
    engine = {"engine": "collapsed"}
    config = configure(fit.config.input.tables[0], engine=engine, report={"plots": "none"})
    outcome = run(config, tmp_path / "out")
    assert outcome.problems == ("Poisson partial: too coarse", "NB2 partial: too coarse")
    assert outcome.summary["status"] == "not_converged"
    diagnostics = pq.read_table(tmp_path / "out" / "diagnostics.parquet").to_pylist()
    failed = [(row["parameter"], row["neuron"]) for row in diagnostics if not row["passed"]]
    assert failed == 2 * [("quadrature", NAMES[2])]


def test_engines_notes_are_notices(fit, monkeypatch, tmp_path):
    """What an engine had to do beyond its plan, under the model's name."""

    def noting(spec, *_):
        return replace(fit.posteriors[spec.name], notes=("did something else",))

    monkeypatch.setattr(part_fits, "compute_posterior", noting)
    config = configure(fit.config.input.tables[0], report={"plots": "none"})
    found = run(config, tmp_path / "out").summary["notices"]
    told = [each["message"] for each in found if each["code"] == "engine"]
    assert told == ["Poisson partial: did something else", "NB2 partial: did something else"]


def test_predictions_are_made_for_the_picture_only(fit, monkeypatch, tmp_path):
    """Without plots nothing is replicated."""
    monkeypatch.setattr(part_fits, "compute_posterior", lambda spec, *_: fit.posteriors[spec.name])
    monkeypatch.setattr(count_fits, "check_predictive", lambda *_, **__: pytest.fail("predicted"))
    progress = Recorder()
    config = configure(fit.config.input.tables[0], report={"plots": "none"})
    run(config, tmp_path / "out", progress)
    assert "predicting" not in progress.stages


def test_cross_check_fits_by_both_engines(fit, tmp_path):
    """The summary tells the largest difference; tables are those of the first engine."""
    progress = Recorder()
    config = configure(
        fit.config.input.tables[0],
        model={"family": "poisson"},
        engine={"cross_check": True, "draws": 500, "tune": 300, "chains": 2},
        report={"plots": "none"},
    )
    (model,) = run(config, tmp_path / "out", progress).summary["models"]
    assert "sampling Poisson partial to check it" in progress.stages
    check = model["cross_check"]
    assert (model["engine"], check["engine"], check["compared"]) == ("collapsed", "nuts", 3 * N)
    assert check["neuron"] in NAMES
    assert 0 < check["difference"] < 0.5
    assert check["agrees"] == (check["beyond"] == 0)
    found = pq.read_table(tmp_path / "out" / "estimates.parquet").drop_columns("is_primary")
    whole = pq.read_table(fit.out / "estimates.parquet").drop_columns("is_primary")
    assert found == whole.slice(0, N)


def test_options_of_the_report_reach_it(sampled, monkeypatch, tmp_path):
    """Interval, threshold and formats."""
    monkeypatch.setattr(
        part_fits, "compute_posterior", lambda spec, *_: sampled.posteriors[spec.name]
    )
    config = configure(
        sampled.config.input.tables[0],
        engine=NUTS,
        report={
            "interval": 0.5, "fano_threshold": 1.5, "fano_ddof": 0, "plots": "svg",
            "tables": "parquet", "posterior": "none",
        },
    )  # fmt: skip
    run(config, tmp_path / "out")
    found = pq.read_table(tmp_path / "out" / "neurons.parquet").to_pydict()
    draws = sampled.draws("nb2-partial")
    np.testing.assert_allclose(
        found["rate_lower"], np.quantile(np.exp(draws.flat_theta), 0.25, axis=0), rtol=1e-9
    )
    fano = 1 + np.exp(2 * draws.flat_delta + draws.flat_theta) * SECONDS
    measured = pq.read_table(tmp_path / "out" / "overdispersion.parquet").to_pydict()
    np.testing.assert_allclose(measured["prob_fano_above"], np.mean(fano > 1.5, axis=0))
    raw = np.array(table(sampled, "overdispersion")["fano_raw"], dtype=float)
    np.testing.assert_allclose(
        np.array(measured["fano_raw"], dtype=float), raw * (TRIALS - 1) / TRIALS
    )
    suffixes = {Path(name).suffix for name in files_of(tmp_path / "out")}
    assert suffixes == {".parquet", ".svg", ".csv", ".json", ".toml", ".log"}
    assert not list((tmp_path / "out").glob("*.csv"))


def test_options_of_the_report_reach_the_collapsed_engine(fit, tmp_path):
    """Interval, threshold, and as many joint draws as a full posterior asks for.

    Quantiles and frequencies of 1,000 draws lie within 5 standard errors of the exact ones.
    """
    config = configure(
        fit.config.input.tables[0],
        model={"family": "nb2"},
        engine={"draws": 321},
        report={"interval": 0.5, "fano_threshold": 1.5, "plots": "none", "posterior": "full"},
    )
    run(config, tmp_path / "out")
    found = pq.read_table(tmp_path / "out" / "neurons.parquet").to_pydict()
    draws = fit.draws("nb2-partial")
    theta, delta = draws.flat_theta, draws.flat_delta
    for name, mass in (("lower", 0.25), ("median", 0.5), ("upper", 0.75)):
        below = np.mean(np.exp(theta) < np.array(found[f"rate_{name}"]), axis=0)
        assert np.all(np.abs(below - mass) < 5 * np.sqrt(mass * (1 - mass) / len(theta)))
    above = np.mean(np.exp(2 * delta + theta) * SECONDS > 0.5, axis=0)
    measured = pq.read_table(tmp_path / "out" / "overdispersion.parquet").to_pydict()
    exact = np.array(measured["prob_fano_above"])
    error = np.sqrt(exact * (1 - exact) / len(theta))
    assert np.all(np.abs(above - exact) <= 5 * error + 1e-3)
    with xr.open_dataset(tmp_path / "out/posterior/nb2-partial.nc", group="posterior") as stored:
        assert dict(stored.sizes) == {"chain": 1, "draw": 321, "neuron": N}


def test_posterior_files_hold_the_draws(any_fit):
    """Hyperparameters by chain, as the engine gave them."""
    with xr.open_dataset(any_fit.out / "posterior/nb2-partial.nc", group="posterior") as found:
        for name in ("mu", "tau", "mu_delta", "tau_delta"):
            np.testing.assert_array_equal(
                found[name].to_numpy(), any_fit.draws("nb2-partial").population[name]
            )


@pytest.mark.usefixtures("no_fit")
def test_plan_reads_and_writes_nothing(fit):
    """--dry-run: sizes, columns, models and the configuration, as JSON."""
    before = content_of(fit.out.parent)
    plan = json.loads(json.dumps(plan_run(fit.config).as_json(), allow_nan=False))
    assert content_of(fit.out.parent) == before
    data = plan["data"]
    assert (data["neurons"], data["trials"], data["rate_unit"]) == (N, N * TRIALS, "spikes/s")
    assert plan["models"] == ["poisson-partial", "nb2-partial"]
    assert plan["primary"] == "nb2-partial"
    assert {"role": "exposure", "column": "duration"} in data["recognised"]
    assert resolve_config(plan["config"], {}) == fit.config


def test_silent_progress_says_nothing(capsys):
    """The library's default."""
    silent = Silent()
    silent.stage("reading")
    silent.advance(1, 2, "detail")
    silent.close()
    assert capsys.readouterr() == ("", "")


class TestSecondRun:
    """A second run where the first failed its checks."""

    def fitted_again(self, sampled, monkeypatch, problem, divergences=0, **engine):
        """Fit with given draws of which one model fails a check; the options each run had."""
        asked = []
        self.engines = []

        def compute(spec, tally, priors, options, summary, progress):
            self.engines.append(options.engine)
            asked.append((options.draws, round(options.target_accept, 6)))
            return sampled.posteriors[spec.name]

        def check(posterior):
            found = really_check(posterior)
            failed = len(asked) == 1
            smooth = replace(found.sampler, divergences=divergences * failed, bfmi=np.ones(2))
            problems = (problem,) if failed else ()
            return replace(found, sampler=smooth, problems=problems)

        really_check = part_fits.check_convergence
        monkeypatch.setattr(part_fits, "compute_posterior", compute)
        monkeypatch.setattr(part_fits, "check_convergence", check)
        monkeypatch.setattr(left_out, "MOST_CELLS", 0)  # nothing without single trials
        table = sampled.config.input.tables[0]
        config = configure(table, model={"family": "nb2"}, engine={**NUTS, **engine})
        return asked, plan_run(config).fit(Silent())

    def test_slow_mixing_is_sampled_again(self, sampled, monkeypatch):
        """With four times the draws, and a notice that says so."""
        asked, results = self.fitted_again(sampled, monkeypatch, "too few", retry=True)
        assert asked == [(300, 0.95), (1200, 0.95)]
        assert results.status == "converged"
        assert (
            "again, with 1,200 draws per chain and target acceptance 0.95"
            in results.notices[-1].message
        )

    def test_no_other_engine_is_tried_again(self, sampled, monkeypatch):
        """What `auto` fell back to samples once more; the collapsed engine would fail as before."""
        self.fitted_again(sampled, monkeypatch, "too few", engine="auto", retry=True)
        assert self.engines == ["auto", "nuts"]

    def test_it_can_be_switched_off(self, sampled, monkeypatch):
        """The first run stands, with its problems."""
        asked, results = self.fitted_again(sampled, monkeypatch, "too few", retry=False)
        assert asked == [(300, 0.95)]
        assert results.status == "not_converged"

    def test_large_tables_are_left_alone(self, sampled, monkeypatch):
        """Where the draws of a second run would fill the memory."""
        monkeypatch.setattr(part_fits, "MOST_VALUES", 1000)
        asked, _ = self.fitted_again(sampled, monkeypatch, "too few", retry=True)
        assert len(asked) == 1

    def test_divergences_get_smaller_steps(self, sampled, monkeypatch):
        """A tenth of the rejection rate, and no more draws than asked."""
        problem = "3 divergent transitions (wanted 0): raise --target-accept"
        asked, results = self.fitted_again(sampled, monkeypatch, problem, divergences=3, retry=True)
        assert asked == [(300, 0.95), (300, 0.995)]
        assert results.status == "converged"

    def test_collapsed_engine_is_not_run_again(self, fit, monkeypatch):
        """More draws of a chain would not mend what has none."""
        asked = []

        def compute(spec, *_):
            asked.append(spec.name)
            posterior = fit.posteriors[spec.name]
            failed = replace(posterior.quadrature.certificate, problems=("too coarse",))
            return replace(posterior, quadrature=replace(posterior.quadrature, certificate=failed))

        monkeypatch.setattr(part_fits, "compute_posterior", compute)
        config = configure(fit.config.input.tables[0], report={"plots": "none"})
        results = plan_run(config).fit(Silent())
        assert asked == ["poisson-partial", "nb2-partial"]
        assert results.status == "not_converged"

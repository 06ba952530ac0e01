"""Rates that drift between blocks of trials, through the whole pipeline."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from spikepool.config_file import resolve_config
from spikepool.pipeline import run
from spikepool.runs.compare import compare_models, read_models

SIZE, TRIALS = 10, 60


def simulated(path, seed, *, neurons=24, drift_sd=0.0, gain_sd=0.0):
    """Write a table of Poisson counts whose rates drift from block to block, with or without gain.

    The column of blocks is for fits that are told of them.
    """
    rng = np.random.default_rng(seed)
    lines = ["neuron,trial,part,count"]
    for i in range(neurons):
        log_rate = rng.normal(np.log(8), 0.5)
        log_rate += np.repeat(rng.normal(0, drift_sd, TRIALS // SIZE), SIZE)
        gain = rng.gamma(1 / gain_sd**2, gain_sd**2, TRIALS) if gain_sd else 1.0
        counts = rng.poisson(np.exp(log_rate) * gain)
        lines += [f"n{i},{t + 1},{t // SIZE + 1},{count}" for t, count in enumerate(counts)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def fitted(table, out, options, *, family="nb2", **sections):
    """Fit partial pooling; return the output folder."""
    given = {
        "input": {"tables": [table], **options},
        "model": {"family": [family], "pooling": ["partial"], **sections.pop("model", {})},
        "report": {"plots": [], "tables": ["parquet"], **sections.pop("report", {})},
        **sections,
    }
    run(resolve_config({}, given), out)
    return out


def rows(folder, name):
    """Return the rows of a table."""
    return pq.read_table(folder / f"{name}.parquet").to_pylist()


def parameter(folder, name):
    """Return a row of the population."""
    (row,) = [each for each in rows(folder, "population") if each["parameter"] == name]
    return row


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Fit one table with `--drift-block`, and with its blocks as conditions; all draws kept."""
    folder = tmp_path_factory.mktemp("blocks")
    table = simulated(folder / "drift.csv", 1, neurons=8, drift_sd=0.3)
    report = {"posterior": "full", "plots": ["png"]}
    prior = {"prior": ["tuning_sd=half-normal(0.5)"]}
    return (
        fitted(table, folder / "blocks", {"drift_block": SIZE}, family="poisson", report=report),
        fitted(table, folder / "parts", {"condition": ["part"]}, family="poisson", model=prior),
    )


def test_blocks_are_fitted_as_conditions_would_be(both):
    """The same cells under other names, with the prior of drift; the seeds differ.

    64 means within 5 standard errors of their difference: one false alarm in 25,000 tables.
    """
    blocks, parts = both
    for a, b in zip(rows(blocks, "estimates"), rows(parts, "estimates"), strict=True):
        for name in ("neuron", "n_trials", "spike_count", "rate_raw"):
            assert a[name] == b[name]
        assert a["block"] == b["part"]
        assert a["level"] == b["level"].replace("condition", "block")
        assert a["condition"] == (b["condition"] and f"block {b['condition']}")
        error = np.hypot(a["log_rate_mcse"], b["log_rate_mcse"])
        assert a["log_rate_mean"] == pytest.approx(b["log_rate_mean"], abs=5 * error)
    drift, tuning = parameter(blocks, "drift_sd"), parameter(parts, "tuning_sd")
    error = np.hypot(*(each["sd"] / np.sqrt(each["ess_bulk"]) for each in (drift, tuning)))
    assert drift["mean"] == pytest.approx(tuning["mean"], abs=5 * error)


def test_what_tests_of_the_table_say_is_of_the_whole_recording(both):
    """Tests of drift and the parts of the variance do not take blocks for stimuli."""
    blocks, _ = both
    assert all(row["drift_pvalue"] is not None for row in rows(blocks, "overdispersion"))
    parts = (blocks / "plots/data/variance_parts.csv").read_text(encoding="utf-8")
    assert "slow drift" in parts
    assert "\nstimulus" not in parts
    assert not rows(blocks, "matched_fano")


def test_the_output_speaks_of_blocks(both):
    """Never of tuning or conditions; the picture is of drift."""
    blocks, _ = both
    summary = json.loads((blocks / "summary.json").read_text(encoding="utf-8"))
    assert summary["data"]["blocks"] == {"trials": 10, "fewest": 6, "most": 6}
    assert summary["data"]["conditions"] is None
    log = (blocks / "run.log").read_text(encoding="utf-8")
    assert "rates drift between blocks of 10 trials: 6 of each neuron" in log
    assert "blocks     sd of log rates between blocks of trials" in log
    assert "neuron × block" in log
    assert "tuning" not in log
    assert "condition" not in log
    assert (blocks / "plots/drift.png").is_file()
    assert not (blocks / "plots/tuning.png").exists()
    assert (blocks / "posterior/poisson-partial-drifting.nc").is_file()


def test_models_with_and_without_drift_can_be_compared(both, tmp_path):
    """Drift of 0.3 makes the model without it the worse one.

    By about 170 ± 40 nats, Σ_b n m d²/2 of 8 neurons: otherwise once in 10,000 tables.
    """
    blocks, _ = both
    table = str(blocks.parent / "drift.csv")
    plain = fitted(table, tmp_path / "plain", {}, family="poisson")
    best, other, *_ = compare_models(read_models([plain, blocks]))
    assert (best.run, other.run) == (str(blocks), str(plain))


@pytest.mark.statistical
def test_nuts_agrees(both, tmp_path):
    """The spread between blocks by the other engine: within a fifth of its posterior sd.

    Monte Carlo errors of both are about a thirtieth of it.
    """
    blocks, _ = both
    table = str(blocks.parent / "drift.csv")
    engine = {"engine": "nuts", "draws": 1000, "tune": 500, "chains": 2, "seed": 2}
    nuts = fitted(
        table, tmp_path / "nuts", {"drift_block": SIZE}, family="poisson", engine=engine,
        run={"on_nonconvergence": "warn"},
    )  # fmt: skip
    exact, drawn = parameter(blocks, "drift_sd"), parameter(nuts, "drift_sd")
    assert drawn["engine"] == "nuts"
    assert drawn["mean"] == pytest.approx(exact["mean"], abs=0.2 * exact["sd"])


@pytest.mark.statistical
class TestRecovery:
    """Drift and gain told apart, in simulated tables."""

    TABLES = 12

    def _fits(self, tmp_path, **truth):
        """Fit every table with and without blocks."""
        for seed in range(self.TABLES):
            table = simulated(tmp_path / f"{seed}.csv", seed, **truth)
            yield tuple(
                fitted(table, tmp_path / f"{seed}-{name}", options)
                for name, options in (("with", {"drift_block": SIZE}), ("without", {}))
            )

    def test_drift_of_poisson_neurons_is_no_gain(self, tmp_path):
        """Fano factors go back to 1, and the sd between blocks is that of the simulation.

        Of 12 intervals of 95 % fewer than 8 cover once in 20,000 such tests.
        """
        covered = 0
        for blocks, plain in self._fits(tmp_path, drift_sd=0.3):
            median = {
                folder: np.median([row["fano_model_median"] for row in rows(folder, "neurons")])
                for folder in (blocks, plain)
            }
            assert median[plain] > 1.3
            assert median[blocks] < 1.1
            assert np.median([row["fano_raw"] for row in rows(blocks, "overdispersion")]) < 1.1
            drift = parameter(blocks, "drift_sd")
            covered += drift["lower"] <= 0.3 <= drift["upper"]
        assert covered >= stats.binom.ppf(5e-5, self.TABLES, 0.95)

    def test_gain_of_neurons_that_do_not_drift_stays(self, tmp_path):
        """The typical gain sd is found with blocks as without them, and no drift.

        Of 12 intervals of 95 % fewer than 8 cover once in 20,000 such tests.
        """
        covered = np.zeros(2)
        for folders in self._fits(tmp_path, gain_sd=0.4):
            gains = [parameter(folder, "typical_gain_sd") for folder in folders]
            covered += [gain["lower"] <= 0.4 <= gain["upper"] for gain in gains]
            assert parameter(folders[0], "drift_sd")["median"] < 0.1
        assert covered.min() >= stats.binom.ppf(5e-5, self.TABLES, 0.95)

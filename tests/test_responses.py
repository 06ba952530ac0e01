"""Responses to conditions, from table to results, by both engines and with groups."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import xarray as xr
from arviz_stats.base import array_stats

from spikepool.config_file import resolve_config
from spikepool.pipeline import run

CONDITIONS = ("left", "right", "up")
ENGINES = {
    "nuts": {"draws": 200, "tune": 200, "chains": 2, "retry": False},
    "collapsed": {"draws": 500},
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Write 12 neurons of two areas by turns; every third was not presented with the last."""
    rng = np.random.default_rng(4)
    path = tmp_path_factory.mktemp("table") / "counts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("neuron", "count", "area", "direction"))
        for i in range(12):
            own = rng.normal(1.5, 0.6)
            for direction in CONDITIONS[: 2 if i % 3 == 0 else 3]:
                rate = np.exp(own + rng.normal(0, 0.5))
                writer.writerows(
                    (f"n{i}", y, ("V1", "V2")[i % 2], direction) for y in rng.poisson(rate, 8)
                )
    return str(path)


@pytest.fixture(scope="module", params=ENGINES)
def folder(request, table, tmp_path_factory):
    """Fit Poisson by an engine, all draws kept; return the output folder."""
    out = tmp_path_factory.mktemp(request.param) / "out"
    sections = {
        "input": {"tables": [table], "group": ["area"], "condition": ["direction"]},
        "model": {"family": ["poisson"], "pooling": ["partial"]},
        "engine": {"engine": request.param, "seed": 3, **ENGINES[request.param]},
        "report": {"plots": [], "posterior": "full", "tables": ["parquet"]},
        "run": {"on_nonconvergence": "warn"},
    }
    run(resolve_config({}, sections), out)
    return out


def test_means_have_their_monte_carlo_error(folder):
    """Of chains it is ArviZ's; of quadrature it is below that of as many independent draws."""
    rows = responses_of(folder)
    error = np.array([row["log_rate_mcse"] for row in rows])
    with xr.open_dataset(folder / "posterior/poisson-partial.nc", group="posterior") as found:
        drawn = found["response"].values.astype(float)
    if folder.parent.name.startswith("nuts"):
        wanted = array_stats.mcse(drawn, method="mean", chain_axis=0, draw_axis=1)
        np.testing.assert_allclose(error, wanted, rtol=1e-3)
    else:
        assert np.all((error > 0) & (error < drawn.std(axis=(0, 1)) / np.sqrt(drawn.shape[1])))


def test_responses_are_diagnosed(folder):
    """By NUTS each has a row with its neuron and condition; other parameters have no condition."""
    rows = pq.read_table(folder / "diagnostics.parquet").to_pylist()
    found = [row for row in rows if row["parameter"] == "response"]
    assert all(row["condition"] is None for row in rows if row["parameter"] != "response")
    if folder.parent.name.startswith("collapsed"):
        assert not found
        return
    named = {(row["group"], row["neuron"], row["condition"]) for row in found}
    assert named == {(r["group"], r["neuron"], r["condition"]) for r in responses_of(folder)}
    assert all(0 <= row["centring"] <= 1 and row["ess_bulk"] > 0 for row in found)
    worst = max(row["r_hat"] for row in rows if row["r_hat"] is not None)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["models"][0]["sampler"]["worst_r_hat"] == worst


def responses_of(folder):
    """Return the rows of neuron × condition."""
    rows = pq.read_table(folder / "estimates.parquet").to_pylist()
    return [row for row in rows if row["level"] == "neuron×condition"]


def test_posterior_file_has_every_response(folder):
    """Under its neuron and condition, with the mean that the table states; by MC error.

    Five standard errors of independent draws, of chains of a tenth as many: about one false alarm
    in 50,000 tables.
    """
    rows = responses_of(folder)
    with xr.open_dataset(folder / "posterior/poisson-partial.nc", group="posterior") as found:
        named = found["response_neuron"].values.tolist(), found["response_condition"].values
        assert list(zip(*named, strict=True)) == [(r["neuron"], r["condition"]) for r in rows]
        assert found["response"].dtype == np.float32
        drawn = found["response"].stack(sample=("chain", "draw")).values
    assert len(rows) == 12 * 3 - 4
    share = 0.1 if folder.parent.name.startswith("nuts") else 1.0
    for row, values in zip(rows, drawn, strict=True):
        error = row["log_rate_sd"] / np.sqrt(share * values.size)
        assert abs(values.mean() - row["log_rate_mean"]) < 5 * error
        assert values.std() == pytest.approx(row["log_rate_sd"], rel=0.25)

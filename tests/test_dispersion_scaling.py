"""A fit with gains that time draws anew, from the table to what a reader of the results sees."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import xarray as xr

from spikepool.config_file import resolve_config
from spikepool.pipeline import run
from spikepool.progress import Silent
from spikepool.report.manifest import read_manifest

LENGTHS = (0.25, 1.0)
MEAN = 0.625


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Fit ten neurons with trials of two lengths, in two groups; return the output folder."""
    folder = tmp_path_factory.mktemp("scaling")
    rng = np.random.default_rng(8)
    with (folder / "counts.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("neuron", "trial", "count", "duration", "area"))
        for i, rate in enumerate(np.exp(rng.normal(2.5, 0.5, 10))):
            for t in range(12):
                seconds = LENGTHS[t % 2]
                shape = seconds / MEAN / 0.2
                count = rng.poisson(rate * seconds * rng.gamma(shape, 1 / shape))
                writer.writerow((f"n{i}", t, count, seconds, "V1" if i % 2 else "V2"))
    asked = {
        "input": {"tables": [str(folder / "counts.csv")], "group": "area"},
        "model": {"family": "nb2", "pooling": "partial", "dispersion_scaling": "duration"},
        "report": {"plots": "none", "predictive": True, "posterior": "full"},
        "run": {"on_nonconvergence": "warn"},
    }
    run(resolve_config({}, asked), folder / "out", Silent())
    return folder / "out"


def test_names_say_it(out):
    """In summary, manifest, notices and the files of the draws."""
    summary = json.loads((out / "summary.json").read_text())
    assert summary["primary"]["label"] == "NB2 partial (duration scaling)"
    assert summary["primary"]["dispersion_scaling"] == "duration"
    assert summary["primary"]["reference_exposure"] == MEAN
    notices = {notice["code"]: notice["message"] for notice in summary["notices"]}
    assert "0.625 s" in notices["reference-exposure"]
    assert read_manifest(out).models == ("nb2-partial-duration",)
    with xr.open_datatree(out / "posterior" / "nb2-partial-duration.nc") as draws:
        assert draws.attrs["dispersion_scaling"] == "duration"
        assert draws.attrs["reference_exposure"] == "0.625"


def test_groups_have_one_reference(out):
    """Fano factors of both are 1 + α λ e_ref, at medians of the stored draws.

    Within the Monte Carlo error of 2,000 draws: 5 standard errors of a median's mass.
    """
    neurons = pq.read_table(out / "neurons.parquet").to_pydict()
    with xr.open_datatree(out / "posterior" / "nb2-partial-duration.nc") as draws:
        posterior = draws["posterior"].to_dataset()
        fano = 1 + np.exp(posterior["theta"] + 2 * posterior["delta"]) * MEAN
        below = fano < xr.DataArray(neurons["fano_model_median"], dims="neuron")
        mass = below.mean(("chain", "draw")).to_numpy()
        gain = np.exp(posterior["delta"].median(("chain", "draw"))).to_numpy()
    assert np.all(np.abs(mass - 0.5) < 5 * 0.5 / np.sqrt(2000))
    np.testing.assert_allclose(neurons["gain_sd_median"], gain, rtol=0.1)

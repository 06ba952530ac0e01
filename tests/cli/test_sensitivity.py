"""`spikepool sensitivity`: what it prints and writes, and what it refuses."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from spikepool.report.sensitivity_schema import SENSITIVITY_SCHEMAS


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """Write eight neurons with 5 trials each, one of them far from the others."""
    rng = np.random.default_rng(2)
    rates = [2, 3, 2, 4, 3, 2, 3, 12]
    lines = [f"n{i},{t},{rng.poisson(rate)}" for i, rate in enumerate(rates) for t in range(5)]
    path = tmp_path_factory.mktemp("table") / "counts.csv"
    path.write_text("neuron,trial,count\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


QUICK = ("--family", "poisson", "--quiet")
TRIED = ("--tau-prior", "half-normal(0.2)", "--tau-prior", "exponential(1)")


def test_report(counts, spikepool, tmp_path):
    """The fit, every prior, the neurons that move, what decides; the same as tables and JSON."""
    folder = tmp_path / "found"
    ended = spikepool("sensitivity", counts, *QUICK, *TRIED, "-o", folder)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    starts = ("  half-cauchy(1) *", "  half-normal(0.2)", "  exponential(1)")
    assert all(any(line.startswith(start) for line in lines) for start in starts)
    assert lines[-1].startswith("SENSITIVE  ")
    assert lines[-1].endswith("under half-normal(0.2)")
    assert any(line.startswith("  n7") and "half-normal(0.2)" in line for line in lines)
    found = json.loads((folder / "sensitivity.json").read_bytes())
    assert found["status"] == "sensitive"
    (scaled,) = (
        each for each in found["power_scaling"][0]["parameters"] if each["parameter"] == "tau"
    )
    (line,) = (line for line in lines if line.startswith("  τ  "))
    assert f"{scaled['prior_sensitivity']:.3f}" in line
    assert ("fine" in line) == (scaled["diagnosis"] == "fine")
    drawn = folder / "plots/tau_under_priors.png"
    assert spikepool("plot", folder).code == 0
    again = tmp_path / "found-plots/tau_under_priors.png"
    assert again.read_bytes() == drawn.read_bytes()
    tables = {name: pq.read_table(folder / f"{name}.parquet") for name in SENSITIVITY_SCHEMAS}
    for name, columns in SENSITIVITY_SCHEMAS.items():
        assert tables[name].column_names == [column.name for column in columns]
        with (folder / f"{name}.csv").open(encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) == tables[name].num_rows
    moved = {
        row["neuron"] for row in tables["prior_sensitivity_neurons"].to_pylist() if row["moved"]
    }
    assert moved == {each["neuron"] for each in found["moved"]}
    assert tables["prior_sensitivity_neurons"].num_rows == 3 * 8


def test_json(counts, spikepool):
    """Everything the report says, and nothing else on standard output."""
    ended = spikepool("sensitivity", counts, *QUICK, "--tau-prior", "exponential(1)", "--json")
    found = json.loads(ended.out)
    assert [each["prior"] for each in found["priors"]] == ["half-cauchy(1)", "exponential(1)"]
    assert found["priors"][1]["method"] == "reweighted"
    assert {each["parameter"] for each in found["power_scaling"][0]["parameters"]} == {"mu", "tau"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--population", "gamma"), "has no spread τ"),
        (("--pooling", "none"), "has no spread τ"),
        (("--engine", "nuts"), "--engine nuts"),
        (("--tau-prior", "half-normall(1)"), "--tau-prior 'half-normall(1)': there is no prior"),
        (("--tau-prior", "jeffreys"), "posterior is improper"),
        (("--tau-prior", "half-cauchy(1)"), "is the prior of the fit already"),
    ],
)
def test_refusals(counts, spikepool, options, told):
    """Exit 2 before any fit, with the next step."""
    ended = spikepool("sensitivity", counts, *QUICK, *options)
    assert ended.code == 2
    assert told in ended.err
    assert "→" in ended.err


def test_estimates_are_refused(counts, spikepool):
    """Only counts have the draws that get new weights."""
    ended = spikepool("sensitivity", counts, "--family", "normal")
    assert ended.code == 2
    assert "fit --prior" in ended.err


def test_folder_of_a_run_is_kept(counts, spikepool, tmp_path):
    """A file in its place is refused before the fit."""
    (tmp_path / "taken").write_text("x", encoding="utf-8")
    ended = spikepool("sensitivity", counts, *QUICK, "-o", tmp_path / "taken")
    assert ended.code == 73


def test_schema_has_its_tables(spikepool):
    """`spikepool schema` describes them."""
    for name, columns in SENSITIVITY_SCHEMAS.items():
        out = spikepool("schema", name).out
        assert all(f"  {column.name:<24} " in out for column in columns)

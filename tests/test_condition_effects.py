"""Effects of conditions on all neurons, from table to results."""

import csv

import numpy as np
import pytest
import xarray as xr

from spikepool.config_file import resolve_config
from spikepool.errors import UsageError
from spikepool.pipeline import plan_run, run
from spikepool.progress import Silent

EFFECTS = {"low": -1.0, "mid": 0.2, "high": 0.8}
"""Their sum is zero. Neurons of V2 were not presented with high."""
NUTS = {"draws": 200, "tune": 200, "chains": 2, "retry": False, "seed": 5}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Write 16 neurons of two areas, nearly all of whose tuning is the conditions' effect."""
    rng = np.random.default_rng(2)
    path = tmp_path_factory.mktemp("table") / "counts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("neuron", "count", "area", "contrast"))
        for i in range(16):
            area, own = ("V1", "V2")[i % 2], rng.normal(1.5, 0.6)
            for contrast in ("low", "mid", "high") if area == "V1" else ("low", "mid"):
                rate = np.exp(own + EFFECTS[contrast] + rng.normal(0, 0.1))
                writer.writerows((f"n{i}", y, area, contrast) for y in rng.poisson(rate, 10))
    return str(path)


def configure(table, **engine):
    """Return the configuration of a run."""
    sections = {
        "input": {"tables": [table], "group": ["area"], "condition": ["contrast"]},
        "model": {"family": ["poisson"], "pooling": ["partial"], "condition_effects": True},
        "engine": {**NUTS, **engine},
        "report": {"plots": []},
        "run": {"on_nonconvergence": "warn"},
    }
    return resolve_config({}, sections)


@pytest.fixture(scope="module")
def fitted(table, tmp_path_factory):
    """Fit and write; return the folder and the rows of population and diagnostics."""
    folder = tmp_path_factory.mktemp("fit") / "out"
    outcome = run(configure(table), folder)
    rows = {}
    for name in ("population", "diagnostics", "contrasts"):
        with (folder / f"{name}.csv").open(encoding="utf-8") as file:
            rows[name] = list(csv.DictReader(file))
    return folder, outcome, rows


def test_effects_are_found(fitted):
    """Within five posterior sds, those of V2 about the mean of the conditions that it had.

    A false alarm for one of five effects: about once in 300,000 tables.
    """
    found = {(row["group"], row["parameter"]): row for row in fitted[2]["population"]}
    wanted = {("V1", name): effect for name, effect in EFFECTS.items()}
    wanted |= {("V2", "low"): -0.6, ("V2", "mid"): 0.6}
    for (group, name), effect in wanted.items():
        row = found[group, f"condition_effect[{name}]"]
        assert abs(float(row["mean"]) - effect) < 5 * float(row["sd"])
        ratio = found[group, f"condition_ratio[{name}]"]
        assert float(ratio["median"]) == pytest.approx(np.exp(float(row["median"])), rel=0.01)
    assert ("V2", "condition_effect[high]") not in found
    assert float(found["V1", "tuning_sd"]["median"]) < float(found["V1", "condition_sd"]["median"])


def test_effects_sum_to_zero_and_are_stored(fitted):
    """Draw by draw, over the conditions that each area had."""
    path = fitted[0] / "posterior/poisson-partial-condition.nc"
    effect = xr.open_dataset(path, group="posterior")["condition_effect"]
    assert effect.dims == ("chain", "draw", "group", "condition")
    np.testing.assert_allclose(effect.sum("condition"), 0, atol=1e-12)
    assert np.isnan(effect.sel(group="V2", condition="high")).all()
    low = effect.sel(group="V2", condition="low")
    np.testing.assert_allclose(low, -effect.sel(group="V2", condition="mid"), atol=1e-12)
    mean = {(r["group"], r["parameter"]): float(r["mean"]) for r in fitted[2]["population"]}
    assert float(low.mean()) == pytest.approx(mean["V2", "condition_effect[low]"], rel=1e-9)


def test_effects_are_diagnosed(fitted):
    """Each has a row of its own."""
    named = {(row["group"], row["parameter"]) for row in fitted[2]["diagnostics"]}
    assert ("V1", "condition_effect[mid]") in named
    assert ("V2", "condition_effect[mid]") in named
    assert ("V2", "condition_sd") in named


def test_engine_is_nuts_and_says_why(fitted, table):
    """`auto` goes to nuts; `collapsed` is refused before anything is fitted."""
    messages = [notice["message"] for notice in fitted[1].summary["notices"]]
    why = "sampled by nuts: all neurons share the effects of the conditions"
    assert sum(message.endswith(why) for message in messages) == 2
    with pytest.raises(UsageError, match="--engine collapsed integrates neurons") as caught:
        plan_run(configure(table, engine="collapsed")).fit(Silent())
    assert caught.value.exit_code == 2

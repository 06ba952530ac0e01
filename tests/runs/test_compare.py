"""Finished runs compared: sums, differences and weights against sums by hand; refusals."""

import json

import numpy as np
import pandas as pd
import pytest

from spikepool.errors import BadDataError, NoInputError
from spikepool.runs.compare import compare_models, read_models

NEURONS = ("NA", "007", "n3")


def trials(condition=None, counts=(1, 2, 2, 0)):
    """Return the trials of three neurons, the same of each, with conditions by turns or without."""
    rows = []
    for neuron in NEURONS:
        for place, count in enumerate(counts):
            label = None if condition is None else condition[place % len(condition)]
            rows.append((neuron, label, 0.5, count))
    return pd.DataFrame(rows, columns=["neuron", "condition", "exposure", "count"])


def cells_of(rows):
    """Count alike trials."""
    keys = ["neuron", "condition", "exposure", "count"]
    return rows.groupby(keys, dropna=False, sort=True).size().rename("n_trials").reset_index()


@pytest.fixture
def store(tmp_path):
    """Return a function that writes a run: models by label, each its log densities by cell."""

    def write(name, rows, models, *, neurons=True):
        cells = cells_of(rows)
        totals = rows.groupby("neuron", sort=True).agg(
            exposure=("exposure", "sum"), count=("count", "sum"), n_trials=("count", "size")
        ).reset_index()  # fmt: skip
        parts = []
        for label, density in models.items():
            each = cells.assign(
                left_out="trial", session=None, log_density=density(cells), model=label
            )
            whole = totals.assign(
                left_out="neuron", session=None, condition=None, model=label,
                log_density=-2.0 * totals["count"] if neurons else np.nan,
            )  # fmt: skip
            parts += [each, whole]
        folder = tmp_path / name
        folder.mkdir()
        pd.concat(parts).to_parquet(folder / "left_out.parquet")
        kinds = {"trial": {"pareto_k": 0.2, "is_doubtful": False}}
        if neurons:
            kinds["neuron"] = {"pareto_k": None, "is_doubtful": False}
        summary = [{"label": m, "converged": True, "elpd": kinds} for m in models]
        (folder / "summary.json").write_text(json.dumps({"models": summary}))
        return folder

    return write


def constant(value):
    """Predict every trial with the same log density."""
    return lambda cells: np.full(len(cells), value)


def by_count(cells):
    """Predict long counts worse."""
    return -1.0 - 0.3 * cells["count"].to_numpy()


def test_sums_and_differences(store):
    """Of 4 trials of 3 neurons: −12 and −12 − 0.3 × 15 nats; all neurons alike, so no error."""
    run = store("run", trials(), {"A": by_count, "B": constant(-1.0)})
    best, other = (each for each in compare_models(read_models([run])) if each.left_out == "trial")
    assert (best.model, best.elpd, best.behind) == ("B", -12.0, 0.0)
    assert other.elpd == pytest.approx(-16.5)
    assert other.behind == pytest.approx(4.5)
    assert other.behind_se == pytest.approx(0, abs=1e-12)
    assert best.stacking_weight == pytest.approx(1)


def test_runs_with_and_without_conditions_are_paired(store):
    """Trials of one count under two conditions are one cell of the other run."""
    merged = store("merged", trials(), {"A": constant(-1.0)})
    divided = store("divided", trials(("x", "y")), {"A": constant(-1.5)})
    rows = [r for r in compare_models(read_models([merged, divided])) if r.left_out == "trial"]
    assert [row.run for row in rows] == [str(merged), str(divided)]
    assert [row.elpd for row in rows] == [-12.0, -18.0]
    assert [row.stacking_weight for row in rows] == pytest.approx([1, 0])


def test_conditions_that_divide_differently_have_no_weights(store):
    """Their sums stand."""
    one = store("one", trials(("x", "y")), {"A": constant(-1.0)})
    two = store("two", trials(("p", "q", "r", "s")), {"A": constant(-1.5)})
    rows = [r for r in compare_models(read_models([one, two])) if r.left_out == "trial"]
    assert [row.elpd for row in rows] == [-12.0, -18.0]
    assert np.isnan([row.stacking_weight for row in rows]).all()


@pytest.mark.parametrize("counts", [(1, 2, 2, 1), (1, 2, 2), (1, 1, 3, 0)])
def test_different_data_are_refused(store, counts):
    """Other counts, fewer trials, and other counts of the same number and sum."""
    runs = [
        store("one", trials(), {"A": constant(-1.0)}),
        store("two", trials(counts=counts), {"A": constant(-1.0)}),
    ]
    with pytest.raises(BadDataError, match=r"fits of different data: neuron '007' has 4 trials"):
        compare_models(read_models(runs))


def test_models_by_draws_are_compared_by_trials_alone(store):
    """They leave no neuron out."""
    run = store("run", trials(), {"A": by_count}, neurons=False)
    assert {each.left_out for each in compare_models(read_models([run]))} == {"trial"}


def test_folder_without_results(tmp_path):
    """Nothing, or what another version wrote."""
    with pytest.raises(NoInputError, match="holds no predictions of left-out trials"):
        read_models([tmp_path])
    (tmp_path / "summary.json").write_text('{"models": []}')
    pd.DataFrame({"neuron": ["a"]}).to_parquet(tmp_path / "left_out.parquet")
    with pytest.raises(BadDataError, match="cannot be read") as caught:
        read_models([tmp_path])
    assert "\n  →" in str(caught.value)
    assert str(caught.value).count("\n") == 1


def test_shape_without_a_number_is_infinite(store):
    """JSON has none for a k̂ that is not defined: such a model is in doubt, one without k̂ is not."""
    folder = store("a", trials(), {"NB2 partial": constant(-1.0)})
    path = folder / "summary.json"
    summary = json.loads(path.read_text())
    summary["models"][0]["elpd"]["trial"] = {"pareto_k": None, "is_doubtful": True}
    path.write_text(json.dumps(summary))
    trial, neuron = compare_models(read_models([folder]))
    assert np.isposinf(trial.pareto_k)
    assert trial.is_doubtful
    assert np.isnan(neuron.pareto_k)
    assert not neuron.is_doubtful


def test_sessions_are_the_units_of_errors_where_a_fit_knows_them(store):
    """In every model, also of fits that do not: K/(K − 1) Σ of the squares of their sums."""

    def density(cells):
        of = {"NA": -2.0, "007": -1.0, "n3": -1.0}
        return cells["neuron"].map(of)

    plain, told = store("a", trials(), {"A": density}), store("b", trials(), {"B": density})
    path = told / "left_out.parquet"
    rows = pd.read_parquet(path)
    rows["session"] = rows["neuron"].map({"NA": "s1", "007": "s2", "n3": "s2"})
    rows.to_parquet(path)
    alone, _ = compare_models(read_models([plain]))
    assert alone.elpd_se > 1
    both = [each for each in compare_models(read_models([plain, told])) if each.left_out == "trial"]
    deviations = np.array([-8.0, -4.0, -4.0]) + 16 / 3
    by_session = np.array([deviations[0], deviations[1:].sum()])
    for each in both:
        assert each.elpd_se == pytest.approx(np.sqrt(2 * np.sum(by_session**2)))


def test_conditions_with_the_same_labels_are_not_paired(store):
    """Stimulus and choice, both left or right: the one's cells are all in the other, not alike."""
    labels = ("left", "right")
    stimulus = trials(labels, counts=(1, 2, 1, 2, 2, 1))
    choice = trials(labels, counts=(1, 2, 1, 2, 2, 1))
    chosen_side = ["left", "left", "right", "left", "right", "right"]
    choice["condition"] = np.tile(chosen_side, len(NEURONS))
    folders = [store(n, t, {n: constant(-1.0)}) for n, t in (("s", stimulus), ("c", choice))]
    for chosen in (folders, folders[::-1]):
        compared = compare_models(read_models(chosen))
        weights = [each.stacking_weight for each in compared if each.left_out == "trial"]
        assert np.isnan(weights).all()

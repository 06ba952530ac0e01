"""`spikepool compare` tells which model predicts best, of one fit or of several."""

import json

import pytest


def test_models_of_one_fit(spikepool, fit):
    """The best first, with what is left out in words."""
    ended = spikepool("compare", fit.out)
    assert ended.code == 0
    assert ended.out.startswith("one trial left out at a time")
    rows = [line for line in ended.out.splitlines() if "±" in line]
    assert len(rows) >= 1
    assert str(fit.out) not in ended.out


def test_json_holds_every_number(spikepool, fit):
    """Undefined ones are null."""
    found = json.loads(spikepool("compare", fit.out, "--json").out)["models"]
    of_trials = [each for each in found if each["left_out"] == "trial"]
    assert [each["elpd"] for each in of_trials] == sorted(
        (each["elpd"] for each in of_trials), reverse=True
    )
    assert sum(each["stacking_weight"] for each in of_trials) == pytest.approx(1)
    assert of_trials[0]["behind"] == 0


def test_same_run_twice(spikepool, fit):
    """Named twice by mistake, by another path too."""
    ended = spikepool("compare", fit.out, fit.out / "plots" / "..")
    assert (ended.code, ended.out) == (2, "")
    assert "named twice" in ended.err


def test_folder_without_results(spikepool, tmp_path):
    """One message, with the folder's name."""
    ended = spikepool("compare", tmp_path)
    assert ended.code == 66
    assert ended.err.startswith(f"spikepool: {tmp_path} holds no predictions of left-out trials\n")

"""The summary says what the results say, and is JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spikepool.config import RunConfig
from spikepool.posterior.mixing import ParameterDiagnostics
from spikepool.report.summary import summarise_run

CONFIG = RunConfig()


@pytest.fixture
def summary(run):
    """Return the summary of the small run."""
    return summarise_run(run, CONFIG, 11.23456)


def test_is_json_without_nan(summary):
    """A strict reader gets back the same."""
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_numbers_that_are_not_finite_are_none(run):
    """A quantity that never varied has no R-hat; JSON has no NaN."""
    mixing = ParameterDiagnostics("mu", ("",), *np.array([[np.nan], [np.nan], [np.inf]]))
    first = run.models[0]
    stuck = replace(first, convergence=replace(first.convergence, parameters=(mixing,)))
    summary = summarise_run(replace(run, models=(stuck, *run.models[1:])), CONFIG, 1.0)
    assert summary["models"][0]["worst_r_hat"] is None
    assert summary["models"][0]["least_ess_tail"] is None
    json.dumps(summary, allow_nan=False)


def test_counts_what_was_read(summary):
    """Six neurons, one of them silent, 24 trials of half a second."""
    data = summary["data"]
    assert (data["neurons"], data["trials"], data["spikes"]) == (6, 24, 63)
    assert (data["silent_neurons"], data["one_trial_neurons"], data["few_trial_neurons"]) == (
        1,
        1,
        3,
    )
    assert (data["exposure_min"], data["exposure_max"], data["rate_unit"]) == (0.5, 0.5, "spikes/s")
    assert (data["groups"], data["conditions"], data["not_modelled"]) == (2, None, ["animal"])


def test_states_the_primary_model_and_every_headline(summary):
    """Typical rate and spread where a model has them, and what the sampler cost."""
    assert summary["primary"]["label"] == "NB2 partial"
    partial = summary["models"][3]
    assert partial["is_primary"]
    assert partial["population"][0]["typical_rate"] == {"median": 1.4, "lower": 1.2, "upper": 1.8}
    assert partial["population"][0]["typical_gain_sd"]["median"] == 1.4
    assert partial["dispersion_source"] == {"data": 2, "mixed": 2, "prior": 2}
    assert (partial["worst_r_hat"], partial["least_ess_bulk"]) == (1.003, 700.0)
    assert (partial["least_ess_tail"], partial["sampling_seconds"]) == (650.0, 2.5)
    none = summary["models"][1]
    assert none["population"] == []
    assert summary["models"][0]["dispersion_source"] is None


def test_says_what_pooling_did(run, summary):
    """Median own weight, how many neurons lean on the population, and which moved most."""
    weight = run.primary_model.estimates.own_weight.mean
    shrinkage = summary["shrinkage"]
    assert shrinkage["median_own_weight"] == np.median(weight)
    assert shrinkage["low_own_weight_neurons"] == 3
    moved = [each["neuron"] for each in shrinkage["most_moved"]]
    raw, mean = run.primary_model.estimates.rate_raw, run.primary_model.estimates.rate.mean
    change = {run.tally.neurons[i]: abs(np.log(mean[i] / raw[i])) for i in (0, 2, 3, 4, 5)}
    assert moved == sorted(change, key=change.get, reverse=True)


def test_counts_verdicts_of_neurons_that_can_have_one(summary):
    """Two of six neurons have no Fano factor and are not called undecided."""
    assert summary["fano"] == {
        "neurons": 4, "median_raw": 1.3, "over": 1, "poisson": 1, "under": 1, "undecided": 1,
        "fdr": 0.05,
    }  # fmt: skip


def test_a_failed_check_is_the_status_and_a_problem(run):
    """The model that failed is named."""
    first = run.models[0]
    failed = replace(first, convergence=replace(first.convergence, problems=("3 divergences",)))
    summary = summarise_run(replace(run, models=(failed, *run.models[1:])), CONFIG, 1.0)
    assert summary["status"] == "not_converged"
    assert summary["problems"] == ["Poisson partial: 3 divergences"]
    assert [model["converged"] for model in summary["models"]] == [False, True, True, True]

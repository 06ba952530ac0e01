"""The summary says what the results say, and is JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spikepool.config import RunConfig
from spikepool.data.spike_counts import Factor
from spikepool.diagnostics.comparison import score_models
from spikepool.posterior.mixing import ParameterDiagnostics
from spikepool.report.summary import summarise_run
from spikepool.report.tables import make_tables

CONFIG = RunConfig()


@pytest.fixture
def summary(run):
    """Return the summary of the small run."""
    return summarise_run(run, CONFIG, 11.23456)


def reconvergence(model, **changes):
    """Change what is known of the convergence of a model's one population."""
    (whole,) = model.groups
    return replace(
        model, groups=(replace(whole, convergence=replace(whole.convergence, **changes)),)
    )


def test_is_json_without_nan(summary):
    """A strict reader gets back the same."""
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_numbers_that_are_not_finite_are_none(run):
    """A quantity that never varied has no R-hat; JSON has no NaN."""
    mixing = ParameterDiagnostics("mu", ("",), *np.array([[np.nan], [np.nan], [np.inf]]))
    first = run.models[0]
    stuck = reconvergence(first, parameters=(mixing,))
    summary = summarise_run(replace(run, models=(stuck, *run.models[1:])), CONFIG, 1.0)
    assert summary["models"][0]["sampler"]["worst_r_hat"] is None
    assert summary["models"][0]["sampler"]["least_ess_tail"] is None
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
    assert partial["seconds"] == 3.75
    assert partial["sampler"] == {
        "divergences": 0, "least_bfmi": 0.8, "worst_r_hat": 1.003, "least_ess_bulk": 700.0,
        "least_ess_tail": 650.0, "gradient_evaluations": 12_345, "compile_seconds": 1.25,
        "sampling_seconds": 2.5,
    }  # fmt: skip
    assert (partial["certificate"], partial["elpd"], partial["cross_check"]) == (None, None, None)
    none = summary["models"][1]
    assert none["population"] == []
    assert summary["models"][0]["dispersion_source"] is None


def test_tells_what_labels_explain_and_the_option_for_each(in_conditions):
    """Every test, with the numbers of the table; what is not defined is None."""
    conditioned = in_conditions(Factor("odour", ("a", "b", "c")))
    recognised = (*conditioned.counts.recognised, ("group", "area"))
    counts = replace(conditioned.counts, recognised=recognised)
    found = summarise_run(replace(conditioned, counts=counts), CONFIG, 1.0)["labels"]
    assert found[0] == {
        "label": "stim", "quantity": "dispersion_share", "option": "--condition odour,stim",
        "levels": 3, "neurons": 4, "estimate": 0.75, "estimate_se": 0.05, "pvalue": 0.002,
        "pvalue_adjusted": 0.004, "noticed": True,
    }  # fmt: skip
    assert found[2] == {
        "label": "animal", "quantity": "log_rate_mean", "option": "--group area,animal",
        "levels": 2, "neurons": 6, "estimate": 0.9, "estimate_se": None, "pvalue": 0.01,
        "pvalue_adjusted": 0.04, "noticed": True,
    }  # fmt: skip
    undefined = [found[1]["estimate"], found[1]["pvalue"], found[3]["estimate"]]
    assert undefined == [None] * 3
    assert [each["noticed"] for each in found] == [True, False, True, False]
    table = make_tables(conditioned)["labels"].to_pylist()
    for each in found:
        del each["option"]
    assert found == table


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
    failed = reconvergence(first, problems=("3 divergences",))
    summary = summarise_run(replace(run, models=(failed, *run.models[1:])), CONFIG, 1.0)
    assert summary["status"] == "not_converged"
    assert summary["problems"] == ["Poisson partial: 3 divergences"]
    assert [model["converged"] for model in summary["models"]] == [False, True, True, True]


class TestCollapsed:
    """A run without chains."""

    @pytest.fixture
    def models(self, collapsed_run):
        """Return the models of the summary."""
        return summarise_run(collapsed_run, CONFIG, 1.0)["models"]

    def test_certificate_stands_in_place_of_the_sampler(self, models):
        """The worst error of any neuron, and the sample of the hyperparameters."""
        assert [model["sampler"] for model in models] == [None] * 4
        assert models[3]["certificate"] == {
            "quadrature_error": 4e-7, "pareto_k": 0.25, "ess": 1234.5, "outside": 0.0,
            "r_hat": None,
        }  # fmt: skip

    def test_certificate_has_only_what_was_done(self, models):
        """No importance sample without pooling, no quadrature where all neurons are one."""
        assert models[1]["certificate"]["pareto_k"] is None
        assert models[1]["certificate"]["quadrature_error"] == 4e-7
        assert models[2]["certificate"]["quadrature_error"] is None
        assert models[2]["certificate"]["pareto_k"] == 0.25

    def test_scores_are_sums_over_neurons_and_their_differences(self, collapsed_run, models):
        """Of trials and of neurons, with their errors; the primary is its own zero."""
        ours, others = (collapsed_run.models[i].leave_out for i in (3, 0))
        assert models[3]["elpd"]["trial"]["elpd"] == pytest.approx(ours.trial_by_neuron.sum())
        assert models[3]["elpd"]["trial"]["difference"] == 0
        assert models[3]["elpd"]["neuron"]["pareto_k"] == 0.45
        assert not models[3]["elpd"]["neuron"]["is_doubtful"]
        gap = others.neuron - ours.neuron
        assert models[0]["elpd"]["neuron"]["difference"] == pytest.approx(gap.sum())
        error = np.sqrt(6) * gap.std(ddof=1)
        assert models[0]["elpd"]["neuron"]["difference_se"] == pytest.approx(error)

    def test_cross_check_is_told_where_there_was_one(self, models):
        """The largest difference, where it is, and the verdict."""
        assert [model["cross_check"] is None for model in models] == [True, True, True, False]
        assert models[3]["cross_check"] == {
            "engine": "nuts", "parameter": "theta", "quantity": "upper", "neuron": "NA",
            "difference": 0.0312, "standard_error": 0.0071, "beyond": 2, "compared": 36,
            "agrees": False,
        }  # fmt: skip

    def test_scores_without_the_primarys_have_no_difference(self, collapsed_run):
        """The primary model was sampled by NUTS, the others were not; JSON has no NaN."""
        models = (*collapsed_run.models[:-1], replace(collapsed_run.models[-1], leave_out=None))
        left_out = [(m.spec, m.leave_out) for m in models]
        scores = score_models(left_out, collapsed_run.primary, collapsed_run.tally)
        found = summarise_run(replace(collapsed_run, models=models, scores=scores), CONFIG, 1.0)
        assert found["models"][3]["elpd"] is None
        assert found["models"][0]["elpd"]["trial"]["difference"] is None
        assert found["models"][0]["elpd"]["trial"]["elpd"] < 0
        json.dumps(found, allow_nan=False)

    def test_failed_certificate_is_the_status_and_a_problem(self, make_collapsed_run):
        """Of every model that failed."""
        failed = make_collapsed_run(problems=("half of it lies elsewhere",))
        found = summarise_run(failed, CONFIG, 1.0)
        assert found["status"] == "not_converged"
        assert found["problems"][0] == "Poisson partial: half of it lies elsewhere"
        assert not any(model["converged"] for model in found["models"])

"""Which models of estimates are fitted, what is refused, and the models in words."""

import numpy as np
import pytest

from spikepool.config import ModelOptions
from spikepool.config_file import resolve_config
from spikepool.data.estimates import Estimates
from spikepool.data.spike_counts import Labels
from spikepool.errors import NotIdentifiableError, UsageError
from spikepool.models.kind import reads_estimates
from spikepool.models.normal_plan import describe_normal_model, plan_normal_models

NINE = Estimates(tuple("abcdefghi"), np.arange(9.0), np.ones(9))
ONE = Estimates(("a",), np.ones(1), np.ones(1))


def plan(estimates=NINE, **options):
    """Plan with these model options."""
    return plan_normal_models(ModelOptions(family=("normal",), **options), estimates)


def codes(planned):
    """Return the codes of a plan's notices."""
    return [notice.code for notice in planned.notices]


def test_all_poolings_by_default():
    """The partial one is primary."""
    planned = plan()
    assert [spec.name for spec in planned.specs] == [
        "normal-none", "normal-complete", "normal-partial",
    ]  # fmt: skip
    assert planned.primary.name == "normal-partial"
    assert not planned.notices


def test_primary_is_chosen_by_name():
    """As family:pooling; another is a usage error that lists the models."""
    assert plan(primary="normal:none").primary.pooling == "none"
    with pytest.raises(UsageError, match="normal:none, normal:complete, normal:partial"):
        plan(primary="normal:some")


def test_one_neuron_is_no_population():
    """Left out of the default, refused when asked for, fitted and marked when insisted on."""
    left = plan(ONE)
    assert [spec.pooling for spec in left.specs] == ["none", "complete"]
    assert (codes(left), left.primary.pooling) == (["partial-left-out"], "none")
    with pytest.raises(NotIdentifiableError, match="τ"):
        plan(ONE, pooling=("partial",))
    assert codes(plan(ONE, pooling=("partial",), allow_unidentified=True)) == ["not-identified"]


def test_few_neurons_and_groups_are_told():
    """Both are notices."""
    four = Estimates(
        tuple("abcd"), np.zeros(4), np.ones(4), Labels("area", ("V1", "V2"), np.array([0, 1, 0, 1]))
    )
    assert codes(plan(four)) == ["groups-merged", "few-neurons"]


def test_a_student_t_population_is_of_partial_pooling():
    """Others have none; alone they refuse it."""
    planned = plan(population="student-t")
    assert [spec.population for spec in planned.specs] == ["normal", "normal", "student-t"]
    with pytest.raises(UsageError, match="only partial pooling"):
        plan(population="student-t", pooling=("none",))


def test_a_prior_that_no_model_has_is_told():
    """Such as a gain sd."""
    assert codes(plan(prior=("gain_sd=half-normal(1)",))) == ["prior-unused"]
    assert codes(plan(prior=("theta=normal(0, 9)",), pooling=("partial",))) == ["prior-unused"]


class TestKindOfTable:
    """Estimates or counts."""

    def test_the_family_decides(self):
        """Only normal reads estimates."""
        assert reads_estimates(resolve_config({}, {"model": {"family": "normal"}}))
        assert not reads_estimates(resolve_config({}, {}))
        assert not reads_estimates(resolve_config({}, {"model": {"family": "poisson,nb1"}}))

    @pytest.mark.parametrize(
        ("settings", "match"),
        [
            ({"model": {"family": "normal,nb2"}}, "one kind of table"),
            ({"input": {"estimate": "x"}}, "--estimate names"),
            ({"input": {"standard_error": "x"}}, "--standard-error names"),
            ({"model": {"family": "normal", "dispersion_pooling": "none"}}, "no dispersion"),
            ({"model": {"family": "normal", "population": "gamma"}}, "any sign"),
            ({"model": {"family": "normal"}, "report": {"fano_ddof": 0}}, "--fano-ddof"),
            ({"model": {"family": "normal"}, "report": {"fano_threshold": 2}}, "--fano-threshold"),
            ({"model": {"family": "normal"}, "report": {"fdr": 0.1}}, "--fdr"),
            ({"model": {"family": "normal"}, "input": {"within": "animal"}}, "--within belongs"),
            ({"model": {"family": "normal"}, "input": {"session": "day"}}, "--session belongs"),
            ({"model": {"family": "normal", "condition_effects": True}}, "--condition-effects bel"),
        ],
    )
    def test_what_does_not_go_together(self, settings, match):
        """Usage errors that name the option."""
        with pytest.raises(UsageError, match=match):
            reads_estimates(resolve_config({}, settings))


def test_models_in_words():
    """Likelihood, pooling, and the priors that are used."""
    planned = plan(prior=("tau=inverse-gamma(2, 3)",))
    none, complete, partial = (describe_normal_model(s, planned.priors) for s in planned.specs)
    assert none.splitlines() == [
        "Normal none",
        "  estimates   x_i ~ normal(θ_i, σ_i), σ_i the standard error",
        "  pooling     θ_i ~ normal(4, 27.39) for each neuron, fixed: no pooling",
    ]
    assert complete.splitlines()[2:] == [
        "  pooling     θ_i = μ: complete pooling", "  priors      μ ~ normal(4, 27.39)",
    ]  # fmt: skip
    assert partial.splitlines()[2:] == [
        "  pooling     θ_i ~ normal(μ, τ): partial pooling",
        "  priors      μ ~ normal(4, 27.39)",
        "              τ² ~ inverse-gamma(2, 3)",
    ]

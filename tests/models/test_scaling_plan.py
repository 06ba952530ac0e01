"""Gains that time draws anew: planned, told, and refused where no model has them."""

import numpy as np
import pytest

from spikepool.config import ModelOptions, ReportOptions, RunConfig
from spikepool.errors import UsageError
from spikepool.models.kind import reads_estimates
from spikepool.models.plan import plan_models

COUNTS = [[8, 9, 16, 12, 7, 15, 11]] * 6
SEVERAL = [[0.25, 0.25, 1.0, 1.0, 0.5, 0.5, 0.7]] * 6


@pytest.fixture
def plan(build_tally):
    """Return a function from exposures and options to the plan, with the scaling ``duration``."""

    def make(exposure=SEVERAL, **options):
        asked = ModelOptions(**{"dispersion_scaling": "duration", **options})
        return plan_models(asked, build_tally(COUNTS, exposure))

    return make


def told(plan):
    """Return the notices of a plan by their codes."""
    return {notice.code: notice.message for notice in plan.notices}


def test_nb2_has_the_mean_exposure_of_all_trials(plan):
    """4.2 s in 7 trials; Poisson is as ever, without a word about it."""
    made = plan(pooling="partial")
    poisson, nb2 = made.specs
    assert (poisson.name, nb2.name) == ("poisson-partial", "nb2-partial-duration")
    assert poisson.reference_exposure is None
    assert nb2.reference_exposure == pytest.approx(0.6)
    assert made.primary == nb2
    assert {*told(made)} == {"reference-exposure"}
    assert "0.6 s" in told(made)["reference-exposure"]


def test_default_is_one_gain_in_each_trial(plan):
    """Nothing is said, and no model has a reference exposure."""
    made = plan(dispersion_scaling="trial", family="nb2")
    assert not made.notices
    assert all(spec.reference_exposure is None for spec in made.specs)


@pytest.mark.parametrize("exposure", [0.1, 1 / 3, 7.0])
def test_equal_exposures_are_said_once_to_be_one_model(plan, exposure):
    """The reference is that exposure, without rounding."""
    made = plan(exposure, family="nb2")
    assert {spec.reference_exposure for spec in made.specs} == {exposure}
    assert [notice.code for notice in made.notices] == ["one-exposure"]


def test_nb1_is_fitted_as_ever_and_named(plan):
    """Its Fano factor is the same at any exposure."""
    made = plan(family="nb2,nb1", pooling="partial", allow_unidentified=True)
    assert [spec.name for spec in made.specs] == ["nb2-partial-duration", "nb1-partial"]
    assert told(made)["scaling-left-out"].endswith("fitted without it: NB1 partial")


@pytest.mark.parametrize("family", ["poisson", "nb1", "poisson,nb1"])
def test_without_nb2_it_is_refused(plan, family):
    """As options are that no model can use."""
    with pytest.raises(UsageError, match="only NB2 has a gain") as error:
        plan(family=family)
    assert "--family nb2" in error.value.hint


def test_estimates_have_no_gain():
    """Refused beside ``--family normal``."""
    model = ModelOptions(family="normal", dispersion_scaling="duration")
    with pytest.raises(UsageError, match="--dispersion-scaling"):
        reads_estimates(RunConfig(model=model, report=ReportOptions()))


@pytest.mark.parametrize("scaling", ["trial", "duration"])
def test_exposures_tell_nb1_from_nb2_only_if_each_trial_has_one_gain(plan, scaling):
    """With gains that time draws anew both have one Fano factor per neuron."""
    made = plan(family="nb2,nb1", pooling="partial", dispersion_scaling=scaling)
    assert ("one-rate-each" in told(made)) == (scaling == "duration")
    assert "one-mean-each" not in told(made)


def test_conditions_tell_them_apart(build_counts):
    """At several rates a Fano factor of NB2 is not one number."""
    from spikepool.data.tally import tally_counts

    condition = [[0, 1, 0, 1, 0, 1, 0]] * 6
    tally = tally_counts(build_counts(COUNTS, SEVERAL, condition))
    options = ModelOptions(family="nb2,nb1", pooling="partial", dispersion_scaling="duration")
    made = plan_models(options, tally)
    assert not {"one-mean-each", "one-rate-each"} & {*told(made)}
    assert made.specs[0].is_tuned
    assert made.specs[0].reference_exposure == pytest.approx(np.mean(SEVERAL))

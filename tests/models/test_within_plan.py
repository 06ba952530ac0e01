"""Labels within groups: which form they have, and what a design with them cannot tell."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.config import EngineOptions, ModelOptions
from spikepool.errors import NotIdentifiableError, UsageError
from spikepool.models.plan import plan_models, refuse_collapsed
from spikepool.models.within_plan import form_of_labels

AREA = [0, 0, 0, 0, 1, 1, 1, 1]
CROSSED = [0, 0, 1, 1, 1, 1, 2, 2]
NESTED = [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.fixture
def labelled(build_tally):
    """Return a function from the neurons' animals (and areas) to their tally."""

    def make(animal, area=AREA):
        labels = tuple(f"m{k}" for k in range(max(animal) + 1))
        return replace(
            build_tally([[1, 2, 0]] * len(animal)),
            group=np.array(area),
            groups=("V1", "V2"),
            within=np.array(animal),
            within_labels=labels,
        )

    return make


def plan(tally, **options):
    """Plan the models of a tally."""
    return plan_models(ModelOptions(**options), tally)


def message(made, code):
    """Return the one notice of a code."""
    (found,) = (notice.message for notice in made.notices if notice.code == code)
    return found


def test_only_partially_pooled_models_have_labels(labelled):
    """The others are fitted as without them, and a notice names them."""
    made = plan(labelled(CROSSED), family="nb2")
    assert [spec.name for spec in made.specs] == ["nb2-none", "nb2-complete", "nb2-partial-crossed"]
    assert made.primary.within == "crossed"
    assert message(made, "within-left-out") == (
        "--within is of partial pooling; fitted without it: NB2 none, NB2 complete"
    )
    assert not [n for n in plan(labelled(CROSSED), pooling="partial").notices if "left" in n.code]


def test_form_follows_from_the_table(labelled, build_tally):
    """Crossed where an animal is in two areas, nested where none is."""
    crossed, nested = (plan(labelled(of), pooling="partial") for of in (CROSSED, NESTED))
    assert {spec.within for spec in crossed.specs} == {"crossed"}
    assert {spec.within for spec in nested.specs} == {"nested"}
    assert message(crossed, "labels-within").startswith("1 of 3 labels within groups stand in sev")
    assert message(nested, "labels-within").startswith("each of 4 labels within groups stands in")
    assert form_of_labels(build_tally([[1, 2]])) is None


def test_few_labels_are_named_with_their_numbers(labelled):
    """With less than five animals the priors of the sds decide the width of contrasts."""
    area, animal = [0] * 4 + [1] * 5, [0, 1, 2, 2, 0, 1, 2, 3, 4]
    text = message(plan(labelled(animal, area), pooling="partial"), "few-labels")
    assert text.startswith("fewer than 5 labels within a group say little")
    assert text.endswith("the group's mean and of its contrasts are: V1 (3)")
    enough = plan(labelled([0, 1, 2, 3, 4] * 2, [0] * 5 + [1] * 5), pooling="partial")
    assert "few-labels" not in [notice.code for notice in enough.notices]


@pytest.mark.parametrize(
    ("animal", "text"),
    [(AREA, "every group has one label within it"), ([0] * 8, "all neurons have 'm0'")],
)
def test_labels_that_cannot_be_told_from_groups_are_refused(labelled, animal, text):
    """One animal in each area, or one in all: exit code 4, unless the user insists."""
    with pytest.raises(NotIdentifiableError, match=text) as caught:
        plan(labelled(animal))
    assert caught.value.exit_code == 4
    made = plan(labelled(animal), allow_unidentified=True)
    assert text in message(made, "not-identified")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"population": "gamma"}, "--population gamma with --within"),
        ({"pooling": "none,complete"}, "only partial pooling has populations"),
    ],
)
def test_models_without_populations_of_log_rates_are_refused(labelled, options, text):
    """Nothing has a mean that labels could shift."""
    with pytest.raises(UsageError, match=text) as caught:
        plan(labelled(CROSSED), **options)
    assert caught.value.hint


def test_no_engine_is_refused(labelled):
    """Labels within groups are integrated and sampled alike."""
    for spec in plan(labelled(CROSSED), family="poisson").specs:
        for engine in ("auto", "collapsed", "nuts"):
            refuse_collapsed(EngineOptions(engine=engine), spec)


def test_priors_of_the_sds_between_labels(labelled):
    """They can be given, and one that no model has changes nothing."""
    given = {"prior": ["within_sd=half-normal(0.2)", "interaction_sd=half-normal(0.1)"]}
    made = plan(labelled(NESTED), pooling="partial", **given)
    assert str(made.priors.within_sd) == "half-normal(0.2)"
    assert "interaction_sd=half-normal(0.1) changes nothing" in message(made, "prior-unused")

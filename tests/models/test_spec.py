"""Names and labels of models."""

import itertools
from dataclasses import replace

import pytest

from spikepool.models.spec import ModelSpec

POOLINGS = ("none", "complete", "partial")
CORE = [ModelSpec("poisson", pooling, None) for pooling in POOLINGS] + [
    ModelSpec(family, rate, dispersion)
    for family, rate, dispersion in itertools.product(("nb1", "nb2"), POOLINGS, POOLINGS)
]
ALL = CORE + [
    replace(spec, population=population)
    for population in ("student-t", "gamma")
    for spec in CORE
    if spec.pooling == "partial"
]


@pytest.mark.parametrize(
    ("spec", "name", "label"),
    [
        (ModelSpec("poisson", "none", None), "poisson-none", "Poisson none"),
        (ModelSpec("nb2", "partial", "partial"), "nb2-partial", "NB2 partial"),
        (
            ModelSpec("nb1", "partial", "complete"),
            "nb1-partial-complete",
            "NB1 partial (complete dispersion)",
        ),
        (
            ModelSpec("nb2", "partial", "partial", "student-t"),
            "nb2-partial-student-t",
            "NB2 partial (student-t population)",
        ),
        (
            ModelSpec("nb1", "partial", "none", "gamma"),
            "nb1-partial-none-gamma",
            "NB1 partial (none dispersion, gamma population)",
        ),
    ],
)
def test_name_and_label(spec, name, label):
    """A dispersion pooled like the rate is not named, nor a normal population."""
    assert (spec.name, spec.label) == (name, label)


def test_every_model_has_a_name_of_its_own():
    """The 21 models of the core, and 14 of other populations, have names safe for files."""
    assert (len(CORE), len(ALL)) == (21, 35)
    assert len({spec.name for spec in ALL}) == len({spec.label for spec in ALL}) == len(ALL)
    assert all(spec.name.replace("-", "").isalnum() for spec in ALL)


def test_poisson_and_only_poisson_has_no_dispersion():
    """A dispersion pooling without a dispersion, or the reverse, is refused."""
    with pytest.raises(ValueError, match="only Poisson"):
        ModelSpec("poisson", "none", "none")
    with pytest.raises(ValueError, match="only Poisson"):
        ModelSpec("nb2", "none", None)


def test_only_rates_that_differ_drift():
    """Blocks are told from conditions by the name of the spread, and by the model's own."""
    drifting = ModelSpec("nb2", "partial", "partial", condition_pooling="partial", drifting=True)
    assert (drifting.name, drifting.label) == (
        "nb2-partial-drifting",
        "NB2 partial (drifting rates)",
    )
    assert drifting.response_sd == "drift_sd"
    assert replace(drifting, drifting=False).response_sd == "tuning_sd"
    for pooling in (None, "complete"):
        with pytest.raises(ValueError, match="only rates that differ between blocks"):
            replace(drifting, condition_pooling=pooling)
    with pytest.raises(ValueError, match="only rates that differ between blocks"):
        replace(drifting, condition_effects=True)


@pytest.mark.parametrize("pooling", ["none", "complete"])
def test_only_partial_pooling_has_a_population(pooling):
    """Another population than the normal one is refused elsewhere."""
    with pytest.raises(ValueError, match="only partially pooled rates have a population"):
        ModelSpec("poisson", pooling, None, "gamma")

"""Names and labels of models."""

import itertools

import pytest

from spikepool.models.spec import ModelSpec

POOLINGS = ("none", "complete", "partial")
ALL = [ModelSpec("poisson", pooling, None) for pooling in POOLINGS] + [
    ModelSpec(family, rate, dispersion)
    for family, rate, dispersion in itertools.product(("nb1", "nb2"), POOLINGS, POOLINGS)
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
    ],
)
def test_name_and_label(spec, name, label):
    """A dispersion pooled like the rate is not named."""
    assert (spec.name, spec.label) == (name, label)


def test_every_model_has_a_name_of_its_own():
    """The 21 models of the core have 21 names and labels, safe as names of files."""
    assert len({spec.name for spec in ALL}) == len({spec.label for spec in ALL}) == len(ALL) == 21
    assert all(spec.name.replace("-", "").isalnum() for spec in ALL)


def test_poisson_and_only_poisson_has_no_dispersion():
    """A dispersion pooling without a dispersion, or the reverse, is refused."""
    with pytest.raises(ValueError, match="only Poisson"):
        ModelSpec("poisson", "none", "none")
    with pytest.raises(ValueError, match="only Poisson"):
        ModelSpec("nb2", "none", None)

"""What any choice of parametrisation must be, whatever rule makes it."""

import numpy as np
import pytest

from spikepool.errors import UsageError
from spikepool.models.parametrization import choose_parametrization
from spikepool.models.spec import ModelSpec

SPECS = [
    ModelSpec("poisson", "partial", None),
    ModelSpec("nb2", "partial", "partial"),
    ModelSpec("nb1", "partial", "complete"),
    ModelSpec("nb2", "complete", "partial"),
    ModelSpec("nb1", "none", "none"),
    ModelSpec("nb2", "partial", "partial", "student-t"),
]
GAMMA = ModelSpec("nb2", "partial", "partial", "gamma")
TABLES = {
    "mixed": [[0, 0, 0], [5, 9, 2, 4], [1], [600, 20, 3]],
    "one neuron": [[3, 1, 4]],
    "one neuron, one trial": [[2]],
    "one trial each": [[3], [0], [8]],
    "silent": [[0, 0], [0, 0, 0]],
    "one silent trial": [[0]],
    "constant": [[4, 4, 4], [4, 4, 4]],
    "far apart": [[0, 1], [100_000, 99_000]],
    "wild": [[0, 0, 0, 900], [0, 700, 0, 0]],
}


@pytest.mark.parametrize("choice", ["auto", "centered", "noncentered"])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("counts", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("exposure", [1e-3, 1.0, 1e4])
def test_weights_are_finite_and_within_zero_and_one(build_tally, counts, spec, choice, exposure):
    """One weight per neuron in [0, 1], for silent neurons, one neuron and one trial too."""
    chosen = choose_parametrization(spec, build_tally(counts, exposure), choice)
    for weight in (chosen.rate, chosen.dispersion):
        assert weight.shape == (len(counts),)
        assert np.isfinite(weight).all()
        assert (weight >= 0).all()
        assert (weight <= 1).all()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize(("choice", "weight"), [("centered", 1.0), ("noncentered", 0.0)])
def test_forced_choices(build_tally, spec, choice, weight):
    """`centered` and `noncentered` are what they say for every neuron."""
    chosen = choose_parametrization(spec, build_tally(TABLES["mixed"]), choice)
    assert chosen.rate.tolist() == chosen.dispersion.tolist() == [weight] * 4


def test_more_data_means_more_centring(build_tally):
    """Of two neurons of one rate, the one with more trials is centred at least as much."""
    rng = np.random.default_rng(2)
    counts = [rng.poisson(m, n) for m in (2.0, 3.0, 6.0, 9.0) for n in (2, 200)]
    for spec in SPECS[:2]:
        rate = choose_parametrization(spec, build_tally(counts)).rate
        assert (rate[1::2] >= rate[::2]).all()


@pytest.mark.parametrize("choice", ["auto", "centered"])
def test_rates_of_a_gamma_population_are_sampled_as_they_are(build_tally, choice):
    """Weight 1 of every rate; dispersions are centred as with any other population."""
    tally = build_tally(TABLES["mixed"])
    chosen = choose_parametrization(GAMMA, tally, choice)
    other = choose_parametrization(SPECS[1], tally, choice)
    assert chosen.rate.tolist() == [1.0] * 4
    np.testing.assert_array_equal(chosen.dispersion, other.dispersion)


def test_gamma_population_cannot_be_noncentred(build_tally):
    """It is no location-scale family; the message names a way out."""
    with pytest.raises(UsageError, match="gamma population has no such form") as refused:
        choose_parametrization(GAMMA, build_tally(TABLES["mixed"]), "noncentered")
    assert "--population normal" in refused.value.hint

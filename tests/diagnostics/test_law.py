"""The law of the variance: named where one family leads surely, refused where none can."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.diagnostics.law import LEAST_RATIO, NEXT_TO_NOTHING, infer_law
from spikepool.models.spec import ModelSpec
from spikepool.posterior.quadrature import LeaveOut

SPECS = {
    family: ModelSpec(family, "partial", None if family == "poisson" else "partial")
    for family in ("poisson", "nb1", "nb2")
}
N = 100


@pytest.fixture
def tally(build_tally):
    """Return neurons of two trials, one twice as long as the other."""
    counts = np.random.default_rng(1).poisson(5, (N, 2))
    return build_tally(counts, exposure=np.tile([1.0, 2.0], (N, 1)))


def fitted(tally, **per_neuron):
    """Return models whose neurons are predicted so well, in nats, give or take 0.1."""
    rng = np.random.default_rng(2)
    models = []
    for family, nats in per_neuron.items():
        own = nats + rng.normal(0, 0.1, tally.n_neurons)
        cells = own[tally.neuron] / np.bincount(tally.neuron)[tally.neuron]
        left_out = LeaveOut(cells, own, own, 0.1, 0.1)
        models.append((SPECS[family], left_out))
    return models


def law_of(tally, **per_neuron):
    """Return the law of the whole table."""
    return infer_law(fitted(tally, **per_neuron), SPECS["nb2"], tally)[0]


@pytest.mark.parametrize("best", ["nb1", "nb2"])
def test_family_that_leads_surely_is_the_law(tally, best):
    """By 0.5 nats a neuron."""
    nats = {"poisson": -9.0, "nb1": -5.5, "nb2": -5.5} | {best: -5.0}
    law = law_of(tally, **nats)
    assert law.law == best
    assert law.telling == N
    behind = {each.spec.family: each.behind for each in law.families}
    assert behind[best] == 0
    assert behind["poisson"] == pytest.approx(4 * N, abs=5)
    assert sum(each.weight for each in law.families) == pytest.approx(1)


def test_negative_binomials_alike_are_not_chosen_between(tally):
    """Both far before Poisson."""
    assert law_of(tally, poisson=-9, nb1=-5, nb2=-5).law == "nb"


def test_poisson_where_dispersion_wins_next_to_nothing(tally):
    """Families contain Poisson, so that they predict Poisson counts as well."""
    assert law_of(tally, poisson=-5, nb1=-5.01, nb2=-5.01).law == "poisson"


def test_undecided_where_it_might_win_more(tally):
    """A lead that is not sure, and not negligible."""
    models = fitted(tally, poisson=-5, nb1=-5, nb2=-5)
    rng = np.random.default_rng(3)
    noisy = [
        (spec, replace(of, trial_by_neuron=of.trial_by_neuron + rng.normal(0, 3, N)))
        for spec, of in models
    ]
    assert infer_law(noisy, SPECS["nb2"], tally)[0].law == "undecided"
    assert 3 * np.sqrt(N) > NEXT_TO_NOTHING * N


def test_one_mean_per_neuron_tells_no_law(build_tally):
    """However far NB1 leads: it differs from NB2 in what is pooled only."""
    ratio = 0.98 * LEAST_RATIO
    tally = build_tally(np.ones((N, 2), dtype=int), exposure=np.tile([1.0, ratio], (N, 1)))
    law = law_of(tally, poisson=-9, nb1=-4, nb2=-5)
    assert (law.law, law.telling) == ("nb", 0)


def test_conditions_tell_it_where_the_models_know_them(build_tally):
    """Merged conditions are one mean."""
    tally = build_tally([[1, 2]] * N, condition=[[0, 1]] * N)
    merged = infer_law(fitted(tally, poisson=-9, nb1=-4, nb2=-5), SPECS["nb2"], tally)[0]
    assert merged.telling == 0
    tuned = {f: replace(spec, condition_pooling="partial") for f, spec in SPECS.items()}
    models = [(tuned[spec.family], of) for spec, of in fitted(tally, poisson=-9, nb1=-4, nb2=-5)]
    law = infer_law(models, tuned["nb2"], tally)[0]
    assert (law.law, law.telling) == ("nb1", N)


def test_exposures_tell_nothing_where_time_draws_gains_anew(tally):
    """NB2 then has one Fano factor at every exposure, as NB1 has."""
    by_time = {**SPECS, "nb2": replace(SPECS["nb2"], reference_exposure=1.5)}
    models = [(by_time[s.family], of) for s, of in fitted(tally, poisson=-9, nb1=-4, nb2=-5)]
    law = infer_law(models, by_time["nb2"], tally)[0]
    assert (law.law, law.telling) == ("nb", 0)


def test_all_three_families_are_needed(tally):
    """And those pooled as the primary one."""
    assert infer_law(fitted(tally, poisson=-9, nb2=-5), SPECS["nb2"], tally) == ()
    models = fitted(tally, poisson=-9, nb1=-5, nb2=-5)
    other = [(replace(spec, pooling="none") if spec.family == "nb1" else spec, of)
             for spec, of in models]  # fmt: skip
    assert infer_law(other, SPECS["nb2"], tally) == ()


def test_groups_have_laws_of_their_own(tally):
    """The whole table first."""
    grouped = replace(tally, group=np.arange(N) % 2, groups=("V1", "V2"))
    laws = infer_law(fitted(tally, poisson=-9, nb1=-6, nb2=-5), SPECS["nb2"], grouped)
    assert [(law.group, law.neurons) for law in laws] == [("all", 100), ("V1", 50), ("V2", 50)]


def test_single_neuron_decides_nothing(build_tally):
    """There is no standard error."""
    tally = build_tally([[1, 2]], exposure=[[1.0, 2.0]])
    assert law_of(tally, poisson=-9, nb1=-5, nb2=-4).law == "undecided"

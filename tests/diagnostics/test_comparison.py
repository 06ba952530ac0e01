"""Scores of models: sums over neurons, differences from the primary one, and their errors."""

import numpy as np
import pytest

from spikepool.data.tally import Tally
from spikepool.diagnostics.comparison import by_neuron, score_models
from spikepool.models.spec import ModelSpec
from spikepool.posterior.quadrature import LeaveOut

POISSON, NB2, NB1 = (
    ModelSpec("poisson", "partial", None),
    ModelSpec("nb2", "partial", "partial"),
    ModelSpec("nb1", "none", "none"),
)
N = 400


def left_out(trials, neurons, trial_pareto_k=0.2, neuron_pareto_k=0.6):
    """Return densities of left-out trials, summed by neuron, and of neurons."""
    trials, neurons = (np.asarray(each, dtype=float) for each in (trials, neurons))
    return LeaveOut(trials, trials, neurons, trial_pareto_k, neuron_pareto_k)


def scored(models, primary, groups=None, session=None):
    """Score models of neurons with one trial each; `groups`: the group of every neuron."""
    n = next((len(of.neuron) for _, of in models if of is not None), 1)
    every, ones = np.arange(n), np.ones(n, dtype=np.int64)
    of_neuron = np.zeros(n, dtype=np.int64) if groups is None else np.asarray(groups)
    names = ("all",) if groups is None else ("V1", "V2")
    neurons = tuple(map(str, every))
    tally = Tally(
        neurons, every, 0 * ones, 1.0 * ones, ones, ones, of_neuron, ("all",), names, "spikes/trial"
    )
    return score_models(models, primary, tally, session)


@pytest.fixture
def fitted():
    """Return two models whose neurons share most of their luck, and one without scores."""
    rng = np.random.default_rng(1)
    shared = rng.normal(-50, 20, size=(2, N))
    worse = shared + rng.normal(-1, 0.5, size=(2, N))
    return [(POISSON, left_out(*worse)), (NB1, None), (NB2, left_out(*shared))]


def test_every_model_with_densities_is_scored_twice(fitted):
    """Trials first, models in the order fitted; NUTS leaves nothing out and is passed over."""
    found = [(each.left_out, each.spec) for each in scored(fitted, NB2)]
    assert found == [("trial", POISSON), ("trial", NB2), ("neuron", POISSON), ("neuron", NB2)]


def test_score_is_the_sum_and_its_error_that_of_independent_neurons(fitted):
    """The variance of a sum of N terms is N times that of one."""
    score = scored(fitted, NB2)[0]
    terms = fitted[0][1].trial_by_neuron
    assert score.elpd == pytest.approx(terms.sum())
    assert score.elpd_se == pytest.approx(np.sqrt(N * terms.var(ddof=1)))
    assert score.pareto_k == 0.2


def test_error_of_a_difference_pairs_the_neurons(fitted):
    """What both models find hard cancels: 0.5 √400 nats, and not 20 √800."""
    score = scored(fitted, NB2)[2]
    assert score.difference == pytest.approx(np.sum(fitted[0][1].neuron - fitted[2][1].neuron))
    assert score.difference < 0
    assert score.difference_se == pytest.approx(0.5 * np.sqrt(N), rel=0.2)  # 5 standard errors
    assert score.pareto_k == 0.6


def test_primary_is_its_own_zero(fitted):
    """No difference, and no error of it."""
    for score in scored(fitted, NB2)[1::2]:
        assert (score.spec, score.difference, score.difference_se) == (NB2, 0, 0)


def test_error_of_a_difference_covers_it():
    """Over 2,000 tables the standardised difference has a mean of 0 and an sd of 1, within 5 SE."""
    rng = np.random.default_rng(2)
    z = []
    for _ in range(2000):
        ours, theirs = rng.normal(size=(2, 60))
        models = [(POISSON, left_out(ours, ours)), (NB2, left_out(theirs, theirs))]
        score = scored(models, NB2)[0]
        z.append(score.difference / score.difference_se)
    assert abs(np.mean(z)) < 5 / np.sqrt(2000)
    assert abs(np.std(z) / np.sqrt(59 / 57) - 1) < 5 / np.sqrt(4000)  # t of 59 degrees


def test_without_the_primarys_densities_there_is_no_difference(fitted):
    """It was sampled by NUTS; the scores themselves stand."""
    for score in scored(fitted, NB1):
        assert np.isfinite([score.elpd, score.elpd_se]).all()
        assert np.isnan([score.difference, score.difference_se]).all()


def test_single_neuron_has_no_error():
    """Neurons are the units."""
    models = [(POISSON, left_out([-3.0], [-4.0])), (NB2, left_out([-2.0], [-2.5]))]
    score = scored(models, NB2)[0]
    assert (score.elpd, score.difference) == (-3.0, -1.0)
    assert np.isnan([score.elpd_se, score.difference_se]).all()


def test_densities_of_either_kind():
    """Summed over the neuron's trials, or of the neuron."""
    each = left_out([1, 2], [3, 4])
    np.testing.assert_array_equal(by_neuron(each, "trial"), [1, 2])
    np.testing.assert_array_equal(by_neuron(each, "neuron"), [3, 4])


def test_nothing_to_compare():
    """All by NUTS."""
    assert scored([(POISSON, None), (NB2, None)], NB2) == ()


def test_groups_are_scored_apart(fitted):
    """The whole table first, then each group: their sums add up to its sum."""
    scores = scored(fitted, NB2, np.arange(N) % 2)
    of_poisson = [s for s in scores if s.spec == POISSON and s.left_out == "trial"]
    assert [each.group for each in of_poisson] == ["all", "V1", "V2"]
    whole, *parts = (each.elpd for each in of_poisson)
    assert whole == pytest.approx(sum(parts))


def test_whole_neurons_are_not_left_out_of_draws():
    """Engine nuts: no score of neurons, and none to weigh."""
    sampled = left_out([-1.0, -2.0, -1.5], np.full(3, np.nan))
    kinds = {score.left_out for score in scored([(NB2, sampled)], NB2)}
    assert kinds == {"trial"}


def test_weights_of_what_is_scored(fitted):
    """Of each group and kind they sum to 1, and the better model has more."""
    for kind in ("trial", "neuron"):
        weights = {s.spec: s.weight for s in scored(fitted, NB2) if s.left_out == kind}
        assert sum(weights.values()) == pytest.approx(1)
        assert weights[NB2] > 0.9


def test_sessions_as_units(fitted):
    """Neurons that share their session's luck: 20 sums of 20 neurons, about their mean."""
    session = np.arange(N) % 20
    score = scored(fitted, NB2, session=session)[0]
    terms = fitted[0][1].trial_by_neuron
    sums = np.array([terms[session == each].sum() for each in range(20)])
    assert score.elpd_se == pytest.approx(np.sqrt(20 * sums.var(ddof=1)))
    gap = fitted[0][1].trial_by_neuron - fitted[2][1].trial_by_neuron
    sums = np.array([gap[session == each].sum() for each in range(20)])
    assert score.difference_se == pytest.approx(np.sqrt(20 * sums.var(ddof=1)))


def test_a_neuron_of_its_own_session_is_its_own_unit(fitted):
    """Then nothing changes."""
    assert scored(fitted, NB2, session=np.arange(N)) == scored(fitted, NB2)

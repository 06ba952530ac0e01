"""Left-out trials by importance against the closed form of gamma-Poisson neurons."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from spikepool.diagnostics.psis import (
    MOST_RANKED,
    MOST_REFITS,
    leave_out_trials,
    rank_left_out_trials,
)
from spikepool.models.parametrization import Parametrization
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import PosteriorDraws, SamplerStatistics
from spikepool.posterior.quadrature import MOST_PARETO_K

SHAPE, RATE = 2.0, 0.5
"""Of the gamma prior of every neuron's rate."""
DRAWS = 4000


def conjugate(tally, rng):
    """Return independent draws of the rates' gamma posteriors, given a gamma prior each."""
    n = tally.n_neurons
    rates = rng.gamma(
        SHAPE + tally.spike_count, 1 / (RATE + tally.total_exposure), (4, DRAWS // 4, n)
    )
    return PosteriorDraws(
        spec=ModelSpec("poisson", "none", None),
        engine="nuts",
        neurons=tally.neurons,
        population={},
        theta=np.log(rates),
        delta=None,
        parametrization=Parametrization(np.ones(n), np.ones(n)),
        sampler=SamplerStatistics(0, np.ones(1), 1, 0.0, 0.0),
    )


def few(draws, size):
    """Keep the first draws of every chain."""
    return replace(draws, theta=draws.theta[:, : size // 4])


def predictive(tally):
    """Return the distribution of a trial of every cell given all other trials, in closed form."""
    of = tally.neuron
    shape = SHAPE + tally.spike_count[of] - tally.count
    rate = RATE + tally.total_exposure[of] - tally.exposure
    return stats.nbinom(shape, rate / (rate + tally.exposure))


@pytest.fixture
def tally(build_tally):
    """Return five neurons of 2 to 40 trials, some of them long, one silent."""
    rng = np.random.default_rng(3)
    exposure = [rng.choice([0.5, 1.0, 2.0], size) for size in (2, 5, 10, 40, 20)]
    rates = (1.0, 3.0, 8.0, 20.0, 0.0)
    counts = [rng.poisson(rate * e) for rate, e in zip(rates, exposure, strict=True)]
    return build_tally(counts, exposure=exposure)


def test_densities_of_left_out_trials(tally):
    """Within 5 Monte Carlo standard errors of the negative binomial, at 4,000 draws.

    The error of a log density is near √(Var(1/p) / E(1/p)² / draws); 0.01 is added for the bias of
    smoothing. With some 60 cells a false alarm has a probability below 1e-4.
    """
    found = leave_out_trials(conjugate(tally, np.random.default_rng(5)), tally)
    exact = predictive(tally).logpmf(tally.count)
    rng = np.random.default_rng(6)
    rates = rng.gamma(SHAPE + tally.spike_count, 1 / (RATE + tally.total_exposure), (DRAWS, 5))
    inverse = 1 / stats.poisson.pmf(tally.count, rates[:, tally.neuron] * tally.exposure)
    error = inverse.std(axis=0) / inverse.mean(axis=0) / np.sqrt(DRAWS)
    assert np.all(np.abs(found.trial - exact) < 5 * error + 0.01)
    np.testing.assert_allclose(
        found.trial_by_neuron, tally.per_neuron(found.trial * tally.weight), rtol=1e-12
    )


BURST = 25
"""Beside rates of 3: weights of draws that saw it have k̂ near 1."""


@pytest.fixture
def bursting(build_tally):
    """Return two neurons, each with a burst, one of them with nothing else."""
    return build_tally([[3, 2, 4, 3, BURST], [BURST]])


def test_burst_is_bridged_from_draws_without_it(bursting):
    """Within 0.35 nats of the closed form, four Monte Carlo errors: false alarm 6e-5.

    Weights alone are a nat too high. Only the trial that they cannot leave out is fitted again.
    """
    rng = np.random.default_rng(7)
    asked = []

    def refit(less):
        asked.append(less)
        return conjugate(less, rng)

    draws = conjugate(bursting, rng)
    burst = int(np.flatnonzero((bursting.neuron == 0) & (bursting.count == BURST))[0])
    exact = predictive(bursting).logpmf(bursting.count)[burst]
    weighed, bridged = leave_out_trials(draws, bursting), leave_out_trials(draws, bursting, refit)
    assert weighed.trial_pareto_k > MOST_PARETO_K
    assert bridged.trial[burst] == pytest.approx(exact, abs=0.35)
    assert [less.spike_count.tolist() for less in asked] == [[12, BURST]]
    others = np.arange(len(weighed.trial)) != burst
    assert np.array_equal(bridged.trial[others], weighed.trial[others])
    assert bridged.trial_by_neuron[0] == pytest.approx(
        np.sum((bridged.trial * bursting.weight)[bursting.neuron == 0])
    )


def test_failed_fit_without_a_trial_leaves_the_weights(bursting):
    """And their k̂."""
    draws = conjugate(bursting, np.random.default_rng(7))
    weighed = leave_out_trials(draws, bursting)
    kept = leave_out_trials(draws, bursting, lambda _: None)
    assert np.array_equal(kept.trial, weighed.trial)
    assert kept.trial_pareto_k == weighed.trial_pareto_k


def test_draws_that_do_not_meet_leave_the_weights(bursting):
    """Of rates around 1e-9 the bridge has no error below a nat."""
    draws = conjugate(bursting, np.random.default_rng(7))
    weighed = leave_out_trials(draws, bursting)
    elsewhere = replace(draws, theta=np.random.default_rng(8).normal(-20, 0.1, draws.theta.shape))
    kept = leave_out_trials(draws, bursting, lambda _: elsewhere)
    assert np.array_equal(kept.trial, weighed.trial)


def test_uncertain_bridge_is_used_and_keeps_its_doubt(bursting):
    """Of few draws, with an error of 0.25 to 0.75 nats: better than weights, and not good."""
    rng = np.random.default_rng(10)
    draws = few(conjugate(bursting, rng), 100)
    weighed = leave_out_trials(draws, bursting)
    found = leave_out_trials(draws, bursting, lambda less: few(conjugate(less, rng), 100))
    burst = int(np.flatnonzero((bursting.neuron == 0) & (bursting.count == BURST))[0])
    exact = predictive(bursting).logpmf(bursting.count)[burst]
    assert found.trial_pareto_k == weighed.trial_pareto_k
    assert found.trial[burst] == pytest.approx(exact, abs=3)
    assert found.trial[burst] != weighed.trial[burst]


def test_at_most_four_trials_are_fitted_again(build_tally):
    """Those of the largest k̂."""
    tally = build_tally([[0, 1, 0, 1, 10 + 6 * i] for i in range(7)])
    rng, asked = np.random.default_rng(9), []

    def refit(less):
        asked.append(tally.count.sum() - less.count.sum())
        return conjugate(less, rng)

    found = leave_out_trials(conjugate(tally, rng), tally, refit)
    assert len(asked) == MOST_REFITS
    assert found.trial_pareto_k > MOST_PARETO_K


def test_whole_neurons_stay_unknown(tally):
    """A neuron's draws say nothing of it without its trials."""
    found = leave_out_trials(conjugate(tally, np.random.default_rng(5)), tally)
    assert np.isnan(found.neuron).all()
    assert np.isnan(found.neuron_pareto_k)
    assert found.trial_pareto_k < 1


def test_ranks_lie_within_the_steps_of_the_closed_form(tally):
    """Each between P(Y < y) and P(Y <= y), but for 0.03 of Monte Carlo error."""
    ranks = rank_left_out_trials(conjugate(tally, np.random.default_rng(5)), tally, seed=1)
    cells = np.repeat(np.arange(len(tally.count)), tally.weight)
    known = predictive(tally)
    upper = known.cdf(tally.count)[cells]
    lower = known.cdf(tally.count - 1)[cells]
    assert len(ranks) == len(cells)
    assert np.all((ranks > lower - 0.03) & (ranks < upper + 0.03))


def test_ranks_of_data_of_the_model_are_uniform(build_tally):
    """400 neurons with rates from the prior, 10 trials: Kolmogorov-Smirnov p above 1e-4."""
    rng = np.random.default_rng(8)
    rates = rng.gamma(SHAPE, 1 / RATE, (400, 1))
    tally = build_tally(rng.poisson(rates, (400, 10)))
    ranks = rank_left_out_trials(conjugate(tally, rng), tally, seed=2)
    assert len(ranks) == MOST_RANKED
    assert stats.kstest(ranks, "uniform").pvalue > 1e-4


def test_ranks_of_overdispersed_data_gather_at_both_ends(build_tally):
    """A Poisson model of counts with twice the variance."""
    rng = np.random.default_rng(9)
    tally = build_tally(rng.negative_binomial(10, 0.5, (50, 20)))
    ranks = rank_left_out_trials(conjugate(tally, rng), tally, seed=2)
    assert np.mean((ranks < 0.05) | (ranks > 0.95)) > 0.15

"""New weights for draws under another prior of τ, against closed forms."""

import numpy as np
import pytest
from scipy import stats

from spikepool.diagnostics.prior_sensitivity import (
    DrawnLogRates,
    LogRates,
    covers,
    reason_to_refit,
    refitted_log_rates,
    reweighted,
    reweighted_log_rates,
)
from spikepool.models.priors import HalfCauchy, HalfNormal, Uniform
from spikepool.posterior.quadrature import HyperparameterSample

OLD, NEW = stats.gamma(3.0), stats.gamma(4.0, scale=0.8)
"""Densities of τ before and after; their ratio is bounded."""
SPREAD = 0.5
"""Sd of θ given τ, whose mean is τ."""


def log_ratio(tau):
    """Return ln of the new density over the old."""
    return NEW.logpdf(tau) - OLD.logpdf(tau)


def moved(fit):
    """Return the log rates under the new density."""
    return reweighted_log_rates(fit, reweighted(fit.sample, log_ratio(fit.tau)).weights)


def drawn(rng, size=1000, copies=1, neurons=3):
    """Joint draws of τ and θ ~ N(τ, 0.5²), several of each τ."""
    tau = np.repeat(OLD.rvs(size, random_state=rng), copies)
    theta = tau[:, np.newaxis] + SPREAD * rng.standard_normal((len(tau), neurons))
    sd = np.hypot(OLD.std(), SPREAD)
    return DrawnLogRates(theta, tau, np.full(neurons, OLD.mean()), np.full(neurons, sd))


def test_weights_of_hyperparameters():
    """Quantiles of the old density give the new one's mean and sd, within 1 %."""
    tau = OLD.ppf((np.arange(20_000) + 0.5) / 20_000)
    sample = HyperparameterSample({"tau": tau}, np.full(len(tau), 1 / len(tau)), np.nan)
    found = reweighted(sample, log_ratio(tau))
    mean = np.sum(found.weights * tau)
    assert found.weights.sum() == pytest.approx(1)
    assert mean == pytest.approx(NEW.mean(), rel=0.01)
    sd = np.sqrt(np.sum(found.weights * (tau - mean) ** 2))
    assert sd == pytest.approx(NEW.std(), rel=0.01)
    assert reason_to_refit(found.pareto_k, found.ess) == ""


def test_weights_multiply_those_there_were():
    """Points of another density with weights stand for the old one."""
    tau = np.linspace(1e-3, 30, 60_001)
    old = OLD.pdf(tau)
    found = reweighted(HyperparameterSample({"tau": tau}, old / old.sum(), 0.1), log_ratio(tau))
    assert np.sum(found.weights * tau) == pytest.approx(NEW.mean(), rel=0.01)


def test_heavy_tails_are_refitted():
    """Of a narrow density with a wide new one k̂ is above its limit."""
    tau = stats.halfnorm(scale=0.3).ppf((np.arange(4000) + 0.5) / 4000)
    sample = HyperparameterSample({"tau": tau}, np.full(4000, 1 / 4000), np.nan)
    wide = stats.halfnorm.logpdf(tau, scale=3) - stats.halfnorm.logpdf(tau, scale=0.3)
    found = reweighted(sample, wide)
    assert reason_to_refit(found.pareto_k, found.ess).startswith("k\u0302")


def test_nearly_equal_weights_have_no_tail():
    """A ratio that hardly changes asks for no refit, whatever the ties in it."""
    tau = np.repeat(np.linspace(1.0, 1.2, 1000), 4)
    sample = HyperparameterSample({"tau": tau}, np.full(4000, 1 / 4000), np.nan)
    found = reweighted(sample, -0.5 * tau)
    assert np.isnan(found.pareto_k)
    assert reason_to_refit(found.pareto_k, found.ess) == ""
    assert found.weights.sum() == pytest.approx(1)


def test_few_effective_draws_are_refitted():
    """100 points cannot do, whatever their k̂."""
    assert reason_to_refit(0.1, 100.0) == "100 effective draws < 400"


def test_log_rates_move_to_the_new_mean():
    """Mean and move within 4 standard errors, sd within 5 %."""
    fit = drawn(np.random.default_rng(3), size=8000)
    found = moved(fit)
    wanted = (NEW.mean() - OLD.mean()) / fit.sd
    assert np.all(np.abs(found.move - wanted) < 4 * found.error)
    np.testing.assert_allclose(found.mean, fit.mean + found.move * fit.sd)
    np.testing.assert_allclose(found.sd, np.hypot(NEW.std(), SPREAD), rtol=0.05)


@pytest.mark.parametrize("copies", [1, 4])
def test_error_is_that_of_repeated_experiments(copies):
    """The sd of 400 moves is their mean error, within 16 % (4 standard errors of an sd)."""
    rng = np.random.default_rng(5)
    fits = [drawn(rng, size=500, copies=copies, neurons=1) for _ in range(400)]
    found = [moved(fit) for fit in fits]
    moves = np.array([each.move[0] for each in found])
    errors = np.array([each.error[0] for each in found])
    assert moves.std() == pytest.approx(np.sqrt(np.mean(errors**2)), rel=0.16)


def test_order_of_draws_does_not_matter():
    """Shuffled draws say the same, but for which of two equal weights is smoothed first."""
    fit = drawn(np.random.default_rng(7), copies=2)
    order = np.random.default_rng(8).permutation(len(fit.tau))
    shuffled = DrawnLogRates(fit.draws[order], fit.tau[order], fit.mean, fit.sd)
    one, other = (moved(each) for each in (fit, shuffled))
    np.testing.assert_allclose(one.move, other.move, rtol=1e-5)
    np.testing.assert_allclose(one.error, other.error, rtol=1e-5)


def test_refits_are_compared_in_sds_of_the_fit():
    """Move and error."""
    fit = DrawnLogRates(np.zeros((2, 1)), np.ones(2), np.array([1.0]), np.array([0.5]))
    found = refitted_log_rates(fit, np.array([1.2]), np.array([0.7]), np.array([0.01]))
    assert (found.move[0], found.error[0]) == pytest.approx((0.4, 0.02))


def test_moved_and_undecided():
    """A move is told beyond two errors of a tenth of an sd."""
    move, error = np.array([0.3, -0.3, 0.12, 0.05, 0.05]), np.array([0.05, 0.05, 0.05, 0.01, 0.04])
    found = LogRates(move, move, move, error)
    assert found.moved.tolist() == [True, True, False, False, False]
    assert found.undecided.tolist() == [False, False, True, False, True]


def test_bounded_priors_do_not_cover_wider_ones():
    """A uniform prior has no draws beyond its ends."""
    assert covers(HalfCauchy(1), Uniform(0, 5))
    assert covers(Uniform(0, 5), Uniform(1, 2))
    assert not covers(Uniform(0, 5), HalfNormal(1))
    assert not covers(Uniform(0, 5), Uniform(0, 6))

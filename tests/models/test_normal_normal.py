"""The Normal-Normal model and its closed forms, against SciPy and quadrature."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from spikepool.data.estimates import Estimates
from spikepool.models.normal_normal import (
    build_marginal_model,
    build_normal_model,
    condition,
    own_weights,
    variance_mixture,
)
from spikepool.models.normal_priors import NormalPriors
from spikepool.models.populations import STUDENT_T_NU
from spikepool.models.priors import HalfCauchy, Normal, RootInverseGamma
from spikepool.models.spec import ModelSpec

X = Estimates(("a", "b", "c"), np.array([2.0, -0.5, 9.0]), np.array([0.7, 1.5, 0.4]))
PRIORS = NormalPriors(Normal(1.0, 3.0), HalfCauchy(2.0), Normal(0.5, 20.0))
PARTIAL = ModelSpec("normal", "partial", None)
STUDENT = ModelSpec("normal", "partial", None, "student-t")
POINTS = [(0.3, 0.05), (1.0, 1.3), (-4.0, 12.0)]

SLOW = pytest.param(-4.0, 12.0, marks=pytest.mark.statistical)
"""Seconds of quadrature."""


def priors_at(mu, tau):
    """Log prior density of (μ, ln τ)."""
    return stats.norm.logpdf(mu, 1, 3) + stats.halfcauchy.logpdf(tau, scale=2) + np.log(tau)


@pytest.mark.parametrize(("mu", "tau"), POINTS)
@pytest.mark.parametrize("centring", [np.zeros(3), np.ones(3), np.array([0.2, 0.5, 1.0])])
def test_joint_model_is_what_it_says(mu, tau, centring):
    """Priors, population and likelihood by SciPy, with the Jacobians of what is sampled."""
    model = build_normal_model(PARTIAL, X, PRIORS, centring)
    sampled = np.array([0.4, -1.0, 2.0])
    theta = mu + tau ** (1 - centring) * (sampled - centring * mu)
    wanted = priors_at(mu, tau) + stats.norm.logpdf(theta, mu, tau).sum()
    wanted += np.sum((1 - centring) * np.log(tau))
    wanted += stats.norm.logpdf(X.estimate, theta, X.standard_error).sum()
    point = {"mu": mu, "tau_log__": np.log(tau), "theta_sampled": sampled}
    np.testing.assert_allclose(model.compile_logp()(point), wanted, atol=1e-8)


@pytest.mark.parametrize(("mu", "tau"), POINTS)
def test_marginal_model_integrates_theta_out(mu, tau):
    """x_i ~ N(μ, τ² + σ_i²)."""
    model = build_marginal_model(PARTIAL, X, PRIORS)
    wanted = priors_at(mu, tau)
    wanted += stats.norm.logpdf(X.estimate, mu, np.hypot(tau, X.standard_error)).sum()
    found = model.compile_logp()({"mu": mu, "tau_log__": np.log(tau)})
    np.testing.assert_allclose(found, wanted, atol=1e-8)


def test_complete_pooling_has_no_spread():
    """x_i ~ N(μ, σ_i²)."""
    model = build_marginal_model(ModelSpec("normal", "complete", None), X, PRIORS)
    wanted = (
        stats.norm.logpdf(0.3, 1, 3) + stats.norm.logpdf(X.estimate, 0.3, X.standard_error).sum()
    )
    np.testing.assert_allclose(model.compile_logp()({"mu": 0.3}), wanted, rtol=1e-12)


def test_no_pooling_has_a_fixed_prior():
    """θ_i ~ N(m0, s0²), each alone."""
    model = build_normal_model(ModelSpec("normal", "none", None), X, PRIORS, np.ones(3))
    theta = np.array([0.4, -1.0, 2.0])
    wanted = stats.norm.logpdf(theta, 0.5, 20).sum()
    wanted += stats.norm.logpdf(X.estimate, theta, X.standard_error).sum()
    np.testing.assert_allclose(model.compile_logp()({"theta": theta}), wanted, rtol=1e-12)


def test_an_inverse_gamma_of_the_variance():
    """τ² is the variable, and the likelihood takes its root."""
    priors = NormalPriors(PRIORS.mu, RootInverseGamma(2.0, 3.0), PRIORS.theta)
    model = build_marginal_model(PARTIAL, X, priors)
    square = 1.7
    wanted = stats.norm.logpdf(0.3, 1, 3) + stats.invgamma.logpdf(square, 2, scale=3)
    wanted += np.log(square)
    wanted += stats.norm.logpdf(X.estimate, 0.3, np.sqrt(square + X.standard_error**2)).sum()
    found = model.compile_logp()({"mu": 0.3, "tau_squared_log__": np.log(square)})
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def integrals(x, error, mu, tau):
    """Density of x, and mean and variance of θ given x, by adaptive quadrature over θ."""

    def joint(theta):
        return stats.t.pdf(theta, STUDENT_T_NU, mu, tau) * stats.norm.pdf(x, theta, error)

    ends = sorted({min(mu - 40 * tau, x - 12 * error), mu, x, max(mu + 40 * tau, x + 12 * error)})
    moments = [
        sum(
            integrate.quad(lambda t, k=k: t**k * joint(t), a, b, epsabs=0, epsrel=1e-11, limit=400)[
                0
            ]
            for a, b in pairwise(ends)
        )
        for k in range(3)
    ]
    mean = moments[1] / moments[0]
    return moments[0], mean, moments[2] / moments[0] - mean**2


@pytest.mark.parametrize(("mu", "tau"), [(0.3, 0.3), (1.0, 1.3), SLOW])
def test_student_t_population(mu, tau):
    """Marginal density and conditional moments against quadrature over θ itself."""
    found = [integrals(x, s, mu, tau) for x, s in zip(X.estimate, X.standard_error, strict=True)]
    density, mean, variance = (np.array(each) for each in zip(*found, strict=True))
    logp = build_marginal_model(STUDENT, X, PRIORS).compile_logp()
    reached = logp({"mu": mu, "tau_log__": np.log(tau)}) - priors_at(mu, tau)
    np.testing.assert_allclose(reached, np.log(density).sum(), atol=1e-7)
    given = condition(X, "student-t", np.array([mu]), np.array([tau]))
    np.testing.assert_allclose(given.total_mean[0], mean, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(given.total_variance[0], variance, rtol=1e-5)


def test_student_t_as_a_mixture_has_its_own_density():
    """The nodes reproduce the t density from its centre out to 10,000 scales."""
    mixture = variance_mixture("student-t")
    at = np.array([0.0, 0.5, 3.0, 50.0, 1e4])
    each = stats.norm.pdf(at[:, np.newaxis], 0, np.sqrt(mixture.factors))
    found = np.sum(np.exp(mixture.log_weights) * each, axis=1)
    np.testing.assert_allclose(found, stats.t.pdf(at, STUDENT_T_NU), rtol=1e-6)


def test_a_gamma_population_is_impossible():
    """Estimates can be negative."""
    with pytest.raises(ValueError, match="any sign"):
        variance_mixture("gamma")


class TestClosedForms:
    """The seed's formulas for a normal population."""

    def test_precision_weighted_mean_and_variance(self):
        """Mean and variance by Bayes' rule on precisions, 1/σ² and 1/τ²."""
        mu, tau = np.array([0.3, 4.0]), np.array([0.2, 3.0])
        given = condition(X, "normal", mu, tau)
        precision = 1 / X.standard_error**2 + 1 / tau[:, np.newaxis] ** 2
        weighted = X.estimate / X.standard_error**2 + (mu / tau**2)[:, np.newaxis]
        np.testing.assert_allclose(given.total_mean, weighted / precision, rtol=1e-13)
        np.testing.assert_allclose(given.total_variance, 1 / precision, rtol=1e-13)

    def test_mse_ratio_is_the_own_weight(self):
        """R_i = Var(θ_i | x, φ)/σ_i² = κ_i exactly."""
        tau = np.array([0.2, 3.0])
        given = condition(X, "normal", np.zeros(2), tau)
        ratio = given.total_variance / X.standard_error**2
        np.testing.assert_allclose(ratio, own_weights(X, "normal", tau), rtol=1e-14)

    @pytest.mark.parametrize("tau", [0.0, 1e-300, 1e-8])
    def test_no_spread_gives_the_population(self, tau):
        """As τ goes to 0 every θ_i is μ."""
        given = condition(X, "normal", np.array([2.5]), np.array([tau]))
        np.testing.assert_allclose(given.total_mean, 2.5)
        assert np.all(given.total_variance <= tau**2)

    def test_large_spread_gives_the_estimate(self):
        """As τ grows θ_i is x_i ± σ_i."""
        given = condition(X, "normal", np.array([2.5]), np.array([1e9]))
        np.testing.assert_allclose(given.total_mean[0], X.estimate, rtol=1e-12)
        np.testing.assert_allclose(given.total_variance[0], X.standard_error**2, rtol=1e-12)

    def test_own_weight_of_a_student_t_takes_its_variance(self):
        """V = ν/(ν − 2) τ² = 2 τ²."""
        found = own_weights(X, "student-t", np.array([1.5]))[0]
        np.testing.assert_allclose(found, 4.5 / (4.5 + X.standard_error**2))

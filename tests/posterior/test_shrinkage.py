"""What is left of a spread once the hyperparameters are known."""

import numpy as np
import pytest

from spikepool.posterior.shrinkage import conditional_variance, fitted_on, rate_variance

DRAWS = 400


@pytest.fixture
def rng():
    """Return a generator of a fixed seed."""
    return np.random.default_rng(1)


@pytest.fixture
def hyperparameters(rng):
    """Return draws of two correlated hyperparameters."""
    first = rng.normal(size=DRAWS)
    return first, 5 + 0.3 * first + rng.normal(size=DRAWS)


@pytest.fixture
def values(rng):
    """Return draws of three quantities of unequal size."""
    return rng.normal(size=(DRAWS, 3)) * (1.0, 1e-6, 1e6)


def quadratic(a, b):
    """Return some quadratic function of two hyperparameters."""
    return 3 - 2 * a + 7 * b + 0.5 * a**2 - 4 * a * b + b**2


def test_without_hyperparameters_is_the_variance_about_the_mean(values):
    """The mean over draws is the unbiased sample variance."""
    found = conditional_variance(values, ()).mean(axis=0)
    np.testing.assert_allclose(found, values.var(axis=0, ddof=1), rtol=1e-12)


def test_what_hyperparameters_explain_leaves_nothing(hyperparameters):
    """A quadratic function of them is known once they are."""
    values = quadratic(*hyperparameters)[:, np.newaxis]
    assert conditional_variance(values, hyperparameters).max() < 1e-20 * values.var()
    np.testing.assert_allclose(fitted_on(values, hyperparameters), values, rtol=1e-12)


def test_adding_what_hyperparameters_explain_changes_nothing(values, hyperparameters):
    """Only what is left counts."""
    values = values[:, :1]
    moved = values + quadratic(*hyperparameters)[:, np.newaxis]
    np.testing.assert_allclose(
        conditional_variance(moved, hyperparameters),
        conditional_variance(values, hyperparameters),
        atol=1e-10,
    )


def test_scale_and_origin_of_hyperparameters_do_not_matter(values, hyperparameters):
    """The regression is the same in any units."""
    a, b = hyperparameters
    np.testing.assert_allclose(
        conditional_variance(values, (1e4 * a - 7, 1e-3 * b + 2)),
        conditional_variance(values, hyperparameters),
        rtol=1e-8,
    )


def test_is_unbiased_for_the_residual_variance(rng):
    """Six terms on thirty draws: the degrees of freedom are paid back.

    The mean over 2,000 independent quantities lies within 4 standard errors (1 in 16,000).
    """
    a, b = rng.normal(size=(2, 30))
    noise = 0.7 * rng.normal(size=(30, 2000))
    found = conditional_variance(noise + quadratic(a, b)[:, np.newaxis], (a, b)).mean(axis=0)
    error = 0.49 * np.sqrt(2 / 24 / 2000)
    assert found.mean() == pytest.approx(0.49, abs=4 * error)


def test_fit_and_rest_are_orthogonal(values, hyperparameters):
    """The fit is a projection."""
    fitted = fitted_on(values, hyperparameters)
    rest = values - fitted
    scale = np.linalg.norm(values, axis=0) ** 2
    assert np.all(np.abs(np.sum(fitted * rest, axis=0)) < 1e-12 * scale)
    np.testing.assert_allclose(fitted.mean(axis=0), values.mean(axis=0), atol=1e-10, rtol=1e-8)


def test_hyperparameter_that_never_moved_is_left_out(values, hyperparameters):
    """A stuck chain does not divide by its spread of zero."""
    stuck = (*hyperparameters, np.full(DRAWS, 2.0))
    np.testing.assert_array_equal(
        conditional_variance(values, stuck), conditional_variance(values, hyperparameters)
    )


def test_hyperparameter_given_twice_counts_once(values, hyperparameters):
    """Collinear terms take no degrees of freedom."""
    twice = (*hyperparameters, 3 * hyperparameters[0] + 1)
    np.testing.assert_allclose(
        conditional_variance(values, twice), conditional_variance(values, hyperparameters)
    )


@pytest.mark.parametrize("draws", [4, 5, 12, 20])
def test_few_draws_still_give_finite_numbers(draws, rng):
    """Four hyperparameters make fifteen terms; fewer draws than that use fewer terms."""
    values = rng.normal(size=(draws, 2))
    hyperparameters = tuple(rng.normal(size=(4, draws)))
    assert np.isfinite(conditional_variance(values, hyperparameters)).all()
    assert np.isfinite(fitted_on(values, hyperparameters)).all()


def test_neurons_do_not_touch_one_another(values, hyperparameters):
    """One at a time gives the same bits as all at once, in any order."""
    together = conditional_variance(values, hyperparameters)
    alone = [conditional_variance(values[:, [i]], hyperparameters) for i in range(3)]
    np.testing.assert_array_equal(np.hstack(alone), together)
    reversed_order = conditional_variance(values[:, ::-1], hyperparameters)
    np.testing.assert_array_equal(reversed_order[:, ::-1], together)


class TestRatesOfPoissonNeurons:
    """Six neurons from no spike to 2,000; given μ and τ each is independent, by quadrature."""

    SPIKES = np.array([0, 1, 5, 400, 2000, 20])
    SECONDS = np.array([10.0, 10, 10, 20, 20, 20])
    LOG_RATES = np.linspace(-16, 8, 3001)
    MUS = np.linspace(-3, 7, 41)
    LOG_TAUS = np.linspace(-1, 2, 31)

    def conditional(self, mu, tau):
        """Return log evidence, posterior variance and distribution function of every θ_i."""
        prior = -0.5 * ((self.LOG_RATES - mu) / tau) ** 2 - np.log(tau)
        likelihood = np.outer(self.SPIKES, self.LOG_RATES) - np.outer(
            self.SECONDS, np.exp(self.LOG_RATES)
        )
        top = (prior + likelihood).max(axis=1, keepdims=True)
        density = np.exp(prior + likelihood - top)
        total = density.sum(axis=1, keepdims=True)
        density /= total
        mean = density @ self.LOG_RATES
        variance = density @ self.LOG_RATES**2 - mean**2
        return (np.log(total) + top).sum(), variance, density.cumsum(axis=1)

    def draw(self, rng, n_draws):
        """Draw (μ, ln τ, θ) from their exact joint posterior, with Var(θ|y, μ, τ) of each draw."""
        given = [
            [self.conditional(mu, np.exp(log_tau)) for log_tau in self.LOG_TAUS] for mu in self.MUS
        ]
        log_posterior = np.array([[cell[0] for cell in row] for row in given]) + (
            -0.5 * ((self.MUS[:, np.newaxis] - 1) / 2.5) ** 2
            + self.LOG_TAUS
            - np.log1p(np.exp(2 * self.LOG_TAUS))
        )
        posterior = np.exp(log_posterior - log_posterior.max()).ravel()
        cells = rng.choice(posterior.size, n_draws, p=posterior / posterior.sum())
        row, column = np.divmod(cells, len(self.LOG_TAUS))
        theta = np.empty((n_draws, 6))
        variance = np.empty((n_draws, 6))
        for d in range(n_draws):
            _, variance[d], distribution = given[row[d]][column[d]]
            u = rng.random(6)
            theta[d] = [np.interp(u[i], distribution[i], self.LOG_RATES) for i in range(6)]
        return self.MUS[row], self.LOG_TAUS[column], theta, variance

    def test_variance_is_that_of_quadrature(self, rng):
        """For silent and for busy neurons alike.

        3,000 draws of squares whose kurtosis is at most 12 (the silent neuron's skew): standard
        errors of at most 6 %; six comparisons at 5 of them.
        """
        mu, log_tau, theta, exact = self.draw(rng, 3000)
        found = rate_variance(
            theta, mu, np.exp(log_tau), np.exp(theta) * self.SECONDS, (mu, log_tau)
        )
        ratio = found.mean(axis=0) / exact.mean(axis=0)
        rest = (found / exact.mean(axis=0)).std(axis=0) / np.sqrt(3000)
        assert np.all(rest < 0.06)
        assert np.all(np.abs(ratio - 1) < 5 * rest)

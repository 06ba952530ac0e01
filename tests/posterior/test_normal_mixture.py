"""Mixtures of normals against SciPy."""

import numpy as np
import pytest
from scipy import stats

from spikepool.posterior.normal_mixture import NormalMixtures


def mixtures(seed, components=40, n_neurons=6):
    """Return random mixtures, some of far apart and of needle-thin components."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(0, [[0.1, 1, 5, 30, 1, 1]], (components, n_neurons))
    sd = np.exp(rng.normal(0, [[0.1, 1, 0.5, 2, 3, 0.01]], (components, n_neurons)))
    weight = rng.dirichlet(np.full(components, 0.3), n_neurons).T
    return NormalMixtures(mean, sd, weight)


@pytest.mark.parametrize("mass", [1e-6, 0.025, 0.25, 0.5, 0.9, 0.975, 1 - 1e-6])
@pytest.mark.parametrize("seed", range(5))
def test_quantiles_invert_the_cdf(mass, seed):
    """SciPy's own cdf of the mixture at the quantile is the mass."""
    mixture = mixtures(seed)
    at = mixture.quantiles(mass)
    each = stats.norm.cdf(at, mixture.mean, mixture.sd)
    np.testing.assert_allclose(np.sum(mixture.weight * each, axis=0), mass, rtol=1e-9)


def test_moments_are_those_of_a_large_sample():
    """Means and sds within 5 standard errors of 400,000 draws (error rate 6e-6 for 12 checks)."""
    mixture = mixtures(0)
    rng = np.random.default_rng(0)
    size = 400_000
    for i in range(mixture.mean.shape[1]):
        which = rng.choice(
            len(mixture.mean), size, p=mixture.weight[:, i] / mixture.weight[:, i].sum()
        )
        draws = rng.normal(mixture.mean[which, i], mixture.sd[which, i])
        error = draws.std() / np.sqrt(size)
        assert abs(draws.mean() - mixture.means()[i]) < 5 * error
        squares = (draws - mixture.means()[i]) ** 2
        assert abs(squares.mean() - mixture.sds()[i] ** 2) < 5 * squares.std() / np.sqrt(size)


def test_one_component_is_normal():
    """Quantiles of a single normal are exact."""
    mixture = NormalMixtures(np.array([[3.0]]), np.array([[2.0]]), np.ones((1, 1)))
    np.testing.assert_allclose(mixture.quantiles(0.975), stats.norm.ppf(0.975, 3, 2), rtol=1e-14)
    assert (mixture.means(), mixture.sds()) == (3, 2)


def test_a_component_without_weight_does_not_matter():
    """Not even one at infinity's door."""
    one = NormalMixtures(np.array([[0.0]]), np.array([[1.0]]), np.ones((1, 1)))
    two = NormalMixtures(np.array([[0.0], [1e9]]), np.ones((2, 1)), np.array([[1.0], [0.0]]))
    np.testing.assert_allclose(two.quantiles(0.9), one.quantiles(0.9), rtol=1e-12)


def test_density_is_the_slope_of_the_cdf():
    """By central differences."""
    mixture = mixtures(1)
    at, step = mixture.quantiles(0.4), 1e-5 * mixture.sd.min(axis=0)
    slope = (mixture.cdf(at + step) - mixture.cdf(at - step)) / (2 * step)
    np.testing.assert_allclose(mixture.density(at), slope, rtol=1e-4)

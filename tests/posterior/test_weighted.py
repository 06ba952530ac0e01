"""Weighted samples: integer weights are repetitions, and quantiles are those of SciPy and NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from spikepool.posterior.weighted import systematic, weighted_quantiles, weighted_summary

MASSES = np.array([0.025, 0.5, 0.975])


def normalised(weights):
    """Return weights that sum to 1."""
    weights = np.asarray(weights, dtype=float)
    return weights / weights.sum()


def test_equal_weights_give_hazens_quantiles():
    """NumPy has the same definition: linear between the middles of the steps."""
    values = np.random.default_rng(1).gamma(2.0, size=57)
    found = weighted_quantiles(values, np.full(57, 1 / 57), MASSES)
    np.testing.assert_allclose(found, np.quantile(values, MASSES, method="hazen"), rtol=1e-12)


def test_weights_by_hand():
    """Weights of 0.2, 0.5 and 0.3 have their middles at 0.1, 0.45 and 0.85."""
    values, weights = np.array([30.0, 10.0, 20.0]), np.array([0.3, 0.2, 0.5])
    masses = np.array([0.05, 0.1, 0.275, 0.45, 0.65, 0.85, 0.99])
    found = weighted_quantiles(values, weights, masses)
    np.testing.assert_allclose(found, [10, 10, 15, 20, 25, 30, 30])


def test_moments_are_those_of_the_repeated_sample():
    """Mean and sd, the latter without Bessel's correction: weights are no counts."""
    rng = np.random.default_rng(2)
    values, copies = rng.normal(size=40), rng.integers(1, 9, size=40)
    found = weighted_summary(values, normalised(copies), MASSES)
    repeated = np.repeat(values, copies)
    assert found.mean == pytest.approx(repeated.mean())
    assert found.sd == pytest.approx(repeated.std())
    assert all(part.shape == (1,) for part in vars(found).values())


def test_importance_weights_find_another_distribution():
    """A grid of a normal's support with its densities for weights: the normal's own quantiles."""
    values = np.linspace(-8, 8, 4001)
    found = weighted_summary(values, normalised(stats.norm.pdf(values)), MASSES)
    wanted = (0.0, 1.0, *stats.norm.ppf(MASSES))
    given_ = (found.mean, found.sd, found.lower, found.median, found.upper)
    np.testing.assert_allclose(np.concatenate(given_), wanted, atol=1e-5)


POINTS = st.tuples(st.floats(-1e6, 1e6), st.floats(0.01, 100.0))


@given(
    st.lists(POINTS, min_size=1, max_size=30, unique_by=lambda point: point[0]),
    st.randoms(use_true_random=False),
)
def test_order_of_points_does_not_matter(points, random):
    """Of distinct values; quantiles rise with the mass and stay within the values."""
    values, weights = np.array(points).T
    weights = normalised(weights)
    found = weighted_quantiles(values, weights, MASSES)
    assert values.min() <= found[0] <= found[1] <= found[2] <= values.max()
    order = list(range(len(values)))
    random.shuffle(order)
    again = weighted_summary(values[order], weights[order], MASSES)
    parts = np.concatenate([again.lower, again.median, again.upper])
    np.testing.assert_allclose(parts, found, rtol=1e-6, atol=1e-6)


def test_points_without_weight_do_not_count():
    """A weight of zero at either end leaves the median alone."""
    values, weights = np.array([1.0, 2.0, 3.0]), np.array([0.25, 0.5, 0.25])
    found = weighted_quantiles(
        np.array([-100.0, 1.0, 2.0, 3.0, 100.0]), np.array([0, 0.25, 0.5, 0.25, 0]), MASSES[1:2]
    )
    np.testing.assert_allclose(found, weighted_quantiles(values, weights, MASSES[1:2]))


def test_systematic_draws_are_within_one_of_their_share():
    """Every point as often as its weight says, rounded down or up; weights need not sum to 1."""
    weights = np.random.default_rng(4).gamma(0.3, size=50)
    for offset in (0.0, 0.5, 0.999):
        chosen = systematic(weights, 1000, offset)
        assert len(chosen) == 1000
        assert np.all(np.diff(chosen) >= 0)
        copies = np.bincount(chosen, minlength=50)
        assert np.all(np.abs(copies - 1000 * weights / weights.sum()) < 1)

"""Stacking weights against their closed form."""

import numpy as np
import pytest
from scipy import optimize

from spikepool.diagnostics.stacking import stacking_weights


@pytest.mark.parametrize(("often", "seldom"), [(3, 2), (50, 40), (7, 6)])
def test_weights_of_two_models(often, seldom):
    """Two outcomes, 0.9 and 0.1 by one model and the reverse by the other: the mixture fits them.

    The best mixture gives the first outcome its own frequency, w 0.9 + (1 − w) 0.1.
    """
    log_densities = np.log([[0.9, 0.1], [0.1, 0.9]])
    weights = stacking_weights(log_densities, np.array([often, seldom]))
    expected = (often / (often + seldom) - 0.1) / 0.8
    np.testing.assert_allclose(weights, [expected, 1 - expected], atol=1e-6)


def test_weights_maximise_the_log_score():
    """Against a search over the simplex for three models; one always behind gets nothing."""
    rng = np.random.default_rng(4)
    log_densities = rng.normal(-2, 1, (3, 60))
    log_densities[2] = log_densities[:2].min(axis=0) - 1
    times = rng.integers(1, 5, 60)

    def loss(share):
        return -np.sum(times * np.logaddexp(np.log(share) + log_densities[0],
                                            np.log1p(-share) + log_densities[1]))  # fmt: skip

    best = optimize.minimize_scalar(loss, bounds=(1e-9, 1 - 1e-9), method="bounded").x
    np.testing.assert_allclose(
        stacking_weights(log_densities, times), [best, 1 - best, 0], atol=1e-4
    )


def test_single_model_has_all():
    """Whatever it predicts."""
    np.testing.assert_array_equal(stacking_weights(np.full((1, 4), -700.0), np.ones(4)), [1])


def test_model_beyond_all_numbers_is_no_obstacle():
    """Densities of e^-2000 against each other."""
    log_densities = np.array([[-1.0, -2000.0], [-2000.0, -1.0]])
    np.testing.assert_allclose(stacking_weights(log_densities, np.ones(2)), [0.5, 0.5], atol=1e-6)


def test_undefined_density_leaves_weights_undefined():
    """Not silently dropped."""
    assert np.isnan(stacking_weights(np.array([[np.nan, -1.0], [-1.0, -1.0]]), np.ones(2))).all()

"""Polynomials that stand for log-likelihoods: exact where they can be, bounded everywhere."""

from math import comb

import numpy as np
import pytest

from spikepool.engines.collapsed import surrogate
from spikepool.engines.collapsed.surrogate import (
    Frame,
    as_data,
    fit_surrogate,
    log_likelihoods,
    quadratic,
)


@pytest.fixture
def cloud():
    """Points with correlated coordinates far from zero; shape (2000, 4)."""
    rng = np.random.default_rng(5)
    return rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 4)) + 3


def bent(points):
    """Return what a polynomial is of: whitened coordinates, bent."""
    z = Frame.of_cloud(points).whitened(points)
    return 4 * np.tanh(z / 4)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_every_monomial_has_one_place(size):
    """As many as there are of degrees 3 and 4."""
    assert len(surrogate._places_of_cubic(size)[0]) == comb(size + 2, 3)
    assert len(surrogate._places_of_quartic(size)[0]) == comb(size + 3, 4)


def test_polynomial_of_degree_four_is_found_again(cloud):
    """Mixed terms of every degree, up to the constant, where the points are."""
    t = bent(cloud).T
    values = t[0] ** 3 * t[1] - t[2] ** 4 + t[0] * t[2] * t[3] + 2 * t[3] - t[1] ** 2 + 7
    found = fit_surrogate(Frame.of_cloud(cloud), cloud, values, np.ones(len(cloud)))
    gap = values - found.at(cloud)
    assert gap.std() < 0.02 * values.std()


def test_points_of_little_weight_give_way(cloud):
    """A polynomial that cannot fit everywhere fits where the weights are."""
    t = bent(cloud)
    near = (t**2).sum(axis=1) < 2
    values = np.exp(-2 * np.abs(t).sum(axis=1))
    weights = np.where(near, 1.0, 1e-6)
    frame = Frame.of_cloud(cloud)
    weighted = fit_surrogate(frame, cloud, values, weights)
    even = fit_surrogate(frame, cloud, values, np.ones(len(cloud)))
    gaps = [np.std((values - found.at(cloud))[near]) for found in (weighted, even)]
    assert gaps[0] < 0.9 * gaps[1]


def test_parabola_is_as_stated():
    """Slope and curvature, near the centre where bending does nothing."""
    curvature = np.array([[-2.0, 0.7], [0.7, -1.0]])
    slope = np.array([0.3, -0.4])
    frame = Frame.of_moments(np.array([1.0, -2.0]), np.array([[4.0, 1.0], [1.0, 0.5]]))
    z = 1e-3 * np.array([[1.0, 0.0], [0.3, -0.8], [0.0, 1.0]])
    expected = z @ slope + 0.5 * np.einsum("di,ij,dj->d", z, curvature, z)
    found = quadratic(frame, slope, curvature).at(frame.points(z))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_value_falls_far_away(cloud):
    """A sampler that strays is driven back, whatever the correction is."""
    t = bent(cloud)
    values = -(t**2).sum(axis=1) + 0.1 * t[:, 0] ** 3 + 0.02 * t[:, 1] ** 4
    frame = Frame.of_cloud(cloud)
    found = fit_surrogate(frame, cloud, values, np.ones(len(cloud)))
    z = np.random.default_rng(0).normal(size=(100, 4))
    near, far = (found.at(frame.points(scale * z)) for scale in (1.0, 30.0))
    assert far.max() < near.min() - 100


def test_parabola_never_opens_upwards(cloud):
    """Where a likelihood curves upwards, its parabola is flat."""
    values = bent(cloud)[:, 0] ** 2
    found = fit_surrogate(Frame.of_cloud(cloud), cloud, values, np.ones(len(cloud)))
    assert np.linalg.eigvalsh(found.curvature).max() < 1e-9


def test_model_has_the_same_values(cloud):
    """PyTensor and NumPy to rounding; as data that can be replaced."""
    pm = pytest.importorskip("pymc")
    rng = np.random.default_rng(2)
    both = [
        fit_surrogate(Frame.of_cloud(cloud), cloud, rng.normal(size=len(cloud)), np.ones(2000))
        for _ in range(3)
    ]
    points = cloud[:2]
    with pm.Model() as model:
        columns = [pm.math.stack(list(points[:, k])) for k in range(4)]
        pm.Deterministic("value", log_likelihoods(both[:2], columns))
    value = model["value"].eval()
    np.testing.assert_allclose(value, [both[0].at(points)[0], both[1].at(points)[1]], rtol=1e-12)
    assert {name: of.shape[0] for name, of in as_data(both).items()} == dict.fromkeys(
        (f"surrogate_{each}" for each in surrogate.Surrogate.__dataclass_fields__), 3
    )

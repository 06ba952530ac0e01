"""Mode and adaptive importance sampling, on densities whose integrals are known."""

import numpy as np
import pytest
from scipy import special, stats

from spikepool.engines.collapsed import hyperposterior
from spikepool.engines.collapsed.hyperposterior import (
    LEAST_ESS,
    MOST_PARETO_K,
    Laplace,
    WeightedSample,
    find_mode,
    pareto_smoothed,
    sample_adaptively,
)

BATCH = 512
CORRELATED = stats.multivariate_normal([1.0, -2.0, 0.5], [[1, 0.8, 0], [0.8, 1, 0.3], [0, 0.3, 2]])


def correlated(points):
    """Return the log density of a normal."""
    return CORRELATED.logpdf(points)


def poisson_like(points):
    """Return the log density of a well-known parameter and the logarithm of one that may be 0.

    e^x e^(−(s e^x)²/2), the density of the logarithm of a half-normal, times a normal; the integral
    over x is √(π/2)/s.
    """
    x = points[:, 1]
    return stats.norm.logpdf(points[:, 0], 2.0, 0.05) + x - 0.5 * (2.0 * np.exp(x)) ** 2


def two_scales(points):
    """Return that of a location and the logarithms of two half-Cauchy variables; integral 1."""
    total = stats.norm.logpdf(points[:, 0])
    for x in points.T[1:]:
        total = total + np.log(2 / np.pi) + x - np.logaddexp(0.0, 2 * x)
    return total


def two_humps(points):
    """Return that of two normals 6 sds apart, with a third and two thirds of the integral 1."""
    parts = [
        np.log(share) + stats.norm.logpdf(points, centre).sum(axis=1)
        for share, centre in ((1 / 3, -3.0), (2 / 3, 3.0))
    ]
    return special.logsumexp(parts, axis=0)


def narrow(size, centre=0.0):
    """Return a first proposal of sd 0.3."""
    return Laplace(np.full(size, centre), 0.09 * np.eye(size))


class TestMode:
    """Newton steps on fitted quadratics."""

    def test_of_a_normal_is_its_mean(self):
        """With its covariance, from afar."""
        found = find_mode(correlated, np.full(3, 5.0), np.full(3, 0.2))
        np.testing.assert_allclose(found.mode, CORRELATED.mean, atol=1e-4)
        np.testing.assert_allclose(found.covariance, CORRELATED.cov, rtol=1e-3, atol=1e-3)

    def test_of_a_long_tail(self):
        """At s e^x = 1."""
        found = find_mode(poisson_like, np.array([1.9, 1.0]), np.full(2, 0.2))
        np.testing.assert_allclose(found.mode, [2.0, -np.log(2)], atol=0.02)


class TestSample:
    """Effective size, Pareto check, evidence and moments."""

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize(
        ("log_density", "size", "log_evidence"),
        [
            (correlated, 3, 0.0),
            (poisson_like, 2, 0.5 * np.log(np.pi / 2) - np.log(2)),
            (two_scales, 3, 0.0),
        ],
        ids=["normal", "poisson-like", "two scales"],
    )
    def test_suffices_from_the_curvature_at_the_mode(self, log_density, size, log_evidence, seed):
        """Few draws, whatever the tails; evidence within 5 standard errors of random draws."""
        laplace = find_mode(log_density, np.full(size, 0.5), np.full(size, 0.2))
        sample = sample_adaptively(log_density, laplace, np.random.default_rng(seed), batch=BATCH)
        assert sample.ess >= LEAST_ESS
        assert sample.pareto_k < MOST_PARETO_K
        assert len(sample.points) <= 4 * BATCH
        error = np.sqrt(1 / sample.ess - 1 / len(sample.points))
        assert sample.log_evidence == pytest.approx(log_evidence, abs=5 * error)

    def test_moments_of_a_normal(self):
        """From a proposal that is far too narrow, and beside it: within 5 standard errors."""
        sample = sample_adaptively(
            correlated, narrow(3, centre=0.5), np.random.default_rng(0), batch=BATCH
        )
        weights = sample.weights[:, np.newaxis]
        mean = (weights * sample.points).sum(axis=0)
        sd = np.sqrt((weights * (sample.points - mean) ** 2).sum(axis=0))
        true_sd = np.sqrt(np.diag(CORRELATED.cov))
        np.testing.assert_allclose(mean, CORRELATED.mean, atol=5 * 1.5 / np.sqrt(sample.ess))
        np.testing.assert_allclose(sd, true_sd, rtol=5 / np.sqrt(2 * sample.ess))

    def test_share_of_a_second_hump(self):
        """Found from the first one, with its share of the mass within 5 standard errors."""
        sample = sample_adaptively(
            two_humps, Laplace(np.full(2, -3.0), np.eye(2)), np.random.default_rng(0), batch=BATCH
        )
        share = sample.weights[sample.points[:, 0] > 0].sum()
        assert share == pytest.approx(2 / 3, abs=5 * np.sqrt(2 / 9 / sample.ess))

    def test_mass_towards_no_dispersion(self):
        """P(e^x < c) of the half-normal far out in the tail, where few draws are."""
        sample = sample_adaptively(
            poisson_like,
            find_mode(poisson_like, np.array([1.9, 1.0]), np.full(2, 0.2)),
            np.random.default_rng(0),
            batch=BATCH,
        )
        below = sample.weights[sample.points[:, 1] < np.log(0.005)].sum()
        truth = 2 * stats.norm.cdf(2.0 * 0.005) - 1
        assert below == pytest.approx(truth, abs=5 * np.sqrt(truth / sample.ess))

    def test_repeats_with_a_seed(self):
        """To the last bit; another seed differs."""
        one, two, other = (
            sample_adaptively(two_scales, narrow(3), np.random.default_rng(seed), batch=BATCH)
            for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(one.weights, two.weights)
        assert not np.array_equal(one.points[: len(other.points)], other.points)

    def test_nowhere_defined_is_no_sample(self):
        """Not a number anywhere: an infinite k̂, all the weight near the mode, no exception."""
        sample = sample_adaptively(
            lambda points: np.full(len(points), np.nan),
            narrow(2),
            np.random.default_rng(0),
            batch=BATCH,
        )
        assert np.isposinf(sample.pareto_k)
        assert np.isneginf(sample.log_evidence)
        assert np.all(np.abs(sample.weights @ sample.points) < 0.3)
        assert sample.ess == pytest.approx(1.0)


@pytest.mark.parametrize("size", [1, 2, 4, 8, 16])
def test_too_few_weights_are_left_as_they_are(size):
    """There is no tail to fit, alone or among rows: k̂ is infinite, nothing fails."""
    log_weights = np.random.default_rng(1).normal(size=(3, size))
    smoothed, pareto_k = pareto_smoothed(log_weights)
    assert smoothed.shape == (3, size)
    assert np.all(pareto_k > 0.5)
    assert np.isfinite(pareto_smoothed(log_weights[0])[0]).all()


@pytest.mark.parametrize("scale", [1e3, 1e4, 1e5, 1e9])
@pytest.mark.filterwarnings("error")
def test_all_weight_on_a_few_points_is_told_by_the_shape(scale):
    """A tail beyond all numbers: no warning, weights that are finite, and a k̂ that is not good."""
    log_weights = -scale * np.random.default_rng(0).exponential(size=2048)
    smoothed, pareto_k = pareto_smoothed(log_weights)
    assert np.isfinite(smoothed).all()
    assert pareto_k > 0.7


@pytest.mark.filterwarnings("error")
def test_tail_of_denormal_numbers():
    """All but one weight near the least number there is: 0/0 in the fit of the tail, no warning."""
    log_weights = np.append(-730 - 10 * np.random.default_rng(0).exponential(size=2047), 0.0)
    smoothed, pareto_k = pareto_smoothed(np.stack([log_weights, 1e-3 * log_weights]))
    np.testing.assert_array_equal(smoothed[0], log_weights)
    assert np.isposinf(pareto_k[0])
    assert pareto_k[1] < 1


def test_tail_of_equal_weights():
    """Nearly all of the tail alike, a few points far above: k̂ is infinite, not unknown."""
    log_weights = np.random.default_rng(0).normal(size=2048)
    log_weights[np.argsort(log_weights)[-300:]] = 4.0
    log_weights[:3] = 9.0
    smoothed, pareto_k = pareto_smoothed(log_weights)
    assert np.isposinf(pareto_k)
    np.testing.assert_array_equal(smoothed, log_weights)


def test_undefined_shape_is_infinite():
    """A density on one point of the first batch: the sample must not pass for one without φ."""
    sample = sample_adaptively(
        lambda points: -1e12 * (points**2).sum(axis=1),
        narrow(2),
        np.random.default_rng(0),
        batch=BATCH,
    )
    assert not np.isnan(sample.pareto_k)


def test_proposal_for_points_on_a_line():
    """Their covariance has no factor in floating-point numbers: a little wider, it has."""
    rng = np.random.default_rng(0)
    along = rng.normal(size=400)[:, np.newaxis] * np.array([1e3, 2e3, -500.0])
    weights = rng.exponential(size=400)
    sample = WeightedSample(along, np.zeros(400), weights / weights.sum(), 0.1, 0.0)
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.cholesky(np.cov(along, rowvar=False))
    for component in hyperposterior._fitted(sample, 2, rng):
        assert np.all(np.diag(component.cholesky) > 0)
        assert component.cholesky[0, 0] > 100

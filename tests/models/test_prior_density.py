"""Densities of priors as functions of arrays, their ends and their sd."""

import numpy as np
import pytest
from scipy import special, stats

from spikepool.models.prior_density import density_of, measure
from spikepool.models.priors import Exponential, Gamma, HalfCauchy, HalfNormal, Normal, Uniform


@pytest.mark.parametrize(
    ("prior", "sd"),
    [
        (HalfNormal(1.0), np.sqrt(special.polygamma(1, 0.5)) / 2),
        (HalfNormal(7.0), np.pi / np.sqrt(8)),
        (HalfCauchy(1.0), np.pi / 2),
        (Exponential(3.0), np.pi / np.sqrt(6)),
        (Gamma(20.0, 40.0), np.sqrt(special.polygamma(1, 20))),
    ],
    ids=str,
)
def test_sd_of_the_logarithm(prior, sd):
    """Closed forms."""
    assert density_of(prior, of_logarithm=True).sd == pytest.approx(sd, rel=1e-6)


def test_log_density_is_that_of_scipy():
    """Of a parameter and, with the Jacobian, of the logarithm of one."""
    x = np.array([-1.0, 0.3, 2.0])
    normal = density_of(Normal(0.5, 0.2), of_logarithm=False)
    np.testing.assert_allclose(normal.log_density(x), stats.norm(0.5, 0.2).logpdf(x), rtol=1e-12)
    half = density_of(HalfNormal(2.0), of_logarithm=True)
    wanted = stats.halfnorm(scale=2).logpdf(np.exp(x)) + x
    np.testing.assert_allclose(half.log_density(x), wanted, rtol=1e-12)


def test_a_density_narrower_than_any_grid_is_found():
    """Of the logarithm of uniform(0.5, 0.505), a hundredth wide."""
    found = density_of(Uniform(0.5, 0.505), of_logarithm=True)
    assert found.lower == pytest.approx(np.log(0.5), abs=1e-4)
    assert found.upper == pytest.approx(np.log(0.505), abs=1e-4)
    assert found.sd == pytest.approx(np.log(1.01) / np.sqrt(12), rel=1e-2)


@pytest.mark.parametrize(("mean", "sd"), [(1.0, 2.5), (-3.0, 0.4), (5.0, 1e-4)])
def test_measured_ends_and_sd_are_those_of_a_normal(mean, sd):
    """Where the density lies 21 below its maximum in logarithm."""
    found = measure(stats.norm(mean, sd).logpdf, mean)
    reach = np.sqrt(42) * sd
    assert found.lower == pytest.approx(mean - reach, abs=0.04 * sd + 0.02 * (sd > 0.1))
    assert found.upper == pytest.approx(mean + reach, abs=0.04 * sd + 0.02 * (sd > 0.1))
    assert found.sd == pytest.approx(sd, rel=1e-6)

"""Default priors of estimates, those of the user, and both in other units."""

import numpy as np
import pytest

from spikepool.config import ModelOptions
from spikepool.data.estimates import Estimates
from spikepool.errors import UsageError
from spikepool.models.normal_priors import Unit, default_normal_priors, normal_priors_of, unit_of
from spikepool.models.priors import (
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    Normal,
    RootInverseGamma,
    Uniform,
    prior_density,
)


def estimates_of(values, errors):
    """Return estimates with these numbers."""
    names = tuple(f"n{i}" for i in range(len(values)))
    return Estimates(names, np.array(values, dtype=float), np.array(errors, dtype=float))


SCHOOLS = estimates_of([28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18])


def test_defaults_follow_the_table():
    """Mean 8.75; sd 10.44 is below the median error 11, which is the scale; 18 is the largest."""
    priors = default_normal_priors(SCHOOLS)
    assert priors.mu == Normal(8.75, 110)
    assert priors.tau == HalfCauchy(11)
    assert priors.theta == Normal(8.75, 180)


def test_wide_spread_is_the_scale():
    """Where estimates differ by more than their errors, their standard deviation."""
    priors = default_normal_priors(estimates_of([0, 100], [1, 1]))
    assert priors.tau == HalfCauchy(pytest.approx(np.sqrt(5000)))


def test_a_single_estimate_has_a_scale():
    """Its standard error."""
    assert default_normal_priors(estimates_of([5], [2])).tau == HalfCauchy(2)


def test_users_priors_overrule():
    """By name, in the unit of the estimates; the others stay."""
    options = ModelOptions(prior=("tau=half-cauchy(5)", "mu=normal(0, 5)", "a=exponential(1)"))
    priors = normal_priors_of(options, SCHOOLS)
    assert (priors.mu, priors.tau) == (Normal(0, 5), HalfCauchy(5))
    assert priors.theta == Normal(8.75, 180)


def test_improper_priors_are_refused():
    """As for counts."""
    with pytest.raises(UsageError, match="improper"):
        normal_priors_of(ModelOptions(prior=("tau=jeffreys",)), SCHOOLS)


@pytest.mark.parametrize(
    "prior",
    [
        HalfNormal(3.0), HalfCauchy(3.0), HalfStudentT(4.0, 3.0), Exponential(0.3),
        Gamma(2.0, 0.3), Uniform(1.0, 30.0),
    ],
    ids=str,
)  # fmt: skip
def test_a_spread_in_another_unit_has_the_density_of_a_rescaled_variable(prior):
    """p'(x') = scale · p(scale · x')."""
    unit = Unit(100.0, 7.0)
    moved = unit.priors(default_normal_priors(SCHOOLS).__class__(Normal(0, 1), prior, Normal(0, 1)))
    at = np.array([0.2, 0.9, 2.0])
    np.testing.assert_allclose(prior_density(moved.tau, at), 7 * prior_density(prior, 7 * at))


def test_an_inverse_gamma_is_of_the_square():
    """Whose scale changes with the square of the unit."""
    priors = normal_priors_of(ModelOptions(prior=("tau=inverse-gamma(2, 18)",)), SCHOOLS)
    assert Unit(0.0, 3.0).priors(priors).tau == RootInverseGamma(2, 2)


def test_locations_in_another_unit():
    """Shifted and scaled, normal and uniform alike."""
    options = ModelOptions(prior=("mu=uniform(-10, 30)", "theta=normal(10, 40)"))
    moved = Unit(10.0, 4.0).priors(normal_priors_of(options, SCHOOLS))
    assert (moved.mu, moved.theta) == (Uniform(-5, 5), Normal(0, 10))


def test_units_are_those_of_the_defaults():
    """In the table's own units the default priors are N(0, 10²) and half-Cauchy(1)."""
    unit = unit_of(SCHOOLS)
    assert (unit.centre, unit.scale) == (8.75, 11)
    moved = unit.priors(default_normal_priors(SCHOOLS))
    assert (moved.mu, moved.tau) == (Normal(0, 10), HalfCauchy(1))
    assert unit.standardised(SCHOOLS).estimate[0] == (28 - 8.75) / 11

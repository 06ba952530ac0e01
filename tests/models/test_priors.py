"""Prior densities against SciPy, and the defaults of the statistical contract."""

import numpy as np
import pytest
from scipy import integrate, stats

from spikepool.models.priors import (
    RATE_SD,
    HalfCauchy,
    HalfNormal,
    Normal,
    default_priors,
    prior_density,
)

DENSITIES = [
    (Normal(1.5, 2.5), stats.norm(1.5, 2.5), -np.inf, "normal(1.5, 2.5)"),
    (HalfNormal(0.5), stats.halfnorm(scale=0.5), 0.0, "half-normal(0.5)"),
    (HalfCauchy(2.0), stats.halfcauchy(scale=2.0), 0.0, "half-cauchy(2)"),
]


@pytest.mark.parametrize(("prior", "reference", "least", "text"), DENSITIES)
def test_densities_are_scipys(prior, reference, least, text):
    """The density that is drawn and sampled is SciPy's, in the scale's own units.

    PyMC's half-Cauchy takes ln 2 in single precision, which is 2e-9 off.
    """
    x = np.array([0.01, 0.5, 1.0, 3.0, 40.0])
    np.testing.assert_allclose(prior_density(prior, x), reference.pdf(x), rtol=1e-8)
    assert str(prior) == text


@pytest.mark.parametrize(("prior", "reference", "least", "text"), DENSITIES)
def test_densities_have_no_mass_below_their_support(prior, reference, least, text):
    """A half distribution is 0 below 0, and each integrates to 1."""
    below = prior_density(prior, np.array([-1.0]))[0]
    assert below == pytest.approx(reference.pdf(-1.0))
    grid = np.linspace(0.0005, 0.9995, 1000)  # quantiles of the reference
    ratio = prior_density(prior, reference.ppf(grid)) / reference.pdf(reference.ppf(grid))
    assert integrate.trapezoid(ratio, grid) == pytest.approx(0.999, rel=1e-8)


@pytest.mark.parametrize(("prior", "reference", "least", "text"), DENSITIES)
def test_variables_in_a_model_have_the_same_density(prior, reference, least, text):
    """`variable` places the distribution that `distribution` draws."""
    import pymc as pm

    with pm.Model() as model:
        variable = prior.variable("x")
    value = model.rvs_to_values[variable]
    shown = 0.7 if least == -np.inf else np.log(0.7)  # PyMC samples positive ones as logarithms
    log_density = model.compile_logp(jacobian=False, mode="FAST_COMPILE")({value.name: shown})
    assert log_density == pytest.approx(reference.logpdf(0.7), abs=1e-8)


def test_default_priors(build_tally):
    """μ ~ N(m0, 2.5²) with m0 the mean of ln((Σy + ½)/Σe); the other scales are fixed."""
    tally = build_tally([[0, 0], [3, 4, 5]], [[0.5, 0.5], [1.0, 2.0, 1.0]])
    priors = default_priors(tally)
    m0 = (np.log(0.5 / 1.0) + np.log(12.5 / 4.0)) / 2
    assert priors.mu.mean == pytest.approx(m0, rel=1e-14)
    assert priors.mu.sd == RATE_SD == 2.5
    assert priors.tau == HalfCauchy(1.0)
    assert priors.dispersion == HalfNormal(1.0)
    assert priors.tau_delta == HalfNormal(0.5)


def test_default_priors_follow_the_unit_of_exposure(build_tally):
    """Exposures in units of c seconds move m0 by −ln c and nothing else."""
    counts, exposure = [[4, 1], [9, 0], [0, 0]], np.array([[1.0, 2.0], [0.5, 0.5], [1.0, 1.0]])
    seconds, other = (default_priors(build_tally(counts, exposure * c)) for c in (1.0, 60.0))
    assert other.mu.mean == pytest.approx(seconds.mu.mean - np.log(60))
    assert (other.mu.sd, other.tau, other.dispersion, other.tau_delta) == (
        seconds.mu.sd,
        seconds.tau,
        seconds.dispersion,
        seconds.tau_delta,
    )

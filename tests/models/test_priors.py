"""Prior densities against SciPy, and the defaults of the statistical contract."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

from spikepool.models.priors import (
    RATE_SD,
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    Normal,
    Priors,
    RootInverseGamma,
    Uniform,
    default_priors,
    prior_density,
)


class HalfT:
    """|scale · t| with t of nu degrees of freedom."""

    def __init__(self, nu, scale):
        self._whole = stats.t(nu, scale=scale)

    def pdf(self, x):
        """Twice the density above 0."""
        return np.where(np.asarray(x) >= 0, 2 * self._whole.pdf(x), 0.0)

    def logpdf(self, x):
        """Its logarithm."""
        return np.log(self.pdf(x))

    def ppf(self, p):
        """Quantiles: those of the upper half."""
        return self._whole.ppf((1 + np.asarray(p)) / 2)


class RootOf:
    """The square root of a positive variable with a SciPy distribution."""

    def __init__(self, square):
        self._square = square

    def pdf(self, x):
        """Change of variables, 0 below 0."""
        x = np.asarray(x)
        return np.where(x >= 0, 2 * x * self._square.pdf(x**2), 0.0)

    def logpdf(self, x):
        """Its logarithm."""
        return np.log(self.pdf(x))

    def ppf(self, p):
        """Roots of the square's quantiles."""
        return np.sqrt(self._square.ppf(p))


DENSITIES = [
    (Normal(1.5, 2.5), stats.norm(1.5, 2.5), -np.inf, "normal(1.5, 2.5)"),
    (HalfNormal(0.5), stats.halfnorm(scale=0.5), 0.0, "half-normal(0.5)"),
    (HalfCauchy(2.0), stats.halfcauchy(scale=2.0), 0.0, "half-cauchy(2)"),
    (HalfStudentT(3.0, 0.7), HalfT(3.0, 0.7), 0.0, "half-student-t(3, 0.7)"),
    (Exponential(0.5), stats.expon(scale=2.0), 0.0, "exponential(0.5)"),
    (Gamma(2.5, 4.0), stats.gamma(2.5, scale=0.25), 0.0, "gamma(2.5, 4)"),
    (InverseGamma(3.0, 2.0), stats.invgamma(3.0, scale=2.0), 0.0, "inverse-gamma(3, 2)"),
    (Uniform(0.0, 60.0), stats.uniform(0, 60), 0.0, "uniform(0, 60)"),
    (RootInverseGamma(1.5, 0.5), RootOf(stats.invgamma(1.5, scale=0.5)), 0.0,
     "inverse-gamma(1.5, 0.5)"),
]  # fmt: skip


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
    """`variable` places the distribution that `distribution` draws, under its name.

    The density of what PyMC samples, times the slope of that in the variable.
    """
    import pymc as pm
    import pytensor.tensor as pt

    with pm.Model() as model:
        variable = prior.variable("x")
    (value,) = model.value_vars
    (output,) = model.replace_rvs_by_values([variable])
    log_slope = pt.log(pt.abs(pt.grad(output, value)))
    evaluate = model.compile_fn([model.logp(), output, log_slope], mode="FAST_COMPILE")
    for sampled in (-1.3, 0.2, 0.9):
        log_density, x, slope = evaluate({value.name: np.array(sampled)})
        assert log_density == pytest.approx(reference.logpdf(x) + slope, abs=1e-8)
    assert model["x"] is variable


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
    assert priors.theta == priors.mu
    assert priors.a == Exponential(1.0)
    assert priors.b == Gamma(0.1, np.exp(priors.mu.mean))


def test_default_priors_follow_the_unit_of_exposure(build_tally):
    """Exposures in units of c seconds move m0 by −ln c, make b c times larger, and no more."""
    counts, exposure = [[4, 1], [9, 0], [0, 0]], np.array([[1.0, 2.0], [0.5, 0.5], [1.0, 1.0]])
    seconds, other = (default_priors(build_tally(counts, exposure * c)) for c in (1.0, 60.0))
    assert other.mu.mean == pytest.approx(seconds.mu.mean - np.log(60))
    assert other.b.rate == pytest.approx(seconds.b.rate / 60)
    assert (other.mu.sd, other.tau, other.dispersion, other.tau_delta) == (
        seconds.mu.sd,
        seconds.tau,
        seconds.dispersion,
        seconds.tau_delta,
    )


def test_priors_are_found_by_name():
    """Dispersions share one prior, and no pooling that of μ, unless they have their own."""
    priors = Priors(Normal(1.0, 2.0), HalfCauchy(1.0), HalfNormal(3.0), HalfNormal(0.5))
    assert priors.of("theta") == priors.of("mu") == Normal(1.0, 2.0)
    names = ("gain_sd", "root_excess_fano", "typical_gain_sd", "typical_root_excess_fano")
    assert all(priors.of(name) == HalfNormal(3.0) for name in names)
    for name in names:
        other = replace(priors, **{name: Exponential(2.0)})
        assert [other.of(each) == Exponential(2.0) for each in names] == [n == name for n in names]
    assert replace(priors, fixed=Normal(0.0, 1.0)).of("theta") == Normal(0.0, 1.0)


@pytest.mark.parametrize(
    ("prior", "text"),
    [
        (Normal(0.693147180559945, 2.5), "normal(0.6931, 2.5)"),
        (HalfNormal(0.12345), "half-normal(0.12345)"),
        (Gamma(0.1, 1e-7), "gamma(0.1, 1e-07)"),
        (Uniform(-1234567.0, 2.0), "uniform(-1.235e+06, 2)"),
    ],
)
def test_numbers_are_written_as_given_or_to_four_digits(prior, text):
    """Six digits when they are all there is."""
    assert str(prior) == text


def test_mean_and_sd_of_a_uniform():
    """As a prior of μ it stands where a normal would."""
    uniform = Uniform(-1.0, 5.0)
    assert (uniform.mean, uniform.sd) == (2.0, pytest.approx(stats.uniform(-1, 6).std()))

"""Power-scaling sensitivity against closed forms."""

import numpy as np
import pytest
from scipy import stats

from spikepool.diagnostics.power_scaling import (
    ALPHAS,
    PowerScaling,
    log_hyperprior,
    scale_powers,
    sensitivity,
)
from spikepool.models.priors import (
    HalfCauchy,
    HalfNormal,
    Normal,
    Priors,
    RootInverseGamma,
)
from spikepool.models.spec import ModelSpec
from spikepool.posterior.quadrature import HyperparameterSample

PRIOR, DATA = (0.0, 1.0), (2.0, 0.8)
"""Mean and sd of a normal prior, and of a normal likelihood."""
SPEC = ModelSpec("nb2", "partial", "partial")


def posterior(prior_power=1.0, data_power=1.0):
    """Mean and sd of the normal posterior with powers on prior and likelihood."""
    precisions = prior_power / PRIOR[1] ** 2, data_power / DATA[1] ** 2
    mean = (precisions[0] * PRIOR[0] + precisions[1] * DATA[0]) / sum(precisions)
    return mean, sum(precisions) ** -0.5


def distance(one, other):
    """√ of the cumulative Jensen-Shannon divergence of two normals, in bits, symmetrised.

    Nguyen & Vreeken (2015), as in equation 6 of Kallioinen et al. (2024); over 3.7 sds, where
    4,000 draws lie.
    """
    found = []
    for sign in (1.0, -1.0):
        x = sign * one[0] + one[1] * np.linspace(-3.7, 3.7, 200_001)
        p, q = (stats.norm.cdf(x, sign * mean, sd) for mean, sd in (one, other))
        both = (p + q) / 2
        integral = np.sum(p * np.log2(p / both) + q * np.log2(q / both))
        found.append(np.sqrt(integral / np.sum(p + q)))
    return max(found)


def closed_form(**of):
    """Mean distance per doubling of the power, over both powers."""
    (name,) = of
    return np.mean(
        [distance(posterior(), posterior(**{name: a})) / abs(np.log2(a)) for a in ALPHAS]
    )


@pytest.fixture(scope="module")
def draws():
    """Quantiles of the posterior, shuffled: draws without Monte Carlo error."""
    mean, sd = posterior()
    quantiles = stats.norm.ppf((np.arange(4000) + 0.5) / 4000, mean, sd)
    return np.random.default_rng(0).permutation(quantiles)


class TestConjugateNormal:
    """A normal mean with a normal prior."""

    def test_prior(self, draws):
        """Within 1 % of the closed form."""
        found = sensitivity(draws, stats.norm.logpdf(draws, *PRIOR))
        assert found == pytest.approx(closed_form(prior_power=1), rel=0.01)

    def test_likelihood(self, draws):
        """Within 1 % of the closed form."""
        found = sensitivity(draws, stats.norm.logpdf(draws, *DATA))
        assert found == pytest.approx(closed_form(data_power=1), rel=0.01)

    def test_constants_do_not_matter(self, draws):
        """A likelihood is known but for a factor."""
        log_density = stats.norm.logpdf(draws, *DATA)
        wanted = sensitivity(draws, log_density)
        assert sensitivity(draws, log_density - 1e4) == pytest.approx(wanted, rel=1e-6)

    def test_weighted_sample(self):
        """Points with weights stand for draws: the whole way from a sample of hyperparameters."""
        mean, sd = posterior()
        points = np.linspace(mean - 4 * sd, mean + 4 * sd, 20_001)
        weights = stats.norm.pdf(points, mean, sd)
        sample = HyperparameterSample(
            {"mu": points}, weights / weights.sum(), np.nan, stats.norm.logpdf(points, *DATA)
        )
        priors = Priors(Normal(*PRIOR), HalfCauchy(1), HalfNormal(1), HalfNormal(0.5))
        (found,) = scale_powers(SPEC, priors, sample, np.random.default_rng(1))
        assert found.parameter == "mu"
        assert found.prior == pytest.approx(closed_form(prior_power=1), rel=0.02)
        assert found.likelihood == pytest.approx(closed_form(data_power=1), rel=0.02)


def test_log_hyperprior_is_the_sum_of_all():
    """SciPy's densities: of e^{μ_δ}, and of τ whose square is inverse-gamma."""
    values = {
        "mu": np.array([0.3, 1.0]),
        "tau": np.array([0.5, 2.0]),
        "mu_delta": np.array([-1.0, 0.2]),
        "tau_delta": np.array([0.1, 0.4]),
    }
    priors = Priors(Normal(1, 2.5), RootInverseGamma(2, 3), HalfNormal(1), HalfNormal(0.5))
    wanted = (
        stats.norm.logpdf(values["mu"], 1, 2.5)
        + stats.invgamma.logpdf(values["tau"] ** 2, 2, scale=3)
        + np.log(2 * values["tau"])
        + stats.halfnorm.logpdf(np.exp(values["mu_delta"]))
        + stats.halfnorm.logpdf(values["tau_delta"], scale=0.5)
    )
    np.testing.assert_allclose(log_hyperprior(SPEC, priors, values), wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("prior", "likelihood", "wanted"),
    [
        (0.01, 0.2, "fine"),
        (0.01, 0.01, "fine"),
        (0.2, 0.01, "weak_likelihood"),
        (0.2, 0.2, "conflict"),
    ],
)
def test_diagnosis(prior, likelihood, wanted):
    """That of Kallioinen et al. (2024), table 1."""
    assert PowerScaling("tau", prior, likelihood).diagnosis == wanted

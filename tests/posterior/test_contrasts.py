"""Differences and ratios between groups, against closed forms."""

import numpy as np
import pytest
from scipy import stats

from spikepool.models.spec import ModelSpec
from spikepool.posterior.contrasts import PAIRS, contrast_groups
from spikepool.posterior.quadrature import HyperparameterSample

COMPLETE = ModelSpec("poisson", "complete", None)
NB2 = ModelSpec("nb2", "partial", "partial")
NB1_SHARED = ModelSpec("nb1", "complete", "complete")
POINTS = 4001


def sample(**values):
    """Return a sample of equal weights."""
    size = max(np.size(each) for each in values.values())
    full = {name: np.broadcast_to(each, size).astype(float) for name, each in values.items()}
    return HyperparameterSample(full, np.full(size, 1 / size), np.nan)


def of(contrasts, parameter):
    """Return the contrast of one parameter of a single pair."""
    (found,) = (each for each in contrasts if each.parameter == parameter)
    return found


def normal_points(mean, sd):
    """Return points that stand for equal shares of a normal distribution."""
    return stats.norm(mean, sd).ppf((np.arange(POINTS) + 0.5) / POINTS)


class TestNormal:
    """μ ~ N(2, 0.3²) and N(1.5, 0.4²): their difference is N(0.5, 0.5²), exactly."""

    ERROR = 4 / np.sqrt(PAIRS)
    """Four Monte Carlo standard errors of a probability of a half, times two."""

    @pytest.fixture
    def contrasts(self):
        """Return those of B against A."""
        groups = {
            "A": sample(mu=normal_points(1.5, 0.4)),
            "B": sample(mu=normal_points(2.0, 0.3)),
        }
        return contrast_groups(COMPLETE, groups, 0.95)

    def test_difference(self, contrasts):
        """Mean, median and ends of μ_B − μ_A."""
        mu, wanted = of(contrasts, "mu"), stats.norm(0.5, 0.5)
        assert (mu.group, mu.reference) == ("B", "A")
        assert mu.difference_mean == pytest.approx(0.5, abs=0.5 * self.ERROR)
        for end, mass in (("lower", 0.025), ("median", 0.5), ("upper", 0.975)):
            error = 4 * np.sqrt(mass * (1 - mass) / PAIRS) / wanted.pdf(wanted.ppf(mass))
            found = getattr(mu, f"difference_{end}")
            assert found == pytest.approx(wanted.ppf(mass), abs=error)

    def test_ratio_of_typical_rates(self, contrasts):
        """It is e to the difference of μ, quantile by quantile; μ itself has none."""
        mu, rate = of(contrasts, "mu"), of(contrasts, "typical_rate")
        for end in ("lower", "median", "upper"):
            ratio = getattr(rate, f"ratio_{end}")
            assert np.log(ratio) == pytest.approx(getattr(mu, f"difference_{end}"), abs=1e-3)
            assert np.isnan(getattr(mu, f"ratio_{end}"))

    def test_probability(self, contrasts):
        """P(B > A) = Φ(1), for μ as for the rate."""
        wanted = stats.norm.cdf(1)
        for name in ("mu", "typical_rate"):
            found = of(contrasts, name).prob_greater
            assert found == pytest.approx(wanted, abs=4 * np.sqrt(wanted * (1 - wanted) / PAIRS))

    def test_order_of_groups_turns_signs(self, contrasts):
        """The same pairs, the other way round."""
        groups = {
            "B": sample(mu=normal_points(2.0, 0.3)),
            "A": sample(mu=normal_points(1.5, 0.4)),
        }
        turned = of(contrast_groups(COMPLETE, groups, 0.95), "mu")
        mu = of(contrasts, "mu")
        assert (turned.group, turned.reference) == ("A", "B")
        assert turned.difference_median == pytest.approx(-mu.difference_median, rel=1e-12)
        assert turned.difference_upper == pytest.approx(-mu.difference_lower, rel=1e-12)
        assert turned.prob_greater == pytest.approx(1 - mu.prob_greater, abs=1e-12)


def test_weights_count():
    """Points without weight do not matter, and weights stand for copies."""
    mu = np.array([0.0, 1.0, 50.0])
    weighted = HyperparameterSample({"mu": mu}, np.array([0.25, 0.75, 0.0]), 0.1)
    found = of(contrast_groups(COMPLETE, {"A": sample(mu=[0.5]), "B": weighted}, 0.9), "mu")
    assert found.prob_greater == pytest.approx(0.75, abs=1e-3)
    assert (found.difference_lower, found.difference_upper) == (-0.5, 0.5)


def test_every_parameter_of_a_population_is_compared():
    """As named in the table population, in the model's words and in plain ones."""
    groups = {
        "A": sample(mu=1.0, tau=0.5, mu_delta=-1.0, tau_delta=[0.2, 0.2]),
        "B": sample(mu=2.0, tau=1.0, mu_delta=-2.0, tau_delta=[0.1, 0.1]),
    }
    found = {each.parameter: each for each in contrast_groups(NB2, groups, 0.95)}
    assert list(found) == [
        "mu", "tau", "mu_delta", "tau_delta", "typical_rate", "rate_spread_fold", "typical_gain_sd"
    ]  # fmt: skip
    assert found["tau"].difference_median == 0.5
    assert found["tau"].ratio_median == 2.0
    assert found["tau_delta"].ratio_median == 0.5
    assert found["typical_gain_sd"].ratio_median == pytest.approx(np.exp(-1))
    assert found["mu_delta"].difference_median == -1
    assert (found["tau"].prob_greater, found["mu_delta"].prob_greater) == (1, 0)


def test_shared_dispersions_are_compared():
    """NB1's excess Fano factors are squares of what the model has."""
    groups = {
        "A": sample(mu=1.0, root_excess_fano=[0.5, 0.5]),
        "B": sample(mu=1.0, root_excess_fano=[1.0, 1.0]),
    }
    found = of(contrast_groups(NB1_SHARED, groups, 0.95), "excess_fano")
    assert (found.difference_median, found.ratio_median) == (0.75, 4.0)


def test_a_far_tail_leaves_the_mean_out():
    """One draw of e^τ that is infinite, or decides the mean alone, gives no mean."""
    for largest in (800.0, 60.0):
        tau = np.concatenate([np.linspace(0.5, 1.5, 999), [largest]])
        groups = {"A": sample(mu=0.0, tau=tau), "B": sample(mu=0.0, tau=tau)}
        spec = ModelSpec("poisson", "partial", None)
        fold = of(contrast_groups(spec, groups, 0.95), "rate_spread_fold")
        assert np.isnan(fold.difference_mean) or abs(fold.difference_mean) < 3
        assert np.isfinite([fold.difference_lower, fold.ratio_median, fold.ratio_upper]).all()


@pytest.mark.parametrize(("groups", "pairs"), [(1, 0), (2, 1), (4, 6), (15, 105), (16, 0)])
def test_every_pair_up_to_fifteen_groups(groups, pairs):
    """Each group with every one before it."""
    samples = {f"g{i}": sample(mu=[float(i), float(i)]) for i in range(groups)}
    found = contrast_groups(COMPLETE, samples, 0.95)
    mu = [each for each in found if each.parameter == "mu"]
    assert len({(each.group, each.reference) for each in mu}) == len(mu) == pairs
    assert all(each.difference_median > 0 for each in mu)

"""One contract for every family: exact pmf, closed-form moments, faithful samples."""

import mpmath
import numpy as np
import pytest
from scipy import stats

from spikepool.models.families import FAMILIES
from spikepool.models.families.negative_binomial import log_rising

VARIANCE = {
    "poisson": lambda mean, _: mean,
    "nb2": lambda mean, dispersion: mean + (dispersion * mean) ** 2,
    "nb1": lambda mean, dispersion: mean * (1 + dispersion**2),
}
"""Variance of the counts of each family by its definition."""

EXPOSURE = 0.37
NEGATIVE_BINOMIAL = ["nb1", "nb2"]
every_family = pytest.mark.parametrize("name", list(VARIANCE))
moderate = pytest.mark.parametrize(
    ("mean", "dispersion"), [(0.2, 0.3), (3.0, 1.0), (20.0, 0.5), (20.0, 2.0), (600.0, 0.3)]
)


def alpha_of(name, mean, dispersion):
    """α of the variance m + α m²."""
    return {"poisson": 0.0, "nb2": dispersion**2, "nb1": dispersion**2 / mean}[name]


@pytest.fixture
def log_pmf(build_tally):
    """Return a function that gives a family's log-pmf at counts, one neuron per count."""

    def evaluate(name, count, mean, dispersion):
        count, mean = np.broadcast_arrays(np.atleast_1d(count), mean)
        tally = build_tally(count[:, np.newaxis], EXPOSURE)
        family = FAMILIES[name]
        theta = np.log(mean / EXPOSURE)
        delta = np.full(len(count), np.log(dispersion))
        return family.log_likelihood(theta, delta, family.statistics(tally))

    return evaluate


@pytest.fixture
def support(log_pmf):
    """Return a function that gives counts up to a tail below 1e-15, and their probabilities."""

    def evaluate(name, mean, dispersion):
        alpha = max(alpha_of(name, mean, dispersion), 1e-9)
        last = int(stats.nbinom.isf(1e-16, 1 / alpha, 1 / (1 + alpha * mean))) + 10
        count = np.arange(last + 1)
        return count, np.exp(log_pmf(name, count, mean, dispersion))

    return evaluate


def scipy_log_pmf(name, count, mean, dispersion):
    """Log-pmf by SciPy, in its own parametrisation."""
    alpha = alpha_of(name, mean, dispersion)
    if name == "poisson":
        return stats.poisson.logpmf(count, mean)
    return stats.nbinom.logpmf(count, 1 / alpha, 1 / (1 + alpha * mean))


def exact_log_pmf(name, count, theta, delta):
    """Log-pmf at the given floating-point θ and δ, by the textbook formula in 60 digits."""
    with mpmath.workdps(60):
        mean = mpmath.exp(mpmath.mpf(theta)) * mpmath.mpf(EXPOSURE)
        y = mpmath.mpf(int(count))
        if name == "poisson":
            return y * mpmath.log(mean) - mean - mpmath.loggamma(y + 1)
        alpha = alpha_of(name, mean, mpmath.exp(mpmath.mpf(delta)))
        r = 1 / alpha
        ratio = mpmath.loggamma(y + r) - mpmath.loggamma(r) - mpmath.loggamma(y + 1)
        odds = alpha * mean
        return ratio + y * mpmath.log(odds) - (y + r) * mpmath.log1p(odds)


def largest_error(name, count, build_tally):
    """Largest |error| / max(1, |log p|) over means about `count` and e^δ from 1e-5 to 30."""
    family = FAMILIES[name]
    deltas = np.log(10.0 ** np.arange(-5, 1.6, 0.5))
    thetas = np.log(np.maximum(count * np.array([0.3, 1.0, 1.01, 3.0]), 0.5) / EXPOSURE)
    statistics = family.statistics(build_tally([[count]], EXPOSURE))
    errors = []
    for theta in thetas:
        for delta in deltas:
            got = family.log_likelihood(np.array([theta]), np.array([delta]), statistics)[0]
            wanted = exact_log_pmf(name, count, theta, delta)
            errors.append(float(abs(got - wanted) / max(1, abs(wanted))))
    return max(errors)


def test_every_family_is_held_to_this_contract():
    """A new family is not left out."""
    assert set(VARIANCE) == set(FAMILIES)


@every_family
@moderate
def test_pmf_is_scipys(log_pmf, name, mean, dispersion):
    """At moderate dispersions SciPy's own pmf is accurate enough to compare with."""
    count = np.array([0, 1, 2, 3, 7, 20, 63, 511, 512, 513, 900])
    got = log_pmf(name, count, mean, dispersion)
    wanted = scipy_log_pmf(name, count, mean, dispersion)
    assert np.all(np.abs(got - wanted) <= 1e-11 * np.maximum(1, np.abs(wanted)))


@every_family
@pytest.mark.parametrize("count", [0, 1, 2, 8, 9, 50, 511, 512])
def test_pmf_to_the_last_digits(build_tally, name, count):
    """Within 3e-13 of 60 digits for counts summed term by term, down to α = 1e-10."""
    assert largest_error(name, count, build_tally) <= 3e-13


@every_family
@pytest.mark.parametrize("count", [513, 1000, 10_000])
def test_pmf_of_large_counts(build_tally, name, count):
    """Within 4e-12 of 60 digits for counts summed by Stirling's series, down to α = 1e-10."""
    assert largest_error(name, count, build_tally) <= 4e-12


@every_family
def test_pmf_of_a_hundred_thousand_spikes(build_tally, name):
    """For a count of 1e5 the terms are of size y ln y = 1.2e6, and rounding them is the error.

    Half a unit in the last place of each of the four largest terms is 4.6e-10 in all, far above
    4e-12, and far below anything that a posterior could show.
    """
    assert largest_error(name, 100_000, build_tally) <= 4.6e-10


@pytest.mark.parametrize("count", [513, 1000, 10_000, 100_000])
def test_stirling_difference(count):
    """Within two roundings of its largest term of 60 digits, for α from 1e-12 to 1e4."""
    for alpha in 10.0 ** np.arange(-12, 4.1, 0.5):
        with mpmath.workdps(60):
            r = 1 / mpmath.mpf(alpha)
            gammas = mpmath.loggamma(r + count) - mpmath.loggamma(r + 8)
            exact = gammas - (count - 8) * mpmath.log(r)
            error = float(abs(log_rising(alpha, float(count), np) - exact))
        assert error <= 2 * np.finfo(float).eps * max(count, float(exact))


@every_family
def test_likelihood_of_many_trials_is_the_sum_over_rows(build_counts, build_tally, name):
    """Unequal exposures, repeated and large counts: the tally's sum is the rows' sum."""
    rng = np.random.default_rng(3)
    counts = [rng.poisson(m, n) for m, n in [(0.1, 30), (2, 40), (30, 25), (520, 30)]]
    exposures = [rng.choice([0.5, 1.0, 3.0], len(row)) for row in counts]
    rows = build_counts(counts, exposures)
    theta, delta = np.array([-2.0, 0.7, 3.2, 6.0]), np.array([0.4, -1.0, -2.0, -3.0])
    family = FAMILIES[name]
    statistics = family.statistics(build_tally(counts, exposures))
    code = rows.neuron.codes
    mean = np.exp(theta[code]) * rows.exposure
    by_row = scipy_log_pmf(name, rows.count, mean, np.exp(delta[code]))
    wanted = np.bincount(code, by_row)
    got = family.log_likelihood(theta, delta, statistics)
    np.testing.assert_allclose(got, wanted, rtol=1e-11)
    stacked = family.log_likelihood(
        np.stack([theta, theta + 0.1]), np.stack([delta, delta]), statistics
    )
    assert stacked.shape == (2, 4)
    np.testing.assert_array_equal(stacked[0], got)


@every_family
@moderate
def test_pmf_sums_to_one(support, name, mean, dispersion):
    """Probabilities over all counts, below and above the switch to Stirling's series, sum to 1."""
    assert support(name, mean, dispersion)[1].sum() == pytest.approx(1, abs=1e-11)


@pytest.mark.parametrize("name", NEGATIVE_BINOMIAL)
@pytest.mark.parametrize("count", [0, 4, 15, 40])
def test_poisson_limit(log_pmf, name, count):
    """As α → 0 the log-pmf leaves Poisson's by α ((y − m)² − y)/2, to relative order α m.

    The two log-pmfs differ by 1e-8 or less here, so that rounding (1e-14) leaves five digits.
    """
    mean, dispersion = 5.0, 1e-5
    alpha = alpha_of(name, mean, dispersion)
    change = log_pmf(name, count, mean, dispersion) - log_pmf("poisson", count, mean, 1.0)
    wanted = alpha * ((count - mean) ** 2 - count) / 2
    assert change[0] == pytest.approx(wanted, rel=1e-4, abs=1e-13)


@every_family
@moderate
def test_mean_variance_and_fano_factor_of_the_pmf(support, name, mean, dispersion):
    """The pmf's moments are the closed forms, and `fano` is their ratio."""
    count, probability = support(name, mean, dispersion)
    pmf_mean = np.sum(count * probability)
    pmf_variance = np.sum((count - mean) ** 2 * probability)
    variance = VARIANCE[name](mean, dispersion)
    assert pmf_mean == pytest.approx(mean, rel=1e-10)
    assert pmf_variance == pytest.approx(variance, rel=1e-10)
    theta, delta = np.log([mean / EXPOSURE]), np.log([dispersion])
    fano = FAMILIES[name].fano(theta, delta, np.array([EXPOSURE]))
    assert fano == pytest.approx([variance / mean], rel=1e-12)


@every_family
@moderate
def test_gain_sd_is_the_root_of_alpha(name, mean, dispersion):
    """σ_G² = (Var y − m)/m², whatever the exposure."""
    theta, delta = np.log([mean / EXPOSURE]), np.log([dispersion])
    gain_sd = FAMILIES[name].gain_sd(theta, delta, np.array([EXPOSURE]))
    assert gain_sd**2 == pytest.approx([alpha_of(name, mean, dispersion)], rel=1e-12)


@every_family
def test_information_sums_squared_mean_over_variance(build_tally, name):
    """1/σ_i² = Σ_t m²/Var(y), over trials of unequal exposures and over draws."""
    exposures = [[0.5, 0.5, 2.0, 1.0], [3.0, 0.25]]
    tally = build_tally([[0, 2, 1, 1], [4, 700]], exposures)
    family = FAMILIES[name]
    theta = np.array([[0.3, 2.0], [-1.0, 5.0]])
    delta = np.array([[-1.0, 0.2], [0.5, -3.0]])
    got = family.information(theta, delta, family.statistics(tally))
    for draw, neuron in np.ndindex(2, 2):
        mean = np.exp(theta[draw, neuron]) * np.array(exposures[neuron])
        wanted = np.sum(mean**2 / VARIANCE[name](mean, np.exp(delta[draw, neuron])))
        assert got[draw, neuron] == pytest.approx(wanted, rel=1e-12)


@every_family
@moderate
def test_samples_follow_the_pmf(support, name, mean, dispersion):
    """Chi-square of 20,000 draws in about 20 bins against the pmf, p above 1e-5.

    A false alarm in any of the 15 cases has probability 1.5e-4.
    """
    count, probability = support(name, mean, dispersion)
    draws = 20_000
    rng = np.random.default_rng(11)
    sampled = FAMILIES[name].sample(np.full(draws, mean), np.full(draws, dispersion), rng)
    upper = np.unique(np.searchsorted(np.cumsum(probability), np.linspace(0.05, 0.95, 19)))
    expected = np.diff(np.concatenate([[0], np.cumsum(probability)[upper], [1]])) * draws
    observed = np.bincount(np.searchsorted(count[upper], sampled), minlength=len(upper) + 1)
    assert stats.chisquare(observed, expected, sum_check=False).pvalue > 1e-5


@every_family
@pytest.mark.parametrize(("mean", "dispersion"), [(0.5, 1e-7), (4.0, 0.7), (50.0, 0.2)])
def test_moments_of_samples(name, mean, dispersion):
    """Mean and variance of 50,000 draws within five standard errors of the closed forms.

    A false alarm in any of the 18 comparisons has probability 1.1e-5.
    """
    draws = 50_000
    sampled = FAMILIES[name].sample(
        np.full(draws, mean), np.full(draws, dispersion), np.random.default_rng(5)
    )
    variance = VARIANCE[name](mean, dispersion)
    squares = (sampled - mean) ** 2
    assert abs(sampled.mean() - mean) <= 5 * np.sqrt(variance / draws)
    assert abs(squares.mean() - variance) <= 5 * squares.std() / np.sqrt(draws)
    assert sampled.dtype == np.int64


@every_family
def test_samples_without_dispersion_are_poisson(name):
    """A dispersion of exactly 0 draws Poisson counts: variance = mean within five se (6e-7)."""
    draws, mean = 50_000, 3.0
    sampled = FAMILIES[name].sample(np.full(draws, mean), np.zeros(draws), np.random.default_rng(6))
    squares = (sampled - mean) ** 2
    assert abs(squares.mean() - mean) <= 5 * squares.std() / np.sqrt(draws)


def test_nb1_is_nb2_with_alpha_omega_over_m(log_pmf):
    """With one mean and one exposure the two families are one: α = ω/m."""
    count = np.array([0, 1, 5, 30, 600, 2000])
    for mean in (0.3, 4.0, 550.0):
        nb1 = log_pmf("nb1", count, mean, 0.8)
        nb2 = log_pmf("nb2", count, mean, 0.8 / np.sqrt(mean))
        np.testing.assert_allclose(nb1, nb2, rtol=1e-11)


def test_poisson_neither_sees_nor_needs_a_dispersion(build_tally):
    """Poisson's density is the same for every δ."""
    family = FAMILIES["poisson"]
    statistics = family.statistics(build_tally([[3, 0, 2]]))
    theta = np.array([0.5])
    first, second = (
        family.log_likelihood(theta, np.array([delta]), statistics) for delta in (-5.0, 2.0)
    )
    assert first == second


@every_family
@pytest.mark.parametrize("dispersion", [1e-7, 1e-3, 0.3, 2.0])
def test_distribution_function_is_scipys(name, dispersion):
    """P(y <= count) of draws × cells, few counts and many; 0 below 0.

    SciPy takes 1/(1 + α m), which leaves it 9 digits of a small α.
    """
    count = np.array([3, -1, 0, 40, 299, 300, 301, 2_000, 7])
    mean = np.array([[2.5], [30.0], [310.0], [1_900.0]]) * np.linspace(0.9, 1.1, len(count))
    got = FAMILIES[name].cumulative(count, mean, np.full(mean.shape, dispersion))
    alpha = np.broadcast_to(alpha_of(name, mean, dispersion), mean.shape)
    if np.all(alpha < 1e-12):
        wanted = stats.poisson.cdf(count, mean)
    else:
        wanted = stats.nbinom.cdf(count, 1 / alpha, 1 / (1 + alpha * mean))
    np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-12)
    assert np.all(got[:, 1] == 0)

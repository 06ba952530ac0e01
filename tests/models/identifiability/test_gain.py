"""Information about the dispersion near Poisson, against the likelihood itself."""

from itertools import product
from math import comb, factorial

import mpmath
import numpy as np
import pytest

from spikepool.models.identifiability.gain import (
    INFORMATION_WANTED,
    TRIALS_WANTED,
    gain_information,
    least_excess_fano,
    least_gain_sd,
)

NEAR_POISSON = mpmath.mpf("1e-12")


def multinomial(counts, shares):
    """Return the Poisson probability of the counts given their total."""
    ways, rest = 1, sum(counts)
    for count in counts:
        ways *= comb(rest, count)
        rest -= count
    return ways * mpmath.fprod(p**y for p, y in zip(shares, counts, strict=True))


def log_pmf(count, mean, alpha):
    """Return ln NB(count; mean, variance mean + alpha mean²), with 50 digits."""
    size = 1 / alpha
    return (
        mpmath.loggamma(count + size) - mpmath.loggamma(size) - mpmath.log(factorial(count))
        - size * mpmath.log1p(alpha * mean) + count * mpmath.log(mean / (mean + size))
    )  # fmt: skip


def score(counts, means, family):
    """Differentiate the log likelihood by the dispersion, near Poisson, by differences."""

    def log_likelihood(dispersion):
        alphas = [dispersion if family == "nb2" else dispersion / mean for mean in means]
        return sum(log_pmf(y, m, a) for y, m, a in zip(counts, means, alphas, strict=True))

    with mpmath.workdps(60):
        return (log_likelihood(2 * NEAR_POISSON) - log_likelihood(NEAR_POISSON)) / NEAR_POISSON


def variance_given_total(total, exposures, rate, family):
    """Return the variance of the score over all ways in which the spikes fall on the trials."""
    shares = [e / sum(exposures) for e in exposures]
    ways = [w for w in product(range(total + 1), repeat=len(shares)) if sum(w) == total]
    weights = [multinomial(way, shares) for way in ways]
    scores = [score(way, [rate * e for e in exposures], family) for way in ways]
    mean = sum(w * s for w, s in zip(weights, scores, strict=True))
    return sum(w * (s - mean) ** 2 for w, s in zip(weights, scores, strict=True))


def information_left(exposures, rate, family):
    """Return the variance of the score that is left given the total, averaged over totals."""
    mean = rate * sum(exposures)
    chances = [mpmath.exp(-mean) * mean**s / factorial(s) for s in range(12)]
    return sum(
        chance * variance_given_total(total, exposures, rate, family)
        for total, chance in enumerate(chances)
    )


@pytest.mark.parametrize("exposures", [(1.0, 1.0, 1.0), (0.5, 1.0, 2.5)])
def test_formulas_are_the_information_that_is_left_without_the_rate(exposures):
    """½ M² (Σp² − (Σp²)²) of α and ½ (n − 1) of ω, by enumeration of all small counts."""
    rate = 0.3
    shares = np.array(exposures) / sum(exposures)
    squares = np.sum(shares**2)
    wanted = (rate * sum(exposures)) ** 2 * (squares - squares**2) / 2
    # totals of 12 and more have a share of the sum below 1e-6
    assert float(information_left(exposures, rate, "nb2")) == pytest.approx(wanted, rel=1e-5)
    assert float(information_left(exposures, rate, "nb1")) == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("exposures", [(1.0, 1.0, 1.0), (0.5, 1.0, 2.5)])
def test_information_about_gains_that_time_draws_anew(build_tally, exposures):
    """α e_ref / e is ω / m for ω = α m_ref, so that I(α) is m_ref² I(ω): by the enumeration above.

    The estimate has S (S − 1) / S² before it, as that of ω has.
    """
    reference, counts = 0.8, [4, 1, 7]
    tally = build_tally([counts], [exposures])
    found = gain_information(tally, within_conditions=False, reference_exposure=reference)
    mean = 12 * reference / sum(exposures)
    of_fano = 2 * float(information_left(exposures, 0.3, "nb1"))
    assert found.of_gain == pytest.approx([mean**2 * of_fano * 11 / 12], rel=1e-5)
    assert found.trials_for_gain == np.ceil(1 + INFORMATION_WANTED / mean**2)


def test_equal_exposures_tell_as_much_of_either_gain(build_tally):
    """With the common exposure for the reference, in conditions too."""
    counts, condition = [[3, 4, 9, 8, 7], [1, 0, 2, 2, 5]], [[0, 0, 1, 1, 1]] * 2
    tally = build_tally(counts, 0.4, condition)
    for within in (False, True):
        one = gain_information(tally, within_conditions=within)
        other = gain_information(tally, within_conditions=within, reference_exposure=0.4)
        np.testing.assert_allclose(other.of_gain, one.of_gain, rtol=1e-12)
        np.testing.assert_array_equal(other.trials_for_gain, one.trials_for_gain)


def test_estimate_is_unbiased_over_totals(build_tally):
    """The mean over Poisson totals is (n − 1) m²: 4 standard errors of 20,000 neurons (6e-5)."""
    n, mean = 6, 1.7
    counts = np.random.default_rng(3).poisson(mean, (20_000, n))
    found = gain_information(build_tally(counts), within_conditions=False).of_gain
    error = found.std() / np.sqrt(len(found))
    assert abs(found.mean() - (n - 1) * mean**2) < 4 * error


def test_design_figures():
    """A gain of 0.5 at two standard errors needs 128, an excess Fano factor of 0.5 needs 32."""
    assert (INFORMATION_WANTED, TRIALS_WANTED) == (128, 32)
    assert least_gain_sd(np.array([128.0, 0.0])).tolist() == [0.5, np.inf]
    assert least_excess_fano(np.array([32.0, 0.0])).tolist() == [0.5, np.inf]


def test_trials_wanted_are_enough_and_no_more(build_tally):
    """So many trials of the same mean count have n − 1 times m² of 128; one less has not."""
    tally = build_tally([[4, 5, 3], [0, 0], [30, 30]])
    trials = gain_information(tally, within_conditions=False).trials_for_gain
    assert trials.tolist() == [9, np.inf, 2]
    assert (trials[0] - 1) * 16 >= 128 > (trials[0] - 2) * 16


def test_conditions_cost_a_trial_each(build_tally):
    """The information of two conditions is the sum of each one's."""
    counts, condition = [[3, 4, 9, 8, 7]], [[0, 0, 1, 1, 1]]
    tally = build_tally(counts, condition=condition)
    apart = [build_tally([[3, 4]]), build_tally([[9, 8, 7]])]
    whole = gain_information(tally, within_conditions=True)
    parts = [gain_information(each, within_conditions=False) for each in apart]
    assert whole.of_gain == pytest.approx(sum(each.of_gain for each in parts))
    assert whole.of_fano == pytest.approx(sum(each.of_fano for each in parts))
    merged = gain_information(tally, within_conditions=False)
    assert merged.of_gain[0] > whole.of_gain[0]


@pytest.mark.parametrize("counts", [[7], [0, 0, 0], [0, 1, 0]])
def test_one_trial_or_one_spike_says_nothing(build_tally, counts):
    """Neither of the gain nor of the Fano factor."""
    found = gain_information(build_tally([counts]), within_conditions=False)
    assert (found.of_gain[0], found.of_fano[0]) == (0.0, 0.0)

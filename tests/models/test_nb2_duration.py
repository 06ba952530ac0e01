"""NB2 whose gain is drawn anew as time passes, against SciPy and against NB2 itself."""

import numpy as np
import pytest
from scipy import stats

from spikepool.models.families import FAMILIES, family_of
from spikepool.models.families.nb2_duration import NB2Duration
from spikepool.models.spec import ModelSpec

REFERENCE = 0.8
FAMILY = NB2Duration(REFERENCE)
EXPOSURES = [[0.2, 0.2, 2.0, 0.7], [0.8, 0.8], [5.0, 0.1, 0.1]]
COUNTS = [[0, 2, 9, 9], [700, 513], [30, 0, 1]]
THETA, DELTA = np.array([1.3, 6.4, 2.0]), np.array([-0.4, -2.0, 0.3])


def scipys(theta, delta, exposure, reference=REFERENCE):
    """SciPy's negative binomial of shape n = e / (α e_ref) and mean λ e."""
    size = exposure / (np.exp(2 * delta) * reference)
    mean = np.exp(theta) * exposure
    return stats.nbinom(size, size / (size + mean))


def by_scipy(theta, delta, reference=REFERENCE):
    """Return the log-likelihood of every neuron."""
    laws = [
        scipys(x, d, np.array(e), reference)
        for x, d, e in zip(theta, delta, EXPOSURES, strict=True)
    ]
    return [law.logpmf(y).sum() for law, y in zip(laws, COUNTS, strict=True)]


def test_likelihood_is_scipys(build_tally):
    """Trials of several exposures, equal and large counts: within 1e-11 of the sum over rows."""
    statistics = FAMILY.statistics(build_tally(COUNTS, EXPOSURES))
    got = FAMILY.log_likelihood(THETA, DELTA, statistics)
    np.testing.assert_allclose(got, by_scipy(THETA, DELTA), rtol=1e-11)


@pytest.mark.parametrize("exposure", [0.1, 0.8, 6.0])
def test_moments(exposure):
    """The Fano factor is SciPy's, the same at any exposure; so are sampled mean and variance.

    Within 5 standard errors of 100,000 draws: a false alarm in 6 comparisons has probability 4e-6.
    """
    theta, delta = np.array([2.0]), np.array([-0.5])
    law = scipys(theta[0], delta[0], exposure)
    fano = FAMILY.fano(theta, delta, np.array([exposure]))
    assert fano == pytest.approx([law.var() / law.mean()], rel=1e-12)
    assert fano == pytest.approx([1 + np.exp(2.0 - 1.0) * REFERENCE], rel=1e-12)
    draws = 100_000
    dispersion = FAMILY.dispersion_in(np.exp(np.full(draws, -0.5)), np.full(draws, exposure))
    sampled = FAMILY.sample(np.full(draws, law.mean()), dispersion, np.random.default_rng(1))
    squares = (sampled - law.mean()) ** 2
    assert abs(sampled.mean() - law.mean()) < 5 * np.sqrt(law.var() / draws)
    assert abs(squares.mean() - law.var()) < 5 * squares.std() / np.sqrt(draws)


@pytest.mark.parametrize("exposure", [0.1, 6.0])
def test_distribution_function_is_scipys(exposure):
    """P(y <= count), and 0 below 0."""
    law, count = scipys(2.0, -0.5, exposure), np.arange(-1, 60)
    dispersion = FAMILY.dispersion_in(np.exp(np.array(-0.5)), np.array(exposure))
    got = FAMILY.cumulative(count, np.array(law.mean()), dispersion)
    np.testing.assert_allclose(got, law.cdf(count), rtol=1e-10)


def test_information_sums_squared_mean_over_variance(build_tally):
    """1/σ_i² = Σ_t m²/Var(y) of SciPy's distributions."""
    got = FAMILY.information(THETA, DELTA, FAMILY.statistics(build_tally(COUNTS, EXPOSURES)))
    for i, exposures in enumerate(EXPOSURES):
        law = scipys(THETA[i], DELTA[i], np.array(exposures))
        assert got[i] == pytest.approx(np.sum(law.mean() ** 2 / law.var()), rel=1e-12)


def test_fano_factor_at_a_mean_count():
    """Of counts with that mean in that exposure; of NB2 the exposure does not matter."""
    delta, exposure = np.array([[-0.5, 0.2]]), np.array([0.1, 4.0])
    got = FAMILY.fano_at_mean(6.0, delta, exposure)
    theta = np.log(6.0 / exposure)
    np.testing.assert_allclose(got, FAMILY.fano(theta, delta, exposure), rtol=1e-12)
    np.testing.assert_allclose(
        FAMILIES["nb2"].fano_at_mean(6.0, delta, exposure), 1 + 6 * np.exp(2 * delta)
    )


def test_equal_exposures_are_nb2_to_the_last_bit(build_tally):
    """α e_ref / e is α: likelihood and dispersion are those of NB2."""
    tally, family = build_tally(COUNTS, REFERENCE), FAMILIES["nb2"]
    got = FAMILY.log_likelihood(THETA, DELTA, FAMILY.statistics(tally))
    wanted = family.log_likelihood(THETA, DELTA, family.statistics(tally))
    np.testing.assert_array_equal(got, wanted)
    exposure = np.full(3, REFERENCE)
    np.testing.assert_array_equal(FAMILY.dispersion_in(np.exp(DELTA), exposure), np.exp(DELTA))
    np.testing.assert_allclose(
        FAMILY.fano(THETA, DELTA, exposure), family.fano(THETA, DELTA, exposure), rtol=1e-14
    )


def test_unit_of_the_exposures_does_not_matter(build_tally):
    """In milliseconds θ is smaller by ln 1000, and nothing else changes."""
    in_ms = [[1000 * e for e in each] for each in EXPOSURES]
    family = NB2Duration(1000 * REFERENCE)
    statistics = family.statistics(build_tally(COUNTS, in_ms))
    got = family.log_likelihood(THETA - np.log(1000), DELTA, statistics)
    np.testing.assert_allclose(got, by_scipy(THETA, DELTA), rtol=1e-11)


def test_a_model_says_which_family_it_has():
    """And only NB2 has a gain that time could draw anew."""
    by_time = ModelSpec("nb2", "partial", "partial", reference_exposure=0.3)
    assert family_of(by_time).fano(np.zeros(1), np.zeros(1), np.array([9.0])) == pytest.approx(1.3)
    assert family_of(ModelSpec("nb2", "none", "none")) is FAMILIES["nb2"]
    assert (by_time.name, by_time.label) == (
        "nb2-partial-duration", "NB2 partial (duration scaling)",
    )  # fmt: skip
    assert by_time.dispersion_scaling == "duration"
    assert ModelSpec("nb2", "none", "none").dispersion_scaling == "trial"
    assert ModelSpec("poisson", "none", None).dispersion_scaling is None
    with pytest.raises(ValueError, match="only NB2"):
        ModelSpec("nb1", "partial", "partial", reference_exposure=0.3)

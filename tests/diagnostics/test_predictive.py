"""Predictive bands hold data of the fitted model at their rate, and not other data."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.diagnostics import predictive
from spikepool.diagnostics.pearson import tabulate_pearson
from spikepool.diagnostics.predictive import REPLICATES, check_predictive
from spikepool.models.families import FAMILIES
from spikepool.models.parametrization import Parametrization
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import PosteriorDraws, SamplerStatistics

N, TRIALS = 40, 25
RATES = np.linspace(2.0, 12.0, N)
DISPERSION = {"poisson": 0.0, "nb2": 0.4, "nb1": 0.9}


def known(family, rates=RATES):
    """Return a posterior that is sure of rates and dispersions."""
    n = len(rates)
    shape = (1, 2 * REPLICATES, n)
    poisson = family == "poisson"
    return PosteriorDraws(
        spec=ModelSpec(family, "none", None if poisson else "none"),
        engine="nuts",
        neurons=tuple(f"n{i:05d}" for i in range(n)),
        population={},
        theta=np.broadcast_to(np.log(rates), shape),
        delta=None if poisson else np.full(shape, np.log(DISPERSION[family])),
        parametrization=Parametrization(np.ones(n), np.ones(n)),
        sampler=SamplerStatistics(0, np.ones(1), 1, 0.0, 0.0),
    )


@pytest.fixture
def check(build_tally):
    """Return a function from counts and a family to the check of that family's known truth."""

    def run(counts, family, interval=0.95, seed=0, exposure=None):
        tally = build_tally(counts, exposure=exposure)
        return check_predictive(known(family), tally, interval=interval, ddof=1, seed=seed)

    return run


def simulated(family, rng, exposure=1.0):
    """Draw a table from the family."""
    mean = np.repeat(RATES[:, np.newaxis], TRIALS, axis=1) * exposure
    return FAMILIES[family].sample(mean, np.full(mean.shape, DISPERSION[family]), rng)


def inside(band, least):
    """Return the share of bins, of those expecting that many, whose frequency is in the band."""
    told = band.expected >= least
    return np.mean((band.lower <= band.observed) & (band.observed <= band.upper), where=told)


@pytest.mark.parametrize("family", ["poisson", "nb2", "nb1"])
def test_data_of_the_model_are_inside_at_the_nominal_rate(check, family):
    """Half of the bins lie in a band of one half, a little more since bands include their ends.

    Frequencies of at least 25 have an sd of 5 or more, so that the ends add at most 0.15 and
    typically 0.06 to the rate. Over 25 tables the mean has a standard error near 0.02: bounds at
    4 of them around [0.5, 0.6].
    """
    rng = np.random.default_rng(11)
    shares = [
        inside(check(simulated(family, rng), family, 0.5, seed).count, 25) for seed in range(25)
    ]
    error = np.std(shares, ddof=1) / np.sqrt(25)
    assert error < 0.04
    assert 0.5 - 4 * error < np.mean(shares) < 0.6 + 4 * error


def test_median_fano_of_conditions(check):
    """Variance over mean, n − 1, of the neurons with a spike; in a band of 99 %, or far above."""
    rng = np.random.default_rng(13)
    counts = simulated("nb2", rng)
    counts[0] = 0
    found = check(counts, "nb2", 0.99).median_fano
    assert found.size == len(counts) - 1
    ratio = counts[1:].var(axis=1, ddof=1) / counts[1:].mean(axis=1)
    assert found.observed == pytest.approx(np.median(ratio))
    assert found.lower < found.expected < found.upper
    assert found.lower < found.observed < found.upper
    of_poisson = check(counts, "poisson").median_fano
    assert of_poisson.expected == pytest.approx(1.0, abs=0.05)
    assert of_poisson.upper < of_poisson.observed
    assert check(np.zeros_like(counts), "nb2").median_fano is None


CONDITIONS = np.exp(np.linspace(-0.8, 0.8, 5))


def tuned_check(counts, family, interval, seed, build_tally):
    """Check 40 neurons × 5 conditions × 8 trials against the family's known truth."""
    codes = np.tile(np.repeat(np.arange(len(CONDITIONS)), 8), (len(counts), 1))
    tally = build_tally(counts, condition=codes)
    rates = np.outer(RATES, CONDITIONS).ravel()
    shape = (1, 2 * REPLICATES, len(rates))
    draws = replace(known(family), response=np.broadcast_to(np.log(rates), shape))
    return check_predictive(draws, tally, interval=interval, ddof=1, seed=seed)


def tuned_counts(family, rng):
    """Draw such a table."""
    rates = np.repeat(np.outer(RATES, CONDITIONS), 8, axis=1)
    return FAMILIES[family].sample(rates, np.full(rates.shape, DISPERSION[family]), rng)


def test_rise_of_fano_factors_by_hand(build_tally):
    """Of 5 conditions the middle one by count is in neither half; a neuron with one in no ratio."""
    first = [[4, 4], [2, 6], [9, 11], [5, 15], [1, 1]]  # means 4, 4, 10, 10, 1
    second = [[2, 4], [10, 14]]
    counts = [np.concatenate(first), np.concatenate(second), [3, 5]]
    condition = [np.repeat(np.arange(5), 2), np.repeat(np.arange(2), 2), [0, 0]]
    table = tabulate_pearson(build_tally(counts, condition=condition))
    # Of the first neuron (1, 1) and (4, 4) against (9, 11) and (5, 15): 0 against 2.6.
    size, ratio = predictive._fano_rise(table, 1)
    assert size == 2
    upper, lower = np.median([2.6, 8 / 12]), np.median([0.0, 2 / 3])
    assert ratio == pytest.approx(upper / lower)


@pytest.mark.parametrize("family", ["poisson", "nb2", "nb1"])
def test_rise_of_fano_factors_of_the_model(family, build_tally):
    """In a band of 80 % for 10 or more of 20 tables: fewer in 6 of 10,000 models."""
    rng = np.random.default_rng(31)
    found = [
        tuned_check(tuned_counts(family, rng), family, 0.8, seed, build_tally).fano_rise
        for seed in range(20)
    ]
    inside = sum(each.lower <= each.observed <= each.upper for each in found)
    assert inside >= 10
    assert found[0].size == N


@pytest.mark.parametrize(("true", "fitted"), [("nb1", "nb2"), ("nb2", "nb1")])
def test_rise_of_fano_factors_of_another_law(true, fitted, build_tally):
    """A constant Fano factor rises less than a constant gain says, and the other way round."""
    counts = tuned_counts(true, np.random.default_rng(32))
    found = tuned_check(counts, fitted, 0.95, 0, build_tally).fano_rise
    assert found.observed < found.lower if true == "nb1" else found.observed > found.upper


def test_no_rise_without_conditions(check):
    """Nor where there is no spike."""
    counts = simulated("nb2", np.random.default_rng(13))
    assert check(counts, "nb2").fano_rise is None
    assert check(np.zeros_like(counts), "nb2").fano_rise is None


@pytest.mark.parametrize("family", ["poisson", "nb2", "nb1"])
def test_wide_band_holds_nearly_all(check, family):
    """At 95 % the mean over 10 tables and both histograms is above 0.9."""
    rng = np.random.default_rng(12)
    checks = [check(simulated(family, rng), family, seed=seed) for seed in range(10)]
    assert np.mean([inside(each.count, 1) for each in checks]) > 0.9
    assert np.mean([inside(each.fano, 1) for each in checks]) > 0.9


def test_far_more_variance_falls_outside(check):
    """NB2 counts against Poisson's prediction: Fano factors are too large, counts too spread."""
    found = check(simulated("nb2", np.random.default_rng(13)), "poisson")
    assert inside(found.fano, 1) < 0.5
    for band, tail in ((found.fano, 1.8), (found.count, 24.5)):
        above = band.left >= tail
        assert band.observed[above].sum() > band.upper[above].sum()


def test_less_variance_falls_outside(check):
    """Counts that never vary against Poisson's: all Fano factors lie in the lowest bin."""
    counts = np.repeat(RATES.round().astype(int)[:, np.newaxis], TRIALS, axis=1)
    found = check(counts, "poisson").fano
    assert found.observed[0] == N
    assert found.upper[0] < N / 2


def test_histograms_count_every_trial_and_every_neuron(check):
    """Trials of the data and of the band's centre; what is above the last edge is in it."""
    counts = simulated("nb2", np.random.default_rng(14))
    found = check(counts, "nb2")
    assert found.count.observed.sum() == counts.size
    assert found.fano.observed.sum() == N
    for band in (found.count, found.fano):
        np.testing.assert_array_equal(band.left[1:], band.right[:-1])
        assert np.all((band.lower <= band.expected) & (band.expected <= band.upper))
    assert found.count.expected.sum() == pytest.approx(counts.size, rel=0.05)


def test_exposures_are_those_of_the_data(check):
    """Trials of three lengths are predicted at their own lengths: a band of 95 % holds them."""
    exposure = np.tile(np.resize([0.1, 1.0, 3.0], TRIALS), (N, 1))
    counts = simulated("poisson", np.random.default_rng(15), exposure)
    found = check(counts, "poisson", exposure=exposure)
    assert inside(found.count, 1) > 0.85
    assert inside(found.fano, 1) > 0.85


def test_draws_are_used_all_along_the_chain(build_tally):
    """A posterior of two halves predicts both: a band from one count to the other."""
    draws = known("poisson", np.full(N, 5.0))
    theta = np.array(draws.theta)
    theta[:, theta.shape[1] // 2 :] = np.log(50.0)
    tally = build_tally(np.full((N, TRIALS), 50))
    found = check_predictive(replace(draws, theta=theta), tally, interval=0.9, ddof=1, seed=0).count
    near_five = found.left < 10
    assert found.lower[near_five].sum() == 0
    assert found.upper[near_five].sum() > N * TRIALS / 2


def test_silent_and_single_trials_have_no_fano_factor(build_tally):
    """Nothing to show is no error: the histogram is empty."""
    found = check_predictive(
        known("poisson", np.full(3, 1e-9)),
        build_tally([[0, 0], [0], [0, 0, 0]]),
        interval=0.95,
        ddof=1,
        seed=0,
    )
    assert found.fano.observed.sum() == 0
    assert found.count.observed.tolist() == [6.0]


def test_is_repeatable_and_depends_on_the_seed(check):
    """The same seed, the same numbers."""
    counts = simulated("nb2", np.random.default_rng(16))
    first, again, other = (check(counts, "nb2", seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.count.upper, again.count.upper)
    assert np.any(first.count.upper != other.count.upper)


def test_large_counts_share_bins(check):
    """At most 81 bins of whole counts, however large the counts."""
    counts = simulated("poisson", np.random.default_rng(17))
    counts[0, 0] = 100_000
    found = check(counts, "poisson").count
    assert len(found.left) <= 81
    assert (found.right[0] - found.left[0]) % 1 == 0
    assert found.observed.sum() == counts.size

"""What the order of trials says of slow drift: against brute force, permutations and truth."""

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.diagnostics.drift import (
    COSINES,
    FEW_TRIALS,
    FORMULAS,
    Drift,
    drift_notices,
    measure_drift,
)
from spikepool.diagnostics.pearson import fano_per_neuron, tabulate_pearson
from spikepool.diagnostics.trial_order import NO_ORDER


def numbered(name, codes):
    """Label rows by numbers."""
    codes = np.asarray(codes, dtype=np.int64)
    return Labels(name, tuple(str(value) for value in range(codes.max() + 1)), codes)


def table(counts, condition=None, exposure=None):
    """Build a table of neurons × trials, trials in the order of the columns."""
    counts = np.atleast_2d(np.asarray(counts, dtype=np.int64))
    neurons, trials = counts.shape
    condition = np.zeros(trials) if condition is None else condition
    return SpikeCounts(
        neuron=numbered("neuron", np.repeat(np.arange(neurons), trials)),
        count=counts.ravel(),
        exposure=np.ones(counts.size) if exposure is None else np.tile(exposure, neurons),
        exposure_known=False,
        trial=numbered("trial", np.tile(np.arange(trials), neurons)),
        condition=numbered("condition", np.tile(condition, neurons)),
    )


def arrangements(counts, condition):
    """Return every order of the counts within conditions, one per row."""
    counts, condition = np.asarray(counts), np.asarray(condition)
    places = [np.flatnonzero(condition == value) for value in np.unique(condition)]
    every = []
    for orders in product(*(permutations(counts[place]) for place in places)):
        arranged = counts.copy()
        for place, order in zip(places, orders, strict=True):
            arranged[place] = order
        every.append(arranged)
    return np.array(every)


def fano_raw(counts):
    """Fano factor with n − 1."""
    return fano_per_neuron(tabulate_pearson(tally_counts(counts)), 1)


def test_means_over_all_orders():
    """Without order lag1_r is 0 on average, and fano_successive the Fano factor, exactly."""
    condition = [0, 1, 0, 0, 1, 1, 0]
    every = table(arrangements([3, 0, 7, 1, 2, 5, 4], condition), condition)
    drift = measure_drift(every)
    np.testing.assert_allclose(drift.lag1_r.mean(), 0, atol=1e-12)
    np.testing.assert_allclose(drift.fano_successive.mean(), fano_raw(every)[0], rtol=1e-12)


def test_mean_explained_share_over_all_orders():
    """R² of the slow waves has mean k/D over all permutations, exactly."""
    condition = [0, 1, 0, 0, 1, 0, 1, 1]
    every = arrangements([3, 0, 7, 1, 2, 5, 4, 4], condition)
    shares = [explained_share(row, condition, np.ones(8)) for row in every]
    np.testing.assert_allclose(np.mean(shares), COSINES / 6, rtol=1e-12)


def explained_share(counts, condition, exposure):
    """R² by least squares, neuron by neuron."""
    counts, condition = np.asarray(counts, dtype=float), np.asarray(condition)
    place = (np.arange(len(counts)) + 0.5) / len(counts)
    waves = np.cos(np.pi * np.outer(place, np.arange(1, COSINES + 1)))
    residual = np.zeros(len(counts))
    for value in np.unique(condition):
        of = condition == value
        left = counts[of] - counts[of].sum() / exposure[of].sum() * exposure[of]
        sd = np.sqrt((left**2).sum() / (of.sum() - 1))
        residual[of] = left / sd
        waves[of] = (waves[of] - waves[of].mean(axis=0)) * sd
    fitted = waves @ np.linalg.lstsq(waves, residual, rcond=None)[0]
    return (fitted**2).sum() / (residual**2).sum()


def test_pvalue_is_that_of_a_regression():
    """Against least squares, with unequal exposures and conditions."""
    rng = np.random.default_rng(1)
    condition = rng.permutation(np.repeat([0, 1, 2], [12, 7, 4]))
    exposure = rng.uniform(0.5, 2, size=23)
    counts = rng.poisson(4 * exposure, size=(5, 23))
    shares = np.array([explained_share(row, condition, exposure) for row in counts])
    expected = stats.beta.sf(shares, COSINES / 2, (20 - COSINES) / 2)
    drift = measure_drift(table(counts, condition, exposure))
    np.testing.assert_allclose(drift.drift_pvalue, expected, rtol=1e-9)
    np.testing.assert_allclose(drift.drift_qvalue, stats.false_discovery_control(expected))


def test_fano_of_successive_differences_by_hand():
    """Differences of 2, 4 and 1 at a mean of 7/4; the trial of another condition is passed over."""
    drift = measure_drift(table([2, 8, 4, 0, 1], condition=[0, 1, 0, 0, 0]))
    np.testing.assert_allclose(drift.fano_successive, (4 + 16 + 1) / 2 / (7 / 4) / 3)


def test_successive_differences_of_poisson_counts_of_unequal_exposures():
    """Their Fano factor is 1: 20,000 neurons, standard error below 0.004 of the mean."""
    rng = np.random.default_rng(2)
    exposure = rng.uniform(0.2, 3, size=20)
    counts = rng.poisson(5 * exposure, size=(20_000, 20))
    assert measure_drift(table(counts, None, exposure)).fano_successive.mean() == pytest.approx(
        1, abs=0.02
    )


def test_rows_in_any_order_give_the_same():
    """Trials are told by their numbers, to the last bit."""
    rng = np.random.default_rng(3)
    counts = table(rng.poisson(3, size=(4, 30)), rng.integers(3, size=30))
    rows = rng.permutation(len(counts.count))
    moved = replace(
        counts,
        count=counts.count[rows],
        exposure=counts.exposure[rows],
        **{
            name: replace(getattr(counts, name), codes=getattr(counts, name).codes[rows])
            for name in ("neuron", "trial", "condition")
        },
    )
    for one, other in zip(
        vars(measure_drift(counts)).values(), vars(measure_drift(moved)).values(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_what_cannot_be_tested_says_why():
    """Silent neurons and those of few trials have no p-value; without trials nobody has."""
    counts = np.zeros((3, 9), dtype=int)
    counts[1] = counts[2] = [1, 0, 2, 1, 0, 3, 1, 1, 2]
    drift = measure_drift(table(counts))
    assert drift.drift_untested.tolist() == [FEW_TRIALS, "", ""]
    assert np.isnan(drift.drift_pvalue).tolist() == [True, False, False]
    assert drift.main_obstacle == FEW_TRIALS
    assert measure_drift(table(counts[:, :8])).drift_untested.tolist() == [FEW_TRIALS] * 3
    without = measure_drift(replace(table(counts), trial=None))
    assert without.drift_untested.tolist() == [NO_ORDER] * 3
    assert np.isnan(without.fano_successive).all()
    assert drift_notices(without, 0.05) == ()


def test_equal_counts_are_constant_whatever_the_rounding():
    """Counts of 3 in exposures of 0.1 leave no residual to standardise."""
    drift = measure_drift(table(np.full((2, 12), 3), None, np.full(12, 0.1)))
    assert drift.drift_untested.tolist() == [FEW_TRIALS] * 2
    assert np.isnan(drift.lag1_r).all()


def test_formulas_are_those_of_the_fields():
    """Each column is stated once."""
    assert set(FORMULAS) == set(Drift.__dataclass_fields__)


def gains(rng, sd, size):
    """Gamma gains of mean 1."""
    return np.ones(size) if sd == 0 else rng.gamma(sd**-2, sd**2, size=size)


def test_known_drift_is_found_and_leaves_the_fano_factor():
    """Rates fall to a third: nearly all of 200 neurons; what is left is their gain."""
    rng = np.random.default_rng(4)
    course = np.exp(np.linspace(0.55, -0.55, 100))
    rate = 6 * course * gains(rng, 0.3, (200, 100))
    counts = table(rng.poisson(rate), np.tile([0, 1], 50))
    drift = measure_drift(counts)
    assert drift.drifting(0.05).mean() > 0.95
    without_drift = 1 + 0.3**2 * np.mean(6 * course**2) / np.mean(course)
    assert drift.fano_successive.mean() == pytest.approx(without_drift, abs=0.05)
    assert fano_raw(counts).mean() > without_drift + 0.4
    assert drift_notices(drift, 0.05, in_blocks=True) == ()
    (stimuli,) = drift_notices(drift, 0.05, several_rates=True)
    assert "--drift-block N, of one condition (--where), rates differ" in stimuli.message
    (notice,) = drift_notices(drift, 0.05)
    assert "with --drift-block N rates differ" in notice.message
    assert notice.code == "drift"
    assert "of 200 neurons (FDR 5%)" in notice.message


def test_drift_of_few_neurons_is_no_warning():
    """One of 11 that drift is told in the tables alone."""
    unknown, untested = np.full(11, np.nan), np.full(11, "")
    qvalue = np.array([0.001, *[0.9] * 10])
    assert drift_notices(Drift(unknown, unknown, qvalue, qvalue, untested), 0.05) == ()
    qvalue[1] = 0.001
    assert len(drift_notices(Drift(unknown, unknown, qvalue, qvalue, untested), 0.05)) == 1


CASES = {
    "sparse Poisson": (0.3, 0.0, 40, 1),
    "Poisson": (5.0, 0.0, 100, 1),
    "few trials": (2.0, 0.0, 9, 1),
    "few sparse trials": (0.5, 0.0, 12, 1),
    "gain noise": (5.0, 1.0, 50, 1),
    "sparse with gain noise": (0.3, 1.0, 60, 1),
    "pairs of trials": (2.0, 0.5, 48, 24),
    "tuned": (4.0, 0.5, 96, 8),
}


@pytest.mark.statistical
@pytest.mark.parametrize("case", CASES)
def test_level(case):
    """Of 20,000 neurons without drift at most 5.6 % and 1.35 % are below 0.05 and 0.01.

    Standard errors are 0.15 and 0.07 points; sparse counts may be below 0.05 less often.
    """
    mean, gain_sd, trials, conditions = CASES[case]
    rng = np.random.default_rng(5)
    condition = rng.permutation(np.arange(trials) % conditions)
    tuning = np.exp(rng.normal(0, 0.8 if conditions > 1 else 0, size=conditions))[condition]
    rate = mean * tuning * gains(rng, gain_sd, (20_000, trials))
    drift = measure_drift(table(rng.poisson(rate), condition))
    pvalue = drift.drift_pvalue[drift.tested]
    assert np.mean(pvalue <= 0.05) <= 0.056
    assert np.mean(pvalue <= 0.01) <= 0.0135
    assert abs(np.nanmean(drift.lag1_r)) < 0.01

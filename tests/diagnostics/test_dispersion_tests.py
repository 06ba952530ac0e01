"""Dispersion tests: against enumeration, for validity, and for what they must not depend on."""

import itertools

import numpy as np
import pytest
from scipy import stats

from spikepool.diagnostics import dispersion_tests
from spikepool.diagnostics.dispersion_tests import randomised_pvalues, run_dispersion_tests


def run(tally, seed=0):
    """Run the tests with a 95 % null range."""
    return run_dispersion_tests(tally, interval=0.95, seed=seed)


def exact_pvalues(counts, exposure):
    """Over- and underdispersion p-values by enumeration of every table with this total."""
    spikes, p = sum(counts), np.array(exposure) / np.sum(exposure)
    tables = np.array(
        [t for t in itertools.product(range(spikes + 1), repeat=len(counts)) if sum(t) == spikes]
    )
    pmf = stats.multinomial.pmf(tables, spikes, p)
    x2 = ((tables - spikes * p) ** 2 / (spikes * p)).sum(axis=1)
    observed = ((np.array(counts) - spikes * p) ** 2 / (spikes * p)).sum()
    return pmf[x2 >= observed - 1e-9].sum(), pmf[x2 <= observed + 1e-9].sum()


@pytest.mark.parametrize(
    ("counts", "exposure"),
    [
        ([3, 1, 0, 4], [1, 1, 1, 1]),
        ([9, 0, 0, 0], [1, 1, 1, 1]),
        ([2, 2, 2, 2], [1, 1, 1, 1]),
        ([1, 2, 3, 4], [1, 2, 3, 4]),
        ([6, 1, 0, 1], [0.5, 1, 2, 1]),
        ([0, 0, 0, 7], [3, 2, 2, 0.2]),
        ([21, 7, 2], [1, 1, 1]),
        ([10, 10, 10], [1, 1, 1]),
        ([5, 4, 21], [1, 2, 2.5]),
        ([6, 11, 13], [1, 2, 2.5]),
    ],
)
def test_pvalues_equal_enumeration(build_tally, counts, exposure):
    """The mean p over 50 seeds is the exact one, to five standard errors and 1/(1 + draws).

    A correct program fails with probability under 1e-5 in each of 20 comparisons.
    """
    tally = build_tally([counts], [exposure])
    runs = [run(tally, seed) for seed in range(50)]
    over, under = exact_pvalues(counts, exposure)
    for name, exact in (("pvalue_over", over), ("pvalue_under", under)):
        found = np.array([getattr(tests, name)[0] for tests in runs])
        add_one = 0.006 if exact > 0.08 else 0.03 * exact + 1e-4
        error = 5 * found.std() / np.sqrt(len(found)) + add_one
        if exact == pytest.approx(1):
            assert found == pytest.approx(1)
        else:
            assert found.mean() == pytest.approx(exact, abs=error)


def test_small_pvalues_are_resolved_below_the_number_of_draws(build_tally):
    """Two equal trials: X² >= x is a binomial tail, met to a factor of 3 at 3e-12.

    Thirteen equal counts are the smallest X² there is: 5e-12, bounded from above by 1e-8.
    """
    lopsided = run(build_tally([[60, 5]]))
    exact = 2 * stats.binom.cdf(5, 65, 0.5)
    assert exact < 1e-11
    assert np.log10(lopsided.pvalue_over[0]) == pytest.approx(np.log10(exact), abs=0.5)
    constant = run(build_tally([[15] * 13]))
    exact = stats.multinomial.pmf([15] * 13, 195, np.full(13, 1 / 13))
    assert exact <= constant.pvalue_under[0] < 1e-8
    assert constant.pvalue_over[0] == 1.0


def test_moment_matched_pvalues_agree_with_simulated_ones(build_tally, monkeypatch):
    """Both routes give one p-value where many trials allow either.

    With 199 draws the standard error is at most 0.036; a difference of 0.16 in any of 48
    comparisons has probability below 1e-3.
    """
    rng = np.random.default_rng(11)
    tally = build_tally(rng.poisson(4, (24, 160)))
    matched = run(tally)
    monkeypatch.setattr(dispersion_tests, "SMALL_SKEWNESS", 0.0001)
    simulated = run(tally)
    assert not np.array_equal(matched.pvalue_over, simulated.pvalue_over)
    assert matched.pvalue_over == pytest.approx(simulated.pvalue_over, abs=0.16)
    assert matched.pvalue_under == pytest.approx(simulated.pvalue_under, abs=0.16)


def test_one_spike_carries_no_evidence(build_tally):
    """With one spike X² is n − 1 whatever the trial: both p-values are 1, the range one point."""
    tests = run(build_tally([[0, 0, 1, 0, 0], [1] + [0] * 499]))
    assert tests.pvalue_over.tolist() == tests.pvalue_under.tolist() == [1.0, 1.0]
    assert tests.null_lower == pytest.approx([4.0, 499.0])
    assert tests.null_upper == pytest.approx([4.0, 499.0])


def test_sparse_null_range_is_on_the_lattice(build_tally):
    """Two spikes in four trials: X² is 0 + 2 with probability 3/4 or 6 with 1/4."""
    tests = run(build_tally([[1, 1, 0, 0]]))
    assert (tests.null_lower[0], tests.null_upper[0]) == pytest.approx((2.0, 6.0))


def test_results_depend_on_the_id_and_not_on_the_order(build_tally):
    """A neuron's numbers are the same alone, among others and with its trials shuffled."""
    rng = np.random.default_rng(2)
    counts, exposure = rng.poisson(3, (6, 12)), rng.uniform(0.5, 2, (6, 12))
    names = [f"u{k}" for k in range(6)]
    together = run(build_tally(counts, exposure, names=names), seed=7)
    order, shuffle = rng.permutation(6), rng.permutation(12)
    moved = run(
        build_tally(
            counts[order][:, shuffle], exposure[order][:, shuffle], names=[names[k] for k in order]
        ),
        seed=7,
    )
    alone = run(build_tally(counts[3:4], exposure[3:4], names=["u3"]), seed=7)
    for name in ("pvalue_over", "pvalue_under", "null_lower", "null_upper", "x2"):
        values = getattr(together, name)
        np.testing.assert_array_equal(getattr(moved, name), values[order])
        np.testing.assert_array_equal(getattr(alone, name), values[3:4])
    other = run(build_tally(counts, exposure, names=names), seed=8)
    assert not np.array_equal(other.pvalue_over, together.pvalue_over)


def test_results_do_not_depend_on_threads(build_tally, monkeypatch):
    """One thread or three, in one run of neurons or in many: the same numbers, for 30 neurons."""
    rng = np.random.default_rng(5)
    tally = build_tally(rng.negative_binomial(2, 0.3, (30, 15)))
    alone = run_dispersion_tests(tally, interval=0.95, seed=1, cores=1)
    monkeypatch.setattr(dispersion_tests, "_NEURONS_AT_ONCE", 4)
    monkeypatch.setattr(dispersion_tests, "granted_cores", lambda asked: asked)
    threads = run_dispersion_tests(tally, interval=0.95, seed=1, cores=3)
    for name in ("pvalue_over", "pvalue_under", "null_lower", "null_upper"):
        np.testing.assert_array_equal(getattr(threads, name), getattr(alone, name))


def assert_super_uniform(pvalues, error_rate):
    """P(p <= a) <= a at six levels, at the stated error rate over all of them."""
    levels = np.array([0.001, 0.01, 0.05, 0.1, 0.2, 0.5])
    found = (pvalues[:, np.newaxis] <= levels).sum(axis=0)
    allowed = stats.binom.isf(error_rate / len(levels), len(pvalues), levels)
    assert (found <= allowed).all(), (found, allowed)


def poisson_case(rng, neurons, rate, trials, kind):
    """Draw counts, exposures and conditions of Poisson neurons."""
    exposure = np.ones((neurons, trials))
    if kind == "exposures":
        exposure = np.exp(rng.normal(0, 0.5, (neurons, trials)))
    condition = np.tile(np.arange(trials) % 2, (neurons, 1)) if kind == "conditions" else None
    gain = 1.0 if condition is None else 1 + condition
    return rng.poisson(rate * gain * exposure), exposure, condition


@pytest.mark.parametrize("kind", ["plain", "exposures", "conditions"])
def test_poisson_pvalues_are_valid_and_randomised_ones_uniform(build_tally, kind):
    """250 Poisson neurons; false alarm at most 1e-4 for each of three checks."""
    rng = np.random.default_rng(20)
    tally = build_tally(*poisson_case(rng, 250, 2.0, 12, kind))
    tests = run(tally)
    assert_super_uniform(tests.pvalue_over, 1e-4)
    assert_super_uniform(tests.pvalue_under, 1e-4)
    assert stats.kstest(randomised_pvalues(tally, seed=1), "uniform").pvalue > 1e-4


@pytest.mark.statistical
@pytest.mark.parametrize("kind", ["plain", "exposures", "conditions"])
@pytest.mark.parametrize("trials", [5, 13, 40, 200])
@pytest.mark.parametrize("rate", [0.3, 1.0, 5.0, 50.0])
def test_poisson_pvalues_are_valid_over_rates_and_trials(build_tally, rate, trials, kind):
    """1,000 Poisson neurons per case; false alarm at most 1e-5 for each of 144 checks."""
    rng = np.random.default_rng(int(rate * 10) + 1000 * trials)
    tally = build_tally(*poisson_case(rng, 1000, rate, trials, kind))
    tests = run(tally)
    assert_super_uniform(tests.pvalue_over[~np.isnan(tests.x2)], 1e-5)
    assert_super_uniform(tests.pvalue_under[~np.isnan(tests.x2)], 1e-5)
    uniform = randomised_pvalues(tally, seed=1, draws=99)
    assert stats.kstest(uniform[~np.isnan(uniform)], "uniform").pvalue > 1e-5

"""X² within conditions, and its moments against enumeration of every table."""

import itertools

import numpy as np
import pytest
from scipy import stats

from spikepool.diagnostics.pearson import null_moments, polya_mean_variance, tabulate_pearson

EXPOSURES = ([1.0, 1.0, 1.0, 1.0], [0.5, 1.0, 1.5, 2.0])


def all_tables(trials: int, spikes: int) -> np.ndarray:
    """Every way to spread `spikes` over `trials`."""
    tables = itertools.product(range(spikes + 1), repeat=trials)
    return np.array([table for table in tables if sum(table) == spikes])


def table_with(build_tally, exposure, spikes):
    """Return the Pearson table of one neuron with these exposures and this total."""
    counts = np.zeros(len(exposure), dtype=int)
    counts[0] = spikes
    return tabulate_pearson(build_tally([counts], [exposure]))


def x2_of(tables, exposure):
    """X² of each table, by SciPy."""
    expected = tables.sum(axis=1, keepdims=True) * np.array(exposure) / np.sum(exposure)
    return stats.chisquare(tables, expected, axis=1).statistic


def test_x2_is_scipys_within_each_condition(build_tally):
    """With unequal exposures X² is SciPy's chi-square, summed over conditions."""
    counts, exposure = [3, 0, 5, 2, 7, 1, 4], [1, 2, 1.5, 1, 0.5, 1, 2]
    tally = build_tally([counts], [exposure], [[0, 0, 0, 0, 1, 1, 1]])
    expected = sum(
        x2_of(np.array([counts[part]]), exposure[part])[0] for part in (slice(0, 4), slice(4, 7))
    )
    table = tabulate_pearson(tally)
    assert table.per_neuron(table.x2) == pytest.approx([expected], rel=1e-13)


@pytest.mark.parametrize("exposure", EXPOSURES)
@pytest.mark.parametrize("spikes", [1, 2, 6])
def test_null_moments_equal_enumeration(build_tally, exposure, spikes):
    """Mean, variance and third moment under Poisson are exact."""
    tables = all_tables(4, spikes)
    pmf = stats.multinomial.pmf(tables, spikes, np.array(exposure) / np.sum(exposure))
    x2 = x2_of(tables, exposure)
    mean = pmf @ x2
    moments = null_moments(table_with(build_tally, exposure, spikes))
    assert mean == pytest.approx(3.0)
    assert moments.mean == pytest.approx([mean])
    assert moments.variance == pytest.approx([pmf @ (x2 - mean) ** 2], abs=1e-12)
    assert moments.third == pytest.approx([pmf @ (x2 - mean) ** 3], abs=1e-11)


@pytest.mark.parametrize("exposure", EXPOSURES)
@pytest.mark.parametrize("beta", [0.05, 0.7, 20.0])
def test_dirichlet_multinomial_moments_equal_enumeration(build_tally, exposure, beta):
    """Mean and variance of overdispersed counts given their total are exact."""
    tables = all_tables(4, 6)
    p = np.array(exposure) / np.sum(exposure)
    pmf = np.array([stats.dirichlet_multinomial.pmf(row, p / beta, 6) for row in tables])
    x2 = x2_of(tables, exposure)
    mean, variance = polya_mean_variance(table_with(build_tally, exposure, 6), np.array([beta]))
    assert mean == pytest.approx([pmf @ x2])
    assert variance == pytest.approx([pmf @ (x2 - pmf @ x2) ** 2])


@pytest.mark.parametrize("balls", [[3, 3, 3, 3], [1, 2, 3, 4]])
def test_hypergeometric_moments_equal_enumeration(build_tally, balls):
    """Mean and variance of underdispersed counts given their total are exact."""
    tables = all_tables(4, 6)
    pmf = np.array([stats.multivariate_hypergeom.pmf(row, balls, 6) for row in tables])
    x2 = x2_of(tables, balls)
    mean, variance = polya_mean_variance(
        table_with(build_tally, balls, 6), np.array([-1 / sum(balls)])
    )
    assert mean == pytest.approx([pmf @ x2])
    assert variance == pytest.approx([pmf @ (x2 - pmf @ x2) ** 2])


def test_conditions_without_spikes_or_with_one_trial_are_left_out(build_tally):
    """Only conditions with two trials and a spike have degrees of freedom."""
    tally = build_tally([[0, 0, 0, 4, 2, 3]], condition=[[0, 0, 0, 1, 2, 2]])
    table = tabulate_pearson(tally)
    assert table.trials.tolist() == [2.0]
    assert table.per_neuron(table.x2) == pytest.approx([0.2])

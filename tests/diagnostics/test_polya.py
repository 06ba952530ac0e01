"""Pólya urns: their probabilities against SciPy's, their draws against enumeration."""

import itertools

import numpy as np
import pytest
from scipy import stats

from spikepool.diagnostics import urn_kernels
from spikepool.diagnostics.pearson import tabulate_pearson
from spikepool.diagnostics.polya import (
    dirichlet_multinomial,
    hypergeometric,
    poisson_null,
    start_streams,
)

EXPOSURE = [1.0, 2.0, 3.0, 4.0]


def all_tables(trials, spikes):
    """Every way to spread `spikes` over `trials`."""
    tables = itertools.product(range(spikes + 1), repeat=trials - 1)
    return np.array([[*table, spikes - sum(table)] for table in tables if sum(table) <= spikes])


def null_of(build_tally, exposure, spikes):
    """Return the null of one neuron with these exposures and this total."""
    counts = np.zeros(len(exposure), dtype=int)
    counts[0] = spikes
    tally = build_tally([counts], [exposure])
    return poisson_null(tally, tabulate_pearson(tally))


@pytest.mark.parametrize("table_width", [1, 1024])
def test_urn_log_ratios_are_scipys_pmfs(build_tally, table_width):
    """Importance weights rest on pmf ratios that equal SciPy's, tabulated or in closed form."""
    null = null_of(build_tally, EXPOSURE, 8)
    p = np.array(EXPOSURE) / 10
    over = dirichlet_multinomial(null, np.array([2.0]))
    under = hypergeometric(null, np.array([0.4]))
    shares, feedbacks = np.stack([over.share, under.share]), np.array([over.feedback[0]] * 2)
    feedbacks[1] = under.feedback[0]
    constants = [urn.log_constant[0] for urn in (over, under)]
    balls = np.rint(-under.share / under.feedback).astype(int)
    assert np.all(np.abs(-under.share / under.feedback - balls) < 1e-9)
    first, logs = urn_kernels._rise_tables(p, 8, shares, feedbacks)
    if table_width == 1:
        first = np.arange(5)
        logs = np.zeros((4, 2))
    for row in all_tables(4, 8):
        ratios = np.array(constants)
        urn_kernels._add_rises(
            row, np.ones(4, int), np.arange(4), np.arange(4), first, logs, shares, feedbacks, p,
            ratios,
        )  # fmt: skip
        base = stats.multinomial.logpmf(row, 8, p)
        expected = [
            stats.dirichlet_multinomial.logpmf(row, p / over.feedback[0], 8) - base,
            stats.multivariate_hypergeom.logpmf(row, balls, 8) - base,
        ]
        assert ratios == pytest.approx(expected, abs=1e-11)


def drawn_x2(null, share, feedback, size):
    """X² of tables drawn from one urn."""
    x2, none = np.zeros(size), np.empty((0, 2))
    urn_kernels._draw_condition(
        null.probability, null.trials, null.spikes[0], share, feedback,
        start_streams(3, "test", ["one"])[0], x2,
        0.0, 0.0, null.kind_start[:1], none, np.empty((2, 0)), np.empty(2), none,
    )  # fmt: skip
    return x2


@pytest.mark.parametrize("exposure", [[1.0] * 3, [1.0, 2.0, 2.5], [1.0, 1.0, 3.0]])
@pytest.mark.parametrize("spikes", [2, 5, 30])
@pytest.mark.parametrize("kind", ["null", "over", "far over", "under", "far under"])
def test_draws_have_the_urns_probabilities(build_tally, kind, spikes, exposure):
    """X² of 40,000 tables against enumeration, ball by ball (few spikes) and in two steps (30).

    A correct program fails with probability 1e-6 in each of 45 comparisons.
    """
    null = null_of(build_tally, exposure, spikes)
    tables, p = all_tables(3, spikes), np.repeat(null.probability, null.trials)
    share, feedback = null.probability, 0.0
    pmf = stats.multinomial.pmf(tables, spikes, p)
    if kind.endswith("over"):
        urn = dirichlet_multinomial(null, np.array([1.9 if kind == "over" else 12.0]))
        share, feedback = urn.share, float(urn.feedback[0])
        pmf = np.array(
            [stats.dirichlet_multinomial.pmf(row, p / feedback, spikes) for row in tables]
        )
    elif kind.endswith("under"):
        urn = hypergeometric(null, np.array([0.5 if kind == "under" else 1e-3]))
        share, feedback = urn.share, float(urn.feedback[0])
        balls = np.rint(-np.repeat(share, null.trials) / feedback).astype(int)
        pmf = np.array([stats.multivariate_hypergeom.pmf(row, balls, spikes) for row in tables])
    x2 = ((tables - spikes * p) ** 2 / (spikes * p)).sum(axis=1)
    values, place = np.unique(np.round(x2, 9), return_inverse=True)
    expected = 40_000 * np.bincount(place, weights=pmf)
    found = np.bincount(
        np.searchsorted(values, drawn_x2(null, share, feedback, 40_000) - 1e-6),
        minlength=len(values),
    )
    assert found[expected < 1e-9].sum() == 0
    common = expected >= 5
    observed = np.append(found[common], found[~common].sum())
    predicted = np.append(expected[common], expected[~common].sum())
    if predicted[-1] < 5:
        observed[0] += observed[-1]
        predicted[0] += predicted[-1]
        observed, predicted = observed[:-1], predicted[:-1]
    if len(observed) > 1:
        assert stats.chisquare(observed, predicted * (40_000 / predicted.sum())).pvalue > 1e-6


@pytest.mark.parametrize(("trials", "spikes"), [(2, 10**8), (90, 10**6), (20_000, 40)])
def test_draws_of_extreme_tables_have_the_exact_moments(build_tally, trials, spikes):
    """Mean and variance of X² under Poisson are met to five standard errors."""
    null = null_of(build_tally, [1.0] * trials, spikes)
    x2 = drawn_x2(null, null.probability, 0.0, 2000)
    variance = 2 * (trials - 1) * (1 - 1 / spikes)
    assert abs(x2.mean() - (trials - 1)) < 5 * np.sqrt(variance / 2000)
    kurtosis = stats.kurtosis(x2, fisher=False)
    assert abs(x2.var() / variance - 1) < 5 * np.sqrt((kurtosis - 1) / 2000)


def test_streams_differ_by_seed_purpose_and_name():
    """Each neuron has numbers of its own, whatever its place."""
    both = start_streams(1, "a", ["x", "y"])
    assert both[1] == start_streams(1, "a", ["y"])[0]
    others = [both[0], both[1], start_streams(2, "a", ["x"])[0], start_streams(1, "b", ["x"])[0]]
    assert len(set(others)) == 4

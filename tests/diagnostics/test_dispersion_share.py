"""What a forgotten stimulus explains of the dispersion."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.diagnostics import dispersion_share
from spikepool.diagnostics.dispersion_share import (
    LEAST_SHARE,
    DispersionShare,
    share_dispersion,
    share_notices,
)


def labels(name, codes):
    """Label rows by numbers."""
    codes = np.asarray(codes, dtype=np.int64)
    return Labels(name, tuple(str(value) for value in range(codes.max() + 1)), codes)


def table(counts, varying, exposure=None, condition=None):
    """Make a table of one row of counts per neuron, and a row of labels per trial."""
    counts = np.asarray(counts)
    neurons, trials = counts.shape
    named = {name: labels(name, np.tile(codes, neurons)) for name, codes in varying.items()}
    return SpikeCounts(
        neuron=labels("neuron", np.repeat(np.arange(neurons), trials)),
        count=counts.ravel(),
        exposure=np.ones(counts.size) if exposure is None else np.ravel(exposure),
        exposure_known=exposure is not None,
        condition=None if condition is None else labels("c", np.tile(condition, neurons)),
        varying=tuple(named.values()),
    )


SIDE, BLOCK = np.arange(24) % 2, np.arange(24) // 2 % 2


def simulate(seed, *, side=0.0, block=0.0, gain_sd=0.0, exposure_sd=0.0, neurons=60):
    """Simulate 24 trials in which side and block each move the rate up or down."""
    rng = np.random.default_rng(seed)
    factor = 1 + side * (2 * SIDE - 1) + block * (2 * BLOCK - 1)
    exposure = rng.lognormal(0, exposure_sd, (neurons, 24)) if exposure_sd else None
    mean = rng.lognormal(1.5, 0.5, (neurons, 1)) * factor * (1 if exposure is None else exposure)
    shape = 1 / gain_sd**2 if gain_sd else 1
    gain = rng.gamma(shape, 1 / shape, mean.shape) if gain_sd else 1.0
    return table(rng.poisson(mean * gain), {"side": SIDE, "block": BLOCK}, exposure)


def mean_shares(exposure_sd, **effects):
    """Average the shares of side and block over 20 tables; with their standard errors."""
    tables = (simulate([1, i], exposure_sd=exposure_sd, **effects) for i in range(20))
    found = [[each.share for each in share_dispersion(counts, 0)] for counts in tables]
    return np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(20)


@pytest.mark.parametrize("exposure_sd", [0.0, 0.5])
@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ({"gain_sd": 0.4}, (0.0, 0.0)),
        ({"side": 0.4}, (1.0, -1 / 22)),
        ({"side": 0.4, "block": 0.4}, (21 / 44, 21 / 44)),
    ],
    ids=["nothing", "all", "half"],
)
def test_share_is_what_was_simulated(effects, expected, exposure_sd, monkeypatch):
    """A label of nothing explains 0, one of all tuning 1, one of two alike a half.

    Exactly: a balanced side has variance 24/23 a² over the 24 trials, and 24/22 a² within the two
    halves of the block that it is balanced in. The means of 20 tables lie within 4 standard errors
    and 0.02, for the bias of a ratio; a false alarm in 1,000.
    """
    monkeypatch.setattr(dispersion_share, "PERMUTATIONS", 1)
    means, errors = mean_shares(exposure_sd, **effects)
    assert np.all(np.abs(means - expected) <= 4 * errors + 0.02)


def test_numerator_has_mean_zero_over_all_permutations():
    """Whatever the counts: the average over every way to label five trials is 0 exactly."""
    counts = np.array([[7, 0, 3, 12, 1]])
    ways = [
        [int(i in pair) for i in range(5)] for pair in ((a, b) for b in range(5) for a in range(b))
    ]
    shares = [share_dispersion(table(counts, {"x": way}), 0)[0].share for way in ways]
    assert np.ptp(shares) > 0.1
    assert np.mean(shares) == pytest.approx(0, abs=1e-12)


def test_worked_example():
    """One neuron, by hand: variance 10/3 beyond Poisson's mean 3 against none within values."""
    found = share_dispersion(table([[1, 1, 5, 5]], {"x": [0, 0, 1, 1]}), 0)[0]
    # s² = 16/3, V = 16/3 − 3 = 7/3; within values s² = 0, Vw = −3
    assert found.share == pytest.approx((7 / 3 + 3) / (7 / 3))
    assert (found.levels, found.neurons) == (2, 1)
    assert np.isnan(found.standard_error)


def test_what_a_condition_explains_is_no_longer_there():
    """Within conditions the same label explains nothing, and its own condition leaves no V − Vw."""
    with_condition = replace(simulate([2], side=0.4, gain_sd=0.4), varying=())
    condition = labels("side", np.tile(SIDE, 60))
    counts = replace(with_condition, condition=condition, varying=(condition,))
    assert share_dispersion(counts, 0)[0].share == pytest.approx(0, abs=1e-12)


def test_order_of_rows_does_not_matter():
    """Share and p-value are the same to the last digit."""
    counts = simulate([3], gain_sd=0.4, exposure_sd=0.5)
    order = np.random.default_rng(4).permutation(len(counts.count))
    mixed = replace(
        counts,
        neuron=replace(counts.neuron, codes=counts.neuron.codes[order]),
        count=counts.count[order],
        exposure=counts.exposure[order],
        varying=tuple(replace(each, codes=each.codes[order]) for each in counts.varying),
    )
    assert share_dispersion(mixed, 5) == share_dispersion(counts, 5)


@pytest.mark.parametrize(
    ("counts", "label"),
    [
        ([[4, 4, 4, 4]], [0, 0, 1, 1]),
        ([[1, 9, 2, 0]], [0, 1, 2, 3]),
        ([[0, 0, 0, 0]], [0, 0, 1, 1]),
    ],
    ids=["no dispersion", "a value of its own on each trial", "silent"],
)
def test_without_anything_to_explain(counts, label):
    """No share, no p-value, no warning."""
    found = share_dispersion(table(counts, {"x": label}), 0)
    assert np.isnan(found[0].share)
    assert np.isnan(found[0].pvalue)
    assert share_notices(found, ()) == ()


def test_warning_names_share_and_option():
    """With the conditions there are; a label that explains little, or by chance, is not named."""
    stim = DispersionShare("stim", 3, 40, 0.834, 0.031, 0.002, 0.004)
    others = (
        replace(stim, label="weak", share=LEAST_SHARE - 0.001),
        replace(stim, label="chance", pvalue_adjusted=0.051),
    )
    (notice,) = share_notices((stim, *others), ("side",))
    assert notice.message == (
        "'stim' is not modelled but explains 83% ± 3% of the variance beyond Poisson: if it is a "
        "stimulus, its tuning counts as overdispersion. --condition side,stim tells them apart; "
        "--where looks at one value"
    )
    (one,) = share_notices((replace(stim, standard_error=np.nan),), ())
    assert "explains 83% of the variance" in one.message
    assert "--condition stim tells" in one.message


@pytest.mark.parametrize("gain_sd", [0.0, 0.4])
def test_labels_of_nothing_are_hardly_ever_noticed(gain_sd):
    """At most 5 % of tables warn of a label that means nothing, as stated.

    Of 60 tables of 3 neurons, 12 of warnings or more have probability below 1e-4 at 5 % each.
    """
    tables = (simulate([6, i], gain_sd=gain_sd, neurons=3) for i in range(60))
    found = [share_dispersion(each, 0) for each in tables]
    assert sum(any(each.noticed for each in shares) for shares in found) < 12


@pytest.mark.statistical
@pytest.mark.parametrize("exposure_sd", [0.0, 0.5])
def test_pvalues_of_labels_of_nothing_are_uniform(exposure_sd):
    """Over 600 tables of 5 neurons; Kolmogorov's D of a label above 0.08 has probability 1e-3.

    Above one half they may be too large, never too small: stopped at 20 permutations as large,
    p-values near 1 are 20/20, 20/21, ..., and with equal exposures statistics tie.
    """
    shares = [
        share_dispersion(simulate([8, i], gain_sd=0.4, exposure_sd=exposure_sd, neurons=5), 0)
        for i in range(600)
    ]
    for place in range(2):
        pvalues = [each[place].pvalue for each in shares]
        known = np.sort([p for p in pvalues if not np.isnan(p)])
        below, upto = np.arange(len(known)) / len(known), np.arange(1, len(known) + 1) / len(known)
        assert np.max(upto - known) <= 0.08
        assert np.max((known - below)[known <= 0.5]) <= 0.08

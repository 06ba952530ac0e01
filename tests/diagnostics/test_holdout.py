"""Trials kept aside: split as asked, errors without bias, scores against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from spikepool.config import ReportOptions
from spikepool.diagnostics import holdout
from spikepool.diagnostics.holdout import (
    Kept,
    Prediction,
    predict_aside,
    score_predictions,
    split_trials,
)
from spikepool.errors import UsageError
from spikepool.models.holdout_plan import check_holdout
from spikepool.models.parametrization import Parametrization
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import PosteriorDraws, SamplerStatistics
from spikepool.posterior.results import NeuronEstimates, Summary

SHAPE, RATE = 4.0, 0.5
"""Of a gamma prior of the rates."""
PARTIAL = ModelSpec("poisson", "partial", None)


@pytest.fixture
def tally(build_tally):
    """Return 300 Poisson neurons of 12 trials, half of them twice as long, rates from the prior."""
    rng = np.random.default_rng(1)
    rates = rng.gamma(SHAPE, 1 / RATE, (300, 1))
    exposure = np.tile([1.0, 2.0], (300, 6))
    return build_tally(rng.poisson(rates * exposure), exposure=exposure)


def conjugate(tally, rng, draws=2000):
    """Return exact posterior draws of a gamma prior, and what is reported of them."""
    shape, rate = SHAPE + tally.spike_count, RATE + tally.total_exposure
    n = tally.n_neurons
    found = PosteriorDraws(
        spec=PARTIAL,
        engine="nuts",
        neurons=tally.neurons,
        population={},
        theta=np.log(rng.gamma(shape, 1 / rate, (1, draws, n))),
        delta=None,
        parametrization=Parametrization(np.ones(n), np.ones(n)),
        sampler=SamplerStatistics(0, np.ones(1), 1, 0.0, 0.0),
    )
    nothing = np.full(n, np.nan)
    mean, sd = special.digamma(shape) - np.log(rate), np.sqrt(special.polygamma(1, shape))
    log_rates = Summary(mean, nothing, sd, nothing, nothing)
    unknown = Summary(*[nothing] * 5)
    estimates = NeuronEstimates(
        PARTIAL, tally.neurons, "spikes/s", tally.n_trials, tally.total_exposure,
        tally.spike_count, nothing, unknown, log_rates, nothing, unknown, nothing, nothing, None,
    )  # fmt: skip
    return estimates, found


@pytest.mark.parametrize(
    ("kept", "least", "most"),
    [(Kept(trials=5), 5, 5), (Kept(trials=50), 12, 12), (Kept(share=0.3), 8, 9)],
)
def test_every_neuron_keeps_its_number(tally, kept, least, most):
    """Of a share the fraction of a trial is drawn; nothing is lost, the same seed splits alike."""
    split = split_trials(tally, kept, seed=3)
    assert least <= split.fitted.n_trials.min() <= split.fitted.n_trials.max() <= most
    both = split.fitted.spike_count + split.aside.per_neuron(split.aside.count * split.aside.weight)
    np.testing.assert_array_equal(both, tally.spike_count)
    again = split_trials(tally, kept, seed=3)
    np.testing.assert_array_equal(again.fitted.weight, split.fitted.weight)


def test_shares_are_right_on_average(tally):
    """3.6 of 12 trials: over 300 neurons within 5 standard errors of 0.49 / √300."""
    split = split_trials(tally, Kept(share=0.3), seed=3)
    aside = 12 - split.fitted.n_trials
    assert abs(aside.mean() - 3.6) < 5 * 0.49 / np.sqrt(300)


def test_conditions_are_split_each_alone(build_tally):
    """Two trials of each stay, and one that is alone stays too."""
    tally = build_tally(
        [[1, 2, 3, 4, 5, 6, 7]] * 2, condition=[[0, 0, 0, 1, 1, 1, 2], [0, 0, 0, 0, 0, 0, 1]]
    )
    split = split_trials(tally, Kept(trials=2), seed=1)
    assert split.fitted.responses.size == tally.responses.size == 5
    np.testing.assert_array_equal(
        np.bincount(split.fitted.responses.of_cell, split.fitted.weight), [2, 2, 1, 2, 1]
    )
    np.testing.assert_array_equal(
        np.bincount(split.response_aside, split.aside.weight, 5), [1, 1, 0, 4, 0]
    )


def test_scores_against_closed_forms(tally):
    """The model is right: it predicts its own error, and negative binomials the trials aside.

    Squared errors and ratios within 4 of their own standard errors; the log score within 2e-3 of
    its closed form, at 2,000 draws of 4,500 trials.
    """
    split = split_trials(tally, Kept(trials=3), seed=2)
    estimates, draws = conjugate(split.fitted, np.random.default_rng(4))
    raw, pooled = score_predictions([predict_aside(estimates, draws, split, 1)], PARTIAL, split)
    assert raw.spec is None
    assert (raw.ratio, raw.ratio_se) == (1, 0)
    expected = np.mean(estimates.log_rate.sd**2)
    assert abs(pooled.squared_error - expected) < 4 * pooled.squared_error_se
    assert abs(pooled.ratio - pooled.expected_ratio) < 4 * pooled.ratio_se
    assert pooled.ratio_se < 0.06
    shape, rate = SHAPE + split.fitted.spike_count, RATE + split.fitted.total_exposure
    of, exposure = split.aside.neuron, split.aside.exposure
    exact = stats.nbinom(shape[of], rate[of] / (rate[of] + exposure)).logpmf(split.aside.count)
    mean = np.sum(exact * split.aside.weight) / split.aside.weight.sum()
    assert pooled.log_score == pytest.approx(mean, abs=2e-3)
    assert (pooled.gain, pooled.gain_se) == (0, 0)


def test_true_rates_have_no_error(build_tally):
    """The noise of the trials aside is taken off: an error of 0 within 4 standard errors."""
    rng = np.random.default_rng(6)
    rates = rng.gamma(SHAPE, 1 / RATE, 300) + 2
    tally = build_tally(rng.poisson(rates[:, np.newaxis], (300, 40)))
    split = split_trials(tally, Kept(trials=2), seed=2)
    known = Prediction(PARTIAL, np.log(rates), 0 * rates, rates, 0 * rates)
    _, score = score_predictions([known], PARTIAL, split)
    assert abs(score.squared_error) < 4 * score.squared_error_se
    off = replace(known, log_rate=known.log_rate + 0.5)
    _, score = score_predictions([off], PARTIAL, split)
    assert abs(score.squared_error - 0.25) < 4 * score.squared_error_se


@pytest.mark.parametrize("exposure", [[1.0] * 6, [0.3, 1.0, 3.0, 1.0, 0.5, 2.0], [0.2, 0.2, 0.3]])
def test_noise_is_unbiased_whatever_the_exposures(build_tally, exposure):
    """The variance of gamma-Poisson counts, whose gain is one a trial: within 4 standard errors."""
    rng, e, neurons = np.random.default_rng(8), np.array(exposure), 4000
    e = np.tile(e, (neurons, 1))
    gain = rng.gamma(1 / 0.3, 0.3, e.shape)
    counts = np.concatenate([rng.poisson(30 * e * gain), np.full((neurons, 1), 1)], axis=1)
    tally = build_tally(counts, exposure=np.concatenate([e, np.full((neurons, 1), 1.0)], axis=1))
    split = replace(split_trials(tally, Kept(trials=1), 0), aside=build_tally(counts[:, :-1], e))
    split = replace(split, response_aside=split.aside.neuron)
    _, noise = holdout._observed(split)
    spikes = split.aside.spike_count
    estimates = (noise * spikes**2.0)[spikes >= holdout.LEAST_SPIKES]
    true = np.sum(30 * e[0] + 0.3 * (30 * e[0]) ** 2)
    assert np.isfinite(estimates).all()
    assert (
        abs(estimates.mean() - true) < 4 * estimates.std() / np.sqrt(len(estimates)) + 0.01 * true
    )


def test_noise_of_one_long_trial_is_not_known(build_tally):
    """Nor of two unequal ones; of two equal ones it is."""
    rows = ([0.2, 0.2, 2.0], [1.0, 2.0], [1.0, 1.0], [1.0, 1.0, 1.0])
    counts = [[20, 25, 180], [20, 40], [20, 30], [20, 30, 40]]
    aside = build_tally(counts, exposure=[list(row) for row in rows])
    split = replace(split_trials(aside, Kept(trials=1), 0), aside=aside)
    split = replace(split, response_aside=aside.neuron)
    _, noise = holdout._observed(split)
    np.testing.assert_array_equal(np.isfinite(noise), [False, False, True, True])
    assert noise[2] * 50**2 == pytest.approx(2 * 50)
    assert noise[3] * 90**2 == pytest.approx(1.5 * 200)


def test_errors_of_means_do_not_count_different_numbers_of_trials(build_tally):
    """Of 4 to 80 trials: the error of the mean log score is its sd over tables, within 30 %."""
    rng = np.random.default_rng(9)
    sizes = np.round(np.geomspace(4, 80, 50)).astype(int)
    scores, errors = [], []
    for _ in range(60):
        tally = build_tally([rng.poisson(5, size) for size in sizes])
        split = split_trials(tally, Kept(trials=2), seed=2)
        rates = np.full(len(sizes), np.log(5.0))
        aside = split.aside
        log_p = stats.poisson(5.0).logpmf(aside.count)
        known = Prediction(
            PARTIAL, rates, 0 * rates, np.exp(rates), aside.per_neuron(log_p * aside.weight)
        )
        _, score = score_predictions([known], PARTIAL, split)
        scores.append(score.log_score)
        errors.append(score.log_score_se)
    assert np.mean(errors) == pytest.approx(np.std(scores), rel=0.3)


def test_one_trial_aside_has_a_log_score_only(build_tally):
    """Its noise cannot be told from its error."""
    tally = build_tally(np.random.default_rng(1).poisson(5, (20, 3)))
    split = split_trials(tally, Kept(trials=2), seed=2)
    estimates, draws = conjugate(split.fitted, np.random.default_rng(4), 100)
    _, score = score_predictions([predict_aside(estimates, draws, split, 1)], PARTIAL, split)
    assert score.neurons == 0
    assert np.isnan([score.squared_error, score.ratio, score.expected_ratio]).all()
    assert np.isfinite(score.log_score)


def test_holdout_that_fits_everything_is_refused(build_tally):
    """Before anything is fitted, with the largest number that leaves something."""
    tally = build_tally([[1, 2, 3], [1, 2]])
    check_holdout(ReportOptions(holdout=0.3, holdout_keep=(1, 2)), tally)
    with pytest.raises(UsageError, match=r"--holdout-keep 3: no neuron has more than 3 trials"):
        check_holdout(ReportOptions(holdout_keep=(1, 3)), tally)
    with pytest.raises(UsageError, match=r"--holdout 0.1: no neuron has two trials"):
        check_holdout(ReportOptions(holdout=0.1), build_tally([[1], [2]]))


def test_next_to_no_share_keeps_one_trial_aside(build_tally):
    """Of ten trials 10 % may be none by chance: it is one; less than one is refused."""
    tally = build_tally(np.random.default_rng(1).poisson(5, (5, 2)))
    for seed in range(20):
        assert split_trials(tally, Kept(share=0.1), seed).aside.weight.sum() >= 1
    with pytest.raises(UsageError, match="of 10 trials that is less than one"):
        check_holdout(ReportOptions(holdout=0.09), tally)


def test_ratios_to_no_error_are_not_told(build_tally):
    """Where raw rates are as good as known, the noise of the trials aside decides the ratio."""
    rng = np.random.default_rng(2)
    tally = build_tally(rng.poisson(20, (8, 60)))
    split = split_trials(tally, Kept(trials=55), seed=1)
    raw = np.log(split.fitted.spike_count / split.fitted.total_exposure)
    known = Prediction(PARTIAL, raw, 0 * raw, np.exp(raw), 0 * raw)
    observed, noise = holdout._observed(split)
    error = (np.log((split.fitted.spike_count + 0.5) / 55) - observed) ** 2 - noise
    is_told = error.mean() > 2 * error.std(ddof=1) / np.sqrt(8)
    _, score = score_predictions([known], PARTIAL, split)
    assert np.isfinite(score.ratio) == is_told
    assert not is_told


@pytest.mark.filterwarnings("error")
def test_neurons_without_trials_aside_warn_of_nothing(build_tally):
    """Nor do silent ones: their log rates and noises are not measured."""
    tally = build_tally([[4, 5], [3, 9, 20, 31], [0, 0, 0, 0]])
    split = split_trials(tally, Kept(trials=2), seed=1)
    _, noise = holdout._observed(split)
    np.testing.assert_array_equal(np.isfinite(noise), [False, True, False])

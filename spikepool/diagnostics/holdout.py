"""Trials kept aside: who predicts them best, and by how much pooling was expected to help.

A raw log rate errs by its sampling variance, a pooled one by its posterior variance, if the model
is right: their ratio is what partial pooling promises. On trials that no model has seen the squared
error of a log rate t is measured as (t − ln r)² − v/r², where r is the rate in these trials and v
an unbiased estimate of its variance. Raw log rates are ln((Σy + ½)/Σe): of silent neurons, too.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.diagnostics.comparison import sum_and_error
from spikepool.diagnostics.trial_draws import trial_draws
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import NeuronDraws
from spikepool.posterior.results import NeuronEstimates

LEAST_SPIKES = 10
"""Spikes aside below which a log rate is too uncertain to measure errors by."""
LEAST_RAW_ERROR = 2.0
"""Standard errors by which that of the raw rates must be above 0, for ratios to it."""
_HALF = 0.5 + 1e-9
_MOST_DRAWS = 200
"""Data sets over which the expected error of raw log rates is averaged."""


@dataclass(frozen=True)
class Kept:
    """How many trials are fitted.

    Attributes
    ----------
    share : float or None
        Share of the trials of every neuron and condition that is kept aside.
    trials : int or None
        Trials of every neuron and condition that are fitted, where no share is given.
    """

    share: float | None = None
    trials: int | None = None

    def of(self, sizes: IntArray, rng: np.random.Generator) -> IntArray:
        """Trials fitted of strata with these numbers of trials: 1 at least, and of one not all."""
        if self.trials is not None:
            return np.asarray(np.minimum(sizes, self.trials))
        assert self.share is not None  # noqa: S101 - one of them is given
        aside = np.floor(sizes * self.share + rng.uniform(size=sizes.shape)).astype(np.int64)
        aside = np.minimum(aside, sizes - 1)
        if not aside.any():
            aside[np.argmax(sizes)] = 1
        return np.asarray(sizes - aside)

    def __str__(self) -> str:
        if self.trials is not None:
            return f"{self.trials} kept"
        return f"{self.share:.0%} aside"


@dataclass(frozen=True)
class Split:
    """A table in two.

    Attributes
    ----------
    kept : Kept
    fitted, aside : Tally
        Of the same neurons, groups and conditions; `aside` may have no trial of some.
    response_aside : ndarray of int64
        The response of every cell of `aside`, in the order of ``fitted.responses``.
    """

    kept: Kept
    fitted: Tally
    aside: Tally
    response_aside: IntArray


@dataclass(frozen=True)
class HoldoutScore:
    """How one model, or the raw rates, predict the trials kept aside.

    Attributes
    ----------
    kept : Kept
    spec : ModelSpec or None
        None: the raw rates of the trials fitted.
    trials_fitted, trials_aside : int
    neurons : int
        With `LEAST_SPIKES` in two trials aside or more (of one condition), so that their squared
        error can be measured.
    squared_error, squared_error_se : float
        Mean squared error of their log rates (in each condition).
    ratio, ratio_se : float
        Over that of the raw rates; NaN where these have no error beyond the noise of the trials
        aside.
    expected_ratio : float
        What the model expects of this ratio; NaN of raw rates and without partial pooling.
    log_score, log_score_se : float
        Mean ln p(y) of a trial aside; NaN of raw rates.
    gain, gain_se : float
        `log_score` minus that of the primary model.
    """

    kept: Kept
    spec: ModelSpec | None
    trials_fitted: int
    trials_aside: int
    neurons: int
    squared_error: float
    squared_error_se: float
    ratio: float
    ratio_se: float
    expected_ratio: float
    log_score: float
    log_score_se: float
    gain: float
    gain_se: float


@dataclass(frozen=True)
class Prediction:
    """What a model that was fitted to a part of the trials says of all.

    Attributes
    ----------
    spec : ModelSpec
    log_rate : ndarray, shape (R,)
        Posterior mean log rate of every response (neuron × condition) of the trials fitted.
    expected : ndarray, shape (R,)
        Its expected squared error: the posterior variance.
    raw_expected : ndarray, shape (R,)
        That of the raw log rate of as many trials, over the posterior.
    log_score : ndarray, shape (N,)
        Σ ln p(y) of each neuron's trials aside.
    """

    spec: ModelSpec
    log_rate: FloatArray
    expected: FloatArray
    raw_expected: FloatArray
    log_score: FloatArray


def split_trials(tally: Tally, kept: Kept, seed: int) -> Split:
    """Keep trials aside at random, within every neuron and condition.

    Parameters
    ----------
    tally : Tally
    kept : Kept
    seed : int

    Returns
    -------
    Split
    """
    rng = np.random.default_rng([seed, 3])
    cell = np.repeat(np.arange(len(tally.count)), tally.weight)
    stratum = tally.responses.of_cell[cell]
    order = np.lexsort((rng.random(len(cell)), stratum))
    sizes = np.bincount(stratum)
    place = np.arange(len(cell)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    is_fitted = place < np.repeat(kept.of(sizes, rng), sizes)
    parts = (cell[order][is_fitted], cell[order][~is_fitted])
    fitted, aside = (np.bincount(part, minlength=len(tally.count)) for part in parts)
    return Split(
        kept,
        tally.with_trials(fitted),
        tally.with_trials(aside),
        tally.responses.of_cell[aside > 0],
    )


def predict_aside(
    estimates: NeuronEstimates, draws: NeuronDraws, split: Split, seed: int
) -> Prediction:
    """Predict trials kept aside from the fit of the others.

    Parameters
    ----------
    estimates : NeuronEstimates
    draws : NeuronDraws
        Both of the trials fitted.
    split : Split
    seed : int

    Returns
    -------
    Prediction
    """
    responses = split.fitted.responses
    log_rate = estimates.log_rate
    if estimates.responses is not None:
        log_rate, of = estimates.responses.log_rate, np.arange(responses.size)
    else:
        of = responses.neuron
    return Prediction(
        spec=estimates.spec,
        log_rate=log_rate.mean[of],
        expected=log_rate.sd[of] ** 2,
        raw_expected=_raw_expected(draws, split.fitted, np.random.default_rng([seed, 4])),
        log_score=_log_score(draws, split),
    )


def score_predictions(
    predictions: list[Prediction], primary: ModelSpec, split: Split
) -> tuple[HoldoutScore, ...]:
    """Hold every model's predictions, and the raw rates, against the trials kept aside.

    Parameters
    ----------
    predictions : list of Prediction
    primary : ModelSpec
    split : Split

    Returns
    -------
    tuple of HoldoutScore
        The raw rates first.
    """
    raw = _raw_log_rates(split.fitted)
    observed, noise = _observed(split)
    measured = np.isfinite(noise)
    neuron = split.fitted.responses.neuron
    trials_aside = split.aside.per_neuron(split.aside.weight)
    every = np.arange(split.fitted.n_neurons)
    reference = next(each for each in predictions if each.spec == primary)
    raw_error = (raw - observed) ** 2 - noise
    raw_mean, raw_mean_error = _ratio_and_error(
        raw_error[measured], np.ones(measured.sum()), neuron[measured]
    )
    is_told = raw_mean > LEAST_RAW_ERROR * raw_mean_error
    nothing = np.full(split.fitted.n_neurons, np.nan)

    def scored(
        spec: ModelSpec | None, error: FloatArray, expected: float, log_score: FloatArray
    ) -> HoldoutScore:
        trials = int(split.aside.weight.sum())
        gain = log_score - reference.log_score
        return HoldoutScore(
            split.kept,
            spec,
            int(split.fitted.weight.sum()),
            trials,
            len(np.unique(neuron[measured])),
            *_ratio_and_error(error[measured], np.ones(measured.sum()), neuron[measured]),
            *(
                _ratio_and_error(error[measured], raw_error[measured], neuron[measured])
                if is_told
                else (float("nan"), float("nan"))
            ),
            expected,
            *_ratio_and_error(log_score, trials_aside, every),
            *_ratio_and_error(gain, trials_aside, every),
        )

    return (
        scored(None, raw_error, float("nan"), nothing),
        *(
            scored(
                each.spec,
                (each.log_rate - observed) ** 2 - noise,
                _expected_ratio(each, measured),
                each.log_score,
            )
            for each in predictions
        ),
    )


def _raw_expected(draws: NeuronDraws, tally: Tally, rng: np.random.Generator) -> FloatArray:
    """Average the squared error of raw log rates over simulated data sets; shape (R,)."""
    trials = tally.trial_by_trial()
    laid_out, every = trial_draws(draws, trials, _MOST_DRAWS), slice(None)
    errors = np.zeros(tally.responses.size)
    first = np.searchsorted(trials.responses.of_cell, np.arange(len(errors)))
    for draw in range(laid_out.size):
        mean, dispersion = laid_out.mean(draw, every), laid_out.dispersion(draw, every)
        count = laid_out.family.sample(mean, dispersion, rng)
        true = np.log(mean[first] / trials.exposure[first])
        errors += (_raw_log_rates(replace(trials, count=count)) - true) ** 2
    return errors / laid_out.size


def _log_score(draws: NeuronDraws, split: Split) -> FloatArray:
    """Σ ln p(y) of the trials aside of every neuron, over the joint draws; shape (N,)."""
    aside = split.aside
    entry = aside.neuron if draws.response is None else split.response_aside
    laid_out = replace(trial_draws(draws, split.fitted), tally=aside, entry=entry)
    log_density = np.empty(len(aside.count))
    for cells in laid_out.pieces(np.arange(len(aside.count))):
        log_density[cells] = special.logsumexp(laid_out.log_density(cells), axis=1)
    return aside.per_neuron((log_density - np.log(laid_out.size)) * aside.weight)


def _per_response(tally: Tally, values: FloatArray | IntArray) -> FloatArray:
    """Sum `values` (one per cell) within each response; shape (R,)."""
    responses = tally.responses
    return np.bincount(responses.of_cell, weights=values, minlength=responses.size)


def _raw_log_rates(tally: Tally) -> FloatArray:
    """ln((Σy + ½)/Σe) of every response; shape (R,)."""
    spikes = _per_response(tally, tally.count * tally.weight)
    return np.log((spikes + 0.5) / _per_response(tally, tally.exposure * tally.weight))


def _observed(split: Split) -> tuple[FloatArray, FloatArray]:
    """Log rates of the trials aside, and estimates of their variances; shape (R,).

    With shares p of the exposure and d = y − p Σy, the variance of Σy is
    ``Σ d²/(1 − 2p) / (1 + Σ p²/(1 − 2p))``, which is unbiased whatever variances the trials have:
    E d² = (1 − 2p) Var(y) + p² Var(Σy). Of equal exposures that is n/(n − 1) Σ d². Over (Σy)², it
    is NaN below two trials and `LEAST_SPIKES`, and where one trial has half of the exposure or more
    (but for two equal ones).
    """
    aside, of_cell = split.aside, split.response_aside
    size = split.fitted.responses.size

    def total(values: FloatArray | IntArray) -> FloatArray:
        return np.bincount(of_cell, weights=values * aside.weight, minlength=size)

    trials, exposure, spikes = (
        total(np.ones(len(of_cell))),
        total(aside.exposure),
        total(aside.count),
    )
    share = aside.exposure / exposure[of_cell]
    largest = np.zeros(size)
    np.maximum.at(largest, of_cell, share)
    is_pair = (trials == 2) & (largest < _HALF)
    told = (spikes >= LEAST_SPIKES) & (is_pair | (largest < 1 - _HALF))
    scale = np.where(told & ~is_pair, 1.0, 0.0)[of_cell] / np.maximum(1 - 2 * share, 1e-9)
    square = (aside.count - share * spikes[of_cell]) ** 2
    variance = np.where(
        is_pair, 2 * total(square), total(square * scale) / (1 + total(share**2 * scale))
    )
    noise = np.where(told, variance / np.maximum(spikes, 1) ** 2, np.nan)
    rate = np.divide(spikes, exposure, out=np.ones(size), where=told)
    return np.log(rate), noise


def _expected_ratio(each: Prediction, measured: NDArray[np.bool_]) -> float:
    """Pooled over raw expected squared error, by the model itself; NaN where it has none."""
    if each.spec.pooling != "partial" or not measured.any():
        return float("nan")
    return float(each.expected[measured].sum() / each.raw_expected[measured].sum())


def _ratio_and_error(
    values: FloatArray, reference: FloatArray, neuron: IntArray
) -> tuple[float, float]:
    """Ratio of two sums, and its standard error by the delta method, neurons being independent.

    A mean over responses or trials is one, of which neurons may have more or fewer.
    """
    if not len(values):
        return float("nan"), float("nan")
    ratio = float(values.sum() / reference.sum())
    _, error = sum_and_error(_by_neuron(values - ratio * reference, neuron))
    return ratio, error / abs(float(reference.sum()))


def _by_neuron(values: FloatArray, neuron: IntArray) -> FloatArray:
    """Sum within neurons, of those that have any."""
    _, of = np.unique(neuron, return_inverse=True)
    return np.bincount(of, weights=values)

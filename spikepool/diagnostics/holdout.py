"""Trials kept aside: who predicts them best, and by how much pooling was expected to help.

A raw rate errs by its sampling variance, a pooled one by its posterior variance, if the model is
right: their ratio is what partial pooling promises. On trials that no model has seen the squared
error of a rate λ̂ is measured without bias as (λ̂ − ȳ)² − v, where ȳ is the rate in these trials and
v an unbiased estimate of its variance.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.diagnostics.comparison import sum_and_error
from spikepool.diagnostics.trial_draws import TrialDraws, trial_draws
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import NeuronDraws
from spikepool.posterior.results import NeuronEstimates

_MOST_DRAWS = 1000
"""Draws over which a sampling variance is averaged."""


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
        """Trials fitted of strata with these numbers of trials: 1 at least."""
        if self.trials is not None:
            return np.asarray(np.minimum(sizes, self.trials))
        assert self.share is not None  # noqa: S101 - one of them is given
        aside = np.floor(sizes * self.share + rng.uniform(size=sizes.shape)).astype(np.int64)
        return np.asarray(np.maximum(sizes - aside, 1))

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
        With two trials aside in some condition, so that their squared error can be measured.
    squared_error, squared_error_se : float
        Mean squared error of their rates (in each condition), in the rate's unit squared.
    ratio, ratio_se : float
        Over that of the raw rates.
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
    rate : ndarray, shape (R,)
        Posterior mean rate of every response (neuron × condition) of the trials fitted.
    expected : ndarray, shape (R,)
        Posterior variance of that rate.
    raw_expected : ndarray, shape (R,)
        Posterior mean of the sampling variance of the raw rate.
    log_score : ndarray, shape (N,)
        Σ ln p(y) of each neuron's trials aside.
    """

    spec: ModelSpec
    rate: FloatArray
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
        _weighted(tally, fitted),
        _weighted(tally, aside),
        tally.responses.of_cell[aside > 0],
    )


def predict_aside(estimates: NeuronEstimates, draws: NeuronDraws, split: Split) -> Prediction:
    """Predict trials kept aside from the fit of the others.

    Parameters
    ----------
    estimates : NeuronEstimates
    draws : NeuronDraws
        Both of the trials fitted.
    split : Split

    Returns
    -------
    Prediction
    """
    responses = split.fitted.responses
    if estimates.responses is not None:
        rate = estimates.responses.rate
        mean, variance = rate.mean, rate.sd**2
    else:
        mean, variance = (
            values[responses.neuron] for values in (estimates.rate.mean, estimates.rate.sd**2)
        )
    return Prediction(
        spec=estimates.spec,
        rate=mean,
        expected=variance,
        raw_expected=_sampling_variance(draws, split.fitted),
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
    raw = _rates(split.fitted)
    observed, noise = _observed(split)
    measured = np.isfinite(noise)
    neuron = split.fitted.responses.neuron
    raw_error = (raw - observed) ** 2 - noise
    own = next((each.log_score for each in predictions if each.spec == primary), None)
    nothing = np.full(split.fitted.n_neurons, np.nan)

    def scored(
        spec: ModelSpec | None, error: FloatArray, expected: float, log_score: FloatArray
    ) -> HoldoutScore:
        trials = int(split.aside.weight.sum())
        gain = log_score - (nothing if own is None else own)
        return HoldoutScore(
            split.kept,
            spec,
            int(split.fitted.weight.sum()),
            trials,
            len(np.unique(neuron[measured])),
            *_mean_and_error(error[measured], neuron[measured]),
            *_ratio_and_error(error[measured], raw_error[measured], neuron[measured]),
            expected,
            *(value / trials for value in sum_and_error(log_score)),
            *(value / trials for value in sum_and_error(gain)),
        )

    return (
        scored(None, raw_error, float("nan"), nothing),
        *(
            scored(
                each.spec,
                (each.rate - observed) ** 2 - noise,
                _expected_ratio(each, measured),
                each.log_score,
            )
            for each in predictions
        ),
    )


def _weighted(tally: Tally, weight: IntArray) -> Tally:
    """Return the tally with other numbers of trials, without cells that have none."""
    some = weight > 0
    return replace(
        tally,
        neuron=tally.neuron[some],
        condition=tally.condition[some],
        exposure=tally.exposure[some],
        count=tally.count[some],
        weight=weight[some].astype(np.int64),
    )


def _sampling_variance(draws: NeuronDraws, tally: Tally) -> FloatArray:
    """Posterior mean of Var(Σy/Σe) of every response; shape (R,)."""
    laid_out = trial_draws(draws, tally, _MOST_DRAWS)
    variance = np.mean([_variance(laid_out, draw) for draw in range(laid_out.size)], axis=0)
    exposure = _per_response(tally, tally.exposure * tally.weight)
    return np.asarray(_per_response(tally, variance * tally.weight) / exposure**2)


def _variance(draws: TrialDraws, draw: int) -> FloatArray:
    """Variance of the counts of every cell under one draw; shape (cells,)."""
    every = slice(None)
    mean, one = draws.mean(draw, every), np.ones(1)
    if draws.log_dispersion is None:
        return mean
    delta = np.log(draws.dispersion(draw, every))
    return np.asarray(mean * draws.family.fano(np.log(mean), delta, one))


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


def _rates(tally: Tally) -> FloatArray:
    """Σy/Σe of every response; shape (R,)."""
    spikes = _per_response(tally, tally.count * tally.weight)
    return np.asarray(spikes / _per_response(tally, tally.exposure * tally.weight))


def _observed(split: Split) -> tuple[FloatArray, FloatArray]:
    """Rates of the trials aside, and unbiased estimates of their variances; shape (R,).

    The variance n/(n − 1) Σ (y − e ȳ)² / (Σe)² is NaN below two trials.
    """
    aside, of_cell = split.aside, split.response_aside
    size = split.fitted.responses.size

    def total(values: FloatArray | IntArray) -> FloatArray:
        return np.bincount(of_cell, weights=values * aside.weight, minlength=size)

    trials, exposure = total(np.ones(len(of_cell))), total(aside.exposure)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = total(aside.count) / exposure
        squares = total((aside.count - aside.exposure * rate[of_cell]) ** 2)
        noise = trials / (trials - 1) * squares / exposure**2
    return rate, np.where(trials >= 2, noise, np.nan)


def _expected_ratio(each: Prediction, measured: NDArray[np.bool_]) -> float:
    """Pooled over raw expected squared error, by the model itself; NaN where it has none."""
    if each.spec.pooling != "partial" or not measured.any():
        return float("nan")
    return float(each.expected[measured].sum() / each.raw_expected[measured].sum())


def _mean_and_error(values: FloatArray, neuron: IntArray) -> tuple[float, float]:
    """Mean over responses, and its standard error, neurons being independent."""
    if not len(values):
        return float("nan"), float("nan")
    total, error = sum_and_error(_by_neuron(values, neuron))
    return total / len(values), error / len(values)


def _ratio_and_error(
    values: FloatArray, reference: FloatArray, neuron: IntArray
) -> tuple[float, float]:
    """Ratio of two sums, and its standard error by the delta method."""
    if not len(values):
        return float("nan"), float("nan")
    ratio = float(values.sum() / reference.sum())
    _, error = sum_and_error(_by_neuron(values - ratio * reference, neuron))
    return ratio, error / abs(float(reference.sum()))


def _by_neuron(values: FloatArray, neuron: IntArray) -> FloatArray:
    """Sum within neurons, of those that have any."""
    _, of = np.unique(neuron, return_inverse=True)
    return np.bincount(of, weights=values)

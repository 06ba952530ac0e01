"""What stimuli add to the baseline: responses against the rate without a stimulus.

The stimuli's trials and those without a stimulus are fitted apart and share no parameter, so that
their posteriors are independent: any draw of one goes with any draw of the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.posterior.draws import NeuronDraws
from spikepool.posterior.results import EvokedRates, MedianInterval, NeuronEstimates

_VALUES_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class DrawnRates:
    """One model's log rates as drawn, with the trials that they are about.

    Attributes
    ----------
    draws : NeuronDraws
    tally : Tally
    estimates : NeuronEstimates
    """

    draws: NeuronDraws
    tally: Tally
    estimates: NeuronEstimates


def compare_with_baseline(
    stimuli: DrawnRates, baseline: DrawnRates, interval: float, seed: int
) -> EvokedRates:
    """Compare every response with its neuron's rate without a stimulus.

    Parameters
    ----------
    stimuli : DrawnRates
        Where conditions make no difference to the model, a neuron's rate stands for each.
    baseline : DrawnRates
        Of some of the same neurons, without conditions.
    interval : float
        Mass of the equal-tailed intervals.
    seed : int
        Of the order in which draws of the baseline are paired with those of the stimuli: an
        engine's draws may come in an order of their own.

    Returns
    -------
    EvokedRates
        NaN of neurons without a baseline.
    """
    responses, each = stimuli.tally.responses, stimuli.tally.by_response()
    own = _places(stimuli.tally.neurons, baseline.tally.neurons)[responses.neuron]
    rate, raw = baseline.estimates.rate, each.spike_count / each.total_exposure
    raw_baseline = _of_responses(baseline.estimates.rate_raw, own)
    evoked, ratio, prob_above = _compared(stimuli, baseline, own, interval, seed)
    return EvokedRates(
        neuron=responses.neuron,
        condition=responses.condition,
        n_trials=each.n_trials,
        baseline_trials=np.where(own < 0, 0, baseline.estimates.n_trials[own]),
        rate_raw=raw,
        baseline_raw=raw_baseline,
        evoked_raw=raw - raw_baseline,
        baseline=MedianInterval(
            *(_of_responses(of, own) for of in (rate.median, rate.lower, rate.upper))
        ),
        evoked=evoked,
        ratio=ratio,
        prob_above=prob_above,
    )


def _compared(
    stimuli: DrawnRates, baseline: DrawnRates, own: IntArray, interval: float, seed: int
) -> tuple[MedianInterval, MedianInterval, FloatArray]:
    """Differences and ratios of rates, and P(response > baseline), from pairs of draws."""
    known = np.flatnonzero(own >= 0)
    found = np.full((7, len(own)), np.nan)
    n = min(stimuli.draws.theta[..., 0].size, baseline.draws.theta[..., 0].size)
    order = np.random.default_rng(seed).permutation(baseline.draws.theta[..., 0].size)[:n]
    for some in _chunks(known, n):
        theta = _spread_out(_log_rates(stimuli, some), n)
        without = _flat(baseline.draws.theta[..., own[some]])[order]
        found[:3, some] = _quantiles(np.exp(theta) - np.exp(without), interval)
        found[3:6, some] = _quantiles(np.exp(theta - without), interval)
        found[6, some] = np.mean(theta > without, axis=0)
    return MedianInterval(*found[:3]), MedianInterval(*found[3:6]), found[6]


def _log_rates(stimuli: DrawnRates, some: IntArray) -> FloatArray:
    """Draws of some responses; shape (chains × draws, n)."""
    draws = stimuli.draws
    if draws.response is not None:
        return _flat(draws.response[..., some])
    return _flat(draws.theta[..., stimuli.tally.responses.neuron[some]])


def _flat(values: NDArray[np.floating]) -> FloatArray:
    """Put chains one after another; shape (chains × draws, n)."""
    return values.reshape(-1, values.shape[-1]).astype(np.float64)


def _spread_out(values: FloatArray, n: int) -> FloatArray:
    """Thin draws evenly to n; shape (n, ...)."""
    return values[np.arange(n) * len(values) // n]


def _quantiles(values: FloatArray, interval: float) -> FloatArray:
    """Median, lower end and upper end over draws; shape (3, n)."""
    tail = (1 - interval) / 2
    return np.quantile(values, [0.5, tail, 1 - tail], axis=0)


def _chunks(known: IntArray, n_draws: int) -> Iterator[IntArray]:
    size = max(1, _VALUES_AT_ONCE // n_draws)
    for start in range(0, len(known), size):
        yield known[start : start + size]


def _of_responses(values: FloatArray, own: IntArray) -> FloatArray:
    """Value of each response's neuron; NaN where it has none."""
    return np.where(own < 0, np.nan, values[own])


def _places(neurons: tuple[str, ...], among: tuple[str, ...]) -> IntArray:
    """Place of each neuron among others; -1 where it is not."""
    place = {name: i for i, name in enumerate(among)}
    return np.array([place.get(name, -1) for name in neurons], dtype=np.int64)

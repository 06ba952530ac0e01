"""What is reported of a posterior: typed arrays, one entry per neuron, and named scalars."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray, RateUnit
from spikepool.models.spec import ModelSpec

type DispersionSource = Literal["data", "mixed", "prior"]


@dataclass(frozen=True)
class Summary:
    """Posterior mean, median, sd and equal-tailed interval; arrays of shape (N,)."""

    mean: FloatArray
    median: FloatArray
    sd: FloatArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True)
class DispersionEstimates:
    """How far each neuron's counts are from Poisson, under a negative-binomial model.

    Attributes
    ----------
    gain_sd : Summary
        σ_G = √α (NB1: √(ω/m) at the neuron's mean exposure); medians and intervals only are
        reported, since posterior means need not exist.
    fano : Summary
        Fano factor at the neuron's mean exposure: 1 + α λ ē (NB2; 1 + α λ e_ref where time draws
        gains anew), 1 + ω (NB1).
    prob_fano_above : ndarray, shape (N,)
        P(Fano > threshold | y).
    log_dispersion : Summary
        δ = ln σ_G (NB2) or ½ ln ω (NB1).
    source : tuple of {'data', 'mixed', 'prior'}
        What decides δ: ``data`` where 1 − Var(δ|y, φ)/τ_δ² > 0.5, ``prior`` where < 0.1.
    """

    gain_sd: Summary
    fano: Summary
    prob_fano_above: FloatArray
    log_dispersion: Summary
    source: tuple[DispersionSource, ...]


@dataclass(frozen=True)
class ResponseEstimates:
    """One row per neuron × condition of one fitted model, in the order of ``Tally.responses``.

    Attributes
    ----------
    neuron, condition : ndarray of int64, shape (R,)
        Index into the tally's neurons and conditions.
    rate_raw : ndarray, shape (R,)
        Σy/Σe.
    rate, log_rate : Summary
    log_rate_mcse : ndarray, shape (R,)
        Monte Carlo standard error of the mean log rate.
    own_weight : Summary
        ω²/(ω² + σ_ic²): 1 means that the response's own trials decide, 0 that its neuron's other
        conditions do.
    fano : Summary or None
        Fano factor at the response's own rate; None for Poisson.
    prob_fano_above : ndarray, shape (R,), or None
    """

    neuron: IntArray
    condition: IntArray
    n_trials: IntArray
    exposure: FloatArray
    spike_count: IntArray
    rate_raw: FloatArray
    rate: Summary
    log_rate: Summary
    log_rate_mcse: FloatArray
    own_weight: Summary
    fano: Summary | None
    prob_fano_above: FloatArray | None


@dataclass(frozen=True)
class MedianInterval:
    """Posterior median and equal-tailed interval; arrays of shape (R,)."""

    median: FloatArray
    lower: FloatArray
    upper: FloatArray


SURELY_ABOVE = 0.975
"""A response is told to be above baseline with more than this probability, below likewise."""


@dataclass(frozen=True)
class EvokedRates:
    """Every response of one fitted model against its neuron's rate without a stimulus.

    In the order of ``Tally.responses``; NaN where the neuron has no trial without a stimulus.

    Attributes
    ----------
    neuron, condition : ndarray of int64, shape (R,)
        Index into the tally's neurons and conditions.
    n_trials, baseline_trials : ndarray of int64, shape (R,)
        Trials of the response, and of the neuron without a stimulus.
    rate_raw, baseline_raw, evoked_raw : ndarray, shape (R,)
        Σy/Σe under the condition, without a stimulus, and their difference.
    baseline : MedianInterval
        Rate without a stimulus, λ_base.
    evoked, ratio : MedianInterval
        λ_ic − λ_base, and λ_ic / λ_base.
    prob_above : ndarray, shape (R,)
        P(λ_ic > λ_base | y).
    """

    neuron: IntArray
    condition: IntArray
    n_trials: IntArray
    baseline_trials: IntArray
    rate_raw: FloatArray
    baseline_raw: FloatArray
    evoked_raw: FloatArray
    baseline: MedianInterval
    evoked: MedianInterval
    ratio: MedianInterval
    prob_above: FloatArray


@dataclass(frozen=True)
class NeuronEstimates:
    """One row per neuron of one fitted model.

    Attributes
    ----------
    rate, log_rate : Summary
        In `rate_unit`, and its natural logarithm.
        With conditions the rate is the mean over those presented.
    rate_raw : ndarray, shape (N,)
        Σy/Σe; with conditions the mean of theirs.
    own_weight : Summary
        κ = τ²/(τ² + σ_i²): 1 means that the neuron's own data decide.
    log_rate_mcse : ndarray, shape (N,)
        Monte Carlo standard error of the mean log rate.
    realised_weight, mse_ratio : ndarray, shape (N,)
        1 − E Var(θ_i|y, φ)/τ² and E Var(θ_i|y, φ)/σ_i².
    dispersion : DispersionEstimates or None
        None for Poisson.
    tuning : Summary or None
        Sd of a neuron's log rates between its conditions; NaN where it has one condition only,
        None where conditions make no difference.
    responses : ResponseEstimates or None
    """

    spec: ModelSpec
    neurons: tuple[str, ...]
    rate_unit: RateUnit
    n_trials: IntArray
    exposure: FloatArray
    spike_count: IntArray
    rate_raw: FloatArray
    rate: Summary
    log_rate: Summary
    log_rate_mcse: FloatArray
    own_weight: Summary
    realised_weight: FloatArray
    mse_ratio: FloatArray
    dispersion: DispersionEstimates | None
    tuning: Summary | None = None
    responses: ResponseEstimates | None = None


@dataclass(frozen=True)
class PopulationParameter:
    """A hyperparameter's posterior, with its sampling diagnostics."""

    group: str
    parameter: str
    mean: float
    sd: float
    median: float
    lower: float
    upper: float
    ess_bulk: float
    ess_tail: float
    r_hat: float


@dataclass(frozen=True)
class Contrast:
    """How a population parameter of one group differs from that of another.

    Attributes
    ----------
    parameter : str
    group, reference : str
    difference_mean, difference_median, difference_lower, difference_upper : float
        Of group − reference, in the parameter's unit; the mean is NaN where it need not exist.
    ratio_median, ratio_lower, ratio_upper : float
        Of group / reference; NaN of a parameter that may be negative.
    prob_greater : float
        P(group > reference | y).
    """

    parameter: str
    group: str
    reference: str
    difference_mean: float
    difference_median: float
    difference_lower: float
    difference_upper: float
    ratio_median: float
    ratio_lower: float
    ratio_upper: float
    prob_greater: float


@dataclass(frozen=True)
class PredictiveBand:
    """A histogram of the data against what the fitted model predicts for each bin.

    Attributes
    ----------
    left, right : ndarray, shape (bins,)
        Edges of each bin.
    observed : ndarray, shape (bins,)
        Frequency in the data.
    expected, lower, upper : ndarray, shape (bins,)
        Median and equal-tailed interval over replicated data sets.
    """

    left: FloatArray
    right: FloatArray
    observed: FloatArray
    expected: FloatArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True)
class PredictiveValue:
    """A number of the data against what the fitted model predicts for it.

    Attributes
    ----------
    size : int
        Of how many values it is taken.
    observed : float
    expected, lower, upper : float
        Median and equal-tailed interval over replicated data sets.
    """

    size: int
    observed: float
    expected: float
    lower: float
    upper: float


EXTREME = 0.005
"""A predictive p-value nearer to 0 or 1 is outside what the model predicts."""


@dataclass(frozen=True)
class NeuronCheck:
    """One statistic of every neuron's counts against what the fitted model predicts; shape (N,).

    Attributes
    ----------
    observed : ndarray
        NaN where the statistic is not defined.
    expected : ndarray
        Median over replicated data sets.
    pvalue : ndarray
        P(T(replicated) > T(observed)) + ½ P(T(replicated) = T(observed)): near 0 where the data
        have more of it than the model predicts, near 1 where they have less.
    """

    observed: FloatArray
    expected: FloatArray
    pvalue: FloatArray


@dataclass(frozen=True)
class PredictiveCheck:
    """What a fitted model predicts for data like those it was fitted to.

    Attributes
    ----------
    replicates : int
        Number of replicated data sets.
    count, fano : PredictiveBand
        Histograms of spikes per trial, and of raw Fano factors of neurons.
    neurons : dict of str to NeuronCheck
        ``fano``, the raw Fano factor; ``zeros``, the share of trials without a spike; ``maximum``,
        the largest count.
    ranks : ndarray, shape (n,)
        Randomised ranks of trials among what all others predict (LOO-PIT); uniform where the model
        is right.
    median_fano : PredictiveValue or None
        Median raw Fano factor of neuron × condition, over all with two trials and a spike; None
        where there is none.
    fano_rise : PredictiveValue or None
        Median over neurons of the Fano factor in the half of its conditions with the greater mean
        counts, over that in the other half: how variance grows with the mean. None without
        conditions.
    """

    replicates: int
    count: PredictiveBand
    fano: PredictiveBand
    neurons: dict[str, NeuronCheck]
    ranks: FloatArray
    median_fano: PredictiveValue | None = None
    fano_rise: PredictiveValue | None = None

    @property
    def departure(self) -> float:
        """Largest distance of the ranks' distribution from the uniform one (Kolmogorov's D)."""
        ordered = np.sort(self.ranks)
        steps = np.arange(len(ordered) + 1) / len(ordered)
        return float(max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1])))

    @property
    def departure_by_chance(self) -> float:
        """What uniform, independent ranks exceed once in 20 data sets; for 50 ranks or more."""
        return float(1.358 / np.sqrt(len(self.ranks)))

"""How much of its gain noise a neuron's trials can show.

Near Poisson the score of the dispersion is a weighted number of pairs of spikes in one trial. Given
the total S of trials with one rate, S spikes fall on trials with probabilities p_t = e_t / Σe; the
expected variance of the score, which is the Fisher information that is left when the rate is not
known, is with weights w_t ½ (Σ (w_t m_t)² − (Σ p_t w_t m_t)²): for the squared gain α of NB2
(counted pairs have weight 1)

    I(α) = ½ M² (Σ p_t² − (Σ p_t²)²) = ½ (n − 1) m²    with equal exposures,

M = n m the expected total; where time draws gains anew (weights e_ref / e_t) the latter at any
exposures, with m the mean count in e_ref; and for the excess Fano factor ω of NB1 (weights 1 / m_t)

    I(ω) = ½ (n − 1).

Both are exact at α = ω = 0. S (S − 1) estimates M² without bias, and leaves nothing for a single
spike; I(ω) is taken given the total, with S (S − 1) / S² before it. The standard error of α is
√(1 / I), so that a gain sd σ_G = √α is two standard errors from 0 where 2 I = 8 / σ_G⁴: a gain of
0.5 needs (n − 1) m² = 128, and an excess Fano factor of 0.5 needs n − 1 = 32.
"""

from dataclasses import dataclass

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.data.tally import Tally

GAIN_SD_TO_SHOW = 0.5
"""A gain sd as neurons of visual cortex have (Goris, Movshon & Simoncelli 2014)."""
EXCESS_FANO_TO_SHOW = 0.5
INFORMATION_WANTED = 8 / GAIN_SD_TO_SHOW**4
TRIALS_WANTED = 8 / EXCESS_FANO_TO_SHOW**2


@dataclass(frozen=True)
class GainInformation:
    """What the trials of each neuron can show of its dispersion.

    Attributes
    ----------
    of_gain : ndarray, shape (N,)
        2 I(α): with equal exposures (n − 1) m², less for few spikes.
    of_fano : ndarray, shape (N,)
        2 I(ω): trials beyond the first of each rate, less for few spikes.
    trials_for_gain, trials_for_fano : ndarray, shape (N,)
        Trials with the same mean counts with which the expected `of_gain` is `INFORMATION_WANTED`,
        and `of_fano` `TRIALS_WANTED`; infinite of a silent neuron.
    """

    of_gain: FloatArray
    of_fano: FloatArray
    trials_for_gain: FloatArray
    trials_for_fano: FloatArray


def least_gain_sd(information: FloatArray) -> FloatArray:
    """Return the smallest gain sd that is two standard errors from 0: (8 / 2 I(α))^¼."""
    with np.errstate(divide="ignore"):
        return np.asarray((8 / information) ** 0.25)


def least_excess_fano(information: FloatArray) -> FloatArray:
    """Return the smallest excess Fano factor that is two standard errors from 0: √(8 / 2 I(ω))."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.sqrt(8 / information))


def gain_information(
    tally: Tally, *, within_conditions: bool, reference_exposure: float | None = None
) -> GainInformation:
    """Measure what the trials of each neuron can show of its dispersion.

    Parameters
    ----------
    tally : Tally
    within_conditions : bool
        Whether every condition has a rate of its own, which costs one trial in each.
    reference_exposure : float, optional
        Of gains that time draws anew (see `ModelSpec`).

    Returns
    -------
    GainInformation
    """
    unit = tally.by_response() if within_conditions else tally
    neuron = tally.responses.neuron if within_conditions else np.arange(tally.n_neurons)
    spikes, trials = unit.spike_count.astype(np.float64), unit.n_trials
    squares, mean = _shares(unit, reference_exposure)

    def of_neurons(values: FloatArray) -> FloatArray:
        return np.bincount(neuron, weights=values, minlength=tally.n_neurons)

    pairs = spikes * (spikes - 1)
    seen = np.divide(pairs, spikes**2, out=np.zeros_like(spikes), where=spikes > 0)
    with np.errstate(divide="ignore"):
        times = (INFORMATION_WANTED + of_neurons((spikes * mean) ** 2)) / of_neurons(
            spikes**2 * squares
        )
    silent = of_neurons(spikes) == 0
    return GainInformation(
        of_gain=of_neurons(pairs * np.maximum(squares - mean**2, 0.0)),
        of_fano=of_neurons(seen * (trials - 1)),
        trials_for_gain=np.ceil(times * tally.n_trials),
        trials_for_fano=np.where(silent, np.inf, TRIALS_WANTED + of_neurons(np.ones_like(spikes))),
    )


def _shares(unit: Tally, reference_exposure: float | None) -> tuple[FloatArray, FloatArray]:
    """Return Σ_t (w_t p_t)² and Σ_t p_t (w_t p_t) of every neuron (or response)."""
    if reference_exposure is not None:
        share = reference_exposure / unit.total_exposure
        return unit.n_trials * share**2, share
    each = unit.exposure / unit.total_exposure[unit.neuron]
    squares = unit.per_neuron(unit.weight * each**2)
    return squares, squares

"""How posteriors are summarised, and the summary of draws."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray
from spikepool.posterior.results import Summary


@dataclass(frozen=True)
class SummaryOptions:
    """How posteriors are summarised.

    Attributes
    ----------
    interval : float
        Mass of the equal-tailed intervals.
    fano_threshold : float
        Threshold of P(Fano > threshold | y).
    joint_draws : int
        Draws of all parameters that the collapsed engine makes.
    """

    interval: float
    fano_threshold: float
    joint_draws: int = 1000

    @property
    def masses(self) -> FloatArray:
        """Probabilities below the lower end, the median and the upper end; shape (3,)."""
        tail = (1 - self.interval) / 2
        return np.array([tail, 0.5, 1 - tail])


def error_of_mean(values: NDArray[np.floating]) -> FloatArray:
    """Monte Carlo standard error of the mean over chains and draws.

    Parameters
    ----------
    values : ndarray, shape (chains, draws, N)

    Returns
    -------
    ndarray, shape (N,)
        NaN of a single short chain.
    """
    from arviz_stats.base import array_stats

    wide = values.astype(np.float64, copy=False)
    return np.asarray(array_stats.mcse(wide, method="mean", chain_axis=0, draw_axis=1))


def summarise(values: NDArray[np.float64], interval: float) -> Summary:
    """Mean, median, sd and equal-tailed interval over the first axis; shape (draws, N)."""
    tail = (1 - interval) / 2
    lower, median, upper = np.quantile(values, [tail, 0.5, 1 - tail], axis=0)
    return Summary(values.mean(axis=0), median, values.std(axis=0, ddof=1), lower, upper)

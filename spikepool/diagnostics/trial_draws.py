"""Joint draws of what the counts of every cell of a tally depend on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.models.families import CountFamily, family_of
from spikepool.posterior.draws import NeuronDraws

_VALUES_AT_ONCE = 2_000_000

type Selected = int | slice | IntArray


@dataclass(frozen=True)
class TrialDraws:
    """Joint draws of mean counts and dispersions, cell by cell.

    Attributes
    ----------
    family : CountFamily
    tally : Tally
    log_rate : ndarray, shape (D, entries)
        Of neurons, or of their responses where conditions make a difference.
    entry : ndarray of int64, shape (cells,)
        The entry of each cell.
    log_dispersion : ndarray, shape (D, N), or None
        None for Poisson.
    """

    family: CountFamily
    tally: Tally
    log_rate: NDArray[np.floating]
    entry: IntArray
    log_dispersion: NDArray[np.floating] | None

    @property
    def size(self) -> int:
        """Number of draws."""
        return len(self.log_rate)

    def mean(self, draws: Selected, cells: Selected) -> FloatArray:
        """Mean counts; shape (draws, cells), or (cells,) of one draw."""
        log_rate = np.asarray(self.log_rate[draws], dtype=np.float64)
        return np.asarray(np.exp(log_rate[..., self.entry[cells]]) * self.tally.exposure[cells])

    def dispersion(self, draws: Selected, cells: Selected) -> FloatArray:
        """Dispersions in the cells' exposures, of the same shape as `mean`; 0 for Poisson."""
        if self.log_dispersion is None:
            return np.zeros(1)
        log_dispersion = np.asarray(self.log_dispersion[draws], dtype=np.float64)
        drawn = np.exp(log_dispersion[..., self.tally.neuron[cells]])
        return self.family.dispersion_in(drawn, self.tally.exposure[cells])

    def log_density(self, cells: IntArray) -> FloatArray:
        """Log probability of one trial of each of some cells; shape (cells, D)."""
        single = self.family.statistics(self.tally.single_trials(cells))
        log_rate = np.asarray(self.log_rate[:, self.entry[cells]], dtype=np.float64)
        delta = np.zeros(1)
        if self.log_dispersion is not None:
            delta = np.asarray(self.log_dispersion[:, self.tally.neuron[cells]], dtype=np.float64)
        return self.family.log_likelihood(log_rate, delta, single).T

    def pieces(self, cells: IntArray) -> Iterator[IntArray]:
        """Yield places in `cells`, few enough at a time to hold all their draws."""
        most = max(1, _VALUES_AT_ONCE // self.size)
        every = np.arange(len(cells))
        for begin in range(0, len(cells), most):
            yield every[begin : begin + most]


def trial_draws(draws: NeuronDraws, tally: Tally, most: int | None = None) -> TrialDraws:
    """Lay joint draws out by what each cell depends on.

    Parameters
    ----------
    draws : NeuronDraws
    tally : Tally
        That they were fitted to.
    most : int, optional
        Draws to keep, evenly spaced over the chains.

    Returns
    -------
    TrialDraws
    """
    log_rate, entry = draws.theta, tally.neuron
    if draws.response is not None:
        log_rate, entry = draws.response, tally.responses.of_cell
    size = log_rate.shape[0] * log_rate.shape[1]
    kept = np.arange(size) if most is None or most >= size else np.arange(most) * size // most

    def flat(values: NDArray[np.floating]) -> NDArray[np.floating]:
        return values.reshape(size, -1)[kept]

    return TrialDraws(
        family=family_of(draws.spec),
        tally=tally,
        log_rate=flat(log_rate),
        entry=entry,
        log_dispersion=None if draws.delta is None else flat(draws.delta),
    )

"""What a family of counts must offer: its density once, usable by NumPy and by PyTensor."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.models.statistics import CountStatistics, count_statistics

type Unit = Literal["neuron", "cell"]


@dataclass(frozen=True)
class Terms:
    """A log-likelihood as terms to be added up: some per neuron, some per finer index.

    Attributes
    ----------
    by_neuron : array, shape (..., N)
    by_cell : array, shape (..., cells), or None
    by_tail : array, shape (..., tails), or None
    by_large : array, shape (..., large counts), or None
    """

    by_neuron: Any
    by_cell: Any = None
    by_tail: Any = None
    by_large: Any = None


@dataclass(frozen=True)
class Direction:
    """A logarithm that is linear in the neuron's parameters: a θ + b δ + c ln(exposure) + d.

    Attributes
    ----------
    theta, delta, log_exposure, constant : float
        a, b, c and d.
    """

    theta: float
    delta: float
    log_exposure: float
    constant: float = 0.0

    def at(self, theta: FloatArray, delta: FloatArray, exposure: FloatArray) -> FloatArray:
        """Value at given parameters; shapes broadcast."""
        own = self.theta * theta + self.delta * delta
        return np.asarray(own + self.of_design(exposure))

    def of_design(self, exposure: FloatArray) -> FloatArray:
        """Return the part that no parameter changes: c ln(exposure) + d."""
        return np.asarray(self.log_exposure * np.log(exposure) + self.constant)


class CountFamily(ABC):
    """A family of spike counts given log rate θ and log dispersion δ per neuron.

    `log_likelihood_terms` is written once, in operations that NumPy arrays and PyTensor tensors
    share; `xp` is the module that provides ``exp`` and ``log1p``.

    Attributes
    ----------
    unit : {'neuron', 'cell'}
        What shares one dispersion α (see `CountStatistics`).
    has_dispersion : bool
    dispersion_name : str
        Name of e^δ.
    formula : str
        The likelihood in one line, for `spikepool model`.
    log_excess_fano, log_gain_sd : Direction or None
        ln(Fano factor − 1) and ln σ_G of the counts in a given exposure (σ_G of `NB2Duration`: in
        its reference exposure); None without dispersion.
    """

    unit: ClassVar[Unit]
    has_dispersion: ClassVar[bool]
    dispersion_name: ClassVar[str]
    formula: ClassVar[str]
    log_excess_fano: Direction | None = None
    log_gain_sd: Direction | None = None

    def statistics(self, tally: Tally) -> CountStatistics:
        """Sufficient statistics of `tally` for this family."""
        return count_statistics(tally, self.unit)

    @abstractmethod
    def log_likelihood_terms(self, theta: Any, delta: Any, s: CountStatistics, xp: Any) -> Terms:
        """Terms of the log-likelihood at log rates `theta` and log dispersions `delta`.

        Parameters
        ----------
        theta, delta : array or tensor, shape (..., N)
            Shapes must broadcast. `delta` is ignored by Poisson.
        s : CountStatistics
            From `statistics` of the same family.
        xp : module
            ``numpy`` or ``pytensor.tensor``.
        """

    @abstractmethod
    def information(self, theta: FloatArray, delta: FloatArray, s: CountStatistics) -> FloatArray:
        """Return 1/σ_i² = Σ_t m²/Var(y), the information about θ; shape (..., N)."""

    def fano(self, theta: FloatArray, delta: FloatArray, exposure: FloatArray) -> FloatArray:
        """Fano factor of the counts in `exposure` seconds; shape (..., N)."""
        if self.log_excess_fano is None:
            return np.ones_like(theta)
        return np.asarray(1 + np.exp(self.log_excess_fano.at(theta, delta, exposure)))

    def gain_sd(self, theta: FloatArray, delta: FloatArray, exposure: FloatArray) -> FloatArray:
        """Return σ_G = √α for counts in `exposure` seconds (see `log_gain_sd`); shape (..., N)."""
        if self.log_gain_sd is None:
            return np.zeros_like(theta)
        return np.exp(self.log_gain_sd.at(theta, delta, exposure))

    def fano_at_mean(self, mean: float, delta: FloatArray, exposure: FloatArray) -> FloatArray:
        """Fano factor of counts with a given `mean` in `exposure` seconds; shape of `delta`."""
        del exposure
        return self.fano(np.full_like(delta, np.log(mean)), delta, np.ones(1))

    def dispersion_in(self, dispersion: FloatArray, exposure: FloatArray) -> FloatArray:
        """Dispersion of counts in `exposure` seconds, from e^δ; shapes broadcast."""
        del exposure
        return dispersion

    @abstractmethod
    def sample(
        self, mean: FloatArray, dispersion: FloatArray, rng: np.random.Generator
    ) -> IntArray:
        """Draw counts with the given `mean` count and `dispersion` (of `dispersion_in`)."""

    @abstractmethod
    def cumulative(self, count: IntArray, mean: FloatArray, dispersion: FloatArray) -> FloatArray:
        """P(y <= `count`) at the given `mean` count and `dispersion` (of `dispersion_in`)."""

    def log_likelihood(
        self, theta: FloatArray, delta: FloatArray, s: CountStatistics
    ) -> FloatArray:
        """Log-likelihood of each neuron; shape (..., N)."""
        terms = self.log_likelihood_terms(theta, delta, s, np)
        total: FloatArray = np.asarray(terms.by_neuron) + s.constant
        finer = (
            (terms.by_cell, s.cell_neuron),
            (terms.by_tail, s.tail_neuron),
            (terms.by_large, s.large_neuron),
        )
        for values, neuron in finer:
            if values is not None and len(neuron):
                total = total + sum_by_neuron(values, neuron, s.n_neurons)
        return total


def sum_by_neuron(values: FloatArray, neuron: IntArray, n_neurons: int) -> FloatArray:
    """Sum the last axis of `values` within runs of equal, ascending `neuron`."""
    starts = np.flatnonzero(np.diff(neuron, prepend=-1))
    sums = values if len(starts) == len(neuron) else np.add.reduceat(values, starts, axis=-1)
    if len(starts) == n_neurons:
        return sums
    total = np.zeros((*values.shape[:-1], n_neurons))
    total[..., neuron[starts]] = sums
    return total

"""What every picture says of itself in its corner."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import override

from spikepool.data.spike_counts import RateUnit


class Caption(ABC):
    """The fit behind a picture, of either kind of table.

    Attributes
    ----------
    model : str
        Label of the model, such as ``NB2 partial``; empty where no single model stands behind.
    interval : float
        Mass of the equal-tailed intervals drawn.
    """

    model: str
    interval: float

    @property
    @abstractmethod
    def numbers(self) -> str:
        """How much stands behind the picture."""

    @property
    def percent(self) -> str:
        """The interval's mass in words: ``95 %``."""
        return f"{100 * self.interval:.3g} %"


@dataclass(frozen=True)
class About(Caption):
    """The fit of counts behind a picture.

    Attributes
    ----------
    n_neurons, n_trials : int
        Neurons, and neuron × trial counts, behind the picture.
    rate_unit : {'spikes/s', 'spikes/trial'}
    """

    model: str
    n_neurons: int
    n_trials: int
    rate_unit: RateUnit
    interval: float = 0.95

    @property
    @override
    def numbers(self) -> str:
        """Such as ``1,446 neurons · 19,244 trials``."""
        return f"{_counted(self.n_neurons, 'neuron')} · {_counted(self.n_trials, 'trial')}"


@dataclass(frozen=True)
class AboutEstimates(Caption):
    """The fit of estimates behind a picture.

    Attributes
    ----------
    n_estimates : int
    """

    model: str
    n_estimates: int
    interval: float = 0.95

    @property
    @override
    def numbers(self) -> str:
        """Such as ``8 estimates``."""
        return _counted(self.n_estimates, "estimate")


@dataclass(frozen=True)
class AboutPrior(Caption):
    """The priors behind a picture.

    Attributes
    ----------
    trials : int
        Of the neuron that is drawn from them.
    exposure : float
        Of each trial, in seconds (trials where none is known).
    rate_unit : {'spikes/s', 'spikes/trial'}
    draws : int
    """

    model: str
    trials: int
    exposure: float
    rate_unit: RateUnit
    draws: int
    interval: float = 0.95

    @property
    @override
    def numbers(self) -> str:
        """Such as ``20 trials of 1 s · 10,000 draws``."""
        window = f" of {self.exposure:.3g} s" if self.rate_unit == "spikes/s" else ""
        return f"{_counted(self.trials, 'trial')}{window} · {_counted(self.draws, 'draw')}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")

"""What every picture says of itself in its corner."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import override

from spikepool.data.spike_counts import RateUnit
from spikepool.data.wording import plural
from spikepool.models.prior_predictive import NeuronDesign


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
        return f"{plural(self.n_neurons, 'neuron')} · {plural(self.n_trials, 'trial')}"


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
        return plural(self.n_estimates, "estimate")


@dataclass(frozen=True)
class AboutPrior(Caption):
    """The priors behind a picture.

    Attributes
    ----------
    design : NeuronDesign
        Of the neuron that is drawn from them.
    rate_unit : {'spikes/s', 'spikes/trial'}
    draws : int
    """

    model: str
    design: NeuronDesign
    rate_unit: RateUnit
    draws: int
    interval: float = 0.95

    @property
    @override
    def numbers(self) -> str:
        """Such as ``20 trials of 1 s · 10,000 draws``."""
        return f"{self.design.told(self.rate_unit)} · {plural(self.draws, 'draw')}"

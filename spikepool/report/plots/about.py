"""What every picture says of itself in its corner."""

from dataclasses import dataclass

from spikepool.data.spike_counts import RateUnit


@dataclass(frozen=True)
class About:
    """The fit behind a picture.

    Attributes
    ----------
    model : str
        Label of the model, such as ``NB2 partial``; empty where no single model stands behind.
    n_neurons, n_trials : int
        Neurons, and neuron × trial counts, behind the picture.
    rate_unit : {'spikes/s', 'spikes/trial'}
    interval : float
        Mass of the equal-tailed intervals drawn.
    """

    model: str
    n_neurons: int
    n_trials: int
    rate_unit: RateUnit
    interval: float = 0.95

    @property
    def numbers(self) -> str:
        """Such as ``1,446 neurons · 19,244 trials``."""
        return f"{_counted(self.n_neurons, 'neuron')} · {_counted(self.n_trials, 'trial')}"

    @property
    def percent(self) -> str:
        """The interval's mass in words: ``95 %``."""
        return f"{100 * self.interval:.3g} %"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")

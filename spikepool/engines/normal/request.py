"""What is wanted of a model's posterior."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NormalRequest:
    """What a model's posterior is computed for.

    Attributes
    ----------
    interval : float
        Mass of the equal-tailed intervals.
    joint : bool
        Whether draws of every θ_i are wanted.
    """

    interval: float
    joint: bool

    @property
    def masses(self) -> tuple[float, float, float]:
        """Probabilities below the lower end, the median and the upper end."""
        tail = (1 - self.interval) / 2
        return tail, 0.5, 1 - tail

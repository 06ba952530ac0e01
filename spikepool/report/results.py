"""What every run found out, whichever kind of table it read."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from spikepool.data.spike_counts import Notice, Source
from spikepool.models.spec import ModelSpec


class Fit(Protocol):
    """One model's results."""

    @property
    def spec(self) -> ModelSpec:
        """The model."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Each check that failed, in words."""


@dataclass(frozen=True)
class Results[F: Fit](ABC):
    """The fits of a run.

    Attributes
    ----------
    models : tuple of Fit
        In the order fitted.
    primary : ModelSpec
        The model whose numbers stand in ``neurons``.
    notices : tuple of Notice
        Of reading, planning and fitting.
    """

    models: tuple[F, ...]
    primary: ModelSpec
    notices: tuple[Notice, ...]

    @property
    @abstractmethod
    def sources(self) -> tuple[Source, ...]:
        """The files that were read."""

    @property
    def primary_model(self) -> F:
        """The fitted primary model."""
        return next(model for model in self.models if model.spec == self.primary)

    @property
    def problems(self) -> tuple[str, ...]:
        """Every failed check, with its model; empty when the run can be used."""
        return tuple(
            f"{model.spec.label}: {problem}" for model in self.models for problem in model.problems
        )

    @property
    def status(self) -> str:
        """``converged`` or ``not_converged``."""
        return "not_converged" if self.problems else "converged"

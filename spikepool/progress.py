"""How long work tells of its progress, without knowing who listens."""

from abc import ABC, abstractmethod
from typing import override


class Progress(ABC):
    """A listener for the stages of a run; the command line shows them, a library stays silent."""

    @abstractmethod
    def stage(self, name: str) -> None:
        """Begin the stage called `name`."""

    @abstractmethod
    def advance(self, done: int, total: int, detail: str = "") -> None:
        """Report that `done` of `total` steps of the current stage are finished."""

    @abstractmethod
    def close(self) -> None:
        """Leave the terminal as it was; nothing more will be reported."""


class Silent(Progress):
    """Says nothing; the default of the library."""

    @override
    def stage(self, name: str) -> None:
        return

    @override
    def advance(self, done: int, total: int, detail: str = "") -> None:
        return

    @override
    def close(self) -> None:
        return

"""The one tree of errors a user can meet; each class knows its exit code."""


class SpikepoolError(Exception):
    """An error explained to a person.

    Parameters
    ----------
    message : str
        What is wrong: file, row, column, the value found and the value wanted.
    hint : str, optional
        The next step.

    Attributes
    ----------
    exit_code : int
        The exit status of the command line.
    """

    exit_code = 70

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message


class UsageError(SpikepoolError):
    """Options that cannot be used, or not together."""

    exit_code = 2


class NotConvergedError(SpikepoolError):
    """Results were written, and marked as not to be trusted."""

    exit_code = 3


class NotIdentifiableError(SpikepoolError):
    """The design cannot tell what was asked of it."""

    exit_code = 4


class BadDataError(SpikepoolError):
    """The table cannot be read as spike counts."""

    exit_code = 65


class NoInputError(SpikepoolError):
    """An input does not exist or cannot be opened."""

    exit_code = 66


class OutputExistsError(SpikepoolError):
    """The output directory is taken or cannot be made."""

    exit_code = 73


class ReadWriteError(SpikepoolError):
    """A read or write failed half-way (disk full, input changed while read)."""

    exit_code = 74


class StoppedEarlyError(SpikepoolError):
    """Stopped by a batch system's signal; nothing half-written is left."""

    exit_code = 75


class InterruptedRunError(SpikepoolError):
    """Stopped by SIGINT or SIGTERM; nothing half-written is left."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number

"""Signals become exceptions in the main thread, so that every stage cleans up after itself."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from spikepool.errors import InterruptedRunError, SpikepoolError, StoppedEarlyError

_BATCH_SIGNALS = ("SIGUSR1", "SIGHUP")


@contextmanager
def signals_as_errors() -> Iterator[None]:
    """Raise `InterruptedRunError` or `StoppedEarlyError` when a signal arrives.

    SIGINT and SIGTERM end with 130 and 143; SIGUSR1 and SIGHUP, which batch systems send before
    they kill, with 75. A second signal is ignored while the first is being dealt with.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    numbers += [getattr(signal, name) for name in _BATCH_SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, _raise) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise _error_of(signal.Signals(number))


def _error_of(number: signal.Signals) -> SpikepoolError:
    if number.name in _BATCH_SIGNALS:
        return StoppedEarlyError(f"stopped by {number.name}; nothing was written", "run it again")
    return InterruptedRunError(f"interrupted ({number.name}); nothing was written", int(number))

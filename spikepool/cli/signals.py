"""Signals become exceptions in the main thread, so that every stage cleans up after itself."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from spikepool.errors import InterruptedRunError, SpikepoolError, StoppedEarlyError

_BATCH_SIGNALS = ("SIGUSR1", "SIGHUP")


class _SignalArrived(BaseException):
    """Unwinds the run; no `Exception`, since compilers go on after any of those."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def signals_as_errors() -> Iterator[None]:
    """Raise `InterruptedRunError` or `StoppedEarlyError` when a signal arrives.

    SIGINT and SIGTERM end with 130 and 143; SIGUSR1 and SIGHUP, which batch systems send before
    they kill, with 75. Further signals are ignored from then on, to the end of the process. A
    SIGHUP that was ignored before (nohup) stays ignored.
    """
    before = {number: signal.signal(number, _raise) for number in _numbers()}
    try:
        yield
    except _SignalArrived as arrived:
        before = {}
        raise _error_of(arrived.number) from arrived
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _numbers() -> list[signal.Signals]:
    batch = [signal.Signals[name] for name in _BATCH_SIGNALS if hasattr(signal, name)]
    heeded = [each for each in batch if signal.getsignal(each) != signal.SIG_IGN]
    return [signal.SIGINT, signal.SIGTERM, *heeded]


def _raise(number: int, _frame: FrameType | None) -> NoReturn:
    for each in _numbers():
        signal.signal(each, signal.SIG_IGN)
    raise _SignalArrived(signal.Signals(number))


def _error_of(number: signal.Signals) -> SpikepoolError:
    if number.name in _BATCH_SIGNALS:
        return StoppedEarlyError(f"stopped by {number.name}; nothing was written", "run it again")
    return InterruptedRunError(f"interrupted ({number.name}); nothing was written", int(number))

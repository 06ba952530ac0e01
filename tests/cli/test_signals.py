"""A signal ends the run with its own exit code, whatever the code that it interrupts does."""

import os
import signal

import pytest

from spikepool.cli.app import run_guarded
from spikepool.cli.signals import signals_as_errors
from spikepool.errors import InterruptedRunError, StoppedEarlyError

CODES = {
    signal.SIGINT: 130,
    signal.SIGTERM: 143,
    signal.SIGUSR1: 75,
    signal.SIGHUP: 75,
}


def send(number):
    """Send this process a signal."""
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def handlers():
    """Restore the handlers that a test leaves; return those before it."""
    before = {number: signal.getsignal(number) for number in CODES}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), CODES.items())
def test_signal_becomes_the_error_with_its_exit_code(number, code):
    """128 plus the number, or 75 for those that batch systems send before they kill."""
    wanted = StoppedEarlyError if code == 75 else InterruptedRunError
    with pytest.raises(wanted, match=number.name) as raised, signals_as_errors():
        send(number)
    assert raised.value.exit_code == code


def test_code_that_survives_any_exception_does_not_survive_a_signal():
    """PyTensor's rewriting logs every `Exception` and goes on."""
    went_on = []

    def compile_model():
        try:
            send(signal.SIGTERM)
        except Exception as error:  # noqa: BLE001 - what is tested
            went_on.append(error)

    assert run_guarded(compile_model, debug=False) == 143
    assert not went_on


@pytest.mark.parametrize("second", CODES)
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGUSR1])
def test_second_signal_does_not_disturb_the_cleaning_up(first, second):
    """Pressed twice, or USR1 followed by TERM: the first one counts, to the very end."""
    cleaned = []

    def write():
        try:
            send(first)
        finally:
            send(second)
            cleaned.append(True)

    assert run_guarded(write, debug=False) == CODES[first]
    send(second)
    assert cleaned


def test_handlers_are_as_before_when_no_signal_came(handlers):
    """After success, and after an error."""
    with signals_as_errors():
        assert all(signal.getsignal(number) != before for number, before in handlers.items())
    assert run_guarded(lambda: 1 / 0, debug=False) == 70
    assert {number: signal.getsignal(number) for number in CODES} == handlers


def test_signal_that_was_ignored_stays_ignored():
    """``nohup spikepool fit ... &`` outlives the terminal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert run_guarded(lambda: send(signal.SIGHUP), debug=False) == 0


@pytest.mark.parametrize(("number", "code"), CODES.items())
def test_message_names_the_signal_and_says_that_nothing_was_written(number, code, capsys):
    """On standard error, in one line of its own, without a traceback."""
    assert run_guarded(lambda: send(number), debug=False) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[0].startswith("spikepool: ")
    assert number.name in told.err
    assert "nothing was written" in told.err
    assert "Traceback" not in told.err

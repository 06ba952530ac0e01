"""Progress: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

import sys

import pytest

from spikepool.cli import console
from spikepool.cli.console import BarProgress, LineProgress, make_progress
from spikepool.progress import Silent


@pytest.fixture
def clock(monkeypatch):
    """Return a clock of one entry that the test moves."""
    now = [100.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def test_quiet_is_silent():
    """Also on a terminal."""
    assert isinstance(make_progress(quiet=True), Silent)


def test_lines_where_there_is_no_terminal():
    """A file, a pipe, a batch job."""
    assert isinstance(make_progress(quiet=False), LineProgress)


def test_bar_on_a_terminal(monkeypatch, capsys):
    """On standard error; gone when closed, with nothing on standard output."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = make_progress(quiet=False)
    assert isinstance(progress, BarProgress)
    progress.stage("fitting NB2 partial")
    progress.advance(3, 10, "2 divergent")
    progress.close()
    assert capsys.readouterr().out == ""


def test_stages_are_lines_on_standard_error(capsys):
    """One each, at once."""
    progress = LineProgress()
    progress.stage("reading")
    progress.stage("writing")
    progress.close()
    assert capsys.readouterr() == ("", "reading\nwriting\n")


def test_long_stage_is_told_every_ten_seconds(clock, capsys):
    """Not at every step; in whole percent, with what there is to say."""
    progress = LineProgress()
    progress.stage("fitting NB2 partial")
    for second in range(26):
        clock[0] = 100.0 + second
        progress.advance(40 * second, 1000, "3 divergent" if second > 15 else "")
    assert capsys.readouterr().err.splitlines() == [
        "fitting NB2 partial",
        "fitting NB2 partial: 40 %",
        "fitting NB2 partial: 80 %, 3 divergent",
    ]


def test_new_stage_starts_its_own_ten_seconds(clock, capsys):
    """The one before does not count."""
    progress = LineProgress()
    progress.stage("one")
    clock[0] += 9
    progress.stage("two")
    clock[0] += 9
    progress.advance(1, 2)
    assert capsys.readouterr().err == "one\ntwo\n"

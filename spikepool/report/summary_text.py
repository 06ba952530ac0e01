"""A run's summary as lines of text: what the terminal shows and ``run.log`` keeps."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from spikepool.report import count_text, normal_text
from spikepool.report.text_parts import Summary

INFORMATIVE = frozenset(
    (
        *("selected-rows", "wide-table", "empty-cells", "exposure-recognised", "blank-lines"),
        *("index-column", "filled-zeros", "missing-counts", "nested-columns"),
        *("exposure-overruled", "nb-left-out", "partial-left-out", "sampled-again"),
        *("labels-within", "within-left-out", "effects-left-out", "baseline-suggested"),
        *("scaling-left-out", "one-exposure", "reference-exposure"),
        *("one-mean-each", "one-rate-each"),
    )
)
"""Notices that inform; every other one warns."""


class _Words(Protocol):
    """What the text of one kind of table consists of: the functions of its module."""

    def reading_lines(self, data: Summary, /) -> Iterator[str]:
        """Say what was read and how it was understood."""

    def model_lines(self, models: list[Summary], /) -> Iterator[str]:
        """Yield a row per model."""

    def finding_lines(self, summary: Summary, /) -> Iterator[str]:
        """Say what was found."""

    def computation_lines(self, summary: Summary, /) -> Iterator[str]:
        """Say how the computation of every model went."""


def _words_for(data: Summary) -> _Words:
    return normal_text if data.get("kind") == "estimates" else count_text


def summary_lines(summary: Summary, place: str, *, verbose: bool = False) -> list[str]:
    """Tell a finished run.

    Parameters
    ----------
    summary : dict
        Content of ``summary.json``.
    place : str
        The results, as printed.
    verbose : bool
        Also how the computation of every model went.

    Returns
    -------
    list of str
        Lines of about 100 characters.
    """
    words = _words_for(summary["data"])
    return [
        *words.reading_lines(summary["data"]),
        *notice_lines(summary["notices"]),
        "",
        *words.model_lines(summary["models"]),
        "",
        *words.finding_lines(summary),
        "",
        *(f"! {problem}" for problem in summary["problems"]),
        *([*words.computation_lines(summary), ""] if verbose else []),
        last_line(summary, place),
    ]


def data_lines(data: Summary) -> Iterator[str]:
    """Say what was read and how it was understood."""
    return _words_for(data).reading_lines(data)


def log_text(summary: Summary, started: datetime) -> str:
    """Write the log of a finished run: what it was, what was printed, and how each model went.

    Parameters
    ----------
    summary : dict
        Content of ``summary.json``.
    started : datetime

    Returns
    -------
    str
    """
    lines = [
        f"spikepool {summary['spikepool']} · started {started.isoformat(timespec='seconds')}",
        *(f"table {table}" for table in summary["data"]["tables"]),
        "",
        *summary_lines(summary, "this folder"),
        "",
        *_words_for(summary["data"]).computation_lines(summary),
    ]
    return "\n".join(lines) + "\n"


def last_line(summary: Summary, place: str) -> str:
    """Say whether the run can be used, where it is, and how long it took."""
    verdict = "OK  converged" if summary["status"] == "converged" else "NOT CONVERGED"
    return f"{verdict} · {place} · {_seconds(summary['seconds'])}"


def notice_lines(notices: Sequence[Summary]) -> Iterator[str]:
    """Print every notice: ``·`` for information, ``!`` for a warning."""
    for notice in notices:
        mark = "·" if notice["code"] in INFORMATIVE else "!"
        yield f"{mark} {notice['message']}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"

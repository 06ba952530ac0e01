"""``run.log``: what the run was, what was printed, and how each model went."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from spikepool.report.summary_text import summary_lines


def log_text(summary: Mapping[str, Any], started: datetime) -> str:
    """Write the log of a finished run.

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
        *computation_lines(summary["models"]),
    ]
    return "\n".join(lines) + "\n"


def computation_lines(models: list[Mapping[str, Any]]) -> Iterator[str]:
    """Say how the computation of every model went."""
    for model in models:
        yield (
            f"{model['label']}: {model['engine']}, compiled in {model['compile_seconds']:.1f} s, "
            f"sampled in {model['sampling_seconds']:.1f} s, {model['divergences']} divergent, "
            f"R\u0302 at most {_number(model['worst_r_hat'], '.4f')}, effective sample size at "
            f"least {_number(model['least_ess_bulk'], '.0f')} (bulk) and "
            f"{_number(model['least_ess_tail'], '.0f')} (tail)"
        )


def _number(value: float | None, form: str) -> str:
    return "undefined" if value is None else format(value, form)

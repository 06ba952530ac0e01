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
        yield f"{model['label']}: {_computation(model)}"


def _computation(model: Mapping[str, Any]) -> str:
    if model["sampler"] is not None:
        return _sampling(model["sampler"])
    certificate = model["certificate"]
    parts = [f"collapsed in {model['seconds']:.1f} s"]
    if certificate["quadrature_error"] is not None:
        parts.append(f"quadrature error {certificate['quadrature_error']:.0e}")
    if certificate["pareto_k"] is not None:
        ess = _number(certificate["ess"], ",.0f")
        parts.append(f"{ess} effective hyperparameter draws")
        parts.append(f"Pareto k\u0302 {certificate['pareto_k']:.2f}")
    check = model["cross_check"]
    if check is not None:
        parts.append(
            f"{check['engine']} differs by at most {check['difference']:.3f} posterior sd "
            f"(Monte Carlo error {check['standard_error']:.3f}; {check['parameter']} "
            f"{check['quantity']} of {check['neuron']}), {check['beyond']:,} of "
            f"{check['compared']:,} beyond the bound"
        )
    return ", ".join(parts)


def _sampling(sampler: Mapping[str, Any]) -> str:
    return (
        f"nuts, compiled in {sampler['compile_seconds']:.1f} s, "
        f"sampled in {sampler['sampling_seconds']:.1f} s, {sampler['divergences']} divergent, "
        f"R\u0302 at most {_number(sampler['worst_r_hat'], '.4f')}, effective sample size at "
        f"least {_number(sampler['least_ess_bulk'], '.0f')} (bulk) and "
        f"{_number(sampler['least_ess_tail'], '.0f')} (tail)"
    )


def _number(value: float | None, form: str) -> str:
    return "undefined" if value is None else format(value, form)

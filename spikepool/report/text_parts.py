"""Phrases that the text of every run uses, whichever kind of table was read."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from spikepool.data.wording import plural

type Summary = Mapping[str, Any]

INDENT: Final = " " * 8


def columns_by_role(data: Summary) -> dict[str, str]:
    """Return the columns that were recognised, several of one role joined by a comma."""
    columns: dict[str, str] = {}
    for each in data["recognised"]:
        before = f"{columns[each['role']]}," if each["role"] in columns else ""
        columns[each["role"]] = before + each["column"]
    return columns


def in_three_digits(value: float | None) -> str:
    """Write a number; a question mark stands for one that is not known."""
    return "?" if value is None else f"{value:.3g}"


def span(low: float, high: float) -> str:
    """Write the range of some numbers."""
    ends = in_three_digits(low), in_three_digits(high)
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def primary_label(model: Summary) -> str:
    """Return a model's label, with a star behind the primary one's."""
    return str(model["label"]) + (" *" if model["is_primary"] else "")


def doubt_mark(model: Summary) -> str:
    """Say behind a model's row why it is not to be trusted."""
    marks = ("converged", "not converged"), ("identified", "not identified")
    return "".join(f"  ! {text}" for name, text in marks if not model[name])


def own_weight_line(summary: Summary) -> str:
    """Say how much the primary model pooled."""
    shrinkage = summary["shrinkage"]
    low = plural(shrinkage["low_own_weight_neurons"], "neuron")
    return (
        f"shrinkage  median own weight {in_three_digits(shrinkage['median_own_weight'])}; "
        f"{low} below {shrinkage['low_own_weight']} ({summary['primary']['label']})"
    )


def cross_check_lines(models: Iterable[Summary]) -> Iterator[str]:
    """Say how far two engines are apart, of each model that both fitted."""
    checks = [(each["label"], each["cross_check"]) for each in models if each["cross_check"]]
    for place, (label, check) in enumerate(checks):
        yield f"{'' if place else 'checked':<11}{label}: {_apart(check)}"


def _apart(check: Summary) -> str:
    return (
        f"{check['engine']} differs by at most {check['difference']:.3f} posterior sd "
        f"(Monte Carlo error {check['standard_error']:.3f}; {check['parameter']} "
        f"{check['quantity']} of {check['neuron']}), {check['beyond']:,} of "
        f"{check['compared']:,} beyond the bound"
    )

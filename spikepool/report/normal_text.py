"""A run of estimates in words."""

from collections.abc import Iterator

from spikepool.data.wording import listed, plural
from spikepool.report.text_parts import (
    INDENT,
    Summary,
    columns_by_role,
    cross_check_lines,
    doubt_mark,
    in_three_digits,
    own_weight_line,
    primary_label,
    span,
)


def reading_lines(data: Summary) -> Iterator[str]:
    """Say what was read and how it was understood."""
    size = f"{plural(data['neurons'], 'estimate')}, one per neuron"
    errors = span(data["standard_error_min"], data["standard_error_max"])
    yield f"read    {size} · standard errors {errors}"
    columns = (f"{role} = {name}" for role, name in columns_by_role(data).items())
    yield f"{INDENT}columns: {', '.join(columns)}"
    if data["not_modelled"]:
        yield f"{INDENT}not modelled: {listed(data['not_modelled'])}"


def model_lines(models: list[Summary]) -> Iterator[str]:
    """Yield a row per model: its population."""
    yield f"{'':<34}{'mean μ':<26}spread τ"
    for model in models:
        population = model["population"]
        mu = _in_brackets(population["mu"]) if "mu" in population else "each neuron alone"
        tau = _in_brackets(population["tau"]) if "tau" in population else "–"
        yield f"{primary_label(model):<34}{mu:<26}{tau}{doubt_mark(model)}".rstrip()
    yield "* primary: the model of the table neurons"


def _in_brackets(value: Summary) -> str:
    median, lower, upper = (in_three_digits(value[part]) for part in ("median", "lower", "upper"))
    return f"{median} [{lower}, {upper}]"


def finding_lines(summary: Summary) -> Iterator[str]:
    """Say how much pooling moved."""
    yield own_weight_line(summary)
    for moved in summary["shrinkage"]["most_moved"]:
        error = in_three_digits(moved["standard_error"])
        raw = f"{in_three_digits(moved['estimate_raw'])} ± {error}"
        name = listed([moved["neuron"]])
        yield f"           {name:<16} {raw:<20} → {in_three_digits(moved['estimate_mean'])}"
    yield from cross_check_lines(summary["models"])


def computation_lines(summary: Summary) -> Iterator[str]:
    """Say the priors, and how the computation of every model went."""
    yield "priors: " + ", ".join(f"{name} ~ {text}" for name, text in summary["priors"].items())
    for model in summary["models"]:
        told = "closed form"
        if model["ess"] is not None:
            told = (
                f"importance sample of the hyperparameters: effective size {model['ess']:.0f}, "
                f"Pareto k {in_three_digits(model['pareto_k'])}"
            )
        if model["divergences"] is not None:
            told = plural(model["divergences"], "divergent transition")
        yield f"{model['label']}: {model['engine']}, {told}, {model['seconds']:.1f} s"

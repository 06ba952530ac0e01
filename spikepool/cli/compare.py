"""`spikepool compare`: models of finished runs, by what they predict of left-out trials."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikepool.cli.options import Debug
from spikepool.errors import UsageError

if TYPE_CHECKING:
    from spikepool.runs.compare import ComparedModel

_HEADER = ("", "elpd", "behind the best", "weight", "k\u0302")
_LEFT_OUT = {
    "trial": "one trial left out at a time, its neuron's other trials known",
    "neuron": "one neuron left out at a time",
}


def compare_command(
    results: Annotated[
        list[Path], typer.Argument(metavar="OUT...", help="Output directories of fits.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Compare the models of fits of the same data by what they predict of left-out trials.

    Each trial, then each neuron, is predicted from all others. elpd is the sum of the log
    predictive densities, in nats; standard errors are over neurons, or over the sessions that a fit
    was told of, if there are five or more; weights are those of the mixture that predicts best
    (stacking).

    Example: spikepool compare all-neurons by-area --json
    """
    del debug  # read by the error handler
    if len({path.resolve() for path in results}) < len(results):
        raise UsageError("an output directory is named twice", "name each once")
    from spikepool.runs.compare import compare_models, read_models

    compared = compare_models(read_models(results))
    if as_json:
        rows = [
            {name: _finite(value) for name, value in asdict(row).items()}
            | {"is_doubtful": row.is_doubtful}
            for row in compared
        ]
        print(json.dumps({"models": rows}, indent=2, allow_nan=False))
        return
    for line in comparison_lines(compared):
        print(line)


def comparison_lines(compared: "Sequence[ComparedModel]") -> Iterator[str]:
    """Yield a table for trials and one for neurons, the best model first."""
    from spikepool.posterior.quadrature import MOST_PARETO_K

    several = len({each.run for each in compared}) > 1
    for kind, meaning in _LEFT_OUT.items():
        rows = [each for each in compared if each.left_out == kind]
        if not rows:
            yield f"{meaning}: not known of models sampled by nuts"
            continue
        cells = [_cells(each, several=several) for each in rows]
        width = max(20, *(len(label) + 2 for label, *_ in cells))
        yield f"{meaning} (nats)"
        for label, elpd, behind, weight, pareto_k in (_HEADER, *cells):
            yield f"  {label:<{width}}{elpd:>22}{behind:>22}{weight:>9}{pareto_k:>7}".rstrip()
        yield ""
    if any(each.is_doubtful for each in compared):
        yield f"k\u0302 above {MOST_PARETO_K}: the model's elpd may be too high"
    if any(math.isnan(each.stacking_weight) for each in compared):
        yield "no weights: the conditions of the fits divide the trials differently"


def _cells(each: "ComparedModel", *, several: bool) -> tuple[str, str, str, str, str]:
    label = f"{each.run}: {each.model}" if several else each.model
    return (
        label if each.converged else f"{label} ! not converged",
        _with_error(each.elpd, each.elpd_se),
        _with_error(each.behind, each.behind_se) if each.behind else "0",
        "" if math.isnan(each.stacking_weight) else f"{each.stacking_weight:.2f}",
        "" if math.isnan(each.pareto_k) else f"{each.pareto_k:.2f}".replace("inf", "∞"),
    )


def _with_error(value: float, error: float) -> str:
    told = f"{value:,.1f}".replace("-", "−")
    return told if math.isnan(error) else f"{told} ± {error:,.1f}"


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""`spikepool simulate`: a table of simulated spike counts, and its truth beside it."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spikepool.cli.options import Debug
from spikepool.cli.simulated_files import contents_of, free_paths, table_as_csv, write_together
from spikepool.errors import UsageError

if TYPE_CHECKING:
    from spikepool.models.simulate import Simulation
    from spikepool.models.simulation_settings import Group

_NUMBER = r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?"
_RANGE = re.compile(rf"({_NUMBER})(?:-({_NUMBER}))?")


def simulate_command(
    output: Annotated[
        str,
        typer.Option("--output", "-o", help="TABLE.csv or TABLE.parquet; - writes CSV to stdout."),
    ],
    family: Annotated[
        Literal["poisson", "nb2", "negbin", "nb1"],
        typer.Option(help="Variance m, m + α m² (nb2, also called negbin) or m (1 + ω) (nb1)."),
    ] = "nb2",
    pooling: Annotated[
        Literal["none", "complete", "partial"],
        typer.Option(
            help="Log rates: N(μ, 2.5²) (none), all equal (complete) or N(μ, τ²) (partial)."
        ),
    ] = "partial",
    dispersion_pooling: Annotated[
        Literal["none", "complete", "partial"] | None,
        typer.Option(
            help="Dispersions: half-normal(1), all equal or log-normal.", show_default="as rates"
        ),
    ] = None,
    dispersion_scaling: Annotated[
        Literal["trial", "duration"],
        typer.Option(
            help="nb2: one gain in each trial, or drawn anew as time passes (gain sds are then of "
            "the middle of --exposure)."
        ),
    ] = "trial",
    neurons: Annotated[
        int | None, typer.Option(help="Number of neurons.", show_default="100")
    ] = None,
    trials: Annotated[
        str,
        typer.Option(
            help="Trials of a neuron (in each condition); 5-40: drawn log-uniformly per neuron."
        ),
    ] = "20",
    typical_rate: Annotated[
        float, typer.Option(help="exp μ, in spikes/s (spikes/trial with --exposure none).")
    ] = 10.0,
    rate_spread: Annotated[
        float | None,
        typer.Option(help="τ, sd of log rates between neurons.", show_default="1"),
    ] = None,
    gain_sd: Annotated[
        float | None,
        typer.Option(help="nb2: typical sd of the gain, √α.", show_default="0.3"),
    ] = None,
    excess_fano: Annotated[
        float | None,
        typer.Option(help="nb1: typical Fano factor less one, ω.", show_default="0.5"),
    ] = None,
    dispersion_spread: Annotated[
        float | None,
        typer.Option(
            help="τ_δ, sd between neurons of ln √α (nb2) or ln √ω (nb1).", show_default="0.3"
        ),
    ] = None,
    exposure: Annotated[
        str,
        typer.Option(help="Seconds of a trial; 0.3-0.5: drawn per trial; none: no such column."),
    ] = "1",
    groups: Annotated[
        list[str] | None,
        typer.Option(help="NAME:NEURONS[:TYPICAL_RATE],..., such as V1:60:12,V2:40."),
    ] = None,
    group_column: Annotated[str, typer.Option(help="Column of the groups.")] = "area",
    conditions: Annotated[
        list[str] | None,
        typer.Option(help="Labels a,b,..., or a number of directions (column 'direction')."),
    ] = None,
    condition_column: Annotated[
        str | None,
        typer.Option(help="Column of the conditions.", show_default="condition or direction"),
    ] = None,
    tuning_sd: Annotated[
        float | None,
        typer.Option(
            help="ω_b, sd of log rates between a neuron's conditions.", show_default="0.5"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    debug: Debug = False,
) -> None:
    """Simulate a table of spike counts from a model, to try a design or test a fit.

    Writes the table and, beside it, the truth: TABLE.truth.csv (rate, dispersion and Fano factor
    of every neuron and condition) and TABLE.truth.json (settings and populations).

    Example: spikepool simulate -o v1.csv --neurons 80 --trials 5-40 --typical-rate 8
    """
    del debug  # read by the error handler
    from spikepool.models.simulate import simulate
    from spikepool.models.simulation_settings import SimulationSettings

    labels, usual_column = _conditions(_split(conditions))
    settings = SimulationSettings(
        family="nb2" if family == "negbin" else family,
        pooling=pooling,
        dispersion_pooling=dispersion_pooling,
        dispersion_scaling=dispersion_scaling,
        neurons=neurons,
        trials=_whole_range("--trials", trials),
        typical_rate=typical_rate,
        rate_spread=rate_spread,
        gain_sd=gain_sd,
        excess_fano=excess_fano,
        dispersion_spread=dispersion_spread,
        exposure=None if exposure == "none" else _range("--exposure", exposure),
        groups=tuple(_group(text) for text in _split(groups)),
        group_column=group_column,
        conditions=labels,
        condition_column=condition_column or usual_column,
        tuning_sd=tuning_sd,
        seed=seed,
    )
    paths = free_paths(output, force=force)
    simulation = simulate(settings)
    if not paths:
        sys.stdout.write(table_as_csv(simulation))
    else:
        write_together(dict(zip(paths, contents_of(simulation, paths[0]), strict=True)))
    typer.echo(_summary(simulation, paths), err=True)


def _split(values: list[str] | None) -> list[str]:
    """Values given by repetition, by commas, or both."""
    return [part.strip() for value in values or [] for part in value.split(",")]


def _range(option: str, text: str) -> tuple[float, float]:
    """Read ``0.3`` or ``0.3-0.5``."""
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option} is {text!r}; it takes a number, or a range such as 5-40")
    low, high = match.groups()
    return float(low), float(high or low)


def _whole_range(option: str, text: str) -> tuple[int, int]:
    low, high = _range(option, text)
    if not (low.is_integer() and high.is_integer()):
        raise UsageError(f"{option} is {text!r}; it takes whole numbers")
    return int(low), int(high)


def _group(text: str) -> "Group":
    """Read ``V1:60`` or ``V1:60:12``; a colon may be part of the name."""
    from spikepool.models.simulation_settings import Group

    match = re.fullmatch(rf"(.+?):([0-9]+)(?::({_NUMBER}))?", text)
    if match is None:
        raise UsageError(
            f"--groups: {text!r} is not NAME:NEURONS or NAME:NEURONS:TYPICAL_RATE",
            "such as --groups V1:60,V2:40",
        )
    name, neurons, rate = match.groups()
    return Group(name, int(neurons), None if rate is None else float(rate))


def _conditions(values: list[str]) -> tuple[tuple[str, ...], str]:
    """Return the labels and their column's usual name; one number is a number of directions."""
    from spikepool.models.simulation_settings import directions

    if len(values) == 1 and re.fullmatch("[0-9]+", values[0]):
        return directions(int(values[0])), "direction"
    return tuple(values), "condition"


def _summary(simulation: "Simulation", paths: list[Path]) -> str:
    from spikepool.data.wording import plural

    rows = plural(len(simulation.count), "trial")
    what = (
        f"{plural(len(simulation.neurons), 'neuron')} · {rows} · {simulation.settings.spec.label}"
    )
    if not paths:
        return f"wrote {what} to standard output; no truth is written beside it"
    table, *truth = paths
    return f"wrote {table}: {what}; truth in {truth[0].name}, {truth[1].name}"

"""A model under several priors of τ, in words: what `spikepool sensitivity` prints."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from spikepool.data.wording import listed, plural
from spikepool.report.sensitivity import MOST_NAMED
from spikepool.report.summary_text import data_lines, notice_lines
from spikepool.report.text_parts import Summary, in_three_digits

_HEADER: Final = ("", "τ", "typical rate", "moved", "largest", "k\u0302", "")
_SYMBOLS: Final = {
    "mu": "μ",
    "tau": "τ",
    "mu_delta": "μ_δ",
    "tau_delta": "τ_δ",
    "tuning_sd": "ω_b",
    "drift_sd": "ω_d",
}
_DIAGNOSES: Final = {
    "fine": "fine: the data decide",
    "conflict": "! prior and data both decide, and may disagree",
    "weak_likelihood": "! the data say little: the prior decides",
}
_UNDISTURBED: Final = "fine: neither prior nor data move it much"


def sensitivity_lines(found: Summary) -> list[str]:
    """Tell what was read, what each prior gives, which neurons move, and what decides.

    Parameters
    ----------
    found : dict
        What ``spikepool sensitivity --json`` prints.

    Returns
    -------
    list of str
    """
    return [
        *data_lines(found["data"]),
        *notice_lines(found["notices"]),
        f"model   {found['model']['label']}; the other priors are those of the fit",
        "",
        *_prior_lines(found),
        *_moved_lines(found),
        *_power_lines(found),
        "",
        *(f"! {problem}" for problem in found["problems"]),
        _verdict(found),
    ]


def _prior_lines(found: Summary) -> Iterator[str]:
    interval = f"{100 * found['interval']:.3g} %"
    unit = found["data"]["rate_unit"]
    yield f"priors of τ, the spread of log rates (medians, {interval} intervals; rates in {unit})"
    groups = list(dict.fromkeys(each["group"] for each in found["priors"]))
    for group in groups:
        if len(groups) > 1:
            yield f"{listed([group])}"
        yield from _in_columns(
            [_HEADER, *(_cells(each) for each in found["priors"] if each["group"] == group)]
        )
    yield (
        f"  * the fit; moved: neurons whose mean log rate moves by more than {found['most_move']} "
        "posterior sd,"
    )
    yield "    beyond its Monte Carlo error"


def _cells(each: Summary) -> tuple[str, ...]:
    fitted = each["method"] == "fitted"
    return (
        f"{each['prior']}{' *' if fitted else ''}",
        _interval(each["parameters"]["tau"]),
        _interval(each["parameters"]["typical_rate"]),
        "" if fitted else f"{each['neurons_moved']} of {each['neurons']}",
        "" if fitted else f"{each['largest_move']:.2f} sd",
        "" if each["pareto_k"] is None else f"{each['pareto_k']:.2f}",
        f"refitted: {each['why_refitted']}" if each["method"] == "refitted" else "",
    )


def _interval(of: Summary) -> str:
    median, lower, upper = (in_three_digits(of[name]) for name in ("median", "lower", "upper"))
    return f"{median} [{lower}, {upper}]"


def _in_columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[i].replace("\u0302", "")) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = (
            cell + " " * (width - len(cell.replace("\u0302", "")))
            for cell, width in zip(row, widths, strict=True)
        )
        yield f"  {'  '.join(cells)}".rstrip()


def _moved_lines(found: Summary) -> Iterator[str]:
    if not found["moved"]:
        return
    yield ""
    yield "neurons that move, each under the prior that moves it most (posterior sds)"
    named = found["moved"][:MOST_NAMED]
    yield from _in_columns([_moved_cells(each) for each in named])
    if len(found["moved"]) > MOST_NAMED:
        yield f"  and {len(found['moved']) - MOST_NAMED:,} more"


def _moved_cells(each: Summary) -> tuple[str, ...]:
    move = f"{each['move']:+.2f} ± {each['move_error']:.2f}".replace("-", "−")
    return listed([each["neuron"]]), move, each["prior"], str(each["group"] or "")


def _power_lines(found: Summary) -> Iterator[str]:
    threshold = found["power_scaling_threshold"]
    yield ""
    yield f"what decides (power-scaling of all priors, and of the likelihood; {threshold} is much)"
    groups = found["power_scaling"]
    for of in groups:
        if len(groups) > 1:
            yield f"{listed([of['group']])}"
        rows = (_power_cells(each, threshold) for each in of["parameters"])
        yield from _in_columns([("", "prior", "data", ""), *rows])


def _power_cells(each: Summary, threshold: float) -> tuple[str, ...]:
    told = _DIAGNOSES[each["diagnosis"]]
    if each["diagnosis"] == "fine" and each["likelihood_sensitivity"] < threshold:
        told = _UNDISTURBED
    name = str(each["parameter"])
    return (
        _SYMBOLS.get(name, name),
        f"{each['prior_sensitivity']:.3f}",
        f"{each['likelihood_sensitivity']:.3f}",
        told,
    )


def _verdict(found: Summary) -> str:
    neurons, bound = found["data"]["neurons"], f"{found['most_move']} posterior sd"
    match found["status"]:
        case "not_converged":
            return "NOT CONVERGED  see the problems above"
        case "sensitive":
            total = plural(neurons, "neuron")
            return (
                f"SENSITIVE  {len(found['moved']):,} of {total} move by more than {bound} under "
                f"{_several(each['prior'] for each in found['priors'] if each['neurons_moved'])}"
            )
        case "undecided":
            undecided = max(each["neurons_undecided"] for each in found["priors"])
            return (
                f"UNDECIDED  {undecided:,} of {plural(neurons, 'neuron')} may move by more than "
                f"{bound}: their Monte Carlo error does not tell"
            )
        case _:
            return f"ROBUST  no neuron moves by more than {bound} under any of these priors"


def _several(names: Iterable[str]) -> str:
    return listed(dict.fromkeys(names))

"""A run's summary as lines of text: what the terminal shows and ``run.log`` keeps."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from spikepool.data.wording import listed, plural

INFORMATIVE = frozenset(
    (
        *("selected-rows", "wide-table", "empty-cells", "exposure-recognised", "blank-lines"),
        *("index-column", "filled-zeros", "missing-counts", "nested-columns"),
        *("exposure-overruled", "nb-left-out", "partial-left-out", "sampled-again"),
    )
)
"""Notices that inform; every other one warns."""
_INDENT = " " * 8

type Summary = Mapping[str, Any]


def summary_lines(summary: Summary, place: str) -> list[str]:
    """Tell a finished run.

    Parameters
    ----------
    summary : dict
        Content of ``summary.json``.
    place : str
        The results, as printed.

    Returns
    -------
    list of str
        Lines of about 100 characters.
    """
    return [
        *data_lines(summary["data"]),
        *notice_lines(summary["notices"]),
        "",
        *_model_lines(summary["models"]),
        "",
        *_shrinkage_lines(summary),
        *_fano_lines(summary["fano"]),
        "",
        *(f"! {problem}" for problem in summary["problems"]),
        last_line(summary, place),
    ]


def last_line(summary: Summary, place: str) -> str:
    """Say whether the run can be used, where it is, and how long it took."""
    verdict = "OK  converged" if summary["status"] == "converged" else "NOT CONVERGED"
    return f"{verdict} · {place} · {_seconds(summary['seconds'])}"


def data_lines(data: Summary) -> Iterator[str]:
    """Say what was read and how it was understood."""
    columns: dict[str, str] = {}
    for each in data["recognised"]:
        before = f"{columns[each['role']]}," if each["role"] in columns else ""
        columns[each["role"]] = before + each["column"]
    exposure = "no exposure: rates are per trial"
    if data["exposure_known"]:
        low, high = f"{data['exposure_min']:.3g}", f"{data['exposure_max']:.3g}"
        span = low if low == high else f"{low}–{high}"
        source = f" ({columns['exposure']})" if "exposure" in columns else ""
        exposure = f"exposure {span} s{source}"
    size = f"{plural(data['trials'], 'trial')} · {plural(data['neurons'], 'neuron')}"
    yield f"read    {size} · {exposure}"
    named = [f"{role} = {column}" for role, column in columns.items() if role != "exposure"]
    yield f"{_INDENT}columns: {', '.join(named)}"
    if data["not_modelled"]:
        yield f"{_INDENT}not modelled: {listed(data['not_modelled'])}"
    yield from _data_gaps(data)


def _data_gaps(data: Summary) -> Iterator[str]:
    gaps = []
    if data["silent_neurons"]:
        gaps.append(f"{plural(data['silent_neurons'], 'silent neuron')}: upper bounds only")
    if data["few_trial_neurons"]:
        few = plural(data["few_trial_neurons"], "neuron")
        gaps.append(f"{few} with ≤ {data['few_trials']} trials")
    if gaps:
        yield _INDENT + " · ".join(gaps)


def notice_lines(notices: Sequence[Summary]) -> Iterator[str]:
    """Print every notice: ``·`` for information, ``!`` for a warning."""
    for notice in notices:
        mark = "·" if notice["code"] in INFORMATIVE else "!"
        yield f"{mark} {notice['message']}"


def _model_lines(models: list[Summary]) -> Iterator[str]:
    scored = any(model["elpd"] for model in models)
    header = f"{'':<34}{'typical rate':<22}{'spread':<20}{'dispersion':<31}"
    yield (header + ("Δelpd" if scored else "")).rstrip()
    for model in models:
        label = model["label"] + (" *" if model["is_primary"] else "")
        shown = [_population_cells(population) for population in model["population"]]
        for cells in shown or [("each neuron alone", "", "")]:
            rate, spread, dispersion = cells
            mark = "" if model["converged"] else "  ! not converged"
            line = f"{label:<34}{rate:<22}{spread:<20}{dispersion:<31}{_elpd_cell(model)}{mark}"
            yield line.rstrip()
    told = "; Δelpd: predicted log density of left-out trials, against it" if scored else ""
    yield f"* primary: the model of the table neurons{told}"


def _elpd_cell(model: Summary) -> str:
    """Difference from the primary model of what is predicted of left-out trials."""
    if not model["elpd"]:
        return ""
    score = model["elpd"]["trial"]
    if model["is_primary"] or score["difference"] is None:
        return "0" if model["is_primary"] else ""
    error = "" if score["difference_se"] is None else f" ± {_whole(score['difference_se'])}"
    return f"{_whole(score['difference'])}{error}"


def _whole(value: float) -> str:
    form = ",.1f" if abs(value) < 10 else ",.0f"
    return format(value, form).replace("-", "−")


def _population_cells(population: Summary) -> tuple[str, str, str]:
    rate = population.get("typical_rate")
    spread = population.get("rate_spread_fold")
    return (
        _interval(rate) if rate else "each neuron alone",
        f"×{_interval(spread)}" if spread else "–",
        _dispersion_cell(population),
    )


def _dispersion_cell(population: Summary) -> str:
    names = {
        "typical_gain_sd": "gain sd",
        "gain_sd": "gain sd",
        "typical_excess_fano": "excess Fano",
        "excess_fano": "excess Fano",
    }
    for key, name in names.items():
        if key in population:
            return f"{name} {_interval(population[key])}"
    return "–"


def _interval(value: Summary) -> str:
    return f"{_short(value['median'])} [{_short(value['lower'])}, {_short(value['upper'])}]"


def _short(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _shrinkage_lines(summary: Summary) -> Iterator[str]:
    shrinkage, unit = summary["shrinkage"], summary["data"]["rate_unit"]
    low = plural(shrinkage["low_own_weight_neurons"], "neuron")
    yield (
        f"shrinkage  median own weight {_short(shrinkage['median_own_weight'])}; "
        f"{low} below {shrinkage['low_own_weight']} ({summary['primary']['label']})"
    )
    for moved in shrinkage["most_moved"]:
        counts = f"{plural(moved['spike_count'], 'spike')} / {plural(moved['n_trials'], 'trial')}"
        rates = f"{_short(moved['rate_raw'])} → {_short(moved['rate_median'])} {unit}"
        name = listed([moved["neuron"]])
        yield f"           {name:<16} {counts:<26} {rates}"


def _fano_lines(fano: Summary) -> Iterator[str]:
    if not fano["neurons"]:
        yield "Fano       no neuron has two trials and a spike in one condition"
        return
    yield (
        f"Fano       median {_short(fano['median_raw'])}; over Poisson {fano['over']:,}, "
        f"under {fano['under']:,}, as Poisson {fano['poisson']:,}, undecided "
        f"{fano['undecided']:,} of {plural(fano['neurons'], 'neuron')} (FDR {fano['fdr']:.0%})"
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"

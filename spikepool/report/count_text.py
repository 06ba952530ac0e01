"""A run of counts in words."""

import math
from collections.abc import Iterator
from typing import Final

from spikepool.data.wording import listed, plural
from spikepool.models.spec import FAMILY_LABELS
from spikepool.report.text_parts import (
    INDENT,
    Summary,
    columns_by_role,
    cross_check_lines,
    doubt_mark,
    own_weight_line,
    primary_label,
    span,
)

type _Cells = tuple[str, str, str, str, str]

_HEADER: Final = ("", "typical rate", "spread", "dispersion", "Δelpd")
_HEADER_UNSCORED: Final = (*_HEADER[:4], "")
_CONTRASTED: Final = {
    "typical_rate": "rate",
    "typical_gain_sd": "gain sd",
    "gain_sd": "gain sd",
    "typical_excess_fano": "excess Fano",
    "excess_fano": "excess Fano",
}
"""Parameters whose ratios between groups are printed, in words."""
_STATISTICS: Final = {"fano": "Fano factor", "zeros": "zeros", "maximum": "maximum"}
_LAWS: Final[dict[str, str]] = dict(FAMILY_LABELS.items()) | {"nb": "NB"}
_MOST_PAIRS: Final = 10
_RATIO: Final = "condition_ratio["
_MOST_EFFECTS: Final = 8
_MOST_MATCHED: Final = 3
_NEAR = 0.05
"""Of a Fano factor: a prediction so close is not spoken against, however sure both are."""


def reading_lines(data: Summary) -> Iterator[str]:
    """Say what was read and how it was understood."""
    columns = columns_by_role(data)
    exposure = "no exposure: rates are per trial"
    if data["exposure_known"]:
        source = f" ({columns['exposure']})" if "exposure" in columns else ""
        exposure = f"exposure {span(data['exposure_min'], data['exposure_max'])} s{source}"
    size = f"{plural(data['trials'], 'trial')} · {plural(data['neurons'], 'neuron')}"
    yield f"read    {size} · {exposure}"
    named = [f"{role} = {column}" for role, column in columns.items() if role != "exposure"]
    yield f"{INDENT}columns: {', '.join(named)}"
    yield from _block_line(data["blocks"])
    yield from _baseline_reading(data["baseline"])
    yield from _group_line(data)
    if data["not_modelled"]:
        yield f"{INDENT}not modelled: {listed(data['not_modelled'])}"
    yield from _data_gaps(data)


def _block_line(blocks: Summary | None) -> Iterator[str]:
    """Say between which blocks of trials rates drift."""
    if blocks is not None:
        number = span(blocks["fewest"], blocks["most"])
        yield (
            f"{INDENT}rates drift between blocks of {blocks['trials']:,} trials: "
            f"{number} of each neuron"
        )


def _baseline_reading(baseline: Summary | None) -> Iterator[str]:
    """Say which trials have no stimulus."""
    if baseline is not None:
        size = f"{plural(baseline['trials'], 'trial')} · {plural(baseline['neurons'], 'neuron')}"
        if baseline["exposure_known"]:
            size += f" · exposure {span(baseline['exposure_min'], baseline['exposure_max'])} s"
        yield f"{INDENT}baseline, fitted apart ({baseline['name']}): {size}"


def _group_line(data: Summary) -> Iterator[str]:
    """Name the groups, where there are several, with their neurons."""
    if (data["groups"] or 1) > 1:
        sizes = (f"{each['group']} ({each['neurons']:,})" for each in data["group_sizes"])
        yield f"{INDENT}groups (neurons), each with a population of its own: {listed(sizes)}"


def _data_gaps(data: Summary) -> Iterator[str]:
    gaps = []
    if data["silent_neurons"]:
        gaps.append(f"{plural(data['silent_neurons'], 'silent neuron')}: upper bounds only")
    if data["few_trial_neurons"]:
        few = plural(data["few_trial_neurons"], "neuron")
        gaps.append(f"{few} with ≤ {data['few_trials']} trials")
    if gaps:
        yield INDENT + " · ".join(gaps)


def model_lines(models: list[Summary]) -> Iterator[str]:
    """Yield a row per model: its population, and how well it predicts."""
    scored = any(model["elpd"] for model in models)
    rows = [row for model in models for row in _model_rows(model)]
    width = max([34, *(len(label) + 2 for label, *_ in rows)])
    for label, rate, spread, dispersion, elpd in (_HEADER if scored else _HEADER_UNSCORED, *rows):
        yield f"{label:<{width}}{rate:<22}{spread:<20}{dispersion:<30} {elpd}".rstrip()
    told = "; Δelpd: predicted log density of left-out trials, against it" if scored else ""
    yield f"* primary: the model of the table neurons{told}"


def _model_rows(model: Summary) -> Iterator[_Cells]:
    """Yield a model's row; where it has groups, a row for each of them below it."""
    label = primary_label(model)
    elpd = _elpd_cell(model) + doubt_mark(model)
    populations = model["population"]
    if len(populations) > 1:
        yield label, "", "", "", elpd
        for population in populations:
            yield f"  {listed([population['group']])}", *_population_cells(population), ""
        return
    cells = _population_cells(populations[0]) if populations else ("each neuron alone", "", "")
    yield label, *cells, elpd


def _elpd_cell(model: Summary) -> str:
    """Difference from the primary model of what is predicted of left-out trials."""
    if not model["elpd"]:
        return ""
    score = model["elpd"]["trial"]
    if model["is_primary"] or score["difference"] is None:
        return "0" if model["is_primary"] else ""
    error = "" if score["difference_se"] is None else f" ± {_whole(score['difference_se'])}"
    shape = "∞" if score["pareto_k"] is None else f"{score['pareto_k']:.2f}"
    doubt = f" (k\u0302 {shape}: may be too high)" if score["is_doubtful"] else ""
    return f"{_whole(score['difference'])}{error}{doubt}"


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


def finding_lines(summary: Summary) -> Iterator[str]:
    """Say how groups differ, how much pooling moved, and what the tests of dispersion found."""
    for model in summary["models"]:
        if model["is_primary"]:
            yield from _contrast_lines(model["contrasts"])
            yield from _within_lines(model, columns_by_role(summary["data"]))
            yield from _tuning_line(model, "tuning_sd", "tuning", "conditions")
            yield from _tuning_line(model, "drift_sd", "blocks", "blocks of trials")
            yield from _effects_lines(model)
            yield from _baseline_lines(model["baseline"])
    yield own_weight_line(summary)
    unit = summary["data"]["rate_unit"]
    for moved in summary["shrinkage"]["most_moved"]:
        counts = f"{plural(moved['spike_count'], 'spike')} / {plural(moved['n_trials'], 'trial')}"
        rates = f"{_short(moved['rate_raw'])} → {_short(moved['rate_median'])} {unit}"
        name = listed([moved["neuron"]])
        yield f"           {name:<16} {counts:<26} {rates}"
    yield _fano_line(summary["fano"])
    if summary["predictive"]:
        yield from _predictive_lines(summary)
    for place, law in enumerate(summary["law"]):
        yield f"{'' if place else 'law':<11}{_law_cells(law)}"
    yield from _holdout_lines(summary["holdout"])
    yield from _drift_lines(summary["drift"])
    yield from _company_line(summary["company"])
    yield from _matched_lines(summary["matched_fano"])
    yield from cross_check_lines(summary["models"])


def _tuning_line(model: Summary, parameter: str, head: str, between: str) -> Iterator[str]:
    """Say how far one neuron's log rates lie apart, group by group."""
    spreads = [
        f"{_interval(each[parameter])}{name}"
        for each in model["population"]
        if parameter in each
        for name in ["" if each["group"] == "all" else f" ({each['group']})"]
    ]
    if spreads:
        yield f"{head:<11}sd of log rates between {between} {', '.join(spreads)}"


def _effects_lines(model: Summary) -> Iterator[str]:
    """Say how conditions move the rates of all neurons, group by group."""
    head = "effects"
    for each in model["population"]:
        ratios = [(key, value) for key, value in each.items() if key.startswith(_RATIO)]
        if not ratios:
            continue
        group = "" if each["group"] == "all" else f"{listed([each['group']])}: "
        told = [
            f"{listed([key[len(_RATIO) : -1]])} ×{_interval(value)}"
            for key, value in ratios[:_MOST_EFFECTS]
        ]
        if len(ratios) > _MOST_EFFECTS:
            told.append(f"{len(ratios) - _MOST_EFFECTS} more in the table population")
        yield f"{head:<11}{group}all rates over their mean: {', '.join(told)}"
        head = ""


def _baseline_lines(baseline: Summary | None) -> Iterator[str]:
    """Say what the rates are without a stimulus, group by group, and how many responses differ."""
    if baseline is None:
        return
    for place, each in enumerate(baseline["population"]):
        name = "" if each["group"] == "all" else f" ({each['group']})"
        rate, spread, dispersion = _population_cells(each)
        cells = f"typical rate {rate}, spread {spread}"
        cells += "" if dispersion == "–" else f", {dispersion}"
        yield f"{'' if place else 'baseline':<11}{cells}{name}"
    above, below, every = baseline["above"], baseline["below"], baseline["responses"]
    sure = f"(probability > {baseline['probability']})"
    yield (
        f"{'evoked':<11}{above:,} of {plural(every, 'response')} above baseline and {below:,} "
        f"below {sure}, {every - above - below:,} undecided"
    )


def _within_lines(model: Summary, columns: dict[str, str]) -> Iterator[str]:
    """Say how far labels within groups lie apart: their means of log rates, and of dispersions."""
    found = {each["parameter"]: _interval(each) for each in model["within"]}
    for ending, what in (("", "mean log rates"), ("_delta", "mean log dispersions")):
        if f"within_sd{ending}" in found:
            spreads = f"{columns['within']} {found[f'within_sd{ending}']}"
            if f"interaction_sd{ending}" in found:
                pair = f"{columns['group']} × {columns['within']}"
                spreads += f", {pair} {found[f'interaction_sd{ending}']}"
            yield f"{'' if ending else 'within':<11}sd of {what}: {spreads}"


def _contrast_lines(contrasts: list[Summary]) -> Iterator[str]:
    """Yield a line per pair of groups: ratios, with the probability that each exceeds 1."""
    pairs: dict[str, list[str]] = {}
    for each in contrasts:
        if each["parameter"] in _CONTRASTED:
            name = f"{listed([each['group']])} / {listed([each['reference']])}"
            pairs.setdefault(name, []).append(_contrast_cell(each))
    if not pairs:
        return
    width = max(16, *(len(name) for name in pairs))
    for place, (name, cells) in enumerate(list(pairs.items())[:_MOST_PAIRS]):
        head = "" if place else "groups"
        yield f"{head:<11}{name:<{width}} {'   '.join(cells)}".rstrip()
    if len(pairs) > _MOST_PAIRS:
        yield f"{'':<11}and {plural(len(pairs) - _MOST_PAIRS, 'more pair')}, in the table contrasts"


def _contrast_cell(contrast: Summary) -> str:
    ends = (_short(contrast[f"ratio_{end}"]) for end in ("median", "lower", "upper"))
    median, lower, upper = ends
    name = _CONTRASTED[contrast["parameter"]]
    probability = _probability(contrast["prob_greater"])
    return f"{name} ×{median} [{lower}, {upper}], P(greater) {probability}"


def _probability(value: float) -> str:
    """Two decimals; a probability that rounds to 0 or 1 is not claimed to be that."""
    if value < 0.01:
        return "<0.01"
    return ">0.99" if value > 0.99 else f"{value:.2f}"


def _fano_line(fano: Summary) -> str:
    if not fano["neurons"]:
        return "Fano       no neuron has two trials and a spike in one condition"
    return (
        f"Fano       median {_short(fano['median_raw'])}; over Poisson {fano['over']:,}, "
        f"under {fano['under']:,}, as Poisson {fano['poisson']:,}, undecided "
        f"{fano['undecided']:,} of {plural(fano['neurons'], 'neuron')} (FDR {fano['fdr']:.0%})"
    )


def _predictive_lines(summary: Summary) -> Iterator[str]:
    """Hold the data against what the primary model predicts."""
    predictive = summary["predictive"]
    if predictive["median_fano"]:
        kind = "condition" if summary["data"]["blocks"] is None else "block"
        yield _median_fano_line(predictive["median_fano"], summary["fano"]["neurons"], kind)
        if predictive["fano_rise"]:
            yield _fano_rise_line(predictive["fano_rise"], kind, summary["models"])
    outside = ", ".join(
        f"{_STATISTICS[name]} {of['more_than_predicted'] + of['less_than_predicted']:,}"
        for name, of in predictive["neurons"].items()
    )
    trials = predictive["left_out_trials"]
    yield (
        f"checks     outside {1 - 2 * predictive['extreme']:.0%} of what the model predicts: "
        f"{outside} of {plural(predictive['neurons']['zeros']['neurons'], 'neuron')}"
    )
    yield (
        f"{INDENT}   ranks of left-out trials within {trials['largest_departure']:.2g} of uniform "
        f"(by chance {trials['by_chance']:.2g})"
    )


def _holdout_lines(scores: list[Summary]) -> Iterator[str]:
    """Yield a row per hold-out and model: squared errors and log scores of trials kept aside."""
    if not scores:
        return
    width = max(len(each["estimate"]) for each in scores) + 2
    kept = None
    for each in scores:
        if each["kept"] != kept:
            kept = each["kept"]
            neurons = plural(each["neurons"], "neuron")
            yield (
                f"holdout    {kept}: {each['trials_aside']:,} trials aside, "
                f"{each['trials_fitted']:,} fitted; squared error of log rates ({neurons}) over "
                "that of raw ones, log score per trial"
            )
            yield f"{INDENT}   {'':<{width}}{'squared error':<18}{'expected':<10}log score"
        expected = "" if each["expected_ratio"] is None else f"{each['expected_ratio']:.3g}"
        yield (
            f"{INDENT}   {each['estimate']:<{width}}"
            f"{_plus_minus(each['ratio'], each['ratio_se']):<18}{expected:<10}"
            f"{_plus_minus(each['gain'], each['gain_se'])}"
        ).rstrip()


def _plus_minus(value: float | None, error: float | None) -> str:
    """Write a number with its standard error, two digits of it; empty where it is not known."""
    if value is None:
        return ""
    if not error:
        return f"{value:.3g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}".replace("-", "−")


def _law_cells(law: Summary) -> str:
    """Say how variance grows with the mean, and how far behind the other families are."""
    behind = ", ".join(
        f"{FAMILY_LABELS[name]} −{_whole(of['behind'])}"
        + ("" if of["behind_se"] is None else f" ± {_whole(of['behind_se'])}")
        for name, of in law["families"].items()
        if of["behind"] > 0
    )
    name = "" if law["group"] == "all" else f"{listed([law['group']])}: "
    label = _LAWS.get(law["law"], law["law"])
    return f"{name}{label}: {law['meaning']} ({behind} nats)"


def _median_fano_line(fano: Summary, neurons: int, kind: str) -> str:
    """Hold the median Fano factor against what the primary model predicts for it."""
    of = "neurons" if fano["size"] == neurons else f"neuron × {kind}"
    return (
        f"           median over {fano['size']:,} {of} {fano['observed']:.3g}; "
        f"the model predicts {_interval_of(fano)}"
        f"{': its variability is not that of the data' if _differs(fano) else ''}"
    )


def _fano_rise_line(rise: Summary, kind: str, models: list[Summary]) -> str:
    """Say whether Fano factors rise with the counts as the primary model says."""
    line = (
        f"           in the {kind}s with more spikes ×{rise['observed']:.3g} that of the others; "
        f"the model predicts ×{_interval_of(rise)}"
    )
    primary = next(model["family"] for model in models if model["is_primary"])
    if primary == "poisson" or not _differs(rise):
        return line
    law = FAMILY_LABELS[primary]
    line += (
        f": it rises {'less' if rise['observed'] < rise['expected'] else 'more'} than {law} says"
    )
    if {"nb1", "nb2"} <= {model["family"] for model in models}:
        return line
    return f"{line}; --family poisson,nb1,nb2 compares"


def _differs(value: Summary) -> bool:
    """Whether a number is outside what the model predicts, and not near it."""
    inside = value["lower"] <= value["observed"] <= value["upper"]
    return not inside and abs(value["observed"] - value["expected"]) > _NEAR * value["observed"]


def _interval_of(value: Summary) -> str:
    return f"{value['expected']:.3g} [{value['lower']:.3g}, {value['upper']:.3g}]"


def _drift_lines(drift: Summary) -> Iterator[str]:
    """Say how many neurons drift slowly over their trials, and what is left without it."""
    untested = drift["neurons"] - drift["tested"]
    reason = f"not tested ({drift['untested']})"
    if not drift["tested"]:
        yield f"drift      {reason}"
        return
    found = f"{drift['drifting'] or 'none'} of {plural(drift['tested'], 'neuron')}"
    line = f"drift      slow drift over the trials of {found} (FDR {drift['fdr']:.0%})"
    if drift["drifting"]:
        raw, left = _short(drift["median_raw"]), _short(drift["median_successive"])
        within = " within blocks" if drift["block"] else ""
        line += f"; their median Fano factor {raw}{within}, {left} between successive trials"
    yield line
    if untested:
        yield f"           {plural(untested, 'neuron')} {reason}"


def _company_line(company: Summary | None) -> Iterator[str]:
    """Say what neurons that were recorded together share."""
    if company is None:
        return
    sessions = plural(company["sessions"], "session")
    if company["untested"] or company["correlation"]["value"] is None:
        yield f"company    not measured in {sessions} ({company['untested'] or 'too few counts'})"
        return
    found, share = company["correlation"], company["shared_share"]
    line = f"spike-count correlation {_measured(found)}, {plural(company['pairs'], 'pair')}"
    if share["value"] is not None:
        line += f"; {_measured(share)} of the gain variance is shared"
    yield f"company    {sessions}: {line}"


def _matched_lines(pairs: list[Summary]) -> Iterator[str]:
    """Yield a line per pair of sets: differences of Fano factors, raw and at matched means."""
    for place, pair in enumerate(pairs[:_MOST_MATCHED]):
        head = "" if place else "matched"
        yield f"{head:<11}Fano factor, {_matched_cells(pair)}"
    if len(pairs) > _MOST_MATCHED:
        rest = plural(len(pairs) - _MOST_MATCHED, "more pair")
        yield f"{'':<11}and {rest}, in the table matched_fano"


def _matched_cells(pair: Summary) -> str:
    names = f"{listed([pair['set']])} − {listed([pair['reference']])}"
    if pair["raw"]["difference"]["value"] is None:
        return f"{names}: one of them has no neuron with two trials and a spike"
    raw = f"{names}: {_difference(pair['raw'])} raw"
    if pair["matched"]["difference"]["value"] is None:
        return f"{raw}; their mean counts have nothing in common"
    cells = f"{raw}, {_difference(pair['matched'])} at matched mean counts"
    if "posterior" not in pair:
        return cells
    model = pair["posterior"]
    cells += f", {_difference(model)} by the model"
    if model["prob_greater"] is None:
        return cells
    return f"{cells}, P(greater) {_probability(model['prob_greater'])}"


def _difference(found: Summary) -> str:
    """Write a difference with its interval, where it has one."""
    value, lower, upper = (found["difference"][end] for end in ("value", "lower", "upper"))
    ends = "" if lower is None else f" [{_short(lower)}, {_short(upper)}]"
    return f"{_short(value)}{ends}".replace("-", "−")


def _measured(found: Summary) -> str:
    """Write a number with its interval."""
    return f"{_short(found['value'])} [{_short(found['lower'])}, {_short(found['upper'])}]"


def computation_lines(summary: Summary) -> Iterator[str]:
    """Say how the computation of every model went."""
    for model in summary["models"]:
        yield f"{model['label']}: {_computation(model)}"


def _computation(model: Summary) -> str:
    if model["sampler"] is not None:
        return _sampling(model["sampler"])
    certificate = model["certificate"]
    parts = [f"collapsed in {model['seconds']:.1f} s"]
    if certificate["quadrature_error"] is not None:
        parts.append(f"quadrature error {certificate['quadrature_error']:.0e}")
    if certificate["pareto_k"] is not None or certificate["r_hat"] is not None:
        ess = _number(certificate["ess"], ",.0f")
        parts.append(f"{ess} effective hyperparameter draws")
    if certificate["pareto_k"] is not None:
        parts.append(f"Pareto k\u0302 {certificate['pareto_k']:.2f}")
    if certificate["r_hat"] is not None:
        parts.append(f"R\u0302 {certificate['r_hat']:.3f}")
    return ", ".join(parts)


def _sampling(sampler: Summary) -> str:
    return (
        f"nuts, compiled in {sampler['compile_seconds']:.1f} s, "
        f"sampled in {sampler['sampling_seconds']:.1f} s, {sampler['divergences']} divergent, "
        f"R\u0302 at most {_number(sampler['worst_r_hat'], '.4f')}, effective sample size at "
        f"least {_number(sampler['least_ess_bulk'], '.0f')} (bulk) and "
        f"{_number(sampler['least_ess_tail'], '.0f')} (tail)"
    )


def _number(value: float | None, form: str) -> str:
    return "undefined" if value is None else format(value, form)

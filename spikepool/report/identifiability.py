"""What a design cannot tell: rows of a table, JSON, and labels of the numbers concerned."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from pydantic import JsonValue

from spikepool.data.wording import listed
from spikepool.models.identifiability.finding import QUANTITIES, Finding, Quantity
from spikepool.models.spec import ModelSpec
from spikepool.report.arrow_tables import Row, table_of_rows
from spikepool.report.columns import IDENTIFIABILITY
from spikepool.report.summary_parts import Json, finite

NOT_IDENTIFIED = "not_identified"
"""The flag of a number that was fitted although the design cannot tell it."""
MOST_EXAMPLES = 3
_PARAMETERS: dict[str, Quantity] = {
    **dict.fromkeys(("mu", "typical_rate"), "rates"),
    **dict.fromkeys(("tau", "rate_spread_fold", "a", "b"), "spread of rates"),
    **dict.fromkeys(("mu_delta", "tau_delta", "gain_sd", "excess_fano"), "dispersions"),
    **dict.fromkeys(("typical_gain_sd", "typical_excess_fano"), "dispersions"),
    **dict.fromkeys(("tuning_sd", "condition_sd"), "tuning"),
    **dict.fromkeys(("condition_effect", "condition_ratio"), "tuning"),
    "drift_sd": "drift",
}
"""What each parameter of `population` is about; those of labels are about contrasts."""


def make_identifiability(findings: Sequence[Finding]) -> pa.Table:
    """One row per rule that speaks and per neuron or group that it speaks of."""
    return table_of_rows("identifiability", IDENTIFIABILITY, list(_rows(findings)))


def _rows(findings: Iterable[Finding]) -> Iterator[Row]:
    for finding in findings:
        rule = finding.rule
        shared = {
            "rule": rule.name,
            "severity": finding.severity,
            "scope": finding.scope,
            "baseline": finding.baseline,
            "quantities": ", ".join(rule.quantities),
            "models": ", ".join(spec.name for spec in finding.specs),
            "figure": rule.figure,
            "wanted": rule.wanted,
            "meaning": rule.meaning,
            "remedy": finding.remedy or None,
        }
        for each in finding.subjects:
            yield {
                **shared,
                "subject": each.name,
                "found": each.found,
                "least_dispersion": finite(each.least),
                "trials_wanted": finite(each.trials),
            }


def findings_as_json(findings: Iterable[Finding]) -> list[JsonValue]:
    """Return what every rule finds, with the subjects of which it finds least."""
    return [_as_json(finding) for finding in findings]


def _as_json(finding: Finding) -> Json:
    worst = sorted(finding.subjects, key=lambda each: each.found)[:MOST_EXAMPLES]
    trials = [each.trials for each in finding.subjects]
    return {
        "rule": finding.rule.name,
        "severity": finding.severity,
        "scope": finding.scope,
        "baseline": finding.baseline,
        "quantities": list(finding.rule.quantities),
        "models": [spec.name for spec in finding.specs],
        "message": finding.message,
        "remedy": finding.remedy,
        "figure": finding.rule.figure,
        "wanted": finding.rule.wanted,
        "subjects": len(finding.subjects),
        "median_trials_wanted": finite(float(np.median(trials))),
        "least": [
            {"name": each.name, "found": each.found, "trials_wanted": finite(each.trials)}
            for each in worst
        ],
    }


def verdicts(
    findings: Sequence[Finding], specs: Sequence[ModelSpec], n_groups: int
) -> list[JsonValue]:
    """Say of every quantity that is asked for whether the design can tell it.

    Parameters
    ----------
    findings : sequence of Finding
    specs : sequence of ModelSpec
        The models of the run.
    n_groups : int

    Returns
    -------
    list of dict
        ``quantity``, ``verdict`` (``refused``, ``left_out``, ``weak`` or ``enough``), ``reasons``
        and ``weak_neurons``, how many neurons alone say little of it.
    """
    about = [finding for finding in findings if not finding.baseline]
    fitted = [finding for finding in about if finding.severity != "left_out"]
    every = {*specs, *(spec for finding in about for spec in finding.specs)}
    return [
        _verdict(quantity, fitted if _is_asked(quantity, specs, n_groups) else about)
        for quantity in QUANTITIES
        if _is_asked(quantity, every, n_groups)
    ]


def _is_asked(quantity: Quantity, specs: Iterable[ModelSpec], n_groups: int) -> bool:
    match quantity:
        case "rates":
            return True
        case "spread of rates":
            return any(spec.pooling == "partial" for spec in specs)
        case "dispersions":
            return any(spec.dispersion_pooling for spec in specs)
        case "tuning":
            return any(spec.is_tuned and not spec.drifting for spec in specs)
        case "drift":
            return any(spec.drifting for spec in specs)
        case "contrasts":
            counted = (spec.pools for spec in specs if spec.family != "normal")
            return n_groups > 1 and any(counted)


def _verdict(quantity: Quantity, findings: Iterable[Finding]) -> JsonValue:
    about = [finding for finding in findings if quantity in finding.rule.quantities]
    populations = [finding for finding in about if finding.scope != "neuron"]
    order = ("refused", "left_out", "weak")
    verdict = next((s for s in order if any(f.severity == s for f in populations)), "enough")
    weak = {
        each.name
        for finding in about
        if finding.scope == "neuron" and finding.severity == "weak"
        for each in finding.subjects
    }
    return {
        "quantity": quantity,
        "verdict": verdict,
        "reasons": [_reason(f) for f in populations if f.severity == verdict],
        "weak_neurons": len(weak),
    }


def _reason(finding: Finding) -> str:
    """Say what a rule means, and of which groups."""
    groups = f" ({listed(finding.names)})" if finding.scope == "group" else ""
    return f"{finding.rule.meaning}{groups}"


def status_of(findings: Iterable[Finding], *, allowed: bool) -> str:
    """Say how a fit would go, by the worst of what was found.

    Parameters
    ----------
    findings : iterable of Finding
    allowed : bool
        Whether what cannot be told is to be fitted all the same.

    Returns
    -------
    {'refused', 'allowed', 'weak', 'weak_neurons', 'enough'}
    """
    found = [(finding.severity, finding.scope) for finding in findings]
    if any(severity == "refused" for severity, _ in found):
        return "allowed" if allowed else "refused"
    if any(severity != "enough" and scope != "neuron" for severity, scope in found):
        return "weak"
    return "weak_neurons" if any(severity == "weak" for severity, _ in found) else "enough"


def is_identified(spec: ModelSpec, findings: Iterable[Finding]) -> bool:
    """Tell whether nothing of a model, or of its baseline, was refused."""
    return not any(
        finding.severity == "refused" and _concerns(finding, spec) for finding in findings
    )


def _concerns(finding: Finding, spec: ModelSpec) -> bool:
    """Whether a finding is about a model; those of a baseline are about the models beside it."""
    if not finding.baseline:
        return spec in finding.specs
    return any(
        (of.family, of.pooling, of.dispersion_pooling)
        == (spec.family, spec.pooling, spec.dispersion_pooling)
        for of in finding.specs
    )


def parameter_flags(
    parameter: str, spec: ModelSpec, groups: Iterable[str], findings: Iterable[Finding]
) -> str:
    """Return the warnings about a population's parameter, or about a contrast of two.

    Parameters
    ----------
    parameter : str
        As in `population`; that of a baseline with ``baseline_`` before it.
    spec : ModelSpec
    groups : iterable of str
        The group, or both of a contrast.
    findings : iterable of Finding

    Returns
    -------
    str
        Names of rules, and `NOT_IDENTIFIED`, joined by a space.
    """
    groups = [*groups]
    name = parameter.removeprefix("baseline_").split("[")[0]
    quantities: set[Quantity] = {_PARAMETERS.get(name, "contrasts")}
    if len(groups) > 1:
        quantities.add("contrasts")
    words = [
        NOT_IDENTIFIED if finding.severity == "refused" else finding.rule.name
        for finding in findings
        if finding.baseline == parameter.startswith("baseline_")
        and finding.scope != "neuron"
        and _concerns(finding, spec)
        and quantities & {*finding.rule.quantities}
        and (finding.scope == "design" or {*groups} & {*finding.names})
    ]
    return " ".join(dict.fromkeys(words))


def neuron_flags(
    spec: ModelSpec, neurons: Sequence[str], groups: Sequence[str], findings: Iterable[Finding]
) -> dict[str, list[bool]]:
    """Tell which words of warning hold for which neurons of a model.

    Parameters
    ----------
    spec : ModelSpec
    neurons, groups : sequence of str, length N
        Each neuron and its group.
    findings : iterable of Finding

    Returns
    -------
    dict of str to list of bool, length N
        `NOT_IDENTIFIED`, and the rules about single neurons that speak.
    """
    refused = [False] * len(neurons)
    raised: dict[str, list[bool]] = {}
    for finding in findings:
        if finding.baseline or not _concerns(finding, spec):
            continue
        names = {*finding.names}
        if finding.severity == "refused":
            design = finding.scope == "design"
            refused = [
                was or design or group in names for was, group in zip(refused, groups, strict=True)
            ]
        elif finding.scope == "neuron" and finding.severity == "weak":
            raised[finding.rule.name] = [neuron in names for neuron in neurons]
    return {NOT_IDENTIFIED: refused, **raised}

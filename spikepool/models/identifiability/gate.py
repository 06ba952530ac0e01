"""The gate before any fit: every rule asked, default models left out, others refused."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from spikepool.config import ModelOptions
from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.errors import NotIdentifiableError
from spikepool.models.identifiability import (
    blocks,
    conditions,
    dispersions,
    labels,
    neurons,
    populations,
    repeats,
)
from spikepool.models.identifiability.finding import Choice, Finding, Rule
from spikepool.models.spec import ModelSpec

RULES: tuple[Rule, ...] = (
    *(repeats.NO_REPEATS, repeats.NO_REPEATED_CONDITIONS, repeats.FEW_REPEATS),
    *(populations.ONE_NEURON, populations.ONE_DISPERSION, populations.FEW, populations.NO_SPIKES),
    *(conditions.ONE_CONDITION, conditions.FEW_TUNED, conditions.FEW_EFFECTS),
    *(blocks.ONE_BLOCK, blocks.FEW_BLOCKS),
    *(labels.ONE_LABEL, labels.LABELS_ARE_GROUPS, labels.FEW),
    *(dispersions.GAIN, dispersions.FANO),
    *(dispersions.ONE_MEAN, dispersions.ONE_RATE),
    *(neurons.SILENT, neurons.ONE_TRIAL, neurons.ONE_TRIAL_OF_EACH, neurons.NO_COUNT_ABOVE_1),
)
"""Every rule there is."""


def find_all(specs: Sequence[ModelSpec], tally: Tally) -> tuple[Finding, ...]:
    """Ask every rule what a table of counts cannot tell of some models.

    Parameters
    ----------
    specs : sequence of ModelSpec
    tally : Tally

    Returns
    -------
    tuple of Finding
    """
    return (
        *repeats.find_repeats(specs, tally),
        *populations.find_populations(specs, tally),
        *conditions.find_conditions(specs, tally),
        *blocks.find_blocks(specs, tally),
        *labels.find_labels(specs, tally),
        *dispersions.find_dispersions(specs, tally),
        *neurons.find_neurons(specs, tally),
    )


def leave_out(
    options: ModelOptions, specs: Sequence[ModelSpec], findings: Iterable[Finding]
) -> tuple[tuple[ModelSpec, ...], tuple[Finding, ...]]:
    """Leave out the default models that the design cannot tell.

    Parameters
    ----------
    options : ModelOptions
    specs : sequence of ModelSpec
    findings : iterable of Finding
        About these models.

    Returns
    -------
    kept : tuple of ModelSpec
    left_out : tuple of Finding
        Why the others are not among them.
    """
    asked = {
        "family": bool(options.family or options.dispersion_pooling)
        or options.dispersion_scaling == "duration",
        "pooling": bool(options.pooling),
        "condition_pooling": bool(options.condition_pooling or options.condition_effects),
    }
    left_out = tuple(
        replace(finding, severity="left_out")
        for finding in findings
        if finding.by_default and not asked[finding.by_default.choice]
    )
    kept = [*specs]
    for choice in (finding.by_default.choice for finding in left_out if finding.by_default):
        kept = [each for spec in kept for each in _without(choice, spec)]
    return tuple(dict.fromkeys(kept)), left_out


def _without(choice: Choice, spec: ModelSpec) -> tuple[ModelSpec, ...]:
    """Return a model without what gives way, or nothing where that is the model itself."""
    match choice:
        case "family":
            return () if spec.dispersion_pooling else (spec,)
        case "pooling":
            return () if spec.pooling == "partial" else (spec,)
        case "condition_pooling":
            return (replace(spec, condition_pooling="complete", drifting=False),)


def refuse(options: ModelOptions, findings: Iterable[Finding]) -> None:
    """Refuse what a design cannot tell, unless the user insists.

    Raises
    ------
    NotIdentifiableError
        With the first reason; it says where to find the others.
    """
    refused = [finding for finding in findings if finding.severity == "refused"]
    if not refused or options.allow_unidentified:
        return
    first, more = refused[0], len(refused) - 1
    others = f"; {more} more: see spikepool check" if more else ""
    raise NotIdentifiableError(first.message, f"{first.remedy} (or --allow-unidentified){others}")


def notices_of(findings: Iterable[Finding]) -> tuple[Notice, ...]:
    """Say what a design cannot tell: a notice for each rule that speaks of more than neurons."""
    said: dict[tuple[str, bool], Notice] = {}
    for finding in findings:
        notice = _notice(finding)
        if notice is not None:
            of_baseline = finding.baseline and finding.severity != "weak"
            said.setdefault((finding.rule.name, of_baseline), notice)
    return tuple(said.values())


def _notice(finding: Finding) -> Notice | None:
    if finding.severity == "refused":
        return Notice("not-identified", f"not to be trusted: {finding.message}")
    if finding.severity == "left_out" and finding.by_default is not None:
        return Notice(finding.by_default.code, finding.by_default.message)
    if finding.severity == "weak" and finding.scope != "neuron":
        return Notice(finding.rule.name.replace("_", "-"), finding.message)
    return None

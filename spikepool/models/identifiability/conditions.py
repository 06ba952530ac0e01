"""Conditions: what tells tuning from differences between neurons."""

from collections.abc import Iterator, Sequence

import numpy as np

from spikepool.data.tally import Tally
from spikepool.data.wording import listed
from spikepool.models.identifiability.finding import Finding, LeftOut, Rule, chosen_subjects, whole
from spikepool.models.spec import ModelSpec

FEW_CONDITIONS = 5
"""Fewer conditions say little of how far their effects differ."""
FEW_COMPARISONS = 4
"""Fewer free comparisons say little of a spread: as many as 5 conditions of one neuron have."""
ONE_CONDITION = Rule(
    "one_condition_each",
    "no neuron has two conditions: tuning and differences between neurons cannot be told apart",
    ("spread of rates", "tuning"),
    "conditions per neuron",
    2,
)
FEW_TUNED = Rule(
    "few_comparisons",
    f"fewer than {FEW_COMPARISONS} comparisons of conditions within neurons: the prior of ω_b "
    "matters",
    ("tuning",),
    "comparisons (conditions − 1, over neurons)",
    FEW_COMPARISONS,
)
FEW_EFFECTS = Rule(
    "few_conditions",
    f"fewer than {FEW_CONDITIONS} conditions: the prior of ω_c, the spread of their effects on all "
    "neurons, matters",
    ("tuning",),
    "conditions",
    FEW_CONDITIONS,
)
_LEFT_OUT = LeftOut(
    "condition_pooling",
    "tuning-left-out",
    "no neuron has two conditions, so nothing tells tuning from differences between neurons: "
    "tuning is left out, and rates are of the neurons in their own conditions",
)


def find_conditions(specs: Sequence[ModelSpec], tally: Tally) -> Iterator[Finding]:
    """Look at how conditions and neurons are crossed."""
    tuned = tuple(s for s in specs if s.condition_pooling == "partial" and not s.drifting)
    if not tuned:
        return
    yield from _find_confounded(tuned, tally)
    effects = tuple(spec for spec in tuned if spec.condition_effects)
    n = len(tally.conditions)
    if effects and n < FEW_CONDITIONS:
        yield Finding(
            FEW_EFFECTS, "weak", "design", whole(n), effects,
            f"{n} conditions say little about ω_c, the spread of their effects",
            f"present {FEW_CONDITIONS} conditions or more",
        )  # fmt: skip


def _find_confounded(tuned: tuple[ModelSpec, ...], tally: Tally) -> Iterator[Finding]:
    presented = np.bincount(tally.responses.neuron, minlength=tally.n_neurons)
    comparisons = np.bincount(tally.group, weights=presented - 1, minlength=len(tally.groups))
    one = len(tally.groups) == 1
    none, few = comparisons == 0, (comparisons > 0) & (comparisons < FEW_COMPARISONS)
    if none.any():
        names = [tally.groups[g] for g in np.flatnonzero(none)]
        where = "" if none.all() else f", in: {listed(names)}"
        yield Finding(
            ONE_CONDITION,
            "refused",
            "design" if none.all() else "group",
            whole(1) if none.all() else chosen_subjects(tally.groups, comparisons + 1, none),
            tuned,
            "every neuron was presented with one condition only, so that tuning (ω_b) and "
            f"differences between neurons (τ) cannot be told apart{where}",
            "give --condition-pooling complete, which compares neurons only"
            + ("" if none.all() else ", or leave such groups out with --where"),
            by_default=_LEFT_OUT if none.all() else None,
        )
    if few.any():
        subjects = whole(comparisons[0]) if one else chosen_subjects(tally.groups, comparisons, few)
        named = [f"{each.name} ({each.found:.0f})" for each in subjects]
        where = f"{comparisons[0]:.0f}" if one else listed(named)
        yield Finding(
            FEW_TUNED, "weak", "design" if one else "group", subjects, tuned,
            f"fewer than {FEW_COMPARISONS} comparisons of conditions within neurons say little "
            f"about ω_b, the spread between a neuron's conditions: {where}",
            "present more neurons with several conditions each",
        )  # fmt: skip

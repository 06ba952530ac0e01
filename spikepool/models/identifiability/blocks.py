"""Blocks of trials: what tells drift from differences between neurons."""

from collections.abc import Iterator, Sequence

import numpy as np

from spikepool.data.tally import Tally
from spikepool.data.wording import listed
from spikepool.models.identifiability.finding import Finding, Rule, chosen_subjects, whole
from spikepool.models.spec import ModelSpec

FEW_COMPARISONS = 4
"""Fewer free comparisons say little of a spread: as many as 5 blocks of one neuron have."""
ONE_BLOCK = Rule(
    "one_block_each",
    "no neuron has two blocks of trials: drift and differences between neurons cannot be told "
    "apart",
    ("spread of rates", "drift"),
    "blocks per neuron",
    2,
)
FEW_BLOCKS = Rule(
    "few_blocks",
    f"fewer than {FEW_COMPARISONS} comparisons of blocks within neurons: the prior of ω_d matters",
    ("drift",),
    "comparisons (blocks − 1, over neurons)",
    FEW_COMPARISONS,
)


def find_blocks(specs: Sequence[ModelSpec], tally: Tally) -> Iterator[Finding]:
    """Look at how many blocks of trials the neurons of every group have."""
    pooled = tuple(spec for spec in specs if spec.drifting and spec.condition_pooling == "partial")
    if not pooled:
        return
    blocks = np.bincount(tally.responses.neuron, minlength=tally.n_neurons)
    comparisons = np.bincount(tally.group, weights=blocks - 1, minlength=len(tally.groups))
    none = chosen_subjects(tally.groups, comparisons + 1, comparisons == 0)
    if none:
        yield Finding(
            ONE_BLOCK, "refused", "group", none, pooled,
            "every neuron has one block of trials, so that drift (ω_d) and differences between "
            f"neurons (τ) cannot be told apart, in: {listed(each.name for each in none)}",
            "give a smaller --drift-block, or leave such groups out with --where",
        )  # fmt: skip
    few = (comparisons > 0) & (comparisons < FEW_COMPARISONS)
    if few.any():
        one = len(tally.groups) == 1
        subjects = whole(comparisons[0]) if one else chosen_subjects(tally.groups, comparisons, few)
        named = (f"{each.name} ({each.found:.0f})" for each in subjects)
        yield Finding(
            FEW_BLOCKS, "weak", "design" if one else "group", subjects, pooled,
            f"fewer than {FEW_COMPARISONS} comparisons of blocks within neurons say little about "
            f"ω_d, the spread between a neuron's blocks: {listed(named)}",
            "give a smaller --drift-block, or record more trials",
        )  # fmt: skip

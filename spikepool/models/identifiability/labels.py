"""Labels within groups, such as animals: what tells them from the groups."""

from collections.abc import Iterator, Sequence

import numpy as np

from spikepool.data.tally import Tally
from spikepool.data.wording import listed, quoted
from spikepool.models.identifiability.finding import Finding, Rule, chosen_subjects, whole
from spikepool.models.spec import ModelSpec

FEW_LABELS = 5
"""Fewer labels in a group say little of how far labels differ."""
ONE_LABEL = Rule(
    "one_label",
    "all neurons have one label within groups: nothing tells how far labels differ",
    ("contrasts",),
    "labels",
    2,
)
LABELS_ARE_GROUPS = Rule(
    "labels_are_groups",
    "every group has one label: differences between groups and between labels cannot be told apart",
    ("contrasts",),
    "labels in a group",
    2,
)
FEW = Rule(
    "few_labels",
    f"fewer than {FEW_LABELS} labels within a group: the priors of the sds between labels matter "
    "for its mean and its contrasts",
    ("contrasts",),
    "labels in a group",
    FEW_LABELS,
)


def find_labels(specs: Sequence[ModelSpec], tally: Tally) -> Iterator[Finding]:
    """Look at how labels and groups are crossed."""
    joined = tuple(spec for spec in specs if spec.within is not None)
    if not joined or tally.within is None:
        return
    yield from _find_confounded(joined, tally)
    labels = np.bincount(tally.pairs.group, minlength=len(tally.groups))
    few = chosen_subjects(tally.groups, labels, labels < FEW_LABELS)
    if few:
        yield Finding(
            FEW, "weak", "group", few, joined,
            f"fewer than {FEW_LABELS} labels within a group say little about how far labels "
            "differ, so that the priors of the sds between labels decide how wide the intervals of "
            "the group's mean and of its contrasts are: "
            + listed(f"{each.name} ({each.found:.0f})" for each in few),
            f"record {FEW_LABELS} labels (animals) or more in every group",
        )  # fmt: skip


def _find_confounded(joined: tuple[ModelSpec, ...], tally: Tally) -> Iterator[Finding]:
    pairs = tally.pairs
    if len(tally.within_labels) == 1:
        yield Finding(
            ONE_LABEL, "refused", "design", whole(1), joined,
            f"--within needs several labels, and all neurons have {quoted(tally.within_labels[0])}",
            "leave out --within",
        )  # fmt: skip
    elif len(pairs.group) == len(tally.groups) and not pairs.are_crossed:
        yield Finding(
            LABELS_ARE_GROUPS, "refused", "design", whole(1), joined,
            "every group has one label within it, so that differences between groups and between "
            "labels cannot be told apart",
            "name labels of which a group has several, or leave out --within",
        )  # fmt: skip

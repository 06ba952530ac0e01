"""What a design with labels within groups can tell, and what it cannot."""

from collections.abc import Sequence

import numpy as np

from spikepool.config import ModelOptions
from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.data.wording import listed, plural, quoted
from spikepool.errors import UsageError
from spikepool.models.identifiability import refuse_unidentified
from spikepool.models.options_in_use import OptionOfSome, check_in_use
from spikepool.models.spec import LabelsWithin, ModelSpec

FEW_LABELS = 5
"""Fewer labels in a group say little of how far labels differ."""
_WITHIN = OptionOfSome(
    name="--within",
    of="partial pooling",
    reason="only partial pooling has populations, whose means differ between labels",
    hint="add --pooling partial, or leave out --within",
    code="within-left-out",
)


def form_of_labels(tally: Tally) -> LabelsWithin | None:
    """Tell whether any label within groups stands in several; None where there are no labels."""
    if tally.within is None:
        return None
    return "crossed" if tally.pairs.are_crossed else "nested"


def check_within(
    options: ModelOptions, specs: Sequence[ModelSpec], tally: Tally, notices: list[Notice]
) -> None:
    """Refuse labels within groups that no model can use; say how they are used.

    Parameters
    ----------
    options : ModelOptions
    specs : sequence of ModelSpec
    tally : Tally
    notices : list of Notice

    Raises
    ------
    NotIdentifiableError
        If nothing tells groups and labels apart.
    UsageError
        If no model has a population of log rates.
    """
    if tally.within is None:
        return
    check_in_use(_WITHIN, specs, lambda spec: spec.within is not None, notices)
    _refuse_confounded(options, tally, notices)
    notices.append(Notice("labels-within", _form(tally)))
    _note_few(tally, notices)


def refuse_within_gamma(options: ModelOptions, tally: Tally) -> None:
    """Refuse a gamma population: labels shift log rates, which it does not have.

    Raises
    ------
    UsageError
    """
    if tally.within is not None and options.population == "gamma":
        raise UsageError(
            "--population gamma with --within: labels shift the mean of log rates, and a gamma "
            "population is of the rates themselves",
            "take --population normal or student-t, or leave out --within",
        )


def _refuse_confounded(options: ModelOptions, tally: Tally, notices: list[Notice]) -> None:
    pairs = tally.pairs
    if len(tally.within_labels) == 1:
        refuse_unidentified(
            options,
            notices,
            f"--within needs several labels, and all neurons have {quoted(tally.within_labels[0])}",
            "leave out --within",
        )
    elif len(pairs.group) == len(tally.groups) and not pairs.are_crossed:
        refuse_unidentified(
            options,
            notices,
            "every group has one label within it, so that differences between groups and between "
            "labels cannot be told apart",
            "name labels of which a group has several, or leave out --within",
        )


def _form(tally: Tally) -> str:
    """Say whether labels are crossed or nested, and what follows."""
    labels = plural(len(tally.within_labels), "label")
    in_groups = np.bincount(tally.pairs.label)
    several = int(np.sum(in_groups > 1))
    if several:
        return (
            f"{several} of {labels} within groups stand in several groups: each label has an "
            "effect in all its groups and one in each of them (if equal labels mean different "
            "things in different groups, name them by both columns)"
        )
    return f"each of {labels} within groups stands in one group: each has one effect"


def _note_few(tally: Tally, notices: list[Notice]) -> None:
    counts = np.bincount(tally.pairs.group, minlength=len(tally.groups)).tolist()
    few = [
        f"{group} ({n})" for group, n in zip(tally.groups, counts, strict=True) if n < FEW_LABELS
    ]
    if few:
        text = (
            f"fewer than {FEW_LABELS} labels within a group say little about how far labels "
            "differ, so that the priors of the sds between labels decide how wide the intervals of "
            f"the group's mean and of its contrasts are: {listed(few)}"
        )
        notices.append(Notice("few-labels", text))

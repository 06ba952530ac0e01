"""How labels within groups are used."""

from collections.abc import Sequence

import numpy as np

from spikepool.config import ModelOptions
from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.data.wording import plural
from spikepool.errors import UsageError
from spikepool.models.options_in_use import OptionOfSome, check_in_use
from spikepool.models.spec import LabelsWithin, ModelSpec

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


def check_within(specs: Sequence[ModelSpec], tally: Tally, notices: list[Notice]) -> None:
    """Refuse labels within groups that no model can use; say how they are used.

    Parameters
    ----------
    specs : sequence of ModelSpec
    tally : Tally
    notices : list of Notice

    Raises
    ------
    UsageError
        If no model has a population of log rates.
    """
    if tally.within is None:
        return
    check_in_use(_WITHIN, specs, lambda spec: spec.within is not None, notices)
    notices.append(Notice("labels-within", _form(tally)))


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

"""Whether conditions can have effects on all neurons."""

from collections.abc import Sequence

import numpy as np

from spikepool.config import ModelOptions
from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.data.wording import listed
from spikepool.errors import UsageError
from spikepool.models.options_in_use import OptionOfSome, check_in_use
from spikepool.models.spec import ModelSpec

_EFFECTS = OptionOfSome(
    name="--condition-effects",
    of="partially pooled conditions",
    reason="only where conditions are partially pooled do responses lie about something that "
    "conditions could shift",
    hint="add --pooling partial, or --condition-pooling partial",
    code="effects-left-out",
)


def refuse_condition_effects(options: ModelOptions, tally: Tally) -> None:
    """Refuse effects of conditions where there are none, and with labels within groups.

    Raises
    ------
    UsageError
    """
    if not options.condition_effects:
        return
    if tally.in_blocks:
        raise UsageError(
            "--condition-effects are of conditions, and --drift-block makes blocks of trials",
            "leave out one of them",
        )
    n = len(tally.conditions)
    if n == 1:
        raise UsageError(
            "--condition-effects: the table has one condition",
            "name the column of conditions with --condition, or leave the option out",
        )
    pairs = np.unique(tally.group[tally.responses.neuron] * n + tally.responses.condition) // n
    single = [tally.groups[g] for g in np.flatnonzero(np.bincount(pairs) == 1)]
    if single:
        raise UsageError(
            f"--condition-effects needs several conditions in every group; one only has: "
            f"{listed(single)}",
            "leave such groups out with --where, or leave out --condition-effects",
        )
    if tally.within is not None:
        raise UsageError(
            "--condition-effects and --within cannot be fitted together yet",
            "leave out one of them",
        )


def check_condition_effects(
    options: ModelOptions, specs: Sequence[ModelSpec], notices: list[Notice]
) -> None:
    """Refuse effects of conditions that no model has; name the models without them.

    Parameters
    ----------
    options : ModelOptions
    specs : sequence of ModelSpec
    notices : list of Notice

    Raises
    ------
    UsageError
        If no model pools conditions partially.
    """
    if options.condition_effects:
        check_in_use(_EFFECTS, specs, lambda spec: spec.condition_effects, notices)

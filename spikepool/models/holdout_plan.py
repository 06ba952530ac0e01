"""Hold-outs that leave nothing to test on, refused before anything is fitted."""

import numpy as np

from spikepool.config import ReportOptions
from spikepool.data.tally import Tally
from spikepool.errors import UsageError


def check_holdout(options: ReportOptions, tally: Tally) -> None:
    """Refuse a hold-out that fits every trial, or expects to.

    Parameters
    ----------
    options : ReportOptions
    tally : Tally

    Raises
    ------
    UsageError
        Naming the most trials that a neuron has (in one condition).
    """
    trials = np.bincount(tally.responses.of_cell, weights=tally.weight)
    most = int(trials.max())
    of = "neuron" if len(tally.conditions) == 1 else "neuron in any condition"
    for kept in options.holdout_keep:
        if kept >= most:
            raise UsageError(
                f"--holdout-keep {kept}: no {of} has more than {most} trials, so that none is "
                "kept aside",
                f"give at most {most - 1}" if most > 1 else "leave the option out",
            )
    if options.holdout is not None and most == 1:
        raise UsageError(
            f"--holdout {options.holdout:g}: no {of} has two trials, so that none can be kept "
            "aside",
            "leave the option out",
        )
    if options.holdout is not None and options.holdout * trials.sum() < 1:
        raise UsageError(
            f"--holdout {options.holdout:g}: of {trials.sum():.0f} trials that is less than one",
            "give a greater share",
        )

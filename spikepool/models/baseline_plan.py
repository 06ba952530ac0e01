"""What is fitted to trials without a stimulus, and what they cannot tell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikepool.config import ModelOptions
from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.data.wording import quoted
from spikepool.models.identifiability import refuse_unidentified
from spikepool.models.prior_spec import priors_of
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec


@dataclass(frozen=True)
class BaselinePlan:
    """What every model is fitted to once more.

    Attributes
    ----------
    tally : Tally
        Of the trials without a stimulus.
    priors : Priors
        Those of the run, with m0 of these trials.
    """

    tally: Tally
    priors: Priors


def plan_baseline(
    options: ModelOptions, specs: Sequence[ModelSpec], tally: Tally, notices: list[Notice]
) -> BaselinePlan:
    """Plan the fits of a baseline.

    Parameters
    ----------
    options : ModelOptions
    specs : sequence of ModelSpec
        The models of the stimuli.
    tally : Tally
        Of the trials without a stimulus.
    notices : list of Notice

    Returns
    -------
    BaselinePlan

    Raises
    ------
    NotIdentifiableError
        If these trials cannot tell the parameters of one of the models.
    """
    if any(spec.dispersion_pooling for spec in specs) and tally.n_trials.max() < 2:
        refuse_unidentified(
            options,
            notices,
            "a negative-binomial model of the baseline needs repeated trials, and no neuron has "
            "two without a stimulus",
            "fit --family poisson",
        )
    sizes = np.bincount(tally.group, minlength=len(tally.groups))
    if any("partial" in (spec.pooling, spec.dispersion_pooling) for spec in specs):
        for group in np.flatnonzero(sizes == 1):
            of = f"group {quoted(tally.groups[group])}" if len(tally.groups) > 1 else "the table"
            refuse_unidentified(
                options,
                notices,
                "partial pooling of the baseline needs a population, and one neuron only of "
                f"{of} has trials without a stimulus",
                "fit without a baseline (blanks: leave them out with --where), or fit "
                "--pooling none",
            )
    if any(spec.within for spec in specs):
        text = (
            "the baseline is fitted without the labels within groups: its intervals are about "
            "those that were recorded"
        )
        notices.append(Notice("baseline-without-labels", text))
    return BaselinePlan(tally, priors_of(options, tally))


def baseline_spec(spec: ModelSpec) -> ModelSpec:
    """Return the model of the baseline beside one of the stimuli: the same without conditions."""
    return replace(spec, condition_pooling=None, condition_effects=False, within=None)

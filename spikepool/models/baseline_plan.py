"""What is fitted to trials without a stimulus, and what they cannot tell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from spikepool.config import ModelOptions
from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.models.identifiability.finding import Finding
from spikepool.models.identifiability.gate import find_all
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
    findings : tuple of Finding
        What these trials cannot tell of the models.
    notices : tuple of Notice
        What the fits leave aside.
    """

    tally: Tally
    priors: Priors
    findings: tuple[Finding, ...] = ()
    notices: tuple[Notice, ...] = ()


def plan_baseline(options: ModelOptions, specs: Sequence[ModelSpec], tally: Tally) -> BaselinePlan:
    """Plan the fits of a baseline.

    Parameters
    ----------
    options : ModelOptions
    specs : sequence of ModelSpec
        The models of the stimuli.
    tally : Tally
        Of the trials without a stimulus.

    Returns
    -------
    BaselinePlan
    """
    fitted = tuple(dict.fromkeys(baseline_spec(spec) for spec in specs))
    findings = tuple(
        replace(
            finding,
            baseline=True,
            message=f"trials without a stimulus: {finding.message}",
            remedy=f"{finding.remedy}; or fit without a baseline (leave blanks out with --where)",
        )
        for finding in find_all(fitted, tally)
    )
    notices: tuple[Notice, ...] = ()
    if any(spec.within for spec in specs):
        text = (
            "the baseline is fitted without the labels within groups: its intervals are about "
            "those that were recorded"
        )
        notices = (Notice("baseline-without-labels", text),)
    return BaselinePlan(tally, priors_of(options, tally), findings, notices)


def baseline_spec(spec: ModelSpec) -> ModelSpec:
    """Return the model of the baseline beside one of the stimuli: the same without conditions."""
    return replace(spec, condition_pooling=None, condition_effects=False, within=None)

"""Whether each trial has one gain, or time draws it anew, and what a design can tell of it."""

from collections.abc import Sequence

from spikepool.config import ModelOptions
from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.models.options_in_use import OptionOfSome, check_in_use
from spikepool.models.spec import Family, ModelSpec

_DURATION = OptionOfSome(
    name="--dispersion-scaling duration",
    of="NB2 (the Fano factor of NB1 is the same at any exposure anyway)",
    reason="only NB2 has a gain that time could draw anew; the Fano factors of Poisson and NB1 are "
    "the same at any exposure anyway",
    hint="add --family nb2, or leave out --dispersion-scaling",
    code="scaling-left-out",
)


def reference_exposure(options: ModelOptions, family: Family, tally: Tally) -> float | None:
    """Return e_ref, the mean exposure over all trials, of a gain that time draws anew; else None.

    Exactly the common exposure where all are equal.
    """
    if options.dispersion_scaling == "trial" or family != "nb2":
        return None
    shortest = tally.exposure.min()
    beyond = (tally.weight * (tally.exposure - shortest)).sum() / tally.weight.sum()
    return float(shortest + beyond)


def check_scaling(
    options: ModelOptions, specs: Sequence[ModelSpec], tally: Tally, notices: list[Notice]
) -> None:
    """Refuse a gain drawn anew by time that no model has; say at which exposure gains are told.

    Parameters
    ----------
    options : ModelOptions
    specs : sequence of ModelSpec
    tally : Tally
    notices : list of Notice

    Raises
    ------
    UsageError
        If no model is NB2.
    """
    if options.dispersion_scaling == "trial":
        return
    dispersed = [spec for spec in specs if spec.dispersion_pooling is not None]
    check_in_use(_DURATION, dispersed, lambda s: s.dispersion_scaling == "duration", notices)
    reference = next(s.reference_exposure for s in dispersed if s.reference_exposure is not None)
    if (tally.exposure == reference).all():
        text = (
            "all trials have one exposure, so that --dispersion-scaling trial and duration are the "
            "same model: only trials of several durations tell them apart"
        )
        notices.append(Notice("one-exposure", text))
        return
    text = (
        f"gains are drawn anew as time passes: gain sds are those in {reference:.4g} s, the mean "
        f"exposure of all trials, and in e seconds √({reference:.4g}/e) times as large"
    )
    notices.append(Notice("reference-exposure", text))

"""Repeated trials: what tells noise from differences between neurons, and from tuning."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spikepool.data.tally import Tally
from spikepool.data.wording import listed
from spikepool.models.identifiability.finding import Finding, LeftOut, Rule, chosen_subjects, whole
from spikepool.models.identifiability.populations import FEW_NEURONS
from spikepool.models.spec import ModelSpec

_TWICE = "neurons with two trials"
NO_REPEATS = Rule(
    "no_repeats",
    "no neuron has two trials: overdispersion and differences between neurons cannot be told apart",
    ("spread of rates", "dispersions"),
    _TWICE,
    FEW_NEURONS,
)
NO_REPEATED_CONDITIONS = Rule(
    "no_repeated_conditions",
    "no neuron has two trials of a condition: overdispersion and tuning cannot be told apart",
    ("dispersions", "tuning"),
    "neurons with two trials of a condition",
    FEW_NEURONS,
)
FEW_REPEATS = Rule(
    "few_repeats",
    f"fewer than {FEW_NEURONS} neurons have two trials (of a condition): the prior of τ_δ matters",
    ("dispersions",),
    _TWICE,
    FEW_NEURONS,
)
_APART = "overdispersion and differences between neurons cannot be told apart"
_NB_LEFT_OUT = LeftOut(
    "family",
    "nb-left-out",
    "no neuron has two trials, so nothing tells noise from differences between neurons: only "
    "Poisson models are fitted",
)
_TUNED_NB_LEFT_OUT = LeftOut(
    "family",
    "nb-left-out",
    "no neuron has two trials of a condition, so nothing tells noise from tuning: only Poisson "
    "models are fitted (--condition-pooling complete takes conditions as repeats)",
)
_A_ROW_PER_TRIAL = "fit --family poisson, or give a table with a row per trial"


def repeated_neurons(tally: Tally, *, within_conditions: bool) -> NDArray[np.bool_]:
    """Tell which neurons have two trials, of one condition if asked; shape (N,)."""
    if not within_conditions:
        return tally.n_trials >= 2
    responses = tally.responses
    trials = np.bincount(responses.of_cell, weights=tally.weight, minlength=responses.size)
    repeated = np.zeros(tally.n_neurons, dtype=bool)
    np.logical_or.at(repeated, responses.neuron, trials >= 2)
    return repeated


def find_repeats(specs: Sequence[ModelSpec], tally: Tally) -> Iterator[Finding]:
    """Look for repeated trials, as far as dispersions are fitted.

    A design without them leaves nothing but the shapes of the populations to tell noise from
    differences. One rate and one dispersion of all neurons need none: the dispersion then has both.
    """
    dispersed = tuple(spec for spec in specs if spec.dispersion_pooling)
    if not dispersed:
        return
    if not repeated_neurons(tally, within_conditions=False).any():
        yield from _find_single_trials(dispersed)
        return
    for tuned in (False, True):
        concerned = tuple(spec for spec in dispersed if spec.is_tuned == tuned)
        if concerned:
            yield from _find_unrepeated(concerned, tally, tuned=tuned)


def _find_single_trials(dispersed: tuple[ModelSpec, ...]) -> Iterator[Finding]:
    shared = tuple(spec for spec in dispersed if _has_differences_in_it(spec))
    others = tuple(spec for spec in dispersed if spec not in shared)
    if others:
        yield Finding(
            NO_REPEATS, "refused", "design", whole(0), others,
            f"a negative-binomial model needs repeated trials, and no neuron has two: {_APART}",
            _A_ROW_PER_TRIAL,
            by_default=_NB_LEFT_OUT,
        )  # fmt: skip
    if shared:
        yield Finding(
            NO_REPEATS, "weak", "design", whole(0), shared,
            "no neuron has two trials: the one dispersion of all neurons is noise and differences "
            "between neurons together",
            _A_ROW_PER_TRIAL,
        )  # fmt: skip


def _has_differences_in_it(spec: ModelSpec) -> bool:
    return spec.pooling == spec.dispersion_pooling == "complete" and not spec.is_tuned


def _find_unrepeated(
    concerned: tuple[ModelSpec, ...], tally: Tally, *, tuned: bool
) -> Iterator[Finding]:
    repeated = repeated_neurons(tally, within_conditions=tuned)
    if not repeated.any():
        yield Finding(
            NO_REPEATED_CONDITIONS, "refused", "design", whole(0), concerned,
            "a negative-binomial model with tuning needs repeated trials of a condition, and no "
            "neuron has two: overdispersion and tuning cannot be told apart",
            "fit --family poisson, or take conditions as repeats with --condition-pooling complete",
            by_default=_TUNED_NB_LEFT_OUT,
        )  # fmt: skip
        return
    pooled = tuple(spec for spec in concerned if spec.pools)
    if len(tally.groups) > 1 and pooled:
        yield from _find_unrepeated_groups(pooled, tally, repeated, tuned=tuned)
    yield from _find_few(concerned, tally, repeated)


def _find_unrepeated_groups(
    pooled: tuple[ModelSpec, ...], tally: Tally, repeated: NDArray[np.bool_], *, tuned: bool
) -> Iterator[Finding]:
    found = np.bincount(tally.group, weights=repeated, minlength=len(tally.groups))
    without = chosen_subjects(tally.groups, found, found == 0)
    if not without:
        return
    where = listed(each.name for each in without)
    of = "two trials of a condition" if tuned else "two trials"
    apart = "overdispersion and tuning cannot be told apart" if tuned else _APART
    yield Finding(
        NO_REPEATED_CONDITIONS if tuned else NO_REPEATS, "refused", "group", without, pooled,
        f"a negative-binomial model needs repeated trials in every group, and no neuron has {of}, "
        f"so that {apart}, in: {where}",
        "leave such groups out with --where, or fit --family poisson",
    )  # fmt: skip


def _find_few(
    concerned: tuple[ModelSpec, ...], tally: Tally, repeated: NDArray[np.bool_]
) -> Iterator[Finding]:
    """Note populations of dispersions of which few neurons say anything."""
    pooled = tuple(spec for spec in concerned if spec.dispersion_pooling == "partial")
    if not pooled:
        return
    found = np.bincount(tally.group, weights=repeated, minlength=len(tally.groups))
    sizes = np.bincount(tally.group, minlength=len(tally.groups))
    few = (found > 0) & (found < FEW_NEURONS) & (sizes > found)
    if not few.any():
        return
    one = len(tally.groups) == 1
    subjects = whole(found[0]) if one else chosen_subjects(tally.groups, found, few)
    named = [f"{each.name} ({each.found:.0f})" for each in subjects]
    which = f"only {found[0]:.0f} of {sizes[0]:,} neurons repeat" if one else listed(named)
    yield Finding(
        FEW_REPEATS, "weak", "design" if one else "group", subjects, pooled,
        "few neurons with repeated trials say little about τ_δ, the spread of the dispersions: "
        f"{which}",
        f"record two trials or more of {FEW_NEURONS} neurons or more, or give "
        "--dispersion-pooling complete",
    )  # fmt: skip

"""Dispersions: how small a one the trials could show, and which family it is of."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray
from spikepool.data.tally import Tally
from spikepool.data.wording import listed, plural
from spikepool.models.identifiability.finding import WHOLE, Finding, Rule, Subject, whole
from spikepool.models.identifiability.gain import (
    EXCESS_FANO_TO_SHOW,
    GAIN_SD_TO_SHOW,
    INFORMATION_WANTED,
    TRIALS_WANTED,
    gain_information,
    least_excess_fano,
    least_gain_sd,
)
from spikepool.models.identifiability.repeats import repeated_neurons
from spikepool.models.spec import ModelSpec

GAIN = Rule(
    "gain_information",
    f"weak: a gain sd of {GAIN_SD_TO_SHOW} would be less than two standard errors from 0 in these "
    "trials alone",
    ("dispersions",),
    "(n − 1) m²",
    INFORMATION_WANTED,
)
FANO = Rule(
    "fano_information",
    f"weak: an excess Fano factor of {EXCESS_FANO_TO_SHOW} would be less than two standard errors "
    "from 0 in these trials alone",
    ("dispersions",),
    "n − 1",
    TRIALS_WANTED,
)
ONE_MEAN = Rule(
    "one_mean_each",
    "no neuron has two mean counts: NB1 and NB2 differ in what is pooled only",
    ("dispersions",),
    "neurons with two mean counts",
    1,
)
ONE_RATE = Rule(
    "one_rate_each",
    "no neuron has two rates: NB1, and NB2 whose gain time draws anew, differ in what is pooled "
    "only",
    ("dispersions",),
    "neurons with two rates",
    1,
)


def find_dispersions(specs: Sequence[ModelSpec], tally: Tally) -> Iterator[Finding]:
    """Look at what the trials can show of gain noise (NB2) and of excess Fano factors (NB1)."""
    for family in ("nb2", "nb1"):
        concerned = tuple(spec for spec in specs if spec.family == family)
        if concerned:
            measured = _measured(concerned, tally)
            yield from _find_neurons(concerned, tally, measured)
            yield from _find_weak_populations(concerned, tally, measured)
    yield from _find_one_mean(specs, tally)


@dataclass(frozen=True)
class _Measured:
    """What the neurons' trials say of the dispersions of one family.

    Attributes
    ----------
    rule : Rule
    information, trials : ndarray, shape (N,)
        The rule's figure, and the trials that would do.
    repeated : ndarray of bool, shape (N,)
        Whether a neuron has repeated trials.
    least : callable
        From information to the smallest dispersion that it shows.
    name : str
        Of the dispersion, with the one that should be shown.
    """

    rule: Rule
    information: FloatArray
    trials: FloatArray
    repeated: NDArray[np.bool_]
    least: Callable[[FloatArray], FloatArray]
    name: str


def _measured(specs: tuple[ModelSpec, ...], tally: Tally) -> _Measured:
    tuned = any(spec.is_tuned for spec in specs)
    reference = specs[0].reference_exposure
    of = gain_information(tally, within_conditions=tuned, reference_exposure=reference)
    repeated = repeated_neurons(tally, within_conditions=tuned)
    if specs[0].family == "nb2":
        name = f"a gain sd of {GAIN_SD_TO_SHOW}"
        return _Measured(GAIN, of.of_gain, of.trials_for_gain, repeated, least_gain_sd, name)
    name = f"an excess Fano factor of {EXCESS_FANO_TO_SHOW}"
    return _Measured(FANO, of.of_fano, of.trials_for_fano, repeated, least_excess_fano, name)


def _find_neurons(
    specs: tuple[ModelSpec, ...], tally: Tally, measured: _Measured
) -> Iterator[Finding]:
    rule, found = measured.rule, measured.information
    figures = zip(
        tally.neurons, found.tolist(), measured.least(found), measured.trials.tolist(), strict=True
    )
    every = [Subject(name, of, float(least), trials) for name, of, least, trials in figures]
    weak = tuple(each for each in every if each.found < rule.wanted)
    enough = tuple(each for each in every if each.found >= rule.wanted)
    if weak:
        yield Finding(
            rule, "weak", "neuron", weak, specs,
            f"{len(weak):,} of {plural(len(every), 'neuron')} could not show {measured.name} "
            f"alone ({rule.figure} below {rule.wanted:.0f}): pooling, or without it the prior, "
            "decides their dispersions",
            "more trials, or longer windows with more spikes",
        )  # fmt: skip
    if enough:
        yield Finding(
            rule, "enough", "neuron", enough, specs,
            f"{len(enough):,} of {plural(len(every), 'neuron')} could show {measured.name} alone",
            "",
        )  # fmt: skip


def _find_weak_populations(
    specs: tuple[ModelSpec, ...], tally: Tally, measured: _Measured
) -> Iterator[Finding]:
    """Look at what the neurons of a population can show together, where trials are repeated."""
    pooled = tuple(s for s in specs if s.dispersion_pooling in ("partial", "complete"))
    if not pooled:
        return
    n, rule = len(tally.groups), measured.rule
    together = np.bincount(tally.group, weights=measured.information, minlength=n)
    repeated = np.bincount(tally.group, weights=measured.repeated, minlength=n) > 0
    names = tally.groups if n > 1 else (WHOLE,)
    weak = tuple(
        Subject(names[g], float(together[g]), float(measured.least(together[g])))
        for g in np.flatnonzero((together < rule.wanted) & repeated)
    )
    if not weak:
        return
    least = min(each.found for each in weak)
    more = f"{rule.wanted / least:.2g} times as many trials or neurons" if least else "more trials"
    could = (
        f"{each.least:.2g}" + (f" ({each.name})" if n > 1 else "")
        for each in weak
    )  # fmt: skip
    yield Finding(
        rule, "weak", "group" if n > 1 else "design", weak, pooled,
        f"all neurons {'of a group ' if n > 1 else ''}together could not show "
        f"{measured.name} as typical, at two standard errors; the least that they could is "
        f"{listed(could)}",
        f"{more}, or longer windows",
    )  # fmt: skip


def _find_one_mean(specs: Sequence[ModelSpec], tally: Tally) -> Iterator[Finding]:
    both = tuple(spec for spec in specs if spec.family in ("nb1", "nb2"))
    if {spec.family for spec in both} != {"nb1", "nb2"}:
        return
    tuned = any(spec.is_tuned and not spec.drifting for spec in both)
    condition = tally.condition if tuned else np.zeros_like(tally.condition)
    if any(spec.dispersion_scaling == "duration" for spec in both):
        if not _differ_within_neurons(tally, condition):
            yield Finding(
                ONE_RATE, "weak", "design", whole(0), both,
                "every neuron has one rate, and so one Fano factor at any exposure: NB1 and NB2 "
                "with --dispersion-scaling duration are the same family for each, and what tells "
                "them apart is how dispersions vary between neurons",
                "several conditions for each neuron",
            )  # fmt: skip
        return
    if _differ_within_neurons(tally, condition, tally.exposure):
        return
    several = len(np.unique(tally.exposure)) > 1
    differ = " (exposures differ between neurons only)" if several else ""
    yield Finding(
        ONE_MEAN, "weak", "design", whole(0), both,
        f"every neuron has one mean count{differ}, so that NB1 and NB2 are the same family for "
        "each: what tells them apart is how dispersions vary between neurons",
        "windows of several lengths, or several conditions, for each neuron",
    )  # fmt: skip


def _differ_within_neurons(tally: Tally, *keys: NDArray[np.generic]) -> bool:
    """Tell whether cells of any neuron differ in their keys."""
    of_cells = np.unique(np.stack([tally.neuron, *keys]), axis=1)
    return bool((np.bincount(of_cells[0].astype(np.int64)) > 1).any())

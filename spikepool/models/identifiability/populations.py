"""Populations: too few neurons to have a spread, or none that spikes."""

from collections.abc import Iterator, Sequence

import numpy as np

from spikepool.data.spike_counts import IntArray
from spikepool.data.tally import Tally
from spikepool.data.wording import listed, quoted
from spikepool.models.identifiability.finding import Finding, LeftOut, Rule, chosen_subjects, whole
from spikepool.models.spec import ModelSpec

FEW_NEURONS = 5
ONE_NEURON = Rule(
    "one_neuron",
    "one neuron is no population: its spread cannot be told",
    ("spread of rates", "dispersions", "contrasts"),
    "neurons",
    2,
)
ONE_DISPERSION = Rule(
    "one_dispersion",
    "one neuron is no population of dispersions: their spread cannot be told",
    ("dispersions",),
    "neurons",
    2,
)
FEW = Rule(
    "few_neurons",
    f"fewer than {FEW_NEURONS} neurons in a population: the prior of τ matters",
    ("spread of rates", "contrasts"),
    "neurons",
    FEW_NEURONS,
)
NO_SPIKES = Rule(
    "no_spikes",
    "no neuron of a population has a spike: the priors decide its mean and spread",
    ("rates", "spread of rates", "contrasts"),
    "spikes",
    1,
)
_LEFT_OUT = LeftOut(
    "pooling", "partial-left-out", "one neuron is no population: partial pooling is left out"
)


def partially_pooled(specs: Sequence[ModelSpec]) -> tuple[ModelSpec, ...]:
    """Return the models with a population of rates or of dispersions."""
    return tuple(s for s in specs if "partial" in (s.pooling, s.dispersion_pooling))


def find_populations(specs: Sequence[ModelSpec], tally: Tally) -> Iterator[Finding]:
    """Look at the populations of a table of counts, group by group."""
    pooled = partially_pooled(specs)
    if not pooled:
        return
    if len(tally.groups) == 1:
        yield from find_one_population(pooled, tally.n_neurons)
    else:
        yield from _find_in_groups(pooled, tally)
    yield from _find_silent_populations(pooled, tally)


def find_one_population(specs: Sequence[ModelSpec], n_neurons: int) -> Iterator[Finding]:
    """Look at the size of one population, of counts or of estimates.

    Parameters
    ----------
    specs : sequence of ModelSpec
        Those with a population.
    n_neurons : int

    Yields
    ------
    Finding
    """
    of_rates = tuple(spec for spec in specs if spec.pooling == "partial")
    others = tuple(spec for spec in specs if spec.pooling != "partial")
    if n_neurons == 1 and of_rates:
        yield Finding(
            ONE_NEURON, "refused", "design", whole(1), of_rates,
            "partial pooling needs a population, and the table has one neuron: τ, the spread "
            "between neurons, cannot be told",
            "fit --pooling none",
            by_default=_LEFT_OUT,
        )  # fmt: skip
    if n_neurons == 1 and others:
        yield Finding(
            ONE_DISPERSION, "refused", "design", whole(1), others,
            "--dispersion-pooling partial needs a population, and the table has one neuron",
            "give --dispersion-pooling none",
        )  # fmt: skip
    if 1 < n_neurons < FEW_NEURONS:
        yield Finding(
            FEW, "weak", "design", whole(n_neurons), tuple(specs),
            f"{n_neurons} neurons say little about τ, the spread between neurons",
            f"record {FEW_NEURONS} neurons or more, or give τ a prior of your own (--prior)",
        )  # fmt: skip


def _find_in_groups(pooled: tuple[ModelSpec, ...], tally: Tally) -> Iterator[Finding]:
    sizes = group_sizes(tally)
    alone = chosen_subjects(tally.groups, sizes, sizes == 1)
    few = chosen_subjects(tally.groups, sizes, (sizes > 1) & (sizes < FEW_NEURONS))
    if alone:
        names = [each.name for each in alone]
        subject = f"group {quoted(names[0])} has" if len(names) == 1 else f"{listed(names)} have"
        yield Finding(
            ONE_NEURON, "refused", "group", alone, pooled,
            f"partial pooling within groups needs a population in each, and {subject} one neuron: "
            "τ, the spread between a group's neurons, cannot be told",
            "leave such groups out with --where, or leave out --group",
        )  # fmt: skip
    if few:
        yield Finding(
            FEW, "weak", "group", few, pooled,
            f"fewer than {FEW_NEURONS} neurons say little about τ, the spread between a group's "
            f"neurons: {listed(each.name for each in few)}",
            f"record {FEW_NEURONS} neurons or more in each group",
        )  # fmt: skip


def _find_silent_populations(pooled: tuple[ModelSpec, ...], tally: Tally) -> Iterator[Finding]:
    spikes = np.zeros(len(tally.groups), dtype=np.int64)
    np.add.at(spikes, tally.group, tally.spike_count)
    remedy = "longer windows or more trials: rates so low need more time to be seen"
    if not spikes.any():
        text = "no neuron has a spike: the data bound the rates from above only, and say nothing of"
        yield Finding(NO_SPIKES, "weak", "design", whole(0), pooled, f"{text} their spread", remedy)
        return
    silent = chosen_subjects(tally.groups, spikes, spikes == 0)
    if silent:
        text = (
            "no neuron has a spike, so that the priors decide the mean and the spread of the "
            f"rates, in: {listed(each.name for each in silent)}"
        )
        yield Finding(NO_SPIKES, "weak", "group", silent, pooled, text, remedy)


def group_sizes(tally: Tally) -> IntArray:
    """Neurons of every group; shape (groups,)."""
    return np.bincount(tally.group, minlength=len(tally.groups)).astype(np.int64)

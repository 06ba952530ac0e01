"""Single neurons: what their own trials leave open."""

from collections.abc import Iterator, Sequence

import numpy as np

from spikepool.data.tally import Tally
from spikepool.data.wording import plural
from spikepool.models.identifiability.finding import Finding, Rule, chosen_subjects
from spikepool.models.identifiability.repeats import repeated_neurons
from spikepool.models.spec import ModelSpec

SILENT = Rule(
    "silent",
    "no spike in any trial: the data give an upper bound on the rate only",
    ("rates",),
    "spikes",
    1,
)
ONE_TRIAL = Rule(
    "one_trial",
    "one trial: the data cannot tell the dispersion",
    ("dispersions",),
    "trials",
    2,
)
ONE_TRIAL_OF_EACH = Rule(
    "one_trial_of_each_condition",
    "several trials, none of a condition that was repeated: the data cannot tell the dispersion "
    "from the tuning",
    ("dispersions",),
    "trials of a condition",
    2,
)
NO_COUNT_ABOVE_1 = Rule(
    "no_count_above_1",
    "no trial with 2 spikes or more: no lower bound on the gain",
    ("dispersions",),
    "spikes in the fullest trial",
    2,
)


def find_neurons(specs: Sequence[ModelSpec], tally: Tally) -> Iterator[Finding]:
    """Look at each neuron alone."""
    yield from _find_silent(tuple(specs), tally)
    dispersed = tuple(spec for spec in specs if spec.dispersion_pooling)
    if dispersed:
        yield from _find_single(dispersed, tally)
        yield from _find_low(dispersed, tally)


def _find_silent(specs: tuple[ModelSpec, ...], tally: Tally) -> Iterator[Finding]:
    spikes = tally.spike_count
    silent = chosen_subjects(tally.neurons, spikes, spikes == 0)
    if not silent:
        return
    noisy = any(spec.dispersion_pooling for spec in specs)
    bound = "an upper bound on the rate only"
    if noisy:
        bound += ", and under NB a huge gain noise explains no spikes too"
    text = f"{plural(len(silent), 'neuron')} without a spike: the data give {bound}"
    yield Finding(SILENT, "weak", "neuron", silent, specs, text, "more trials or longer windows")


def _find_single(specs: tuple[ModelSpec, ...], tally: Tally) -> Iterator[Finding]:
    trials = tally.n_trials
    lone = chosen_subjects(tally.neurons, trials, trials == 1)
    if lone:
        text = f"{plural(len(lone), 'neuron')} with one trial: the prior decides the dispersion"
        remedy = "record two trials or more of each neuron"
        yield Finding(ONE_TRIAL, "weak", "neuron", lone, specs, text, remedy)
    tuned = tuple(spec for spec in specs if spec.is_tuned)
    once = (trials > 1) & ~repeated_neurons(tally, within_conditions=True)
    single = chosen_subjects(tally.neurons, np.ones_like(trials), once)
    if tuned and single:
        text = (
            f"{plural(len(single), 'neuron')} with one trial of every condition: the prior decides "
            "the dispersion"
        )
        remedy = "record two trials or more of some conditions of each neuron"
        yield Finding(ONE_TRIAL_OF_EACH, "weak", "neuron", single, tuned, text, remedy)


def _find_low(specs: tuple[ModelSpec, ...], tally: Tally) -> Iterator[Finding]:
    largest = np.zeros(tally.n_neurons, dtype=np.int64)
    np.maximum.at(largest, tally.neuron, tally.count)
    low = chosen_subjects(tally.neurons, largest, largest <= 1)
    if low:
        text = (
            f"{plural(len(low), 'neuron')} with no count above 1: the data give no lower bound on "
            "the gain noise"
        )
        remedy = "longer windows, which hold more spikes"
        yield Finding(NO_COUNT_ABOVE_1, "weak", "neuron", low, specs, text, remedy)

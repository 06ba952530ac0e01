"""What was recorded without a stimulus: put apart, as a table of its own."""

import shlex
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikepool.data.baseline_windows import Windows
from spikepool.data.spike_counts import (
    Baseline,
    Factor,
    IntArray,
    Labels,
    NeuronColumn,
    Notice,
    SpikeCounts,
)
from spikepool.data.wording import did_you_mean, listed, plural, quoted
from spikepool.errors import UsageError

WITHOUT_STIMULUS = frozenset(
    (
        *("baseline", "blank", "blanks", "spontaneous", "spont", "none", "grey", "gray"),
        *("grey screen", "gray screen", "no stimulus", "no stim", "nostim"),
    )
)
"""Labels, in small letters, that trials without a stimulus usually have."""


def take_out_baseline(counts: SpikeCounts, wanted: str, notices: list[Notice]) -> SpikeCounts:
    """Move the trials of the condition without a stimulus into a table of their own.

    Parameters
    ----------
    counts : SpikeCounts
    wanted : str
        The condition's label; or ``COL=LABEL``, for all conditions with this label in one of
        several columns.
    notices : list of Notice

    Returns
    -------
    SpikeCounts
        Of the stimuli, with its `baseline`; neurons without a trial under any of them are left
        out.

    Raises
    ------
    UsageError
        If there are no conditions, none of that name, or no other.
    """
    if counts.condition is None:
        raise UsageError(
            f"--baseline-condition {wanted}: the table has no conditions",
            "name their column with --condition",
        )
    found = _found(counts.condition, counts.factors, wanted)
    blank = found.mask[counts.condition.codes]
    if blank.all():
        raise UsageError(
            f"--baseline-condition {wanted}: every trial is one of them, and none has a stimulus",
            "name one of several conditions",
        )
    presented = np.isin(counts.neuron.codes, counts.neuron.codes[~blank])
    recorded = np.isin(counts.neuron.codes, counts.neuron.codes[blank])
    _note_left_out(counts, presented, recorded, notices)
    without = replace(_rows_of(counts, blank & presented), condition=None, factors=())
    return replace(_rows_of(counts, ~blank), baseline=Baseline(found.name, without))


def put_windows_apart(counts: SpikeCounts, windows: Windows, notices: list[Notice]) -> SpikeCounts:
    """Make a table of the windows before the stimuli.

    Parameters
    ----------
    counts : SpikeCounts
    windows : Windows
        Of its rows.
    notices : list of Notice

    Returns
    -------
    SpikeCounts
        The same, with its `baseline`.
    """
    codes = counts.neuron.codes
    chosen = np.zeros(len(codes), dtype=np.bool_)
    chosen[windows.rows] = True
    _note_left_out(counts, np.ones_like(chosen), np.isin(codes, codes[chosen]), notices)
    before = replace(
        _rows_of(counts, chosen),
        count=windows.count,
        exposure=windows.exposure,
        condition=None,
        factors=(),
    )
    return replace(counts, baseline=Baseline(windows.name, before))


def suggest_baseline(counts: SpikeCounts, notices: list[Notice]) -> None:
    """Note conditions whose labels say that there is no stimulus.

    Parameters
    ----------
    counts : SpikeCounts
    notices : list of Notice
    """
    for factor in counts.factors:
        labels = dict.fromkeys(factor.labels)
        found = [label for label in labels if _says_no_stimulus(label)]
        if not found or len(found) == len(labels):
            continue
        wanted = found[0] if len(counts.factors) == 1 else f"{factor.name}={found[0]}"
        text = (
            f"{quoted(found[0])} in column {quoted(factor.name)} is taken as one more stimulus; if "
            f"there was none, --baseline-condition {shlex.quote(wanted)} compares responses with it"
        )
        notices.append(Notice("baseline-suggested", text))


def _says_no_stimulus(label: str) -> bool:
    words = label.replace("_", " ").replace("-", " ").split()
    return " ".join(words).casefold() in WITHOUT_STIMULUS


@dataclass(frozen=True)
class _Found:
    """Conditions without a stimulus: as printed, and whether each condition is one."""

    name: str
    mask: NDArray[np.bool_]


def _found(condition: Labels, factors: tuple[Factor, ...], wanted: str) -> _Found:
    """Find a condition by its whole label, else those with a label in one column."""
    if wanted in condition.values:
        same = np.array([value == wanted for value in condition.values])
        return _Found(f"{condition.name} = {wanted}", same)
    name, equals, label = wanted.rpartition("=")
    factor = next((each for each in factors if equals and each.name == name.strip()), None)
    labels, of = condition.values, ""
    if factor is not None:
        wanted, labels, of = label.strip(), factor.labels, f" in {quoted(factor.name)}"
        if wanted in labels:
            same = np.array([value == wanted for value in labels])
            return _Found(f"{factor.name} = {wanted}", same)
    there = tuple(dict.fromkeys(labels))
    hint = "" if len(factors) == 1 or factor else ", or COL=LABEL of one column"
    raise UsageError(
        f"--baseline-condition names {quoted(wanted)}, which is no condition{of}; there are: "
        f"{listed(there)}",
        f"{did_you_mean([wanted], there)}name a label that is there, exactly as written{hint}",
    )


def _note_left_out(
    counts: SpikeCounts,
    presented: NDArray[np.bool_],
    recorded: NDArray[np.bool_],
    notices: list[Notice],
) -> None:
    """Count neurons with baseline trials only, and neurons without any."""
    only = _neurons(counts, ~presented)
    if only:
        text = (
            f"{plural(len(only), 'neuron')} with trials without a stimulus only left out: "
            f"{listed(only)}"
        )
        notices.append(Notice("baseline-only", text))
    without = _neurons(counts, ~recorded)
    if without:
        text = (
            f"{plural(len(without), 'neuron')} without a baseline, whose responses are compared "
            f"with none: {listed(without)}"
        )
        notices.append(Notice("no-baseline", text))


def _neurons(counts: SpikeCounts, rows: NDArray[np.bool_]) -> list[str]:
    return [counts.neuron.values[i] for i in np.unique(counts.neuron.codes[rows])]


def _rows_of(counts: SpikeCounts, chosen: NDArray[np.bool_]) -> SpikeCounts:
    """Return some rows, with the labels that they have."""
    neurons = np.unique(counts.neuron.codes[chosen])
    factors = counts.factors
    if counts.condition is not None:
        conditions = np.unique(counts.condition.codes[chosen])
        factors = tuple(
            replace(each, labels=tuple(each.labels[i] for i in conditions)) for each in factors
        )
    return replace(
        counts,
        neuron=_labels_of(counts.neuron, chosen),
        count=counts.count[chosen],
        exposure=counts.exposure[chosen],
        trial=_labels_or_none(counts.trial, chosen),
        condition=_labels_or_none(counts.condition, chosen),
        group=_labels_or_none(counts.group, chosen),
        within=_labels_or_none(counts.within, chosen),
        session=_labels_or_none(counts.session, chosen),
        factors=factors,
        neuron_columns=tuple(_column_of(each, neurons) for each in counts.neuron_columns),
        varying=tuple(_labels_of(each, chosen) for each in counts.varying),
    )


def _labels_or_none(labels: Labels | None, chosen: NDArray[np.bool_]) -> Labels | None:
    return None if labels is None else _labels_of(labels, chosen)


def _labels_of(labels: Labels, chosen: NDArray[np.bool_]) -> Labels:
    used, codes = np.unique(labels.codes[chosen], return_inverse=True)
    values = tuple(labels.values[i] for i in used)
    return Labels(labels.name, values, codes.astype(np.int64))


def _column_of(column: NeuronColumn, neurons: IntArray) -> NeuronColumn:
    return NeuronColumn(column.name, tuple(column.values[i] for i in neurons))

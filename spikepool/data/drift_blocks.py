"""Blocks of each neuron's trials in their order, between which its rate may drift."""

from dataclasses import replace

import numpy as np

from spikepool.data.spike_counts import (
    DriftBlocks,
    FloatArray,
    IntArray,
    Labels,
    Notice,
    SpikeCounts,
)
from spikepool.data.trial_numbers import trial_times
from spikepool.data.wording import listed, plural, quoted
from spikepool.errors import NotIdentifiableError, UsageError


def cut_into_blocks(counts: SpikeCounts, size: int, notices: list[Notice]) -> SpikeCounts:
    """Cut the trials of every neuron, in the order of their numbers, into blocks.

    Block b of a neuron has its trials from (b − 1) `size` + 1 to b `size`. Trials that do not fill
    a block join the one before, and a neuron with fewer than 2 `size` trials is one block.

    Parameters
    ----------
    counts : SpikeCounts
    size : int
        Trials in a block.
    notices : list of Notice

    Returns
    -------
    SpikeCounts
        The same, with its `blocks`.

    Raises
    ------
    NotIdentifiableError
        If blocks have one trial, or no neuron has two blocks.
    UsageError
        If there are conditions or a baseline, or the order of trials is not known.
    """
    _refuse_stimuli(counts)
    if size == 1:
        raise NotIdentifiableError(
            "--drift-block 1: in blocks of one trial drift and gain cannot be told apart",
            "give blocks of several trials, such as --drift-block 20",
        )
    trials = np.bincount(counts.neuron.codes)
    blocks = np.maximum(trials // size, 1)
    _refuse_one_block(int(trials.max()), size)
    _note_one_block(counts, blocks == 1, size, notices)
    rank = _ranks(counts, trials)
    codes = np.minimum(rank // size, blocks[counts.neuron.codes] - 1)
    names = tuple(f"block {number}" for number in range(1, int(blocks.max()) + 1))
    return replace(counts, blocks=DriftBlocks(size, Labels("block", names, codes)))


def _refuse_stimuli(counts: SpikeCounts) -> None:
    """Refuse tables whose rates differ for other reasons than time."""
    if counts.baseline is not None:
        raise UsageError(
            "--drift-block and a baseline cannot be fitted together yet",
            "leave out one of them (blanks leave the table with --where)",
        )
    condition = counts.condition
    if condition is not None and len(condition.values) > 1:
        one = f"{condition.name} == '{condition.values[0]}'"
        raise UsageError(
            f"--drift-block: {quoted(condition.name)} has {len(condition.values):,} conditions, "
            "and rates that differ between them and drift as well cannot be fitted together yet",
            f'fit one condition at a time, such as --where "{one}"; or give every trial a block '
            "of your own in a column, and name both columns with --condition",
        )


def _refuse_one_block(most: int, size: int) -> None:
    """Refuse blocks of which no neuron has two."""
    if most >= 2 * size:
        return
    largest = most // 2
    raise NotIdentifiableError(
        f"--drift-block {size}: two blocks need {2 * size:,} trials, and no neuron has more than "
        f"{most:,}, so that nothing tells of drift between blocks",
        f"give a number from 2 to {largest:,}" if largest > 1 else "leave out --drift-block",
    )


def _note_one_block(
    counts: SpikeCounts, whole: np.ndarray[tuple[int], np.dtype[np.bool_]], size: int,
    notices: list[Notice],
) -> None:  # fmt: skip
    """Name the neurons that are one block each."""
    names = [counts.neuron.values[i] for i in np.flatnonzero(whole)]
    if names:
        text = (
            f"{plural(len(names), 'neuron')} with fewer than {2 * size:,} trials, one block each, "
            f"whose drift stays in the gain: {listed(names)}"
        )
        notices.append(Notice("one-block", text))


def _ranks(counts: SpikeCounts, trials: IntArray) -> IntArray:
    """Place of every row among its neuron's trials in time, from 0; shape (rows,)."""
    time = trial_times(counts.trial)
    if time is None:
        raise UsageError(
            "--drift-block needs the order of the trials, and no column numbers them",
            "name a column of numbers in the order of recording with --trial",
        )
    neuron = counts.neuron.codes
    order = np.lexsort((time, neuron))
    _refuse_repeats(counts, time, order)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(np.cumsum(trials) - trials, trials)
    return rank


def _refuse_repeats(counts: SpikeCounts, time: FloatArray, order: IntArray) -> None:
    """Refuse trials of a neuron that have one number."""
    before, after = order[:-1], order[1:]
    neuron = counts.neuron.codes
    same = (neuron[before] == neuron[after]) & (time[before] == time[after])
    if same.any():
        row = int(before[same][0])
        assert counts.trial is not None  # noqa: S101 - it has times
        trial = counts.trial.values[counts.trial.codes[row]]
        raise UsageError(
            f"--drift-block needs the order of the trials, and trial {quoted(trial)} of neuron "
            f"{quoted(counts.neuron.values[neuron[row]])} stands twice",
            "keep one stimulus and session with --where, or number each neuron's trials in the "
            "order of recording",
        )

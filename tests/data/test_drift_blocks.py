"""Blocks of trials: cut in the order of the trials' numbers, or refused."""

from collections import defaultdict

import numpy as np
import pytest

from spikepool.errors import NotIdentifiableError, UsageError

SIZES = {"a": 7, "b": 4, "c": 3, "d": 1, "e": 12}


def rows(sizes=None, numbered="{}", seed=0):
    """Write neurons with so many trials, in no order; a trial's count is its own number."""
    lines = [
        f"{neuron},{numbered.format(10 * t + 1)},{t}"
        for neuron, size in (sizes or SIZES).items()
        for t in range(size)
    ]
    np.random.default_rng(seed).shuffle(lines)
    return "neuron,trial,count\n" + "\n".join(lines) + "\n"


def blocks_of(counts):
    """Return the counts in each block of each neuron, ascending."""
    found = defaultdict(list)
    labels = counts.blocks.labels
    for neuron, block, count in zip(counts.neuron.codes, labels.codes, counts.count, strict=True):
        found[counts.neuron.values[neuron], labels.values[block]].append(int(count))
    return {key: sorted(values) for key, values in found.items()}


@pytest.mark.parametrize("size", [2, 3, 4, 6])
@pytest.mark.parametrize("numbered", ["{}", "trial_{}", "{}.5"])
def test_each_neuron_is_cut_in_its_own_order(read, size, numbered):
    """Whatever the order of rows; what does not fill a block joins the one before."""
    for seed in range(2):
        counts = read(rows(numbered=numbered, seed=seed), drift_block=size)
        wanted = {}
        for neuron, n in SIZES.items():
            number = max(n // size, 1)
            for b in range(number):
                end = n if b == number - 1 else (b + 1) * size
                wanted[neuron, f"block {b + 1}"] = list(range(b * size, end))
        assert blocks_of(counts) == wanted


def test_blocks_are_an_axis_of_numbers(read):
    """It is no column of the table, and the conditions of the table stay as they are."""
    counts = read(rows(), drift_block=3)
    (axis,) = counts.axes
    assert (axis.name, axis.labels, axis.is_input) == ("block", ("1", "2", "3", "4"), False)
    assert counts.responses.values == ("block 1", "block 2", "block 3", "block 4")
    assert (counts.blocks.size, counts.condition, counts.factors) == (3, None, ())


def test_neurons_of_one_block_are_named(read):
    """Their drift stays where it was, and a notice says so."""
    notices = [each for each in read(rows(), drift_block=3).notices if each.code == "one-block"]
    assert [each.message for each in notices] == [
        "3 neurons with fewer than 6 trials, one block each, whose drift stays in the gain: b, c, d"
    ]


def test_one_condition_is_none(read):
    """A table of one condition drifts like one without."""
    table = rows().replace("count\n", "count,condition\n", 1).splitlines()
    table = [table[0], *(f"{line},odor" for line in table[1:])]
    assert read("\n".join(table) + "\n", drift_block=6).responses.values == ("block 1", "block 2")


def with_column(name, label):
    """Add a column to the table: `label` of each row's trial."""
    head, *body = rows().splitlines()
    lines = [f"{line},{label(int(line.split(',')[2]))}" for line in body]
    return "\n".join([f"{head},{name}", *lines]) + "\n"


REFUSED = {
    "one trial": (rows(), {"drift_block": 1}, NotIdentifiableError, "blocks of one trial"),
    "too large": (
        rows(), {"drift_block": 7}, NotIdentifiableError,
        "two blocks need 14 trials, and no neuron has more than 12.*give a number from 2 to 6",
    ),
    "too few trials": (
        rows({"a": 3}), {"drift_block": 2}, NotIdentifiableError,
        "no neuron has more than 3.*leave out --drift-block",
    ),
    "conditions": (
        with_column("condition", lambda t: "ab"[t % 2]), {"drift_block": 2}, UsageError,
        "'condition' has 2 conditions.*--where \"condition == 'a'\"",
    ),
    "a baseline": (
        with_column("pre", lambda t: t), {"drift_block": 2, "baseline_count": "pre"}, UsageError,
        "--drift-block and a baseline",
    ),
    "no column of trials": (
        rows().replace("trial", "when", 1), {"drift_block": 2}, UsageError,
        "no column numbers them.*--trial",
    ),
    "no numbers": (
        rows(numbered="{}x"), {"drift_block": 2}, UsageError, "no column numbers them",
    ),
    "repeated numbers": (
        "neuron,trial,stimulus,count\nb,1,x,3\na,2,x,3\na,2,y,3\na,3,x,4\na,4,x,4\n",
        {"drift_block": 2}, UsageError, "trial '2' of neuron 'a' stands twice",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_why_and_what_to_do(read, name):
    """Each with the exit code of its kind."""
    table, options, kind, message = REFUSED[name]
    with pytest.raises(kind, match=f"(?s){message}"):
        read(table, **options)

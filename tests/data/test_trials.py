"""A trial is counted once, and left-out zeros are noticed or filled in."""

import numpy as np
import pytest

from spikepool.config import InputOptions
from spikepool.data.read import read_counts
from spikepool.errors import BadDataError, UsageError


def test_repeated_rows_are_counted_once(read):
    """45: rows repeated exactly are noticed with their number and counted once."""
    counts = read("neuron,trial,count\na,1,3\na,1,3\na,2,3\na,1,3\n")
    assert counts.count.tolist() == [3, 3]
    assert any(notice.message.startswith("2 rows repeated") for notice in counts.notices)


def test_without_a_trial_column_every_row_is_a_trial(read):
    """45: equal rows without a trial number are trials of equal counts."""
    counts = read("neuron,count\na,3\na,3\na,4\n")
    assert counts.count.tolist() == [3, 3, 4]
    assert counts.notices == ()


@pytest.mark.parametrize("label", ["session", "stim", "condition"])
def test_other_labels_tell_trials_apart(read, label):
    """45: the same number in another session or condition is another trial."""
    assert len(read(f"neuron,trial,{label},count\na,1,1,3\na,1,2,4\n").count) == 2


def test_contradiction_among_many_rows(read):
    """45: a contradiction is found wherever its rows stand."""
    rows = "".join(f"n{i},{j},{i + j}\n" for i in range(30) for j in range(30))
    with pytest.raises(
        BadDataError, match=r"neuron 'n3', trial '7'.*10 and 11.*line 99 .*line 902"
    ):
        read("neuron,trial,count\n" + rows + "n3,7,11\n")


def test_groups_joined(read):
    """Several group columns make one group."""
    counts = read("neuron,area,layer,count\na,V1,4,3\nb,V2,4,3\n", group=("area", "layer"))
    assert counts.group.values == ("V1/4", "V2/4")
    assert counts.unmodelled == ()


def test_group_may_be_part_of_the_name(read):
    """A session may be a group and a part of the neuron's name."""
    counts = read("s,u,count\n1,a,3\n2,a,4\n", neuron=("s", "u"), group=("s",))
    assert counts.group.values == ("1", "2")


@pytest.mark.parametrize(("mean", "noticed"), [(1.0, True), (12.0, False)])
def test_no_zeros_where_many_are_expected(read, codes, mean, noticed):
    """A table of low counts without zeros is suspicious; one of high counts is not."""
    counts = np.maximum(np.random.default_rng(1).poisson(mean, 200), 1)
    text = "neuron,trial,count\n" + "".join(f"a,{i},{count}\n" for i, count in enumerate(counts))
    assert ("no-zeros" in codes(read(text))) == noticed
    assert "no-zeros" not in codes(read(text + "a,zero,0\n"))


ANIMALS = "neuron,area,animal,count\na,V1,m1,4\nb,V1,m2,3\nc,V2,m1,5\nd,V1,m1,0\n"


def test_labels_within_groups_are_read_and_carried(read):
    """An animal may be in two areas; its name stays in the results."""
    counts = read(ANIMALS, group=("area",), within=("animal",))
    assert counts.within.values == ("m1", "m2")
    assert counts.within.codes.tolist() == [0, 1, 0, 0]
    assert [(c.name, c.values) for c in counts.neuron_columns] == [
        ("animal", ("m1", "m2", "m1", "m1"))
    ]
    assert ("within", "animal") in counts.recognised
    assert counts.unmodelled == ()


def test_labels_within_groups_may_be_named_by_the_group_too(read):
    """Sessions that are numbered anew in every area are different sessions."""
    counts = read(ANIMALS, group=("area",), within=("area", "animal"))
    assert counts.within.values == ("V1/m1", "V1/m2", "V2/m1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"within": ("animal",)}, "--within animal needs groups"),
        ({"group": ("area",), "within": ("area",)}, "no column that is not a group's"),
        (
            {"group": ("area",), "within": ("count",), "count": "count"},
            "both as count and as within",
        ),
    ],
)
def test_labels_within_groups_that_cannot_be_used(read, options, message):
    """Without groups, the groups' own column, and the column of another role are refused."""
    with pytest.raises(UsageError, match=message):
        read(ANIMALS, **options)


FILL = (
    "neuron,trial,session,area,count,duration_s\n"
    "a,1,s,V1,3,0.5\na,2,s,V1,4,1\nb,2,s,V2,5,1\nc,1,t,V1,6,2\n"
)


def test_zeros_are_filled_within_a_session(read):
    """Neuron b had no row for trial 1 of its session; neuron c was in another session."""
    counts = read(FILL, fill_zeros=True, group=("area",), within=("session",))
    rows = zip(counts.neuron.codes, counts.trial.codes, counts.count, counts.exposure, strict=True)
    assert (1, 0, 0, 0.5) in list(rows)
    assert counts.count.tolist() == [3, 4, 5, 6, 0]
    assert counts.group.codes.tolist() == [0, 0, 1, 0, 1]
    assert counts.within.codes.tolist() == [0, 0, 0, 1, 0]
    assert [(c.name, c.values) for c in counts.neuron_columns] == [("session", ("s", "s", "t"))]
    assert any("1 row with count 0" in notice.message for notice in counts.notices)


def test_zeros_are_filled_within_a_file(write):
    """A neuron has no zeros in the trials of another file."""
    first = write("neuron,trial,count\na,1,3\na,2,4\nb,1,5\n", "x1.csv")
    second = write("neuron,trial,count\nc,1,6\nc,3,7\n", "x2.csv")
    counts = read_counts(InputOptions(tables=(first, second), fill_zeros=True))
    assert counts.count.tolist() == [3, 4, 5, 6, 7, 0]


def test_zeros_are_filled_per_condition(read):
    """A trial number that restarts in every condition or stimulus is another trial."""
    for label in ("condition", "stim"):
        text = f"neuron,trial,{label},count\na,1,x,3\na,1,y,4\nb,1,x,5\n"
        counts = read(text, fill_zeros=True)
        assert counts.count.tolist() == [3, 4, 5, 0]


def test_neuron_labels_do_not_multiply_trials(read):
    """A label of the neuron or of the single row is no part of the trial."""
    text = "neuron,trial,area,isolation,count\na,1,V1,good,3\na,2,V1,poor,4\nb,1,V2,poor,5\n"
    assert read(text, fill_zeros=True).count.tolist() == [3, 4, 5, 0]


def test_filling_needs_one_exposure_per_trial(read):
    """A trial of two exposures cannot be filled in."""
    with pytest.raises(BadDataError, match=r"two exposures, 0.5 and 1 s: .*line 2 and .*line 3"):
        read("neuron,trial,count,duration_s\na,1,3,0.5\nb,1,3,1\n", fill_zeros=True)


def test_filling_needs_trials(read):
    """Without a trial column, or in a wide table, nothing can be filled in."""
    with pytest.raises(UsageError, match="trial column"):
        read("neuron,count\na,3\n", fill_zeros=True)
    with pytest.raises(UsageError, match="long tables"):
        read("trial,n1,n2\n1,3,4\n", fill_zeros=True)


def test_labels_that_change_within_neurons_and_come_back(read):
    """A stimulus may be a condition; an area, an index, a count and a condition are none."""
    rows = [
        f"{neuron},{trial},{trial % 3},{trial % 2},V{neuron},{trial * 7},{trial % 2}\n"
        for neuron in (1, 2)
        for trial in range(8)
    ]
    counts = read("neuron,trial,count,grating,area,serial,count_pre\n" + "".join(rows))
    assert [label.name for label in counts.varying] == ["grating"]
    assert counts.varying[0].codes.tolist() == [0, 1] * 8
    counts = read("neuron,trial,count,condition\n" + "a,1,3,x\na,2,4,x\na,3,3,y\na,4,0,y\n")
    assert counts.varying == ()


def test_labels_that_change_are_filled_in_with_their_trials(read):
    """Zeros filled in have the label of their trial."""
    rows = "a,1,x,3\na,2,y,4\na,3,x,1\na,4,y,2\nb,1,x,5\nb,2,y,1\nb,3,x,1\n" + "a,5,x,1\nb,5,x,2\n"
    counts = read("neuron,trial,side,count\n" + rows, fill_zeros=True)
    assert (counts.neuron.codes[-1], counts.trial.codes[-1], counts.count[-1]) == (1, 3, 0)
    assert counts.varying[0].codes.tolist() == [0, 1, 0, 1, 0, 1, 0, 0, 0, 1]

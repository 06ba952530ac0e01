"""Trials without a stimulus become a table of their own."""

import numpy as np
import pytest

from spikepool.config import InputOptions
from spikepool.data.read import read_counts
from spikepool.errors import UsageError
from spikepool.report.summary_text import INFORMATIVE

TABLE = """neuron,condition,area,depth,count
n1,blank,V1,10,1
n1,blank,V1,10,2
n1,left,V1,10,5
n1,right,V1,10,6
n2,left,V2,20,7
n3,blank,V3,30,3
n4,right,V2,40,8
n4,blank,V2,40,4
"""


@pytest.fixture
def split(read):
    """Read the table with its blanks taken out; n2 has none, n3 nothing else."""
    return read(TABLE, group=("area",), baseline_condition="blank")


def test_stimuli_are_the_other_rows(split):
    """In the order read, with the labels that they have left."""
    assert split.neuron.values == ("n1", "n2", "n4")
    assert split.condition.values == ("left", "right")
    assert split.factors[0].labels == ("left", "right")
    assert split.group.values == ("V1", "V2")
    assert split.count.tolist() == [5, 6, 7, 8]
    assert [split.neuron.values[code] for code in split.neuron.codes] == ["n1", "n1", "n2", "n4"]
    assert split.neuron_columns[0].values == ("10", "20", "40")


def test_baseline_is_of_neurons_of_the_stimuli(split):
    """Without conditions; the neuron that has nothing else is in neither table."""
    assert split.baseline.name == "condition = blank"
    counts = split.baseline.counts
    assert counts.neuron.values == ("n1", "n4")
    assert counts.count.tolist() == [1, 2, 4]
    assert counts.group.values == ("V1", "V2")
    assert counts.condition is None
    assert counts.factors == ()
    assert counts.neuron_columns[0].values == ("10", "40")


def test_neurons_left_out_are_counted(split):
    """Those with blanks only, and those without any."""
    messages = {notice.code: notice.message for notice in split.notices}
    assert messages["baseline-only"] == (
        "1 neuron with trials without a stimulus only left out: n3"
    )
    assert messages["no-baseline"] == (
        "1 neuron without a baseline, whose responses are compared with none: n2"
    )


def test_nothing_is_noted_of_a_complete_table(read, codes):
    """Every neuron with both."""
    counts = read(
        "neuron,condition,count\na,blank,1\na,odor,2\nb,blank,3\nb,odor,4\n",
        baseline_condition="blank",
    )
    assert not {"baseline-only", "no-baseline"} & set(codes(counts))
    assert counts.condition.values == ("odor",)


CROSSED = "neuron,contrast,direction,count\n" + "".join(
    f"a,{contrast},{direction},{y}\n"
    for y, (contrast, direction) in enumerate(
        (c, d) for c in ("0", "0.5", "1") for d in ("left", "right")
    )
)


@pytest.mark.parametrize(
    ("wanted", "name", "counts"),
    [
        ("contrast=0", "contrast = 0", [0, 1]),
        ("direction=left", "direction = left", [0, 2, 4]),
        ("0/right", "contrast,direction = 0/right", [1]),
    ],
)
def test_of_several_columns_one_may_tell(read, wanted, name, counts):
    """Or the whole label."""
    columns = ("contrast", "direction")
    split = read(CROSSED, condition=columns, baseline_condition=wanted)
    assert split.baseline.name == name
    assert split.baseline.counts.count.tolist() == counts
    assert sorted([*split.count, *counts]) == list(range(6))
    for factor in split.factors:
        assert len(factor.labels) == len(split.condition.values)
    joined = ["/".join(parts) for parts in zip(*(f.labels for f in split.factors), strict=True)]
    assert tuple(joined) == split.condition.values


def test_a_label_may_hold_an_equals_sign(read):
    """The whole label comes before the column's."""
    counts = read(
        "neuron,condition,count\na,condition=x,1\na,x,2\n", baseline_condition="condition=x"
    )
    assert counts.baseline.counts.count.tolist() == [1]


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        ("blnak", "'blnak', which is no condition; there are: blank, left, right", "mean 'blank'"),
        ("condition=up", "'up', which is no condition in 'condition'; there are", "exactly as"),
    ],
)
def test_unknown_label_is_refused(read, wanted, message, hint):
    """With those that there are."""
    with pytest.raises(UsageError, match=message) as caught:
        read(TABLE, baseline_condition=wanted)
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2


def test_table_without_conditions_is_refused(read):
    """Nothing tells which trials have no stimulus."""
    with pytest.raises(UsageError, match="the table has no conditions") as caught:
        read("neuron,stim,count\na,blank,1\na,odor,2\n", baseline_condition="blank")
    assert caught.value.hint == "name their column with --condition"


def test_table_of_blanks_is_refused(read):
    """There is nothing to compare with it."""
    with pytest.raises(UsageError, match="every trial is one of them"):
        read("neuron,condition,count\na,blank,1\na,blank,2\n", baseline_condition="blank")


def test_zeros_are_filled_in_before(write):
    """The blank of a neuron that fired in none of them is a trial without a spike."""
    path = write("neuron,trial,condition,count\na,1,blank,1\na,2,odor,2\nb,2,odor,3\n")
    options = {"tables": (path,), "fill_zeros": True, "baseline_condition": "blank"}
    counts = read_counts(InputOptions(**options)).baseline.counts
    assert counts.neuron.values == ("a", "b")
    np.testing.assert_array_equal(counts.count[np.argsort(counts.neuron.codes)], [1, 0])


def suggested(counts):
    """Return what is suggested."""
    return [each.message for each in counts.notices if each.code == "baseline-suggested"]


@pytest.mark.parametrize(
    ("label", "option"),
    [
        ("blank", "blank"),
        ("Baseline", "Baseline"),
        ("No_Stimulus", "No_Stimulus"),
        ("gray screen", "'gray screen'"),
    ],
)
def test_labels_without_a_stimulus_are_noticed(read, label, option):
    """The option is written as a shell takes it; it informs, and warns of nothing."""
    (told,) = suggested(read(TABLE.replace("blank", label)))
    assert told == (
        f"'{label}' in column 'condition' is taken as one more stimulus; if there was none, "
        f"--baseline-condition {option} compares responses with it"
    )
    assert "baseline-suggested" in INFORMATIVE


def test_of_several_columns_the_column_is_named(read):
    """As the option takes it."""
    (told,) = suggested(read(CROSSED.replace(",0,", ",none,"), condition=("contrast", "direction")))
    assert "--baseline-condition contrast=none " in told


@pytest.mark.parametrize(
    ("table", "given"),
    [
        (TABLE, {"baseline_condition": "blank"}),
        (TABLE.replace("blank", "bank"), {}),
        (TABLE.replace("condition", "stim"), {}),
        ("neuron,condition,count\na,blank,1\na,blank,2\n", {}),
        (
            "neuron,condition,count,pre\na,blank,1,2\na,odor,2,3\n",
            {"baseline_count": "pre"},
        ),
    ],
)
def test_nothing_is_suggested_otherwise(read, table, given):
    """A baseline is there, no label says so, the column is not in use, or it has one label."""
    assert not suggested(read(table, **given))

"""--where selects rows by comparisons, and runs nothing else."""

import pytest

from spikepool.errors import BadDataError, UsageError

TABLE = (
    "neuron,trial,quality,depth,good unit,ok,count\n"
    "007,1,good,100,y,True,1\n7,1,good,300,n,False,2\n8,1,mua,,y,True,3\n9,1,it's,1000,n,True,4\n"
)


@pytest.mark.parametrize(
    ("where", "counts"),
    [
        ("quality == 'good'", [1, 2]),
        ("quality == 'good' and depth > 200", [2]),
        ("depth > 200 or quality == 'mua'", [2, 3, 4]),
        ("not (depth > 200)", [1, 3]),
        ("100 <= depth < 1000", [1, 2]),
        ("depth == 1e3", [4]),
        ("depth == -1 or depth == 100.0", [1]),
        ("quality in ['good', 'mua']", [1, 2, 3]),
        ("quality not in ('good', 'mua')", [4]),
        ("neuron == '007'", [1]),
        ("neuron == 7", [1, 2]),
        ("neuron != '7'", [1, 3, 4]),
        ("`good unit` == 'y'", [1, 3]),
        ('quality == "it\'s"', [4]),
        ("ok == True", [1, 3, 4]),
        ("count >= 3", [3, 4]),
        ("trial == trial", [1, 2, 3, 4]),
        ("  depth > 200", [2, 4]),
    ],
)
def test_selected_rows(read, where, counts):
    """Columns of numbers compare as numbers, and with a quoted text as text."""
    assert read(TABLE, where=where).count.tolist() == counts


@pytest.mark.parametrize(
    "where",
    [
        "quality = 'good'",
        "quality ==",
        "quality == 'good' & depth > 200",
        "quality",
        "1",
        "",
        "quality == 'good'; 1",
        "qality == 'good'",
        "@quality == 'good'",
        "quality == @depth",
        "quality.str.len() > 1",
        "quality.__class__ == 1",
        "__import__('os').system('true') == 0",
        "len(quality) > 1",
        "depth[0] > 1",
        "(lambda: 1) == 1",
        "[x for x in quality] == 1",
        "f'{quality}' == 'good'",
        "(depth := 3) > 1",
        "depth ** 9 > 1",
        "quality > 3",
        "depth > 1 if ok else 0",
        "`good unit == 'y'",
        "depth > 1 " * 500,
        "(" * 500 + "depth > 1" + ")" * 500,
        "not " * 490 + "depth > 1",
        "'a' == 'a'",
        "depth in 3",
        "depth < None",
        "quality == b'good'",
    ],
)
def test_refused_expressions(read, where):
    """Anything but comparisons of columns is a usage error."""
    with pytest.raises(UsageError) as caught:
        read(TABLE, where=where)
    assert caught.value.exit_code == 2


def test_unknown_column_names_those_present(read):
    """The hint names the nearest column and all others."""
    with pytest.raises(UsageError) as caught:
        read(TABLE, where="qualty == 'good'")
    assert "did you mean 'quality'" in caught.value.hint
    assert "depth" in caught.value.hint


def test_nothing_selected(read):
    """A selection of no rows is bad data, not an empty fit."""
    with pytest.raises(BadDataError, match="selects none of the 4 rows"):
        read(TABLE, where="depth > 5000")


def test_rows_left_out_are_not_checked(read):
    """A bad count in a row that is not selected does no harm; lines are still those of the file."""
    text = TABLE.replace("good,300,n,False,2", "good,300,n,False,x")
    assert read(text, where="quality == 'mua'").count.tolist() == [3]
    with pytest.raises(BadDataError, match="line 3, column 'count': 'x'"):
        read(text, where="depth > 200")


def test_selection_in_a_wide_table(read):
    """Rows of a wide table are selected before they are spread."""
    counts = read("trial,block,n1,n2\n1,a,3,4\n2,b,5,6\n", where="block == 'b'")
    assert counts.count.tolist() == [5, 6]

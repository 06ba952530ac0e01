"""Wide tables are read as what they say, and never guessed from a faulty long one."""

import pytest

from spikepool.data.tally import tally_counts
from spikepool.errors import BadDataError, UsageError

WIDE = "trial,condition,mood,n1,n2,n10\n1,x,calm,3,0,\n2,y,wild,4,5,6\n"


@pytest.mark.parametrize("options", [{}, {"layout": "wide"}, {"wide_columns": "n*"}])
def test_wide_table(read, codes, options):
    """An empty cell is a trial without recording; zeros are zeros."""
    counts = read(WIDE, **options)
    assert counts.neuron.values == ("n1", "n2", "n10")
    assert counts.count.tolist() == [3, 0, 4, 5, 6]
    assert counts.neuron.codes.tolist() == [0, 1, 0, 1, 2]
    assert counts.trial.values == ("1", "2")
    assert counts.condition.name == "condition"
    assert counts.unmodelled == ("mood",)
    assert codes(counts) == ["wide-table", "empty-cells"]
    assert counts.recognised[0] == ("neuron", "n1, n2, n10")


def test_wide_and_long_agree(read):
    """Both layouts of one table give one tally."""
    rows = "n1,1,x,3\nn2,1,x,0\nn1,2,y,4\nn2,2,y,5\nn10,2,y,6\n"
    wide, long = (
        tally_counts(read(WIDE)),
        tally_counts(read("neuron,trial,condition,count\n" + rows)),
    )
    assert wide.neurons == long.neurons
    assert wide.count.tolist() == long.count.tolist()
    assert wide.condition.tolist() == long.condition.tolist()


def test_known_labels_and_numbers_as_names(read):
    """A session number is no neuron; neurons may be named by numbers."""
    counts = read("trial,session,0,1,2\n1,5,3,4,5\n")
    assert counts.neuron.values == ("0", "1", "2")


def test_labels_by_pattern(read):
    """A column outside the pattern is a label, whatever it holds."""
    counts = read("trial,speed,u1,u2\n1,5,3,4\n2,6,3,4\n", wide_columns="u*")
    assert counts.neuron.values == ("u1", "u2")
    assert counts.unmodelled == ("speed",)


@pytest.mark.parametrize("value", ["2.5", "-1", "1_000", "True", "x"])
@pytest.mark.parametrize("options", [{}, {"wide_columns": "n*"}])
def test_bad_cell_names_its_column(read, value, options):
    """14, 16, 19: a bad cell of a wide table is refused by line and column."""
    with pytest.raises(BadDataError, match=f"line 3, column 'n2': '{value}'"):
        read(WIDE.replace(",5,", f",{value},"), **options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("tetrode_unit,trial,nspk\na,1,3\nb,1,4\n", "no neuron column"),
        ("tt,trial,nrsp\na,1,3\nb,1,4\n", "no neuron column"),
        ("nueron,trial,cuont,x\na,1,3,3\nb,1,4,4\n", "no neuron column"),
        ("neuron,trial,n1,n2\na,1,3,4\n", "no count column"),
    ],
)
def test_faulty_long_table_is_not_read_as_wide(read, content, message):
    """35: a misspelt column does not turn the table into a wide one."""
    with pytest.raises(BadDataError, match=message):
        read(content)


def test_wide_without_match(read):
    """A pattern that matches nothing is refused, naming the columns."""
    with pytest.raises(BadDataError, match="no column matches"):
        read(WIDE, wide_columns="unit*", layout="wide")


def test_wide_with_neuron_option(read):
    """--neuron has no meaning for a wide table."""
    with pytest.raises(UsageError, match="long tables"):
        read(WIDE, layout="wide", neuron=("n1",))


def test_wide_all_empty(read):
    """A wide table without any count is refused."""
    with pytest.raises(BadDataError, match="every cell"):
        read("trial,n1,n2\n1,,\n", layout="wide", wide_columns="n*")


def test_wide_exposure(read):
    """The exposure of a trial belongs to all its neurons."""
    counts = read("trial,duration_s,n1,n2\n1,0.5,3,4\n2,1,5,6\n")
    assert counts.exposure.tolist() == [0.5, 0.5, 1.0, 1.0]

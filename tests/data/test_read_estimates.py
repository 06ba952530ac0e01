"""Tables of estimates: how columns are recognised, and what every fault is told."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spikepool.config import InputOptions
from spikepool.data.estimates import Estimates
from spikepool.data.read_estimates import read_estimates
from spikepool.errors import BadDataError, UsageError

PLAIN = "neuron,estimate,standard_error\nn10,1.5,0.5\nn2,-2e-1,.25\n"


@pytest.fixture
def read(write: Callable[..., str]) -> Callable[..., Estimates]:
    """Write one table and read its estimates."""

    def read_text(content: str, name: str = "table.csv", **options: Any) -> Estimates:
        return read_estimates(InputOptions(tables=(write(content, name),), **options))

    return read_text


def refusal(read, content, **options):
    """Return the message of a refused table."""
    with pytest.raises(BadDataError) as error:
        read(content, **options)
    return str(error.value)


class TestColumns:
    """Which column plays which role."""

    def test_usual_names_and_natural_order(self, read):
        """Neurons are sorted naturally, n2 before n10, and numbers are read as written."""
        found = read(PLAIN)
        assert found.neurons == ("n2", "n10")
        np.testing.assert_array_equal(found.estimate, [-0.2, 1.5])
        np.testing.assert_array_equal(found.standard_error, [0.25, 0.5])
        assert found.recognised == (
            ("neuron", "neuron"), ("estimate", "estimate"), ("standard error", "standard_error"),
        )  # fmt: skip

    def test_named_columns(self, read):
        """Options name any columns, and a name given is never guessed."""
        text = "school,gain,se,estimate\nA,28,15,1\nB,8,10,2\n"
        found = read(text, neuron=("school",), estimate="gain", standard_error="se")
        np.testing.assert_array_equal(found.estimate, [28, 8])
        assert found.unmodelled == ("estimate",)

    def test_several_columns_name_a_neuron(self, read):
        """Parts are joined as for counts, and carried into the results."""
        text = "session,unit,effect,se\ns1,1,3,1\ns2,1,4,1\n"
        found = read(text, neuron=("session", "unit"))
        assert found.neurons == ("s1/1", "s2/1")
        assert [column.name for column in found.neuron_columns] == ["session", "unit"]

    def test_group_and_carried_columns_follow_the_neurons(self, read):
        """A code per neuron, and the other columns as text, all in the neurons' order."""
        text = "neuron,effect,se,area,depth\nb,1,1,V2,20\na,2,1,V1,10\nc,3,1,V1,\n"
        found = read(text, group=("area",))
        assert [found.group.values[code] for code in found.group.codes] == ["V1", "V2", "V1"]
        (depth,) = found.neuron_columns
        assert depth.values == ("10", "20", None)

    def test_where_selects_rows(self, read):
        """As for counts, with the same notice."""
        text = "neuron,effect,se,arm\na,1,1,x\na,2,1,y\n"
        found = read(text, where="arm == 'y'")
        assert found.estimate.tolist() == [2]
        assert [notice.code for notice in found.notices] == ["selected-rows"]

    @pytest.mark.parametrize(
        ("header", "role", "option"),
        [
            ("id,estimate,se", "neuron", "--neuron"),
            ("neuron,value,se", "estimate", "--estimate"),
            ("neuron,estimate,error", "standard-error", "--standard-error"),
        ],
    )
    def test_a_role_without_column(self, read, header, role, option):
        """The message names the role, the option and the columns that there are."""
        message = refusal(read, f"{header}\na,1,1\n")
        assert f"has no {role} column" in message
        assert option in message
        assert header.replace(",", ", ") in message
        assert "wide" not in message

    def test_two_columns_could_be_the_estimate(self, read):
        """Neither is guessed."""
        message = refusal(read, "neuron,effect,coef,se\na,1,1,1\n")
        assert "more than one column could be the estimate: effect, coef" in message

    def test_the_roles_own_name_comes_first(self, read):
        """`estimate` and `standard_error` are taken before other usual names."""
        found = read("neuron,effect,estimate,se,standard_error\na,1,2,3,4\n")
        assert (found.estimate[0], found.standard_error[0]) == (2, 4)

    def test_a_named_column_that_is_absent(self, read):
        """Exit 65 with the nearest name."""
        message = refusal(read, PLAIN, estimate="estimat")
        assert "named by --estimate" in message
        assert "did you mean 'estimate'?" in message

    def test_one_column_in_two_roles(self, write):
        """A usage error that names both."""
        options = InputOptions(tables=(write(PLAIN),), standard_error="estimate")
        with pytest.raises(UsageError, match="column 'estimate' is named both"):
            read_estimates(options.model_copy(update={"estimate": "estimate"}))

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("trial", "t"), ("count", "c"), ("exposure", "e"), ("exposure_unit", "ms"),
            ("exposure_round", 0.1), ("duration", 1.0), ("condition", ("c",)), ("circular", ("c",)),
            ("baseline_condition", "c"),
            ("layout", "wide"), ("wide_columns", "u*"), ("fill_zeros", True), ("strict", True),
        ],
    )  # fmt: skip
    def test_options_of_counts_are_refused(self, option, value):
        """Before any file is read."""
        with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} belongs to tables"):
            read_estimates(InputOptions(tables=("absent.csv",), **{option: value}))


class TestNumbers:
    """Cells that are no estimate or no standard error."""

    @pytest.mark.parametrize("text", ["nan", "inf", "1,5", "1_0", "0x1", "abc", "1e101", "１"])
    def test_not_an_estimate(self, read, text):
        """File, line, column and value are named."""
        message = refusal(read, f'neuron,estimate,se\na,1,1\nb,"{text}",1\n')
        assert "table.csv, line 3, column 'estimate': " in message
        assert repr(text) in message

    @pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e-101", "1e400", "0.0"])
    def test_not_a_standard_error(self, read, text):
        """Zero, negative, undefined and extreme ones alike."""
        message = refusal(read, f"neuron,estimate,se\na,1,{text}\n")
        assert "line 2, column 'se': " in message
        assert "a standard error is a number above 0" in message

    @pytest.mark.parametrize("row", ["b,,1", "b,2,", "b, ,1"])
    def test_empty_cells(self, read, row):
        """An error that offers --missing drop, which leaves the row out and says so."""
        text = f"neuron,estimate,se\na,1,1\n{row}\n"
        assert "--missing drop" in refusal(read, text)
        found = read(text, missing="drop")
        assert found.neurons == ("a",)
        assert [notice.code for notice in found.notices] == ["missing-estimates"]

    def test_all_cells_empty(self, read):
        """Nothing is left to fit."""
        assert "every row lacks" in refusal(read, "neuron,estimate,se\na,,1\n", missing="drop")


class TestOneRowPerNeuron:
    """A neuron stands once."""

    def test_exact_repeats_count_once(self, read):
        """With a notice."""
        found = read("neuron,estimate,se\na,1,1\na,1,1\nb,2,1\n")
        assert found.estimate.tolist() == [1, 2]
        assert [notice.code for notice in found.notices] == ["repeated-rows"]

    def test_two_rows_that_differ(self, read):
        """Both lines are named, and the column that tells them apart."""
        message = refusal(read, "neuron,estimate,se,day\na,1,1,x\nb,1,1,x\na,2,1,y\n")
        assert "neuron 'a' stands twice: " in message
        assert "table.csv, line 2 and " in message
        assert "line 4; column 'day' tells them apart" in message
        assert "--neuron day,neuron" in message

    def test_a_neuron_in_two_files(self, write):
        """Refused as for counts, unless it is said to be the same."""
        first, second = write(PLAIN, "a.csv"), write(PLAIN, "b.csv")
        with pytest.raises(BadDataError, match="is in two inputs"):
            read_estimates(InputOptions(tables=(first, second)))
        found = read_estimates(InputOptions(tables=(first, second), same_neurons=True))
        assert found.neurons == ("n2", "n10")

    def test_empty_id(self, read):
        """A neuron has a name."""
        assert "where a neuron is needed" in refusal(read, "neuron,estimate,se\n,1,1\n")

    def test_order_of_rows_changes_nothing(self, read):
        """The same arrays, for any order of the rows."""
        lines = [f"n{i},{i / 3},{1 + i}" for i in range(12)]
        forward = read("\n".join(["neuron,estimate,se", *lines, ""]))
        backward = read("\n".join(["neuron,estimate,se", *reversed(lines), ""]))
        assert forward.neurons == backward.neurons
        np.testing.assert_array_equal(forward.estimate, backward.estimate)
        np.testing.assert_array_equal(forward.standard_error, backward.standard_error)

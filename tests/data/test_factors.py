"""Conditions keep their columns, sort as numbers, and can lie on a circle."""

import re

import numpy as np
import pytest

from spikepool.data.spike_counts import Factor
from spikepool.errors import UsageError


def table(name, *labels):
    """One neuron, each label twice."""
    return f"neuron,{name},count\n" + "".join(f"a,{label},1\na,{label},2\n" for label in labels)


def crossed(header, *rows):
    """One neuron, conditions of several columns."""
    return f"neuron,{header},count\n" + "".join(f"a,{row},1\n" for row in rows)


class TestOrder:
    """Of conditions, whatever the order of the rows."""

    @pytest.mark.parametrize(
        ("labels", "wanted"),
        [
            (("135", "0", "1e1", "45"), ("0", "1e1", "45", "135")),
            (("0.4", "-0.4", "-0.8", "-1"), ("-1", "-0.8", "-0.4", "0.4")),
            (("blank", "10", "-9", "-10", "b2"), ("-10", "-9", "10", "b2", "blank")),
            (("s10", "s9"), ("s9", "s10")),
        ],
    )
    def test_one_column(self, read, labels, wanted):
        """Numbers by value, then other labels naturally."""
        counts = read(table("condition", *labels))
        assert counts.condition.values == wanted
        assert counts.factors == (Factor("condition", wanted),)

    def test_several_columns_sort_one_by_one(self, read):
        """Joined they would sort as text, with -0.4 before -0.8."""
        rows = ("0.4,b", "-0.4,a", "-0.8,b", "0.4,a", "-0.8,a")
        counts = read(crossed("disparity,eye", *rows), condition=("disparity", "eye"))
        wanted = ("-0.8/a", "-0.8/b", "-0.4/a", "0.4/a", "0.4/b")
        assert counts.condition.values == wanted
        assert [wanted[code] for code in counts.condition.codes] == [
            row.replace(",", "/") for row in rows
        ]
        assert counts.factors == (
            Factor("disparity", ("-0.8", "-0.8", "-0.4", "0.4", "0.4")),
            Factor("eye", ("a", "b", "a", "a", "b")),
        )

    def test_the_first_column_named_comes_first(self, read):
        """The order of the option, not of the table."""
        rows = ("1,a", "2,a", "1,b")
        counts = read(crossed("size,eye", *rows), condition=("eye", "size"))
        assert counts.condition.values == ("a/1", "a/2", "b/1")
        assert [factor.name for factor in counts.factors] == ["eye", "size"]

    def test_filled_zeros_have_their_conditions(self, read):
        """Further rows repeat conditions that were read."""
        text = "neuron,trial,x,y,count\na,1,10,u,3\na,2,9,u,4\nb,1,10,u,5\n"
        counts = read(text, condition=("x", "y"), fill_zeros=True)
        assert counts.condition.values == ("9/u", "10/u")
        assert counts.condition.codes.tolist() == [1, 0, 1, 0]

    def test_a_table_without_conditions_has_no_factors(self, read):
        """None."""
        assert read("neuron,count\na,1\na,2\n").factors == ()


class TestNumbers:
    """Of a factor's labels."""

    @pytest.mark.parametrize("labels", [("1", "x"), ("1", ""), ("1", "nan"), ("1", "1e999")])
    def test_one_that_is_no_finite_number(self, labels):
        """Then the whole is categorical."""
        assert Factor("x", labels).numbers is None
        assert Factor("x", labels).positions is None

    @pytest.mark.parametrize(
        ("labels", "period", "wanted"),
        [
            (("-0.8", "0.4"), None, [-0.8, 0.4]),
            (("0", "315"), 360.0, [0, 315]),
            (("-90", "45"), 180.0, [-90, 45]),
            (("0", "90", "180", "270"), 180.0, [0, 90, 0, 90]),
            (("-10", "350"), 360.0, [350, 350]),
        ],
    )
    def test_positions(self, labels, period, wanted):
        """As written, unless a circle is too small for them."""
        np.testing.assert_array_equal(Factor("x", labels, period).positions, wanted)

    @pytest.mark.parametrize(
        ("period", "unit"), [(360.0, "degrees"), (180.0, "degrees"), (24.0, ""), (None, "")]
    )
    def test_unit(self, period, unit):
        """Degrees are known by their period."""
        assert Factor("x", ("0", "1"), period).unit == unit


class TestCircular:
    """--circular COL or COL=PERIOD."""

    @pytest.mark.parametrize(
        ("circular", "periods"),
        [
            (("direction",), [360, None]),
            (("direction=180",), [180, None]),
            (("direction", "hour=24"), [360, 24]),
        ],
    )
    def test_periods(self, read, circular, periods):
        """360 unless another is given."""
        text = crossed("direction,hour", "0,1", "45,2")
        counts = read(text, condition=("direction", "hour"), circular=circular)
        assert [factor.period for factor in counts.factors] == periods

    def test_a_recognised_column(self, read):
        """Without --condition."""
        assert read(table("condition", 0, 45), circular=("condition",)).factors[0].period == 360

    def test_a_name_with_an_equals_sign(self, read):
        """Is the column, where there is such a one."""
        text = table("size=2", 0, 45)
        counts = read(text, condition=("size=2",), circular=("size=2",))
        assert counts.factors[0].period == 360
        counts = read(text, condition=("size=2",), circular=("size=2=90",))
        assert counts.factors[0].period == 90

    @pytest.mark.parametrize(
        ("circular", "message"),
        [
            (("directoin",), "'directoin', which is no column of conditions.*'direction'"),
            (("count",), "'count', which is no column of conditions"),
            (("direction", "direction=180"), "twice"),
            (("direction=0",), "'0' is no period"),
            (("direction=-90",), "'-90' is no period"),
            (("direction=half",), "'half' is no period"),
            (("direction=",), "'' is no period"),
            (("direction=1e999",), "'1e999' is no period"),
        ],
    )
    def test_wrong_uses_are_refused(self, read, circular, message):
        """Each with what is wrong."""
        with pytest.raises(UsageError, match=f"(?s){message}"):
            read(table("direction", 0, 45), condition=("direction",), circular=circular)

    def test_blanks_are_no_words_on_a_circle(self, read):
        """Once they are the baseline: the usual way to write directions and a blank."""
        text = table("direction", 0, 90, "blank")
        counts = read(
            text,
            condition=("direction",),
            circular=("direction",),
            baseline_condition="blank",
        )
        assert counts.factors[0].labels == ("0", "90")
        assert counts.factors[0].period == 360

    @pytest.mark.parametrize("label", ["blank", "inf", "1e999"])
    def test_words_on_a_circle_are_refused(self, read, label):
        """Naming the label."""
        text = table("direction", 0, label)
        with pytest.raises(UsageError, match=f"--circular direction: the label '{label}'"):
            read(text, condition=("direction",), circular=("direction",))

    @pytest.mark.parametrize(
        ("labels", "circular", "noted"),
        [
            ((0, 180, 360), ("direction",), "on a circle of 360.*'0', '360'"),
            ((0, 180, 315), ("direction",), None),
            ((45, "45.0"), (), "one number are kept apart as conditions: '45', '45.0'"),
        ],
    )
    def test_labels_of_one_place_are_noted(self, read, codes, labels, circular, noted):
        """And stay conditions of their own."""
        counts = read(table("direction", *labels), condition=("direction",), circular=circular)
        assert len(counts.condition.values) == len(labels)
        assert ("same-place" in codes(counts)) == (noted is not None)
        if noted is not None:
            (notice,) = (n for n in counts.notices if n.code == "same-place")
            assert re.search(noted, notice.message)

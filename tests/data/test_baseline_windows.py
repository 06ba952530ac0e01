"""Counts before the stimulus, in columns of every row, become a table of their own."""

import numpy as np
import pytest

from spikepool.config import InputOptions
from spikepool.data.read import read_counts
from spikepool.errors import BadDataError, UsageError

HEADER = "neuron,trial,condition,area,count,duration,pre,pre_s\n"
ROWS = (
    "n1,1,left,V1,5,0.5,1,1.5",
    "n1,2,right,V1,6,0.5,0,1.5",
    "n2,1,left,V2,7,0.5,3,2",
    "n2,2,right,V2,8,0.5,4,2",
)
TABLE = HEADER + "\n".join(ROWS) + "\n"
COLUMNS = {"baseline_count": "pre", "baseline_exposure": "pre_s"}


def with_cell(row, column, value):
    """Return the table with one cell changed."""
    cells = [line.split(",") for line in ROWS]
    cells[row][HEADER.strip().split(",").index(column)] = value
    return HEADER + "".join(",".join(line) + "\n" for line in cells)


def test_every_row_gives_a_response_and_a_baseline(read):
    """Neuron and group as in the row, without conditions."""
    counts = read(TABLE, group=("area",), **COLUMNS)
    assert counts.count.tolist() == [5, 6, 7, 8]
    assert counts.exposure.tolist() == [0.5] * 4
    assert counts.condition.values == ("left", "right")
    before = counts.baseline.counts
    assert counts.baseline.name == "column pre"
    assert before.count.tolist() == [1, 0, 3, 4]
    assert before.exposure.tolist() == [1.5, 1.5, 2, 2]
    assert [before.neuron.values[code] for code in before.neuron.codes] == ["n1", "n1", "n2", "n2"]
    assert before.group.values == ("V1", "V2")
    assert before.condition is None
    assert before.factors == ()
    assert before.exposure_known


def test_their_columns_have_roles(read):
    """They are printed, and nothing else is made of them."""
    counts = read(TABLE, group=("area",), **COLUMNS)
    assert dict(counts.recognised) | {
        "baseline count": "pre",
        "baseline exposure": "pre_s",
    } == dict(counts.recognised)
    assert counts.unmodelled == ()
    assert counts.neuron_columns == ()


def test_without_conditions(read):
    """One response of each neuron, against its baseline."""
    table = TABLE.replace("condition", "stim")
    counts = read(table, **COLUMNS)
    assert counts.condition is None
    assert counts.baseline.counts.count.tolist() == [1, 0, 3, 4]


def test_one_column_may_be_both_exposures(read):
    """Where both windows are equally long."""
    both = {"exposure": "duration", "baseline_exposure": "duration"}
    assert read(TABLE, baseline_count="pre", **both).baseline.counts.exposure.tolist() == [0.5] * 4


def test_baseline_window_has_the_unit_of_the_exposure_column(read):
    """Unless its own name says another."""
    milliseconds = TABLE.replace("duration", "duration_ms").replace("0.5", "500")
    plain = milliseconds.replace("pre_s", "before")
    counts = read(plain, baseline_count="pre", baseline_exposure="before")
    assert counts.exposure.tolist() == [0.5] * 4
    assert counts.baseline.counts.exposure.tolist() == [0.0015, 0.0015, 0.002, 0.002]
    assert read(milliseconds, **COLUMNS).baseline.counts.exposure.tolist() == [1.5, 1.5, 2, 2]


def test_milliseconds_by_name_and_by_option(read):
    """As for the exposure of the responses."""
    table = TABLE.replace("pre_s", "pre_ms")
    counts = read(table, baseline_count="pre", baseline_exposure="pre_ms")
    np.testing.assert_allclose(counts.baseline.counts.exposure, [0.0015, 0.0015, 0.002, 0.002])
    assert counts.exposure.tolist() == [0.5] * 4
    table = TABLE.replace("pre_s", "before")
    counts = read(table, baseline_count="pre", baseline_exposure="before", exposure_unit="ms")
    np.testing.assert_allclose(counts.baseline.counts.exposure, [0.0015, 0.0015, 0.002, 0.002])
    with pytest.raises(UsageError, match="contradicts the name of column 'pre_s'"):
        read(TABLE, exposure_unit="ms", **COLUMNS)


def test_no_exposure_at_all_is_warned_of(read, codes):
    """Rates are per trial; only windows of one length can then be compared."""
    table = TABLE.replace("duration", "x").replace("pre_s", "y")
    counts = read(table, baseline_count="pre")
    assert "baseline-per-trial" in codes(counts)
    assert counts.baseline.counts.exposure.tolist() == [1] * 4
    assert counts.baseline.counts.rate_unit == "spikes/trial"


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({"baseline_exposure": "pre_s"}, "belongs to --baseline-count", "--baseline-count"),
        ({"baseline_count": "pre"}, r"not known, though .* \(column 'duration'\)", "both windows"),
        (
            {"baseline_count": "pre", "duration": 0.5},
            r"not known, though .* \(--duration 0.5\)",
            "--baseline-exposure",
        ),
        (COLUMNS | {"baseline_condition": "left"}, "left exclude each other", "give one"),
        (COLUMNS | {"fill_zeros": True}, "trials whose baseline is not known", "both counts"),
        (COLUMNS | {"count": "pre"}, "both as count and as baseline count", ""),
        (COLUMNS | {"layout": "wide"}, "--baseline-count belongs to long tables", "a row per"),
        (
            {"baseline_count": "pre", "baseline_exposure": "duration"},
            "time counted in the responses is not known",
            "--exposure",
        ),
    ],
)
def test_options_that_do_not_go_together(read, given, message, hint):
    """Exit 2, with the way out."""
    with pytest.raises(UsageError, match=message) as caught:
        read(TABLE.replace(",area", ",depth"), **given)
    assert hint in (caught.value.hint or "")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("pre", "2.5", r"'2.5' is not a whole number"),
        ("pre", "-1", r"'-1' is negative"),
        ("pre", "x", r"'x' is not a whole number of spikes"),
        ("pre", "", r"an empty cell where a count is needed"),
        ("pre", "2000000000", r"'2000000000' is larger than supported"),
        ("pre_s", "0", r"'0' is not a positive time"),
        ("pre_s", "-1", r"'-1' is not a positive time"),
        ("pre_s", "", r"an empty cell is not a positive time"),
        ("pre_s", "inf", r"'inf' is not a positive time"),
    ],
)
def test_faulty_cells_are_refused(read, column, value, message):
    """With file, line and column, as cells of the responses are."""
    with pytest.raises(BadDataError, match=rf"table.csv, line 4, column '{column}': {message}"):
        read(with_cell(2, column, value), **COLUMNS)


def test_strictness_holds_for_both(read, codes):
    """A decimal point is noted, or refused."""
    table = with_cell(2, "pre", "3.0")
    counts = read(table, **COLUMNS)
    assert counts.baseline.counts.count.tolist() == [1, 0, 3, 4]
    assert "1 baseline count written with a decimal point" in counts.notices[-1].message
    with pytest.raises(BadDataError, match=r"column 'pre': '3\.0' is not written as a"):
        read(table, strict=True, **COLUMNS)


def test_missing_counts_drop_their_own_window(read):
    """An empty baseline keeps its response; an empty response takes its whole row along."""
    counts = read(with_cell(1, "pre", ""), missing="drop", **COLUMNS)
    assert counts.count.tolist() == [5, 6, 7, 8]
    assert counts.baseline.counts.count.tolist() == [1, 3, 4]
    told = [notice.message for notice in counts.notices if notice.code == "missing-counts"]
    assert told == ["1 row with an empty baseline count kept as responses"]
    counts = read(with_cell(1, "count", ""), missing="drop", **COLUMNS)
    assert counts.baseline.counts.count.tolist() == [1, 3, 4]


def test_neuron_without_any_is_named(read):
    """Its responses are compared with nothing."""
    table = HEADER + "".join(
        f"{line}\n" if line.startswith("n1") else f"{line[:14]},0.5,,\n" for line in ROWS
    )
    counts = read(table, missing="drop", **COLUMNS)
    assert counts.baseline.counts.neuron.values == ("n1",)
    told = {notice.code: notice.message for notice in counts.notices}
    assert told["no-baseline"].endswith("compared with none: n2")
    assert counts.neuron.values == ("n1", "n2")


def test_no_baseline_at_all_is_refused(read):
    """Every cell empty."""
    table = HEADER + "".join(f"{line[:14]},0.5,,\n" for line in ROWS)
    with pytest.raises(BadDataError, match=r"every baseline count \(column 'pre'\) is empty"):
        read(table, missing="drop", **COLUMNS)


def test_repeated_rows_give_one_baseline(read):
    """A trial that stands twice is one; two baselines of one trial contradict each other."""
    counts = read(TABLE + ROWS[0] + "\n", **COLUMNS)
    assert counts.baseline.counts.count.tolist() == [1, 0, 3, 4]
    again = ROWS[0].replace(",1,1.5", ",2,1.5")
    with pytest.raises(BadDataError, match="stands twice with baseline counts 1 and 2") as caught:
        read(f"{TABLE}{again}\n", **COLUMNS)
    assert "--neuron session,neuron" in caught.value.hint
    again = ROWS[0].replace(",1,1.5", ",1,1")
    with pytest.raises(BadDataError, match="column 'pre_s' tells them apart"):
        read(f"{TABLE}{again}\n", **COLUMNS)


def test_rates_and_lengths_are_looked_at(read, codes):
    """Milliseconds read as seconds, and rates that no neuron has."""
    assert "long-exposure" in codes(read(TABLE.replace(",1.5", ",1500"), **COLUMNS))
    told = read(TABLE.replace(",1.5", ",0.001"), **COLUMNS).notices
    assert "1 neuron above 300 spikes/s before the stimulus" in told[-1].message


def test_selected_rows_keep_their_own_baselines(write):
    """--where and the rounding of exposures come before."""
    given = {"tables": (write(TABLE),), "where": "condition == 'right'", "exposure_round": 0.3}
    counts = read_counts(InputOptions(**given, **COLUMNS))
    assert counts.baseline.counts.count.tolist() == [0, 4]
    np.testing.assert_allclose(counts.exposure, [0.6, 0.6])
    np.testing.assert_allclose(counts.baseline.counts.exposure, [1.5, 2.1])

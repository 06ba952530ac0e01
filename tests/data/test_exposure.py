"""Exposures are positive seconds, and their unit is never silent."""

import pytest

from spikepool.errors import BadDataError, UsageError


def table(*values, name="duration"):
    """Return a table with these exposures."""
    rows = (f"a,{i},3,{value}\n" for i, value in enumerate(values))
    return f"neuron,trial,count,{name}\n" + "".join(rows)


@pytest.mark.parametrize(
    ("name", "options", "seconds"),
    [
        ("duration", {}, 420.0),
        ("Exposure", {}, 420.0),
        ("duration_s", {}, 420.0),
        ("exposure_seconds", {}, 420.0),
        ("duration_ms", {}, 0.42),
        ("duration", {"exposure_unit": "ms"}, 0.42),
        ("width", {"exposure": "width"}, 420.0),
        ("width_ms", {"exposure": "width_ms"}, 0.42),
        ("width", {}, None),
        ("onset_s", {}, None),
        ("latency_ms", {}, None),
        ("duration_pre", {}, None),
    ],
)
def test_recognised_exposures(read, name, options, seconds):
    """A column is an exposure by its option or by an unmistakable name, with the unit in it."""
    counts = read(table("420", name=name), **options)
    assert counts.exposure_known == (seconds is not None)
    assert counts.exposure.tolist() == [1.0 if seconds is None else seconds]
    assert (("exposure", name) in counts.recognised) == counts.exposure_known


def test_assumed_seconds_are_noticed(read, codes):
    """A column named duration is read in seconds, and this is said."""
    assert codes(read(table("0.5"))) == ["exposure-recognised"]
    assert codes(read(table("0.5"), exposure="duration")) == []


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e400", "1e-400", "", "1,5", "x"])
def test_bad_exposure(read, value):
    """31: an exposure that is no positive finite number is refused with its line."""
    with pytest.raises(BadDataError, match="line 3, column 'duration'"):
        read(table("0.5", f'"{value}"'))


def test_missing_exposure_column(read):
    """31: the columns present are named."""
    with pytest.raises(BadDataError, match=r"no column 'durations'.*neuron, trial") as caught:
        read(table("0.5"), exposure="durations")
    assert "did you mean 'duration'" in caught.value.hint


def test_unit_that_contradicts_the_name(read):
    """31: seconds by the name and milliseconds by the option cannot both be."""
    with pytest.raises(UsageError, match="contradicts"):
        read(table("0.5", name="duration_s"), exposure_unit="ms")


def test_duration_option(read, codes):
    """One duration for all trials takes the place of a column."""
    counts = read(table("0.5"), duration=0.25)
    assert counts.exposure.tolist() == [0.25]
    assert counts.rate_unit == "spikes/s"
    assert "exposure-overruled" in codes(counts)
    assert counts.unmodelled == ()
    with pytest.raises(UsageError, match="exclude"):
        read(table("0.5"), duration=0.25, exposure="duration")


def test_rounding(read):
    """Exposures are rounded to decimal steps, exactly."""
    counts = read(table("0.4199", "0.31", "0.3000001"), exposure_round=0.1)
    assert counts.exposure.tolist() == [0.4, 0.3, 0.3]
    with pytest.raises(BadDataError, match=r"line 3.*rounds to 0"):
        read(table("0.42", "0.02"), exposure_round=0.1)


def test_suspicious_exposures_are_noticed(read, codes):
    """A median above a minute suggests milliseconds; a rate above 300/s wrong exposures."""
    assert "long-exposure" in codes(read(table("500", "500")))
    assert "long-exposure" not in codes(read(table("60", "60")))
    assert "high-rates" in codes(read(table("0.0099")))
    assert "high-rates" not in codes(read(table("0.01")))


def test_two_exposure_columns(read):
    """Two columns that could be the exposure are not guessed between."""
    with pytest.raises(BadDataError, match="more than one column could be the exposure"):
        read("neuron,count,duration,exposure\na,3,1,2\n")

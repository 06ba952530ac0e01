"""The picture of evoked rates: what is drawn where, marked how, and named."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from spikepool.report.plots.about import About
from spikepool.report.plots.evoked import MOST_ROWS, draw_evoked, prepare_evoked
from spikepool.report.plots.signed_axis import SignedRange, signed_range, signed_ticks
from spikepool.report.plots.style import PlotStyle

ABOUT = About("NB2 partial", 12, 960, "spikes/s", 0.9)
CONDITIONS = ("left", "a very long condition", "up", "down")


def data_of(evoked, conditions=CONDITIONS):
    """Return the picture's numbers."""
    names = [f"neuron{i:04}" for i in range(evoked.neuron.max() + 1)]
    return prepare_evoked(evoked, names, conditions)


def drawn_points(figure, name):
    """Return the points of a series, by rank."""
    (found,) = [each for each in figure.axes[0].collections if each.get_gid() == name]
    return np.asarray(found.get_offsets())


def test_numbers_are_those_of_the_fit_sorted(simulate_evoked):
    """Each with its neuron and condition."""
    evoked = simulate_evoked(48, 4)
    data = data_of(evoked)
    order = np.argsort(evoked.evoked.median)
    np.testing.assert_array_equal(data["evoked"], evoked.evoked.median[order])
    np.testing.assert_array_equal(data["baseline"], evoked.baseline.median[order])
    np.testing.assert_array_equal(data["prob_above_baseline"], evoked.prob_above[order])
    assert data["neuron"][0] == f"neuron{evoked.neuron[order[0]]:04}"
    assert data["condition"][0] == CONDITIONS[evoked.condition[order[0]]]


@pytest.mark.parametrize("size", [3, 48, MOST_ROWS + 4, 1500])
def test_marks_say_what_is_sure(simulate_evoked, size):
    """Every response stands at its rate in the series of its probability."""
    evoked = simulate_evoked(size, 1 if size == 3 else 4)
    figure = draw_evoked(data_of(evoked), ABOUT, PlotStyle())
    p, x = evoked.prob_above, evoked.evoked.median
    series = {"above": p > 0.975, "below": p < 0.025, "undecided": (p <= 0.975) & (p >= 0.025)}
    assert sum(chosen.sum() for chosen in series.values()) == size
    for name, chosen in series.items():
        np.testing.assert_allclose(drawn_points(figure, name)[:, 0], np.sort(x[chosen]))
    (key,) = [t.get_text() for t in figure.axes[0].texts if "above" in t.get_text()]
    assert key.endswith(f"above baseline, P > 0.975: {series['above'].sum():,}")


def test_intervals_and_their_mass(simulate_evoked):
    """From lower to upper end, in the colour of the mark."""
    evoked = simulate_evoked(12, 4)
    figure = draw_evoked(data_of(evoked), ABOUT, PlotStyle())
    lines = {
        (round(float(y[0]), 9)): (x, to_hex(each.get_color()[0]))
        for each in figure.axes[0].collections
        if each.get_gid() == "intervals"
        for segment in each.get_segments()
        for x, y in [segment.T]
    }
    assert len(lines) == 12
    for rank, row in enumerate(np.argsort(evoked.evoked.median), 1):
        ends, colour = lines[float(rank)]
        np.testing.assert_allclose(ends, [evoked.evoked.lower[row], evoked.evoked.upper[row]])
        sure = max(evoked.prob_above[row], 1 - evoked.prob_above[row]) > 0.975
        assert (colour != "#7f7f7f") == sure
    assert "medians and 90 % intervals" in [t.get_text() for t in figure.axes[0].texts]


def test_rows_are_named_by_neuron_and_condition(simulate_evoked):
    """Both are shortened rather than one lost."""
    figure = draw_evoked(data_of(simulate_evoked(12, 4)), ABOUT, PlotStyle())
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(names) == 12
    assert "neuron0000 · left" in names
    assert "neuron0001 · …condition" in names
    bare = draw_evoked(data_of(simulate_evoked(3), ()), ABOUT, PlotStyle())
    names = [label.get_text() for label in bare.axes[0].get_yticklabels()]
    assert sorted(names) == ["neuron0000", "neuron0001", "neuron0002"]


def test_unit_is_on_the_axis(simulate_evoked):
    """And no title is on the sheet."""
    for size in (12, 400):
        axes = draw_evoked(data_of(simulate_evoked(size, 4)), ABOUT, PlotStyle()).axes[0]
        assert axes.get_xlabel().endswith("(spikes/s)")
        assert not axes.get_title()


def test_responses_without_a_baseline_are_counted(simulate_evoked):
    """They are not drawn."""
    evoked = simulate_evoked(12, 4)
    for values in (evoked.evoked.median, evoked.evoked.lower, evoked.evoked.upper):
        values[:4] = np.nan
    evoked.prob_above[:4] = np.nan
    figure = draw_evoked(data_of(evoked), ABOUT, PlotStyle())
    assert len(figure.axes[0].get_yticks()) == 8
    assert "not shown, no baseline: 4" in [t.get_text() for t in figure.axes[0].texts]


@pytest.mark.parametrize("style", [PlotStyle(), PlotStyle(width_mm=180), PlotStyle("slides")])
@pytest.mark.parametrize("size", [3, 48, 64, 1500])
def test_type_is_legible(simulate_evoked, legible, size, style):
    """With conditions in the names."""
    evoked = simulate_evoked(size, 1 if size == 3 else 4)
    with style.context():
        legible(draw_evoked(data_of(evoked), ABOUT, style), style)


class TestSignedAxis:
    """An axis of differences."""

    def test_it_has_zero_and_all_values(self):
        """Also where all are of one sign."""
        values = np.array([3.0, 5.0, 90.0])
        span = signed_range(values, values - 1, values + 1)
        assert span.low < 0
        assert span.high > 90
        assert signed_ticks(span)[0] == 0

    def test_ticks_are_round_apart_and_symmetric(self):
        """In increasing order."""
        span = SignedRange(-1000.0, 1000.0, 1.0)
        ticks = np.array(signed_ticks(span))
        assert (np.diff(np.arcsinh(ticks)) >= 0.12 * 2 * np.arcsinh(1000)).all()
        np.testing.assert_array_equal(ticks, -ticks[::-1])
        assert 5 <= ticks.size <= 9

    def test_one_huge_interval_leaves_room_for_the_others(self):
        """It is cut at the end of the axis."""
        values = np.linspace(-1, 1, 9)
        lower, upper = values - 1, values + 1
        upper[4] = 1e9
        span = signed_range(values, lower, upper)
        assert span.high < 1e3
        assert span.clip(upper)[4] == span.high

    def test_numbers_without_any_width(self):
        """All the same, and certain."""
        span = signed_range(*np.zeros((3, 2)))
        assert span.low < 0 < span.high
        assert 0.0 in signed_ticks(span)

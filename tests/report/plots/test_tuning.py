"""Tuning curves: which neurons, where their conditions stand, and legible whatever the stimulus."""

import itertools
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from spikepool.data.spike_counts import Factor
from spikepool.report.plots.canvas import render
from spikepool.report.plots.numbers import from_csv, to_csv
from spikepool.report.plots.registry import PICTURES
from spikepool.report.plots.stimulus_axis import stimulus_axis
from spikepool.report.plots.style import PlotStyle
from spikepool.report.plots.tuning import TUNING
from spikepool.report.plots.tuning_key import draw_strengths, sentences_on

PAPER, COLUMN, SLIDES = PlotStyle(), PlotStyle(width_mm=85), PlotStyle("slides", 250)


def crossed(*levels, periods=()):
    """Every combination of the levels of some factors, named a, b, c."""
    labels = zip(*itertools.product(*levels), strict=True)
    periods = (*periods, *[None] * len(levels))
    return [Factor("abc"[i], tuple(of), periods[i]) for i, of in enumerate(labels)]


DIRECTIONS = tuple(str(45 * i) for i in range(8))
WORDS = ("car", "couch", "face", "flower", "guitar", "a thing with a long name", "µ")
STIMULI = {
    "numbers": (crossed([f"{0.2 * i - 1:.1f}" for i in range(11)]), 5, SLIDES),
    "far numbers": (crossed(["-1000000", "0.000001", "25000"]), 2, COLUMN),
    "words": (crossed(WORDS), 2, COLUMN),
    "388 words": (crossed([f"picture {i}" for i in range(388)]), 5, PAPER),
    "curves": (crossed(DIRECTIONS, ["0.1", "0.5", "1"], periods=[360.0]), 30, COLUMN),
    "joined": (crossed(DIRECTIONS, "LR", "xyz"), 4, PAPER),
}
"""Factors, how many neurons were recorded in all conditions, and the style."""


@pytest.mark.parametrize("stimulus", STIMULI)
def test_text_is_legible_inside_and_apart(stimulus, simulate, tuned, legible):
    """Whatever the axis all type is at least 7 pt, on the sheet, and free of other type."""
    factors, n_tuned, style = STIMULI[stimulus]
    fit = simulate(61)
    with style.context():
        legible(PICTURES["tuning"](tuned(fit, factors, n_tuned), fit.about, style), style)


def test_curves_redraw_identically_from_csv(simulate, tuned):
    """Several curves, their levels like numbers that text would lose."""
    fit = simulate(3)
    data = tuned(fit, crossed(["0", "45", "90"], ["01", "1.0"], periods=[180.0]), 1)
    again = from_csv(to_csv(data))
    first = render(PICTURES["tuning"](data, fit.about, COLUMN), "png", COLUMN)
    assert first == render(PICTURES["tuning"](again, fit.about, COLUMN), "png", COLUMN)


class TestAxis:
    """Where conditions stand."""

    def test_numbers_stand_at_their_place(self):
        """Not at their rank."""
        axis = stimulus_axis(crossed(["-0.8", "-0.4", "0.4"]))
        assert (axis.kind, axis.name, axis.series_levels) == ("numeric", "a", ("",))
        assert axis.place.tolist() == [-0.8, -0.4, 0.4]

    def test_a_circle_has_its_period_and_unit(self):
        """Degrees where the period says so."""
        axis = stimulus_axis(crossed(["0", "90"], periods=[180.0]))
        assert (axis.kind, axis.name, axis.period) == ("circular", "a (degrees)", 180.0)
        axis = stimulus_axis(crossed(["0", "12"], periods=[24.0]))
        assert (axis.kind, axis.name) == ("circular", "a")

    def test_words_stand_in_natural_order(self):
        """One that is no number makes categories of all."""
        axis = stimulus_axis([Factor("a", ("10", "blank", "-9", "-10"))])
        assert (axis.kind, axis.place.tolist()) == ("categorical", [2, 3, 1, 0])
        assert np.isnan(axis.period)

    def test_the_factor_with_most_levels_runs_along_the_axis(self):
        """The other one is curves, its levels as numbers; of equal ones the first."""
        axis = stimulus_axis(crossed(["10", "9"], ["1", "2", "3"]))
        assert (axis.name, axis.series_name) == ("b", "a")
        assert axis.series_levels == ("9", "10")
        assert axis.series == ("10", "10", "10", "9", "9", "9")
        assert stimulus_axis(crossed("xy", "uv")).name == "a"

    def test_levels_of_several_others_are_joined(self):
        """Up to five curves, sorted by the first of them."""
        axis = stimulus_axis(crossed(["1", "2", "3"], ["-1", "-2"], "xy"))
        assert axis.series_name == "b/c"
        assert axis.series_levels == ("-2/x", "-2/y", "-1/x", "-1/y")

    @pytest.mark.parametrize(("n", "kind"), [(5, "numeric"), (6, "categorical")])
    def test_many_curves_become_categories(self, n, kind):
        """Six levels of the other factor: all labels joined, sorted factor by factor."""
        axis = stimulus_axis(crossed([str(10 * i) for i in range(7)], [str(i) for i in range(n)]))
        assert axis.kind == kind
        if kind == "categorical":
            assert (axis.name, axis.label[7], axis.series_levels) == ("a/b", "10/1", ("",))
            assert axis.place.tolist() == list(range(42))


class TestNeurons:
    """Which are shown, and with what."""

    def test_one_of_each_twelfth_by_strength(self, simulate, responding, tuned):
        """The strongest first; by turns the least and the most own weight of five."""
        fit = simulate(61)
        data = tuned(fit, crossed(DIRECTIONS), 60)
        shown = data[(data["part"] == "neuron") & data["panel"].notna()].sort_values("panel")
        estimates, _ = responding(fit.estimates, 8, 60)
        weight = dict(
            zip(estimates.neurons, np.linspace(0.95, 0.3, 61)[np.arange(61) * 7 % 61], strict=True)
        )
        by_strength = estimates.neurons[:60][::-1]
        wanted = [
            (min, max)[k % 2](by_strength[5 * k : 5 * k + 5], key=weight.get) for k in range(12)
        ]
        assert shown["neuron"].tolist() == wanted
        assert shown["own_weight"].tolist() == pytest.approx([weight[name] for name in wanted])

    def test_neurons_of_one_condition_are_left_out(self, simulate, tuned):
        """They have no tuning."""
        data = tuned(simulate(12), crossed(DIRECTIONS), 4)
        assert data[data["part"] == "neuron"]["panel"].tolist() == [4, 3, 2, 1]
        assert set(data[data["part"] == "response"]["neuron"]) == {f"n000{i}" for i in range(4)}

    def test_none_makes_a_sentence(self, simulate, tuned):
        """No neuron has two conditions."""
        fit = simulate(3)
        figure = PICTURES["tuning"](tuned(fit, crossed(DIRECTIONS), 0), fit.about, PAPER)
        assert figure.axes[0].texts[0].get_text() == "No neuron was recorded in two conditions."

    def test_responses_are_those_of_the_model(self, simulate, responding, tuned):
        """Raw rates, medians and intervals, with the place of their condition."""
        fit = simulate(3)
        data = tuned(fit, crossed(DIRECTIONS), 3)
        estimates, raw = responding(fit.estimates, 8, 3)
        of, responses = data[data["part"] == "response"], estimates.responses
        assert of["neuron"].tolist() == [n for n in ("n0002", "n0001", "n0000") for _ in range(8)]
        assert of["x"].tolist() == [45.0 * i for i in range(8)] * 3
        order = np.argsort(-responses.neuron, kind="stable")
        for name, values in (
            ("raw", responses.rate_raw), ("rate", responses.rate.median),
            ("lower", responses.rate.lower), ("upper", responses.rate.upper),
        ):  # fmt: skip
            np.testing.assert_array_equal(of[name], values[order])
        neurons = data[data["part"] == "neuron"]
        np.testing.assert_array_equal(neurons["raw_strength"], raw)
        np.testing.assert_array_equal(neurons["strength"], estimates.tuning.median)
        np.testing.assert_array_equal(neurons["rate"], estimates.rate.median)


class TestDrawn:
    """What is on the sheet."""

    @staticmethod
    def of(fit, data, style=COLUMN):
        """Draw the picture."""
        return PICTURES["tuning"](data, fit.about, style)

    def test_a_circle_closes(self, simulate, tuned, drawn):
        """The first value again, a period further, of curve and marks."""
        fit = simulate(3)
        figure = self.of(fit, tuned(fit, crossed(DIRECTIONS, periods=[360.0])))
        for line in drawn(figure, "pooled"):
            assert line.get_xdata().tolist() == [45.0 * i for i in range(9)]
            assert line.get_ydata()[0] == line.get_ydata()[-1]
        for marks in drawn(figure, "raw"):
            first, last = marks.get_offsets()[[0, -1]]
            assert (first[1], last[0]) == (last[1], 360)
        assert figure.axes[2].get_xlabel() == "a (degrees)"
        ticks = [label.get_text() for label in figure.axes[2].get_xticklabels()]
        assert ticks == ["0", "90", "180", "270", "360"]

    def test_numbers_do_not_close(self, simulate, tuned, drawn):
        """They stand where they are, negative ones with a minus."""
        fit = simulate(3)
        figure = self.of(fit, tuned(fit, crossed(["-0.8", "-0.4", "0.4"])))
        for line in drawn(figure, "pooled"):
            assert line.get_xdata().tolist() == [-0.8, -0.4, 0.4]
        ticks = [label.get_text() for label in figure.axes[2].get_xticklabels()]
        assert "−0.5" in ticks

    def test_categories_are_marks_without_a_line(self, simulate, tuned, drawn):
        """The raw one left of the pooled one."""
        fit = simulate(3)
        figure = self.of(fit, tuned(fit, crossed("xyz")))
        raw, pooled = drawn(figure, "raw"), drawn(figure, "pooled")
        for left, right in zip(raw, pooled, strict=True):
            assert (left.get_offsets()[:, 0] < right.get_offsets()[:, 0]).all()
            assert np.round(right.get_offsets()[:, 0]).tolist() == [0, 1, 2]

    def test_long_labels_keep_their_end(self, simulate, tuned):
        """Fourteen characters of it."""
        fit = simulate(3)
        figure = self.of(fit, tuned(fit, crossed(WORDS)))
        labels = [label.get_text() for label in figure.axes[2].get_xticklabels()]
        assert labels == ["a thing with a long name"[-13:].join(["…", ""]), *WORDS[:5], "µ"]

    def test_only_categories_that_are_shown_have_a_place(self, simulate, tuned):
        """Neurons may have conditions of their own."""
        fit = simulate(3)
        data = tuned(fit, crossed("vwxyz"))
        data = data[~((data["part"] == "response") & (data["condition"] == "w"))]
        figure = self.of(fit, data)
        labels = [label.get_text() for label in figure.axes[2].get_xticklabels()]
        assert labels == ["v", "x", "y", "z"]

    def test_each_neuron_has_its_mean(self, simulate, tuned, drawn):
        """Its pooled rate, across the panel."""
        fit = simulate(3)
        data = tuned(fit, crossed("xyz"))
        lines = drawn(self.of(fit, data), "mean")
        rates = [line.get_ydata()[0] for line in lines]
        assert rates == fit.estimates.rate.median[::-1].tolist()

    def test_curves_have_their_colours_and_names(self, simulate, tuned, drawn):
        """One for each level of the other factor, in order."""
        fit = simulate(3)
        figure = self.of(fit, tuned(fit, crossed(["0", "1", "2"], ["10", "9"])))
        colours = [line.get_color() for line in drawn(figure, "pooled")]
        assert len(set(colours)) == 2
        legend = figure.findobj(mpl.legend.Legend)[0]
        named = {text.get_text(): line.get_color() for text, line in zip(
            legend.get_texts(), legend.get_lines(), strict=False)}  # fmt: skip
        assert [name for name in named if name.startswith("b")] == ["b 9", "b 10"]
        assert [named["b 9"], named["b 10"]] == colours[:2]

    @pytest.mark.parametrize(("style", "foot"), [(PAPER, False), (COLUMN, True)])
    def test_the_choice_is_stated(self, style, foot, simulate, tuned, drawn):
        """Beside the tuning strengths where there is room, else at the foot."""
        fit = simulate(3)
        figure = self.of(fit, tuned(fit, crossed("xy")), style)
        words = " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))
        assert "Neurons by tuning strength, the strongest first." in " ".join(words.split())
        assert bool(drawn(figure, "foot")) == foot

    def test_a_choice_of_some_is_stated(self, simulate, tuned):
        """With how many there are."""
        data = tuned(simulate(61), crossed("xy"), 30)
        choice, meaning = sentences_on(data[data["part"] == "neuron"], TUNING)
        assert "Shown are 12 of 30 neurons, one of each twelfth by tuning strength" in choice
        assert "ringed" in meaning

    def test_an_interval_without_end_does_not_flatten_the_rates(self, simulate, tuned):
        """The axis ends at twice the largest rate."""
        fit = simulate(3)
        data = tuned(fit, crossed("xyz"))
        responses = data["part"] == "response"
        data.loc[responses, "upper"] = 1e9
        top = data[responses & (data["panel"] == 1)][["raw", "rate"]].to_numpy().max()
        assert self.of(fit, data).axes[0].get_ylim()[1] == pytest.approx(2.1 * top)

    @pytest.mark.parametrize(("n_tuned", "ringed"), [(30, 12), (12, 0)])
    def test_every_neuron_has_its_strength(self, n_tuned, ringed, simulate, tuned, drawn):
        """Raw across, pooled up; those with a panel ringed, unless all have one."""
        data = tuned(simulate(61), crossed("xy"), n_tuned)
        neurons = data[data["part"] == "neuron"]
        figure = mpl.figure.Figure()
        draw_strengths(figure.subplots(), neurons, TUNING, PAPER)
        (marks,) = drawn(figure, "strengths")
        wanted = neurons[["raw_strength", "strength"]].to_numpy()
        np.testing.assert_array_equal(marks.get_offsets(), wanted)
        assert [len(of.get_offsets()) for of in drawn(figure, "strengths shown")] == [ringed]


def test_rates_per_trial(simulate, tuned):
    """The unit is that of the table."""
    fit = simulate(3)
    about = replace(fit.about, rate_unit="spikes/trial")
    figure = PICTURES["tuning"](tuned(fit, crossed("xy")), about, PAPER)
    assert figure.axes[0].get_ylabel() == "spikes/trial"

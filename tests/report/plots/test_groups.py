"""Pictures of several groups: legible for few and many, and right in their numbers."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from scipy import stats

from spikepool.models.spec import ModelSpec
from spikepool.posterior.quadrature import HyperparameterSample
from spikepool.report.plots.canvas import render
from spikepool.report.plots.groups import prepare_groups
from spikepool.report.plots.labels import printable
from spikepool.report.plots.numbers import from_csv, to_csv
from spikepool.report.plots.registry import PICTURES
from spikepool.report.plots.style import BLUE, PlotStyle

GROUPED = (
    "groups", "shrinkage", "own_weight", "dispersion_shrinkage", "tau_prior_posterior", "trace",
    "overdispersion",
)  # fmt: skip
PAPER, COLUMN, SLIDES = PlotStyle(), PlotStyle(width_mm=85), PlotStyle("slides")
SHEETS = (
    (2, PAPER), (2, COLUMN), (2, SLIDES), (3, PAPER), (13, SLIDES), (13, COLUMN), (16, PAPER),
    (16, COLUMN),
)  # fmt: skip
FIRST = {"mu": 2.0, "tau": 0.5, "mu_delta": -1.0, "tau_delta": 0.3}
SECOND = {"mu": 1.0, "tau": 1.5, "mu_delta": -2.0, "tau_delta": 0.8}
SOME = ("V1", "a name of some length", "µ")


def named(count):
    """Return names of groups, short and long."""
    return [*SOME[:count], *(f"area {i}" for i in range(count - len(SOME)))]


@pytest.mark.parametrize("name", GROUPED)
@pytest.mark.parametrize(("count", "style"), SHEETS, ids=str)
def test_text_is_legible_inside_and_apart(name, count, style, simulate, grouped, pictures, legible):
    """For few groups and many all type is at least 7 pt, on the sheet, and free of other type."""
    fit = grouped(simulate(61), named(count))
    with style.context():
        legible(PICTURES[name](pictures(fit)[name], fit.about, style), style)


@pytest.mark.parametrize("count", [2, 16])
def test_hexagons_name_the_groups(count, simulate, grouped, pictures, boxes_of):
    """Of many neurons each group's line is named at the edge."""
    fit = grouped(simulate(151), named(count))
    style = PlotStyle()
    with style.context():
        figure = PICTURES["shrinkage"](pictures(fit)["shrinkage"], fit.about, style)
        words = {text.get_text() for text, _ in boxes_of(figure)}
    assert {printable(name, 10) for name in named(count)[:2]} <= words


@pytest.mark.parametrize(
    ("name", "count"), [*((name, 3) for name in GROUPED), ("groups", 16), ("shrinkage", 16)]
)
def test_redraws_identically_from_csv(name, count, simulate, grouped, pictures):
    """The stored numbers draw the same picture, byte for byte."""
    fit, style = grouped(simulate(61), named(count)), PlotStyle()
    data = pictures(fit)[name]
    again = from_csv(to_csv(data))
    first = render(PICTURES[name](data, fit.about, style), "png", style)
    assert first == render(PICTURES[name](again, fit.about, style), "png", style)


@pytest.mark.parametrize("count", [2, 3, 13])
def test_own_weights_have_the_colours_of_their_groups(count, simulate, grouped, pictures, drawn):
    """Each neuron's mark has that of its group's curve; a single group's are blue."""
    fit = grouped(simulate(61), named(count))
    data = pictures(fit)["own_weight"]
    figure = PICTURES["own_weight"](data, fit.about, PlotStyle())
    curves = [to_hex(curve.get_color()) for curve in drawn(figure, "curve")]
    (marks,) = drawn(figure, "neurons")
    spiking = data[(data["part"] == "neuron") & (data["spike_count"] > 0)]
    wanted = [curves[named(count).index(group)] for group in spiking["group"]]
    assert [to_hex(colour) for colour in marks.get_facecolor()] == wanted
    alone = PICTURES["own_weight"](pictures(simulate(12))["own_weight"], fit.about, PlotStyle())
    assert {to_hex(c) for c in drawn(alone, "neurons")[0].get_facecolor()} == {BLUE.lower()}


def test_shrinkage_shows_each_groups_neurons_in_its_strip(simulate, grouped, pictures, drawn):
    """At their pooled rates, those of no other group; a single strip stays empty."""
    fit = grouped(simulate(61), named(3))
    data = pictures(fit)["shrinkage"]
    strips = drawn(PICTURES["shrinkage"](data, fit.about, PlotStyle()), "members")
    assert len(strips) == 3
    for strip, group in zip(strips, named(3), strict=True):
        own = data[(data["part"] == "neuron") & (data["group"] == group)]
        places = strip.get_offsets()
        np.testing.assert_allclose(places[:, 1], own["partial"])
        assert len(set(places[:, 0])) == 1
    alone = PICTURES["shrinkage"](pictures(simulate(12))["shrinkage"], fit.about, PlotStyle())
    assert not drawn(alone, "members")


@pytest.mark.parametrize(("count", "curves"), [(2, 2), (15, 15), (16, 0)])
def test_many_groups_are_intervals(count, curves, simulate, grouped, pictures, drawn):
    """Up to 15 groups have a curve and a band each in both panels; all have an interval."""
    fit = grouped(simulate(61), named(count))
    figure = PICTURES["groups"](pictures(fit)["groups"], fit.about, PlotStyle())
    assert len(drawn(figure, "curve")) == len(drawn(figure, "ribbon")) == 2 * curves
    assert len(drawn(figure, "interval")) == 2 * count


def test_poisson_has_rates_alone(simulate, grouped, pictures, drawn):
    """One panel."""
    fit = grouped(simulate(12, "poisson"), ["V1", "V2"])
    figure = PICTURES["groups"](pictures(fit)["groups"], fit.about, PlotStyle())
    assert len(drawn(figure, "curve")) == 2


class TestNumbers:
    """Of two groups whose hyperparameters are known exactly, or to within a distribution."""

    @pytest.fixture
    def prepare(self, simulate):
        """Return a function from hyperparameters of groups to the picture's numbers."""
        estimates = simulate(12).estimates

        def numbers(family="nb2", **values_of):
            spec = ModelSpec(family, "partial", "partial")
            samples = {}
            for group, values in values_of.items():
                size = max(np.size(value) for value in values.values())
                full = {name: np.broadcast_to(v, size).astype(float) for name, v in values.items()}
                samples[group] = HyperparameterSample(full, np.full(size, 1 / size), np.nan)
            groups = [[*samples][i % len(samples)] for i in range(12)]
            return prepare_groups(replace(estimates, spec=spec), groups, samples)

        return numbers

    @pytest.mark.parametrize(
        ("family", "parameter", "power"), [("nb2", "gain_sd", 1), ("nb1", "excess_fano", 2)]
    )
    def test_densities_are_per_e_fold(self, prepare, family, parameter, power):
        """Normal in ln λ; in δ, or twice δ, of the dispersion."""
        data = prepare(family, A=FIRST, B=SECOND)
        curves = data[data["part"] == "curve"]
        for group, of in (("A", FIRST), ("B", SECOND)):
            for name, centre, sd in (
                ("rate", of["mu"], of["tau"]),
                (parameter, power * of["mu_delta"], power * of["tau_delta"]),
            ):
                curve = curves[(curves["group"] == group) & (curves["parameter"] == name)]
                wanted = stats.norm(centre, sd).pdf(np.log(curve["value"]))
                for end in ("lower", "density", "upper"):
                    np.testing.assert_allclose(curve[end], wanted, rtol=1e-9, atol=1e-12)

    def test_uncertainty_widens_the_band(self, prepare):
        """The band is that of the density at each place over the draws of μ."""
        mu = np.linspace(1.8, 2.2, 1000)
        data = prepare(A={**FIRST, "mu": mu}, B=SECOND)
        curve = data[
            (data["part"] == "curve") & (data["group"] == "A") & (data["parameter"] == "rate")
        ]
        place = curve.iloc[int(np.argmin(np.abs(np.log(curve["value"]) - 1.0)))]
        density = stats.norm(mu, 0.5).pdf(np.log(place["value"]))
        found = place[["lower", "density", "upper"]].to_numpy(float)
        np.testing.assert_allclose(found, np.quantile(density, [0.025, 0.5, 0.975]), rtol=1e-9)

    def test_each_neuron_stands_in_its_group(self, prepare):
        """Its median rate and gain sd."""
        data = prepare(A=FIRST, B=SECOND)
        neurons = data[data["part"] == "neuron"]
        assert neurons.groupby(["parameter", "group"]).size().tolist() == [6, 6, 6, 6]


def test_a_group_without_spikes_is_drawn(simulate, grouped, pictures, drawn):
    """Its rates are far below all others and hardly known; it still has its row."""
    fit = grouped(simulate(12), ["V1", "silent"])
    fit.draws["silent"]["mu"] = np.linspace(-12, -2, 2000).reshape(4, 500)
    fit.draws["silent"]["tau"] = np.geomspace(1e-4, 30, 2000).reshape(4, 500)
    figure = PICTURES["groups"](pictures(fit)["groups"], fit.about, PlotStyle())
    assert len(drawn(figure, "curve")) == 4
    assert render(figure, "png", PlotStyle())

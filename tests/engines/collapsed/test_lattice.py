"""Lattices against the direct kernel, alone and among others, on any number of cores."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from spikepool.engines.collapsed.direct import integrate_directly
from spikepool.engines.collapsed.lattice import (
    FINE,
    Region,
    build_lattice,
    examine_lattice,
    fill,
)
from spikepool.engines.collapsed.marginal_likelihood import tabulate
from spikepool.models.families import FAMILIES

CONTRACT = 1e-6
DRAWS = 12
LOGARITHMIC = ("tau", "a", "b", "tau_delta")
RANGES = {
    "mu": (1.5, 0.4),
    "tau": (0.0, 0.6),
    "a": (0.4, 0.6),
    "b": (-1.1, 0.6),
    "mu_delta": (-0.8, 0.4),
    "tau_delta": (-0.8, 0.7),
    "delta": (-0.9, 0.3),
}
"""Centre and reach of every hyperparameter, of its logarithm if it is positive."""
ORDINARY = (
    "silent",
    "one trial",
    "underdispersed",
    "Poisson",
    "overdispersed",
    "many",
    "unequal",
    "unequal, overdispersed",
    "loud",
)
"""A table's neurons; "loud" is 4 to 10 sd above its population."""
POOLINGS = [("poisson", rate, None) for rate in ("fixed", "normal", "student-t", "gamma")] + [
    (family, rate, dispersion)
    for family in ("nb2", "nb1")
    for rate in ("point", "fixed", "normal", "student-t", "gamma")
    for dispersion in ("point", "fixed", "normal")
    if (rate, dispersion) != ("point", "point")
]


@pytest.fixture(scope="module")
def neurons(difficult_neurons):
    """Return counts and exposures of difficult neurons, and of some that are only odd."""
    rng = np.random.default_rng(5)
    return {
        **difficult_neurons,
        "loud": (rng.poisson(400 * rng.gamma(4, 1 / 4, 15)), 1.0),
        "regular": (rng.poisson(20.0, 300), 1.0),
        "silent, many trials": ([0] * 40, 2.0),
    }


@pytest.fixture
def population(make_level):
    """Return a function to levels, the names of their hyperparameters, and a region."""

    def make(rate, dispersion, ranges=RANGES):
        kinds = {"point": "point", "fixed": "fixed"}
        of_rate = {"fixed": (), "point": ("mu",), "gamma": ("a", "b")}.get(rate, ("mu", "tau"))
        of_delta = {"normal": ("mu_delta", "tau_delta"), "point": ("delta",)}.get(dispersion, ())
        levels = make_level(kinds.get(rate, "pooled"), rate, of_rate or ("mu",)), None
        if dispersion is not None:
            own = make_level(kinds.get(dispersion, "pooled"), dispersion, of_delta or ("delta",))
            levels = levels[0], own
        names = of_rate + of_delta
        return levels, names, _region(levels, names, ranges)

    return make


def _values(names, places, ranges):
    """Return hyperparameters at places from −1 to 1 of their ranges, shape (D, names)."""
    result = {}
    for which, name in enumerate(names):
        centre, reach = ranges[name]
        value = centre + reach * places[:, which]
        result[name] = np.exp(value) if name in LOGARITHMIC else value
    return result


def _region(levels, names, ranges):
    signs = np.array(list(product((-1.0, 1.0), repeat=len(names))))
    corners = _values(names, np.vstack([np.zeros(len(names)), signs]), ranges)
    low = _values(names, np.full((1, len(names)), -1 / 3), ranges)
    widths = tuple(1.0 if each is None else float(np.min(each.width(low))) for each in levels)
    return Region(*levels, corners if names else {}, widths, FINE)


def differences(family, statistics, population, phi, draws):
    """Return |lattice − direct kernel|; shape (neurons, draws)."""
    levels, _, region = population
    n = statistics.n_neurons
    by_lattice = tabulate(FAMILIES[family], statistics, region, 1).by_neuron(phi, draws)
    result = np.empty((n, draws))
    for draw in range(draws):
        one = {name: np.full(n, values[draw]) for name, values in phi.items()}
        found = integrate_directly(FAMILIES[family], statistics, *levels, one)
        assert np.all(found.error < CONTRACT / 5)
        result[:, draw] = np.abs(by_lattice[:, draw] - found.log_integral)
    return np.where(np.isnan(result), np.inf, result)


@pytest.mark.parametrize(("family", "rate", "dispersion"), POOLINGS)
def test_within_the_contract(family, rate, dispersion, neurons, population, build_tally):
    """Every neuron of a mixed table, at random hyperparameters of the region: within 1e-6."""
    made = population(rate, dispersion)
    draws = DRAWS if made[1] else 1
    places = np.random.default_rng(17).uniform(-1, 1, (draws, len(made[1])))
    phi = _values(made[1], places, RANGES)
    statistics = FAMILIES[family].statistics(build_tally([neurons[name] for name in ORDINARY]))
    worst = differences(family, statistics, made, phi, draws).max(axis=1)
    assert np.all(worst < CONTRACT), dict(zip(ORDINARY, worst, strict=True))


HARD = [
    # narrow populations, and conflicts with them
    ("nb2", "fixed", "normal", "busy Poisson", {"mu_delta": -0.452, "tau_delta": 0.2655}, {}),
    ("nb2", "fixed", "normal", "silent, long", {"mu_delta": -0.452, "tau_delta": 0.2655}, {}),
    (
        "nb1", "normal", "normal", "silent, many trials",
        {"mu": 1.83, "tau": 0.074, "mu_delta": -0.488, "tau_delta": 0.242}, {"tau": (-2.3, 0.4)},
    ),
    (
        "nb1", "normal", "normal", "one spike",
        {"mu": 1.83, "tau": 0.037, "mu_delta": -0.488, "tau_delta": 0.242}, {"tau": (-3.0, 0.4)},
    ),
    (
        "nb2", "normal", "normal", "loud",
        {"mu": 1.83, "tau": 0.074, "mu_delta": -0.488, "tau_delta": 0.242}, {"tau": (-2.3, 0.4)},
    ),
    (
        "nb1", "point", "normal", "silent",
        {"mu": 1.6096, "mu_delta": -0.5095, "tau_delta": 0.2696}, {},
    ),
    ("nb1", "normal", "point", "busy", {"mu": 1.113, "tau": 0.678, "delta": -0.611}, {}),
    # heavy and long tails that a likelihood favours
    (
        "nb2", "student-t", "normal", "silent",
        {"mu": 1.83, "tau": 0.148, "mu_delta": -0.488, "tau_delta": 0.242}, {"tau": (-1.6, 0.4)},
    ),
    (
        "nb2", "gamma", "normal", "silent",
        {"a": 2.5145, "b": 0.2895, "mu_delta": -0.9425, "tau_delta": 0.6804}, {},
    ),
    (
        "nb1", "gamma", "normal", "silent, many trials",
        {"a": 2.5145, "b": 0.2895, "mu_delta": -0.9425, "tau_delta": 0.6804}, {},
    ),
    # as good as Poisson, and sure of it: the likelihood falls like a Gaussian of e^2δ
    ("nb2", "fixed", "fixed", "regular", {}, {}),
]  # fmt: skip
"""One neuron and one population each that an earlier lattice missed."""


@pytest.mark.parametrize(
    ("family", "rate", "dispersion", "neuron", "phi", "ranges"),
    HARD,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hard_cases(
    family, rate, dispersion, neuron, phi, ranges, neurons, population, build_tally
):
    """One neuron and one population each that the lattice integrates to 1e-6."""
    statistics = FAMILIES[family].statistics(build_tally([neurons[neuron]]))
    made = population(rate, dispersion, RANGES | ranges)
    arrays = {name: np.array([value]) for name, value in phi.items()}
    assert differences(family, statistics, made, arrays, 1)[0, 0] < CONTRACT


@pytest.fixture(scope="module")
def many_neurons():
    """Return counts of more neurons than one task has, with a few odd ones."""
    rng = np.random.default_rng(11)
    mean = np.exp(rng.normal(1.5, 1.0, 150))
    shape = np.exp(-2 * rng.normal(-0.8, 0.5, 150))
    counts = [rng.poisson(m * rng.gamma(k, 1 / k, 12)) for m, k in zip(mean, shape, strict=True)]
    return [(each, 1.0) for each in counts] + [([0] * 4, 1.0), ([7] * 9, 1.0), ([60], 1.0)]


def by_neuron(family, neurons, population, build_tally, cores=1, draws=5):
    """Return ln p_i(φ) along a line of φ; shape (neurons, draws)."""
    _, names, region = population
    line = np.linspace(-0.9, 0.9, draws)[:, np.newaxis]
    phi = _values(names, line * np.ones(len(names)), RANGES)
    statistics = FAMILIES[family].statistics(build_tally(neurons))
    return tabulate(FAMILIES[family], statistics, region, cores).by_neuron(phi, draws)


@pytest.mark.parametrize(("rate", "dispersion"), [("normal", "normal"), ("normal", "point")])
@pytest.mark.parametrize("family", ["nb2", "nb1"])
def test_cores_change_nothing(family, rate, dispersion, many_neurons, population, build_tally):
    """One core and two give the same numbers, to the last digit."""
    made = population(rate, dispersion)
    one, two = (by_neuron(family, many_neurons, made, build_tally, cores) for cores in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_cores_share_the_draws_of_few_neurons(many_neurons, population, build_tally):
    """Where all neurons are one task, batches of draws are the tasks, and give the same numbers."""
    made, few = population("normal", "normal"), many_neurons[:3]
    one, two = (by_neuron("nb2", few, made, build_tally, cores, 300) for cores in (1, 2))
    np.testing.assert_array_equal(one, two)
    assert np.isfinite(one).all()


@pytest.mark.parametrize("family", ["nb2", "nb1"])
def test_other_neurons_change_nothing(family, many_neurons, population, build_tally):
    """A neuron has the same numbers alone and among others, in any order, to the last digit."""
    made = population("normal", "normal")
    together = by_neuron(family, many_neurons, made, build_tally)
    backwards = by_neuron(family, many_neurons[::-1], made, build_tally)
    np.testing.assert_array_equal(together, backwards[::-1])
    for which in (0, 70, 150, 151, 152):
        alone = by_neuron(family, [many_neurons[which]], made, build_tally)
        np.testing.assert_array_equal(together[which], alone[0])


def test_a_hopeless_population_has_no_evidence(neurons, population, build_tally):
    """Where the population's density underflows at all that a neuron allows, ln p is −∞."""
    made = population("gamma", "point")
    statistics = FAMILIES["nb2"].statistics(build_tally([neurons["busy"]]))
    phi = {"a": np.array([1.758]), "b": np.array([0.511]), "delta": np.array([-0.831])}
    found = tabulate(FAMILIES["nb2"], statistics, made[2], 1).by_neuron(phi, 1)
    assert found[0, 0] == -np.inf


def coarser(axis, rungs):
    """Return an axis of larger steps over the same window."""
    factor = 2 ** (rungs // 2)
    length = np.maximum(12, (axis.length // factor + 4) // 4 * 4)
    return replace(
        axis, step_class=axis.step_class - rungs, start=axis.start // factor, length=length
    )


@pytest.mark.parametrize("family", ["nb2", "nb1"])
def test_errors_tell_a_coarse_lattice(family, neurons, population, build_tally):
    """With steps four times too large the estimated error is more than is allowed."""
    _, _, region = population("normal", "normal")
    names = ("Poisson", "overdispersed", "many")
    statistics = FAMILIES[family].statistics(build_tally([neurons[name] for name in names]))
    good = build_lattice(FAMILIES[family], statistics, region)
    assert np.all(examine_lattice(good, region)[0] <= FINE.most_error)
    for which in ("rows", "columns"):
        axes = {"rows": good.rows, "columns": good.columns}
        axes[which] = coarser(axes[which], 4)
        bad = fill(FAMILIES[family], statistics, region, axes["rows"], axes["columns"])
        errors, _ = examine_lattice(bad, region)
        assert np.all(errors[:, ("rows", "columns").index(which)] > FINE.most_error), (
            which,
            errors,
        )


@pytest.mark.parametrize("family", ["nb2", "nb1"])
@pytest.mark.parametrize("edge", range(4))
def test_edges_tell_a_small_lattice(family, edge, neurons, population, build_tally):
    """With the window cut at any of its four sides, that edge weighs more than is allowed."""
    _, _, region = population("normal", "normal")
    names = ("Poisson", "overdispersed", "many")
    statistics = FAMILIES[family].statistics(build_tally([neurons[name] for name in names]))
    good = build_lattice(FAMILIES[family], statistics, region)
    assert np.all(examine_lattice(good, region)[1] <= FINE.most_edge)
    axes = [good.rows, good.columns]
    axis = axes[edge // 2]
    half = axis.length // 2 // 4 * 4
    start = axis.start + (axis.length - half) * (1 - edge % 2)
    axes[edge // 2] = replace(axis, start=start, length=half)
    bad = fill(FAMILIES[family], statistics, region, *axes)
    _, edges = examine_lattice(bad, region)
    assert np.all(edges[:, edge] > FINE.most_edge), edges


def test_shared_rates_are_examined_too(neurons, population, build_tally):
    """Where all neurons share θ, a coarse and a small lattice in δ are told."""
    _, _, region = population("point", "normal")
    statistics = FAMILIES["nb2"].statistics(build_tally([neurons["overdispersed"]]))
    good = build_lattice(FAMILIES["nb2"], statistics, region)
    gaps, edges = examine_lattice(good, region)
    assert gaps[0, 0] <= FINE.most_error
    assert np.all(edges[0, :2] <= FINE.most_edge)
    bad = fill(FAMILIES["nb2"], statistics, region, coarser(good.rows, 6), good.columns)
    assert examine_lattice(bad, region)[0][0, 0] > FINE.most_error
    half = good.rows.length // 2 // 4 * 4
    cut = replace(good.rows, length=half)
    bad = fill(FAMILIES["nb2"], statistics, region, cut, good.columns)
    assert examine_lattice(bad, region)[1][0, 1] > FINE.most_edge

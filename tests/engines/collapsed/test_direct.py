"""The direct kernel against closed forms, mpmath and quadrature by panels, over a stress set.

`oracle` (in conftest) is adaptive Gauss–Legendre quadrature on panels: it knows neither peaks nor
steps. It is itself checked against mpmath here, with a density written out anew.
"""

from itertools import groupby

import mpmath
import numpy as np
import pytest
from scipy import special, stats

from spikepool.engines.collapsed import direct
from spikepool.engines.collapsed.direct import integrate_directly
from spikepool.engines.collapsed.levels import FixedLevel
from spikepool.models.families import FAMILIES
from spikepool.models.prior_density import PriorDensity

CONTRACT = 1e-6
ORACLE_ERROR = 2e-8
"""What the oracle's own tolerance allows it, and rounding of sums of 10⁷."""
STRETCH = 200
"""Cases of the default test: every stretch of the stress set has something of all."""

every_family = pytest.mark.parametrize("family", ["poisson", "nb2", "nb1"])


def levels(family, make_level, rate="pooled", dispersion="pooled", population="normal"):
    """Return where θ and δ come from."""
    of_delta = ("delta",) if dispersion == "point" else ("mu_delta", "tau_delta")
    return (
        make_level(rate, population),
        None if family == "poisson" else make_level(dispersion, "normal", of_delta),
    )


def one_by_one(cases, build_tally, difficult_neurons, make_level, oracle):
    """Return the oracle's values."""
    result = []
    for case in cases:
        family = FAMILIES[case.family]
        statistics = family.statistics(build_tally([difficult_neurons[case.neuron]]))
        both = levels(case.family, make_level, population=case.population)
        result.append(oracle(case.family, statistics, *both, case.phi))
    return np.array(result)


def all_at_once(cases, build_tally, difficult_neurons, make_level):
    """Return the direct kernel's values and errors, in the order of the cases."""
    value, error = np.empty(len(cases)), np.empty(len(cases))

    def kind(place):
        return cases[place].family, cases[place].population

    for (family, population), places in groupby(sorted(range(len(cases)), key=kind), key=kind):
        some = list(places)
        tally = build_tally([difficult_neurons[cases[i].neuron] for i in some])
        phi = {name: np.array([cases[i].phi[name] for i in some]) for name in cases[some[0]].phi}
        both = levels(family, make_level, population=population)
        found = integrate_directly(FAMILIES[family], FAMILIES[family].statistics(tally), *both, phi)
        value[some], error[some] = found.log_integral, found.error
    return value, error


def judge(cases, build_tally, difficult_neurons, make_level, oracle):
    """Assert that every case is within the contract and within its own stated error."""
    expected = one_by_one(cases, build_tally, difficult_neurons, make_level, oracle)
    value, error = all_at_once(cases, build_tally, difficult_neurons, make_level)
    difference = np.abs(value - expected)
    worst = int(np.argmax(difference))
    assert difference[worst] < CONTRACT, (cases[worst], difference[worst])
    dishonest = int(np.argmax(difference - error))
    assert difference[dishonest] <= error[dishonest] + ORACLE_ERROR, cases[dishonest]
    assert np.median(difference) < 1e-9
    assert np.mean(np.isinf(error)) < 0.01


def test_stress(stress_cases, build_tally, difficult_neurons, make_level, oracle):
    """200 neurons and populations, most of them unreasonable: within 1e-6 and the stated error."""
    judge(stress_cases[:STRETCH], build_tally, difficult_neurons, make_level, oracle)


@pytest.mark.statistical
def test_whole_stress_set(stress_cases, build_tally, difficult_neurons, make_level, oracle):
    """All 4,800 of them."""
    judge(stress_cases, build_tally, difficult_neurons, make_level, oracle)


def log_nb_mpmath(counts, exposure, theta, delta, family):
    """Return the log-likelihood from gamma functions of 40 digits."""
    total = mpmath.mpf(0)
    alpha = mpmath.exp(2 * delta)
    for y, e in zip(counts, exposure, strict=True):
        mean = mpmath.exp(theta) * e
        size = (1 if family == "nb2" else mean) / alpha
        total += mpmath.loggamma(y + size) - mpmath.loggamma(size) - mpmath.loggamma(y + 1)
        total += size * mpmath.log(size / (size + mean)) + y * mpmath.log(mean / (size + mean))
    return total


@pytest.mark.parametrize("family", ["nb2", "nb1"])
@pytest.mark.parametrize(
    ("counts", "exposure", "phi"),
    [
        ([0, 0], [1.0, 2.0], {"mu": 0.5, "tau": 1.0, "mu_delta": -0.7, "tau_delta": 0.4}),
        ([3, 11], [1.0, 0.5], {"mu": 0.5, "tau": 0.3, "mu_delta": -2.0, "tau_delta": 0.6}),
    ],
)
def test_mpmath(family, counts, exposure, phi, build_tally, make_level, oracle):
    """Direct kernel and oracle are mpmath's nested quadrature of gamma functions, to 1e-8."""
    statistics = FAMILIES[family].statistics(build_tally([(counts, exposure)]))
    both = levels(family, make_level)

    def normal(x, centre, sd):
        return mpmath.npdf(x, centre, sd)

    def inner(delta):
        ends = [phi["mu"] + phi["tau"] * z for z in (-7.5, -4, -1.5, 1.5, 4, 7.5)]
        weight = normal(delta, phi["mu_delta"], phi["tau_delta"])
        return weight * mpmath.quad(
            lambda theta: (
                mpmath.exp(log_nb_mpmath(counts, exposure, theta, delta, family))
                * normal(theta, phi["mu"], phi["tau"])
            ),
            ends,
            method="gauss-legendre",
            maxdegree=3,
        )

    with mpmath.workdps(20):
        ends = [phi["mu_delta"] + phi["tau_delta"] * z for z in (-7.5, -4, -1.5, 1.5, 4, 7.5)]
        exact = float(mpmath.log(mpmath.quad(inner, ends, method="gauss-legendre", maxdegree=3)))
    arrays = {name: np.array([value]) for name, value in phi.items()}
    found = integrate_directly(FAMILIES[family], statistics, *both, arrays)
    assert oracle(family, statistics, *both, phi) == pytest.approx(exact, abs=1e-8)
    assert found.log_integral[0] == pytest.approx(exact, abs=1e-8 + found.error[0])


def test_gamma_and_poisson_are_conjugate(build_tally, difficult_neurons, make_level):
    """Poisson counts of gamma rates have a closed form: to 1e-7 for every difficult neuron."""
    tally = build_tally(list(difficult_neurons.values()))
    statistics = FAMILIES["poisson"].statistics(tally)
    rng = np.random.default_rng(3)
    for _ in range(20):
        a = np.exp(rng.uniform(-2, 6, tally.n_neurons))
        b = a / np.exp(rng.uniform(-3, 5, tally.n_neurons))
        found = integrate_directly(
            FAMILIES["poisson"],
            statistics,
            make_level("pooled", "gamma"),
            None,
            {"mu": a, "tau": b},
        )
        S, E = statistics.spikes, statistics.exposure
        # ln of b^a Γ(a+S) / (Γ(a) (b+E)^(a+S)), as a negative-binomial probability of S
        closed = stats.nbinom.logpmf(S, a, b / (b + E))
        closed += statistics.constant + np.array([np.sum(np.log(np.arange(1, s + 1))) for s in S])
        closed -= S * np.log(E)
        np.testing.assert_allclose(found.log_integral, closed, rtol=1e-12, atol=1e-7)


@every_family
def test_points_are_not_integrated(family, build_tally, difficult_neurons, make_level):
    """Where θ and δ are shared, p is the likelihood there, to the last digit."""
    tally = build_tally(list(difficult_neurons.values()))
    statistics = FAMILIES[family].statistics(tally)
    theta, delta = np.linspace(-2, 5, tally.n_neurons), np.linspace(-6, 1, tally.n_neurons)
    both = levels(family, make_level, "point", "point")
    found = integrate_directly(FAMILIES[family], statistics, *both, {"mu": theta, "delta": delta})
    expected = FAMILIES[family].log_likelihood(theta, delta, statistics)
    np.testing.assert_allclose(found.log_integral, expected, rtol=1e-15)


@pytest.mark.parametrize("family", ["nb2", "nb1"])
@pytest.mark.parametrize(
    ("rate", "dispersion"),
    [
        ("point", "pooled"),
        ("pooled", "point"),
        ("fixed", "point"),
        ("point", "fixed"),
        ("fixed", "fixed"),
        ("fixed", "pooled"),
        ("pooled", "fixed"),
    ],
)
def test_points_and_fixed_priors(
    family, rate, dispersion, build_tally, difficult_neurons, make_level, oracle
):
    """Every mixture of pooling that the models have, against the oracle, to 1e-7."""
    both = levels(family, make_level, rate, dispersion)
    phi = {"mu": 1.2, "delta": -0.8, "tau": 0.6, "mu_delta": -1.0, "tau_delta": 0.5}
    chosen = ["silent", "one trial", "underdispersed", "overdispersed", "unequal", "busy"]
    tally = build_tally([difficult_neurons[name] for name in chosen])
    statistics = FAMILIES[family].statistics(tally)
    needed = {} if (rate, dispersion) == ("fixed", "fixed") else phi
    arrays = {name: np.full(len(chosen), value) for name, value in needed.items()}
    found = integrate_directly(FAMILIES[family], statistics, *both, arrays)
    assert np.all(found.error < CONTRACT / 5)
    for which, name in enumerate(chosen):
        alone = FAMILIES[family].statistics(build_tally([difficult_neurons[name]]))
        assert found.log_integral[which] == pytest.approx(
            oracle(family, alone, *both, phi), abs=1e-7
        ), name


@every_family
def test_heavy_tails_of_the_dispersions(family, build_tally, difficult_neurons, make_level, oracle):
    """A student-t population of δ, narrow and wide, against the oracle, to 1e-7."""
    if family == "poisson":
        pytest.skip("Poisson counts have no dispersion")
    both = make_level("pooled"), make_level("pooled", "student-t", ("mu_delta", "tau_delta"))
    for name in ("silent", "underdispersed", "overdispersed"):
        statistics = FAMILIES[family].statistics(build_tally([difficult_neurons[name]]))
        for centre, width in ((-0.7, 0.5), (-4.0, 0.03), (0.5, 0.01)):
            phi = {"mu": 1.0, "tau": 0.8, "mu_delta": centre, "tau_delta": width}
            arrays = {key: np.array([value]) for key, value in phi.items()}
            found = integrate_directly(FAMILIES[family], statistics, *both, arrays)
            expected = oracle(family, statistics, *both, phi)
            assert found.log_integral[0] == pytest.approx(expected, abs=1e-7), (name, phi)


@every_family
def test_neurons_do_not_depend_on_one_another(family, build_tally, difficult_neurons, make_level):
    """A neuron alone has the value that it has among others, to the last digit."""
    neurons = list(difficult_neurons.values())
    both = levels(family, make_level)
    count = len(neurons)
    phi = {
        "mu": np.linspace(-3, 8, count),
        "tau": np.geomspace(0.01, 4, count),
        "mu_delta": np.linspace(-3, 0.5, count),
        "tau_delta": np.geomspace(2, 0.05, count),
    }
    together = integrate_directly(
        FAMILIES[family], FAMILIES[family].statistics(build_tally(neurons)), *both, phi
    )
    for which, neuron in enumerate(neurons):
        statistics = FAMILIES[family].statistics(build_tally([neuron]))
        own = {name: values[[which]] for name, values in phi.items()}
        alone = integrate_directly(FAMILIES[family], statistics, *both, own)
        assert alone.log_integral[0] == pytest.approx(together.log_integral[which], rel=1e-13)


def test_unit_of_exposure(build_tally, difficult_neurons, make_level):
    """With exposures times 1000 and μ less ln 1000 nothing changes."""
    counts, exposure = difficult_neurons["unequal, overdispersed"]
    both = levels("nb2", make_level)
    values = []
    for factor in (1.0, 1000.0):
        statistics = FAMILIES["nb2"].statistics(build_tally([(counts, exposure * factor)]))
        phi = {"mu": 1.5 - np.log(factor), "tau": 0.7, "mu_delta": -0.5, "tau_delta": 0.5}
        arrays = {name: np.array([value]) for name, value in phi.items()}
        values.append(integrate_directly(FAMILIES["nb2"], statistics, *both, arrays))
    assert values[0].log_integral[0] == pytest.approx(values[1].log_integral[0], abs=2e-8)


def test_error_is_infinite_where_nodes_run_out(
    monkeypatch, build_tally, difficult_neurons, make_level
):
    """With room for 40 nodes per neuron an integral in two directions fails, and says so."""
    monkeypatch.setattr(direct, "MOST_NODES", 40)
    statistics = FAMILIES["nb2"].statistics(build_tally([difficult_neurons["silent"]]))
    phi = {"mu": 0.0, "tau": 3.0, "mu_delta": -1.0, "tau_delta": 3.0}
    arrays = {name: np.array([value]) for name, value in phi.items()}
    found = integrate_directly(FAMILIES["nb2"], statistics, *levels("nb2", make_level), arrays)
    assert np.isinf(found.error[0])


def test_error_is_told_where_a_density_has_an_edge(build_tally, difficult_neurons):
    """No trapezoid rule is exact at the edge of a uniform density: its error is stated."""

    def uniform(x):
        return np.where((x > -1.0) & (x < np.sqrt(2.0)), -np.log(1 + np.sqrt(2.0)), -np.inf)

    level = FixedLevel(PriorDensity(uniform, -0.99, 1.41, 0.7))
    statistics = FAMILIES["poisson"].statistics(build_tally([difficult_neurons["one spike"]]))
    found = integrate_directly(FAMILIES["poisson"], statistics, level, None, {})
    S, E = statistics.spikes[0], statistics.exposure[0]
    whole = special.gammaincc(S, E * np.exp(-1.0)) - special.gammaincc(S, E * np.exp(np.sqrt(2.0)))
    exact = np.log(whole) + special.gammaln(S) - S * np.log(E) + statistics.constant[0]
    exact -= np.log(1 + np.sqrt(2.0))
    assert abs(found.log_integral[0] - exact) < found.error[0]


@pytest.mark.parametrize("family", ["nb2", "nb1"])
def test_two_peaks(family, build_tally, difficult_neurons, make_level, oracle):
    """Where a population near Poisson and overdispersed data pull apart, both peaks count."""
    both = levels(family, make_level, "point", "pooled")
    statistics = FAMILIES[family].statistics(build_tally([difficult_neurons["many"]]))
    mu = float(np.log(statistics.spikes[0] / statistics.exposure[0]))
    for centre in {"nb2": np.linspace(-6.8, -6.4, 9), "nb1": np.linspace(-5.3, -4.9, 9)}[family]:
        phi = {"mu": mu, "mu_delta": float(centre), "tau_delta": 0.2}
        arrays = {name: np.array([value]) for name, value in phi.items()}
        found = integrate_directly(FAMILIES[family], statistics, *both, arrays)
        expected = oracle(family, statistics, *both, phi)
        assert found.log_integral[0] == pytest.approx(expected, abs=1e-7), centre

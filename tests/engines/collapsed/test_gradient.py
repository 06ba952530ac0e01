"""∂ Σ ln p_i(φ)/∂φ against central differences, for every model, and PyTensor's view of it."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import special

from spikepool.engines.collapsed.gradient import total_with_gradient
from spikepool.engines.collapsed.kernels import POINTS
from spikepool.engines.collapsed.kernels_gradient import polynomial_with_slope
from spikepool.engines.collapsed.lattice import FINE, Region
from spikepool.engines.collapsed.marginal_likelihood import tabulate
from spikepool.engines.collapsed.pymc_model import log_likelihood
from spikepool.models.families import FAMILIES
from spikepool.models.populations import POPULATIONS

MODELS = [
    *(("poisson", population, None) for population in POPULATIONS),
    *(
        (family, rate, dispersion)
        for family in ("nb2", "nb1")
        for rate in (*POPULATIONS, "point", "fixed")
        for dispersion in ("normal", "point", "fixed")
        if {rate, dispersion} != {"point"} and {rate, dispersion} != {"fixed"}
    ),
]
NARROW = 1e-3
SCALES = ("tau", "tau_delta", "a", "b")


def hyperparameters(rate, dispersion, narrow, places):
    """Return φ at places from −1 to 1, shape (D, 4), about a centre; narrow where said."""
    u = np.asarray(places).T
    mu, tau = 1.4 + 0.3 * u[0], 0.6 * np.exp(0.4 * u[1])
    if "rate" in narrow:
        tau = NARROW * np.exp(0.4 * u[1])
    mu_delta, tau_delta = -0.9 + 0.5 * u[2], 0.5 * np.exp(0.4 * u[3])
    if "dispersion" in narrow:
        tau_delta = NARROW * np.exp(0.4 * u[3])
    of_rate = {"mu": mu, "tau": tau}
    if rate == "gamma":
        of_rate = {"a": 1 / tau**2, "b": np.exp(-mu) / tau**2}
    of_rate = {"fixed": {}, "point": {"mu": mu}}.get(rate, of_rate)
    of_dispersion = {
        None: {},
        "fixed": {},
        "point": {"delta": mu_delta},
        "normal": {"mu_delta": mu_delta, "tau_delta": tau_delta},
    }
    return of_rate | of_dispersion[dispersion]


@pytest.fixture
def make_marginal(make_level, build_tally):
    """Return a function from a model to its integrals, and to hyperparameters inside the region."""

    def make(family, rate, dispersion, narrow=(), neurons=12):
        rng = np.random.default_rng(3)
        # under a narrow population with heavy tails the ln p of a neuron that contradicts it has a
        # bend, which the interpolating polynomials replace by steps of the derivative
        spread = 0.1 if narrow else 0.6
        mean = np.exp(rng.normal(1.4, spread, neurons))[:, np.newaxis]
        counts = rng.poisson(mean * rng.gamma(5, 1 / 5, (neurons, 9)))
        if not narrow:
            counts[0] = 0
        own = ("a", "b") if rate == "gamma" else ("mu", "tau")
        levels = [
            make_level("pooled", rate, own) if rate in POPULATIONS else make_level(rate),
            None if dispersion is None else _dispersion(make_level, dispersion),
        ]
        places = [[0, 0, 0, 0], *product((-1, 1), repeat=4)]
        corners = hyperparameters(rate, dispersion, narrow, places)
        region = Region(*levels, corners, (0.4, 0.3), FINE)
        tally = build_tally([(each, 1.0) for each in counts])
        statistics = FAMILIES[family].statistics(tally)
        return tabulate(FAMILIES[family], statistics, region, 2)

    return make


def _dispersion(make_level, kind):
    names = ("delta",) if kind == "point" else ("mu_delta", "tau_delta")
    return make_level("pooled" if kind == "normal" else kind, "normal", names)


def total_at(marginal, phi):
    """Return Σ ln p_i(φ) at a single φ."""
    return marginal.total({name: np.array([value]) for name, value in phi.items()}, 1)[0]


STEP = 2e-3


def differences(marginal, phi):
    """Return derivatives by central differences of sixth order."""
    found = {}
    for name, value in phi.items():
        step = STEP * (value if name in SCALES else 1.0)
        ends = [
            total_at(marginal, phi | {name: value + k * step})
            - total_at(marginal, phi | {name: value - k * step})
            for k in (1, 2, 3)
        ]
        found[name] = np.dot(ends, [45, -9, 1]) / (60 * step)
    return found


def assert_gradient(marginal, rate, dispersion, narrow):
    """Compare values to 1e-12 and gradients to 1e-6 at random φ, scales by their logarithms."""
    places = np.random.default_rng(1).uniform(-1, 1, (3, 4))
    every = hyperparameters(rate, dispersion, narrow, places)
    for draw in range(3):
        phi = {name: float(values[draw]) for name, values in every.items()}
        total, gradient = total_with_gradient(marginal, phi)
        assert total == pytest.approx(total_at(marginal, phi), rel=1e-12)
        # differences see the rounding of ln Γ(a), a million terms large in a narrow population
        rounding = 2.0**-52 * special.gammaln(phi.get("a", 1.0)) * marginal.n_neurons / STEP
        for name, wanted in differences(marginal, phi).items():
            unit = phi[name] if name in SCALES else 1.0
            near = pytest.approx(wanted * unit, rel=1e-6, abs=1e-8 + rounding)
            assert gradient[name] * unit == near, name


@pytest.mark.parametrize(("family", "rate", "dispersion"), MODELS)
def test_gradient(family, rate, dispersion, make_marginal):
    """Populations that the lattices resolve, shared and fixed parameters."""
    assert_gradient(make_marginal(family, rate, dispersion), rate, dispersion, ())


NARROW_MODELS = [
    ("poisson", "normal", None, ("rate",)),
    ("poisson", "student-t", None, ("rate",)),
    ("poisson", "gamma", None, ("rate",)),
    *(
        (family, *rest)
        for family in ("nb2", "nb1")
        for rest in (
            ("normal", "normal", ("rate",)),
            ("normal", "normal", ("dispersion",)),
            ("normal", "normal", ("rate", "dispersion")),
            ("student-t", "normal", ("rate", "dispersion")),
            ("gamma", "normal", ("rate",)),
            ("gamma", "normal", ("rate", "dispersion")),
            ("normal", "point", ("rate",)),
            ("gamma", "point", ("rate",)),
            ("point", "normal", ("dispersion",)),
            ("fixed", "normal", ("dispersion",)),
        )
    ),
]


@pytest.mark.parametrize(("family", "rate", "dispersion", "narrow"), NARROW_MODELS)
def test_gradient_of_narrow_populations(family, rate, dispersion, narrow, make_marginal):
    """Sds of 1e-3, which have nodes of their own."""
    marginal = make_marginal(family, rate, dispersion, narrow)
    assert_gradient(marginal, rate, dispersion, narrow)


def test_threads_change_nothing(make_marginal):
    """Three runs of neurons, on one thread and on two, to the last bit."""
    marginal = make_marginal("nb2", "normal", "normal", neurons=70)
    phi = {"mu": 1.3, "tau": 0.7, "mu_delta": -0.8, "tau_delta": 0.4}
    assert (len(marginal.parts), marginal.cores) == (3, 2)
    alone = replace(marginal, cores=1)
    assert total_with_gradient(marginal, phi) == total_with_gradient(alone, phi)


def test_beyond_the_lattices_is_undefined(make_marginal):
    """A shared dispersion that no lattice reaches: NaN, as the total."""
    marginal = make_marginal("nb2", "normal", "point")
    phi = {"mu": 1.3, "tau": 0.7, "delta": 30.0}
    total, gradient = total_with_gradient(marginal, phi)
    assert np.isnan([total, gradient["delta"], total_at(marginal, phi)]).all()


@pytest.mark.parametrize("place", [0.0, 1e-9, 5.0, 7.3, 19.0])
def test_polynomials_with_their_slopes(place):
    """What twelve points determine is repeated: a polynomial of degree 11, on and off the nodes."""
    law = np.polynomial.Polynomial(np.random.default_rng(4).normal(size=POINTS), domain=[0, 19])
    weights, slopes = np.empty(POINTS), np.empty(POINTS)
    base = polynomial_with_slope(place, 20, weights, slopes)
    values = law(base + np.arange(POINTS))
    assert weights @ values == pytest.approx(law(place), rel=1e-9)
    assert slopes @ values == pytest.approx(law.deriv()(place), rel=1e-9)


def test_pytensor_sees_value_and_gradient(make_marginal):
    """The op's value is the total, and its pullback the gradient, by PyTensor's own check."""
    import pytensor
    import pytensor.tensor as pt
    from pytensor.compile.mode import Mode

    marginal = make_marginal("nb2", "normal", "normal")
    names = ("mu", "tau", "mu_delta", "tau_delta")
    point = [np.float64(value) for value in (1.3, 0.7, -0.8, 0.4)]

    def squared(*phi):
        return log_likelihood(marginal, dict(zip(names, phi, strict=True))) ** 2 / 1e4

    mode = Mode(linker="py", optimizer="fast_compile")
    variables = [pt.dscalar(name) for name in names]
    value = pytensor.function(variables, squared(*variables), mode=mode)(*point)
    expected = total_at(marginal, dict(zip(names, point, strict=True))) ** 2 / 1e4
    assert value == pytest.approx(expected, rel=1e-12)
    rng = np.random.default_rng(0)
    pytensor.gradient.verify_grad(squared, point, rng=rng, mode=mode, rel_tol=1e-5, abs_tol=1e-6)

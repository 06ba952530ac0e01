"""Levels against SciPy's distributions: supports, nodes, and what becomes of narrow populations."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special, stats

from spikepool.engines.collapsed.levels import NEGLIGIBLE, FixedLevel, SharedLevel, take
from spikepool.models.prior_density import measure

POPULATIONS = ("normal", "student-t", "gamma")
NARROW = {
    "normal": {"mu": [0.7, -3.0], "tau": [0.2, 0.001]},
    "student-t": {"mu": [0.7, -3.0], "tau": [0.2, 0.001]},
    "gamma": {"mu": [40.0, 1e4], "tau": [20.0, 3e3]},
}
every_population = pytest.mark.parametrize("name", POPULATIONS)


def _expectation(function, dist, centre, scale):
    """Return E f(x) by adaptive quadrature."""
    ends = [centre + scale * z for z in (-60, -10, -3, 0, 3, 10, 60)]
    return sum(
        integrate.quad(lambda x: function(x) * dist.pdf(x), *each, epsabs=0, epsrel=1e-11)[0]
        for each in pairwise(ends)
    )


def arrays(name):
    """Return hyperparameters of two narrow populations; a gamma has a as `mu` and b as `tau`."""
    return {key: np.array(values) for key, values in NARROW[name].items()}


def reference(name, which):
    """Return SciPy's distribution of θ."""
    mu, tau = (NARROW[name][key][which] for key in ("mu", "tau"))
    match name:
        case "normal":
            return stats.norm(mu, tau)
        case "student-t":
            return stats.t(4, mu, tau)
        case "gamma":
            return stats.loggamma(mu, loc=-np.log(tau))


@every_population
def test_density_and_width(name, make_level):
    """Log density and sd are SciPy's, to 1e-9 of the largest term."""
    level, phi = make_level("pooled", name), arrays(name)
    for which in (0, 1):
        dist = reference(name, which)
        x = dist.ppf([0.001, 0.3, 0.9])
        found = level.log_density(x, take(phi, [which]))
        np.testing.assert_allclose(found, dist.logpdf(x), rtol=1e-9, atol=1e-7)
        assert level.width(phi)[which] == pytest.approx(dist.std(), rel=1e-6)


@every_population
def test_support(name, make_level):
    """At both ends of the support the log density is `NEGLIGIBLE` below its maximum."""
    level, phi = make_level("pooled", name), arrays(name)
    lower, upper = level.support(phi)
    grid = np.linspace(lower, upper, 40_001)
    highest = level.log_density(grid, phi).max(axis=0)
    for end in (lower, upper):
        depth = highest - level.log_density(end, phi)
        np.testing.assert_allclose(depth, NEGLIGIBLE, atol=1e-3)


@every_population
def test_nodes_integrate_smooth_functions(name, make_level):
    """Expectations of functions as smooth as a likelihood are SciPy's, to 1e-7."""
    level, phi = make_level("pooled", name), arrays(name)
    nodes, log_weights = level.nodes(phi)
    for which in (0, 1):
        dist, scale = reference(name, which), level.width(phi)[which]
        centre = dist.median()
        for width in (1.5, 4.0):

            def smooth(x, centre=centre + scale, width=width * scale):
                return np.exp(-0.5 * ((x - centre) / width) ** 2)

            exact = _expectation(smooth, dist, centre, scale)
            found = np.sum(np.exp(log_weights[which]) * smooth(nodes[which]))
            assert found == pytest.approx(exact, rel=1e-7)


@every_population
def test_widened(name, make_level):
    """Narrow populations become as wide as asked about the same centre; wide ones stay."""
    level = make_level("pooled", name)
    phi = arrays(name) | {"mu_delta": np.array([1.0, 2.0])}
    wide = level.widened(phi, 0.1)
    before, after = level.width(phi), level.width(wide)
    np.testing.assert_allclose(after, np.maximum(before, 0.1), rtol=0.01)
    np.testing.assert_array_equal(wide["mu_delta"], phi["mu_delta"])
    middles = [np.mean(level.support(each), axis=0) for each in (phi, wide)]
    np.testing.assert_allclose(*middles, atol=0.1)
    same = level.widened(phi, 1e-5)
    for key, values in phi.items():
        np.testing.assert_allclose(same[key], values, rtol=1e-12)


@every_population
def test_score(name, make_level):
    """Central differences of the log density by each hyperparameter, by its name in φ."""
    level, phi = make_level("pooled", name), arrays(name)
    assert level.hyperparameters == ("mu", "tau")
    x = np.linspace(*level.support(phi), 7)
    for key, found in level.score(x, phi).items():
        step = 1e-4 * level.width(phi) if name != "gamma" else 1e-4 * phi[key]
        ends = [level.log_density(x, phi | {key: phi[key] + s * step}) for s in (1, -1)]
        scale = np.abs(found).max(axis=0)
        assert np.all(np.abs((ends[0] - ends[1]) / (2 * step) - found) < 1e-5 * scale), key


@every_population
def test_node_derivatives(name, make_level):
    """Where the integral of a smooth function goes as φ changes, against the integrals nearby."""
    level, phi = make_level("pooled", name), arrays(name)
    nodes, log_weights = level.nodes(phi)
    centre, width = nodes.mean(axis=1, keepdims=True), 3 * level.width(phi)[:, np.newaxis]

    def log_mean(of):
        at, logs = level.nodes(of)
        return special.logsumexp(logs - 0.5 * ((at - centre) / width - 1) ** 2, axis=1)

    z = (nodes - centre) / width - 1
    mass = np.exp(log_weights - 0.5 * z**2 - log_mean(phi)[:, np.newaxis])
    for key, (moved, weighed) in level.node_derivatives(phi).items():
        found = np.sum(mass * (weighed - z / width * moved), axis=1)
        step = 1e-4 * (level.width(phi) if name != "gamma" else phi[key])
        ends = [log_mean(phi | {key: phi[key] + s * step}) for s in (1, -1)]
        np.testing.assert_allclose(found, (ends[0] - ends[1]) / (2 * step), rtol=1e-5)


def test_shared_level_is_a_point():
    """It has a place and no width, and no density to integrate."""
    level, phi = SharedLevel("delta"), {"delta": np.array([-1.0, 0.5])}
    assert level.is_point
    np.testing.assert_array_equal(level.width(phi), 0.0)
    np.testing.assert_array_equal(level.support(phi), [phi["delta"], phi["delta"]])
    assert level.widened(phi, 3.0) is phi
    assert level.hyperparameters == ("delta",)
    for nothing in (level.log_density, level.score):
        with pytest.raises(TypeError):
            nothing(np.zeros(2), phi)


@pytest.mark.parametrize(("mean", "sd"), [(1.0, 2.5), (-3.0, 0.4)])
def test_fixed_level_finds_its_support(mean, sd):
    """The ends and the sd of a normal prior, found from its density alone."""
    level = FixedLevel(measure(stats.norm(mean, sd).logpdf, 0.0))
    reach = np.sqrt(2 * NEGLIGIBLE) * sd
    assert level.prior.lower == pytest.approx(mean - reach, abs=0.021)
    assert level.prior.upper == pytest.approx(mean + reach, abs=0.021)
    assert level.prior.sd == pytest.approx(sd, rel=1e-6)
    lower, upper = level.support({"mu": np.zeros(3)})
    assert lower.shape == upper.shape == (3,)
    assert level.log_density(np.array([0.3]), {})[0] == stats.norm(mean, sd).logpdf(0.3)

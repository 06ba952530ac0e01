"""Two engines on one model: differences are found where they are, and not where they are not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from spikepool.diagnostics.cross_check import CrossCheck, compare_engines, worst_of
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import PosteriorDraws
from spikepool.posterior.results import DispersionEstimates, NeuronEstimates, Summary

N, CHAINS, DRAWS, INTERVAL = 12, 4, 2000, 0.9
NEURONS = tuple(f"n{i}" for i in range(N))
MEAN, SD = np.linspace(-3, 3, N), np.geomspace(0.01, 10, N)
PARTIAL = ModelSpec("nb2", "partial", "partial")


def normal(mean, sd):
    """Return the exact summary of a normal distribution."""
    reach = stats.norm.ppf((1 + INTERVAL) / 2) * sd
    return Summary(mean, mean, sd, mean - reach, mean + reach)


def estimates(spec):
    """Return estimates whose θ and δ are normal, those of δ the other way round."""
    log_rate, log_dispersion = normal(MEAN, SD), normal(-MEAN, SD[::-1])
    dispersion = DispersionEstimates(None, None, None, log_dispersion, ("data",) * N)
    nothing = np.zeros(N)
    return NeuronEstimates(
        spec, NEURONS, "spikes/s", nothing, nothing, nothing, nothing, None, log_rate, nothing,
        None, nothing, nothing, None if spec.family == "poisson" else dispersion,
    )  # fmt: skip


def draws(spec, rng):
    """Draw independently from the same distributions."""
    theta, delta = rng.normal(size=(2, CHAINS, DRAWS, N))
    return PosteriorDraws(
        spec=spec,
        engine="nuts",
        neurons=NEURONS,
        population={},
        theta=MEAN + SD * theta,
        delta=None if spec.family == "poisson" else -MEAN + SD[::-1] * delta,
    )


@pytest.fixture
def sampled():
    """Return draws of θ and δ."""
    return draws(PARTIAL, np.random.default_rng(1))


def test_same_posteriors_agree(sampled):
    """72 comparisons at 4 standard errors and 0.02 sd: a false alarm in 1,000."""
    found = compare_engines(estimates(PARTIAL), sampled, INTERVAL)
    assert found.agrees
    assert (found.engine, found.beyond, found.compared) == ("nuts", 0, 6 * N)
    assert 0 < found.difference < 0.02 + 4 * found.standard_error


@pytest.mark.parametrize("neuron", [0, 5, N - 1])
@pytest.mark.parametrize("parameter", ["theta", "delta"])
def test_shifted_neuron_is_found(sampled, neuron, parameter):
    """By 0.3 of its own sd: all three quantities of this neuron, and of no other."""
    values = getattr(sampled, parameter).copy()
    values[..., neuron] += 0.3 * (SD if parameter == "theta" else SD[::-1])[neuron]
    found = compare_engines(estimates(PARTIAL), replace(sampled, **{parameter: values}), INTERVAL)
    assert not found.agrees
    assert (found.parameter, found.neuron, found.beyond) == (parameter, NEURONS[neuron], 3)
    assert found.difference == pytest.approx(0.3, abs=0.15)


def test_what_cannot_be_compared_does_not_agree(sampled):
    """A neuron whose draws are undefined."""
    theta = sampled.theta.copy()
    theta[..., 2] = np.nan
    found = compare_engines(estimates(PARTIAL), replace(sampled, theta=theta), INTERVAL)
    assert not found.agrees
    assert (found.neuron, found.beyond) == (NEURONS[2], 3)


def test_too_wide_posterior_is_found_in_the_ends_alone(sampled):
    """By a quarter: both ends move by 1.645/4 sd, the mean does not."""
    theta = sampled.theta.copy()
    theta[..., 3] = MEAN[3] + 1.25 * (theta[..., 3] - MEAN[3])
    found = compare_engines(estimates(PARTIAL), replace(sampled, theta=theta), INTERVAL)
    assert (found.parameter, found.neuron, found.beyond) == ("theta", NEURONS[3], 2)
    assert found.quantity in {"lower", "upper"}
    assert found.difference == pytest.approx(1.645 / 4, abs=0.15)


def test_standard_error_is_that_of_the_draws(sampled):
    """In posterior sds: 1/√D of a mean, √(p(1 − p)/D)/φ(z) of a quantile; D = 8,000."""
    found = compare_engines(estimates(PARTIAL), sampled, INTERVAL)
    density = stats.norm.pdf(stats.norm.ppf(0.05))
    wanted = 1 if found.quantity == "mean" else np.sqrt(0.05 * 0.95) / density
    assert found.standard_error == pytest.approx(wanted / np.sqrt(CHAINS * DRAWS), rel=0.25)


def test_correlated_draws_are_forgiven_their_error(sampled):
    """One draw in fifty is new: a difference of 0.1 sd is then within the error."""
    rng = np.random.default_rng(3)
    repeated = np.repeat(draws(PARTIAL, rng).theta[:, : DRAWS // 50], 50, axis=1)
    slow = replace(sampled, theta=repeated)
    found = compare_engines(estimates(PARTIAL), slow, INTERVAL)
    assert found.parameter == "theta"
    assert found.standard_error > 0.05
    assert found.difference > 0.1
    assert found.agrees


@pytest.mark.parametrize(
    ("spec", "compared"),
    [
        (ModelSpec("poisson", "partial", None), 3 * N),
        (ModelSpec("nb2", "partial", "complete"), 3 * N + 3),
        (ModelSpec("nb1", "complete", "none"), 3 * N + 3),
        (ModelSpec("nb2", "none", "none"), 6 * N),
        (ModelSpec("poisson", "complete", None), 3),
        (ModelSpec("nb2", "complete", "complete"), 6),
    ],
)
def test_what_all_share_is_compared_once(spec, compared):
    """It is one number, and not one of each neuron."""
    found = compare_engines(estimates(spec), draws(spec, np.random.default_rng(4)), INTERVAL)
    assert found.compared == compared


def test_difference_of_what_all_share_is_found():
    """Named after no neuron."""
    spec = ModelSpec("nb2", "complete", "complete")
    sampled = draws(spec, np.random.default_rng(5))
    found = compare_engines(
        estimates(spec), replace(sampled, delta=sampled.delta + SD[::-1]), INTERVAL
    )
    assert (found.parameter, found.neuron, found.beyond) == ("delta", "all neurons", 3)


def test_worst_of_groups():
    """The largest difference, and the sums of what was compared."""
    one = CrossCheck("nuts", "theta", "mean", "a", 0.01, 0.001, 1, 10)
    two = CrossCheck("nuts", "delta", "upper", "b", 0.03, 0.002, 2, 12)
    assert worst_of([one, two]) == replace(two, beyond=3, compared=22)
    assert worst_of([]) is None

"""What is left out of small tables: against dense sums over everything that is unknown."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import special, stats

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines.collapsed import leave_out_lattice
from spikepool.engines.collapsed.engine import integrate_posterior
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Silent

TABLE = {
    "a": [3, 5, 2, 4],
    "b": [0, 1, 0, 2],
    "burst": [7, 9, 4, 40],
    "d": [2, 2, 3, 1],
    "e": [12, 10, 15, 9],
}
EXPOSURE = 0.5
MOST_ERROR = 1e-3
"""Nats of a trial; a neuron has several."""
THETA = np.arange(-16.0, 14.0, 0.0125)
DELTA = np.arange(-8.5, 7.0, 0.05)
GRID = 0.25
SUMMARY = SummaryOptions(interval=0.95, fano_threshold=1.1)

EASY = [
    ModelSpec("poisson", "complete", None),
    ModelSpec("nb2", "complete", "complete"),
    ModelSpec("nb1", "complete", "complete"),
    ModelSpec("poisson", "partial", None),
    ModelSpec("nb2", "partial", "complete"),
    ModelSpec("nb2", "none", "none"),
]
LONG = [ModelSpec("nb2", "partial", "partial"), ModelSpec("nb1", "partial", "partial")]


def tally_of(table):
    """Return the tally of counts per neuron."""
    names = tuple(table)
    neuron = np.repeat(np.arange(len(names)), [len(counts) for counts in table.values()])
    counts = np.concatenate(list(table.values()))
    exposure = np.full(len(counts), EXPOSURE)
    return tally_counts(
        SpikeCounts(Labels("neuron", names, neuron), counts, exposure, exposure_known=True)
    )


def mass(nodes, mean, sd):
    """Return normal mass about nodes, what is below them all at the first; shape (K, nodes)."""
    step = nodes[1] - nodes[0]
    edges = np.concatenate([[-np.inf], nodes[:-1] + step / 2, [np.inf]])
    z = (edges - mean[:, np.newaxis]) / sd[:, np.newaxis]
    below, above = special.ndtr(z), special.ndtr(-z)
    return np.where(z[:, :-1] > 0, -np.diff(above), np.diff(below))


def half_normal(log_x, scale):
    """Log density of ln x, x half-normal, but for a constant."""
    return log_x - 0.5 * (np.exp(log_x) / scale) ** 2


@dataclass
class Axis:
    """What a parameter of the neurons may be: mass over its nodes for each hyperparameter."""

    mass: np.ndarray
    log_prior: np.ndarray


def rate_axis(pooling, priors):
    """Return the axis of θ."""
    if pooling == "none":
        return Axis(mass(THETA, np.array([priors.mu.mean]), np.array([priors.mu.sd])), np.zeros(1))
    mu = np.arange(-7.0, 9.0, GRID)
    if pooling == "complete":
        log_prior = stats.norm.logpdf(THETA, priors.mu.mean, priors.mu.sd)
        return Axis(np.eye(len(THETA)), log_prior)
    mu, log_tau = (each.ravel() for each in np.meshgrid(mu, np.arange(-9.0, 6.0, GRID)))
    log_prior = stats.norm.logpdf(mu, priors.mu.mean, priors.mu.sd)
    log_prior += log_tau - np.log1p(np.exp(2 * log_tau))  # half-Cauchy(1)
    return Axis(mass(THETA, mu, np.exp(log_tau)), log_prior)


def dispersion_axis(pooling):
    """Return the axis of δ; None: Poisson."""
    if pooling is None:
        return Axis(np.ones((1, 1)), np.zeros(1))
    of_half_normal = half_normal(DELTA, 1.0)
    if pooling == "none":
        share = np.exp(of_half_normal)
        return Axis((share / share.sum())[np.newaxis], np.zeros(1))
    if pooling == "complete":
        return Axis(np.eye(len(DELTA)), of_half_normal)
    mu, log_tau = (
        each.ravel()
        for each in np.meshgrid(np.arange(-12.0, 2.4, GRID), np.arange(-9.0, 1.8, GRID))
    )
    log_prior = half_normal(mu, 1.0) + half_normal(log_tau, 0.5)
    return Axis(mass(DELTA, mu, np.exp(log_tau)), log_prior)


def log_pmf(family, count):
    """Log probability of a count at every node; shape (THETA, DELTA) or (THETA, 1)."""
    mean = EXPOSURE * np.exp(THETA)[:, np.newaxis]
    if family == "poisson":
        return stats.poisson.logpmf(count, mean)
    scale = np.exp(2 * DELTA)
    if family == "nb2":
        return stats.nbinom.logpmf(count, 1 / scale, 1 / (1 + scale * mean))
    return stats.nbinom.logpmf(count, mean / scale, 1 / (1 + scale))


class Dense:
    """p(y) of a model by sums over all hyperparameters, θ and δ."""

    def __init__(self, spec, table):
        """Tabulate the population, and each count's probability."""
        priors = default_priors(tally_of(table))
        self.rate, self.dispersion = (
            rate_axis(spec.pooling, priors),
            dispersion_axis(spec.dispersion_pooling),
        )
        self.log_prior = self.rate.log_prior[:, np.newaxis] + self.dispersion.log_prior
        self.of_count = {
            count: log_pmf(spec.family, count) for counts in table.values() for count in counts
        }

    def given_phi(self, counts):
        """Return ln p(counts | φ) of a neuron, for all hyperparameters."""
        nothing = np.zeros(next(iter(self.of_count.values())).shape)
        log_l = sum((self.of_count[count] for count in counts), nothing)
        top = log_l.max()
        likelihood = np.exp(log_l - top)
        # one by one, so that a mass matrix that is the identity costs nothing
        by_rate = likelihood if self._is_identity(self.rate) else self.rate.mass @ likelihood
        if not self._is_identity(self.dispersion):
            by_rate = by_rate @ self.dispersion.mass.T
        return np.log(by_rate + 1e-300) + top

    @staticmethod
    def _is_identity(axis):
        return axis.mass.shape[0] == axis.mass.shape[1] > 1

    def left_out(self, table):
        """Return ln p(left out | rest) by trial and by neuron."""
        given = {name: self.given_phi(counts) for name, counts in table.items()}
        whole = self.log_prior + sum(given.values())
        evidence = special.logsumexp(whole)
        trials, neurons = {}, {}
        for name, counts in table.items():
            without = whole - given[name]
            neurons[name] = evidence - special.logsumexp(without)
            for count in set(counts):
                rest = list(counts)
                rest.remove(count)
                trials[name, count] = evidence - special.logsumexp(without + self.given_phi(rest))
        return trials, neurons


def left_out_by_engine(spec, table, seed=0):
    """Return what the collapsed engine reports."""
    tally = tally_of(table)
    options = EngineOptions(seed=seed, engine="collapsed")
    posterior = integrate_posterior(spec, tally, default_priors(tally), options, SUMMARY, Silent())
    return tally, posterior.quadrature.leave_out


def assert_same(spec, table):
    """Assert that the engine's densities are those of the dense sums."""
    trials, neurons = Dense(spec, table).left_out(table)
    tally, found = left_out_by_engine(spec, table)
    for cell, value in enumerate(found.trial):
        name, count = tally.neurons[tally.neuron[cell]], int(tally.count[cell])
        assert value == pytest.approx(trials[name, count], abs=MOST_ERROR), (name, count)
    for name, value in zip(tally.neurons, found.neuron, strict=True):
        assert value == pytest.approx(neurons[name], abs=2 * MOST_ERROR), name
    assert np.isnan(found.trial_pareto_k)
    assert np.isnan(found.neuron_pareto_k)


@pytest.mark.parametrize("spec", EASY, ids=lambda spec: spec.name)
def test_is_that_of_refits(spec):
    """Every trial, one of them a burst, and every neuron."""
    assert_same(spec, TABLE)


@pytest.mark.statistical
@pytest.mark.parametrize("spec", LONG, ids=lambda spec: spec.name)
def test_is_that_of_refits_with_four_hyperparameters(spec):
    """The same, with dense sums over four hyperparameters and two parameters of each neuron."""
    assert_same(spec, TABLE)


def test_neurons_of_one_trial():
    """A neuron's only trial is the neuron."""
    table = {**TABLE, "f": [6]}
    assert_same(ModelSpec("poisson", "partial", None), table)


def test_what_is_too_much_is_left_to_sampling(monkeypatch):
    """Then there is a Pareto k̂, and much the same densities."""
    spec = ModelSpec("poisson", "partial", None)
    _, exact = left_out_by_engine(spec, TABLE)
    monkeypatch.setattr(leave_out_lattice, "MOST_SUMS", 0.0)
    _, sampled = left_out_by_engine(spec, TABLE)
    assert np.isfinite(sampled.neuron_pareto_k)
    np.testing.assert_allclose(sampled.trial, exact.trial, atol=0.01)

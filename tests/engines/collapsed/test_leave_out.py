"""What is left out: importance ratios, reduced tables, and refits against dense integrals."""

from functools import partial

import numpy as np
import pytest
from scipy import special, stats
from scipy.stats import qmc

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines.collapsed.axes import Axis, make_axis
from spikepool.engines.collapsed.hyperposterior import MOST_PARETO_K
from spikepool.engines.collapsed.lattice import Lattice
from spikepool.engines.collapsed.leave_out import (
    TrialCollector,
    TrialDensities,
    leave_out,
    smooth_ratios,
    without_trials,
)
from spikepool.engines.collapsed.model import compile_hyperpriors, levels_of
from spikepool.engines.collapsed.search import (
    Problem,
    find_again,
    find_hyperposterior,
    first_guess,
)
from spikepool.models.families import FAMILIES
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.progress import Silent

SPEC = ModelSpec("poisson", "partial", None)
TABLE = {
    "a": [3, 5, 2, 4],
    "b": [0, 1, 0, 2],
    "burst": [7, 9, 4, 40],
    "d": [2, 2, 3, 1],
    "e": [12, 10, 15, 9],
}
EXPOSURE = 0.5


def tally_of(table):
    """Return the tally of counts per neuron."""
    names = tuple(table)
    neuron = np.repeat(np.arange(len(names)), [len(counts) for counts in table.values()])
    counts = np.concatenate(list(table.values()))
    exposure = np.full(len(counts), EXPOSURE)
    return tally_counts(
        SpikeCounts(Labels("neuron", names, neuron), counts, exposure, exposure_known=True)
    )


class TestRatios:
    """Ln 1/E[1/p] over weighted draws."""

    def test_of_normal_log_densities(self):
        """Mean m and sd s of ln p: m − s²/2; also with weights, and draws beyond the lattices."""
        z = special.ndtri(qmc.Sobol(1, rng=np.random.default_rng(0)).random(4096)[:, 0])
        log_p = np.array([-2.0, -5.0])[:, np.newaxis] + np.array([[0.1], [0.3]]) * z
        equal = np.full(4096, 1 / 4096)
        found = smooth_ratios(log_p, equal)
        np.testing.assert_allclose(found.log_density, [-2 - 0.005, -5 - 0.045], atol=1e-3)
        assert np.all(found.pareto_k < MOST_PARETO_K)
        tilted = np.exp(0.5 * z)
        found = smooth_ratios(log_p, tilted / tilted.sum())
        np.testing.assert_allclose(found.log_density, [-1.95 - 0.005, -4.85 - 0.045], atol=3e-3)
        beyond = np.column_stack([log_p, np.full((2, 10), np.nan)])
        weights = np.append(equal, np.full(10, 1e-9))
        np.testing.assert_allclose(smooth_ratios(beyond, weights).log_density, [-2.005, -5.045],
                                   atol=1e-3)  # fmt: skip

    def test_where_hyperparameters_do_not_matter(self):
        """A constant, exactly, and no k̂."""
        found = smooth_ratios(np.full((1, 100), -3.0), np.full(100, 0.01))
        assert found.log_density[0] == pytest.approx(-3.0, abs=1e-12)
        assert np.isnan(found.pareto_k[0])


def test_reduced_tables():
    """Each has its neuron's trials less one of the cell's."""
    tally = tally_of(TABLE)
    cells = np.arange(len(tally.count))
    reduced = without_trials(tally, cells)
    for cell in cells:
        own = reduced.neuron == cell
        counts = np.repeat(reduced.count[own], reduced.weight[own]).tolist()
        whole = list(TABLE[tally.neurons[tally.neuron[cell]]])
        whole.remove(tally.count[cell])
        assert counts == sorted(whole)


class TestAverages:
    """1/p(y_t | θ) under a posterior on a lattice: Poisson, 1/E[1/p] of a gamma posterior."""

    SHAPE, RATE = 60.0, 10.0
    COUNT = 4

    def collected(self, change=None, moments=None):
        """Return the density of a single count, and whether it is doubtful."""
        rows = make_axis(np.array([-3.0]), np.array([9.0]), np.array([0.02]), 0.02)
        columns = Axis(*np.array([[0], [0], [1]]), largest_step=1.0)
        theta = rows.nodes(np.array([0]), int(rows.length[0]))
        mass = stats.gamma.pdf(np.exp(theta), self.SHAPE, scale=1 / self.RATE) * np.exp(theta)
        mass = mass / mass.sum()
        values = (mass if change is None else change(theta, mass)).ravel()
        lattice = Lattice(rows, columns, values, np.array([0, values.size]), np.zeros(1))
        tally = tally_of({"a": [self.COUNT]})
        collector = TrialCollector(FAMILIES["poisson"], tally, None, None)
        collector.add(lattice, slice(0, 1), values, moments)
        return collector.trials.log_density[0], collector.trials.doubtful[0]

    def exact(self):
        """E[1/p] is another gamma integral."""
        shape, rate = self.SHAPE - self.COUNT, self.RATE - EXPOSURE
        log_mean = special.gammaln(shape) - special.gammaln(self.SHAPE)
        log_mean += self.SHAPE * np.log(self.RATE) - shape * np.log(rate)
        return -(log_mean + special.gammaln(self.COUNT + 1) - self.COUNT * np.log(EXPOSURE))

    def test_is_the_closed_form(self):
        """And not doubtful."""
        density, doubtful = self.collected()
        assert density == pytest.approx(self.exact(), abs=1e-9)
        assert not doubtful

    def test_what_rounding_leaves_does_not_count(self):
        """Mass of 1e-300 where the trial has e^-4000: the same density, but doubtful."""
        density, doubtful = self.collected(
            lambda theta, mass: np.where(np.abs(theta - 8.9) < 0.011, 1e-300, mass)
        )
        assert density == pytest.approx(self.exact(), abs=1e-9)
        assert doubtful

    def test_blurred_mass_is_moved_to_its_moments(self):
        """Wider by a tenth, and shifted: with the exact moments hardly another density."""
        mean = special.digamma(self.SHAPE) - np.log(self.RATE)
        moments = np.array([[mean, special.polygamma(1, self.SHAPE)]])

        def blurred(theta, mass):
            spread = np.interp(mean + (theta - mean - 0.05) / 1.1, theta[:, 0], mass[:, 0])
            return spread / spread.sum()

        wrong, _ = self.collected(blurred)
        right, _ = self.collected(blurred, moments)
        assert abs(wrong - self.exact()) > 0.02
        assert right == pytest.approx(self.exact(), abs=1e-4)


class DenseEvidence:
    """p(y) of pooled Poisson neurons, by sums over μ, ln τ and θ."""

    def __init__(self, priors):
        """Tabulate the population over a grid of hyperparameters."""
        mu, log_tau = (
            grid.ravel() for grid in np.meshgrid(np.arange(-5, 8, 0.15), np.arange(-9, 5, 0.15))
        )
        self.log_prior = stats.norm.logpdf(mu, priors.mu.mean, priors.mu.sd)
        self.log_prior += log_tau - np.log1p(np.exp(2 * log_tau))  # half-Cauchy(1)
        self.theta = np.arange(-14.0, 12.0, 0.02)
        edges = np.append(self.theta, self.theta[-1] + 0.02) - 0.01
        tau = np.exp(log_tau)[:, np.newaxis]
        self.mass = np.diff(stats.norm.cdf(edges, mu[:, np.newaxis], tau), axis=1)

    def given_phi(self, counts):
        """Return ln p(counts | μ, τ) of a neuron on the grid."""
        means = EXPOSURE * np.exp(self.theta)
        log_l = stats.poisson.logpmf(np.array(counts)[:, np.newaxis], means).sum(axis=0)
        return np.log(self.mass @ np.exp(log_l - log_l.max()) + 1e-300) + log_l.max()

    def log_ratio(self, whole, rest):
        """Return ln p(whole) − ln p(rest), both ln p(… | φ) on the grid."""
        return special.logsumexp(self.log_prior + whole) - special.logsumexp(self.log_prior + rest)


class TestAgainstDenseSums:
    """A table of five neurons of four trials, one of them a burst."""

    @pytest.fixture(scope="class")
    def truth(self):
        """Return ln p(left out | rest) by trial and by neuron."""
        dense = DenseEvidence(default_priors(tally_of(TABLE)))
        given = {name: dense.given_phi(counts) for name, counts in TABLE.items()}
        whole = sum(given.values())
        trials = {}
        for name, counts in TABLE.items():
            for count in set(counts):
                rest = list(counts)
                rest.remove(count)
                without = whole - given[name] + dense.given_phi(rest)
                trials[name, count] = dense.log_ratio(whole, without)
        neurons = {name: dense.log_ratio(whole, whole - given[name]) for name in TABLE}
        return trials, neurons

    @pytest.fixture(scope="class")
    def problem(self):
        """Return the tally and the model of it."""
        tally = tally_of(TABLE)
        priors = default_priors(tally)
        family = FAMILIES["poisson"]
        hyperpriors = compile_hyperpriors(SPEC, priors)
        levels = levels_of(SPEC, priors)
        return tally, Problem(family, family.statistics(tally), *levels, hyperpriors)

    @pytest.fixture(scope="class", params=range(2))
    def fitted(self, problem, request):
        """Return everything that is needed to leave something out, with many draws."""
        tally, model = problem
        rng = np.random.default_rng(request.param)
        found = find_hyperposterior(model, first_guess(model.hyperpriors, tally), 1, rng, Silent())
        return tally, model, found, rng

    @staticmethod
    def left_out(fitted, most_pareto_k, monkeypatch):
        """Leave out every trial and neuron; those with k̂ above a limit are refitted."""
        tally, model, found, rng = fitted
        monkeypatch.setattr("spikepool.engines.collapsed.leave_out.MOST_PARETO_K", most_pareto_k)
        kept = found.sample.weights > 1e-8
        phi = {name: values[kept] for name, values in found.phi.items()}
        cells = len(tally.count)
        return leave_out(
            tally,
            found.marginal,
            phi,
            found.sample.weights[kept] / found.sample.weights[kept].sum(),
            TrialDensities(np.zeros(cells), np.ones(cells, dtype=np.bool_)),
            partial(find_again, model, found, rng),
        )

    def test_with_many_draws(self, fitted, truth, monkeypatch):
        """Ordinary trials to 1e-3 nats, their contract; the burst to 5e-3, neurons to 1e-2.

        Standard deviations over six seeds were at most 3e-4 for trials, 9e-4 for the burst and
        1.5e-3 for neurons.
        """
        tally, trials, neurons = fitted[0], *truth
        found = self.left_out(fitted, MOST_PARETO_K, monkeypatch)
        for cell, value in enumerate(found.trial):
            name, count = tally.neurons[tally.neuron[cell]], int(tally.count[cell])
            error = 5e-3 if count == 40 else 1e-3
            assert value == pytest.approx(trials[name, count], abs=error), (name, count)
        for name, value in zip(tally.neurons, found.neuron, strict=True):
            assert value == pytest.approx(neurons[name], abs=1e-2), name
        assert found.trial_pareto_k < MOST_PARETO_K

    def test_by_refits(self, fitted, truth, monkeypatch):
        """The burst and the neurons by samples of their own, within 5 of their errors (0.012)."""
        tally, trials, neurons = fitted[0], *truth
        found = self.left_out(fitted, -np.inf, monkeypatch)
        burst = tally.neurons.index("burst"), 40
        cell = np.flatnonzero((tally.neuron == burst[0]) & (tally.count == burst[1]))[0]
        assert found.trial[cell] == pytest.approx(trials["burst", 40], abs=0.06)
        for name, value in zip(tally.neurons, found.neuron, strict=True):
            assert value == pytest.approx(neurons[name], abs=0.06), name


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("farthest", [6.0, 800.0])
def test_node_without_mass_hides_no_doubt(farthest):
    """Nor warns: at θ = 800 a count of 1 has the probability 0, as the node has of the mass."""
    counts = SpikeCounts(
        Labels("neuron", ("a",), np.zeros(2, int)),
        np.array([0, 1]),
        np.ones(2),
        exposure_known=True,
    )
    family = FAMILIES["poisson"]
    collector = TrialCollector(family, tally_counts(counts), None, 0.0)
    theta = np.array([-9, -1, 0, 1, 5, farthest]).reshape(-1, 1, 1)
    mass = np.array([1e-300, 0.3, 0.4, 0.3, 1e-40, 0.0]).reshape(-1, 1, 1)
    alone = np.array([0])
    collector._average(alone, theta, np.zeros((1, 1, 1)), mass, alone)
    assert collector.trials.doubtful[0]
    weights = np.array([0.3, 0.4, 0.3])
    exact = -np.log(np.sum(weights * np.exp(np.exp([-1.0, 0.0, 1.0]))))
    assert collector.trials.log_density[0] == pytest.approx(exact)

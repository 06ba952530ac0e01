"""The collapsed engine as a whole: every model, repeatable, and right where the truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines.collapsed.engine import integrate_posterior
from spikepool.models.families import FAMILIES
from spikepool.models.populations import POPULATIONS
from spikepool.models.priors import Gamma, Normal, default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.summaries import summarise_neurons
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Silent

NB2 = ModelSpec("nb2", "partial", "partial")
POISSON = ModelSpec("poisson", "partial", None)
POOLINGS = ("none", "complete", "partial")
SPECS = [
    ModelSpec(family, pooling, dispersion, population)
    for family in FAMILIES
    for pooling in POOLINGS
    for population in (POPULATIONS if pooling == "partial" else ["normal"])
    for dispersion in ([None] if family == "poisson" else POOLINGS)
]

SPECS_BY_TIME = [
    pytest.param(
        spec,
        id=spec.name,
        # wide populations of a few difficult neurons take minutes
        marks=[pytest.mark.statistical] if spec.population != "normal" else [],
    )
    for spec in SPECS
]


def rates_table():
    """Return counts of ten neurons from 2 to 30 spikes per trial, with a gain of 0.4."""
    rng = np.random.default_rng(5)
    rates = np.exp(rng.normal(2.0, 0.7, 10))
    return {
        f"n{i}": rng.poisson(rate * rng.gamma(6, 1 / 6, 8)).tolist() for i, rate in enumerate(rates)
    }


ORDINARY = rates_table()
DIFFICULT = {
    **ORDINARY,
    "silent": [0] * 8,
    "one trial": [4],
    "one silent trial": [0],
    "regular": [7] * 10,
}


def tally_of(table, exposure=0.5, order=None):
    """Return the tally of counts per neuron; rows in any order."""
    rows = [(name, count) for name, counts in table.items() for count in counts]
    rows = [rows[i] for i in order] if order is not None else rows
    names = tuple(table)
    return tally_counts(
        SpikeCounts(
            Labels("neuron", names, np.array([names.index(name) for name, _ in rows])),
            np.array([count for _, count in rows]),
            np.full(len(rows), exposure),
            exposure_known=True,
        )
    )


def integrate(spec, tally, seed=0, cores=1, joint_draws=1000, priors=None):
    """Compute a posterior with the default priors."""
    options = EngineOptions(seed=seed, cores=cores)
    summary = SummaryOptions(0.9, 1.1, joint_draws)
    priors = priors or default_priors(tally)
    return integrate_posterior(spec, tally, priors, options, summary, Silent())


def numbers(posterior):
    """Return every number of a posterior by name."""
    quadrature = posterior.quadrature
    found = {
        "theta": posterior.draws.theta,
        "weights": quadrature.hyperparameters.weights,
        "realised": quadrature.marginals.realised_weight,
        "variance": quadrature.marginals.rate_variance,
        "trial": quadrature.leave_out.trial,
        "neuron": quadrature.leave_out.neuron,
        "refinement": quadrature.certificate.refinement_error,
        "direct": quadrature.certificate.direct_error,
        **{f"phi {name}": of for name, of in quadrature.hyperparameters.values.items()},
        **{f"drawn {name}": of for name, of in posterior.draws.population.items()},
    }
    for name, summary in (
        ("rate", quadrature.marginals.rate), ("log_rate", quadrature.marginals.log_rate),
    ):  # fmt: skip
        found |= {f"{name} {part}": of for part, of in vars(summary).items()}
    dispersion = quadrature.marginals.dispersion
    if dispersion is not None:
        found |= {"delta": posterior.draws.delta, "above": dispersion.prob_fano_above}
        for name in ("fano", "gain_sd", "log_dispersion"):
            parts = vars(getattr(dispersion, name)).items()
            found |= {f"{name} {part}": of for part, of in parts}
    return found


def assert_identical(one, two):
    """Compare two posteriors to the last bit."""
    one, two = numbers(one), numbers(two)
    assert one.keys() == two.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name], err_msg=name)


@pytest.fixture(scope="module")
def nb2():
    """Return the posterior of NB2 with partial pooling, of ordinary neurons."""
    return integrate(NB2, tally_of(ORDINARY))


class TestEveryModel:
    """Family × pooling × pooling of the dispersion × population."""

    @pytest.mark.parametrize("spec", SPECS_BY_TIME)
    def test_passes_its_certificate(self, spec):
        """With silent neurons, neurons of one trial, and one too regular."""
        tally = tally_of(DIFFICULT)
        posterior = integrate(spec, tally, joint_draws=200)
        assert posterior.quadrature.certificate.problems == ()
        assert posterior.draws.theta.shape == (1, 200, len(DIFFICULT))
        undefined = {"fano mean", "fano sd", "gain_sd mean", "gain_sd sd", "refinement", "direct"}
        if (
            spec.family != "poisson"
        ):  # a huge gain explains zeros at any rate: the mean may not exist
            undefined |= {"rate mean", "rate sd"}
        for name, values in numbers(posterior).items():
            if name not in undefined:
                assert np.isfinite(values).all(), name
        for summary in (
            posterior.quadrature.marginals.log_rate, posterior.quadrature.marginals.rate,
        ):  # fmt: skip
            assert np.all(summary.lower < summary.median)
            assert np.all(summary.median < summary.upper)


class TestRepeatability:
    """Tables and draws, to the last bit."""

    def test_threads_do_not_matter(self, nb2):
        """One core and two."""
        assert_identical(nb2, integrate(NB2, tally_of(ORDINARY), cores=2))

    def test_order_of_rows_does_not_matter(self, nb2):
        """Nor which neuron stands first in the table."""
        order = np.random.default_rng(1).permutation(80)
        assert_identical(nb2, integrate(NB2, tally_of(ORDINARY, order=order)))

    def test_another_seed_differs_within_its_error(self, nb2):
        """Means of θ within 5 of their reported standard errors, and not to the last bit."""
        other = integrate(NB2, tally_of(ORDINARY), seed=1)
        one, two = (each.quadrature.marginals for each in (nb2, other))
        error = np.hypot(one.log_rate_mcse, two.log_rate_mcse)
        gap = np.abs(one.log_rate.mean - two.log_rate.mean)
        assert np.all(gap > 0)
        assert np.all(gap < 5 * error)

    def test_draws_of_a_neuron_do_not_depend_on_its_neighbours(self):
        """Without pooling nothing joins them: the same draws alone, among others, in any place."""
        spec, whole = ModelSpec("nb2", "none", "none"), tally_of(DIFFICULT)
        priors = default_priors(whole)
        together = integrate(spec, whole, priors=priors).draws
        for name in ("n3", "silent", "one trial"):
            alone = integrate(spec, tally_of({name: DIFFICULT[name]}), priors=priors).draws
            i = whole.neurons.index(name)
            np.testing.assert_array_equal(alone.theta[..., 0], together.theta[..., i])
            np.testing.assert_array_equal(alone.delta[..., 0], together.delta[..., i])

    @pytest.mark.parametrize(
        "spec", [POISSON, NB2, ModelSpec("nb1", "none", "none")], ids=lambda spec: spec.name
    )
    def test_rescaled_exposure_shifts_log_rates_alone(self, spec):
        """Seconds or milliseconds: θ − ln c, and nothing else.

        Nodes are multiples of a step and do not shift along: moments repeat to the quadrature's
        error, quantiles to a thousandth of an sd, since they lie between nodes.
        """
        factor = 1000.0
        one, two = (
            integrate(spec, tally_of(ORDINARY, exposure)).quadrature
            for exposure in (0.5, 0.5 * factor)
        )
        first, second = one.marginals.log_rate, two.marginals.log_rate
        moved = -np.log(factor)
        np.testing.assert_allclose(second.mean - moved, first.mean, atol=1e-6)
        np.testing.assert_allclose(second.sd, first.sd, rtol=1e-6)
        # left-out trials are summed over every second node: a tenth of their contract of 1e-3
        np.testing.assert_allclose(two.leave_out.trial, one.leave_out.trial, atol=1e-4)
        np.testing.assert_allclose(two.leave_out.neuron, one.leave_out.neuron, atol=1e-6)
        for part in ("median", "lower", "upper"):
            gap = getattr(second, part) - moved - getattr(first, part)
            assert np.all(np.abs(gap) < 1e-3 * first.sd)
        if spec.family != "poisson":
            first, second = one.marginals.dispersion, two.marginals.dispersion
            np.testing.assert_allclose(
                second.log_dispersion.mean, first.log_dispersion.mean, atol=1e-6
            )
            sd = first.log_dispersion.sd
            gap = np.log(second.gain_sd.median) - np.log(first.gain_sd.median)
            assert np.all(np.abs(gap) < 2e-3 * sd)


@pytest.mark.parametrize(
    "spec", [NB2, ModelSpec("nb1", "partial", "complete"), POISSON], ids=lambda s: s.name
)
def test_joint_draws_have_the_exact_marginals(spec):
    """Shares of 4,000 draws below the exact quantiles, within 5 standard errors of the masses.

    360 comparisons of NB2: a false alarm in 5,000.
    """
    posterior = integrate(spec, tally_of(ORDINARY), joint_draws=4000)
    marginals, draws = posterior.quadrature.marginals, posterior.draws
    pairs = [(marginals.log_rate, draws.flat_theta)]
    if spec.dispersion_pooling == "partial":
        pairs.append((marginals.dispersion.log_dispersion, draws.flat_delta))
    if spec.family != "poisson":
        tally = tally_of(ORDINARY)
        family = FAMILIES[spec.family]
        fano = family.fano(draws.flat_theta, draws.flat_delta, tally.mean_exposure)
        pairs.append((marginals.dispersion.fano, fano))
        above = np.mean(fano > 1.1, axis=0)
        exact = marginals.dispersion.prob_fano_above
        assert np.all(np.abs(above - exact) < 5 * np.sqrt(exact * (1 - exact) / 4000) + 1e-3)
    for summary, drawn in pairs:
        for part, mass in (("lower", 0.05), ("median", 0.5), ("upper", 0.95)):
            below = np.mean(drawn < getattr(summary, part), axis=0)
            assert np.all(np.abs(below - mass) < 5 * np.sqrt(mass * (1 - mass) / 4000))


def log_rate_summary(spikes, exposure, mean, sd):
    """Mean, sd and quantiles of θ | y for y ~ Poisson(e^θ e), θ ~ N(mean, sd²), on a fine grid."""
    theta = mean + sd * np.linspace(-12, 12, 400_001)
    log_density = spikes * theta - exposure * np.exp(theta) + stats.norm.logpdf(theta, mean, sd)
    density = special.softmax(log_density)
    first = np.sum(density * theta)
    quantiles = np.interp([0.05, 0.5, 0.95], np.cumsum(density) - density / 2, theta)
    return first, np.sqrt(np.sum(density * (theta - first) ** 2)), quantiles


@pytest.mark.parametrize("table", [ORDINARY, DIFFICULT], ids=["ordinary", "difficult"])
def test_unpooled_poisson_is_exact(table):
    """Moments of every θ_i to 1e-6, quantiles to 0.002 sd; silent and single trials included."""
    tally = tally_of(table)
    prior = default_priors(tally).theta
    found = integrate(ModelSpec("poisson", "none", None), tally).quadrature.marginals.log_rate
    for i in range(tally.n_neurons):
        mean, sd, quantiles = log_rate_summary(
            tally.spike_count[i], tally.total_exposure[i], prior.mean, prior.sd
        )
        assert found.mean[i] == pytest.approx(mean, abs=1e-6)
        assert found.sd[i] == pytest.approx(sd, rel=1e-6)
        ours = np.array([found.lower[i], found.median[i], found.upper[i]])
        np.testing.assert_allclose(ours, quantiles, atol=2e-3 * sd)


def test_completely_pooled_poisson_within_its_error():
    """Mean and sd of μ within 5 standard errors of the weighted sample."""
    tally = tally_of(DIFFICULT)
    prior = default_priors(tally).mu
    found = integrate(ModelSpec("poisson", "complete", None), tally).quadrature
    mean, sd, _ = log_rate_summary(
        tally.spike_count.sum(), tally.total_exposure.sum(), prior.mean, prior.sd
    )
    ess = found.hyperparameters.ess
    assert found.marginals.log_rate.mean[0] == pytest.approx(mean, abs=5 * sd / np.sqrt(ess))
    assert found.marginals.log_rate.sd[0] == pytest.approx(sd, rel=5 / np.sqrt(2 * ess))


class DensePredictive:
    """p(left out | the neuron's other trials, φ) of NB2 by dense sums in θ and δ."""

    THETA = np.arange(-10.0, 9.0, 0.02)
    DELTA = np.arange(-9.0, 4.0, 0.02)

    def __init__(self, posterior):
        """Tabulate the population of every weighted draw of φ."""
        sample = posterior.quadrature.hyperparameters
        kept = sample.weights > 1e-9
        self.weights = sample.weights[kept] / sample.weights[kept].sum()
        phi = {name: values[kept, np.newaxis] for name, values in sample.values.items()}
        self.of_theta = self._masses(self.THETA, phi["mu"], phi["tau"])
        self.of_delta = self._masses(self.DELTA, phi["mu_delta"], phi["tau_delta"])

    @staticmethod
    def _masses(grid, centre, width):
        """Probability of every cell of the grid, however narrow the population."""
        edges = np.append(grid, grid[-1] + 0.02) - 0.01
        return np.diff(stats.norm.cdf(edges, centre, width), axis=1)

    def likelihood(self, counts, exposure=0.5):
        """Return p(counts | θ, δ), scaled by its maximum, and the log of that."""
        theta, delta = self.THETA[:, np.newaxis], self.DELTA[np.newaxis]
        alpha, log_l = np.exp(2 * delta), 0.0
        for count in counts:
            mean = exposure * np.exp(theta)
            log_l = log_l + stats.nbinom.logpmf(count, 1 / alpha, 1 / (1 + alpha * mean))
        top = log_l.max() if len(counts) else 0.0
        return (np.exp(log_l - top), top) if len(counts) else (np.ones((1, 1)), 0.0)

    def given_phi(self, counts):
        """Return ln p(counts | φ); shape (D,)."""
        values, top = self.likelihood(counts)
        values = np.broadcast_to(values, (len(self.THETA), len(self.DELTA)))
        return np.log(np.einsum("dj,dj->d", self.of_theta @ values, self.of_delta)) + top

    def log_density(self, left_out, rest):
        """Return ln E_φ[p(left out | rest, φ)] over the posterior without what is left out."""
        gap = self.given_phi([*rest, *left_out]) - (self.given_phi(rest) if rest else 0.0)
        return special.logsumexp(gap, b=self.weights)


OUTLYING = {**ORDINARY, "n4": [*ORDINARY["n4"][:-1], 8 * max(ORDINARY["n4"])]}
"""The last trial of n4 is a burst."""


def brute_force(neuron, trial, seed):
    """Ln p(left out | the rest) of OUTLYING, from a fit of the rest; `trial` None: the neuron."""
    priors = default_priors(tally_of(OUTLYING))
    counts = OUTLYING[neuron]
    left_out = counts if trial is None else [counts[trial]]
    rest = [] if trial is None else [*counts[:trial], *counts[trial:][1:]]
    table = {**OUTLYING, neuron: rest}
    if not rest:
        del table[neuron]
    refit = integrate(NB2, tally_of(table), seed=seed, joint_draws=10, priors=priors)
    return DensePredictive(refit).log_density(left_out, rest)


def left_out_of(posterior, neuron, trial):
    """Return what the engine says of the same."""
    tally, left_out = tally_of(OUTLYING), posterior.quadrature.leave_out
    i = tally.neurons.index(neuron)
    if trial is None:
        return left_out.neuron[i]
    return left_out.trial[(tally.neuron == i) & (tally.count == OUTLYING[neuron][trial])][0]


class TestLeavingOut:
    """Against brute force: refits without the trial or neuron, and dense sums in its θ and δ.

    Both carry the Monte Carlo error of their own samples of φ.
    """

    @pytest.fixture(scope="class")
    def posterior(self):
        """Return the fit of all of it, and its tally."""
        tally = tally_of(OUTLYING)
        return integrate(NB2, tally), tally

    @pytest.mark.parametrize(
        ("neuron", "trial", "error"),
        [("n4", -1, 0.04), ("n4", 0, 0.002), ("n0", 2, 0.0012), ("n0", None, 0.006)],
    )
    def test_single_fit(self, posterior, neuron, trial, error):
        """Within 5 of the standard errors that both together have from seed to seed.

        These were measured over six seeds, and are largest for the burst.
        """
        found = left_out_of(posterior[0], neuron, trial)
        assert found == pytest.approx(brute_force(neuron, trial, 0), abs=5 * error)

    @pytest.mark.statistical
    @pytest.mark.parametrize(
        ("neuron", "trial"),
        [("n4", -1), ("n4", 0), ("n0", 2), ("n7", 5), ("n4", None), ("n0", None), ("n7", None)],
    )
    def test_over_seeds(self, neuron, trial):
        """Means over 16 seeds within 5 of their standard errors, or 1e-3 (false alarm: 1e-3)."""
        tally = tally_of(OUTLYING)
        whole = [
            left_out_of(integrate(NB2, tally, seed=seed, joint_draws=10), neuron, trial)
            for seed in range(16)
        ]
        brute = [brute_force(neuron, trial, seed) for seed in range(16)]
        error = np.hypot(np.std(whole, ddof=1), np.std(brute, ddof=1)) / 4
        assert abs(np.mean(whole) - np.mean(brute)) < max(5 * error, 1e-3)
        assert np.std(whole, ddof=1) < 0.03

    def test_trials_sum_to_their_neuron(self, posterior):
        """Each as often as it occurs."""
        whole, tally = posterior
        left_out = whole.quadrature.leave_out
        sums = np.bincount(tally.neuron, left_out.trial * tally.weight)
        np.testing.assert_allclose(left_out.trial_by_neuron, sums)

    def test_lone_trial_is_its_neuron(self):
        """Without it nothing is left of the neuron."""
        tally = tally_of(DIFFICULT)
        left_out = integrate(POISSON, tally).quadrature.leave_out
        for name in ("one trial", "one silent trial"):
            i = tally.neurons.index(name)
            assert left_out.trial_by_neuron[i] == pytest.approx(left_out.neuron[i], abs=1e-12)


def test_shared_parameters_left_out_by_brute_force():
    """Complete pooling of Poisson: one trial's predictive density is a one-dimensional integral.

    Within 4 standard errors of the mean of 1/p(y_t | μ) over the weighted sample.
    """
    tally = tally_of(ORDINARY)
    prior = default_priors(tally).mu
    quadrature = integrate(ModelSpec("poisson", "complete", None), tally).quadrature
    spikes, exposure = tally.spike_count.sum(), tally.total_exposure.sum()
    mu = np.linspace(0, 6, 60_001)
    sample = quadrature.hyperparameters

    def log_evidence(count, time):
        log_density = count * mu - time * np.exp(mu) + stats.norm.logpdf(mu, prior.mean, prior.sd)
        return special.logsumexp(log_density)

    whole = log_evidence(spikes, exposure)
    for i, y in enumerate(tally.count):
        wanted = whole - log_evidence(spikes - y, exposure - 0.5)
        wanted += y * np.log(0.5) - special.gammaln(y + 1)
        inverse = 1 / stats.poisson.pmf(y, 0.5 * np.exp(sample.values["mu"]))
        mean = np.sum(sample.weights * inverse)
        spread = np.sqrt(np.sum(sample.weights * (inverse - mean) ** 2)) / mean
        error = spread / np.sqrt(sample.ess)
        assert quadrature.leave_out.trial[i] == pytest.approx(wanted, abs=4 * error + 1e-6)


@pytest.mark.parametrize(
    "population",
    [
        "normal",
        pytest.param("student-t", marks=pytest.mark.statistical),
        pytest.param("gamma", marks=pytest.mark.statistical),
    ],
)
def test_table_of_silent_neurons(population):
    """All neurons silent: finite, certified, and an upper bound on every rate."""
    tally = tally_of({f"n{i}": [0] * 10 for i in range(8)})
    found = integrate(ModelSpec("poisson", "partial", None, population), tally).quadrature
    assert found.certificate.problems == ()
    assert np.all(found.marginals.rate.upper < 2.0)


def test_priors_of_the_user_reach_the_engine():
    """A narrow prior of μ, far away, moves every hyperparameter's posterior."""
    tally = tally_of(ORDINARY)
    priors = default_priors(tally)
    moved = replace(priors, mu=replace(priors.mu, mean=priors.mu.mean + 1.0, sd=0.01))
    found = integrate(POISSON, tally, priors=moved).quadrature.hyperparameters
    mean = np.sum(found.weights * found.values["mu"])
    assert mean == pytest.approx(priors.mu.mean + 1.0, abs=0.03)


@pytest.mark.parametrize("family", ["poisson", "nb2"])
def test_realised_weight_where_neurons_hardly_differ(family):
    """τ near 0 makes the share that is the neuron's own small, not undefined: it is near κ."""
    counts = np.random.default_rng(12).poisson(4.0, (20, 10))
    tally = tally_of({f"n{i}": row.tolist() for i, row in enumerate(counts)})
    spec = ModelSpec(family, "partial", None if family == "poisson" else "complete")
    posterior = integrate(spec, tally)
    estimates = summarise_neurons(posterior, tally, default_priors(tally), SummaryOptions(0.9, 1.1))
    kappa = estimates.own_weight.mean
    assert 0.02 < kappa.mean() < 0.5
    np.testing.assert_allclose(estimates.realised_weight, kappa, atol=0.03)


@pytest.mark.parametrize("sd", [1.2, 0.3, 0.01])
def test_a_tight_fixed_prior_of_rates(sd):
    """Silent and busy neurons against quadrature on a grid of 4,001 points."""
    table = {"silent": [0, 0, 0], "weak": [0, 1, 0], "busy": [20, 31, 24]}
    tally = tally_of(table)
    priors = replace(default_priors(tally), fixed=Normal(0.5, sd))
    spec = ModelSpec("poisson", "none", None)
    found = integrate(spec, tally, priors=priors).quadrature.marginals.log_rate
    theta = np.linspace(0.5 - 12 * sd, 0.5 + 12 * sd, 4001)
    for i, counts in enumerate(table.values()):
        log_density = stats.norm(0.5, sd).logpdf(theta)
        log_density += sum(counts) * theta - 0.5 * len(counts) * np.exp(theta)
        mass = np.exp(log_density - log_density.max())
        mass /= mass.sum()
        mean = np.sum(mass * theta)
        assert found.mean[i] == pytest.approx(mean, abs=1e-6 * sd)
        assert found.sd[i] == pytest.approx(np.sqrt(np.sum(mass * (theta - mean) ** 2)), rel=1e-5)


def test_a_tight_prior_of_the_dispersion_without_data_is_what_remains():
    """One trial a neuron says nothing of its gain: δ keeps the prior's sd, and says so."""
    tally = tally_of({f"n{i}": [count] for i, count in enumerate((0, 1, 3))})
    priors = replace(default_priors(tally), gain_sd=Gamma(20.0, 40.0))
    found = integrate(ModelSpec("nb2", "none", "none"), tally, priors=priors).quadrature.marginals
    np.testing.assert_allclose(
        found.dispersion.log_dispersion.sd, np.sqrt(special.polygamma(1, 20)), rtol=0.05
    )
    assert set(found.dispersion.source) == {"prior"}


def test_source_of_a_shared_dispersion_under_rates_of_their_own():
    """Eight silent trials cannot tell one gain; two hundred busy ones can."""
    spec = ModelSpec("nb2", "partial", "complete")
    rng = np.random.default_rng(3)
    silent = {f"n{i}": [0] * 8 for i in range(5)}
    busy = {f"n{i}": rng.negative_binomial(4, 0.2, 40).tolist() for i in range(5)}
    for table, source in ((silent, "prior"), (busy, "data")):
        dispersion = integrate(spec, tally_of(table)).quadrature.marginals.dispersion
        assert set(dispersion.source) == {source}

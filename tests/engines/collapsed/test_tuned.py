"""Neurons with several conditions: integrals against brute force, bits against bits."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from pytensor.graph.traversal import explicit_graph_inputs
from scipy import special, stats

from spikepool.config import EngineOptions
from spikepool.data.tally import Tally
from spikepool.engines.collapsed import kernels_tuned, leave_out
from spikepool.engines.collapsed.estimates import error_of_responses
from spikepool.engines.collapsed.gradient import total_with_gradient
from spikepool.engines.collapsed.kernels_exponential import exponentials
from spikepool.engines.collapsed.lattice import FINE, Region
from spikepool.engines.collapsed.levels import PooledLevel, TuningLevel
from spikepool.engines.collapsed.marginal_likelihood import MarginalLikelihood, tabulate
from spikepool.engines.collapsed.responses import response_statistics
from spikepool.engines.collapsed.tuning import make_tuning_axis
from spikepool.engines.dispatch import compute_posterior
from spikepool.models.families import FAMILIES
from spikepool.models.graph import build_model
from spikepool.models.populations import POPULATIONS
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.summaries import summarise_neurons
from spikepool.posterior.summary import SummaryOptions
from spikepool.posterior.tuning import mean_over_conditions, tuning_strength
from spikepool.progress import Silent

CENTRE = {"mu": 1.0, "tau": 0.8, "tuning_sd": 0.4, "mu_delta": -1.0, "tau_delta": 0.5}
RATE = PooledLevel(POPULATIONS["normal"], (("mu", "mu"), ("tau", "tau")))
DISPERSION = PooledLevel(POPULATIONS["normal"], (("mu", "mu_delta"), ("tau", "tau_delta")))


def tuned_tally(family: str, seed: int, neurons: int = 3, conditions: int = 4) -> Tally:
    """Six trials of every neuron and condition, the first condition of the first neuron silent."""
    rng = np.random.default_rng(seed)
    log_rate = rng.normal(1.0, 0.8, (neurons, 1)) + rng.normal(0, 0.4, (neurons, conditions))
    neuron = np.repeat(np.arange(neurons), conditions * 6)
    condition = np.tile(np.repeat(np.arange(conditions), 6), neurons)
    exposure = np.where(np.arange(len(neuron)) % 2 == 0, 1.0, 0.5)
    mean = np.exp(log_rate[neuron, condition]) * exposure
    count = FAMILIES[family].sample(mean, np.full(len(mean), 0.4), rng)
    count[(neuron == 0) & (condition == 0)] = 0
    cells, weight = np.unique(
        np.stack([neuron, condition, exposure, count]), axis=1, return_counts=True
    )
    return Tally(
        neurons=tuple(f"n{i}" for i in range(neurons)),
        neuron=cells[0].astype(np.int64),
        condition=cells[1].astype(np.int64),
        exposure=cells[2],
        count=cells[3].astype(np.int64),
        weight=weight.astype(np.int64),
        group=np.zeros(neurons, dtype=np.int64),
        conditions=tuple(f"c{i}" for i in range(conditions)),
        groups=("all",),
        rate_unit="spikes/s",
    )


def tabulated(
    family: str, tally: Tally, *, lowest: float = 0.2, cores: int = 1
) -> MarginalLikelihood:
    """Tabulate the lattices of a tally for a box about `CENTRE`."""
    names = ["mu", "tau", "tuning_sd"]
    if family != "poisson":
        names += ["mu_delta", "tau_delta"]
    ends = {"mu": (0.8, 1.2), "tau": (0.6, 1.0), "tuning_sd": (lowest, 0.6)}
    ends |= {"mu_delta": (-1.2, -0.8), "tau_delta": (0.4, 0.6)}
    corners = {name: np.array([CENTRE[name], *ends[name]]) for name in names}
    dispersion = None if family == "poisson" else DISPERSION
    region = Region(RATE, dispersion, corners, (0.5, 0.3), FINE, TuningLevel())
    statistics = response_statistics(FAMILIES[family], tally)
    return tabulate(FAMILIES[family], statistics, region, cores)


def points(marginal: MarginalLikelihood, count: int) -> dict[str, np.ndarray]:
    """Draw hyperparameters from within the box."""
    rng = np.random.default_rng(5)
    corners = marginal.region.corners
    return {name: rng.uniform(of.min(), of.max(), count) for name, of in corners.items()}


def brute_force(family: str, tally: Tally, neuron: int, phi: dict[str, float]) -> float:
    """Sum ln p_i(φ) by dense sums over θ of every response, a and δ."""
    s = response_statistics(FAMILIES[family], tally)
    a = np.linspace(phi["mu"] - 7, phi["mu"] + 7, 201)
    delta = np.zeros(1) if family == "poisson" else np.linspace(-5.5, 2.5, 81)
    log_l = np.zeros((len(a), len(delta)))
    for response in np.flatnonzero(s.neuron == neuron):
        one = s.each.of_neurons(np.array([response]))
        theta = np.linspace(-14, 12, 2601)
        log_p = FAMILIES[family].log_likelihood(theta[:, None, None], delta[None, :, None], one)
        spread = stats.norm.logpdf(theta, a[:, None], phi["tuning_sd"]) + np.log(
            theta[1] - theta[0]
        )
        for k in range(len(delta)):
            log_l[:, k] += special.logsumexp(spread + log_p[:, k, 0], axis=1)
    log_l += (stats.norm.logpdf(a, phi["mu"], phi["tau"]) + np.log(a[1] - a[0]))[:, None]
    if family != "poisson":
        log_l += stats.norm.logpdf(delta, phi["mu_delta"], phi["tau_delta"])
        log_l += np.log(delta[1] - delta[0])
    return float(special.logsumexp(log_l))


@pytest.mark.parametrize("family", ["poisson", "nb2", "nb1"])
@pytest.mark.parametrize(("neuron", "lowest"), [(0, 0.2), (1, 1e-3)])
def test_integrals_are_those_of_brute_force(family, neuron, lowest):
    """Within the contract of 1e-6, also where ω may be far below what the nodes of θ resolve."""
    tally = tuned_tally(family, 3, neurons=2, conditions=3)
    marginal = tabulated(family, tally, lowest=lowest)
    phi = points(marginal, 2)
    found = marginal.by_neuron(phi, 2)
    one = {name: float(of[0]) for name, of in phi.items()}
    assert found[neuron, 0] == pytest.approx(brute_force(family, tally, neuron, one), abs=1e-6)


def test_one_lattice_serves_hyperparameters_that_differ_widely():
    """As few neurons leave them: ω from 0.01 to 2.5, τ to 4.9; against dense sums."""
    tally = tuned_tally("poisson", 11, neurons=4, conditions=3)
    s = response_statistics(FAMILIES["poisson"], tally)
    ends = np.array([(-1.0, 3.4), (0.03, 4.9), (0.01, 2.5)])
    signs = np.array([*itertools.product((0, 1), repeat=3)])
    names = ("mu", "tau", "tuning_sd")
    corners = {n: np.array([CENTRE[n], *ends[i][signs[:, i]]]) for i, n in enumerate(names)}
    region = Region(RATE, None, corners, (0.5, 0.3), FINE, TuningLevel())
    marginal = tabulate(FAMILIES["poisson"], s, region, 1)
    assert max(part.rows.length.max() for part in marginal.parts) <= 1024
    z = np.linspace(-9, 9, 1501)
    spread = stats.norm.logpdf(z) + np.log(z[1] - z[0])
    for sd, tau in itertools.product((0.02, 0.3, 2.2), (0.1, 4.0)):
        reach = 20 * tau
        a = np.linspace(1 - reach, 1 + reach, int(2 * reach / min(0.05, tau / 6)))
        wanted = np.tile(stats.norm.logpdf(a, 1, tau) + np.log(a[1] - a[0]), (4, 1))
        for response, neuron in enumerate(s.neuron):
            one = s.each.of_neurons(np.array([response]))
            theta = (a[:, np.newaxis] + sd * z)[..., np.newaxis]
            log_p = FAMILIES["poisson"].log_likelihood(theta, np.zeros(1), one)[..., 0]
            wanted[neuron] += special.logsumexp(log_p + spread, axis=1)
        phi = {name: np.array([of]) for name, of in zip(names, (1.0, tau, sd), strict=True)}
        found = marginal.by_neuron(phi, 1)[:, 0]
        np.testing.assert_allclose(found, special.logsumexp(wanted, axis=1), rtol=0, atol=1e-7)


def test_bits_depend_on_neither_threads_nor_company():
    """Also not on what memory held before: a block once reached beyond its rows."""
    tally = tuned_tally("nb2", 4, neurons=30, conditions=2)
    marginal = tabulated("nb2", tally)
    phi = points(marginal, 64)
    first = marginal.by_neuron(phi, 64)
    assert np.isfinite(first).all()
    for _ in range(3):
        np.random.default_rng(0).normal(size=(64, 64)) * np.nan  # leaves NaN in freed memory
        np.testing.assert_array_equal(replace(marginal, cores=2).by_neuron(phi, 64), first)
    some = np.array([1, 7, 29])
    np.testing.assert_array_equal(marginal.of_neurons(some).by_neuron(phi, 64), first[some])


@pytest.mark.parametrize("length", [12, 16, 40])
def test_blocks_are_multiples_of_four_within_the_lattice(length):
    """And leave out nothing that matters."""
    rng = np.random.default_rng(length)
    for _ in range(300):
        bound = np.exp(-((np.arange(length) - rng.uniform(0, length)) ** 2) * rng.exponential(8))
        bounds = np.stack([bound, bound], axis=1)
        low, high = kernels_tuned._reach(bounds, np.ones(length), 0, length)
        assert 0 <= low < high <= length
        assert (high - low) % 4 == 0
        matters = np.flatnonzero(bound > 1e-16 * bound.max())
        assert low <= matters[0]
        assert matters[-1] < high


@pytest.mark.parametrize(("lower", "upper"), [(0.4, 0.6), (0.05, 2.0), (1e-9, 3.0), (0.5, 0.5)])
def test_logarithms_are_interpolated_along_tuning_sd(lower, upper):
    """A sum over responses of ln N(x; 0, σ² + ω²), with standard errors σ from 0.05 on."""
    axis = make_tuning_axis(np.array([lower, upper]), 0.05, 3e-8)
    error = np.array([0.05, 0.1, 0.3, 1.4])[:, np.newaxis]
    departure = np.array([0.1, 0.4, 0.2, 1.0])[:, np.newaxis]

    def log_density(sd: np.ndarray) -> np.ndarray:
        return stats.norm.logpdf(departure, 0, np.sqrt(error**2 + sd**2)).sum(axis=0)

    sd = np.linspace(lower, upper, 101)
    found = axis.coefficients(sd) @ log_density(axis.sd)
    np.testing.assert_allclose(found, log_density(sd), atol=2e-7)


def test_exponentials_to_the_last_digit():
    """Against NumPy, over the whole range and beyond it."""
    x = np.concatenate([np.linspace(-720, 710, 4001), [0.0, -0.0, 1e-300, 700.0]])
    wanted = np.exp(np.clip(x, -708, 700))
    line = x.copy()
    exponentials(line, len(line), np.empty(len(line)))
    np.testing.assert_allclose(line, wanted, rtol=4e-16)


@pytest.mark.parametrize("family", ["poisson", "nb2"])
def test_gradient_is_the_slope(family):
    """Of the sum over all neurons, along every hyperparameter."""
    marginal = tabulated(family, tuned_tally(family, 6))
    at = {name: CENTRE[name] for name in marginal.region.corners}
    total, gradient = total_with_gradient(marginal, at)
    assert total == pytest.approx(marginal.total({n: np.array([v]) for n, v in at.items()}, 1)[0])
    for name, value in at.items():
        ends = {other: np.full(2, of) for other, of in at.items()}
        ends[name] = value + np.array([-1e-4, 1e-4])
        below, above = marginal.total(ends, 2)
        assert gradient[name] == pytest.approx((above - below) / 2e-4, rel=1e-4, abs=1e-5)


def evaluated(of, values):
    """Value of a tensor, given those of the variables it may depend on."""
    used = set(explicit_graph_inputs([of]))
    return of.eval({variable: value for variable, value in values.items() if variable in used})


@pytest.mark.parametrize("condition_pooling", ["partial", "none"])
def test_pymc_model_is_the_formula(condition_pooling):
    """θ_ic ~ N(a_i, ω²), a_i ~ N(μ, τ²): densities from SciPy alone."""
    tally = tuned_tally("nb2", 8)
    spec = ModelSpec("nb2", "partial", "partial", condition_pooling=condition_pooling)
    priors = default_priors(tally)
    model = build_model(spec, tally, priors)
    rng = np.random.default_rng(9)
    point = {name: rng.normal(0, 0.3, of.shape) for name, of in model.initial_point().items()}
    free = model.replace_rvs_by_values([model["theta"], model["delta"], model["response"]])
    values = dict(zip(model.value_vars, [point[v.name] for v in model.value_vars], strict=True))
    theta, delta, response = (evaluated(of, values) for of in free)
    potential = float(evaluated(model.replace_rvs_by_values([model.potentiallogp])[0], values))
    responses = tally.responses
    alpha = np.exp(2 * delta)[responses.neuron[responses.of_cell]]
    mean = np.exp(response[responses.of_cell]) * tally.exposure
    counts = stats.nbinom.logpmf(tally.count, 1 / alpha, 1 / (1 + alpha * mean))
    assert potential == pytest.approx(float(np.sum(tally.weight * counts)), abs=1e-8)
    assert response.shape == (responses.size,)
    assert theta.shape == (tally.n_neurons,)


@pytest.mark.statistical
@pytest.mark.parametrize("family", ["poisson", "nb2"])
def test_marginals_and_joint_draws_agree(family):
    """Of every response and neuron: 1,000 draws in layers, each mean within 0.2 sd."""
    tally = tuned_tally(family, 11, neurons=20, conditions=6)
    dispersion = None if family == "poisson" else "partial"
    spec = ModelSpec(family, "partial", dispersion, condition_pooling="partial")
    priors, options = default_priors(tally), SummaryOptions(0.9, 1.1)
    posterior = compute_posterior(
        spec, tally, priors, EngineOptions(engine="collapsed"), options, Silent()
    )
    estimates = summarise_neurons(posterior, tally, priors, options)
    certificate = posterior.quadrature.certificate
    assert certificate.problems == ()
    assert certificate.worst_error < 1e-5
    drawn, of = posterior.draws.flat_response, estimates.responses
    assert np.max(np.abs(drawn.mean(axis=0) - of.log_rate.mean) / of.log_rate.sd) < 0.2
    np.testing.assert_allclose(drawn.std(axis=0), of.log_rate.sd, rtol=0.15)
    within = (drawn > of.log_rate.lower) & (drawn < of.log_rate.upper)
    assert np.all(np.abs(within.mean(axis=0) - 0.9) < 0.05)
    rate = mean_over_conditions(tally, np.exp(drawn))
    np.testing.assert_allclose(estimates.rate.mean, rate.mean(axis=0), rtol=0.05)
    strength = np.median(tuning_strength(tally, drawn), axis=0)
    np.testing.assert_allclose(estimates.tuning.median, strength)
    assert posterior.quadrature.leave_out.trial.shape == tally.count.shape
    assert np.isfinite(posterior.quadrature.leave_out.trial).all()


def test_rough_lattices_leave_trials_out_as_well_as_fine_ones(monkeypatch):
    """Within 1e-5 nats, a hundredth of what is promised of a density; one count is a burst."""
    tally = tuned_tally("poisson", 12, neurons=4, conditions=2)
    burst = np.where(np.arange(len(tally.count)) == 5, 4 * tally.count.max(), tally.count)
    tally = replace(tally, count=burst)
    spec = ModelSpec("poisson", "partial", None, condition_pooling="partial")

    def densities():
        posterior = compute_posterior(
            spec,
            tally,
            default_priors(tally),
            EngineOptions(engine="collapsed"),
            SummaryOptions(0.9, 1.1),
            Silent(),
        )
        return posterior.quadrature.leave_out.trial

    rough = densities()
    monkeypatch.setattr(leave_out, "ROUGH", leave_out.FINE)
    fine = densities()
    np.testing.assert_allclose(rough, fine, rtol=0, atol=1e-5)
    assert np.any(rough != fine)


@pytest.mark.parametrize("family", ["poisson", "nb2", "nb1"])
def test_populations_of_hardly_any_neurons_are_tabulated_without_a_warning(family):
    """With two neurons τ and ω reach so far that e^θ would overflow: warnings are errors here.

    What is added to the region does not change the integrals at its centre.
    """
    tally = tuned_tally(family, seed=1, neurons=2, conditions=2)
    near = tabulated(family, tally)
    corners = {name: np.append(of, CENTRE[name]) for name, of in near.region.corners.items()}
    corners["tau"][-1], corners["tuning_sd"][-1] = 60.0, 20.0
    region = replace(near.region, corners=corners)
    far = tabulate(FAMILIES[family], response_statistics(FAMILIES[family], tally), region, 1)
    phi = {name: np.array([CENTRE[name]]) for name in corners}
    wide = {**phi, "tau": np.array([60.0]), "tuning_sd": np.array([20.0])}
    np.testing.assert_allclose(far.by_neuron(phi, 1), near.by_neuron(phi, 1), rtol=0, atol=1e-6)
    assert np.isfinite(far.by_neuron(wide, 1)).all()


@pytest.mark.statistical
@pytest.mark.parametrize("family", ["poisson", "nb2"])
def test_means_of_responses_repeat_within_their_errors(family):
    """Two seeds differ by less than 5 reported standard errors, and not by nothing.

    The errors are far below the sds, since only the sample of hyperparameters is finite.
    """
    spec = ModelSpec(
        family, "partial", None if family == "poisson" else "partial", condition_pooling="partial"
    )
    tally = tuned_tally(family, seed=3, neurons=6)
    priors, summary = default_priors(tally), SummaryOptions(0.9, 1.1)
    one, two = (
        compute_posterior(
            spec, tally, priors, EngineOptions(engine="collapsed", seed=seed), summary, Silent()
        ).quadrature.responses
        for seed in (1, 2)
    )
    gap = np.abs(one.log_rate.mean - two.log_rate.mean)
    assert np.all(gap > 0)
    assert np.all(gap < 5 * np.hypot(one.log_rate_mcse, two.log_rate_mcse))
    assert np.all(one.log_rate_mcse < 0.05 * one.log_rate.sd)


def test_error_of_a_mean_is_that_of_its_part_that_the_population_moves():
    """θ = μ/2 + ln τ/3 + noise, of draws with equal weights: within a tenth."""
    rng = np.random.default_rng(6)
    mu, log_tau, noise = rng.normal(size=(3, 4000))
    response = np.stack([mu / 2 + log_tau / 3 + noise, mu], axis=1).astype(np.float32)
    phi = {"mu": mu, "tau": np.exp(log_tau)}
    error = error_of_responses(response, phi, np.full(500, 1 / 500))
    np.testing.assert_allclose(error, np.sqrt([(1 / 4 + 1 / 9) / 500, 1 / 500]), rtol=0.1)

"""Gains that time draws anew: both engines, dense grids by SciPy, and data that tell them apart."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import Tally, tally_counts
from spikepool.diagnostics.cross_check import compare_engines
from spikepool.engines.collapsed.engine import integrate_posterior
from spikepool.engines.nuts import sample_posterior
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.summaries import summarise_neurons
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Silent

REFERENCE = 1.1
BY_TRIAL = ModelSpec("nb2", "partial", "partial")
BY_TIME = replace(BY_TRIAL, reference_exposure=REFERENCE)
OPTIONS = SummaryOptions(0.9, 1.1, 2000)


def simulated(scaling, neurons=20, trials=40, exposures=(0.2, 2.0), seed=1):
    """Return the tally of neurons with gain sds of 0.6 in 1.1 s, or in every trial.

    The exposures take turns; every trial has a gamma gain, of a variance by its own exposure.
    """
    rng = np.random.default_rng(seed)
    rate = np.exp(rng.normal(np.log(10.0), 1.0, neurons))
    exposure = np.tile(np.resize(exposures, trials), neurons)
    shape = 1 / 0.36 * (exposure / REFERENCE if scaling == "duration" else 1.0)
    gain = rng.gamma(shape, 1 / shape, len(exposure))
    neuron = np.repeat(np.arange(neurons), trials)
    names = tuple(f"n{i:02d}" for i in range(neurons))
    count = rng.poisson(rate[neuron] * exposure * gain)
    return tally_counts(
        SpikeCounts(Labels("neuron", names, neuron), count, exposure, exposure_known=True)
    )


def integrate(spec, tally, seed=0):
    """Compute a posterior by quadrature, with the default priors."""
    options = EngineOptions(engine="collapsed", seed=seed)
    return integrate_posterior(spec, tally, default_priors(tally), options, OPTIONS, Silent())


def of_neuron(tally: Tally, i):
    """Return exposures and counts of one neuron's trials."""
    cells = tally.neuron == i
    repeat = tally.weight[cells]
    return np.repeat(tally.exposure[cells], repeat), np.repeat(tally.count[cells], repeat)


def dense_posterior(tally, i, prior):
    """Return θ, δ, their posterior without pooling and ln p(y), on a dense grid, by SciPy's pmf.

    Below δ = −9 it is Poisson's: SciPy's negative binomial loses its digits there.
    """
    exposure, count = of_neuron(tally, i)
    theta = np.linspace(-6, 14, 1601)
    delta = np.linspace(-20, 2.2, 1111)
    x, d = theta[:, np.newaxis], delta
    log_density = stats.norm.logpdf(x, prior.mean, prior.sd) + stats.halfnorm.logpdf(np.exp(d)) + d
    for e, y in zip(exposure, count, strict=True):
        size = e / (np.exp(2 * d) * REFERENCE)
        mean = np.exp(x) * e
        nb = stats.nbinom.logpmf(y, size, size / (size + mean))
        log_density = log_density + np.where(d < -9, stats.poisson.logpmf(y, mean), nb)
    area = (theta[1] - theta[0]) * (delta[1] - delta[0])
    evidence = float(special.logsumexp(log_density)) + np.log(area)
    return theta, delta, special.softmax(log_density), evidence


def test_unpooled_neurons_are_dense_grids():
    """By SciPy's pmf: ln p(y) to 1e-5, means and sds to 0.002 sd, probabilities to 0.01."""
    tally = simulated("duration", neurons=4, trials=6)
    spec = ModelSpec("nb2", "none", "none", reference_exposure=REFERENCE)
    posterior = integrate(spec, tally)
    prior, found = default_priors(tally).theta, posterior.quadrature.marginals
    for i in range(tally.n_neurons):
        theta, delta, density, evidence = dense_posterior(tally, i, prior)
        assert posterior.quadrature.leave_out.neuron[i] == pytest.approx(evidence, abs=1e-5)
        for summary, x, mass in (
            (found.log_rate, theta, density.sum(axis=1)),
            (found.dispersion.log_dispersion, delta, density.sum(axis=0)),
        ):
            mean = mass @ x
            sd = np.sqrt(mass @ (x - mean) ** 2)
            assert summary.mean[i] == pytest.approx(mean, abs=2e-3 * sd)
            assert summary.sd[i] == pytest.approx(sd, rel=2e-3)
        fano = 1 + np.exp(theta[:, np.newaxis] + 2 * delta) * REFERENCE
        below = [
            density[fano < bound[i]].sum()
            for bound in (found.dispersion.fano.lower, found.dispersion.fano.median)
        ]
        assert below == pytest.approx([0.05, 0.5], abs=0.01)
        above = density[fano > OPTIONS.fano_threshold].sum()
        assert found.dispersion.prob_fano_above[i] == pytest.approx(above, abs=0.01)


def test_gain_sds_are_of_the_reference_and_fano_factors_of_any_exposure():
    """σ_G = e^δ; 1 + α λ e_ref of all neurons, as of the joint draws within Monte Carlo error."""
    tally = simulated("duration", neurons=8, trials=15)
    posterior = integrate(BY_TIME, tally)
    estimates = summarise_neurons(posterior, tally, default_priors(tally), OPTIONS)
    draws, found = posterior.draws, estimates.dispersion
    np.testing.assert_allclose(found.gain_sd.median, np.exp(found.log_dispersion.median), rtol=1e-9)
    fano = 1 + np.exp(draws.flat_theta + 2.0 * draws.flat_delta) * REFERENCE
    for part, mass in (("lower", 0.05), ("median", 0.5), ("upper", 0.95)):
        below = np.mean(fano < getattr(found.fano, part), axis=0)
        # 5 standard errors of 2,000 draws: a false alarm in 24 comparisons is 1e-5
        assert np.all(np.abs(below - mass) < 5 * np.sqrt(mass * (1 - mass) / 2000))


@pytest.mark.parametrize("poolings", [("partial", "partial"), ("complete", "complete")])
def test_equal_exposures_have_the_posterior_of_one_gain_a_trial(poolings, monkeypatch):
    """With the same random numbers every hyperparameter and left-out density is the same."""
    for module in ("engine", "certified_search"):
        name = f"spikepool.engines.collapsed.{module}.model_seed"
        monkeypatch.setattr(name, lambda seed, _: seed)
    tally = simulated("trial", neurons=6, trials=10, exposures=(0.7,))
    spec = ModelSpec("nb2", *poolings)
    one = integrate(spec, tally).quadrature
    other = integrate(replace(spec, reference_exposure=0.7), tally).quadrature
    for name, values in one.hyperparameters.values.items():
        np.testing.assert_allclose(other.hyperparameters.values[name], values, rtol=1e-6)
    np.testing.assert_allclose(other.leave_out.trial, one.leave_out.trial, rtol=1e-6)
    np.testing.assert_allclose(other.leave_out.neuron, one.leave_out.neuron, rtol=1e-6)
    fano, wanted = other.marginals.dispersion.fano, one.marginals.dispersion.fano
    np.testing.assert_allclose(fano.median, wanted.median, rtol=1e-6)


def test_nuts_agrees():
    """Every neuron's θ and δ by both engines, on exposures that differ tenfold."""
    tally = simulated("duration", neurons=6, trials=12)
    priors = default_priors(tally)
    posterior = integrate(BY_TIME, tally)
    estimates = summarise_neurons(posterior, tally, priors, OPTIONS)
    options = EngineOptions(engine="nuts", draws=1500, tune=1000, chains=4, seed=2)
    draws = sample_posterior(BY_TIME, tally, priors, options, Silent())
    check = compare_engines(estimates, draws, OPTIONS.interval)
    assert check.agrees, check


@pytest.mark.parametrize("true", ["trial", "duration"])
def test_data_with_tenfold_exposures_tell_how_gains_scale(true):
    """Left-out trials are predicted better by the scaling that they were simulated with.

    By more than three standard errors over 20 neurons.
    """
    tally = simulated(true)
    right, wrong = (BY_TIME, BY_TRIAL) if true == "duration" else (BY_TRIAL, BY_TIME)
    scores = [integrate(spec, tally).quadrature.leave_out for spec in (right, wrong)]
    lead = scores[0].trial_by_neuron - scores[1].trial_by_neuron
    assert lead.sum() > 3 * lead.std(ddof=1) * np.sqrt(len(lead))

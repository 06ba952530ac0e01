"""Hyperparameters by their names in the model and in words."""

import numpy as np
import pytest
from scipy import stats

from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import Posterior
from spikepool.posterior.population import reported_hyperparameters, summarise_population
from spikepool.posterior.quadrature import HyperparameterSample, Quadrature

RNG = np.random.default_rng(1)
MU, TAU, MU_DELTA, TAU_DELTA = RNG.normal(size=(4, 400))


@pytest.fixture
def summarise(make_draws):
    """Return a function from hyperparameters to their summaries by name."""

    def make(*parts, **population):
        draws = make_draws(ModelSpec(*parts), np.zeros((400, 2)), None, population)
        found = summarise_population(Posterior(draws), 0.9)
        return {each.parameter: each for each in found}

    return make


def test_nb2_partial_in_words(summarise):
    """Typical rate, spread and gain are exp μ, exp τ and exp μ_δ beside the model's own four."""
    found = summarise(
        "nb2", "partial", "partial", mu=MU, tau=TAU, mu_delta=MU_DELTA, tau_delta=TAU_DELTA
    )
    assert list(found) == [
        "mu", "tau", "mu_delta", "tau_delta",
        "typical_rate", "rate_spread_fold", "typical_gain_sd",
    ]  # fmt: skip
    words = {"typical_rate": MU, "rate_spread_fold": TAU, "typical_gain_sd": MU_DELTA}
    for name, values in words.items():
        assert found[name].mean == pytest.approx(np.exp(values).mean())
        lower, median, upper = np.quantile(np.exp(values), [0.05, 0.5, 0.95])
        assert (found[name].lower, found[name].median, found[name].upper) == pytest.approx(
            (lower, median, upper)
        )


def test_nb1_reports_the_excess_fano_factor_and_not_its_root(summarise):
    """ω = e^{2δ}: squared where it is shared, exp 2μ_δ where it has a population."""
    shared = summarise("nb1", "complete", "complete", mu=MU, root_excess_fano=np.exp(MU_DELTA))
    assert list(shared) == ["mu", "excess_fano", "typical_rate"]
    assert shared["excess_fano"].mean == pytest.approx(np.exp(2 * MU_DELTA).mean())
    pooled = summarise("nb1", "none", "partial", mu_delta=MU_DELTA, tau_delta=TAU_DELTA)
    assert list(pooled) == ["mu_delta", "tau_delta", "typical_excess_fano"]
    assert pooled["typical_excess_fano"].mean == pytest.approx(np.exp(2 * MU_DELTA).mean())


def test_shared_gain_is_reported_as_it_is(summarise):
    """NB2's σ_G."""
    found = summarise("nb2", "complete", "complete", mu=MU, gain_sd=np.exp(MU_DELTA))
    assert list(found) == ["mu", "gain_sd", "typical_rate"]
    assert found["gain_sd"].sd == pytest.approx(np.exp(MU_DELTA).std(ddof=1))


def test_no_pooling_has_no_population(summarise):
    """Nothing to report."""
    assert summarise("nb2", "none", "none") == {}


def test_every_parameter_has_its_group_and_its_mixing(summarise):
    """Independent draws mix: R-hat near 1, an effective sample size near their number.

    Rank statistics do not see a monotone transformation, so words mix as their parameters do.
    """
    found = summarise("poisson", "partial", None, mu=MU, tau=TAU)
    assert {each.group for each in found.values()} == {"all"}
    assert found["typical_rate"].ess_bulk == pytest.approx(found["mu"].ess_bulk)
    assert found["mu"].ess_bulk > 200


def test_draws_keep_their_chains():
    """Whatever their shape: (chains, draws) for the trace, (draws,) of a weighted sample."""
    spec = ModelSpec("poisson", "complete", None)
    for mu in (MU, MU.reshape(4, 100)):
        reported = reported_hyperparameters(spec, {"mu": mu})
        assert reported["mu"].shape == reported["typical_rate"].shape == mu.shape


class TestPopulationsInWords:
    """exp E[θ] and exp sd[θ] of every population of log rates."""

    def words(self, population, **hyperparameters):
        """Return the typical rate and the spread."""
        spec = ModelSpec("poisson", "partial", None, population)
        arrays = {name: np.array(values) for name, values in hyperparameters.items()}
        reported = reported_hyperparameters(spec, arrays)
        assert list(reported) == [*hyperparameters, "typical_rate", "rate_spread_fold"]
        return reported["typical_rate"], reported["rate_spread_fold"]

    def test_gamma(self):
        """Of the logarithm of a gamma variable, by SciPy."""
        shapes, rates = [0.2, 1.0, 30.0], [0.1, 3.0, 2.0]
        typical, spread = self.words("gamma", a=shapes, b=rates)
        for i, (shape, rate) in enumerate(zip(shapes, rates, strict=True)):
            log_rate = stats.loggamma(shape)
            assert typical[i] == pytest.approx(np.exp(log_rate.mean()) / rate)
            assert spread[i] == pytest.approx(np.exp(log_rate.std()))

    def test_student_t(self):
        """The sd of four degrees of freedom is √2 times the scale."""
        typical, spread = self.words("student-t", mu=[1.0, -2.0], tau=[0.3, 2.0])
        np.testing.assert_allclose(typical, np.exp([1.0, -2.0]))
        np.testing.assert_allclose(np.log(spread), stats.t(4).std() * np.array([0.3, 2.0]))


class TestWeightedSample:
    """Hyperparameters of the collapsed engine."""

    @pytest.fixture
    def summarise_sample(self, make_draws):
        """Return a function from a weighted sample to its summaries by name."""

        def make(spec, weights, **values):
            draws = make_draws(spec, np.zeros((3, 2)))  # of another size, and not looked at
            sample = HyperparameterSample(values, weights, 0.1)
            posterior = Posterior(draws, Quadrature(sample, None, None, None))
            return {each.parameter: each for each in summarise_population(posterior, 0.9)}

        return make

    def test_equal_weights_are_plain_draws(self, summarise_sample):
        """Mean, sd and, but for the convention of interpolation, quantiles."""
        spec = ModelSpec("poisson", "partial", None)
        found = summarise_sample(spec, np.full(400, 1 / 400), mu=MU, tau=np.abs(TAU))
        assert list(found) == ["mu", "tau", "typical_rate", "rate_spread_fold"]
        values = np.exp(MU)
        assert found["typical_rate"].mean == pytest.approx(values.mean())
        assert found["typical_rate"].sd == pytest.approx(values.std())
        wanted = np.quantile(values, [0.05, 0.5, 0.95], method="hazen")
        one = found["typical_rate"]
        assert (one.lower, one.median, one.upper) == pytest.approx(tuple(wanted))

    def test_weights_count(self, summarise_sample):
        """Integer weights are repeated draws; NB1's shared dispersion is squared."""
        copies = np.random.default_rng(2).integers(1, 6, size=400)
        spec = ModelSpec("nb1", "complete", "complete")
        roots = np.exp(MU_DELTA)
        found = summarise_sample(spec, copies / copies.sum(), mu=MU, root_excess_fano=roots)
        repeated = np.repeat(roots**2, copies)
        assert list(found) == ["mu", "excess_fano", "typical_rate"]
        assert found["excess_fano"].mean == pytest.approx(repeated.mean())
        assert found["excess_fano"].sd == pytest.approx(repeated.std())

    def test_diagnosed_by_its_effective_size(self, summarise_sample):
        """(Σw)²/Σw²; R-hat has no meaning without chains."""
        weights = np.array([0.5, 0.25, 0.25])
        spec = ModelSpec("poisson", "complete", None)
        found = summarise_sample(spec, weights, mu=np.array([0.0, 1.0, 2.0]))["mu"]
        assert found.ess_bulk == found.ess_tail == pytest.approx(1 / 0.375)
        assert np.isnan(found.r_hat)

    def test_no_pooling_has_no_population(self, summarise_sample):
        """Nothing to report."""
        assert summarise_sample(ModelSpec("nb2", "none", "none"), np.ones(1)) == {}

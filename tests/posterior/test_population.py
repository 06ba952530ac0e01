"""Hyperparameters by their names in the model and in words."""

import numpy as np
import pytest

from spikepool.models.spec import ModelSpec
from spikepool.posterior.population import reported_hyperparameters, summarise_population

RNG = np.random.default_rng(1)
MU, TAU, MU_DELTA, TAU_DELTA = RNG.normal(size=(4, 400))


@pytest.fixture
def summarise(make_draws):
    """Return a function from hyperparameters to their summaries by name."""

    def make(*parts, **population):
        draws = make_draws(ModelSpec(*parts), np.zeros((400, 2)), None, population)
        return {each.parameter: each for each in summarise_population(draws, 0.9)}

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


def test_draws_keep_their_chains(make_draws):
    """Shape (chains, draws), for the trace."""
    spec = ModelSpec("poisson", "complete", None)
    reported = reported_hyperparameters(make_draws(spec, np.zeros((400, 2)), None, {"mu": MU}))
    assert reported["mu"].shape == reported["typical_rate"].shape == (1, 400)

"""Joined groups by quadrature against chains of all parameters, and what weights put right."""

import dataclasses

import numpy as np
import pytest

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines import dispatch
from spikepool.engines.collapsed import joined_search
from spikepool.engines.collapsed.engine import UncertifiedError, refuse_uncertified
from spikepool.models.families import FAMILIES
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.mixing import measure_mixing
from spikepool.posterior.quadrature import Certificate
from spikepool.posterior.summaries import summarise_neurons
from spikepool.posterior.summary import SummaryOptions
from spikepool.posterior.within import (
    posteriors_of_groups,
    posteriors_of_pairs,
    summarise_within,
)
from spikepool.progress import Silent

AREA, ANIMAL = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 1, 2])
"""Of five pairs: three animals, two of them in both areas."""
SUMMARY = SummaryOptions(0.95, 1.1)
POISSON = ModelSpec("poisson", "partial", None, condition_pooling="partial", within="crossed")
NB2 = ModelSpec("nb2", "partial", "partial", within="crossed")
SHARED = ModelSpec("nb1", "partial", "complete", within="crossed")


def table(spec, neurons, trials, conditions=1):
    """Simulate two areas of three animals; return the tally."""
    rng = np.random.default_rng(3)
    mean = 1.5 + 0.5 * AREA + np.array([0.2, -0.1, 0.3])[ANIMAL]
    pair = np.repeat(np.arange(len(AREA)), neurons)
    theta = rng.normal(mean[pair], 0.6)
    response = theta[:, np.newaxis] + rng.normal(0, 0.4, (len(pair), conditions))
    codes = np.repeat(np.arange(len(pair)), conditions * trials)
    condition = np.tile(np.repeat(np.arange(conditions), trials), len(pair))
    rate = np.exp(response[codes, condition] if conditions > 1 else theta[codes])
    dispersion = rng.lognormal(-1.0, 0.4, len(pair))[codes]
    return tally_counts(
        SpikeCounts(
            Labels("neuron", tuple(f"n{i}" for i in range(len(pair))), codes),
            FAMILIES[spec.family].sample(rate, dispersion, rng),
            np.ones(len(codes)),
            exposure_known=True,
            condition=(
                Labels("condition", tuple("abcdef"[:conditions]), condition)
                if conditions > 1
                else None
            ),
            group=Labels("area", ("A", "B"), AREA[pair][codes]),
            within=Labels("animal", ("x", "y", "z"), ANIMAL[pair][codes]),
        )
    )


def fitted(spec, tally, **options):
    """Fit with a given engine."""
    return dispatch.compute_posterior(
        spec, tally, default_priors(tally), EngineOptions(**options), SUMMARY, Silent()
    )


def assert_agree(spec, tally):
    """Hold the means of everything against those of chains.

    About 100 to 300 quantities, each within 5 standard errors of both engines and 0.02 sd: a false
    alarm in 10,000 runs.
    """
    integrated = fitted(spec, tally, engine="collapsed")
    assert integrated.quadrature.certificate.problems == ()
    sampled = fitted(spec, tally, engine="nuts")
    sample = integrated.quadrature.hyperparameters
    assert sample.values.keys() == sampled.draws.population.keys()
    for name, values in sample.values.items():
        chains = sampled.draws.population[name]
        mixing = measure_mixing(name, ("",), chains[:, :, np.newaxis])
        sd = chains.std()
        error = sd * np.sqrt(1 / mixing.ess_bulk[0] + 1 / sample.ess)
        gap = np.sum(sample.weights * values) - chains.mean()
        assert abs(gap) < 0.02 * sd + 5 * error, name
    estimates = [
        [
            summarise_neurons(each, part.tally, default_priors(tally), SUMMARY)
            for part, each in posteriors_of_pairs(posterior, tally)
        ]
        for posterior in (integrated, sampled)
    ]
    for exact, drawn in zip(*estimates, strict=True):
        error = np.hypot(exact.log_rate_mcse, drawn.log_rate_mcse)
        gap = np.abs(exact.log_rate.mean - drawn.log_rate.mean)
        assert np.all(gap < 0.02 * drawn.log_rate.sd + 5 * error)
        width = exact.log_rate.sd / drawn.log_rate.sd
        assert np.all(np.abs(np.log(width)) < 0.2)


@pytest.mark.statistical
def test_poisson_with_conditions_agrees_with_chains():
    """The smallest model that has everything: labels, conditions, two groups."""
    assert_agree(POISSON, table(POISSON, neurons=15, trials=4, conditions=3))


@pytest.mark.statistical
@pytest.mark.parametrize("spec", [NB2, SHARED], ids=["nb2", "nb1-shared"])
def test_dispersions_agree_with_chains(spec):
    """Dispersions of their own, and one that the neurons of a group share."""
    assert_agree(spec, table(spec, neurons=12, trials=10))


@pytest.mark.statistical
def test_conditions_and_dispersions_agree_with_chains():
    """Five coordinates for each pair."""
    spec = dataclasses.replace(NB2, condition_pooling="partial")
    assert_agree(spec, table(spec, neurons=8, trials=6, conditions=4))


@pytest.fixture(scope="module")
def poisson():
    """Poisson neurons without conditions, and their integrated posterior."""
    spec = ModelSpec("poisson", "partial", None, within="crossed")
    tally = table(spec, neurons=8, trials=5)
    return tally, fitted(spec, tally, engine="collapsed")


class TestParts:
    """What is known of all neurons is taken apart without loss."""

    def test_neurons_stand_in_the_tables_order(self, poisson):
        """Means of draws follow the raw log rates."""
        tally, posterior = poisson
        raw = np.log((tally.spike_count + 0.5) / tally.total_exposure)
        mean = posterior.draws.flat_theta.mean(axis=0)
        assert np.corrcoef(raw, mean)[0, 1] > 0.95

    def test_pairs_have_their_exact_marginals(self, poisson):
        """Neither draws nor those of another pair."""
        tally, posterior = poisson
        for (part, of_pair), known in zip(
            posteriors_of_pairs(posterior, tally), posterior.quadrature.pairs, strict=True
        ):
            assert of_pair.quadrature is known
            assert len(known.marginals.log_rate.mean) == len(part.neurons)
            drawn = of_pair.draws.flat_theta
            error = drawn.std(axis=0) / np.sqrt(len(drawn))
            assert np.all(np.abs(drawn.mean(axis=0) - known.marginals.log_rate.mean) < 5 * error)

    def test_groups_have_the_weighted_sample(self, poisson):
        """Not the joint draws, of which there are fewer."""
        tally, posterior = poisson
        sample = posterior.quadrature.hyperparameters
        groups = posteriors_of_groups(posterior, tally)
        assert list(groups) == ["A", "B"]
        for name, group in groups.items():
            np.testing.assert_array_equal(
                group.hyperparameters.values["mu"], sample.values[f"mu[{name}]"]
            )

    def test_effects_are_summarised_as_a_sample(self, poisson):
        """R̂ has no meaning for it."""
        tally, posterior = poisson
        rows = summarise_within(posterior, tally, 0.95)
        assert {row.parameter for row in rows} >= {"within_sd", "within_effect[x]"}
        assert all(np.isnan(row.r_hat) for row in rows)

    def test_every_trial_and_neuron_is_left_out_once(self, poisson):
        """Of all pairs, in the table's order."""
        tally, posterior = poisson
        left_out = posterior.quadrature.leave_out
        assert left_out.trial.shape == tally.count.shape
        assert np.isfinite(left_out.trial).all()
        assert np.isfinite(left_out.neuron).all()


@pytest.mark.statistical
def test_weights_put_a_wrong_polynomial_right(monkeypatch, poisson):
    """Polynomials fitted to a tilted likelihood: other draws, the same posterior."""
    tally, right = poisson

    class Tilted(joined_search.Pair):
        def refit(self, cloud, rng):
            super().refit(cloud, rng)
            tilted = self.surrogate.linear + 0.15
            self.surrogate = dataclasses.replace(self.surrogate, linear=tilted)

    monkeypatch.setattr(joined_search, "Pair", Tilted)
    found = fitted(right.draws.spec, tally, engine="collapsed").quadrature.hyperparameters
    sample = right.quadrature.hyperparameters
    assert found.weights.std() > 2 * sample.weights.std()
    for name, values in sample.values.items():
        first, second = (np.sum(each.weights * each.values[name]) for each in (sample, found))
        error = values.std() * np.sqrt(1 / sample.ess + 1 / found.ess)
        assert abs(first - second) < 5 * error, name


class TestChoiceOfEngine:
    """``auto`` goes by the size of the table, and by the certificate."""

    SPEC = ModelSpec("poisson", "partial", None, within="crossed")

    def test_few_neurons_are_sampled(self):
        """Chains of few parameters are quicker."""
        posterior = fitted(self.SPEC, table(self.SPEC, 4, 4), draws=50, tune=50)
        assert posterior.draws.engine == "nuts"
        assert "few enough" in posterior.notes[0]

    def test_many_are_integrated(self, monkeypatch):
        """From a number of neurons, or of neurons × conditions, on."""
        monkeypatch.setattr(dispatch, "LEAST_JOINED", 20)
        monkeypatch.setattr(dispatch, "integrate_joined", lambda *_: "integrated")
        assert fitted(self.SPEC, table(self.SPEC, 4, 4)) == "integrated"

    def test_failed_checks_are_sampled(self, monkeypatch):
        """And the reason is told."""
        nothing = np.full(3, np.nan)
        certificate = Certificate(nothing, nothing, 0.9, 900.0, 0.0, ("k̂ too large",))
        with pytest.raises(UncertifiedError):
            refuse_uncertified(certificate, EngineOptions(engine="auto"))
        refuse_uncertified(certificate, EngineOptions(engine="collapsed"))

        def fail(*_):
            raise UncertifiedError(certificate)

        monkeypatch.setattr(dispatch, "LEAST_JOINED", 0)
        monkeypatch.setattr(dispatch, "integrate_joined", fail)
        posterior = fitted(self.SPEC, table(self.SPEC, 4, 4), draws=50, tune=50)
        assert posterior.draws.engine == "nuts"
        assert "k̂ too large" in posterior.notes[-1]

"""Every limit of convergence fails where it should, and says which quantity of which neuron."""

import re
from dataclasses import replace

import numpy as np
import pytest

from spikepool.diagnostics import convergence
from spikepool.diagnostics.convergence import LEAST_ESS_PER_CHAIN
from spikepool.models.parametrization import Parametrization
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import Posterior, PosteriorDraws, SamplerStatistics
from spikepool.posterior.quadrature import Certificate, Quadrature

CHAINS, DRAWS = 4, 500
NEURONS = ("007", "a b", "n3")
SPEC = ModelSpec("nb2", "partial", "partial")


@pytest.fixture
def good():
    """Return independent draws of everything: no limit fails (R-hat < 1.01 by a wide margin)."""
    rng = np.random.default_rng(1)
    names = ("mu", "tau", "mu_delta", "tau_delta")
    return PosteriorDraws(
        spec=SPEC,
        engine="nuts",
        neurons=NEURONS,
        population={name: rng.normal(size=(CHAINS, DRAWS)) for name in names},
        theta=rng.normal(size=(CHAINS, DRAWS, 3)),
        delta=rng.normal(size=(CHAINS, DRAWS, 3)),
        parametrization=Parametrization(np.ones(3), np.ones(3)),
        sampler=SamplerStatistics(0, np.full(CHAINS, 0.9), 1, 0.0, 0.0),
    )


def check_convergence(draws, certificate=None):
    """Check draws, and the certificate of the collapsed engine where there is one."""
    quadrature = certificate and Quadrature(None, certificate, None, None)
    return convergence.check_convergence(Posterior(draws, quadrature))


def changed(draws, name, neuron, change):
    """Return the draws with those of one quantity changed by a function."""
    if name in draws.population:
        values = change(draws.population[name].copy())
        return replace(draws, population={**draws.population, name: values})
    values = getattr(draws, name).copy()
    values[:, :, neuron] = change(values[:, :, neuron])
    return replace(draws, **{name: values})


def one_chain_apart(values):
    """Move the last chain by two standard deviations."""
    values[-1] += 2
    return values


def all_stuck(values):
    """Let no draw move."""
    return np.zeros_like(values)


def slow(values):
    """Repeat every draw a hundred times: five independent draws in each chain."""
    return np.repeat(values[:, ::100], 100, axis=1)


def test_good_draws_pass(good):
    """Nothing to say, and every quantity is measured."""
    found = check_convergence(good)
    assert found.passed
    assert found.problems == ()
    assert [each.parameter for each in found.parameters] == [
        "mu", "tau", "mu_delta", "tau_delta", "theta", "delta",
    ]  # fmt: skip
    assert found.of("theta").neurons == NEURONS
    assert found.of("tau").neurons == ("",)
    assert found.of("sigma") is None
    assert (found.spec, found.engine) == (SPEC, "nuts")


@pytest.mark.parametrize(
    ("name", "neuron", "called"),
    [
        ("mu", None, "mu"),
        ("tau_delta", None, "tau_delta"),
        ("theta", 0, "theta of neuron '007'"),
        ("theta", 2, "theta of neuron 'n3'"),
        ("delta", 1, "delta of neuron 'a b'"),
    ],
)
def test_chains_that_disagree_are_named(good, name, neuron, called):
    """R-hat of the quantity and its limit, and what to do."""
    problems = check_convergence(changed(good, name, neuron, one_chain_apart)).problems
    assert any(
        re.fullmatch(
            rf"R\u0302 of {called} 1\.\d{{4}} \(wanted at most 1\.01\): raise --tune and --draws",
            problem,
        )
        for problem in problems
    )
    assert all(f" of {called} " in problem for problem in problems)


@pytest.mark.parametrize(("name", "neuron"), [("tau", None), ("theta", 1)])
def test_chains_that_never_move_fail(good, name, neuron):
    """No R-hat can be computed; that is a failure and not a pass."""
    problems = check_convergence(changed(good, name, neuron, all_stuck)).problems
    called = name if neuron is None else f"{name} of neuron 'a b'"
    assert any(problem.startswith(f"R\u0302 of {called} undefined ") for problem in problems)


class TestResponses:
    """What a neuron responds to each condition is held against the same limits."""

    LABELS = (("007", "left"), ("007", "right"), ("a b", "left"), ("n3", "right"))

    @pytest.fixture
    def tuned(self, good):
        """Return good draws of a model with conditions."""
        rng = np.random.default_rng(8)
        return replace(
            good,
            spec=replace(SPEC, condition_pooling="partial"),
            response=rng.normal(size=(CHAINS, DRAWS, 4)),
            response_labels=self.LABELS,
            parametrization=Parametrization(np.ones(3), np.ones(3), np.linspace(0, 1, 4)),
        )

    def test_all_are_measured(self, tuned):
        """By neuron and condition, with their centring."""
        found = check_convergence(tuned)
        assert found.passed
        response = found.of("response")
        assert tuple(zip(response.neurons, response.conditions, strict=True)) == self.LABELS
        np.testing.assert_array_equal(response.centring, np.linspace(0, 1, 4))
        assert np.all(response.ess_bulk > 1000)

    def test_centring_is_of_partial_pooling(self, tuned):
        """As for the neurons' rates."""
        fixed = replace(tuned, spec=replace(SPEC, condition_pooling="none"))
        assert check_convergence(fixed).of("response").centring is None

    @pytest.mark.parametrize("change", [one_chain_apart, slow, all_stuck])
    def test_one_that_does_not_mix_fails(self, tuned, change):
        """The problem names neuron and condition."""
        problems = check_convergence(changed(tuned, "response", 3, change)).problems
        assert problems
        assert all(" of response of neuron 'n3' to 'right' " in problem for problem in problems)


def test_one_stuck_chain_fails(good):
    """Three chains move, one stays at the mean."""

    def stick(values):
        values[0] = 0.0
        return values

    problems = check_convergence(changed(good, "theta", 2, stick)).problems
    assert any("theta of neuron 'n3'" in problem for problem in problems)


def test_slow_chains_have_too_few_effective_draws(good):
    """Bulk and tail each, against 100 per chain."""
    problems = check_convergence(changed(good, "tau", None, slow)).problems
    for kind in ("bulk", "tail"):
        assert any(
            re.fullmatch(
                rf"effective sample size \({kind}\) of tau \d+ \(wanted at least "
                rf"{CHAINS * LEAST_ESS_PER_CHAIN}\): raise --draws",
                problem,
            )
            for problem in problems
        )


def test_worst_neuron_is_the_one_named(good):
    """One problem per quantity, not one per neuron."""
    bad = changed(good, "theta", 0, one_chain_apart)
    worse = changed(bad, "theta", 1, lambda values: one_chain_apart(one_chain_apart(values)))
    r_hats = [p for p in check_convergence(worse).problems if p.startswith("R\u0302")]
    assert len(r_hats) == 1
    assert "'a b'" in r_hats[0]


def test_divergences_are_counted(good):
    """One is too many."""
    bad = replace(good, sampler=replace(good.sampler, divergences=1234))
    assert check_convergence(bad).problems == (
        "1,234 divergent transitions (wanted 0): raise --target-accept",
    )


def test_low_energy_information_of_any_chain_fails(good):
    """BFMI of the worst chain."""
    bad = replace(good, sampler=replace(good.sampler, bfmi=np.array([0.9, 0.2, 0.9, 0.9])))
    assert check_convergence(bad).problems == (
        "energy: BFMI 0.20 (wanted at least 0.3): raise --tune",
    )


def test_undefined_energy_information_fails(good):
    """NaN is no pass."""
    bad = replace(good, sampler=replace(good.sampler, bfmi=np.full(CHAINS, np.nan)))
    assert not check_convergence(bad).passed


def test_one_divergence_is_said_in_the_singular(good):
    """A sentence that a person would write."""
    bad = replace(good, sampler=replace(good.sampler, divergences=1))
    assert check_convergence(bad).problems[0].startswith("1 divergent transition (")


def test_shared_parameters_are_checked_once(good):
    """With complete pooling every θ_i is μ, and is not measured again."""
    shared = replace(
        good,
        spec=ModelSpec("nb2", "complete", "complete"),
        population={"mu": good.population["mu"], "gain_sd": good.population["tau"]},
    )
    assert [each.parameter for each in check_convergence(shared).parameters] == ["mu", "gain_sd"]


def test_poisson_without_pooling_has_rates_alone(good):
    """No hyperparameters, no dispersion."""
    alone = replace(good, spec=ModelSpec("poisson", "none", None), population={}, delta=None)
    found = check_convergence(alone)
    assert [each.parameter for each in found.parameters] == ["theta"]
    assert found.passed


def test_a_single_chain_is_not_enough(good):
    """R-hat needs two chains, and the one problem says so instead of one for every quantity."""
    alone = replace(
        good,
        population={name: values[:1] for name, values in good.population.items()},
        theta=good.theta[:1],
        delta=good.delta[:1],
        sampler=replace(good.sampler, bfmi=np.array([0.9])),
    )
    assert check_convergence(alone).problems == (
        "R\u0302 compares chains, and there is one: raise --chains",
    )


class TestCertificate:
    """The collapsed engine has no chains, and judges itself."""

    def certificate(self, *problems):
        """Return a certificate with these problems."""
        nothing = np.full(3, np.nan)
        return Certificate(nothing, nothing, 0.2, 900.0, 0.0, problems)

    def test_takes_the_place_of_the_chains(self, good):
        """Draws that would fail as chains are not looked at."""
        draws = replace(changed(good, "mu", None, all_stuck), engine="collapsed", sampler=None)
        certificate = self.certificate()
        found = check_convergence(draws, certificate)
        assert found.passed
        assert (found.parameters, found.sampler) == ((), None)
        assert found.certificate is certificate
        assert (found.spec, found.engine) == (SPEC, "collapsed")

    def test_its_problems_are_the_models(self, good):
        """In its words; more draws of a chain would not mend them."""
        found = check_convergence(replace(good, sampler=None), self.certificate("one", "two"))
        assert not found.passed
        assert found.problems == ("one", "two")
        assert not found.mixes_slowly

"""Which engine computes a posterior, and what is said when it is not the one planned."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines.collapsed import (
    certified_search,
    engine,
    hyperparameter_nuts,
    tuned_lattice,
)
from spikepool.engines.collapsed.lattice import FINE, FINER
from spikepool.engines.dispatch import compute_posterior
from spikepool.errors import NotConvergedError
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Silent

FEW = {"draws": 50, "tune": 100, "chains": 2}
SPEC = ModelSpec("poisson", "partial", None)
PROBLEMS = ("quadrature differs from a finer lattice by 3.0e-04", "too few draws")


def table(condition=None):
    """Return six Poisson neurons of eight trials."""
    counts = np.random.default_rng(1).poisson(np.linspace(1, 9, 6)[:, np.newaxis], (6, 8))
    return tally_counts(
        SpikeCounts(
            Labels("neuron", tuple("abcdef"), np.repeat(np.arange(6), 8)),
            counts.ravel(),
            np.ones(48),
            exposure_known=False,
            condition=condition,
        )
    )


@pytest.fixture
def compute():
    """Return a function from an engine to the posterior of a small table."""
    tally = table()

    def run(name, spec=SPEC):
        options = EngineOptions(engine=name, **FEW)
        summary = SummaryOptions(0.95, 1.1, 200)
        return compute_posterior(spec, tally, default_priors(tally), options, summary, Silent())

    return run


@pytest.fixture
def failing(monkeypatch):
    """Let every certificate have problems."""
    certify = certified_search.certify

    def fail(*arguments):
        return replace(certify(*arguments), problems=PROBLEMS)

    monkeypatch.setattr(certified_search, "certify", fail)


@pytest.fixture
def certify_worse(monkeypatch):
    """Return a function that worsens the certificates of some runs; returns what was certified."""
    certify, certified = certified_search.certify, []

    def worsen(**fields_of):
        def worse(problem, found, cores, chains=None):
            way = "nuts" if chains else {FINE: "fine", FINER: "finer"}[found.region.quality]
            certified.append(way)
            certificate = certify(problem, found, cores, chains)
            return replace(certificate, **fields_of.get(way, {}))

        monkeypatch.setattr(certified_search, "certify", worse)
        return certified

    return worsen


@pytest.fixture
def few_draws_by_nuts(monkeypatch):
    """Let NUTS of the hyperparameters give few draws."""
    monkeypatch.setattr(hyperparameter_nuts, "TUNE", 100)
    monkeypatch.setattr(hyperparameter_nuts, "DRAWS", 50)


def test_auto_is_the_collapsed_engine(compute):
    """Where it passes its own checks; the same numbers, and nothing to say."""
    found, wanted = compute("auto"), compute("collapsed")
    assert found.draws.engine == "collapsed"
    assert found.quadrature.certificate.problems == found.notes == ()
    np.testing.assert_array_equal(found.draws.theta, wanted.draws.theta)
    assert found.draws.theta.shape == (1, 200, 6)


def test_nuts_is_nuts(compute):
    """Chains with what the sampler says, and no quadrature."""
    found = compute("nuts")
    assert (found.draws.engine, found.quadrature, found.notes) == ("nuts", None, ())
    assert found.draws.theta.shape == (2, 50, 6)
    assert found.draws.sampler is not None


@pytest.mark.usefixtures("failing")
def test_auto_falls_back_to_nuts_and_says_why(compute):
    """What failed, in the certificate's words."""
    found = compute("auto")
    assert (found.draws.engine, found.quadrature) == ("nuts", None)
    (note,) = found.notes[-1:]
    assert "nuts" in note
    assert all(problem in note for problem in PROBLEMS)


@pytest.mark.usefixtures("failing")
def test_collapsed_asked_for_stays_with_its_problems(compute):
    """Nobody samples what was not asked for."""
    found = compute("collapsed")
    assert found.draws.engine == "collapsed"
    assert found.quadrature.certificate.problems == PROBLEMS


def test_models_that_share_everything_are_certified_too(compute, monkeypatch):
    """Complete pooling integrates nothing, and has a sample that can fail."""
    spec = ModelSpec("nb2", "complete", "complete")
    assert compute("auto", spec).draws.engine == "collapsed"
    certify = engine.certify_sample
    monkeypatch.setattr(
        engine, "certify_sample", lambda *a: replace(certify(*a), problems=PROBLEMS)
    )
    assert compute("auto", spec).draws.engine == "nuts"


def test_failing_integrals_are_computed_finer(compute, certify_worse):
    """And the notes say why; nothing else is done."""
    ways = certify_worse(fine={"refinement_error": np.full(6, 3e-4)})
    found = compute("auto")
    assert ways == ["fine", "finer"]
    assert found.draws.engine == "collapsed"
    assert found.quadrature.certificate.problems == ()
    wanted = "integrated on finer lattices: quadrature differs from a finer lattice by 3.0e-04 "
    assert found.notes == (f"{wanted}(wanted at most 1e-05)",)


@pytest.mark.usefixtures("few_draws_by_nuts")
def test_a_failing_sample_is_replaced_by_nuts(compute, certify_worse):
    """On the same lattices, judged by its chains; 200 draws are too few, which is said."""
    ways = certify_worse(fine={"pareto_k": 0.83})
    found = compute("collapsed")
    assert ways == ["fine", "nuts"]
    (note,) = found.notes
    assert note == (
        "hyperparameters sampled by NUTS: "
        "Pareto k\u0302 of the hyperparameters 0.83 (wanted at most 0.7)"
    )
    certificate = found.quadrature.certificate
    assert not certificate.sample_passed
    assert any("effective hyperparameter draws" in each for each in certificate.problems)
    assert len(found.quadrature.hyperparameters.weights) == pytest.approx(certificate.ess)


@pytest.mark.usefixtures("few_draws_by_nuts")
def test_auto_falls_back_only_when_nuts_of_the_hyperparameters_fails_too(compute, certify_worse):
    """With all that was tried in the notes, in order."""
    ways = certify_worse(fine={"ess": 12.0})
    found = compute("auto")
    assert ways == ["fine", "nuts"]
    assert (found.draws.engine, found.quadrature) == ("nuts", None)
    first, last = found.notes
    assert first.startswith("hyperparameters sampled by NUTS: 12 effective hyperparameter draws")
    assert last.startswith("sampled by nuts, since the collapsed engine did not pass: ")


def test_nothing_is_sampled_where_finer_lattices_fail(compute, certify_worse):
    """NUTS would need the same integrals."""
    off = {"refinement_error": np.full(6, 3e-4), "pareto_k": 0.9, "problems": PROBLEMS}
    ways = certify_worse(fine=off, finer=off)
    assert compute("auto").draws.engine == "nuts"
    assert ways == ["fine", "finer"]


@pytest.fixture
def compute_tuned():
    """Return a function from an engine to the posterior of a small table with conditions."""
    tally = table(Labels("condition", ("x", "y"), np.tile([0, 1], 24)))
    spec = ModelSpec("poisson", "partial", None, condition_pooling="partial")

    def run(name):
        options = EngineOptions(engine=name, **FEW)
        summary = SummaryOptions(0.95, 1.1, 200)
        return compute_posterior(spec, tally, default_priors(tally), options, summary, Silent())

    return run


def test_likelihoods_without_room_are_sampled(compute_tuned, monkeypatch):
    """By nuts, with the reason; the engine asked for ends with an error and the way out."""
    monkeypatch.setattr(tuned_lattice, "MOST_VALUES", 100)
    found = compute_tuned("auto")
    assert found.draws.engine == "nuts"
    assert found.notes[0].startswith("sampled by nuts: the likelihood of a neuron would take")
    with pytest.raises(NotConvergedError, match=r"would take .* nodes") as failed:
        compute_tuned("collapsed")
    assert "--engine nuts" in str(failed.value)

"""Which engine computes a posterior, and what is said when it is not the one planned."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines.collapsed import engine
from spikepool.engines.dispatch import compute_posterior
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.summaries import SummaryOptions
from spikepool.progress import Silent

FEW = {"draws": 50, "tune": 100, "chains": 2}
SPEC = ModelSpec("poisson", "partial", None)
PROBLEMS = ("quadrature differs from a finer lattice by 3.0e-04", "too few draws")


@pytest.fixture
def compute():
    """Return a function from an engine to the posterior of a small table."""
    counts = np.random.default_rng(1).poisson(np.linspace(1, 9, 6)[:, np.newaxis], (6, 8))
    tally = tally_counts(
        SpikeCounts(
            Labels("neuron", tuple("abcdef"), np.repeat(np.arange(6), 8)),
            counts.ravel(),
            np.ones(48),
            exposure_known=False,
        )
    )

    def run(name, spec=SPEC):
        options = EngineOptions(engine=name, **FEW)
        summary = SummaryOptions(0.95, 1.1, 200)
        return compute_posterior(spec, tally, default_priors(tally), options, summary, Silent())

    return run


@pytest.fixture
def failing(monkeypatch):
    """Let every certificate have problems."""
    certify = engine.certify

    def fail(*arguments):
        return replace(certify(*arguments), problems=PROBLEMS)

    monkeypatch.setattr(engine, "certify", fail)


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

"""What tests of calibration share: an engine that is quick on small tables, and its verdict."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from spikepool.config import EngineOptions
from spikepool.engines.collapsed import engine
from spikepool.engines.collapsed.certificate import certify_sample
from spikepool.engines.collapsed.lattice import Quality
from spikepool.engines.collapsed.search import find_hyperposterior
from spikepool.progress import Silent

SOUND = Quality(step_factor=1.2, negligible=14.0, most_error=1e-4, most_edge=1e-4)
"""Integrals within 1e-4: finer ones, whose accuracy has tests of its own, would take hours."""


@pytest.fixture
def compute(monkeypatch):
    """Return the collapsed engine, its priors compiled once, up to the neurons' marginals.

    Nothing is left out, and no integral is computed again: the sample of φ alone is judged.
    """
    compiled = {}
    compile_hyperpriors = engine.compile_hyperpriors

    def compile_once(spec, priors):
        if (spec, priors) not in compiled:
            compiled[spec, priors] = compile_hyperpriors(spec, priors)
        return compiled[spec, priors]

    monkeypatch.setattr(engine, "compile_hyperpriors", compile_once)
    monkeypatch.setattr(engine, "find_certified", _find_judged)
    monkeypatch.setattr(engine, "leave_out_by_lattice", lambda *_: None)
    monkeypatch.setattr(engine, "leave_out", lambda *_: None)
    monkeypatch.setattr(engine, "leave_out_shared", lambda *_: None)

    def run(spec, tally, priors, summary, seed):
        options = EngineOptions(engine="collapsed", seed=seed, cores=1)
        return engine.integrate_posterior(spec, tally, priors, options, summary, Silent())

    return run


def _find_judged(spec, priors, problem, start, options, rng, progress):
    """Judge the sample of φ alone, and mend nothing."""
    found = find_hyperposterior(problem, start, options.cores, rng, progress, SOUND)
    certificate = certify_sample(found.sample, problem.statistics.n_neurons)
    return found, dataclasses.replace(certificate, outside=found.outside)


@pytest.fixture
def uniformity():
    """Return a function to p-values of two tests that values are uniform on (0, 1)."""

    def pvalues(u):
        bins = np.histogram(u, 10, (0, 1))[0]
        return stats.kstest(u, "uniform").pvalue, stats.chisquare(bins).pvalue

    return pvalues

"""The search for the hyperposterior, its checks, and what follows where a check fails."""

from dataclasses import replace

import numpy as np

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import FloatArray
from spikepool.engines.collapsed.certificate import certify, integral_problems, sample_problems
from spikepool.engines.collapsed.hyperparameter_nuts import sample_by_nuts
from spikepool.engines.collapsed.lattice import FINER
from spikepool.engines.collapsed.search import STEPS, Found, Problem, find_hyperposterior
from spikepool.engines.cores import granted_cores
from spikepool.engines.seeds import model_seed
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.quadrature import Certificate
from spikepool.progress import Progress


def find_certified(
    spec: ModelSpec,
    priors: Priors,
    problem: Problem,
    start: FloatArray,
    options: EngineOptions,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[Found, Certificate]:
    """Find the posterior of the hyperparameters, by the first way that passes its checks.

    Importance sampling; where the integrals fail, again on finer lattices; where the sample fails,
    NUTS on the same lattices.

    Parameters
    ----------
    spec : ModelSpec
    priors : Priors
    problem : Problem
    start : ndarray, shape (P,)
        First guess, unconstrained.
    options : EngineOptions
    rng : Generator
    progress : Progress

    Returns
    -------
    found : Found
    certificate : Certificate
        Its notes say which way was gone, and why.
    """
    cores, notes = granted_cores(options.cores), list[str]()
    found = find_hyperposterior(problem, start, cores, rng, progress)
    progress.advance(3, STEPS, "certificate")
    certificate = certify(problem, found, cores)
    if failed := integral_problems(certificate):
        notes.append(f"integrated on finer lattices: {'; '.join(failed)}")
        progress.advance(1, STEPS, "finer lattices")
        found = find_hyperposterior(problem, start, cores, rng, progress, FINER)
        certificate = certify(problem, found, cores)
    failed = sample_problems(certificate)
    if failed and not integral_problems(certificate) and np.isfinite(found.sample.log_evidence):
        notes.append(f"hyperparameters sampled by NUTS: {'; '.join(failed)}")
        seed = model_seed(options.seed, spec)
        found, chains = sample_by_nuts(spec, priors, problem, found, seed, progress)
        certificate = certify(problem, found, cores, chains)
    return found, replace(certificate, notes=tuple(notes))

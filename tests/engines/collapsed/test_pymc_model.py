"""The collapsed PyMC model: its density, and its posterior by PyMC's own sampler."""

import numpy as np
import pytest

from spikepool.engines.collapsed import hyperparameter_nuts
from spikepool.engines.collapsed.model import compile_hyperpriors, levels_of
from spikepool.engines.collapsed.pymc_model import collapsed_model
from spikepool.engines.collapsed.search import Problem, find_hyperposterior, first_guess
from spikepool.models.families import FAMILIES
from spikepool.models.many_points import interpreted
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.progress import Silent

SPECS = [
    ModelSpec("poisson", "partial", None),
    ModelSpec("nb2", "partial", "partial", "gamma"),
    ModelSpec("nb1", "partial", "complete", "student-t"),
    ModelSpec("nb2", "complete", "partial"),
]
POISSON = SPECS[0]


@pytest.fixture(scope="module")
def find(build_tally):
    """Return a function from a model to its problem and its posterior of the hyperparameters."""
    rng = np.random.default_rng(2)
    counts = rng.poisson(np.exp(rng.normal(1.5, 0.6, 8))[:, np.newaxis], (8, 6))
    tally = build_tally([(each, 0.5) for each in counts])
    priors = default_priors(tally)

    def run(spec):
        hyperpriors = compile_hyperpriors(spec, priors)
        family = FAMILIES[spec.family]
        problem = Problem(family, family.statistics(tally), *levels_of(spec, priors), hyperpriors)
        start = first_guess(hyperpriors, tally)
        found = find_hyperposterior(problem, start, 1, np.random.default_rng(0), Silent())
        return priors, problem, found

    return run


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_density_is_hyperprior_plus_total(spec, find):
    """At points of the posterior, to 1e-12; and no variable but the hyperparameters is left."""
    priors, problem, found = find(spec)
    model = collapsed_model(spec, priors, found.marginal)
    points = found.sample.points[np.argsort(found.sample.weights)[-3:]]
    log_prior, phi = problem.hyperpriors.at(points)
    wanted = log_prior + found.marginal.total(phi, len(points))
    evaluate = interpreted(model.value_vars, model.logp())
    np.testing.assert_allclose([evaluate(*each) for each in points], wanted, rtol=1e-12)
    assert [each.name for each in model.free_RVs] == list(problem.hyperpriors.coordinates)


@pytest.fixture(scope="module")
def two_samples(find):
    """Return the posterior of Poisson counts by importance sampling and by NUTS."""
    priors, problem, found = find(POISSON)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hyperparameter_nuts, "TUNE", 150)
        patch.setattr(hyperparameter_nuts, "DRAWS", 150)
        sampled, chains = hyperparameter_nuts.sample_by_nuts(
            POISSON, priors, problem, found, 0, Silent()
        )
    return problem, found, sampled, chains


def test_nuts_agrees_with_importance_sampling(two_samples):
    """Means and variances of μ and ln τ within 5 standard errors: a false alarm in 400,000."""
    _, found, sampled, _ = two_samples
    for power in (1, 2):
        means, errors = [], []
        centre = found.sample.weights @ found.sample.points
        for sample in (found.sample, sampled.sample):
            values = (sample.points - centre) ** power
            means.append(sample.weights @ values)
            errors.append(np.sqrt(sample.weights**2 @ (values - means[-1]) ** 2))
        assert np.all(np.abs(means[0] - means[1]) < 5 * np.hypot(*errors))


def test_draws_by_nuts_count_as_independent(two_samples):
    """Equal weights, as many as are effective; on the same lattices, with their own density."""
    problem, found, sampled, chains = two_samples
    size = len(sampled.sample.points)
    assert 100 < size <= 600
    assert sampled.sample.ess == pytest.approx(size)
    assert sampled.marginal is found.marginal
    assert np.isnan(sampled.sample.pareto_k)
    assert (chains.divergences, sampled.outside) == (0, 0.0)
    assert 0.99 < chains.r_hat < 1.08
    log_prior, phi = problem.hyperpriors.at(sampled.sample.points)
    wanted = log_prior + sampled.marginal.total(phi, size)
    np.testing.assert_allclose(sampled.sample.log_density, wanted, rtol=1e-12)

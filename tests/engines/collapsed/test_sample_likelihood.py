"""The sample of hyperparameters knows its likelihood, with the neurons integrated out."""

import numpy as np
from scipy import integrate, stats

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines.collapsed.engine import integrate_posterior
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Silent

COUNTS = np.array([[3, 5, 4], [0, 1, 0], [9, 7, 12], [2, 2, 5]])


def log_likelihood(mu, tau):
    """Σ_i ln ∫ Π_t Poisson(y_it; e^θ) N(θ; μ, τ²) dθ, by SciPy."""
    total = 0.0
    for counts in COUNTS:
        found, _ = integrate.quad(
            lambda z, y=counts: (
                stats.poisson.pmf(y, np.exp(mu + tau * z)).prod() * stats.norm.pdf(z)
            ),
            -9,
            9,
            epsabs=0,
            limit=200,
        )
        total += np.log(found)
    return total


def test_likelihood_of_the_sample():
    """Differences between points are those of integrals by SciPy, within 1e-5."""
    neuron = Labels("neuron", tuple("abcd"), np.repeat(np.arange(4), 3))
    tally = tally_counts(SpikeCounts(neuron, COUNTS.ravel(), np.ones(12), exposure_known=True))
    posterior = integrate_posterior(
        ModelSpec("poisson", "partial", None),
        tally,
        default_priors(tally),
        EngineOptions(engine="collapsed"),
        SummaryOptions(0.95, 1.1),
        Silent(),
    )
    sample = posterior.hyperparameters
    chosen = np.argsort(-sample.weights)[[0, 5, 200, 900]]
    wanted = [log_likelihood(sample.values["mu"][i], sample.values["tau"][i]) for i in chosen]
    found = sample.log_likelihood[chosen]
    np.testing.assert_allclose(found - found[0], np.array(wanted) - wanted[0], atol=1e-5)

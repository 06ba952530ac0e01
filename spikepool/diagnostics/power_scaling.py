"""Which of prior and data decide a parameter: power-scaling sensitivity.

The posterior is compared with those in which the prior, or the likelihood, has a power a little
above or below 1: p(φ)^α p(y | φ), p(φ) p(y | φ)^α. φ are the hyperparameters, and p(y | φ) has the
neurons' own parameters integrated out, so that their noise is not in the weights. The distance is
ArviZ's: the square root of the cumulative Jensen-Shannon divergence, over log2 α.

References
----------
Kallioinen, N., Paananen, T., Bürkner, P.-C. and Vehtari, A. (2024). Detecting and diagnosing prior
and likelihood sensitivity with power-scaling. Statistics and Computing 34, 57.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.models.families import family_of
from spikepool.models.prior_density import log_density_of
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.quadrature import HyperparameterSample
from spikepool.posterior.weighted import systematic

type Diagnosis = Literal["conflict", "weak_likelihood", "fine"]

THRESHOLD: Final = 0.05
"""From here on a parameter is sensitive (Kallioinen et al. 2024)."""
ALPHAS: Final = (0.99, 1.01)
"""Powers, as in the same source."""
_POINTS: Final = 4000


@dataclass(frozen=True)
class PowerScaling:
    """How far a parameter's posterior follows its prior, and the data.

    Attributes
    ----------
    parameter : str
    prior, likelihood : float
        Distance per doubling of the power.
    """

    parameter: str
    prior: float
    likelihood: float

    @property
    def diagnosis(self) -> Diagnosis:
        """``conflict``, ``weak_likelihood`` or ``fine``."""
        if self.prior < THRESHOLD:
            return "fine"
        return "conflict" if self.likelihood >= THRESHOLD else "weak_likelihood"


def scale_powers(
    spec: ModelSpec, priors: Priors, sample: HyperparameterSample, rng: np.random.Generator
) -> tuple[PowerScaling, ...]:
    """Measure the sensitivity of every hyperparameter of a model.

    Parameters
    ----------
    spec : ModelSpec
    priors : Priors
    sample : HyperparameterSample
        With its `log_likelihood`.
    rng : Generator

    Returns
    -------
    tuple of PowerScaling
    """
    assert sample.log_likelihood is not None  # noqa: S101 - of the collapsed engine
    chosen = rng.permutation(systematic(sample.weights, _POINTS, 0.5))
    values = {name: of[chosen] for name, of in sample.values.items()}
    log_prior = log_hyperprior(spec, priors, values)
    log_likelihood = sample.log_likelihood[chosen]
    return tuple(
        PowerScaling(name, sensitivity(of, log_prior), sensitivity(of, log_likelihood))
        for name, of in values.items()
    )


def log_hyperprior(spec: ModelSpec, priors: Priors, values: dict[str, FloatArray]) -> FloatArray:
    """Log density of all hyperparameters under their priors, each in the prior's own unit.

    Parameters
    ----------
    spec : ModelSpec
    priors : Priors
    values : dict of str to ndarray, shape (S,)
        By the names of `HyperparameterSample.values`.

    Returns
    -------
    ndarray, shape (S,)
    """
    terms = []
    for name, of in values.items():
        if name == "mu_delta":
            typical = priors.of(f"typical_{family_of(spec).dispersion_name}")
            terms.append(log_density_of(typical)(np.exp(of)))
        else:
            terms.append(log_density_of(priors.of(name))(of))
    return np.asarray(np.sum(terms, axis=0))


def sensitivity(values: FloatArray, log_component: FloatArray) -> float:
    """Return how far draws move when a part of the posterior has another power.

    Parameters
    ----------
    values : ndarray, shape (S,)
        Draws of a parameter.
    log_component : ndarray, shape (S,)
        Log density of that part at every draw.
    """
    from arviz_stats.base import array_stats

    lower, upper = (
        np.exp(array_stats.power_scale_lw(log_component, alpha=alpha)) for alpha in ALPHAS
    )
    one_chain = (each[np.newaxis] for each in (values, lower, upper))
    return float(array_stats.power_scale_sense(*one_chain, *ALPHAS))

"""The priors of `design/models.md`: one frozen object per distribution, one table of defaults."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.data.tally import Tally

RATE_SD = 2.5
"""s0: sd of the fixed prior of a log rate, and of the prior of μ."""


# PyTensor takes a Python float that single precision holds exactly for a single-precision constant.
_double = np.float64


class Prior(Protocol):
    """A prior distribution that PyMC can place on a variable."""

    def variable(self, name: str, **kwargs: Any) -> Any:
        """Add a variable with this prior to the model on PyMC's context stack."""

    def distribution(self) -> Any:
        """PyMC's distribution outside any model."""


@dataclass(frozen=True)
class Normal:
    """N(mean, sd²)."""

    mean: float
    sd: float

    def variable(self, name: str, **kwargs: Any) -> Any:
        """Add a variable with this prior."""
        import pymc as pm

        return pm.Normal(name, _double(self.mean), _double(self.sd), **kwargs)

    def distribution(self) -> Any:
        """PyMC's distribution outside any model."""
        import pymc as pm

        return pm.Normal.dist(_double(self.mean), _double(self.sd))

    def __str__(self) -> str:
        return f"normal({self.mean:.4g}, {self.sd:g})"


@dataclass(frozen=True)
class HalfNormal:
    """|N(0, scale²)|."""

    scale: float

    def variable(self, name: str, **kwargs: Any) -> Any:
        """Add a variable with this prior."""
        import pymc as pm

        return pm.HalfNormal(name, _double(self.scale), **kwargs)

    def distribution(self) -> Any:
        """PyMC's distribution outside any model."""
        import pymc as pm

        return pm.HalfNormal.dist(_double(self.scale))

    def __str__(self) -> str:
        return f"half-normal({self.scale:g})"


@dataclass(frozen=True)
class HalfCauchy:
    """|Cauchy(0, scale)|: finite at zero, heavy-tailed (Gelman 2006)."""

    scale: float

    def variable(self, name: str, **kwargs: Any) -> Any:
        """Add a variable with this prior."""
        import pymc as pm

        return pm.HalfCauchy(name, _double(self.scale), **kwargs)

    def distribution(self) -> Any:
        """PyMC's distribution outside any model."""
        import pymc as pm

        return pm.HalfCauchy.dist(_double(self.scale))

    def __str__(self) -> str:
        return f"half-cauchy({self.scale:g})"


@dataclass(frozen=True)
class Priors:
    """The hyperpriors of a fit.

    Attributes
    ----------
    mu : Normal
        Population mean log rate; the same N(m0, s0²) is the fixed prior without pooling.
    tau : Prior
        Population sd of the log rate.
    dispersion : Prior
        e^δ of each neuron (no pooling), of all (complete), or e^{μ_δ} (partial).
    tau_delta : Prior
        Population sd of δ.
    """

    mu: Normal
    tau: Prior
    dispersion: Prior
    tau_delta: Prior


def default_priors(tally: Tally) -> Priors:
    """Hyperpriors centred on the table's own scale of rates.

    Parameters
    ----------
    tally : Tally

    Returns
    -------
    Priors
        μ ~ N(m0, 2.5²) with m0 the mean over neurons of ln((Σy + ½)/Σe);
        τ ~ half-Cauchy(1); dispersion ~ half-normal(1); τ_δ ~ half-normal(0.5).
    """
    log_rates = np.log((tally.spike_count + 0.5) / tally.total_exposure)
    return Priors(
        mu=Normal(float(log_rates.mean()), RATE_SD),
        tau=HalfCauchy(1.0),
        dispersion=HalfNormal(1.0),
        tau_delta=HalfNormal(0.5),
    )


def prior_density(prior: Prior, x: FloatArray) -> FloatArray:
    """Density of `prior` at `x`, by PyMC's own log density."""
    import pymc as pm

    log_density: FloatArray = pm.logp(prior.distribution(), x).eval()
    return np.exp(log_density)

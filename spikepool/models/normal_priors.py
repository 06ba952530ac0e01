"""Priors of the normal family: in the unit of the estimates, from the table or the user."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spikepool.config import ModelOptions
from spikepool.data.estimates import Estimates
from spikepool.models.prior_spec import given_priors
from spikepool.models.priors import (
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    Normal,
    Prior,
    RootInverseGamma,
    Uniform,
)

LOCATION_WIDTH = 10.0
"""Sd of the priors of μ and θ, in units of the table's scale: an estimate whose standard error is
that scale keeps 1 − 1/101 of its weight."""

DEFAULTS_IN_SYMBOLS = {
    "mu": "normal(m0, 10 s)",
    "tau": "half-cauchy(s)",
    "theta": "normal(m0, 10 s1)",
}
"""The defaults: m0 the mean of the estimates, s and s1 of `default_normal_priors`."""


@dataclass(frozen=True)
class NormalPriors:
    """The priors of a run, found by the names of the model's variables.

    Attributes
    ----------
    mu : Normal or Uniform
        Population mean.
    tau : Prior
        Population sd (student-t: its scale).
    theta : Normal
        Fixed prior of each θ without pooling.
    """

    mu: Normal | Uniform
    tau: Prior
    theta: Normal

    def of(self, name: str) -> Prior:
        """Prior of a variable by its name in the model."""
        prior: Prior = getattr(self, name)
        return prior


def default_normal_priors(estimates: Estimates) -> NormalPriors:
    """Weak priors on the table's own scale, so that another unit changes nothing but numbers.

    Parameters
    ----------
    estimates : Estimates

    Returns
    -------
    NormalPriors
        With m0 the mean of the estimates and s the larger of their standard deviation (over
        N − 1) and their median standard error: μ ~ N(m0, (10 s)²), τ ~ half-Cauchy(s). Without
        pooling θ_i ~ N(m0, (10 s1)²), where s1 is s with the largest standard error in place of
        the median: every estimate keeps at least 100/101 of its weight.
    """
    centre = float(np.mean(estimates.estimate))
    spread = float(np.std(estimates.estimate, ddof=1)) if estimates.n_neurons > 1 else 0.0
    scale = max(spread, float(np.median(estimates.standard_error)))
    widest = max(spread, float(np.max(estimates.standard_error)))
    return NormalPriors(
        mu=Normal(centre, LOCATION_WIDTH * scale),
        tau=HalfCauchy(scale),
        theta=Normal(centre, LOCATION_WIDTH * widest),
    )


def normal_priors_of(options: ModelOptions, estimates: Estimates) -> NormalPriors:
    """Return the priors of a run: the defaults of its table, overruled by the user's.

    Parameters
    ----------
    options : ModelOptions
    estimates : Estimates

    Returns
    -------
    NormalPriors

    Raises
    ------
    UsageError
        If a text names no parameter or no prior that it can have.
    """
    given = given_priors(options)
    fields: dict[str, Any] = {name: given[name] for name in ("mu", "tau", "theta") if name in given}
    return replace(default_normal_priors(estimates), **fields)


@dataclass(frozen=True)
class Unit:
    """Where the estimates lie and how far they spread; models are computed in these units.

    Attributes
    ----------
    centre, scale : float
        x = centre + scale · x'.
    """

    centre: float
    scale: float

    def standardised(self, estimates: Estimates) -> Estimates:
        """Return the estimates in these units."""
        return replace(
            estimates,
            estimate=(estimates.estimate - self.centre) / self.scale,
            standard_error=estimates.standard_error / self.scale,
        )

    def priors(self, priors: NormalPriors) -> NormalPriors:
        """Return the same priors in these units."""
        return NormalPriors(
            mu=self._location(priors.mu),
            tau=self._spread(priors.tau),
            theta=Normal((priors.theta.mean - self.centre) / self.scale,
                         priors.theta.sd / self.scale),
        )  # fmt: skip

    def _location(self, prior: Normal | Uniform) -> Normal | Uniform:
        if isinstance(prior, Uniform):
            ends = ((end - self.centre) / self.scale for end in (prior.lower, prior.upper))
            return Uniform(*ends)
        return Normal((prior.mean - self.centre) / self.scale, prior.sd / self.scale)

    def _spread(self, prior: Prior) -> Prior:
        scale = self.scale
        match prior:
            case HalfNormal(width) | HalfCauchy(width):
                return type(prior)(width / scale)
            case HalfStudentT(nu, width):
                return HalfStudentT(nu, width / scale)
            case Exponential(rate):
                return Exponential(rate * scale)
            case Gamma(shape, rate):
                return Gamma(shape, rate * scale)
            case RootInverseGamma(shape, width):
                return RootInverseGamma(shape, width / scale**2)
            case Uniform(lower, upper):
                return Uniform(lower / scale, upper / scale)
            case _:
                raise TypeError(f"a spread cannot have the prior {prior}")


def unit_of(estimates: Estimates) -> Unit:
    """Return the mean of the estimates, and the larger of their spread and median error."""
    priors = default_normal_priors(estimates)
    return Unit(priors.theta.mean, priors.mu.sd / LOCATION_WIDTH)

"""The priors of τ under which a fit is tried, each with what it assumes."""

from dataclasses import dataclass
from typing import Final

from spikepool.models.priors import (
    Exponential,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    Prior,
    RootInverseGamma,
    Uniform,
)


@dataclass(frozen=True)
class TauPrior:
    """A prior of τ, the spread of the log rates.

    Attributes
    ----------
    prior : Prior
    reason : str
        What trying it tells; empty of a user's own.
    """

    prior: Prior
    reason: str = ""


TAU_PRIORS: Final = (
    TauPrior(HalfCauchy(1.0), "the default: flat at 0, with a tail for any spread"),
    TauPrior(HalfNormal(1.0), "no long tail: hardly a spread above e² = 7-fold"),
    TauPrior(HalfStudentT(3.0, 1.0), "a tail between half-normal and half-cauchy"),
    TauPrior(Exponential(1.0), "neurons more alike: densest at 0"),
    TauPrior(Uniform(0.0, 5.0), "flat: what the data say alone"),
    TauPrior(HalfCauchy(0.2), "neurons five times more alike than the default"),
    TauPrior(HalfCauchy(5.0), "five times more different than the default"),
    TauPrior(RootInverseGamma(0.01, 0.01), "once usual, on τ²: no small spreads (Gelman 2006)"),
)
"""Shapes that differ near 0, where few neurons leave τ, and in the tail, where small spreads are
told badly; then the default's scale, five times smaller and larger; then what not to use.

References
----------
Gelman, A. (2006). Prior distributions for variance parameters in hierarchical models. Bayesian
Analysis 1, 515-534.
"""

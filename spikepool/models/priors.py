"""The priors of `design/models.md`: one frozen object per distribution, one table of defaults."""

from abc import ABC, abstractmethod
from dataclasses import astuple, dataclass
from typing import Any, ClassVar, Protocol, override

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.data.tally import Tally

RATE_SD = 2.5
"""s0: sd of the fixed prior of a log rate, and of the prior of μ."""


# PyTensor takes a Python float that single precision holds exactly for a single-precision constant.
_double = np.float64


class Prior(Protocol):
    """A prior distribution that PyMC can place on a variable; as text, the form a user gives."""

    def variable(self, name: str, **kwargs: Any) -> Any:
        """Add a variable with this prior to the model on PyMC's context stack."""

    def distribution(self) -> Any:
        """PyMC's distribution outside any model."""


class _OneOfPyMC(ABC):
    """A prior that PyMC has; its fields are the arguments of the form ``family(a, b)``."""

    family: ClassVar[str]

    @abstractmethod
    def _arguments(self) -> tuple[Any, dict[str, float]]:
        """PyMC's class, and its arguments by name."""

    def variable(self, name: str, **kwargs: Any) -> Any:
        """Add a variable with this prior."""
        made, arguments = self._arguments()
        return made(name, **{key: _double(value) for key, value in arguments.items()}, **kwargs)

    def distribution(self) -> Any:
        """PyMC's distribution outside any model."""
        made, arguments = self._arguments()
        return made.dist(**{key: _double(value) for key, value in arguments.items()})

    def __str__(self) -> str:
        return _form(self.family, self)


@dataclass(frozen=True)
class Normal(_OneOfPyMC):
    """N(mean, sd²)."""

    mean: float
    sd: float
    family = "normal"

    @override
    def _arguments(self) -> tuple[Any, dict[str, float]]:
        import pymc as pm

        return pm.Normal, {"mu": self.mean, "sigma": self.sd}


@dataclass(frozen=True)
class Uniform(_OneOfPyMC):
    """The same density everywhere from `lower` to `upper`."""

    lower: float
    upper: float
    family = "uniform"

    @property
    def mean(self) -> float:
        """Mean of the distribution."""
        return (self.lower + self.upper) / 2

    @property
    def sd(self) -> float:
        """Standard deviation of the distribution."""
        return float((self.upper - self.lower) / np.sqrt(12))

    @override
    def _arguments(self) -> tuple[Any, dict[str, float]]:
        import pymc as pm

        return pm.Uniform, {"lower": self.lower, "upper": self.upper}


@dataclass(frozen=True)
class HalfNormal(_OneOfPyMC):
    """|N(0, scale²)|."""

    scale: float
    family = "half-normal"

    @override
    def _arguments(self) -> tuple[Any, dict[str, float]]:
        import pymc as pm

        return pm.HalfNormal, {"sigma": self.scale}


@dataclass(frozen=True)
class HalfCauchy(_OneOfPyMC):
    """|Cauchy(0, scale)|: finite at zero, heavy-tailed (Gelman 2006)."""

    scale: float
    family = "half-cauchy"

    @override
    def _arguments(self) -> tuple[Any, dict[str, float]]:
        import pymc as pm

        return pm.HalfCauchy, {"beta": self.scale}


@dataclass(frozen=True)
class HalfStudentT(_OneOfPyMC):
    """|scale · t| with t of `nu` degrees of freedom; half-Cauchy at nu = 1."""

    nu: float
    scale: float
    family = "half-student-t"

    @override
    def _arguments(self) -> tuple[Any, dict[str, float]]:
        import pymc as pm

        return pm.HalfStudentT, {"nu": self.nu, "sigma": self.scale}


@dataclass(frozen=True)
class Exponential(_OneOfPyMC):
    """Exponential with mean 1/rate."""

    rate: float
    family = "exponential"

    @override
    def _arguments(self) -> tuple[Any, dict[str, float]]:
        import pymc as pm

        return pm.Exponential, {"lam": self.rate}


@dataclass(frozen=True)
class Gamma(_OneOfPyMC):
    """Gamma with mean shape/rate."""

    shape: float
    rate: float
    family = "gamma"

    @override
    def _arguments(self) -> tuple[Any, dict[str, float]]:
        import pymc as pm

        return pm.Gamma, {"alpha": self.shape, "beta": self.rate}


@dataclass(frozen=True)
class InverseGamma(_OneOfPyMC):
    """Distribution of 1/x where x ~ Gamma(shape, rate = scale)."""

    shape: float
    scale: float
    family = "inverse-gamma"

    @override
    def _arguments(self) -> tuple[Any, dict[str, float]]:
        import pymc as pm

        return pm.InverseGamma, {"alpha": self.shape, "beta": self.scale}


@dataclass(frozen=True)
class RootInverseGamma:
    """A standard deviation whose square, the variance, has the prior InverseGamma(shape, scale).

    In a model the square is the variable ``NAME_squared``.
    """

    shape: float
    scale: float
    family: ClassVar[str] = InverseGamma.family

    def variable(self, name: str, **kwargs: Any) -> Any:
        """Add the square with its prior, and its root under `name`."""
        import pymc as pm
        import pytensor.tensor as pt

        square = InverseGamma(self.shape, self.scale).variable(f"{name}_squared", **kwargs)
        return pm.Deterministic(name, pt.sqrt(square), **kwargs)

    def distribution(self) -> Any:
        """PyMC's distribution of the root, outside any model."""
        import pytensor.tensor as pt

        return pt.sqrt(InverseGamma(self.shape, self.scale).distribution())

    def __str__(self) -> str:
        return _form(self.family, self)


def _form(family: str, prior: Any) -> str:
    return f"{family}({', '.join(_number(value) for value in astuple(prior))})"


def _number(value: float) -> str:
    """Write a number as it was given, or to four digits where that would be long."""
    text = f"{value:g}"
    return text if float(text) == value else f"{value:.4g}"


@dataclass(frozen=True)
class Priors:
    """The priors of a run; `of` finds them by the names of the model's variables.

    Attributes
    ----------
    mu : Normal or Uniform
        Population mean log rate.
    tau : Prior
        Population sd of the log rate (student-t: its scale).
    dispersion : Prior
        e^δ of each neuron (no pooling), of all (complete), or e^{μ_δ} (partial), unless one of
        the four fields below says otherwise.
    tau_delta : Prior
        Population sd of δ.
    tuning_sd : Prior
        ω, sd of the log rates of one neuron between conditions.
    drift_sd : Prior
        ω_d, the same between blocks of its trials.
    condition_sd : Prior
        ω_c, sd of the effects of conditions on all neurons.
    within_sd, interaction_sd : Prior
        τ_u and τ_v, sds of what labels within groups, and pairs of group and label, add to μ.
    within_sd_delta, interaction_sd_delta : Prior
        The same of μ_δ.
    a, b : Prior
        Shape and rate of a gamma population of rates; `b` has the unit of exposure. The
        defaults here are those of the BUGS pumps, where that unit is 1,000 hours.
    fixed : Normal or None
        Fixed prior of a log rate without pooling; None: that of `mu`.
    gain_sd, root_excess_fano : Prior or None
        e^δ of NB2 and of NB1 without and with complete pooling; None: `dispersion`.
    typical_gain_sd, typical_root_excess_fano : Prior or None
        e^{μ_δ} of NB2 and of NB1; None: `dispersion`.
    """

    mu: Normal | Uniform
    tau: Prior
    dispersion: Prior
    tau_delta: Prior
    tuning_sd: Prior = HalfNormal(1.0)
    drift_sd: Prior = HalfNormal(0.5)
    condition_sd: Prior = HalfNormal(1.0)
    within_sd: Prior = HalfNormal(0.5)
    interaction_sd: Prior = HalfNormal(0.5)
    within_sd_delta: Prior = HalfNormal(0.5)
    interaction_sd_delta: Prior = HalfNormal(0.5)
    a: Prior = Exponential(1.0)
    b: Prior = Gamma(0.1, 1.0)
    fixed: Normal | None = None
    gain_sd: Prior | None = None
    root_excess_fano: Prior | None = None
    typical_gain_sd: Prior | None = None
    typical_root_excess_fano: Prior | None = None

    @property
    def theta(self) -> Normal | Uniform:
        """Fixed prior of a log rate without pooling."""
        return self.fixed or self.mu

    def of(self, name: str) -> Prior:
        """Prior of a variable by its name in the model, such as ``typical_gain_sd``."""
        prior: Prior | None = getattr(self, name)
        return prior or self.dispersion


def default_priors(tally: Tally) -> Priors:
    """Priors centred on the table's own scale of rates.

    Parameters
    ----------
    tally : Tally

    Returns
    -------
    Priors
        μ ~ N(m0, 2.5²) with m0 the mean over neurons of ln((Σy + ½)/Σe), which is also the fixed
        prior without pooling; τ ~ half-Cauchy(1); dispersion ~ half-normal(1);
        τ_δ ~ half-normal(0.5); ω and ω_c ~ half-normal(1); sds of labels within groups ~
        half-normal(0.5); a ~ exponential(1); b ~ gamma(0.1, e^m0), so
        that another unit of exposure changes nothing but the unit of b.
    """
    m0 = float(np.log((tally.spike_count + 0.5) / tally.total_exposure).mean())
    return Priors(
        mu=Normal(m0, RATE_SD),
        tau=HalfCauchy(1.0),
        dispersion=HalfNormal(1.0),
        tau_delta=HalfNormal(0.5),
        b=Gamma(0.1, float(np.exp(m0))),
        fixed=Normal(m0, RATE_SD),
    )


DEFAULTS_IN_SYMBOLS = {
    "mu": f"normal(m0, {RATE_SD:g})",
    "theta": f"normal(m0, {RATE_SD:g})",
    "b": "gamma(0.1, exp(m0))",
}
"""The defaults that a table's m0 enters."""


def prior_density(prior: Prior, x: FloatArray) -> FloatArray:
    """Density of `prior` at `x`, by PyMC's own log density."""
    import pymc as pm

    log_density: FloatArray = pm.logp(prior.distribution(), x).eval()
    return np.exp(log_density)

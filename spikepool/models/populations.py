"""What partially pooled log rates are drawn from: one class per population, one interface."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, override

import numpy as np
from scipy import special

from spikepool.data.spike_counts import FloatArray
from spikepool.models.spec import PopulationName

_MOST_EXPONENT = 700.0
STUDENT_T_NU = 4.0
"""ν of a student-t population, fixed: heavy tails, but a variance."""


class RatePopulation(ABC):
    """A population of log rates θ, given its hyperparameters.

    Hyperparameters are passed by name (those of `hyperparameters`); their shapes broadcast with
    one another and with θ.

    Attributes
    ----------
    hyperparameters : tuple of str
        Their names in the PyMC model and in `Priors`.
    has_centring : bool
        Whether neurons can be centred more or less (see `parametrization`).
    formula : str
        The population in one line, for `spikepool model`.
    steps_per_sd : float
        The trapezoid rule with so many steps per sd integrates the density to about 1e-9.
    rate_has_moments : bool
        Whether the rate e^θ has a mean and a variance.
    """

    hyperparameters: ClassVar[tuple[str, ...]]
    has_centring: ClassVar[bool]
    formula: ClassVar[str]
    steps_per_sd: ClassVar[float]
    rate_has_moments: ClassVar[bool] = True

    @abstractmethod
    def place(self, hyperparameters: Mapping[str, Any], centring: Any) -> Any:
        """Add ``theta`` to the model on PyMC's context stack.

        Parameters
        ----------
        hyperparameters : dict of str to tensor
            Variables of the model, by the names of `hyperparameters`.
        centring : array or tensor, shape (N,)
            How far each neuron is centred.

        Returns
        -------
        tensor, shape (N,)
            θ.
        """

    @abstractmethod
    def log_density(self, theta: FloatArray, **hyperparameters: FloatArray) -> FloatArray:
        """Log density of the population at log rates `theta`, constants included."""

    @abstractmethod
    def score(self, theta: FloatArray, **hyperparameters: FloatArray) -> dict[str, FloatArray]:
        """Return the derivative of the log density by every hyperparameter."""

    @abstractmethod
    def centre(self, **hyperparameters: FloatArray) -> FloatArray:
        """Return the mean of θ."""

    @abstractmethod
    def sd(self, **hyperparameters: FloatArray) -> FloatArray:
        """Return the standard deviation of θ."""

    @abstractmethod
    def support(
        self, negligible: float, **hyperparameters: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the ends beyond which the log density lies `negligible` below its maximum."""

    @abstractmethod
    def widened(
        self, least_sd: FloatArray | float, **hyperparameters: FloatArray
    ) -> dict[str, FloatArray]:
        """Return hyperparameters of the same centre whose sd is at least `least_sd`."""

    @abstractmethod
    def sample(
        self, rng: np.random.Generator, size: tuple[int, ...], **hyperparameters: FloatArray
    ) -> FloatArray:
        """Draw log rates of shape `size`, with which the hyperparameters must broadcast."""


class NormalPopulation(RatePopulation):
    """θ ~ N(μ, τ²)."""

    hyperparameters = ("mu", "tau")
    has_centring = True
    formula = "θ_i ~ normal(μ, τ)"
    steps_per_sd = 1.4

    @override
    def place(self, hyperparameters: Mapping[str, Any], centring: Any) -> Any:
        mu, tau = hyperparameters["mu"], hyperparameters["tau"]
        return normal_members("theta", mu, tau, centring)

    @override
    def log_density(self, theta: FloatArray, **hyperparameters: FloatArray) -> FloatArray:
        mu, tau = hyperparameters["mu"], hyperparameters["tau"]
        return np.asarray(-0.5 * ((theta - mu) / tau) ** 2 - np.log(tau) - 0.5 * np.log(2 * np.pi))

    @override
    def score(self, theta: FloatArray, **hyperparameters: FloatArray) -> dict[str, FloatArray]:
        mu, tau = hyperparameters["mu"], hyperparameters["tau"]
        z = (theta - mu) / tau
        return {"mu": np.asarray(z / tau), "tau": np.asarray((z**2 - 1) / tau)}

    @override
    def centre(self, **hyperparameters: FloatArray) -> FloatArray:
        return hyperparameters["mu"]

    @override
    def sd(self, **hyperparameters: FloatArray) -> FloatArray:
        return hyperparameters["tau"]

    @override
    def support(
        self, negligible: float, **hyperparameters: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        reach = np.sqrt(2 * negligible) * hyperparameters["tau"]
        return hyperparameters["mu"] - reach, hyperparameters["mu"] + reach

    @override
    def widened(
        self, least_sd: FloatArray | float, **hyperparameters: FloatArray
    ) -> dict[str, FloatArray]:
        return {**hyperparameters, "tau": np.maximum(hyperparameters["tau"], least_sd)}

    @override
    def sample(
        self, rng: np.random.Generator, size: tuple[int, ...], **hyperparameters: FloatArray
    ) -> FloatArray:
        mu, tau = hyperparameters["mu"], hyperparameters["tau"]
        return np.asarray(mu + tau * rng.standard_normal(size))


class StudentTPopulation(RatePopulation):
    """θ ~ μ + τ t with t of ν = 4 degrees of freedom; τ is the scale, and the sd √2 τ."""

    hyperparameters = ("mu", "tau")
    has_centring = True
    formula = f"θ_i ~ student-t({STUDENT_T_NU:g}, μ, τ)"
    steps_per_sd = 2.4  # poles at ± i √ν τ
    rate_has_moments = False

    @override
    def place(self, hyperparameters: Mapping[str, Any], centring: Any) -> Any:
        import pymc as pm

        mu, tau = hyperparameters["mu"], hyperparameters["tau"]
        sampled = pm.StudentT(
            "theta_sampled",
            nu=np.float64(STUDENT_T_NU),
            mu=centring * mu,
            sigma=tau**centring,
            dims="neuron",
        )
        return _moved("theta", sampled, mu, tau, centring)

    @override
    def log_density(self, theta: FloatArray, **hyperparameters: FloatArray) -> FloatArray:
        mu, tau = hyperparameters["mu"], hyperparameters["tau"]
        nu = STUDENT_T_NU
        constant = (
            special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - 0.5 * np.log(nu * np.pi)
        )
        squares = ((theta - mu) / tau) ** 2
        return np.asarray(constant - np.log(tau) - (nu + 1) / 2 * np.log1p(squares / nu))

    @override
    def score(self, theta: FloatArray, **hyperparameters: FloatArray) -> dict[str, FloatArray]:
        mu, tau = hyperparameters["mu"], hyperparameters["tau"]
        z = (theta - mu) / tau
        pull = (STUDENT_T_NU + 1) * z / (STUDENT_T_NU + z**2)
        return {"mu": np.asarray(pull / tau), "tau": np.asarray((pull * z - 1) / tau)}

    @override
    def centre(self, **hyperparameters: FloatArray) -> FloatArray:
        return hyperparameters["mu"]

    @override
    def sd(self, **hyperparameters: FloatArray) -> FloatArray:
        return np.asarray(hyperparameters["tau"] * np.sqrt(STUDENT_T_NU / (STUDENT_T_NU - 2)))

    @override
    def support(
        self, negligible: float, **hyperparameters: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        nu = STUDENT_T_NU
        reach = np.sqrt(nu * np.expm1(2 * negligible / (nu + 1))) * hyperparameters["tau"]
        return hyperparameters["mu"] - reach, hyperparameters["mu"] + reach

    @override
    def widened(
        self, least_sd: FloatArray | float, **hyperparameters: FloatArray
    ) -> dict[str, FloatArray]:
        least = np.asarray(least_sd) / np.sqrt(STUDENT_T_NU / (STUDENT_T_NU - 2))
        return {**hyperparameters, "tau": np.maximum(hyperparameters["tau"], least)}

    @override
    def sample(
        self, rng: np.random.Generator, size: tuple[int, ...], **hyperparameters: FloatArray
    ) -> FloatArray:
        mu, tau = hyperparameters["mu"], hyperparameters["tau"]
        return np.asarray(mu + tau * rng.standard_t(STUDENT_T_NU, size))


class GammaPopulation(RatePopulation):
    """Rates e^θ ~ Gamma(shape a, rate b), conjugate to Poisson counts; b has the unit of exposure.

    Rates are sampled as they are, ``rate_sampled``: there is nothing to centre.
    """

    hyperparameters = ("a", "b")
    has_centring = False
    formula = "exp(θ_i) ~ gamma(a, b)"
    steps_per_sd = 2.0  # skewed

    @override
    def place(self, hyperparameters: Mapping[str, Any], centring: Any) -> Any:
        import pymc as pm
        import pytensor.tensor as pt

        a, b = hyperparameters["a"], hyperparameters["b"]
        rate = pm.Gamma("rate_sampled", alpha=a, beta=b, dims="neuron")
        return pm.Deterministic("theta", pt.log(rate), dims="neuron")

    @override
    def log_density(self, theta: FloatArray, **hyperparameters: FloatArray) -> FloatArray:
        a, b = hyperparameters["a"], hyperparameters["b"]
        log_mean = np.minimum(np.log(b) + theta, _MOST_EXPONENT)
        return np.asarray(a * (np.log(b) + theta) - np.exp(log_mean) - special.gammaln(a))

    @override
    def score(self, theta: FloatArray, **hyperparameters: FloatArray) -> dict[str, FloatArray]:
        a, b = hyperparameters["a"], hyperparameters["b"]
        rate = np.exp(np.minimum(theta, _MOST_EXPONENT))
        of_a = np.log(b) + theta - special.digamma(a)
        return {"a": np.asarray(of_a), "b": np.asarray(a / b - rate)}

    @override
    def centre(self, **hyperparameters: FloatArray) -> FloatArray:
        return np.asarray(special.digamma(hyperparameters["a"]) - np.log(hyperparameters["b"]))

    @override
    def sd(self, **hyperparameters: FloatArray) -> FloatArray:
        return np.asarray(np.sqrt(special.polygamma(1, hyperparameters["a"])))

    @override
    def support(
        self, negligible: float, **hyperparameters: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        # ln density below its maximum at e^θ = a/b, with u = θ − ln(a/b): a (e^u − 1 − u)
        a = hyperparameters["a"]
        mode = np.log(a / hyperparameters["b"])
        share = np.minimum(1 + negligible / a, 700.0)
        z = np.asarray(-np.exp(-share), dtype=np.complex128)
        lower = -special.lambertw(z, 0).real - (1 + negligible / a)
        upper = -special.lambertw(z, -1).real - share
        return mode + lower, mode + upper

    @override
    def widened(
        self, least_sd: FloatArray | float, **hyperparameters: FloatArray
    ) -> dict[str, FloatArray]:
        a, b = hyperparameters["a"], hyperparameters["b"]
        # sd of ln Gamma(a) is close to (a − ½)^(−½) where a is large
        wide = np.minimum(a, 0.5 + 1 / np.maximum(least_sd, 1e-100) ** 2)
        return {"a": wide, "b": b * wide / a}

    @override
    def sample(
        self, rng: np.random.Generator, size: tuple[int, ...], **hyperparameters: FloatArray
    ) -> FloatArray:
        a, b = hyperparameters["a"], hyperparameters["b"]
        # x(a) = x(a + 1) u^(1/a): in logarithms nothing underflows when a is small
        larger = np.log(rng.gamma(np.broadcast_to(a + 1, size)))
        return np.asarray(larger - rng.standard_exponential(size) / a - np.log(b))


def normal_members(name: str, centre: Any, scale: Any, centring: Any, dims: str = "neuron") -> Any:
    """Add N(centre, scale²) of every neuron to the model under `name`; shape (N,)."""
    import pymc as pm

    sampled = pm.Normal(f"{name}_sampled", centring * centre, scale**centring, dims=dims)
    return _moved(name, sampled, centre, scale, centring, dims)


def _moved(
    name: str, sampled: Any, centre: Any, scale: Any, centring: Any, dims: str = "neuron"
) -> Any:
    """Add what is meant, of location-scale variables that are sampled partly centred."""
    import pymc as pm

    value = centre + scale ** (1 - centring) * (sampled - centring * centre)
    return pm.Deterministic(name, value, dims=dims)


POPULATIONS: dict[PopulationName, RatePopulation] = {
    "normal": NormalPopulation(),
    "student-t": StudentTPopulation(),
    "gamma": GammaPopulation(),
}

"""What a fit says under other priors of τ: by new weights of its draws, without another fit.

Under the prior q in place of p the posterior of the hyperparameters is that of p times q(τ)/p(τ),
and neurons given the hyperparameters stay as they are. So draws of the one stand for the other with
these ratios as weights, Pareto-smoothed (Vehtari et al. 2024).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy import special

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.diagnostics.power_scaling import PowerScaling
from spikepool.diagnostics.psis import EVEN
from spikepool.engines.collapsed.hyperposterior import NO_WEIGHT, pareto_smoothed
from spikepool.models.priors import Prior, Uniform
from spikepool.models.spec import ModelSpec
from spikepool.models.tau_priors import TauPrior
from spikepool.posterior.quadrature import LEAST_ESS, MOST_PARETO_K, HyperparameterSample
from spikepool.posterior.results import PopulationParameter

type Method = Literal["fitted", "reweighted", "refitted"]

MOST_MOVE: Final = 0.1
"""Posterior sds by which a neuron's log rate may move."""
ERRORS: Final = 2.0
"""Monte Carlo standard errors beyond which a neuron has surely moved by more: of neurons that move
by just `MOST_MOVE`, 2.3 % are named."""
_VALUES_AT_ONCE: Final = 4_000_000


@dataclass(frozen=True)
class LogRates:
    """Log rates of the neurons under one prior; arrays of shape (N,).

    Attributes
    ----------
    mean, sd : ndarray
        Of the posterior.
    move : ndarray
        Of the mean from that of the fit, in posterior sds of the fit.
    error : ndarray
        Monte Carlo standard error of `move`.
    """

    mean: FloatArray
    sd: FloatArray
    move: FloatArray
    error: FloatArray

    @property
    def moved(self) -> np.ndarray:
        """Whether the move is more than `MOST_MOVE`, beyond its error."""
        return np.asarray(np.abs(self.move) - ERRORS * self.error > MOST_MOVE)

    @property
    def undecided(self) -> np.ndarray:
        """Whether it may or may not be, for all that its error says."""
        possible = np.abs(self.move) + ERRORS * self.error > MOST_MOVE
        return np.asarray(possible & ~self.moved)


@dataclass(frozen=True)
class UnderPrior:
    """One population's posterior under one prior of τ.

    Attributes
    ----------
    prior : TauPrior
    group : str
    method : {'fitted', 'reweighted', 'refitted'}
    why : str
        Why it was fitted again; else empty.
    pareto_k, ess : float
        k̂ and effective size of the new weights, the worse of those of the hyperparameters and of
        the joint draws, also where they were not used; of the fit itself those of its own.
    parameters : tuple of PopulationParameter
    tau : HyperparameterSample
        Of τ alone.
    neurons : tuple of str, length N
    log_rates : LogRates
    problems : tuple of str
        Checks that the fit did not pass.
    """

    prior: TauPrior
    group: str
    method: Method
    why: str
    pareto_k: float
    ess: float
    parameters: tuple[PopulationParameter, ...]
    tau: HyperparameterSample
    neurons: tuple[str, ...]
    log_rates: LogRates
    problems: tuple[str, ...] = ()

    def of(self, parameter: str) -> PopulationParameter:
        """Return a population parameter by its name."""
        return next(each for each in self.parameters if each.parameter == parameter)


@dataclass(frozen=True)
class Sensitivity:
    """A model under several priors of τ.

    Attributes
    ----------
    spec : ModelSpec
    under : tuple of UnderPrior
        By prior, that of the fit first, then by group.
    power_scaling : dict of str to tuple of PowerScaling
        Of the fit's hyperparameters, by group.
    """

    spec: ModelSpec
    under: tuple[UnderPrior, ...]
    power_scaling: dict[str, tuple[PowerScaling, ...]]

    @property
    def problems(self) -> tuple[str, ...]:
        """Checks that a fit did not pass."""
        return tuple(
            f"{each.prior.prior}, {each.group}: {problem}"
            for each in self.under
            for problem in each.problems
        )


@dataclass(frozen=True)
class DrawnLogRates:
    """Joint draws of the log rates of a fit, and what is known of them exactly.

    Attributes
    ----------
    draws : ndarray, shape (S, N)
    tau : ndarray, shape (S,)
        Of every draw: draws with the same one have all hyperparameters in common.
    mean, sd : ndarray, shape (N,)
        Of the posterior, by quadrature.
    """

    draws: FloatArray
    tau: FloatArray
    mean: FloatArray
    sd: FloatArray

    @property
    def sample(self) -> HyperparameterSample:
        """The τ of the draws, all alike."""
        size = len(self.tau)
        return HyperparameterSample({"tau": self.tau}, np.full(size, 1 / size), float("nan"))


def covers(old: Prior, new: Prior) -> bool:
    """Whether draws under the old prior can reach wherever the new one has mass."""
    if not isinstance(old, Uniform):
        return True
    return isinstance(new, Uniform) and old.lower <= new.lower and new.upper <= old.upper


def reweighted(sample: HyperparameterSample, log_ratio: FloatArray) -> HyperparameterSample:
    """Return the sample with its weights times the ratio of the priors.

    Parameters
    ----------
    sample : HyperparameterSample
    log_ratio : ndarray, shape (D,)
        ln q(τ)/p(τ) at every point.

    Returns
    -------
    HyperparameterSample
        With the k̂ of its weights: NaN of nearly equal ones, infinite where it is not defined.
    """
    with np.errstate(divide="ignore"):
        log_weights = np.maximum(np.log(sample.weights) + log_ratio, NO_WEIGHT)
    pareto_k = float("nan")
    if log_weights.var() > EVEN:
        log_weights, found = pareto_smoothed(log_weights)
        pareto_k = float(found)
    return HyperparameterSample(sample.values, special.softmax(log_weights), pareto_k)


def reason_to_refit(pareto_k: float, ess: float) -> str:
    """Say why new weights are not to be trusted; empty where they are, as with a k̂ of NaN."""
    if pareto_k > MOST_PARETO_K:
        return f"k\u0302 {pareto_k:.2f} > {MOST_PARETO_K}"
    if ess < LEAST_ESS:
        return f"{ess:.0f} effective draws < {LEAST_ESS:.0f}"
    return ""


def reweighted_log_rates(fit: DrawnLogRates, weights: FloatArray) -> LogRates:
    """Move the log rates of a fit to where they are under another prior.

    What the new weights change is added to the exact mean of the fit. Its error is that of
    self-normalised importance sampling, with draws of the same hyperparameters taken together.

    Parameters
    ----------
    fit : DrawnLogRates
    weights : ndarray, shape (S,)
        Of its draws under the other prior; sum to 1.

    Returns
    -------
    LogRates
    """
    _, cluster = np.unique(fit.tau, return_inverse=True)
    order = np.argsort(cluster, kind="stable")
    firsts = np.flatnonzero(np.diff(cluster[order], prepend=-1))
    parts = [
        _shifted(fit.draws[order, i:j] - fit.mean[i:j], weights[order], firsts)
        for i, j in _chunks(fit.draws.shape)
    ]
    shift, sd, error = (np.concatenate(each) for each in zip(*parts, strict=True))
    return LogRates(fit.mean + shift, sd, shift / fit.sd, error / fit.sd)


def refitted_log_rates(
    fit: DrawnLogRates, mean: FloatArray, sd: FloatArray, error: FloatArray
) -> LogRates:
    """Compare the log rates of another fit with those of the first.

    Parameters
    ----------
    fit : DrawnLogRates
    mean, sd, error : ndarray, shape (N,)
        Of the other fit; `error` is the standard error of the difference of the means.
    """
    return LogRates(mean, sd, (mean - fit.mean) / fit.sd, error / fit.sd)


def _shifted(
    centred: FloatArray, weights: FloatArray, firsts: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the shift of the mean, the new sd, and the error of the shift, of some neurons."""
    even = 1 / len(centred)
    old = centred.mean(axis=0)
    new = np.einsum("s,sn->n", weights, centred)
    sd = np.sqrt(np.einsum("s,sn->n", weights, (centred - new) ** 2))
    influence = weights[:, np.newaxis] * (centred - new) - even * (centred - old)
    error = np.sqrt(np.sum(np.add.reduceat(influence, firsts, axis=0) ** 2, axis=0))
    return new - old, sd, error


def _chunks(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    step = max(1, _VALUES_AT_ONCE // shape[0])
    for first in range(0, shape[1], step):
        yield first, min(first + step, shape[1])

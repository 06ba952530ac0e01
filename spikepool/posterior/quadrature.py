"""What the collapsed engine knows beyond draws: marginals, certificate, left-out densities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray
from spikepool.posterior.results import DispersionEstimates, Summary

MOST_QUADRATURE_ERROR = 1e-5
"""Limit of the error of a neuron's ln p_i(φ)."""
MOST_PARETO_K = 0.7
"""Limit of k̂ (Vehtari et al. 2024)."""
LEAST_ESS = 400.0
"""Limit of the effective sample size of the hyperparameters."""
MOST_R_HAT = 1.01
"""Limit of R̂ where the hyperparameters were sampled by chains (Vehtari et al. 2021)."""
MOST_OUTSIDE = 1e-2
"""Limit of the posterior mass beyond the lattices' region."""


@dataclass(frozen=True)
class HyperparameterSample:
    """The posterior of the hyperparameters as a weighted sample.

    Attributes
    ----------
    values : dict of str to ndarray, shape (D,)
        By name; empty without any pooling.
    weights : ndarray, shape (D,)
        Sum to 1.
    pareto_k : float
        Shape of the tail of the importance ratios; NaN where nothing was sampled by importance.
    log_likelihood : ndarray, shape (D,), or None
        ln p(y | hyperparameters) but for a constant, NaN where the weight is 0; None where it is
        not known.
    """

    values: dict[str, FloatArray]
    weights: FloatArray
    pareto_k: float
    log_likelihood: FloatArray | None = None

    @property
    def ess(self) -> float:
        """Effective sample size 1/Σw²."""
        return float(1 / np.sum(self.weights**2))


@dataclass(frozen=True)
class NeuronMarginals:
    """Marginal posteriors of the neurons, with no Monte Carlo error but that of φ.

    Attributes
    ----------
    rate, log_rate : Summary
    dispersion : DispersionEstimates or None
    realised_weight : ndarray, shape (N,)
        E_φ[1 − Var(θ_i | y, φ)/Var(θ_i | φ)].
    rate_variance : ndarray of float32, shape (S, N)
        Var(θ_i | y, φ) for the φ of every joint draw.
    log_rate_mcse : ndarray, shape (N,)
        Standard error of the mean of θ from the finite sample of φ.
    """

    rate: Summary
    log_rate: Summary
    dispersion: DispersionEstimates | None
    realised_weight: FloatArray
    rate_variance: NDArray[np.float32]
    log_rate_mcse: FloatArray


@dataclass(frozen=True)
class ResponseMarginals:
    """Marginal posteriors of the responses, neuron × condition.

    Attributes
    ----------
    rate, log_rate : Summary
        Arrays of shape (R,), in the order of ``Tally.responses``.
    log_rate_mcse : ndarray, shape (R,)
        Standard error of the mean of θ from the finite sample of φ.
    fano : Summary or None
        Fano factor at the response's own rate and mean exposure; None for Poisson.
    prob_fano_above : ndarray, shape (R,), or None
    """

    rate: Summary
    log_rate: Summary
    log_rate_mcse: FloatArray
    fano: Summary | None
    prob_fano_above: FloatArray | None


@dataclass(frozen=True)
class ChainCheck:
    """How well chains of the hyperparameters mixed.

    Attributes
    ----------
    r_hat : float
        The largest over the hyperparameters.
    divergences : int
    """

    r_hat: float
    divergences: int

    @property
    def passed(self) -> bool:
        """Whether the draws can be used, if they are many enough."""
        return self.r_hat <= MOST_R_HAT and self.divergences == 0


@dataclass(frozen=True)
class Certificate:
    """How far the quadrature and the sample of φ can be trusted.

    Attributes
    ----------
    refinement_error : ndarray, shape (N,)
        Change of ln p_i(φ) on a finer and wider lattice, the largest over a few φ; NaN where a
        neuron was not among those checked.
    direct_error : ndarray, shape (N,)
        The same against the direct kernel.
    pareto_k : float
        NaN where φ was not sampled by importance.
    ess : float
    outside : float
        Posterior mass of φ beyond the region that the lattices were made for.
    problems : tuple of str
        Checks that failed, in words; empty when the results can be used.
    chains : ChainCheck or None
        Where φ was sampled by NUTS.
    notes : tuple of str
        What was done again, and which check had failed before.
    """

    refinement_error: FloatArray
    direct_error: FloatArray
    pareto_k: float
    ess: float
    outside: float
    problems: tuple[str, ...]
    chains: ChainCheck | None = None
    notes: tuple[str, ...] = ()

    @property
    def sample_passed(self) -> bool:
        """Whether the sample of φ can be used; true where there are no hyperparameters."""
        if self.chains is None and np.isnan(self.pareto_k):
            return True
        weighed = np.isnan(self.pareto_k) or self.pareto_k <= MOST_PARETO_K
        mixed = self.chains is None or self.chains.passed
        return bool(weighed and mixed and self.ess >= LEAST_ESS and self.outside <= MOST_OUTSIDE)

    @property
    def worst_error(self) -> float:
        """Largest error of a neuron's integral; NaN where nothing is integrated."""
        errors = np.concatenate([self.refinement_error, self.direct_error])
        known = errors[~np.isnan(errors)]
        return float(known.max()) if known.size else float("nan")


@dataclass(frozen=True)
class LeaveOut:
    """Log predictive densities of what was left out of the fit.

    Attributes
    ----------
    trial : ndarray, shape (cells,)
        ln p(y_t | all other trials), for every cell of the tally.
    trial_by_neuron : ndarray, shape (N,)
        Sum over the neuron's trials.
    neuron : ndarray, shape (N,)
        ln p(y_i | all other neurons).
    trial_pareto_k : float
        Largest over the trials examined; NaN where the hyperparameters cannot matter.
    neuron_pareto_k : float
    """

    trial: FloatArray
    trial_by_neuron: FloatArray
    neuron: FloatArray
    trial_pareto_k: float
    neuron_pareto_k: float


@dataclass(frozen=True)
class Integrated:
    """What is known of an integrated posterior's hyperparameters, and how well.

    Attributes
    ----------
    hyperparameters : HyperparameterSample
    certificate : Certificate
    leave_out : LeaveOut or None
    """

    hyperparameters: HyperparameterSample
    certificate: Certificate
    leave_out: LeaveOut | None


@dataclass(frozen=True)
class Quadrature(Integrated):
    """Everything that the collapsed engine adds to draws of one population.

    Attributes
    ----------
    marginals : NeuronMarginals
    responses : ResponseMarginals or None
    """

    marginals: NeuronMarginals
    responses: ResponseMarginals | None = None


@dataclass(frozen=True)
class JoinedQuadrature(Integrated):
    """Everything that it adds to draws of joined groups.

    Attributes
    ----------
    pairs : tuple of Quadrature
        Of the neurons of every pair of group and label.
    """

    pairs: tuple[Quadrature, ...]

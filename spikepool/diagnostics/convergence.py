"""Did the sampler converge: R̂, effective sample sizes, divergences and energy against limits.

References
----------
Vehtari, A., Gelman, A., Simpson, D., Carpenter, B. & Bürkner, P.-C. (2021). Rank-normalization,
folding, and localization: an improved R̂. Bayesian Analysis 16, 667-718.
Betancourt, M. (2016). Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo.
arXiv:1604.00695.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikepool.data.wording import plural
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import Posterior, PosteriorDraws, SamplerStatistics
from spikepool.posterior.mixing import ParameterDiagnostics, measure_mixing
from spikepool.posterior.quadrature import MOST_R_HAT, Certificate

LEAST_ESS_PER_CHAIN = 100
"""Limit of the effective sample size, bulk and tail, for each chain run (the same source)."""
LEAST_BFMI = 0.3
"""Limit of the Bayesian fraction of missing information (Betancourt 2016)."""
HYPERPARAMETERS, SAMPLER = "hyperparameters", "sampler"
"""Stand for the importance sample, and for the whole run of NUTS, where checks are listed."""


@dataclass(frozen=True)
class Convergence:
    """The verdict on one model's draws.

    Attributes
    ----------
    spec : ModelSpec
    engine : str
    parameters : tuple of ParameterDiagnostics
        Of chains.
    sampler : SamplerStatistics or None
        Of chains.
    certificate : Certificate or None
        Of the collapsed engine.
    problems : tuple of str
        Each limit that failed, in words; empty when the draws can be used.
    """

    spec: ModelSpec
    engine: str
    parameters: tuple[ParameterDiagnostics, ...]
    sampler: SamplerStatistics | None
    certificate: Certificate | None
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every limit holds."""
        return not self.problems

    @property
    def mixes_slowly(self) -> bool:
        """Whether several chains, but too few independent draws, is what failed."""
        if self.sampler is None:
            return False
        others = set(_sampler_problems(self.sampler))
        return len(self.sampler.bfmi) > 1 and any(each not in others for each in self.problems)

    def of(self, parameter: str) -> ParameterDiagnostics | None:
        """Return the mixing of a hyperparameter, or None."""
        return next((each for each in self.parameters if each.parameter == parameter), None)


def check_convergence(posterior: Posterior) -> Convergence:
    """Hold a posterior against the limits of this module, or of its own certificate.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    Convergence
    """
    draws = posterior.draws
    if posterior.quadrature is not None:
        certificate = posterior.quadrature.certificate
        return Convergence(draws.spec, draws.engine, (), None, certificate, certificate.problems)
    parameters = tuple(_diagnosed(draws))
    sampler = () if draws.sampler is None else _sampler_problems(draws.sampler)
    problems = (*sampler, *_mixing_problems(draws, parameters))
    return Convergence(draws.spec, draws.engine, parameters, draws.sampler, None, problems)


def _diagnosed(draws: PosteriorDraws) -> Iterator[ParameterDiagnostics]:
    """Diagnose hyperparameters, then what each neuron and each response has of its own."""
    for name, values in draws.population.items():
        yield measure_mixing(name, ("",), values[:, :, np.newaxis])
    if draws.condition_effect is not None:
        for place, label in enumerate(draws.conditions):
            values = draws.condition_effect[..., place : place + 1]
            yield measure_mixing(f"condition_effect[{label}]", ("",), values)
    spec, centring = draws.spec, draws.parametrization
    if spec.pooling != "complete":
        mixing = measure_mixing("theta", draws.neurons, draws.theta.astype(np.float64, copy=False))
        pooled = spec.pooling == "partial" and centring is not None
        yield replace(mixing, centring=centring.rate if pooled and centring else None)
    if draws.delta is not None and spec.dispersion_pooling != "complete":
        mixing = measure_mixing("delta", draws.neurons, draws.delta.astype(np.float64, copy=False))
        pooled = spec.dispersion_pooling == "partial" and centring is not None
        yield replace(mixing, centring=centring.dispersion if pooled and centring else None)
    if draws.response is not None:
        yield _diagnosed_responses(draws, draws.response)


def _diagnosed_responses(
    draws: PosteriorDraws, response: NDArray[np.floating]
) -> ParameterDiagnostics:
    neurons, conditions = zip(*draws.response_labels, strict=True)
    mixing = measure_mixing("response", neurons, response.astype(np.float64, copy=False))
    pooled = draws.spec.condition_pooling == "partial" and draws.parametrization is not None
    centring = draws.parametrization.response if pooled and draws.parametrization else None
    return replace(mixing, conditions=conditions, centring=centring)


def _sampler_problems(sampler: SamplerStatistics) -> Iterator[str]:
    if sampler.divergences:
        divergent = plural(sampler.divergences, "divergent transition")
        yield f"{divergent} (wanted 0): raise --target-accept"
    least = float(np.min(sampler.bfmi))
    if not least >= LEAST_BFMI:
        yield f"energy: BFMI {least:.2f} (wanted at least {LEAST_BFMI}): raise --tune"


def _mixing_problems(
    draws: PosteriorDraws, parameters: tuple[ParameterDiagnostics, ...]
) -> Iterator[str]:
    n_chains = draws.theta.shape[0]
    if n_chains == 1:
        yield "R\u0302 compares chains, and there is one: raise --chains"
    least_ess = LEAST_ESS_PER_CHAIN * n_chains
    for each in parameters:
        worst = int(np.argmax(np.nan_to_num(each.r_hat, nan=np.inf)))
        if n_chains > 1 and not each.r_hat[worst] <= MOST_R_HAT:
            yield (
                f"R\u0302 of {_named(each, worst)} {_number(each.r_hat[worst], '.4f')} "
                f"(wanted at most {MOST_R_HAT}): raise --tune and --draws"
            )
        for kind, values in (("bulk", each.ess_bulk), ("tail", each.ess_tail)):
            worst = int(np.argmin(np.nan_to_num(values, nan=-1.0)))
            if not values[worst] >= least_ess:
                yield (
                    f"effective sample size ({kind}) of {_named(each, worst)} "
                    f"{_number(values[worst], '.0f')} (wanted at least {least_ess}): raise --draws"
                )


def _named(each: ParameterDiagnostics, entry: int) -> str:
    neuron = each.neurons[entry]
    if each.conditions is not None:
        return f"{each.parameter} of neuron {neuron!r} to {each.conditions[entry]!r}"
    return f"{each.parameter} of neuron {neuron!r}" if neuron else each.parameter


def _number(value: float, form: str) -> str:
    return "undefined" if np.isnan(value) else format(value, form)

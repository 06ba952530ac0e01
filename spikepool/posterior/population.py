"""Hyperparameters as reported: by their names in the model, and in words."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spikepool.models.populations import POPULATIONS
from spikepool.models.spec import Family, ModelSpec
from spikepool.posterior.draws import Posterior, PosteriorDraws
from spikepool.posterior.groups import WHOLE_TABLE
from spikepool.posterior.mixing import measure_mixing
from spikepool.posterior.quadrature import HyperparameterSample
from spikepool.posterior.results import PopulationParameter, Summary
from spikepool.posterior.summary import SummaryOptions, summarise
from spikepool.posterior.weighted import weighted_summary

type Draws = NDArray[np.float64]

_DISPERSION_IN_WORDS: dict[Family, tuple[str, float]] = {
    "nb2": ("typical_gain_sd", 1.0),
    "nb1": ("typical_excess_fano", 2.0),
}


def reported_hyperparameters(spec: ModelSpec, values: Mapping[str, Draws]) -> dict[str, Draws]:
    """Return every reported population parameter by name, from draws of any one shape.

    As the model has them, then in words: ``typical_rate`` and ``rate_spread_fold`` are e to the
    mean and to the sd of the log rates' population (exp μ and exp τ of a normal one);
    ``typical_gain_sd`` = exp μ_δ (NB2) or ``typical_excess_fano`` = exp 2μ_δ (NB1). NB1's shared
    dispersion is reported as ``excess_fano``, the square of its root.
    """
    with np.errstate(over="ignore"):  # e^τ of a point of the far tail may be infinite
        return dict(_named(spec, values))


def _named(spec: ModelSpec, values: Mapping[str, Draws]) -> Iterator[tuple[str, Draws]]:
    for name, of in values.items():
        if name == "root_excess_fano":
            yield "excess_fano", of**2
        else:
            yield name, of
    if spec.pooling == "complete":
        yield "typical_rate", np.exp(values["mu"])
    if spec.pooling == "partial":
        population = POPULATIONS[spec.population]
        own = {name: values[name] for name in population.hyperparameters}
        yield "typical_rate", np.exp(population.centre(**own))
        yield "rate_spread_fold", np.exp(population.sd(**own))
    if spec.dispersion_pooling == "partial":
        word, power = _DISPERSION_IN_WORDS[spec.family]
        yield word, np.exp(power * values["mu_delta"])


def summarise_population(
    posterior: Posterior, interval: float, group: str = WHOLE_TABLE
) -> tuple[PopulationParameter, ...]:
    """Summarise every population parameter.

    Parameters
    ----------
    posterior : Posterior
    interval : float
        Mass of the equal-tailed intervals.
    group : str
        Name of the population.

    Returns
    -------
    tuple of PopulationParameter
        Empty without any pooling. Last the effect of every condition on the log rates of all
        neurons, c, where the model has such: ``condition_effect[90]``, and e^c, the ratio of rates:
        ``condition_ratio[90]``.
    """
    spec = posterior.draws.spec
    if posterior.quadrature is not None:
        sample = posterior.quadrature.hyperparameters
        reported = reported_hyperparameters(spec, sample.values)
        return tuple(
            replace(summarise_sample(name, of, sample, interval), group=group)
            for name, of in reported.items()
        )
    reported = reported_hyperparameters(spec, posterior.draws.population)
    reported |= _condition_effects(posterior.draws)
    return tuple(
        replace(summarise_chains(name, of, interval), group=group) for name, of in reported.items()
    )


def _condition_effects(draws: PosteriorDraws) -> dict[str, Draws]:
    """Return the effect of every condition, and what it multiplies rates with."""
    if draws.condition_effect is None:
        return {}
    effects = dict(zip(draws.conditions, np.moveaxis(draws.condition_effect, -1, 0), strict=True))
    return {f"condition_effect[{label}]": of for label, of in effects.items()} | {
        f"condition_ratio[{label}]": np.exp(of) for label, of in effects.items()
    }


def summarise_sample(
    name: str, values: Draws, sample: HyperparameterSample, interval: float
) -> PopulationParameter:
    """Summarise a weighted sample, shape (D,); its points are independent: R̂ has no meaning.

    A mean above the upper end is left out: only the far tail decides it, and it need not exist.
    """
    masses = SummaryOptions(interval, 1.0).masses
    with np.errstate(over="ignore", invalid="ignore"):
        summary = weighted_summary(values, sample.weights, masses)
    if not summary.mean[0] <= summary.upper[0]:
        nothing = np.array([np.nan])
        summary = replace(summary, mean=nothing, sd=nothing)
    return _parameter(name, summary, sample.ess, sample.ess, float("nan"))


def summarise_chains(name: str, values: Draws, interval: float) -> PopulationParameter:
    """Summarise draws of a parameter, shape (chains, draws)."""
    summary = summarise(values.reshape(-1, 1), interval)
    mixing = measure_mixing(name, ("",), values[:, :, np.newaxis])
    diagnosed = (mixing.ess_bulk, mixing.ess_tail, mixing.r_hat)
    return _parameter(name, summary, *(float(each[0]) for each in diagnosed))


def _parameter(
    name: str, summary: Summary, ess_bulk: float, ess_tail: float, r_hat: float
) -> PopulationParameter:
    return PopulationParameter(
        group=WHOLE_TABLE,
        parameter=name,
        mean=float(summary.mean[0]),
        sd=float(summary.sd[0]),
        median=float(summary.median[0]),
        lower=float(summary.lower[0]),
        upper=float(summary.upper[0]),
        ess_bulk=ess_bulk,
        ess_tail=ess_tail,
        r_hat=r_hat,
    )

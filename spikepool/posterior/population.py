"""Hyperparameters as reported: by their names in the model, and in words."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from spikepool.models.spec import Family
from spikepool.posterior.draws import PosteriorDraws
from spikepool.posterior.mixing import measure_mixing
from spikepool.posterior.results import PopulationParameter
from spikepool.posterior.summaries import summarise

type Draws = NDArray[np.float64]
type Words = tuple[str, Callable[[Draws], Draws]]

_IN_WORDS: dict[str, Words] = {
    "mu": ("typical_rate", np.exp),
    "tau": ("rate_spread_fold", np.exp),
}
_DISPERSION_IN_WORDS: dict[Family, Words] = {
    "nb2": ("typical_gain_sd", np.exp),
    "nb1": ("typical_excess_fano", lambda mu_delta: np.exp(2 * mu_delta)),
}


def reported_hyperparameters(draws: PosteriorDraws) -> dict[str, Draws]:
    """Draws of every reported population parameter, by name; shape (chains, draws).

    As the model has them, then in words: ``typical_rate`` = exp μ, ``rate_spread_fold`` = exp τ,
    ``typical_gain_sd`` = exp μ_δ (NB2) or ``typical_excess_fano`` = exp 2μ_δ (NB1). NB1's shared
    dispersion is reported as ``excess_fano``, the square of its root.
    """
    return dict(_named(draws))


def _named(draws: PosteriorDraws) -> Iterator[tuple[str, Draws]]:
    for name, values in draws.population.items():
        if name == "root_excess_fano":
            yield "excess_fano", values**2
        else:
            yield name, values
    words = dict(_IN_WORDS)
    if draws.spec.family in _DISPERSION_IN_WORDS:
        words["mu_delta"] = _DISPERSION_IN_WORDS[draws.spec.family]
    for name, (word, transform) in words.items():
        if name in draws.population:
            yield word, transform(draws.population[name])


def summarise_population(draws: PosteriorDraws, interval: float) -> tuple[PopulationParameter, ...]:
    """Summarise every population parameter.

    Parameters
    ----------
    draws : PosteriorDraws
    interval : float
        Mass of the equal-tailed intervals.

    Returns
    -------
    tuple of PopulationParameter
        Empty without any pooling.
    """
    return tuple(
        _summarised(name, values, interval)
        for name, values in reported_hyperparameters(draws).items()
    )


def _summarised(name: str, values: Draws, interval: float) -> PopulationParameter:
    summary = summarise(values.reshape(-1, 1), interval)
    mixing = measure_mixing(name, ("",), values[:, :, np.newaxis])
    return PopulationParameter(
        group="all",
        parameter=name,
        mean=float(summary.mean[0]),
        sd=float(summary.sd[0]),
        median=float(summary.median[0]),
        lower=float(summary.lower[0]),
        upper=float(summary.upper[0]),
        ess_bulk=float(mixing.ess_bulk[0]),
        ess_tail=float(mixing.ess_tail[0]),
        r_hat=float(mixing.r_hat[0]),
    )

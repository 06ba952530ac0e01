"""Two engines on one model: how far their posteriors are apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray
from spikepool.posterior.draws import PosteriorDraws
from spikepool.posterior.results import NeuronEstimates, Summary

MOST_DIFFERENCE = 0.02
"""Posterior sds by which two engines may differ, beyond Monte Carlo error."""
STANDARD_ERRORS = 4.0
ALL_NEURONS = "all neurons"


@dataclass(frozen=True)
class CrossCheck:
    """Largest differences between two engines, in posterior sds.

    Attributes
    ----------
    engine : str
        The one compared with.
    parameter : {'theta', 'delta'}
    quantity : {'mean', 'lower', 'upper'}
    neuron : str
        Where the difference is largest; `ALL_NEURONS` of what they share.
    difference : float
        In posterior sds.
    standard_error : float
        Monte Carlo error of that difference, in posterior sds.
    beyond : int
        Number of (neuron, parameter, quantity) that differ by more than 0.02 sd + 4 Monte Carlo
        standard errors; what all neurons share counts once.
    compared : int
    """

    engine: str
    parameter: str
    quantity: str
    neuron: str
    difference: float
    standard_error: float
    beyond: int
    compared: int

    @property
    def agrees(self) -> bool:
        """Whether nothing differs beyond the bound."""
        return self.beyond == 0


@dataclass(frozen=True)
class Difference:
    """How far two engines are apart in one quantity of every neuron, in posterior sds.

    Attributes
    ----------
    parameter, quantity : str
    difference, standard_error : ndarray, shape (N,)
    """

    parameter: str
    quantity: str
    difference: FloatArray
    standard_error: FloatArray


def compare_engines(
    estimates: NeuronEstimates, draws: PosteriorDraws, interval: float
) -> CrossCheck:
    """Compare the marginals of one engine with the draws of another.

    Parameters
    ----------
    estimates : NeuronEstimates
    draws : PosteriorDraws
        Of the same model and tally, in chains.
    interval : float
        Mass of the intervals of `estimates`.

    Returns
    -------
    CrossCheck
    """
    spec, found, shared = estimates.spec, list[Difference](), list[Difference]()
    of_responses = list[CrossCheck]()
    if estimates.responses is not None and draws.response is not None:
        responses = estimates.responses
        names = tuple(estimates.neurons[i] for i in responses.neuron)
        found_there = differences("response", responses.log_rate, draws.response, interval)
        of_responses = [largest_of(list(found_there), draws.engine, names)]
    elif spec.pooling == "complete":
        shared += differences("theta", _first(estimates.log_rate), draws.theta[..., :1], interval)
    else:
        found += differences("theta", estimates.log_rate, draws.theta, interval)
    if draws.delta is not None:
        assert estimates.dispersion is not None  # noqa: S101 - of the same model
        of_delta = estimates.dispersion.log_dispersion
        if spec.dispersion_pooling == "complete" and spec.within is None:
            shared += differences("delta", _first(of_delta), draws.delta[..., :1], interval)
        else:
            found += differences("delta", of_delta, draws.delta, interval)
    of_neurons = [largest_of(found, draws.engine, estimates.neurons)] if found else []
    of_all = [largest_of(shared, draws.engine, (ALL_NEURONS,))] if shared else []
    return _together([*of_responses, *of_neurons, *of_all])


def _first(summary: Summary) -> Summary:
    """Return the summary of the first neuron, which all have where they share a parameter."""
    return Summary(*(values[:1] for values in vars(summary).values()))


def worst_of(checks: Sequence[CrossCheck]) -> CrossCheck | None:
    """Return the check of all neurons from those of their groups; None where there is none."""
    return _together(checks) if checks else None


def _together(checks: Sequence[CrossCheck]) -> CrossCheck:
    return replace(
        max(checks, key=lambda check: check.difference),
        beyond=sum(check.beyond for check in checks),
        compared=sum(check.compared for check in checks),
    )


def differences(
    parameter: str, summary: Summary, values: NDArray[np.floating], interval: float
) -> Iterator[Difference]:
    """Compare mean, lower and upper end of one parameter of every neuron.

    Parameters
    ----------
    parameter : str
    summary : Summary
        By the one engine.
    values : ndarray, shape (chains, draws, N)
        Of the other.
    interval : float
        Mass of the interval of `summary`.

    Yields
    ------
    Difference
    """
    from arviz_stats.base import array_stats

    axes = {"chain_axis": 0, "draw_axis": 1}
    tail = (1 - interval) / 2
    flat = values.reshape(-1, values.shape[-1])
    sd = summary.sd
    mean_error = np.asarray(array_stats.mcse(values, method="mean", **axes))
    yield Difference(
        parameter, "mean", np.abs(flat.mean(axis=0) - summary.mean) / sd, mean_error / sd
    )
    for quantity, mass in (("lower", tail), ("upper", 1 - tail)):
        own = summary.lower if quantity == "lower" else summary.upper
        error = np.asarray(array_stats.mcse(values, method="quantile", prob=mass, **axes))
        gap = np.abs(np.quantile(flat, mass, axis=0) - own)
        yield Difference(parameter, quantity, gap / sd, error / sd)


def largest_of(found: list[Difference], engine: str, neurons: tuple[str, ...]) -> CrossCheck:
    """Name the largest difference, and count those beyond the bound.

    Parameters
    ----------
    found : list of Difference
        At least one.
    engine : str
        The engine compared with.
    neurons : tuple of str

    Returns
    -------
    CrossCheck
    """
    difference = np.stack([each.difference for each in found])
    error = np.stack([each.standard_error for each in found])
    which, neuron = np.unravel_index(int(np.argmax(difference)), difference.shape)
    beyond = ~(difference <= MOST_DIFFERENCE + STANDARD_ERRORS * error)  # nor may it be undefined
    return CrossCheck(
        engine=engine,
        parameter=found[which].parameter,
        quantity=found[which].quantity,
        neuron=neurons[neuron],
        difference=float(difference[which, neuron]),
        standard_error=float(error[which, neuron]),
        beyond=int(beyond.sum()),
        compared=difference.size,
    )

"""Closed forms against NUTS on one model of estimates: how far their posteriors are apart."""

import numpy as np

from spikepool.diagnostics.cross_check import MOST_DIFFERENCE, STANDARD_ERRORS, CrossCheck
from spikepool.posterior.normal_results import NormalPosterior


def compare_normal_engines(
    posterior: NormalPosterior,
    sampled: NormalPosterior,
    neurons: tuple[str, ...],
    interval: float,
) -> CrossCheck:
    """Compare the marginals of one engine with the draws of another.

    Parameters
    ----------
    posterior : NormalPosterior
    sampled : NormalPosterior
        Of the same model, with its draws in chains.
    neurons : tuple of str
    interval : float
        Mass of the intervals of `posterior`.

    Returns
    -------
    CrossCheck
        Of mean, lower and upper end of every θ_i.
    """
    from arviz_stats.base import array_stats

    assert sampled.draws is not None  # noqa: S101 - asked for by the caller
    draws = sampled.draws.astype(np.float64)
    axes = {"chain_axis": 0, "draw_axis": 1}
    sd, tail = posterior.theta.sd, (1 - interval) / 2
    quantities = ("mean", "lower", "upper")
    gaps = [np.abs(getattr(posterior.theta, q) - getattr(sampled.theta, q)) for q in quantities]
    errors = [array_stats.mcse(draws, method="mean", **axes)]
    errors += [
        array_stats.mcse(draws, method="quantile", prob=mass, **axes) for mass in (tail, 1 - tail)
    ]
    difference, error = np.stack(gaps) / sd, np.stack(errors) / sd
    which, neuron = np.unravel_index(int(np.argmax(difference)), difference.shape)
    return CrossCheck(
        engine=sampled.engine,
        parameter="theta",
        quantity=quantities[which],
        neuron=neurons[neuron],
        difference=float(difference[which, neuron]),
        standard_error=float(error[which, neuron]),
        beyond=int(np.sum(difference > MOST_DIFFERENCE + STANDARD_ERRORS * error)),
        compared=difference.size,
    )

"""Closed forms against NUTS on one model of estimates: how far their posteriors are apart."""

import numpy as np

from spikepool.diagnostics.cross_check import CrossCheck, differences, largest_of
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
    assert sampled.draws is not None  # noqa: S101 - asked for by the caller
    draws = sampled.draws.astype(np.float64)
    found = list(differences("theta", posterior.theta, draws, interval))
    return largest_of(found, sampled.engine, neurons)

"""What is kept of the draws of a run of counts."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spikepool.report.posterior_file import StoredDraws
from spikepool.report.run_results import FittedModel, RunResults


def draws_of_counts(results: RunResults, most: int) -> Iterator[StoredDraws]:
    """Yield the draws of every model of counts.

    Parameters
    ----------
    results : RunResults
    most : int
        Draws to store where they are independent, which may be fewer than were made.
    """
    for model in results.models:
        independent = model.engine == "collapsed"
        stored = slice(most if independent else None)
        hyperparameters = model.hyperparameters.items()
        yield StoredDraws(
            spec=model.spec,
            neurons=model.estimates.neurons,
            hyperparameters={name: values[:, stored] for name, values in hyperparameters},
            of_neurons=_of_neurons(model, stored),
            attributes={
                "family": model.spec.family,
                "pooling": model.spec.pooling,
                "dispersion_pooling": model.spec.dispersion_pooling or "",
                "engine": model.engine,
                "rate_unit": model.estimates.rate_unit,
            },
        )


def _of_neurons(model: FittedModel, stored: slice) -> dict[str, NDArray[np.floating]] | None:
    if model.draws is None:
        return None
    theta, delta = model.draws.theta[:, stored], model.draws.delta
    return {"theta": theta} if delta is None else {"theta": theta, "delta": delta[:, stored]}

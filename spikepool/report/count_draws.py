"""What is kept of the draws of a run of counts."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spikepool.report.posterior_file import StoredDraws
from spikepool.report.run_results import FittedModel, RunResults


def draws_of_counts(results: RunResults) -> Iterator[StoredDraws]:
    """Yield the draws of every model of counts."""
    for model in results.models:
        yield StoredDraws(
            spec=model.spec,
            neurons=model.estimates.neurons,
            hyperparameters=model.hyperparameters,
            of_neurons=_of_neurons(model),
            attributes={
                "family": model.spec.family,
                "pooling": model.spec.pooling,
                "dispersion_pooling": model.spec.dispersion_pooling or "",
                "engine": model.engine,
                "rate_unit": model.estimates.rate_unit,
            },
        )


def _of_neurons(model: FittedModel) -> dict[str, NDArray[np.floating]] | None:
    if model.draws is None:
        return None
    delta = model.draws.delta
    return {"theta": model.draws.theta, **({} if delta is None else {"delta": delta})}

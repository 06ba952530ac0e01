"""What is kept of the draws of a run of estimates."""

from collections.abc import Iterator

from spikepool.report.normal_results import NormalResults
from spikepool.report.posterior_file import StoredDraws


def draws_of_estimates(results: NormalResults) -> Iterator[StoredDraws]:
    """Yield the draws of every model of estimates."""
    for fit in results.models:
        draws = fit.posterior.draws
        yield StoredDraws(
            spec=fit.spec,
            neurons=results.estimates.neurons,
            hyperparameters=fit.posterior.hyperparameters,
            of_neurons=None if draws is None else {"theta": draws},
            attributes={
                "family": fit.spec.family,
                "pooling": fit.spec.pooling,
                "population": fit.spec.population,
                "engine": fit.posterior.engine,
            },
        )

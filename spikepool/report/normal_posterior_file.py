"""Posterior draws of models of estimates as NetCDF files that ArviZ reads."""

from collections.abc import Iterator
from typing import Literal

from spikepool import __version__
from spikepool.report.normal_results import NormalFit, NormalResults


def render_normal_posteriors(
    results: NormalResults, parts: Literal["none", "population", "full"]
) -> Iterator[tuple[str, bytes]]:
    """Yield ``posterior/MODEL.nc`` and its bytes, one model at a time.

    Parameters
    ----------
    results : NormalResults
    parts : {'none', 'population', 'full'}
        `population`: hyperparameters; `full`: also θ of every neuron, in single precision.

    Yields
    ------
    tuple of (str, bytes)
        A model that has none of the parts has no file.
    """
    for fit in results.fits:
        if parts == "full" or (parts == "population" and fit.posterior.hyperparameters):
            neurons = list(results.estimates.neurons)
            yield (
                f"posterior/{fit.spec.name}.nc",
                _posterior_bytes(fit, neurons, full=parts == "full"),
            )


def _posterior_bytes(fit: NormalFit, neurons: list[str], *, full: bool) -> bytes:
    import arviz_base

    posterior = fit.posterior
    of_neurons = {} if posterior.draws is None or not full else {"theta": posterior.draws}
    tree = arviz_base.from_dict(
        {"posterior": {**posterior.hyperparameters, **of_neurons}},
        coords={"neuron": neurons} if full else {},
        dims={"theta": ["neuron"]},
    )
    for node in (tree, tree["posterior"]):
        node.attrs.pop("created_at", None)
        node.attrs.update(
            {
                "model": fit.spec.name,
                "family": fit.spec.family,
                "pooling": fit.spec.pooling,
                "population": fit.spec.population,
                "engine": posterior.engine,
                "spikepool_version": __version__,
            }
        )
    return bytes(tree.to_netcdf(engine="h5netcdf"))

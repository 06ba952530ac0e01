"""Posterior draws as NetCDF files that ArviZ reads."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spikepool import __version__
from spikepool.report.run_results import FittedModel

type PosteriorParts = Literal["none", "population", "full"]


def render_posteriors(
    models: Sequence[FittedModel], parts: PosteriorParts
) -> Iterator[tuple[str, bytes]]:
    """Yield ``posterior/MODEL.nc`` and its bytes, one model at a time.

    Parameters
    ----------
    models : sequence of FittedModel
    parts : {'none', 'population', 'full'}
        `population`: hyperparameters; `full`: also θ and δ of every neuron, in single precision.

    Yields
    ------
    tuple of (str, bytes)
        A model that has none of the parts (`population` of a model without pooling) has no file.
    """
    for model in models:
        if parts == "full" or (parts == "population" and model.hyperparameters):
            yield f"posterior/{model.spec.name}.nc", posterior_bytes(model, full=parts == "full")


def posterior_bytes(model: FittedModel, *, full: bool) -> bytes:
    """Return the NetCDF of one model's draws.

    Parameters
    ----------
    model : FittedModel
    full : bool
        Also θ and δ, with the coordinate ``neuron``, as 32-bit floats.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If the draws of θ and δ are wanted and were not kept.
    """
    import arviz_base

    tree = arviz_base.from_dict(
        {"posterior": {**model.hyperparameters, **(_of_neurons(model) if full else {})}},
        coords={"neuron": list(model.estimates.neurons)} if full else {},
        dims={"theta": ["neuron"], "delta": ["neuron"]},
    )
    for node in (tree, tree["posterior"]):
        node.attrs.pop("created_at", None)
        node.attrs.update(_attributes(model))
    return bytes(tree.to_netcdf(engine="h5netcdf"))


def _of_neurons(model: FittedModel) -> dict[str, NDArray[np.float32]]:
    if model.draws is None:
        raise ValueError(f"the draws of {model.spec.label} were not kept")
    variables = {"theta": model.draws.theta.astype(np.float32)}
    if model.draws.delta is not None:
        variables["delta"] = model.draws.delta.astype(np.float32)
    return variables


def _attributes(model: FittedModel) -> dict[str, str]:
    return {
        "model": model.spec.name,
        "family": model.spec.family,
        "pooling": model.spec.pooling,
        "dispersion_pooling": model.spec.dispersion_pooling or "",
        "engine": model.engine,
        "rate_unit": model.estimates.rate_unit,
        "spikepool_version": __version__,
    }

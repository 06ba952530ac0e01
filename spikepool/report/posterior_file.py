"""Posterior draws as NetCDF files that ArviZ reads."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from spikepool import __version__
from spikepool.models.spec import ModelSpec

if TYPE_CHECKING:
    from xarray import DataTree

BASELINE_GROUP = "baseline_posterior"
"""Group of draws without a stimulus, named as ArviZ names those beside ``posterior``."""
RESPONSES = "neuron_condition"
"""Dimension of the responses, as in the PyMC model."""
OF_RESPONSES = ("response_neuron", "response_condition")
"""Its coordinates: the neuron and the condition of every response."""

type PosteriorParts = Literal["none", "population", "full"]


@dataclass(frozen=True)
class LabelledDraws:
    """Draws of a parameter with axes of its own.

    Attributes
    ----------
    values : ndarray, shape (chains, draws, ...)
    axes : dict of str to tuple of str
        Name of each further axis, and the labels along it.
    """

    values: NDArray[np.float64]
    axes: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ResponseDraws:
    """Draws of the responses: of every neuron only to the conditions that it was presented with.

    Attributes
    ----------
    values : ndarray, shape (chains, draws, R)
        Log rates.
    names : tuple of str, length R
        As in the PyMC model: ``n1/90``.
    labels : tuple of (str, str), length R
        The neuron and the condition of each.
    """

    values: NDArray[np.floating]
    names: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class StoredDraws:
    """One model's draws, and what its file says of them.

    Attributes
    ----------
    spec : ModelSpec
    neurons : tuple of str
    hyperparameters : dict of str to ndarray, shape (chains, draws) or (chains, draws, groups)
    of_neurons : dict of str to ndarray, shape (chains, draws, N), or None
        ``theta`` and ``delta``; None where they were not kept.
    attributes : dict of str to str
        Besides the model's name and the version.
    groups : tuple of str
        Of the hyperparameters' third axis; empty where the whole table is one population.
    effects : dict of str to LabelledDraws
        Of labels within groups, and of conditions.
    baseline : StoredDraws or None
        Of the same model without a stimulus.
    responses : ResponseDraws or None
        None where they were not kept, or conditions make no difference.
    """

    spec: ModelSpec
    neurons: tuple[str, ...]
    hyperparameters: dict[str, NDArray[np.float64]]
    of_neurons: dict[str, NDArray[np.floating]] | None
    attributes: dict[str, str]
    groups: tuple[str, ...] = ()
    effects: dict[str, LabelledDraws] = field(default_factory=dict)
    baseline: "StoredDraws | None" = None
    responses: ResponseDraws | None = None


def render_posteriors(
    models: Iterable[StoredDraws], parts: PosteriorParts
) -> Iterator[tuple[str, bytes]]:
    """Yield ``posterior/MODEL.nc`` and its bytes, one model at a time.

    Parameters
    ----------
    models : iterable of StoredDraws
    parts : {'none', 'population', 'full'}
        `population`: hyperparameters; `full`: also θ and δ of every neuron, and every response,
        in single precision.

    Yields
    ------
    tuple of (str, bytes)
        A model that has none of the parts (`population` of a model without pooling) has no file.
    """
    for model in models:
        if parts == "full" or (parts == "population" and model.hyperparameters):
            yield f"posterior/{model.spec.name}.nc", posterior_bytes(model, full=parts == "full")


def posterior_bytes(model: StoredDraws, *, full: bool) -> bytes:
    """Return the NetCDF of one model's draws.

    Parameters
    ----------
    model : StoredDraws
    full : bool
        Also θ and δ, with the coordinate ``neuron``, as 32-bit floats; and ``response``, whose
        dimension ``neuron_condition`` has the coordinates ``response_neuron`` and
        ``response_condition``. Hyperparameters of several groups have the coordinate ``group``.

    Returns
    -------
    bytes
        The baseline's draws stand in a group of the file beside ``posterior``, named
        ``baseline_posterior``: with names, neurons and numbers of draws of its own.

    Raises
    ------
    ValueError
        If the draws of θ and δ are wanted and were not kept.
    """
    tree = _tree(model, "posterior", full=full)
    if model.baseline is not None:
        tree[BASELINE_GROUP] = _tree(model.baseline, BASELINE_GROUP, full=full)[BASELINE_GROUP]
    return bytes(tree.to_netcdf(engine="h5netcdf"))


def _tree(model: StoredDraws, group: str, *, full: bool) -> "DataTree":
    """Make a tree of one group of a file."""
    import arviz_base

    effects = {name: each.values for name, each in model.effects.items()}
    responses = model.responses if full else None
    of_neurons = _of_neurons(model) if full else {}
    tree: DataTree = arviz_base.from_dict(
        {group: {**model.hyperparameters, **effects, **of_neurons}},
        coords=_coordinates(model, full=full),
        dims={
            **_dimensions(model),
            "theta": ["neuron"],
            "delta": ["neuron"],
            "response": [RESPONSES],
        },
    )
    if responses is not None:
        tree[group].dataset = tree[group].dataset.assign_coords(
            {
                name: (RESPONSES, [label[place] for label in responses.labels])
                for place, name in enumerate(OF_RESPONSES)
            }
        )
    told = {"model": model.spec.name, **model.attributes, "spikepool_version": __version__}
    for node in (tree, tree[group]):
        node.attrs.pop("created_at", None)
        node.attrs.update(told)
    return tree


def _coordinates(model: StoredDraws, *, full: bool) -> dict[str, list[str]]:
    responses = model.responses if full else None
    named = {
        "neuron": list(model.neurons) if full else [],
        "group": list(model.groups),
        RESPONSES: list(responses.names) if responses else [],
    }
    for each in model.effects.values():
        named |= {axis: list(labels) for axis, labels in each.axes.items()}
    return {name: labels for name, labels in named.items() if labels}


def _dimensions(model: StoredDraws) -> dict[str, list[str]]:
    dimensions = {name: list(each.axes) for name, each in model.effects.items()}
    of_groups = {name: ["group"] for name in model.hyperparameters} if model.groups else {}
    return {**of_groups, **dimensions}


def _of_neurons(model: StoredDraws) -> dict[str, NDArray[np.float32]]:
    if model.of_neurons is None:
        raise ValueError(f"the draws of {model.spec.label} were not kept")
    kept = dict(model.of_neurons)
    if model.responses is not None:
        kept["response"] = model.responses.values
    return {name: values.astype(np.float32, copy=False) for name, values in kept.items()}

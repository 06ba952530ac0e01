"""PyMC models as functions of many points at once, without machine code."""

from typing import Any

import numpy as np

from spikepool.data.spike_counts import FloatArray


def of_many_points(model: Any, log_density: Any, values: list[Any]) -> tuple[Any, FloatArray]:
    """Turn parts of a model into one function of its unconstrained coordinates.

    Parameters
    ----------
    model : pymc.Model
        Of scalar variables.
    log_density : tensor
        Of the model's values, as ``model.logp()``.
    values : list of tensor
        Variables of the model.

    Returns
    -------
    function : callable
        From points, shape (D, P), to the log density and `values`, each of shape (D,) or ().
    start : ndarray, shape (P,)
        A point that the priors allow.
    """
    import pytensor.tensor as pt
    from pytensor.graph.replace import vectorize_graph

    points = pt.matrix("points", dtype="float64")
    columns = {value: points[:, i] for i, value in enumerate(model.value_vars)}
    outputs = vectorize_graph([log_density, *model.replace_rvs_by_values(values)], columns)
    start = model.initial_point()
    first = np.array([float(start[value.name]) for value in model.value_vars])
    return interpreted([points], outputs), first


def interpreted(inputs: list[Any], outputs: Any) -> Any:
    """Compile a small graph without machine code: in milliseconds, and slower to run."""
    import pytensor
    from pytensor.compile.mode import Mode

    return pytensor.function(inputs, outputs, mode=Mode(linker="py", optimizer="fast_compile"))

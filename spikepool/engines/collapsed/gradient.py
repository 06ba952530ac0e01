"""Σ_i ln p_i(φ) with its gradient, at one φ, on the lattices of a `MarginalLikelihood`."""

from collections.abc import Mapping

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.engines.collapsed.axes import Axis, Ladder
from spikepool.engines.collapsed.kernels_gradient import (
    Line,
    Run,
    evidence_gradient,
    shared_gradient,
)
from spikepool.engines.collapsed.lattice import Lattice
from spikepool.engines.collapsed.levels import Hyperparameters, Level
from spikepool.engines.collapsed.marginal_likelihood import MarginalLikelihood, in_parallel
from spikepool.engines.collapsed.tables import make_table
from spikepool.engines.collapsed.tuned_lattice import TunedLattice

_DIFFERENCE = 1e-4
"""Relative step of the difference along ω."""


def total_with_gradient(
    marginal: MarginalLikelihood, phi: Mapping[str, float]
) -> tuple[float, dict[str, float]]:
    """Return Σ_i ln p_i(φ) and its derivative by every hyperparameter.

    Parameters
    ----------
    marginal : MarginalLikelihood
    phi : dict of str to float

    Returns
    -------
    total : float
        As `MarginalLikelihood.total` has it.
    gradient : dict of str to float
        Fisher's identity, Σ_i E[∂ ln p(θ_i, δ_i | φ)/∂φ | y_i, φ], summed over the same nodes.
    """
    region = marginal.region
    at = {name: np.array([value], dtype=np.float64) for name, value in phi.items()}
    tuning_sd = float(region.tuning.sd(at, 1)[0]) if region.tuning else float("nan")
    rows = _line(region.row_level, marginal.rows, at)
    columns = None if region.shared else _line(region.dispersion, marginal.columns, at)
    of_columns = (region.shared,) if region.shared else _names(region.dispersion)
    names = (*_names(region.row_level), *of_columns)
    out = np.empty(marginal.n_neurons)
    gradient = np.empty((marginal.n_neurons, len(names)))

    def run(task: tuple[Lattice | TunedLattice, slice]) -> None:
        part, neurons = task
        if isinstance(part, TunedLattice):
            part = part.at(tuning_sd)
        row_run = _run(part.rows, marginal.rows, neurons)
        column_run = _run(part.columns, marginal.columns, neurons)
        to = (out[neurons], gradient[neurons])
        if columns is None:
            shared = phi[str(region.shared)]
            shared_gradient(part.values, part.offset, rows, row_run, column_run, shared, *to)
        else:
            evidence_gradient(part.values, part.offset, rows, columns, row_run, column_run, *to)
        out[neurons] += part.peak

    in_parallel(run, marginal.tasks(), marginal.cores)
    slopes = dict(zip(names, gradient.sum(axis=0).tolist(), strict=True))
    if region.tuning is not None and region.tuning.fixed is None:
        name = region.tuning.name
        slopes[name] = _tuning_slope(marginal, phi, name)
    return float(out.sum()), slopes


def _tuning_slope(marginal: MarginalLikelihood, phi: Mapping[str, float], name: str) -> float:
    """Slope along ω: a symmetric difference, exact to about 1e-7."""
    ends = {name: np.full(2, value) for name, value in phi.items()}
    ends[name] = phi[name] * np.array([1 - _DIFFERENCE, 1 + _DIFFERENCE])
    below, above = marginal.total(ends, 2)
    return float((above - below) / (2 * _DIFFERENCE * phi[name]))


def _names(level: Level | None) -> tuple[str, ...]:
    return () if level is None else level.hyperparameters


def _line(level: Level | None, ladder: Ladder, phi: Hyperparameters) -> Line:
    """Tabulate a level, and its derivatives, at one φ."""
    table = make_table(level, ladder, phi, 1)
    scores = {} if level is None else level.score(ladder.nodes, phi)
    narrow = level is not None and bool(table.narrow.any())
    moved = level.node_derivatives(phi) if level is not None and narrow else {}
    nothing = (table.nodes, table.nodes)
    by_node = [moved.get(name, nothing) for name in _names(level)]
    return Line(
        table.weights[0],
        _stacked([scores[name] for name in _names(level)], len(ladder.nodes)),
        table.narrow[0],
        table.nodes[0],
        table.log_weights[0],
        _stacked([nodes for nodes, _ in by_node], table.nodes.shape[1]),
        _stacked([weights for _, weights in by_node], table.nodes.shape[1]),
    )


def _stacked(arrays: list[FloatArray], length: int) -> FloatArray:
    return np.array(arrays, dtype=np.float64).reshape(len(arrays), length)


def _run(axis: Axis, ladder: Ladder, neurons: slice) -> Run:
    return Run(
        axis.start, axis.length, axis.step, ladder.place[neurons], ladder.neuron_class[neurons]
    )

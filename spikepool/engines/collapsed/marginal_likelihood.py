"""p_i(φ), the likelihood of every neuron given the hyperparameters alone, for many φ at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.engines.collapsed import kernels, kernels_shared
from spikepool.engines.collapsed.axes import Axis, Ladder, make_ladder
from spikepool.engines.collapsed.lattice import Lattice, Region, build_lattice
from spikepool.engines.collapsed.levels import Hyperparameters, take
from spikepool.engines.collapsed.tables import Table, make_table
from spikepool.models.families import CountFamily
from spikepool.models.statistics import CountStatistics

NEURONS_AT_ONCE = (24, 256)
"""Fewest and most neurons of one task."""
_TASKS = 8
"""Tasks that small tables are split into, on any number of cores: the same runs, the same bits."""
DRAWS_AT_ONCE = 128


@dataclass(frozen=True)
class MarginalLikelihood:
    """The lattices of all neurons, ready to be summed against any population in their region.

    Attributes
    ----------
    family : CountFamily
    region : Region
    parts : tuple of Lattice
        Runs of neurons.
    rows, columns : Ladder
        Nodes of all neurons along the rows and the columns of their lattices.
    cores : int
    """

    family: CountFamily
    region: Region
    parts: tuple[Lattice, ...]
    rows: Ladder
    columns: Ladder
    cores: int

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return sum(len(part.peak) for part in self.parts)

    def nodes_per_neuron(self) -> IntArray:
        """Sizes of the lattices; shape (N,)."""
        return np.concatenate([np.diff(part.offset) for part in self.parts])

    def of_neurons(self, chosen: IntArray) -> "MarginalLikelihood":
        """Return the integrals of some neurons, in ascending order, on the same lattices."""
        parts = []
        for part, neurons in self.tasks():
            own = chosen[(chosen >= neurons.start) & (chosen < neurons.stop)] - neurons.start
            if len(own):
                parts.append(part.take(own))
        rows, columns = self.rows.of_neurons(chosen), self.columns.of_neurons(chosen)
        return replace(self, parts=tuple(parts), rows=rows, columns=columns)

    def tasks(self) -> list[tuple[Lattice, slice]]:
        """Return every run of neurons with its place among all of them."""
        ends = np.cumsum([0, *(len(part.peak) for part in self.parts)]).tolist()
        return [
            (part, slice(a, b)) for part, (a, b) in zip(self.parts, pairwise(ends), strict=True)
        ]

    def by_neuron(self, phi: Hyperparameters, draws: int) -> FloatArray:
        """Return ln p_i(φ); shape (N, D).

        Parameters
        ----------
        phi : dict of str to ndarray, shape (D,)
        draws : int
            D.
        """
        out = np.empty((self.n_neurons, draws))
        for begin in range(0, draws, DRAWS_AT_ONCE):
            batch = slice(begin, min(begin + DRAWS_AT_ONCE, draws))
            size = batch.stop - begin
            part_out = np.empty((self.n_neurons, size))
            self._sum(take(phi, batch), part_out)
            out[:, batch] = part_out
        return out

    def total(self, phi: Hyperparameters, draws: int) -> FloatArray:
        """Return Σ_i ln p_i(φ), summed pairwise in the neurons' order; shape (D,)."""
        return np.asarray(np.ascontiguousarray(self.by_neuron(phi, draws).T).sum(axis=1))

    def _sum(self, phi: Hyperparameters, out: FloatArray) -> None:
        draws = out.shape[1]
        row_table = make_table(self.region.row_level, self.rows, phi, draws)
        shared = self.region.shared
        column_table = None
        if shared is None:
            column_table = make_table(self.region.dispersion, self.columns, phi, draws)

        def run(task: tuple[Lattice, slice]) -> None:
            part, neurons = task
            target = out[neurons]
            if column_table is None:
                self._sum_shared(part, neurons, row_table, phi, target)
            else:
                self._sum_both(part, neurons, row_table, column_table, target)
            target += part.peak[:, np.newaxis]

        in_parallel(run, self.tasks(), self.cores)

    def _sum_both(
        self, part: Lattice, neurons: slice, rows: Table, columns: Table, out: FloatArray
    ) -> None:
        kernels.evidence(
            part.values,
            part.offset,
            part.rows.length,
            part.columns.length,
            part.rows.start,
            part.columns.start,
            part.rows.step,
            part.columns.step,
            self.rows.place[neurons],
            self.columns.place[neurons],
            self.rows.neuron_class[neurons],
            self.columns.neuron_class[neurons],
            rows.weights,
            columns.weights,
            rows.narrow,
            columns.narrow,
            rows.nodes,
            rows.log_weights,
            columns.nodes,
            columns.log_weights,
            out,
        )

    def _sum_shared(
        self,
        part: Lattice,
        neurons: slice,
        rows: Table,
        phi: Hyperparameters,
        out: FloatArray,
    ) -> None:
        kernels_shared.evidence_shared(
            part.values,
            part.offset,
            part.rows.length,
            part.columns.length,
            part.rows.start,
            part.rows.step,
            self.rows.place[neurons],
            self.rows.neuron_class[neurons],
            part.columns.start,
            part.columns.step,
            rows.weights,
            rows.narrow,
            rows.nodes,
            rows.log_weights,
            phi[str(self.region.shared)],
            out,
        )


def in_parallel[T, R](function: Callable[[T], R], tasks: list[T], cores: int) -> list[R]:
    """Run tasks on threads, in any order; results in the tasks' order."""
    if cores == 1 or len(tasks) == 1:
        return [function(task) for task in tasks]
    with ThreadPoolExecutor(cores) as pool:
        return list(pool.map(function, tasks))


def tabulate(
    family: CountFamily, statistics: CountStatistics, region: Region, cores: int
) -> MarginalLikelihood:
    """Build the lattices of all neurons."""
    every = np.arange(statistics.n_neurons)
    at_once = int(np.clip(-(-len(every) // _TASKS), *NEURONS_AT_ONCE))
    runs = np.split(every, range(at_once, len(every), at_once))
    parts = in_parallel(
        lambda run: build_lattice(family, statistics.of_neurons(run), region), runs, cores
    )
    rows = make_ladder(_joined([part.rows for part in parts]))
    columns = make_ladder(_joined([part.columns for part in parts]))
    return MarginalLikelihood(family, region, tuple(parts), rows, columns, cores)


def _joined(axes: list[Axis]) -> Axis:
    return Axis(
        np.concatenate([axis.step_class for axis in axes]),
        np.concatenate([axis.start for axis in axes]),
        np.concatenate([axis.length for axis in axes]),
        axes[0].largest_step,
    )

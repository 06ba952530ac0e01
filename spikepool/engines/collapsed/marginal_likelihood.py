"""p_i(φ), the likelihood of every neuron given the hyperparameters alone, for many φ at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.engines.collapsed import kernels, kernels_shared, kernels_tuned
from spikepool.engines.collapsed.axes import Ladder, join_axes, make_ladder
from spikepool.engines.collapsed.lattice import Lattice, Region, build_lattice
from spikepool.engines.collapsed.levels import Hyperparameters, take
from spikepool.engines.collapsed.responses import ResponseStatistics
from spikepool.engines.collapsed.tables import Table, make_table
from spikepool.engines.collapsed.tuned_lattice import (
    TunedLattice,
    build_tuned_lattice,
    smallest_standard_error,
)
from spikepool.engines.collapsed.tuning import make_tuning_axis
from spikepool.models.families import CountFamily
from spikepool.models.statistics import CountStatistics

type Statistics = CountStatistics | ResponseStatistics

NEURONS_AT_ONCE, TUNED_AT_ONCE = (24, 1024), (1, 256)
"""Fewest and most neurons of one task; a neuron with conditions is far more work."""
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
    parts: tuple[Lattice | TunedLattice, ...]
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

    def tasks(self) -> list[tuple[Lattice | TunedLattice, slice]]:
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
        ends = [*range(0, draws, DRAWS_AT_ONCE), draws]
        batches = [slice(a, b) for a, b in pairwise(ends)]

        def run(batch: slice) -> None:
            part_out = np.empty((self.n_neurons, batch.stop - batch.start))
            self._sum(take(phi, batch), part_out)
            out[:, batch] = part_out

        in_parallel(run, batches, self.cores if len(self.parts) == 1 else 1)
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

        def run(task: tuple[Lattice | TunedLattice, slice]) -> None:
            part, neurons = task
            target = out[neurons]
            if column_table is not None:
                self._sum_both(part, neurons, row_table, column_table, phi, target)
            else:
                assert isinstance(part, Lattice)  # noqa: S101 - `shared` is not of tuned neurons
                self._sum_shared(part, neurons, row_table, phi, target)
            target += part.peak[:, np.newaxis]

        in_parallel(run, self.tasks(), self.cores)

    def _sum_both(
        self,
        part: Lattice | TunedLattice,
        neurons: slice,
        rows: Table,
        columns: Table,
        phi: Hyperparameters,
        out: FloatArray,
    ) -> None:
        nodes_and_tables = (
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
        if isinstance(part, Lattice):
            kernels.evidence(part.values, part.offset, *nodes_and_tables)
            return
        assert self.region.tuning is not None  # noqa: S101
        coefficients = part.tuning.coefficients(self.region.tuning.sd(phi, out.shape[1]))
        kernels_tuned.evidence_tuned(
            part.values, part.offset, coefficients, part.tuning.piece, *nodes_and_tables
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
    family: CountFamily, statistics: Statistics, region: Region, cores: int
) -> MarginalLikelihood:
    """Build the lattices of all neurons."""
    build = _builder(family, statistics, region)
    every = np.arange(statistics.n_neurons)
    limits = NEURONS_AT_ONCE if region.tuning is None else TUNED_AT_ONCE
    at_once = int(np.clip(-(-len(every) // _TASKS), *limits))
    runs = np.split(every, range(at_once, len(every), at_once))
    parts = in_parallel(build, runs, cores)
    rows = make_ladder(join_axes([part.rows for part in parts]))
    columns = make_ladder(join_axes([part.columns for part in parts]))
    return MarginalLikelihood(family, region, tuple(parts), rows, columns, cores)


def _builder(
    family: CountFamily, statistics: Statistics, region: Region
) -> Callable[[IntArray], Lattice | TunedLattice]:
    """Return what builds the lattices of a run of neurons."""
    if not isinstance(statistics, ResponseStatistics):
        return lambda run: build_lattice(family, statistics.of_neurons(run), region)
    assert region.tuning is not None  # noqa: S101
    tuning = make_tuning_axis(
        region.tuning.sd(region.corners, region.n_corners),
        smallest_standard_error(statistics),
        region.quality.most_error,
    )
    return lambda run: build_tuned_lattice(family, statistics.of_neurons(run), region, tuning)

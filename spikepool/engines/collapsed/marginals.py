"""Each neuron's own posterior: its conditional densities averaged over the hyperparameters."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.engines.collapsed import kernels, kernels_shared, kernels_tuned
from spikepool.engines.collapsed.lattice import Lattice
from spikepool.engines.collapsed.levels import Hyperparameters, Level
from spikepool.engines.collapsed.marginal_likelihood import MarginalLikelihood, in_parallel
from spikepool.engines.collapsed.tables import make_table
from spikepool.engines.collapsed.tuned_lattice import TunedLattice

MOMENTS = 9


@dataclass(frozen=True)
class Mixture:
    """Summaries of every neuron's marginal posterior.

    Attributes
    ----------
    theta, delta, rate : (mean, sd), each of shape (N,)
    theta_quantiles, delta_quantiles : ndarray, shape (N, M)
    sum_quantiles : ndarray, shape (N, M)
        Of a θ + b δ; NaN where a level is a point, or there is no δ.
    above, delta_above : ndarray, shape (N,)
        Mass of a θ + b δ, and of δ, above their thresholds.
    shared_theta, shared_delta : ndarray, shape (N,)
        E Var(θ|y, φ)/width², and the same of δ.
    error_theta : ndarray, shape (N,)
        Monte Carlo standard error of the mean of θ, from the finite number of φ.
    variances : ndarray, shape (N, D)
        Var(θ|y, φ).
    theta_draws, delta_draws : ndarray of float32, shape (S, N)
        Joint draws; those of row s share one φ.
    """

    theta: tuple[FloatArray, FloatArray]
    rate: tuple[FloatArray, FloatArray]
    delta: tuple[FloatArray, FloatArray]
    theta_quantiles: FloatArray
    delta_quantiles: FloatArray
    sum_quantiles: FloatArray
    above: FloatArray
    delta_above: FloatArray
    shared_theta: FloatArray
    shared_delta: FloatArray
    error_theta: FloatArray
    variances: FloatArray
    theta_draws: NDArray[np.float32]
    delta_draws: NDArray[np.float32]

    def with_draws(self, rows: IntArray) -> "Mixture":
        """Return the same with the joint draws in another order."""
        return replace(self, theta_draws=self.theta_draws[rows], delta_draws=self.delta_draws[rows])


@dataclass(frozen=True)
class Wanted:
    """What to compute of every neuron.

    Attributes
    ----------
    masses : ndarray, shape (M,)
        Ascending probabilities of the quantiles.
    combination : (float, float)
        a and b of a θ + b δ.
    thresholds : (ndarray, ndarray), each of shape (N,)
        Of the combination, and of δ.
    copies : ndarray of int64, shape (D,)
        Joint draws to make with each φ.
    seed : int
    neurons : tuple of str
        A neuron's draws follow from its id and the seed, whatever its neighbours.
    """

    masses: FloatArray
    combination: tuple[float, float]
    thresholds: tuple[FloatArray, FloatArray]
    copies: IntArray
    seed: int
    neurons: tuple[str, ...]


type OnMass = Callable[[Lattice | TunedLattice, slice, FloatArray], None]
"""Told the posterior mass of every node of a run of neurons."""


def mix(
    marginal: MarginalLikelihood,
    phi: Hyperparameters,
    weights: FloatArray,
    wanted: Wanted,
    on_mass: OnMass,
) -> Mixture:
    """Average the neurons' conditional densities.

    Parameters
    ----------
    marginal : MarginalLikelihood
    phi : dict of str to ndarray, shape (D,)
    weights : ndarray, shape (D,)
        Sum to 1.
    wanted : Wanted
    on_mass : callable
        Called, on several threads, with each run of neurons.

    Returns
    -------
    Mixture
    """
    region = marginal.region
    n, n_draws, n_masses = marginal.n_neurons, len(weights), len(wanted.masses)
    joint = int(wanted.copies.sum())
    result = _Outputs.empty(n, n_draws, n_masses, joint)
    rows = make_table(region.row_level, marginal.rows, phi, n_draws).weights
    width = _width(region.row_level, phi, n_draws)
    resolved = _resolved(region.row_level)
    shifts = _shifts(wanted.neurons, wanted.seed)
    if region.shared is not None:
        shared = np.ascontiguousarray(phi[region.shared])
        _mix_shared(
            marginal, shared, weights, wanted, rows, (width, resolved), shifts, result, on_mass
        )
    else:
        columns = make_table(region.dispersion, marginal.columns, phi, n_draws).weights
        other = _width(region.dispersion, phi, n_draws)
        widths = (width, other, resolved, _resolved(region.dispersion))
        tuning_sd = region.tuning.sd(phi, n_draws) if region.tuning else None
        _mix_both(
            marginal, weights, wanted, (rows, columns), tuning_sd, widths, shifts, result, on_mass
        )
    return result.as_mixture()


@dataclass(frozen=True)
class _Outputs:
    """Arrays that the kernels fill; see `Mixture`."""

    moments: FloatArray
    quantiles: tuple[FloatArray, FloatArray, FloatArray]
    above: tuple[FloatArray, FloatArray]
    variances: FloatArray
    draws: tuple[NDArray[np.float32], NDArray[np.float32]]

    @classmethod
    def empty(cls, n: int, n_draws: int, n_masses: int, joint: int) -> "_Outputs":
        """Allocate for n neurons, D hyperparameters, M quantiles and S joint draws."""
        theta, delta, total = (np.full((n, n_masses), np.nan) for _ in range(3))
        draws = [np.zeros((joint, n), dtype=np.float32) for _ in range(2)]
        return cls(
            moments=np.zeros((n, MOMENTS)),
            quantiles=(theta, delta, total),
            above=(np.full(n, np.nan), np.full(n, np.nan)),
            variances=np.empty((n, n_draws)),
            draws=(draws[0], draws[1]),
        )

    def as_mixture(self) -> Mixture:
        """Name what the kernels computed."""
        moments = self.moments
        return Mixture(
            theta=(moments[:, 0], np.sqrt(moments[:, 1])),
            rate=(moments[:, 2], np.sqrt(moments[:, 3])),
            delta=(moments[:, 4], np.sqrt(moments[:, 5])),
            theta_quantiles=self.quantiles[0],
            delta_quantiles=self.quantiles[1],
            sum_quantiles=self.quantiles[2],
            above=self.above[0],
            delta_above=self.above[1],
            shared_theta=moments[:, 6],
            shared_delta=moments[:, 7],
            error_theta=np.sqrt(moments[:, 8]),
            variances=self.variances,
            theta_draws=self.draws[0],
            delta_draws=self.draws[1],
        )


def _mix_both(
    marginal: MarginalLikelihood,
    weights: FloatArray,
    wanted: Wanted,
    tables: tuple[FloatArray, FloatArray],
    tuning_sd: FloatArray | None,
    widths: tuple[FloatArray, FloatArray, float, float],
    shifts: FloatArray,
    result: _Outputs,
    on_mass: OnMass,
) -> None:
    def run(task: tuple[Lattice | TunedLattice, slice]) -> None:
        part, neurons = task
        mass = np.empty_like(part.values)
        arguments = (
            part.rows.length,
            part.columns.length,
            part.rows.start,
            part.columns.start,
            part.rows.step,
            part.columns.step,
            marginal.rows.place[neurons],
            marginal.columns.place[neurons],
            *tables,
            weights,
            *widths,
            wanted.copies,
            shifts[neurons],
            *wanted.combination,
            *(each[neurons] for each in wanted.thresholds),
            wanted.masses,
            result.moments[neurons],
            *(each[neurons] for each in result.quantiles),
            *(each[neurons] for each in result.above),
            result.variances[neurons],
            *(each[:, neurons] for each in result.draws),
            mass,
        )
        if isinstance(part, Lattice):
            kernels.mixture(part.values, part.offset, *arguments)
        else:
            assert tuning_sd is not None  # noqa: S101
            coefficients = part.tuning.coefficients(tuning_sd)
            kernels_tuned.mixture_tuned(
                part.values, part.offset, coefficients, part.tuning.piece, *arguments
            )
        on_mass(part, neurons, mass)

    in_parallel(run, marginal.tasks(), marginal.cores)


def _mix_shared(
    marginal: MarginalLikelihood,
    shared: FloatArray,
    weights: FloatArray,
    wanted: Wanted,
    table: FloatArray,
    widths: tuple[FloatArray, float],
    shifts: FloatArray,
    result: _Outputs,
    on_mass: OnMass,
) -> None:
    """Average in one dimension: along δ where all neurons share θ, else along θ."""
    own = 1 if marginal.region.rate.is_point else 0
    moments = np.zeros((marginal.n_neurons, 6))
    variances = np.empty((marginal.n_neurons, len(shared)))

    def run(task: tuple[Lattice | TunedLattice, slice]) -> None:
        part, neurons = task
        assert isinstance(part, Lattice)  # noqa: S101 - nothing is shared by tuned neurons
        mass = np.empty((len(part.peak), part.rows.length.max()))
        kernels_shared.mixture_shared(
            part.values,
            part.offset,
            part.rows.length,
            part.columns.length,
            part.rows.start,
            part.rows.step,
            marginal.rows.place[neurons],
            part.columns.start,
            part.columns.step,
            table,
            shared,
            weights,
            *widths,
            wanted.copies,
            shifts[neurons],
            wanted.thresholds[own][neurons],
            wanted.masses,
            moments[neurons],
            result.quantiles[own][neurons],
            result.above[own][neurons],
            variances[neurons],
            result.draws[own][:, neurons],
            mass,
        )
        on_mass(part, neurons, mass)

    in_parallel(run, marginal.tasks(), marginal.cores)
    result.draws[1 - own][:] = np.repeat(shared, wanted.copies)[:, np.newaxis]
    if own == 0:
        result.moments[:, [0, 1, 2, 3, 6, 8]] = moments
        result.variances[:] = variances
    else:
        result.moments[:, [4, 5, 7]] = moments[:, [0, 1, 4]]
        result.variances[:] = 0.0


def _width(level: Level | None, phi: Hyperparameters, draws: int) -> FloatArray:
    """Width of the population, 1 where there is none; shape (D,)."""
    if level is None:
        return np.ones(draws)
    return np.ascontiguousarray(np.broadcast_to(level.width(phi), (draws,)))


def _resolved(level: Level | None) -> float:
    """Return the steps that a population spans at least in `make_table`."""
    return 0.0 if level is None else level.steps_per_sd


def _shifts(neurons: tuple[str, ...], seed: int) -> FloatArray:
    """Start of each neuron's sequence in the unit square, from its id; shape (N, 2)."""
    digests = b"".join(
        hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest() for name in neurons
    )
    return np.asarray((np.frombuffer(digests, np.uint32).reshape(-1, 2) + 0.5) / 2.0**32)

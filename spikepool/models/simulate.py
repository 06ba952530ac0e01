"""Simulate spike counts from any model of the core, and keep the truth beside them."""

from dataclasses import dataclass

import numpy as np

from spikepool.data.integers import LARGEST_COUNT
from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.errors import UsageError
from spikepool.models.families import family_of
from spikepool.models.priors import RATE_SD
from spikepool.models.simulation_settings import SimulationSettings

LARGEST_ROWS = 20_000_000
"""Rows of one simulated table."""


@dataclass(frozen=True)
class Simulation:
    """A simulated table and its truth; N neurons, C conditions (1 when there are none).

    Attributes
    ----------
    settings : SimulationSettings
    neurons : tuple of str
        ``n001`` ...
    group : ndarray of int64, shape (N,)
        Index into the settings' `populations`.
    neuron_log_rate : ndarray of float64, shape (N,)
        a_i, before the effects of the conditions.
    log_rate : ndarray of float64, shape (N, C)
        θ_ic.
    dispersion : ndarray of float64, shape (N,)
        e^δ: σ_G (NB2), √ω (NB1), 0 (Poisson).
    neuron, trial, condition : ndarray of int64, shape (rows,)
        Neuron (from 0), its trial (from 1) and the condition (from 0) of every row.
    exposure : ndarray of float64, shape (rows,)
        Seconds; 1 without an exposure.
    count : ndarray of int64, shape (rows,)
    """

    settings: SimulationSettings
    neurons: tuple[str, ...]
    group: IntArray
    neuron_log_rate: FloatArray
    log_rate: FloatArray
    dispersion: FloatArray
    neuron: IntArray
    trial: IntArray
    condition: IntArray
    exposure: FloatArray
    count: IntArray

    @property
    def mean_exposure(self) -> FloatArray:
        """Mean seconds of a trial; shape (N, C)."""
        cell = self.neuron * self.log_rate.shape[1] + self.condition
        size = self.log_rate.size
        total = np.bincount(cell, self.exposure, minlength=size)
        return (total / np.bincount(cell, minlength=size)).reshape(self.log_rate.shape)

    @property
    def fano(self) -> FloatArray:
        """Fano factor of counts at the mean exposure; shape (N, C)."""
        family = family_of(self.settings.spec)
        return family.fano(self.log_rate.T, self._log_dispersion, self.mean_exposure.T).T

    @property
    def gain_sd(self) -> FloatArray:
        """Gain sd σ_G at the mean exposure (at the reference exposure, if any); shape (N, C)."""
        family = family_of(self.settings.spec)
        return family.gain_sd(self.log_rate.T, self._log_dispersion, self.mean_exposure.T).T

    @property
    def _log_dispersion(self) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.log(self.dispersion)


def simulate(settings: SimulationSettings) -> Simulation:
    """Draw parameters and counts; the same settings give the same arrays.

    Rates, dispersions, tuning, numbers of trials, their order, exposures and counts have random
    streams of their own, so that neurons keep their rates when only the trials change.

    Parameters
    ----------
    settings : SimulationSettings

    Returns
    -------
    Simulation
        Rows sorted by neuron, then trial.

    Raises
    ------
    UsageError
        If the table would be too long, or a count larger than a table may hold.
    """
    seeds = np.random.SeedSequence(settings.seed).spawn(7)
    for_rates, for_dispersions, for_tuning, for_trials, for_order, for_exposures, for_counts = (
        np.random.default_rng(seed) for seed in seeds
    )
    populations = settings.populations
    sizes = np.array([population.neurons for population in populations])
    group = np.repeat(np.arange(len(sizes)), sizes)
    neuron_log_rate = _log_rates(settings, group, for_rates)
    log_rate = _tuned(settings, neuron_log_rate, for_tuning)
    dispersion = _dispersions(settings, len(group), for_dispersions)
    neuron, trial, condition = _design(settings, len(group), for_trials, for_order)
    exposure = _exposures(settings, len(neuron), for_exposures)
    mean = np.exp(log_rate[neuron, condition]) * exposure
    _check_counts(mean)
    family = family_of(settings.spec)
    count = family.sample(mean, family.dispersion_in(dispersion[neuron], exposure), for_counts)
    _check_counts(count)
    width = max(3, len(str(len(group))))
    return Simulation(
        settings=settings,
        neurons=tuple(f"n{i:0{width}d}" for i in range(1, len(group) + 1)),
        group=group,
        neuron_log_rate=neuron_log_rate,
        log_rate=log_rate,
        dispersion=dispersion,
        neuron=neuron,
        trial=trial,
        condition=condition,
        exposure=exposure,
        count=count,
    )


def _log_rates(
    settings: SimulationSettings, group: IntArray, rng: np.random.Generator
) -> FloatArray:
    populations = settings.populations
    mu = np.array([population.mu for population in populations])[group]
    sd = {"none": RATE_SD, "complete": 0.0, "partial": populations[0].tau or 0.0}[settings.pooling]
    return mu + sd * rng.standard_normal(len(group))


def _tuned(
    settings: SimulationSettings, neuron_log_rate: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """θ_ic = a_i + b_ic, b_ic ~ N(0, ω_b²); shape (N, C)."""
    sd = settings.populations[0].tuning_sd
    if sd is None:
        return neuron_log_rate[:, np.newaxis]
    shape = (len(neuron_log_rate), len(settings.conditions))
    return neuron_log_rate[:, np.newaxis] + sd * rng.standard_normal(shape)


def _dispersions(
    settings: SimulationSettings, n_neurons: int, rng: np.random.Generator
) -> FloatArray:
    """Draw e^δ of every neuron; shape (N,)."""
    population = settings.populations[0]
    if settings.family == "poisson":
        return np.zeros(n_neurons)
    z = rng.standard_normal(n_neurons)
    if population.mu_delta is None:
        return np.abs(z)
    return np.exp(population.mu_delta + (population.tau_delta or 0.0) * z)


def _design(
    settings: SimulationSettings,
    n_neurons: int,
    for_trials: np.random.Generator,
    for_order: np.random.Generator,
) -> tuple[IntArray, IntArray, IntArray]:
    """Return neuron, trial and condition of every row."""
    low, high = settings.trials
    n_conditions = max(1, len(settings.conditions))
    drawn = np.exp(for_trials.uniform(np.log(low), np.log(high + 1), n_neurons))
    repeats = np.clip(drawn.astype(np.int64), low, high)
    n_blocks = int(repeats.sum())
    if n_blocks * n_conditions > LARGEST_ROWS:
        raise UsageError(
            f"this is {n_blocks * n_conditions:,} rows; a simulated table has at most "
            f"{LARGEST_ROWS:,}",
            "fewer --trials, --neurons or --conditions",
        )
    blocks = np.tile(np.arange(n_conditions), (n_blocks, 1))
    condition = for_order.permuted(blocks, axis=1).ravel()
    n_trials = repeats * n_conditions
    neuron = np.repeat(np.arange(n_neurons), n_trials)
    first = np.repeat(np.cumsum(n_trials) - n_trials, n_trials)
    return neuron, np.arange(len(neuron)) - first + 1, condition


def _exposures(settings: SimulationSettings, rows: int, rng: np.random.Generator) -> FloatArray:
    low, high = (1.0, 1.0) if settings.exposure is None else settings.exposure
    if low == high:
        return np.full(rows, low)
    return np.round(rng.uniform(low, high, rows), 3)


def _check_counts(counts: FloatArray | IntArray) -> None:
    if counts.max() > LARGEST_COUNT:
        raise UsageError(
            f"a count would be {counts.max():.3g}; a table holds at most {LARGEST_COUNT:,}",
            "lower --typical-rate, --rate-spread, --tuning-sd or --exposure",
        )

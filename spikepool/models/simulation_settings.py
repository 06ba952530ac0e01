"""What can be simulated: settings, checked, and the populations they stand for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikepool.data.wording import quoted
from spikepool.errors import UsageError
from spikepool.models.families import FAMILIES
from spikepool.models.spec import DispersionScaling, Family, ModelSpec, Pooling

NEURONS, RATE_SPREAD, TUNING_SD = 100, 1.0, 0.5
GAIN_SD, EXCESS_FANO, DISPERSION_SPREAD = 0.3, 0.5, 0.3
_RESERVED = re.compile(
    r"neuron|trial|count|exposure|duration|.*_(?:s|secs?|seconds|ms|msecs?|milliseconds)"
    r"|log_rate|neuron_log_rate|rate|dispersion|gain_sd|fano",
    re.IGNORECASE,
)
_BOUNDS = {
    "neurons": (1, 1_000_000),
    "trials": (1, 1_000_000),
    "typical_rate": (1e-6, 1e6),
    "rate_spread": (0, 10),
    "gain_sd": (1e-6, 100),
    "excess_fano": (1e-12, 1e4),
    "dispersion_spread": (0, 3),
    "exposure": (1e-3, 1e6),
    "tuning_sd": (0, 10),
    "seed": (0, 2**64 - 1),
}


@dataclass(frozen=True)
class Group:
    """Neurons that share a population: its name, their number, its typical rate (None: all's)."""

    name: str
    neurons: int
    typical_rate: float | None = None


@dataclass(frozen=True)
class Population:
    """What the neurons of one group were drawn from; None where the model has no such value.

    Attributes
    ----------
    group : str or None
    neurons : int
    typical_rate : float
        exp μ, in spikes/s (spikes/trial without an exposure).
    mu, tau : float, float or None
        Log rates are N(μ, τ²); without pooling N(μ, 2.5²), with complete pooling μ.
    gain_sd : float or None
        NB2: σ_G, shared by all neurons or the typical one.
    excess_fano : float or None
        NB1: ω, shared by all neurons or the typical one.
    mu_delta, tau_delta : float or None
        δ ~ N(μ_δ, τ_δ²), δ = ln σ_G (NB2) or ½ ln ω (NB1).
    tuning_sd : float or None
        ω_b, sd of the log rates of one neuron between conditions.
    """

    group: str | None
    neurons: int
    typical_rate: float
    mu: float
    tau: float | None
    gain_sd: float | None
    excess_fano: float | None
    mu_delta: float | None
    tau_delta: float | None
    tuning_sd: float | None


@dataclass(frozen=True)
class SimulationSettings:
    """What to simulate; checked when made.

    Attributes
    ----------
    family : {'poisson', 'nb2', 'nb1'}
    pooling : {'none', 'complete', 'partial'}
        Of the log rates.
    dispersion_pooling : {'none', 'complete', 'partial'} or None
        None: as the rates.
    dispersion_scaling : {'trial', 'duration'}
        NB2: one gain in each trial, or drawn anew as time passes; gain sds are then those in the
        middle of the exposures.
    neurons : int or None
        None: the sum of the groups, or 100.
    trials : (int, int)
        Least and most trials of a neuron in each condition, drawn log-uniformly.
    typical_rate : float
        Median rate, in spikes/s (spikes/trial without an exposure).
    rate_spread : float or None
        τ, sd of log rates between neurons; None: 1.
    gain_sd : float or None
        NB2: typical gain sd σ_G; None: 0.3.
    excess_fano : float or None
        NB1: typical Fano factor less one, ω; None: 0.5.
    dispersion_spread : float or None
        τ_δ, sd between neurons of ln σ_G or ½ ln ω; None: 0.3.
    exposure : (float, float) or None
        Least and most seconds of a trial, drawn uniformly and rounded to ms; None: no exposure.
    groups : tuple of Group
    group_column : str
    conditions : tuple of str
        Every neuron has each condition equally often, in blocks of random order.
    condition_column : str
    tuning_sd : float or None
        ω_b, sd of log rates between the conditions of one neuron; None: 0.5.
    seed : int

    Raises
    ------
    UsageError
        If a value cannot be used, or the model has no such parameter; the option is named.
    """

    family: Family = "nb2"
    pooling: Pooling = "partial"
    dispersion_pooling: Pooling | None = None
    dispersion_scaling: DispersionScaling = "trial"
    neurons: int | None = None
    trials: tuple[int, int] = (20, 20)
    typical_rate: float = 10.0
    rate_spread: float | None = None
    gain_sd: float | None = None
    excess_fano: float | None = None
    dispersion_spread: float | None = None
    exposure: tuple[float, float] | None = (1.0, 1.0)
    groups: tuple[Group, ...] = ()
    group_column: str = "area"
    conditions: tuple[str, ...] = ()
    condition_column: str = "condition"
    tuning_sd: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check_choices(self)
        _check_applicable(self)
        for name in ("typical_rate", "rate_spread", "gain_sd", "excess_fano", "dispersion_spread"):
            _check_within(name, getattr(self, name))
        _check_within("neurons", self.neurons)
        _check_within("tuning_sd", self.tuning_sd)
        _check_within("seed", self.seed)
        _check_range("trials", self.trials)
        if self.exposure is not None:
            _check_range("exposure", self.exposure)
        _check_groups(self)
        _check_conditions(self)

    @property
    def spec(self) -> ModelSpec:
        """The model simulated from."""
        dispersion = None if self.family == "poisson" else self.dispersion_pooling or self.pooling
        by_time = self.dispersion_scaling == "duration" and self.family == "nb2"
        reference = sum(self.exposure or (1.0, 1.0)) / 2 if by_time else None
        return ModelSpec(self.family, self.pooling, dispersion, reference_exposure=reference)

    @property
    def populations(self) -> tuple[Population, ...]:
        """The population of each group, or the one of all neurons."""
        if self.groups:
            return tuple(_population(self, g.name, g.neurons, g.typical_rate) for g in self.groups)
        return (_population(self, None, _or(self.neurons, NEURONS), None),)


def directions(number: int) -> tuple[str, ...]:
    """Name `number` directions in degrees, equally spaced from 0 up to 360.

    Raises
    ------
    UsageError
        If `number` is not from 2 to 360.
    """
    if not 2 <= number <= 360:
        raise UsageError(f"--conditions is {number}; a number of directions is from 2 to 360")
    return tuple(f"{360 * k / number:g}" for k in range(number))


def _population(
    settings: SimulationSettings, group: str | None, neurons: int, typical_rate: float | None
) -> Population:
    spec = settings.spec
    rate = _or(typical_rate, settings.typical_rate)
    gain_sd = excess_fano = mu_delta = None
    if spec.dispersion_pooling in ("complete", "partial"):
        if spec.family == "nb2":
            gain_sd = _or(settings.gain_sd, GAIN_SD)
            mu_delta = float(np.log(gain_sd))
        else:
            excess_fano = _or(settings.excess_fano, EXCESS_FANO)
            mu_delta = float(np.log(excess_fano) / 2)
    partial = spec.dispersion_pooling == "partial"
    return Population(
        group=group,
        neurons=neurons,
        typical_rate=rate,
        mu=float(np.log(rate)),
        tau=_or(settings.rate_spread, RATE_SPREAD) if spec.pooling == "partial" else None,
        gain_sd=gain_sd,
        excess_fano=excess_fano,
        mu_delta=mu_delta,
        tau_delta=_or(settings.dispersion_spread, DISPERSION_SPREAD) if partial else None,
        tuning_sd=_or(settings.tuning_sd, TUNING_SD) if settings.conditions else None,
    )


def _or[T: (int, float)](value: T | None, default: T) -> T:
    return default if value is None else value


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _check_choices(settings: SimulationSettings) -> None:
    poolings = ("none", "complete", "partial")
    choices: dict[str, tuple[str, ...]] = {
        "family": tuple(FAMILIES),
        "pooling": poolings,
        "dispersion_pooling": poolings,
        "dispersion_scaling": ("trial", "duration"),
    }
    for name, allowed in choices.items():
        value = getattr(settings, name)
        if value not in allowed and (name, value) != ("dispersion_pooling", None):
            raise UsageError(f"{_option(name)} is {value!r}; it is one of {', '.join(allowed)}")


def _check_applicable(settings: SimulationSettings) -> None:
    """Refuse values of parameters that the model does not have."""
    family, dispersion = settings.family, settings.spec.dispersion_pooling
    if family == "poisson" and settings.dispersion_pooling is not None:
        raise UsageError("--dispersion-pooling: Poisson counts have no dispersion to pool")
    if family != "nb2" and settings.dispersion_scaling == "duration":
        raise UsageError(
            "--dispersion-scaling duration: only NB2 has a gain that time could draw anew",
            "take --family nb2, or leave out --dispersion-scaling",
        )
    shared = dispersion in ("complete", "partial")
    needs = {
        "rate_spread": (settings.pooling == "partial", "--pooling partial"),
        "gain_sd": (
            family == "nb2" and shared,
            "--family nb2 and --dispersion-pooling complete or partial",
        ),
        "excess_fano": (
            family == "nb1" and shared,
            "--family nb1 and --dispersion-pooling complete or partial",
        ),
        "dispersion_spread": (dispersion == "partial", "--dispersion-pooling partial (nb2, nb1)"),
        "tuning_sd": (bool(settings.conditions), "--conditions"),
    }
    for name, (applies, needed) in needs.items():
        if getattr(settings, name) is not None and not applies:
            raise UsageError(f"{_option(name)} needs {needed}", f"leave out {_option(name)}")


def _check_within(name: str, value: float | None, shown: str = "") -> None:
    """Refuse a value (of option or part `shown`) outside the bounds of setting `name`."""
    low, high = _BOUNDS[name]
    if value is not None and not low <= value <= high:
        limits = (
            f"from {low:,} to {high:,}" if isinstance(high, int) else f"from {low:g} to {high:g}"
        )
        raise UsageError(f"{shown or _option(name)} is {value}; it must be {limits}")


def _check_range(name: str, ends: tuple[float, float]) -> None:
    for end in ends:
        _check_within(name, end)
    if ends[0] > ends[1]:
        raise UsageError(
            f"{_option(name)} is {ends[0]}-{ends[1]}: the first number is the larger",
            f"{_option(name)} {ends[1]}-{ends[0]}",
        )


def _check_groups(settings: SimulationSettings) -> None:
    groups = settings.groups
    _check_names("--groups", [group.name for group in groups])
    if not groups:
        return
    for group in groups:
        _check_within("neurons", group.neurons, f"--groups: the number of neurons of {group.name}")
        _check_within("typical_rate", group.typical_rate, f"--groups: the rate of {group.name}")
    total = sum(group.neurons for group in groups)
    _check_within("neurons", total, "--groups: the number of all neurons")
    if settings.neurons not in (None, total):
        raise UsageError(
            f"--neurons is {settings.neurons}, but --groups has {total} neurons",
            "leave out --neurons",
        )
    taken = settings.condition_column if settings.conditions else None
    _check_column("--group-column", settings.group_column, taken)


def _check_conditions(settings: SimulationSettings) -> None:
    _check_names("--conditions", settings.conditions)
    if len(settings.conditions) == 1:
        raise UsageError("--conditions has one label; it takes two or more")
    if settings.conditions:
        _check_column("--condition-column", settings.condition_column, None)


def _check_names(option: str, names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if not name.strip() or name != name.strip() or not name.isprintable():
            raise UsageError(f"{option}: {quoted(name)} cannot be a label")
        if name in names[:i]:
            raise UsageError(f"{option}: {quoted(name)} is given twice")


def _check_column(option: str, name: str, taken: str | None) -> None:
    """Refuse a column's name that the table has, or that reading would take for another role."""
    _check_names(option, [name])
    taken_by_role = option == "--group-column" and name.casefold() == "condition"
    if _RESERVED.fullmatch(name) or taken_by_role or name == taken:
        raise UsageError(
            f"{option}: {quoted(name)} is the name of another column, or would be read as one"
        )

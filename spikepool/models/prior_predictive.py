"""What priors alone say of a neuron: its rate, Fano factor, own weight and tuning strength."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from spikepool.data.spike_counts import FloatArray, RateUnit
from spikepool.data.wording import plural
from spikepool.models.condition_effects import zero_sum_basis
from spikepool.models.families import family_of
from spikepool.models.graph import prior_names
from spikepool.models.populations import POPULATIONS
from spikepool.models.priors import RATE_SD, Priors
from spikepool.models.spec import ModelSpec
from spikepool.models.within import effects_of

DRAWS: Final = 10_000
MOST_LOG_RATE: Final = 300.0
"""Log rates, and variances of gains, are drawn up to here: beyond any axis, and still numbers."""


@dataclass(frozen=True)
class NeuronDesign:
    """What is recorded of a neuron.

    Attributes
    ----------
    trials : int
        Over all conditions, which have the same number each.
    exposure : float
        Of a trial, in seconds (1 where none are known).
    conditions : int
        Conditions, or blocks of trials; 1 where there are none.
    response_kind : {'condition', 'block'}
        What they are.
    """

    trials: int
    exposure: float
    conditions: int = 1
    response_kind: Literal["condition", "block"] = "condition"

    def told(self, rate_unit: RateUnit) -> str:
        """Write it in words: ``160 trials of 0.5 s in 8 conditions``."""
        window = f" of {self.exposure:.3g} s" if rate_unit == "spikes/s" else ""
        within = ""
        if self.conditions > 1:
            within = f" in {plural(self.conditions, self.response_kind)}"
        return f"{plural(self.trials, 'trial')}{window}{within}"


@dataclass(frozen=True)
class PriorPredictive:
    """A neuron as drawn from the priors of a model; arrays of shape (S,).

    Attributes
    ----------
    spec : ModelSpec
    rate : ndarray
        e^θ; the mean of e^θ_c over the conditions.
    fano : ndarray
        Fano factor of its counts within a condition, at that rate; 1 of Poisson.
    own_weight : ndarray
        κ = τ²/(τ² + 1/I), with I = Σ_c 1/(ω² + σ_c²), σ_c² = Var(y)/(n_c m_c²) and ω the spread
        between conditions, 0 without conditions; the fixed prior's sd stands for τ where nothing
        is pooled. 0 where all rates are one.
    tuning_strength : ndarray or None
        Sd (n − 1) of θ_c between the conditions; None where there is one only.
    """

    spec: ModelSpec
    rate: FloatArray
    fano: FloatArray
    own_weight: FloatArray
    tuning_strength: FloatArray | None = None


def draw_prior_predictive(
    specs: Sequence[ModelSpec], priors: Priors, design: NeuronDesign, seed: int
) -> tuple[PriorPredictive, ...]:
    """Draw neurons from the priors of some models, each with hyperparameters of its own.

    With labels within groups each neuron is of a group and a label of its own; effects of
    conditions sum to zero over the conditions of the design.

    Parameters
    ----------
    specs : sequence of ModelSpec
    priors : Priors
    design : NeuronDesign
    seed : int

    Returns
    -------
    tuple of PriorPredictive
        Of every model, by the same hyperparameters where two have one in common.
    """
    rng = np.random.default_rng(seed)
    names = tuple(dict.fromkeys(name for spec in specs for name in prior_names(spec)))
    drawn = _hyperparameters(names, priors, rng)
    return tuple(_predicted(spec, priors, design, drawn, rng) for spec in specs)


def _hyperparameters(
    names: Sequence[str], priors: Priors, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Draw variables that have a prior of their own; shape (S,)."""
    import pymc as pm
    from pytensor.compile.mode import Mode

    variables: list[Any] = [priors.of(name).distribution() for name in names]
    mode = Mode(linker="py", optimizer="fast_compile")
    drawn = pm.draw(variables, draws=DRAWS, random_seed=rng, mode=mode)
    return dict(zip(names, drawn, strict=True))


def _predicted(
    spec: ModelSpec,
    priors: Priors,
    design: NeuronDesign,
    drawn: dict[str, FloatArray],
    rng: np.random.Generator,
) -> PriorPredictive:
    """Draw neurons given hyperparameters."""
    family, exposure = family_of(spec), np.full(DRAWS, design.exposure)
    shift = _shifts_of_labels(spec, drawn, rng)
    own, spread = _log_rates(spec, priors, drawn, shift["mu"], rng)
    delta = _log_dispersions(spec, drawn, shift["mu_delta"], rng)
    delta = np.clip(delta, -MOST_LOG_RATE / 2, MOST_LOG_RATE / 2)
    theta, response_sd = _responses(spec, design, own, drawn, rng)
    strength = _strength(theta, design)
    theta = np.clip(theta, -MOST_LOG_RATE, MOST_LOG_RATE)
    rate = np.exp(theta).mean(axis=0)
    with np.errstate(over="ignore"):
        trials = design.trials / len(theta)
        information = trials * np.exp(theta) * exposure / family.fano(theta, delta, exposure)
        told = np.sum(information / (1 + information * response_sd**2), axis=0)
        own_weight = 1 - 1 / (1 + spread**2 * told)
    fano = family.fano(np.log(rate), delta, exposure)
    return PriorPredictive(spec, rate, fano, own_weight, strength)


def _strength(theta: FloatArray, design: NeuronDesign) -> FloatArray | None:
    """Return the sd of the log rates between conditions, 0 where they make no difference."""
    if design.conditions == 1:
        return None
    return np.zeros(DRAWS) if len(theta) == 1 else theta.std(axis=0, ddof=1)


def _shifts_of_labels(
    spec: ModelSpec, drawn: dict[str, FloatArray], rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Draw what a label within a group adds to μ and to μ_δ; shape (S,) each."""
    shift = {"mu": np.zeros(DRAWS), "mu_delta": np.zeros(DRAWS)}
    for effect in effects_of(spec):
        shift[effect.adds_to] += drawn[effect.sd] * rng.standard_normal(DRAWS)
    return shift


def _log_rates(
    spec: ModelSpec,
    priors: Priors,
    drawn: dict[str, FloatArray],
    shift: FloatArray,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Draw neurons' own log rates, and return the sd that they are pooled with; shape (S,)."""
    match spec.pooling:
        case "none":
            return drawn["theta"], np.full(DRAWS, priors.theta.sd)
        case "complete":
            return drawn["mu"], np.zeros(DRAWS)
        case "partial":
            population = POPULATIONS[spec.population]
            own = {name: drawn[name] for name in population.hyperparameters}
            theta = population.sample(rng, (DRAWS,), **own)
            return theta + shift, population.sd(**own)


def _responses(
    spec: ModelSpec,
    design: NeuronDesign,
    own: FloatArray,
    drawn: dict[str, FloatArray],
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Draw θ_c about the neuron's own log rate, and return the sd; shapes (C, S) and (S,).

    One row, of sd 0, where conditions make no difference.
    """
    if not spec.is_tuned:
        return own[np.newaxis], np.zeros(DRAWS)
    is_pooled = spec.condition_pooling == "partial"
    sd = drawn[spec.response_sd] if is_pooled else np.full(DRAWS, RATE_SD)
    theta = own + sd * rng.standard_normal((design.conditions, DRAWS))
    if spec.condition_effects:
        contrasts = rng.standard_normal((design.conditions - 1, DRAWS))
        theta += drawn["condition_sd"] * (zero_sum_basis(design.conditions) @ contrasts)
    return theta, sd


def _log_dispersions(
    spec: ModelSpec,
    drawn: dict[str, FloatArray],
    shift: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw δ, 0 of Poisson, which has none; shape (S,)."""
    name = family_of(spec).dispersion_name
    match spec.dispersion_pooling:
        case None:
            return np.zeros(DRAWS)
        case "partial":
            centre = np.log(drawn[f"typical_{name}"]) + shift
            return np.asarray(centre + drawn["tau_delta"] * rng.standard_normal(DRAWS))
        case _:
            return np.log(drawn[name])

"""What priors alone say of a neuron: its rate, its Fano factor and its own weight."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.models.families import family_of
from spikepool.models.graph import prior_names
from spikepool.models.populations import POPULATIONS
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec

DRAWS: Final = 10_000
MOST_LOG_RATE: Final = 300.0
"""Log rates, and variances of gains, are drawn up to here: beyond any axis, and still numbers."""


@dataclass(frozen=True)
class NeuronDesign:
    """What is recorded of a neuron: so many trials of so many seconds (1 where none are known)."""

    trials: int
    exposure: float


@dataclass(frozen=True)
class PriorPredictive:
    """A neuron as drawn from the priors of a model; arrays of shape (S,).

    Attributes
    ----------
    spec : ModelSpec
    rate : ndarray
        e^θ.
    fano : ndarray
        Fano factor of its counts; 1 of Poisson.
    own_weight : ndarray
        κ = τ²/(τ² + σ²), with σ² = Var(y)/(n m²) and the fixed prior's sd for τ where nothing is
        pooled; 0 where all rates are one.
    """

    spec: ModelSpec
    rate: FloatArray
    fano: FloatArray
    own_weight: FloatArray


def draw_prior_predictive(
    specs: Sequence[ModelSpec], priors: Priors, design: NeuronDesign, seed: int
) -> tuple[PriorPredictive, ...]:
    """Draw neurons from the priors of some models, each with hyperparameters of its own.

    Parameters
    ----------
    specs : sequence of ModelSpec
        Without conditions.
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
    theta, spread = _log_rates(spec, priors, drawn, rng)
    theta = np.clip(theta, -MOST_LOG_RATE, MOST_LOG_RATE)
    delta = _log_dispersions(spec, drawn, rng)
    delta = np.clip(delta, -MOST_LOG_RATE / 2, MOST_LOG_RATE / 2)
    fano = family.fano(theta, delta, exposure)
    information = design.trials * np.exp(theta) * exposure / fano
    with np.errstate(over="ignore"):
        own_weight = 1 - 1 / (1 + spread**2 * information)
    return PriorPredictive(spec, np.exp(theta), fano, own_weight)


def _log_rates(
    spec: ModelSpec, priors: Priors, drawn: dict[str, FloatArray], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Draw θ, and return the sd that it is pooled with; shape (S,)."""
    match spec.pooling:
        case "none":
            return drawn["theta"], np.full(DRAWS, priors.theta.sd)
        case "complete":
            return drawn["mu"], np.zeros(DRAWS)
        case "partial":
            population = POPULATIONS[spec.population]
            own = {name: drawn[name] for name in population.hyperparameters}
            return population.sample(rng, (DRAWS,), **own), population.sd(**own)


def _log_dispersions(
    spec: ModelSpec, drawn: dict[str, FloatArray], rng: np.random.Generator
) -> FloatArray:
    """Draw δ, 0 of Poisson, which has none; shape (S,)."""
    name = family_of(spec).dispersion_name
    match spec.dispersion_pooling:
        case None:
            return np.zeros(DRAWS)
        case "partial":
            centre = np.log(drawn[f"typical_{name}"])
            return np.asarray(centre + drawn["tau_delta"] * rng.standard_normal(DRAWS))
        case _:
            return np.log(drawn[name])

"""From a model specification and a tally to the PyMC model: the only statement of the model.

Names in the model: ``mu``, ``tau`` (gamma population: ``a``, ``b``), ``theta`` (log rate, per
neuron), ``mu_delta``, ``tau_delta``, ``delta`` (log dispersion, per neuron). With conditions
``theta`` is a neuron's own log rate, about which its ``response`` to each condition lies with sd
``tuning_sd``; with effects of conditions, about which it lies after each condition has added its
``condition_effect`` (sd ``condition_sd``) to all neurons. Partially pooled parameters are sampled
as ``theta_sampled``, ``delta_sampled`` and ``response_sampled`` (see `parametrization`), rates of a
gamma population as ``rate_sampled``.
With labels within groups (see `within`) every group has its own of all these hyperparameters, along
the dimension ``group``.
"""

from typing import Any

import numpy as np

from spikepool.data.tally import Tally
from spikepool.models.condition_effects import place_condition_effects, presented_names
from spikepool.models.families import family_of
from spikepool.models.parametrization import Parametrization, choose_parametrization
from spikepool.models.populations import POPULATIONS, normal_members
from spikepool.models.priors import RATE_SD, Priors, default_priors
from spikepool.models.spec import ModelSpec
from spikepool.models.within import coordinates, effects_of, hyperparameters_of_pairs


def build_model(
    spec: ModelSpec,
    tally: Tally,
    priors: Priors | None = None,
    parametrization: Parametrization | None = None,
) -> Any:
    """Build the PyMC model of `spec` for the counts in `tally`.

    Parameters
    ----------
    spec : ModelSpec
    tally : Tally
    priors : Priors, optional
        Default: `default_priors` of the tally.
    parametrization : Parametrization, optional
        Default: chosen from the data.

    Returns
    -------
    pymc.Model
        With the coordinate ``neuron``; its ``log_likelihood`` potential is the exact
        log-likelihood of all rows of the table, constants included.
    """
    import pymc as pm
    import pytensor.tensor as pt

    priors = priors or default_priors(tally)
    centring = parametrization or choose_parametrization(spec, tally)
    family = family_of(spec)
    statistics = family.statistics(tally)
    coords = {"neuron": list(tally.neurons)}
    if spec.is_tuned:
        coords["neuron_condition"] = tally.response_names
    if spec.condition_effects:
        names = presented_names(tally)
        coords |= {"condition": list(names), "contrast": [f"{i}" for i in range(1, len(names))]}
    if spec.within is not None:
        coords |= coordinates(tally)
    with pm.Model(coords=coords) as model:
        hyperparameters = place_hyperparameters(spec, priors)
        if spec.within is not None:
            pairs = tally.pairs
            of_pairs = hyperparameters_of_pairs(spec, pairs, priors, hyperparameters)
            hyperparameters = {name: of[pairs.of_neuron] for name, of in of_pairs.items()}
        theta = _log_rate(spec, tally, priors, hyperparameters, centring)
        delta = None
        if spec.dispersion_pooling is not None:
            delta = _log_dispersion(spec, tally, priors, hyperparameters, centring)
        if spec.is_tuned:
            statistics = family.statistics(tally.by_response())
            theta, delta = _responses(spec, tally, hyperparameters, centring, theta, delta)
        terms = family.log_likelihood_terms(theta, delta, statistics, pt)
        total = statistics.constant.sum()
        for part in (terms.by_neuron, terms.by_cell, terms.by_tail, terms.by_large):
            if part is not None:
                total = total + pt.sum(part)
        pm.Potential("log_likelihood", total)
    return model


def hyperparameter_names(spec: ModelSpec) -> tuple[str, ...]:
    """Names of what the neurons' parameters depend on, in the model's order.

    Those of the rates' population; ``tuning_sd``, the spread between conditions (``drift_sd``
    between blocks of trials), and
    ``condition_sd``, that of their effects on all neurons; ``mu_delta`` and ``tau_delta``, or
    ``delta``, the logarithm of a dispersion that all neurons share.
    """
    of_rate = {
        "none": (),
        "complete": ("mu",),
        "partial": POPULATIONS[spec.population].hyperparameters,
    }
    of_dispersion = {
        None: (),
        "none": (),
        "complete": ("delta",),
        "partial": ("mu_delta", "tau_delta"),
    }
    of_tuning = _tuning_names(spec)
    return (*of_rate[spec.pooling], *of_tuning, *of_dispersion[spec.dispersion_pooling])


def population_variables(spec: ModelSpec) -> tuple[str, ...]:
    """Names of the model's variables that neurons share: hyperparameters and effects of labels.

    As `hyperparameter_names`, but with a shared dispersion itself in place of its logarithm.
    """
    dispersion = family_of(spec).dispersion_name
    own = (dispersion if name == "delta" else name for name in hyperparameter_names(spec))
    return (*own, *(name for effect in effects_of(spec) for name in (effect.sd, effect.name)))


def _tuning_names(spec: ModelSpec) -> tuple[str, ...]:
    of_conditions = ("condition_sd",) if spec.condition_effects else ()
    spread = (spec.response_sd,) if spec.condition_pooling == "partial" else ()
    return (*spread, *of_conditions)


def place_hyperparameters(spec: ModelSpec, priors: Priors) -> dict[str, Any]:
    """Add the hyperparameters, with their priors, to the model on PyMC's context stack.

    Parameters
    ----------
    spec : ModelSpec
    priors : Priors

    Returns
    -------
    dict of str to tensor
        By the names of `hyperparameter_names`; with labels within groups one each of every group.
    """
    import pymc as pm
    import pytensor.tensor as pt

    dims = None if spec.within is None else "group"
    name = family_of(spec).dispersion_name
    placed: dict[str, Any] = {}
    for each in hyperparameter_names(spec):
        match each:
            case "delta":
                shared = priors.of(name).variable(name, dims=dims)
                placed[each] = pm.Deterministic("shared_delta", pt.log(shared), dims=dims)
            case "mu_delta":
                typical = priors.of(f"typical_{name}").variable(f"typical_{name}", dims=dims)
                placed[each] = pm.Deterministic("mu_delta", pt.log(typical), dims=dims)
            case _:
                placed[each] = priors.of(each).variable(each, dims=dims)
    return placed


def _log_rate(
    spec: ModelSpec,
    tally: Tally,
    priors: Priors,
    hyperparameters: dict[str, Any],
    centring: Parametrization,
) -> Any:
    """Place the log rates; returns θ, shape (N,)."""
    import pytensor.tensor as pt

    match spec.pooling:
        case "none":
            return priors.of("theta").variable("theta", dims="neuron")
        case "complete":
            return pt.full((tally.n_neurons,), hyperparameters["mu"])
        case "partial":
            return POPULATIONS[spec.population].place(hyperparameters, centring.rate)


def _log_dispersion(
    spec: ModelSpec,
    tally: Tally,
    priors: Priors,
    hyperparameters: dict[str, Any],
    centring: Parametrization,
) -> Any:
    """Place the log dispersions; returns δ, shape (N,)."""
    import pymc as pm
    import pytensor.tensor as pt

    if spec.dispersion_pooling == "none":
        name = family_of(spec).dispersion_name
        dispersion = priors.of(name).variable(name, dims="neuron")
        return pm.Deterministic("delta", pt.log(dispersion), dims="neuron")
    if spec.dispersion_pooling == "complete":
        return pt.full((tally.n_neurons,), hyperparameters["delta"])
    centre, scale = hyperparameters["mu_delta"], hyperparameters["tau_delta"]
    return normal_members("delta", centre, scale, centring.dispersion)


def _responses(
    spec: ModelSpec,
    tally: Tally,
    hyperparameters: dict[str, Any],
    centring: Parametrization,
    theta: Any,
    delta: Any,
) -> tuple[Any, Any]:
    """Place the responses to each condition; returns their log rates and log dispersions, (R,)."""
    neuron = tally.responses.neuron
    sd = hyperparameters.get(spec.response_sd, np.float64(RATE_SD))
    if spec.within is not None and spec.response_sd in hyperparameters:
        sd = sd[neuron]
    centre = theta[neuron]
    if spec.condition_effects:
        assert centring.condition is not None  # noqa: S101 - chosen with the spec
        centre = centre + place_condition_effects(
            tally, hyperparameters["condition_sd"], centring.condition
        )
    response = normal_members("response", centre, sd, centring.response, dims="neuron_condition")
    return response, None if delta is None else delta[neuron]


def prior_names(spec: ModelSpec) -> tuple[str, ...]:
    """Names of the variables of a model that have a prior of their own, in the model's order.

    Parameters
    ----------
    spec : ModelSpec

    Returns
    -------
    tuple of str
        Names for `Priors.of`.
    """
    dispersion = family_of(spec).dispersion_name
    of_rate = {
        "none": ("theta",),
        "complete": ("mu",),
        "partial": POPULATIONS[spec.population].hyperparameters,
    }
    of_dispersion = {
        None: (),
        "none": (dispersion,),
        "complete": (dispersion,),
        "partial": (f"typical_{dispersion}", "tau_delta"),
    }
    of_tuning = _tuning_names(spec)
    of_labels = (effect.sd for effect in effects_of(spec))
    return (*of_rate[spec.pooling], *of_tuning, *of_dispersion[spec.dispersion_pooling], *of_labels)

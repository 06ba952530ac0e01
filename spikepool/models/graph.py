"""From a model specification and a tally to the PyMC model: the only statement of the model.

Names in the model: ``mu``, ``tau``, ``theta`` (log rate, per neuron), ``mu_delta``,
``tau_delta``, ``delta`` (log dispersion, per neuron). Partially pooled parameters are sampled as
``theta_sampled`` and ``delta_sampled`` (see `parametrization`).
"""

from typing import Any

from spikepool.data.tally import Tally
from spikepool.models.families import FAMILIES, CountFamily
from spikepool.models.parametrization import Parametrization, choose_parametrization
from spikepool.models.priors import Priors, default_priors
from spikepool.models.spec import ModelSpec


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
    family = FAMILIES[spec.family]
    statistics = family.statistics(tally)
    with pm.Model(coords={"neuron": list(tally.neurons)}) as model:
        theta = _log_rate(spec, tally, priors, centring)
        delta = None
        if spec.dispersion_pooling is not None:
            delta = _log_dispersion(spec, family, tally, priors, centring)
        terms = family.log_likelihood_terms(theta, delta, statistics, pt)
        total = statistics.constant.sum()
        for part in (terms.by_neuron, terms.by_cell, terms.by_tail, terms.by_large):
            if part is not None:
                total = total + pt.sum(part)
        pm.Potential("log_likelihood", total)
    return model


def _log_rate(spec: ModelSpec, tally: Tally, priors: Priors, centring: Parametrization) -> Any:
    """Place the population model of the log rates; returns θ, shape (N,)."""
    import pytensor.tensor as pt

    if spec.pooling == "none":
        return priors.mu.variable("theta", dims="neuron")
    mu = priors.mu.variable("mu")
    if spec.pooling == "complete":
        return pt.full((tally.n_neurons,), mu)
    return _partially_pooled("theta", mu, priors.tau.variable("tau"), centring.rate)


def _log_dispersion(
    spec: ModelSpec,
    family: CountFamily,
    tally: Tally,
    priors: Priors,
    centring: Parametrization,
) -> Any:
    """Place the population model of the log dispersions; returns δ, shape (N,)."""
    import pymc as pm
    import pytensor.tensor as pt

    name = family.dispersion_name
    if spec.dispersion_pooling == "none":
        dispersion = priors.dispersion.variable(name, dims="neuron")
        return pm.Deterministic("delta", pt.log(dispersion), dims="neuron")
    if spec.dispersion_pooling == "complete":
        return pt.full((tally.n_neurons,), pt.log(priors.dispersion.variable(name)))
    typical = priors.dispersion.variable(f"typical_{name}")
    mu_delta = pm.Deterministic("mu_delta", pt.log(typical))
    tau_delta = priors.tau_delta.variable("tau_delta")
    return _partially_pooled("delta", mu_delta, tau_delta, centring.dispersion)


def _partially_pooled(name: str, centre: Any, scale: Any, weight: Any) -> Any:
    """N(centre, scale²) for every neuron, centred by `weight`; shape (N,)."""
    import pymc as pm

    sampled = pm.Normal(f"{name}_sampled", weight * centre, scale**weight, dims="neuron")
    value = centre + scale ** (1 - weight) * (sampled - weight * centre)
    return pm.Deterministic(name, value, dims="neuron")

"""The joint posterior of all parameters of a model of counts, by the No-U-Turn sampler."""

import numpy as np
from numpy.typing import NDArray

from spikepool.config import EngineOptions
from spikepool.data.tally import Tally
from spikepool.engines.sampler import Sampled, sample_model
from spikepool.engines.seeds import model_seed
from spikepool.models.condition_effects import presented_names
from spikepool.models.families import family_of
from spikepool.models.graph import build_model, population_variables
from spikepool.models.parametrization import Parametrization, choose_parametrization
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.models.within import entries_of
from spikepool.posterior.draws import PosteriorDraws
from spikepool.progress import Progress


def sample_posterior(
    spec: ModelSpec, tally: Tally, priors: Priors, options: EngineOptions, progress: Progress
) -> PosteriorDraws:
    """Draw from the joint posterior of `spec` given `tally`.

    Parameters
    ----------
    spec : ModelSpec
    tally : Tally
    priors : Priors
    options : EngineOptions
        The draws do not depend on `cores`.
    progress : Progress

    Returns
    -------
    PosteriorDraws

    Raises
    ------
    SpikepoolError
        The sampler returned fewer draws than were asked for.
    """
    parametrization = choose_parametrization(spec, tally, options.parametrization)
    model = build_model(spec, tally, priors, parametrization)
    names = _reported_variables(spec)
    sampled = sample_model(model, names, options, model_seed(options.seed, spec), progress)
    return _assemble(spec, tally, parametrization, sampled)


def _reported_variables(spec: ModelSpec) -> list[str]:
    """Names of the model's variables that the posterior keeps."""
    names = list(population_variables(spec))
    if spec.pooling != "complete":
        names.append("theta")
    if spec.is_tuned:
        names.append("response")
    if spec.condition_effects:
        names.append("condition_effect")
    if spec.dispersion_pooling in ("none", "partial"):
        names.append("delta")
    return names


def _assemble(
    spec: ModelSpec, tally: Tally, parametrization: Parametrization, sampled: Sampled
) -> PosteriorDraws:
    """Give every neuron its draws; completely pooled parameters are shared, not copied."""
    draws = dict(sampled.draws)
    theta, delta = draws.pop("theta", None), draws.pop("delta", None)
    response = draws.pop("response", None)
    condition_effect = draws.pop("condition_effect", None)
    if theta is None:
        theta = _shared(draws["mu"], tally)
    if delta is None and spec.dispersion_pooling is not None:
        delta = _shared(np.log(draws[family_of(spec).dispersion_name]), tally)
    return PosteriorDraws(
        spec=spec,
        engine="nuts",
        neurons=tally.neurons,
        population=dict(entries_of(draws, spec, tally)),
        theta=theta,
        delta=delta,
        response=response,
        response_labels=() if response is None else tally.response_labels,
        condition_effect=condition_effect,
        conditions=() if condition_effect is None else presented_names(tally),
        parametrization=parametrization,
        sampler=sampled.sampler,
    )


def _shared(values: NDArray[np.float64], tally: Tally) -> NDArray[np.float64]:
    """Give all neurons, or those of each group, one value; shape (chains, draws, N)."""
    if values.ndim == 3:
        return values[..., tally.group]
    return np.broadcast_to(values[:, :, None], (*values.shape, tally.n_neurons))

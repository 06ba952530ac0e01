"""Labels within groups, such as animals recorded in several areas: groups joined in one model.

μ_{g,a} = μ_g + u_a + v_{g,a} is the mean of the log rates of the neurons of group g with label a,
u_a ~ N(0, τ_u²) and v_{g,a} ~ N(0, τ_v²) (crossed labels; Gelman & Hill 2007, chapter 13). If every
label stands in one group only, u_a + v_{g,a} is one term with one variance, and v is left out
(nested labels). The same for μ_δ.

Names in the model: ``within_effect`` (u) and ``interaction_effect`` (v) with the sds ``within_sd``
and ``interaction_sd``; of log dispersions the same with ``_delta`` at the end. They are sampled
non-centred.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import IntArray
from spikepool.data.tally import Pairs, Tally
from spikepool.models.populations import normal_members
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec

type EffectIndex = Literal["within", "pair"]


@dataclass(frozen=True)
class Effect:
    """What labels, or pairs of group and label, add to a mean of the neurons' parameters.

    Attributes
    ----------
    name : str
        In the model.
    sd : str
        Name of its standard deviation, in the model and in `Priors`.
    adds_to : str
        Name of the mean: ``mu`` or ``mu_delta``.
    index : {'within', 'pair'}
        What has one each: every label, or every pair of group and label.
    """

    name: str
    sd: str
    adds_to: str
    index: EffectIndex

    def of_pairs(self, pairs: Pairs) -> IntArray:
        """Return the place of the effect of every pair of group and label; shape (P,)."""
        return np.arange(len(pairs.label)) if self.index == "pair" else pairs.label


_OF_RATES = (
    Effect("within_effect", "within_sd", "mu", "within"),
    Effect("interaction_effect", "interaction_sd", "mu", "pair"),
)
_OF_DISPERSIONS = (
    Effect("within_effect_delta", "within_sd_delta", "mu_delta", "within"),
    Effect("interaction_effect_delta", "interaction_sd_delta", "mu_delta", "pair"),
)


def effects_of(spec: ModelSpec) -> tuple[Effect, ...]:
    """Return the effects of labels within groups that a model has."""
    if spec.within is None:
        return ()
    of_dispersions = _OF_DISPERSIONS if spec.dispersion_pooling == "partial" else ()
    return tuple(
        effect
        for effect in (*_OF_RATES, *of_dispersions)
        if spec.within == "crossed" or effect.index == "within"
    )


def labels_of(effect: Effect, tally: Tally) -> list[str]:
    """Name what an effect has one each of: ``m1``, or ``V1,m1`` of a pair."""
    if effect.index == "within":
        return list(tally.within_labels)
    pairs = zip(tally.pairs.group.tolist(), tally.pairs.label.tolist(), strict=True)
    return [f"{tally.groups[g]},{tally.within_labels[a]}" for g, a in pairs]


def entry(name: str, label: str) -> str:
    """Name one entry of a parameter that is an array, such as ``mu[V1]``."""
    return f"{name}[{label}]"


def entries_of(
    draws: Mapping[str, NDArray[np.float64]], spec: ModelSpec, tally: Tally
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Name every entry of what groups, labels or pairs have one each of, such as ``mu[V1]``.

    Parameters
    ----------
    draws : mapping of str to ndarray, shape (chains, draws) or (chains, draws, entries)
    spec : ModelSpec
    tally : Tally

    Yields
    ------
    tuple of (str, ndarray of shape (chains, draws))
    """
    labels = {effect.name: labels_of(effect, tally) for effect in effects_of(spec)}
    for name, values in draws.items():
        if values.ndim == 2:
            yield name, values
            continue
        for place, label in enumerate(labels.get(name, tally.groups)):
            yield entry(name, label), values[..., place]


def coordinates(tally: Tally) -> dict[str, list[str]]:
    """Return the coordinates of a model with labels within groups."""
    within, pair = (labels_of(effect, tally) for effect in _OF_RATES)
    return {"group": list(tally.groups), "within": within, "pair": pair}


def hyperparameters_of_pairs(
    spec: ModelSpec, pairs: Pairs, priors: Priors, of_groups: Mapping[str, Any]
) -> dict[str, Any]:
    """Add the effects to the model on PyMC's context stack, and give each pair what it has.

    Parameters
    ----------
    spec : ModelSpec
    pairs : Pairs
    priors : Priors
    of_groups : mapping of str to tensor, shape (groups,)
        Hyperparameters of every group.

    Returns
    -------
    dict of str to tensor, shape (P,)
        The same of every pair of group and label; its means with the effects.
    """
    of_pairs = {name: values[pairs.group] for name, values in of_groups.items()}
    for effect in effects_of(spec):
        sd = priors.of(effect.sd).variable(effect.sd)
        zero = np.float64(0)
        values = normal_members(effect.name, zero, sd, centring=zero, dims=effect.index)
        of_pairs[effect.adds_to] += values[effect.of_pairs(pairs)]
    return of_pairs

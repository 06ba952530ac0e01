"""The joint posterior of groups that labels within them join: group by group, and pair by pair.

A group's own parameters have the names that they have where a group is fitted alone, so that it is
reported as any other. Given the mean of its pair of group and label a neuron is independent of all
other neurons: a pair is to its neurons what a population is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import IntArray
from spikepool.data.tally import Tally
from spikepool.models.families import FAMILIES
from spikepool.models.graph import hyperparameter_names
from spikepool.models.spec import ModelSpec
from spikepool.models.within import effects_of, entry, labels_of
from spikepool.posterior.draws import Posterior
from spikepool.posterior.groups import WHOLE_TABLE, Part
from spikepool.posterior.population import summarise_chains
from spikepool.posterior.results import PopulationParameter

type _Population = dict[str, NDArray[np.float64]]


def posteriors_of_groups(posterior: Posterior, tally: Tally) -> dict[str, Posterior]:
    """Take a joint posterior apart into those of its groups.

    Parameters
    ----------
    posterior : Posterior
        Of a model with labels within groups.
    tally : Tally
        Of the whole table.

    Returns
    -------
    dict of str to Posterior
        By group, in the tally's order; draw by draw they are one joint posterior.
    """
    population, spec = posterior.draws.population, posterior.draws.spec
    parts = (
        _of_members(posterior, tally, tally.group == group, _of_group(population, spec, name))
        for group, name in enumerate(tally.groups)
    )
    names = tally.groups if len(tally.groups) > 1 else (WHOLE_TABLE,)
    return dict(zip(names, parts, strict=True))


def posteriors_of_pairs(posterior: Posterior, tally: Tally) -> Iterator[tuple[Part, Posterior]]:
    """Take a joint posterior apart into those of the pairs of group and label.

    Parameters
    ----------
    posterior : Posterior
    tally : Tally
        Of the whole table.

    Yields
    ------
    tuple of (Part, Posterior)
        The mean of the posterior's population is that of the pair: μ_g + u_a + v_{g,a}.
    """
    population, spec = posterior.draws.population, posterior.draws.spec
    pairs, of_response = tally.pairs, tally.responses.neuron
    for pair, (group, label) in enumerate(zip(pairs.group, pairs.label, strict=True)):
        own = _of_group(population, spec, tally.groups[group])
        for effect in effects_of(spec):
            place = pair if effect.index == "pair" else label
            named = entry(effect.name, labels_of(effect, tally)[place])
            own[effect.adds_to] = own[effect.adds_to] + population[named]
        chosen = pairs.of_neuron == pair
        members = _places(chosen)
        part = Part(
            name=f"{tally.groups[group]},{tally.within_labels[label]}",
            tally=tally.of_members(members),
            neurons=members,
            cells=tally.cells_of_members(members),
            responses=_places(chosen[of_response]),
        )
        yield part, _of_members(posterior, tally, chosen, own)


def summarise_within(
    posterior: Posterior, tally: Tally, interval: float
) -> tuple[PopulationParameter, ...]:
    """Summarise the sds between labels, and the effect of each label and of each pair.

    Parameters
    ----------
    posterior : Posterior
    tally : Tally
        Of the whole table.
    interval : float
        Mass of the equal-tailed intervals.

    Returns
    -------
    tuple of PopulationParameter
        ``within_effect[m1]`` is of all groups; ``interaction_effect[m1]`` of its own.
    """
    population = posterior.draws.population
    effects = effects_of(posterior.draws.spec)
    rows = [summarise_chains(each.sd, population[each.sd], interval) for each in effects]
    for effect in effects:
        groups = [WHOLE_TABLE] * len(tally.within_labels)
        labels = list(tally.within_labels)
        if effect.index == "pair":
            groups = [tally.groups[g] for g in tally.pairs.group]
            labels = [tally.within_labels[a] for a in tally.pairs.label]
        for full, group, label in zip(labels_of(effect, tally), groups, labels, strict=True):
            draws = population[entry(effect.name, full)]
            row = summarise_chains(entry(effect.name, label), draws, interval)
            rows.append(replace(row, group=group))
    return tuple(rows)


def _of_group(
    population: Mapping[str, NDArray[np.float64]], spec: ModelSpec, group: str
) -> _Population:
    """Return what a group has of its own, by the names of a group that is fitted alone."""
    shared = FAMILIES[spec.family].dispersion_name
    names = (shared if name == "delta" else name for name in hyperparameter_names(spec))
    return {name: population[entry(name, group)] for name in names}


def _of_members(
    posterior: Posterior, tally: Tally, chosen: NDArray[np.bool_], population: _Population
) -> Posterior:
    """Return the posterior of some neurons, with the parameters of their population."""
    draws, members = posterior.draws, _places(chosen)
    response = None
    if draws.response is not None:
        response = draws.response[..., _places(chosen[tally.responses.neuron])]
    of_members = replace(
        draws,
        neurons=tuple(draws.neurons[i] for i in members),
        theta=draws.theta[..., members],
        delta=None if draws.delta is None else draws.delta[..., members],
        response=response,
        population=population,
        parametrization=None,
    )
    return Posterior(of_members)


def _places(chosen: NDArray[np.bool_]) -> IntArray:
    return np.flatnonzero(chosen).astype(np.int64)

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
from spikepool.models.families import family_of
from spikepool.models.graph import hyperparameter_names
from spikepool.models.spec import ModelSpec
from spikepool.models.within import effects_of, entry, labels_of
from spikepool.posterior.draws import Posterior
from spikepool.posterior.groups import WHOLE_TABLE, Part
from spikepool.posterior.population import summarise_chains, summarise_sample
from spikepool.posterior.quadrature import Integrated, JoinedQuadrature
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
    names = tally.groups if len(tally.groups) > 1 else (WHOLE_TABLE,)
    return {name: _posterior_of_group(posterior, tally, group) for group, name in enumerate(names)}


def _posterior_of_group(posterior: Posterior, tally: Tally, group: int) -> Posterior:
    draws, known, name = posterior.draws, posterior.quadrature, tally.groups[group]
    chosen = tally.group == group
    own = None
    if known is not None:
        sample = known.hyperparameters
        values = _of_group(sample.values, draws.spec, name)
        own = Integrated(replace(sample, values=values), known.certificate, None)
    population = _of_group(draws.population, draws.spec, name)
    responses = _places(chosen[tally.responses.neuron])
    return _of_members(posterior, _places(chosen), responses, population, own)


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
    known, pairs = posterior.quadrature, tally.pairs
    for pair, part in enumerate(parts_of_pairs(tally)):
        own = _of_group(population, spec, tally.groups[pairs.group[pair]])
        for effect in effects_of(spec):
            named = entry(effect.name, labels_of(effect, tally)[effect.of_pairs(pairs)[pair]])
            own[effect.adds_to] = own[effect.adds_to] + population[named]
        exact = known.pairs[pair] if isinstance(known, JoinedQuadrature) else None
        yield part, _of_members(posterior, part.neurons, part.responses, own, exact)


def parts_of_pairs(tally: Tally) -> tuple[Part, ...]:
    """Take a table apart into the pairs of group and label, in their order."""
    pairs = tally.pairs
    return tuple(
        _part(tally, pair, f"{tally.groups[group]},{tally.within_labels[label]}")
        for pair, (group, label) in enumerate(zip(pairs.group, pairs.label, strict=True))
    )


def _part(tally: Tally, pair: int, name: str) -> Part:
    chosen = tally.pairs.of_neuron == pair
    members = _places(chosen)
    return Part(
        name=name,
        tally=tally.of_members(members),
        neurons=members,
        cells=tally.cells_of_members(members),
        responses=_places(chosen[tally.responses.neuron]),
    )


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
    effects, rows = effects_of(posterior.draws.spec), list[PopulationParameter]()
    for each in effects:
        rows.append(_summarised(posterior, each.sd, each.sd, interval))
    for effect in effects:
        groups = [WHOLE_TABLE] * len(tally.within_labels)
        labels = list(tally.within_labels)
        if effect.index == "pair":
            groups = [tally.groups[g] for g in tally.pairs.group]
            labels = [tally.within_labels[a] for a in tally.pairs.label]
        for full, group, label in zip(labels_of(effect, tally), groups, labels, strict=True):
            name, shown = entry(effect.name, full), entry(effect.name, label)
            rows.append(replace(_summarised(posterior, name, shown, interval), group=group))
    return tuple(rows)


def _summarised(
    posterior: Posterior, name: str, shown: str, interval: float
) -> PopulationParameter:
    """Summarise one parameter: as a weighted sample where there is one, else its chains."""
    if posterior.quadrature is None:
        return summarise_chains(shown, posterior.draws.population[name], interval)
    sample = posterior.quadrature.hyperparameters
    return summarise_sample(shown, sample.values[name], sample, interval)


def _of_group(
    population: Mapping[str, NDArray[np.float64]], spec: ModelSpec, group: str
) -> _Population:
    """Return what a group has of its own, by the names of a group that is fitted alone."""
    shared = family_of(spec).dispersion_name
    names = (shared if name == "delta" else name for name in hyperparameter_names(spec))
    return {name: population[entry(name, group)] for name in names}


def _of_members(
    posterior: Posterior,
    members: IntArray,
    responses: IntArray,
    population: _Population,
    quadrature: Integrated | None,
) -> Posterior:
    """Return the posterior of some neurons, with the parameters of their population."""
    draws = posterior.draws
    labels = draws.response_labels
    of_members = replace(
        draws,
        neurons=tuple(draws.neurons[i] for i in members),
        theta=draws.theta[..., members],
        delta=None if draws.delta is None else draws.delta[..., members],
        response=None if draws.response is None else draws.response[..., responses],
        response_labels=tuple(labels[i] for i in responses) if labels else (),
        population=population,
        parametrization=None,
    )
    return Posterior(of_members, quadrature)


def _places(chosen: NDArray[np.bool_]) -> IntArray:
    return np.flatnonzero(chosen).astype(np.int64)

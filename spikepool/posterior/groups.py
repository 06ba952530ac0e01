"""A table's groups: taken apart before a fit, and put together after it.

Groups share nothing but the priors, so their posteriors are independent: a model is fitted to
each group alone, and what it says of the neurons is put back into the table's order. Labels within
groups join them (see `within`); such a model takes the table whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import IntArray
from spikepool.data.tally import Tally
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import NeuronDraws
from spikepool.posterior.quadrature import LeaveOut
from spikepool.posterior.results import (
    DispersionEstimates,
    NeuronEstimates,
    ResponseEstimates,
    Summary,
)

WHOLE_TABLE = "all"
"""Name of the population where the whole table is one."""


@dataclass(frozen=True)
class Part:
    """Neurons that are fitted or summarised together: a group, or the whole table.

    Attributes
    ----------
    name : str
        The group's label, or ``all``.
    tally : Tally
        Of these neurons alone.
    neurons, cells, responses : ndarray of int64
        Their places, and those of their cells and responses, in the tally of the table.
    whole : bool
        Whether they are the whole table.
    """

    name: str
    tally: Tally
    neurons: IntArray
    cells: IntArray
    responses: IntArray
    whole: bool = False


def parts_of(spec: ModelSpec, tally: Tally) -> tuple[Part, ...]:
    """Take a table apart into what a model is fitted to.

    Parameters
    ----------
    spec : ModelSpec
        One without any pooling has no population, and takes the table whole; so does one that
        joins the groups.
    tally : Tally

    Returns
    -------
    tuple of Part
        In the order of the tally's groups.
    """
    if len(tally.groups) == 1 or not spec.pools or spec.within is not None:
        sizes = tally.n_neurons, len(tally.count), tally.responses.size
        neurons, cells, responses = (np.arange(size) for size in sizes)
        return (Part(WHOLE_TABLE, tally, neurons, cells, responses, whole=True),)
    group_of_response = tally.group[tally.responses.neuron]
    return tuple(
        Part(
            name=name,
            tally=tally.of_group(group),
            neurons=np.flatnonzero(tally.group == group).astype(np.int64),
            cells=tally.cells_of_group(group),
            responses=np.flatnonzero(group_of_response == group).astype(np.int64),
        )
        for group, name in enumerate(tally.groups)
    )


def neurons_by_group(tally: Tally) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield all neurons, then those of each group where there are several, as masks; shape (N,)."""
    yield WHOLE_TABLE, np.ones(tally.n_neurons, dtype=np.bool_)
    if len(tally.groups) > 1:
        for code, name in enumerate(tally.groups):
            yield name, tally.group == code


def merge_estimates(parts: Sequence[Part], of: Sequence[NeuronEstimates]) -> NeuronEstimates:
    """Put the estimates of all neurons into the table's order.

    Parameters
    ----------
    parts : sequence of Part
    of : sequence of NeuronEstimates
        Of each part.

    Returns
    -------
    NeuronEstimates
    """
    if len(of) == 1:
        return of[0]
    order = _order([part.neurons for part in parts])
    first = of[0]
    return NeuronEstimates(
        spec=first.spec,
        neurons=_merged_words([each.neurons for each in of], order),
        rate_unit=first.rate_unit,
        n_trials=_merged([each.n_trials for each in of], order),
        exposure=_merged([each.exposure for each in of], order),
        spike_count=_merged([each.spike_count for each in of], order),
        rate_raw=_merged([each.rate_raw for each in of], order),
        rate=_merged_summary([each.rate for each in of], order),
        log_rate=_merged_summary([each.log_rate for each in of], order),
        log_rate_mcse=_merged([each.log_rate_mcse for each in of], order),
        own_weight=_merged_summary([each.own_weight for each in of], order),
        realised_weight=_merged([each.realised_weight for each in of], order),
        mse_ratio=_merged([each.mse_ratio for each in of], order),
        dispersion=_merged_dispersion(
            [each.dispersion for each in of if each.dispersion is not None], order
        ),
        tuning=_merged_or_none([each.tuning for each in of], order),
        responses=_merged_responses(parts, [each.responses for each in of]),
    )


def _merged_responses(
    parts: Sequence[Part], of: Sequence[ResponseEstimates | None]
) -> ResponseEstimates | None:
    """Put the responses of all neurons into the table's order."""
    known = [each for each in of if each is not None]
    if not known:
        return None
    order = _order([part.responses for part in parts])
    pairs = zip(parts, known, strict=True)
    above = [each.prob_fano_above for each in known if each.prob_fano_above is not None]
    return ResponseEstimates(
        neuron=_merged([part.neurons[each.neuron] for part, each in pairs], order),
        condition=_merged([each.condition for each in known], order),
        n_trials=_merged([each.n_trials for each in known], order),
        exposure=_merged([each.exposure for each in known], order),
        spike_count=_merged([each.spike_count for each in known], order),
        rate_raw=_merged([each.rate_raw for each in known], order),
        rate=_merged_summary([each.rate for each in known], order),
        log_rate=_merged_summary([each.log_rate for each in known], order),
        log_rate_mcse=_merged([each.log_rate_mcse for each in known], order),
        own_weight=_merged_summary([each.own_weight for each in known], order),
        fano=_merged_or_none([each.fano for each in known], order),
        prob_fano_above=_merged(above, order) if above else None,
    )


def merge_draws(parts: Sequence[Part], of: Sequence[NeuronDraws]) -> NeuronDraws:
    """Put the draws of all neurons side by side, in the table's order.

    Parameters
    ----------
    parts : sequence of Part
    of : sequence of NeuronDraws
        Of each part, all by one engine; thinned to the fewest draws of any.

    Returns
    -------
    NeuronDraws
    """
    if len(of) == 1:
        return of[0]
    order = _order([part.neurons for part in parts])
    theta = np.concatenate(in_step([each.theta for each in of]), axis=-1)[..., order]
    deltas = [each.delta for each in of if each.delta is not None]
    delta = np.concatenate(in_step(deltas), axis=-1)[..., order] if deltas else None
    responses = [each.response for each in of if each.response is not None]
    response = None
    if responses:
        by_response = _order([part.responses for part in parts])
        response = np.concatenate(in_step(responses), axis=-1)[..., by_response]
    return NeuronDraws(of[0].spec, theta, delta, response=response)


def in_step[T: np.floating](draws: Sequence[NDArray[T]]) -> list[NDArray[T]]:
    """Thin draws, shape (chains, draws, ...), evenly to the fewest of any of them."""
    fewest = min(each.shape[1] for each in draws)
    return [
        each[:, np.arange(fewest) * each.shape[1] // fewest] if each.shape[1] > fewest else each
        for each in draws
    ]


def merge_left_out(parts: Sequence[Part], of: Sequence[LeaveOut]) -> LeaveOut:
    """Put the densities of what is left out into the order of the table's cells and neurons.

    Parameters
    ----------
    parts : sequence of Part
    of : sequence of LeaveOut
        Of each part.

    Returns
    -------
    LeaveOut
        With the largest k̂ of any part.
    """
    if len(of) == 1:
        return of[0]
    neurons = _order([part.neurons for part in parts])
    return LeaveOut(
        trial=_merged([each.trial for each in of], _order([part.cells for part in parts])),
        trial_by_neuron=_merged([each.trial_by_neuron for each in of], neurons),
        neuron=_merged([each.neuron for each in of], neurons),
        trial_pareto_k=_largest([each.trial_pareto_k for each in of]),
        neuron_pareto_k=_largest([each.neuron_pareto_k for each in of]),
    )


def _order(places: Sequence[IntArray]) -> IntArray:
    """Return where in the parts, one after another, each entry of the whole stands."""
    return np.argsort(np.concatenate(places), kind="stable").astype(np.int64)


def _merged[T: np.generic](of: Sequence[NDArray[T]], order: IntArray) -> NDArray[T]:
    return np.concatenate(of)[order]


def _merged_words[T: str](of: Sequence[tuple[T, ...]], order: IntArray) -> tuple[T, ...]:
    every = [word for words in of for word in words]
    return tuple(every[i] for i in order)


def _merged_summary(of: Sequence[Summary], order: IntArray) -> Summary:
    names = (field.name for field in fields(Summary))
    return Summary(**{name: _merged([getattr(each, name) for each in of], order) for name in names})


def _merged_or_none(of: Sequence[Summary | None], order: IntArray) -> Summary | None:
    known = [each for each in of if each is not None]
    return _merged_summary(known, order) if known else None


def _merged_dispersion(
    of: Sequence[DispersionEstimates], order: IntArray
) -> DispersionEstimates | None:
    if not of:
        return None
    return DispersionEstimates(
        gain_sd=_merged_summary([each.gain_sd for each in of], order),
        fano=_merged_summary([each.fano for each in of], order),
        prob_fano_above=_merged([each.prob_fano_above for each in of], order),
        log_dispersion=_merged_summary([each.log_dispersion for each in of], order),
        source=_merged_words([each.source for each in of], order),
    )


def _largest(values: Sequence[float]) -> float:
    """Return the largest number; NaN where there is none."""
    return max((value for value in values if not np.isnan(value)), default=float("nan"))

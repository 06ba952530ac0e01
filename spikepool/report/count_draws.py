"""What is kept of the draws of a run of counts."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import RateUnit
from spikepool.data.tally import Tally
from spikepool.models.within import effects_of, entry, labels_of
from spikepool.posterior.groups import in_step
from spikepool.report.posterior_file import LabelledDraws, ResponseDraws, StoredDraws
from spikepool.report.run_results import BaselineFit, FittedModel, RunResults


def draws_of_counts(results: RunResults, most: int) -> Iterator[StoredDraws]:
    """Yield the draws of every model of counts.

    Parameters
    ----------
    results : RunResults
    most : int
        Draws to store where they are independent, which may be fewer than were made.
    """
    unit = results.tally.rate_unit
    for model in results.models:
        baseline = model.baseline
        yield replace(
            _stored(model, model.estimates.neurons, _names(model), most, unit),
            effects=dict(_effects(model, results.tally)),
            baseline=_stored(baseline, baseline.neurons, _own_names(model, baseline), most, unit)
            if baseline
            else None,
            responses=_of_responses(model, results.tally, _kept(model, most)),
        )


def _stored(
    fit: FittedModel | BaselineFit,
    neurons: tuple[str, ...],
    groups: tuple[str, ...],
    most: int,
    rate_unit: RateUnit,
) -> StoredDraws:
    """Keep of a fit what its hyperparameters and neurons were drawn to be."""
    stored = _kept(fit, most)
    return StoredDraws(
        spec=fit.spec,
        neurons=neurons,
        groups=groups,
        hyperparameters={
            name: _of_groups(fit, name, groups)[:, stored] for name in fit.groups[0].hyperparameters
        },
        of_neurons=_of_neurons(fit, stored),
        attributes={
            "family": fit.spec.family,
            "pooling": fit.spec.pooling,
            "dispersion_pooling": fit.spec.dispersion_pooling or "",
            "dispersion_scaling": fit.spec.dispersion_scaling or "",
            "reference_exposure": str(fit.spec.reference_exposure or ""),
            "engine": fit.engine,
            "rate_unit": rate_unit,
        },
    )


def _kept(fit: FittedModel | BaselineFit, most: int) -> slice:
    """Say which draws to store: all of chains, at most so many independent ones."""
    return slice(most if fit.engine == "collapsed" else None)


def _effects(model: FittedModel, tally: Tally) -> Iterator[tuple[str, LabelledDraws]]:
    """Yield what conditions, and labels within groups, add, and how far the latter differs."""
    of_conditions = [
        _over_all(each.condition_effect, each.conditions, tally.conditions)
        for each in model.groups
        if each.condition_effect is not None
    ]
    if of_conditions:
        axes = {"group": _names(model), "condition": tally.conditions}
        values = np.stack(in_step(of_conditions), axis=2) if axes["group"] else of_conditions[0]
        named = {axis: labels for axis, labels in axes.items() if labels}
        yield "condition_effect", LabelledDraws(values, named)
    if model.joint is None:
        return
    draws = model.joint.hyperparameters
    for effect in effects_of(model.spec):
        labels = tuple(labels_of(effect, tally))
        entries = [draws[entry(effect.name, label)] for label in labels]
        yield effect.sd, LabelledDraws(draws[effect.sd])
        yield effect.name, LabelledDraws(np.stack(entries, axis=-1), {effect.index: labels})


def _over_all(
    values: NDArray[np.float64], own: tuple[str, ...], every: tuple[str, ...]
) -> NDArray[np.float64]:
    """Put a group's effects in the places of all conditions; NaN where it was not presented."""
    whole = np.full((*values.shape[:2], len(every)), np.nan)
    whole[..., [every.index(name) for name in own]] = values
    return whole


def _names(model: FittedModel) -> tuple[str, ...]:
    """Name the groups; none where the whole table is one population."""
    return tuple(each.group for each in model.groups) if len(model.groups) > 1 else ()


def _own_names(model: FittedModel, baseline: BaselineFit) -> tuple[str, ...]:
    """Name the groups of a baseline, where the stimuli have several: one at least has one."""
    return tuple(each.group for each in baseline.groups) if len(model.groups) > 1 else ()


def _of_groups(
    fit: FittedModel | BaselineFit, name: str, groups: tuple[str, ...]
) -> NDArray[np.float64]:
    """Draws of a hyperparameter: of the one population, or of every group along a third axis."""
    draws = [each.hyperparameters[name] for each in fit.groups]
    return np.stack(in_step(draws), axis=-1) if groups else draws[0]


def _of_neurons(
    fit: FittedModel | BaselineFit, stored: slice
) -> dict[str, NDArray[np.floating]] | None:
    if fit.draws is None:
        return None
    theta, delta = fit.draws.theta[:, stored], fit.draws.delta
    return {"theta": theta} if delta is None else {"theta": theta, "delta": delta[:, stored]}


def _of_responses(model: FittedModel, tally: Tally, stored: slice) -> ResponseDraws | None:
    if model.draws is None or model.draws.response is None:
        return None
    return ResponseDraws(
        values=model.draws.response[:, stored],
        names=tuple(tally.response_names),
        labels=tally.response_labels,
    )

"""Which pictures a run of counts gets, each from the model that can show it best."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray
from spikepool.diagnostics.variance_parts import part_variance
from spikepool.models.priors import Priors, prior_density
from spikepool.posterior.results import PopulationParameter
from spikepool.posterior.tuning import raw_tuning_strength
from spikepool.report.identifiability import is_identified
from spikepool.report.pictures import Picture
from spikepool.report.plots.about import About
from spikepool.report.run_results import BaselineFit, FittedModel, RunResults

if TYPE_CHECKING:
    import pandas as pd

_PRIOR_POINTS = 401
_SPREADS: tuple[str, ...] = ("tau", "tau_delta", "tuning_sd", "drift_sd", "condition_sd")
"""Hyperparameters whose priors are drawn beside their posteriors."""


def pictures_of_counts(results: RunResults, interval: float) -> Iterator[Picture]:
    """Prepare every picture of a run.

    Parameters
    ----------
    results : RunResults
    interval : float
        Mass of the intervals drawn.

    Yields
    ------
    Picture
    """
    for name, model, data in _numbers_of_pictures(results, interval):
        yield Picture(name, _about(results, model, interval), data)
    about = replace(_about(results, results.primary_model, interval), model="")
    yield Picture("variance_parts", about, _variance_parts(results, interval))


def _about(results: RunResults, model: FittedModel, interval: float) -> About:
    identified = is_identified(model.spec, results.findings)
    return About(
        model=model.spec.label + ("" if identified else " (not identified)"),
        n_neurons=results.tally.n_neurons,
        n_trials=int(results.tally.n_trials.sum()),
        rate_unit=results.tally.rate_unit,
        interval=interval,
    )


def _numbers_of_pictures(
    results: RunResults, interval: float
) -> Iterator[tuple[str, FittedModel, "pd.DataFrame"]]:
    """Prepare each picture from the model that can show it best."""
    from spikepool.report.plots.calibration import prepare_calibration
    from spikepool.report.plots.forest import prepare_forest
    from spikepool.report.plots.matched_fano import prepare_matched_fano
    from spikepool.report.plots.overdispersion import prepare_overdispersion
    from spikepool.report.plots.predictive import prepare_predictive

    primary = results.primary_model
    yield from _pictures_of_pooling(results, interval)
    dispersed = _most_like(results, primary, lambda model: model.estimates.dispersion is not None)
    yield (
        "overdispersion",
        dispersed or primary,
        prepare_overdispersion(
            results.tally.neurons,
            results.overdispersion,
            dispersed.estimates if dispersed else None,
            _populations(results, dispersed or primary),
        ),
    )
    unpooled = next(
        (
            m
            for m in results.models
            if (m.spec.family, m.spec.pooling) == (primary.spec.family, "none")
        ),
        None,
    )
    if primary.baseline is not None:
        yield "evoked", primary, _evoked(results, primary.baseline)
    tuned = _most_tuned(results)
    if tuned is not None:
        name = "drift" if results.tally.in_blocks else "tuning"
        yield name, tuned, _tuning(results, tuned)
    forest = prepare_forest(primary.estimates, unpooled.estimates if unpooled else None)
    yield "forest", primary, forest
    if results.matched:
        yield "matched_fano", primary, prepare_matched_fano(results.matched)
    if results.predictive is not None:
        yield "predictive", primary, prepare_predictive(results.predictive)
        yield "calibration", primary, prepare_calibration(results.predictive)


def _pictures_of_pooling(
    results: RunResults, interval: float
) -> Iterator[tuple[str, FittedModel, "pd.DataFrame"]]:
    """Prepare the pictures of a partially pooled model, where one is fitted."""
    from spikepool.report.plots.dispersion_shrinkage import prepare_dispersion_shrinkage
    from spikepool.report.plots.own_weight import prepare_own_weight
    from spikepool.report.plots.shrinkage import prepare_shrinkage
    from spikepool.report.plots.tau_prior_posterior import prepare_tau_prior_posterior
    from spikepool.report.plots.trace import prepare_trace

    pooled = _most_like(
        results, results.primary_model, lambda model: model.spec.pooling == "partial"
    )
    if pooled is None:
        return
    estimates, population = pooled.estimates, pooled.population
    draws = {each.group: each.hyperparameters for each in pooled.groups}
    groups = _groups_of_neurons(results) if len(pooled.groups) > 1 else ()
    yield "shrinkage", pooled, prepare_shrinkage(estimates, population, groups)
    yield "own_weight", pooled, prepare_own_weight(estimates, population, groups)
    if pooled.spec.dispersion_pooling == "partial":
        moments = prepare_dispersion_shrinkage(estimates, results.overdispersion, population)
        yield "dispersion_shrinkage", pooled, moments
    grids = {
        name: _prior_on_grid(results.priors, name, _largest(draws.values(), name))
        for name in _SPREADS
        if name in pooled.groups[0].hyperparameters
    }
    yield "tau_prior_posterior", pooled, prepare_tau_prior_posterior(draws, grids, interval)
    if groups:
        yield "groups", pooled, _groups(results, pooled, interval)
    yield "trace", pooled, prepare_trace(draws, population)


def _groups(results: RunResults, pooled: FittedModel, interval: float) -> "pd.DataFrame":
    from spikepool.report.plots.groups import prepare_groups

    return prepare_groups(
        pooled.estimates,
        _groups_of_neurons(results),
        {each.group: each.sample for each in pooled.groups},
        interval,
    )


def _groups_of_neurons(results: RunResults) -> tuple[str, ...]:
    return tuple(results.tally.groups[code] for code in results.tally.group)


def _most_tuned(results: RunResults) -> FittedModel | None:
    """Return the model nearest to the primary one that pools responses, or else has them."""
    primary = results.primary_model
    return _most_like(
        results, primary, lambda model: model.spec.condition_pooling == "partial"
    ) or _most_like(results, primary, lambda model: model.estimates.responses is not None)


def _evoked(results: RunResults, baseline: BaselineFit) -> "pd.DataFrame":
    from spikepool.report.plots.evoked import prepare_evoked

    tally, conditions = results.tally, results.counts.condition
    return prepare_evoked(baseline.evoked, tally.neurons, tally.conditions if conditions else ())


def _tuning(results: RunResults, tuned: FittedModel) -> "pd.DataFrame":
    from spikepool.report.plots.tuning import prepare_tuning

    return prepare_tuning(tuned.estimates, results.counts.axes, raw_tuning_strength(results.tally))


def _variance_parts(results: RunResults, interval: float) -> "pd.DataFrame":
    """Split the variance of the counts; no model stands behind it."""
    from spikepool.report.plots.variance_parts import prepare_variance_parts

    parts = part_variance(results.counts, results.drift, results.sessions, interval)
    return prepare_variance_parts(parts)


def _most_like(
    results: RunResults, wanted: FittedModel, suitable: Callable[[FittedModel], bool]
) -> FittedModel | None:
    """Return the suitable model nearest to one: itself, of its family, of its pooling, any."""

    def distance(model: FittedModel) -> tuple[bool, bool, bool]:
        return (
            model.spec != wanted.spec,
            model.spec.family != wanted.spec.family,
            model.spec.pooling != wanted.spec.pooling,
        )

    return min(filter(suitable, results.models), key=distance, default=None)


def _populations(
    results: RunResults, model: FittedModel
) -> dict[str, tuple[PopulationParameter, ...]]:
    """Return the populations of the NB models pooled alike, for the variance curves."""
    return {
        other.spec.family: other.population
        for other in results.models
        if other.spec.family != "poisson"
        and other.spec.dispersion_pooling == model.spec.dispersion_pooling
        and other.spec.pooling == model.spec.pooling
    }


def _largest(draws: Iterable[Mapping[str, NDArray[np.float64]]], name: str) -> float:
    """Largest draw of a hyperparameter in any group."""
    return max(float(of[name].max()) for of in draws)


def _prior_on_grid(priors: Priors, name: str, largest: float) -> tuple[FloatArray, FloatArray]:
    """Density of the prior of a spread, as far as the posterior reaches."""
    grid = np.linspace(0.0, 1.3 * largest, _PRIOR_POINTS)
    return grid, prior_density(priors.of(name), grid)

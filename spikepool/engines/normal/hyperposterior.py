"""The hyperparameters of a model of estimates, by importance sampling of their marginal model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikepool.data.estimates import Estimates
from spikepool.data.spike_counts import FloatArray
from spikepool.engines.collapsed.hyperposterior import Laplace, find_mode, sample_adaptively
from spikepool.models.many_points import of_many_points
from spikepool.models.normal_normal import (
    build_marginal_model,
    normal_hyperparameters,
    variance_mixture,
)
from spikepool.models.normal_priors import NormalPriors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.normal_results import ImportanceSample
from spikepool.posterior.weighted import systematic

_VALUES_AT_ONCE = 4_000_000
_SEARCHED = (-4.0, -2.0, -1.0, 0.0, 1.0)
"""Offsets from the priors' own start, in coordinates, from the best of which the mode is sought."""
_WIDER = 3.0
"""By how much the first proposal is wider than the curvature at the mode suggests: the tail of
ln τ towards no spread is exponential, and far longer."""


@dataclass(frozen=True)
class Hyperposterior:
    """A weighted sample of what the θ_i depend on, in the table's own units.

    Attributes
    ----------
    values : dict of str to ndarray, shape (D,)
        Of ``mu`` and, but for complete pooling, ``tau``.
    weights : ndarray, shape (D,)
        They sum to 1.
    quality : ImportanceSample or None
        None without pooling: a fixed prior, and nothing to sample.
    """

    values: dict[str, FloatArray]
    weights: FloatArray
    quality: ImportanceSample | None

    def drawn(self, size: int, rng: np.random.Generator) -> dict[str, FloatArray]:
        """Draw values in proportion to their weights, in random order; none of a fixed prior."""
        if self.quality is None:
            return {}
        chosen = rng.permutation(systematic(self.weights, size, rng.random()))
        return {name: values[chosen] for name, values in self.values.items()}


def integrate_hyperparameters(
    spec: ModelSpec, x: Estimates, priors: NormalPriors, rng: np.random.Generator
) -> Hyperposterior:
    """Sample the hyperparameters of `spec`, every θ_i integrated out.

    Parameters
    ----------
    spec : ModelSpec
    x : Estimates
    priors : NormalPriors
        In the unit of `x`.
    rng : numpy.random.Generator

    Returns
    -------
    Hyperposterior
    """
    if spec.pooling == "none":
        fixed = {"mu": np.array([priors.theta.mean]), "tau": np.array([priors.theta.sd])}
        return Hyperposterior(fixed, np.ones(1), None)
    function, start = _compiled(spec, x, priors)
    components = len(variance_mixture(spec.population).factors)
    at_once = max(1, _VALUES_AT_ONCE // (components * x.n_neurons))

    def in_parts(points: FloatArray) -> Iterator[list[FloatArray]]:
        for first in range(0, len(points), at_once):
            part = points[first : first + at_once]
            yield [np.broadcast_to(values, len(part)) for values in function(part)]

    def log_density(points: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):  # far out the density is 0, and its logarithm infinite
            found = np.concatenate([values[0] for values in in_parts(points)])
        return np.where(np.isfinite(found), found, -np.inf)

    offsets = np.meshgrid(*[_SEARCHED] * len(start), indexing="ij")
    tried = start + np.stack([each.ravel() for each in offsets], axis=1)
    best = tried[int(np.argmax(log_density(tried)))]
    mode = find_mode(log_density, best, np.full(len(start), 0.5))
    first = Laplace(mode.mode, mode.covariance * _WIDER**2)
    batch = _batch(x.n_neurons * components)
    sample = sample_adaptively(log_density, first, rng, batch=batch, least_ess=0.75 * batch)
    parts = [values[1:] for values in in_parts(sample.points)]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Hyperposterior(
        dict(zip(normal_hyperparameters(spec), columns, strict=True)),
        sample.weights,
        ImportanceSample(len(sample.points), sample.ess, sample.pareto_k),
    )


def _compiled(spec: ModelSpec, x: Estimates, priors: NormalPriors) -> tuple[Any, FloatArray]:
    """Make functions of many points of the marginal model; returns them and a first point."""
    model = build_marginal_model(spec, x, priors)
    hyperparameters = [model[name] for name in normal_hyperparameters(spec)]
    return of_many_points(model, model.logp(), hyperparameters)


def _batch(terms: int) -> int:
    """Points of an iteration: many where one costs little."""
    return 8192 if terms <= 60 else 4096 if terms <= 300 else 2048

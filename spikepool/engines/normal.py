"""The posterior of a model of estimates: by closed forms given the hyperparameters, or by NUTS.

Both engines compute in the table's own units (`Unit`), so that another unit of the estimates
changes nothing but the unit of the results, and give back what they find in the estimates' unit.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikepool.config import EngineOptions
from spikepool.data.estimates import Estimates
from spikepool.data.spike_counts import FloatArray
from spikepool.engines.collapsed.hyperposterior import (
    Laplace,
    WeightedSample,
    find_mode,
    sample_adaptively,
)
from spikepool.engines.collapsed.model import interpreted
from spikepool.engines.nuts import _refuse_incomplete, _sample_nutpie, _sample_pymc
from spikepool.engines.seeds import model_seed
from spikepool.models.normal_normal import (
    Conditional,
    build_marginal_model,
    build_normal_model,
    condition,
    normal_hyperparameters,
    own_weights,
    variance_mixture,
)
from spikepool.models.normal_priors import NormalPriors, Unit, unit_of
from spikepool.models.parametrization import _rate_weights
from spikepool.models.populations import POPULATIONS
from spikepool.models.spec import ModelSpec, PopulationName
from spikepool.posterior.mixing import ParameterDiagnostics, measure_mixing
from spikepool.posterior.normal_mixture import NormalMixtures
from spikepool.posterior.normal_results import ImportanceSample, NormalPosterior
from spikepool.posterior.results import PopulationParameter, Summary
from spikepool.progress import Progress

_VALUES_AT_ONCE = 4_000_000
_MOST_VALUES = 8_000_000
"""Components × neurons of the mixtures; fewer hyperparameters are kept where it would be more."""
_NEGLIGIBLE = 1e-9
"""Mass of a mixture that components without weight in any neuron may take away with them."""
_SEARCHED = (-4.0, -2.0, -1.0, 0.0, 1.0)
"""Offsets from the priors' own start, in coordinates, from the best of which the mode is sought."""


_WIDER = 3.0
"""By how much the first proposal is wider than the curvature at the mode suggests: the tail of
ln τ towards no spread is exponential, and far longer."""


@dataclass(frozen=True)
class NormalRequest:
    """What a model's posterior is computed for.

    Attributes
    ----------
    interval : float
        Mass of the equal-tailed intervals.
    joint : bool
        Whether draws of every θ_i are wanted.
    """

    interval: float
    joint: bool

    @property
    def masses(self) -> tuple[float, float, float]:
        """Lower end, median and upper end."""
        tail = (1 - self.interval) / 2
        return tail, 0.5, 1 - tail


def integrate_normal(
    spec: ModelSpec,
    estimates: Estimates,
    priors: NormalPriors,
    options: EngineOptions,
    request: NormalRequest,
) -> NormalPosterior:
    """Compute the posterior of `spec` by closed forms, averaged over the hyperparameters.

    Parameters
    ----------
    spec : ModelSpec
    estimates : Estimates
    priors : NormalPriors
    options : EngineOptions
        `seed` and `draws` (of those that are kept) are used.
    request : NormalRequest

    Returns
    -------
    NormalPosterior
        Only the hyperparameters carry Monte Carlo error; its `importance` tells how much.
    """
    started = time.perf_counter()
    unit = unit_of(estimates)
    x, own = unit.standardised(estimates), unit.priors(priors)
    rng = np.random.default_rng([model_seed(options.seed, spec), 1])
    if spec.pooling == "none":
        sample, phi = None, {"mu": np.array([own.theta.mean]), "tau": np.array([own.theta.sd])}
        weights = np.ones(1)
    else:
        sample, phi = _hyperposterior(spec, x, own, rng)
        weights = sample.weights
    drawn = {}
    if sample is not None:
        chosen = _resampled(weights, options.draws, rng)
        drawn = {name: values[chosen] for name, values in phi.items()}
    if spec.pooling == "complete":
        marginals = _shared(phi["mu"], weights, x.n_neurons, request)
    else:
        marginals = _averaged(spec.population, x, phi, weights, request)
    return NormalPosterior(
        spec=spec,
        engine="collapsed",
        theta=_in_unit(marginals.theta, unit),
        own_weight=marginals.own_weight,
        realised_weight=marginals.realised_weight,
        mse_ratio=marginals.mse_ratio,
        mcse=marginals.mcse * unit.scale,
        population=tuple(_population(phi, weights, sample, unit, request)),
        hyperparameters=_named_in_unit(drawn, unit),
        draws=_drawn_theta(spec, x, own, drawn, options, unit) if request.joint else None,
        importance=_quality(sample),
        mixing=(),
        sampler=None,
        seconds=time.perf_counter() - started,
    )


def _hyperposterior(
    spec: ModelSpec, x: Estimates, priors: NormalPriors, rng: np.random.Generator
) -> tuple[WeightedSample, dict[str, FloatArray]]:
    """Sample the hyperparameters; returns the sample and their values by name, shape (D,)."""
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
    names = normal_hyperparameters(spec)
    parts = [values[1:] for values in in_parts(sample.points)]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return sample, dict(zip(names, columns, strict=True))


def _compiled(spec: ModelSpec, x: Estimates, priors: NormalPriors) -> tuple[Any, FloatArray]:
    """Make functions of many points of the marginal model; returns them and a first point."""
    import pytensor.tensor as pt
    from pytensor.graph.replace import vectorize_graph

    model = build_marginal_model(spec, x, priors)
    points = pt.matrix("points", dtype="float64")
    columns = {value: points[:, i] for i, value in enumerate(model.value_vars)}
    values = model.replace_rvs_by_values([model[name] for name in normal_hyperparameters(spec)])
    outputs = vectorize_graph([model.logp(), *values], columns)
    start = model.initial_point()
    return interpreted([points], outputs), np.array(
        [float(start[v.name]) for v in model.value_vars]
    )


def _batch(terms: int) -> int:
    """Points of an iteration: many where one costs little."""
    return 8192 if terms <= 60 else 4096 if terms <= 300 else 2048


@dataclass(frozen=True)
class _Marginals:
    """Of every neuron, in the table's own units."""

    theta: Summary
    own_weight: Summary
    realised_weight: FloatArray
    mse_ratio: FloatArray
    mcse: FloatArray


def _shared(
    mu: FloatArray, weights: FloatArray, n_neurons: int, request: NormalRequest
) -> _Marginals:
    """Every θ_i is μ."""
    one = _weighted_summary(mu[:, np.newaxis], weights, request)
    theta = Summary(*(np.repeat(values, n_neurons) for values in vars(one).values()))
    zero = np.zeros(n_neurons)
    error = np.sqrt(np.sum(weights**2 * (mu - one.mean) ** 2))
    own_weight = Summary(zero, zero, zero, zero, zero)
    return _Marginals(theta, own_weight, zero, zero, np.full(n_neurons, error))


def _averaged(
    population: PopulationName,
    x: Estimates,
    phi: Mapping[str, FloatArray],
    weights: FloatArray,
    request: NormalRequest,
) -> _Marginals:
    """Average the conditional posteriors over the hyperparameters, some neurons at a time."""
    components = len(variance_mixture(population).factors)
    kept = weights > 1e-9
    most = max(256, _MOST_VALUES // (components * x.n_neurons))
    if kept.sum() > most:
        copies = np.bincount(_systematic(weights, most, 0.5), minlength=len(weights))
        weights, kept = copies / most, copies > 0
    weights = weights[kept] / weights[kept].sum()
    mu, tau = phi["mu"][kept], phi["tau"][kept]
    size = max(1, _VALUES_AT_ONCE // (len(weights) * components))
    parts = [
        _averaged_part(population, _neurons(x, slice(i, i + size)), mu, tau, weights, request)
        for i in range(0, x.n_neurons, size)
    ]
    return _Marginals(
        theta=_joined([part.theta for part in parts]),
        own_weight=_joined([part.own_weight for part in parts]),
        realised_weight=np.concatenate([part.realised_weight for part in parts]),
        mse_ratio=np.concatenate([part.mse_ratio for part in parts]),
        mcse=np.concatenate([part.mcse for part in parts]),
    )


def _neurons(x: Estimates, chosen: slice) -> Estimates:
    return Estimates(x.neurons[chosen], x.estimate[chosen], x.standard_error[chosen])


def _joined(parts: list[Summary]) -> Summary:
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Summary(*(np.concatenate(column) for column in columns))


def _averaged_part(
    population: PopulationName,
    x: Estimates,
    mu: FloatArray,
    tau: FloatArray,
    weights: FloatArray,
    request: NormalRequest,
) -> _Marginals:
    given = condition(x, population, mu, tau)
    mixtures = _mixtures(given, weights)
    lower, median, upper = (mixtures.quantiles(mass) for mass in request.masses)
    mean = mixtures.means()
    departure = given.total_mean - mean
    variance = given.total_variance
    spread = POPULATIONS[population].sd(mu=mu, tau=tau)[:, np.newaxis] ** 2
    return _Marginals(
        theta=Summary(mean, median, mixtures.sds(), lower, upper),
        own_weight=_own_weight(population, x, tau, weights, request),
        realised_weight=1 - _mean(variance / spread, weights),
        mse_ratio=_mean(variance, weights) / x.standard_error**2,
        mcse=np.sqrt(_mean(departure**2, weights**2)),
    )


def _own_weight(
    population: PopulationName,
    x: Estimates,
    tau: FloatArray,
    weights: FloatArray,
    request: NormalRequest,
) -> Summary:
    """Summarise κ, whose quantiles are those of τ: it grows with τ."""
    kappa = own_weights(x, population, tau)
    mean = _mean(kappa, weights)
    of_tau = _weighted_summary(tau[:, np.newaxis], weights, request)
    ends = np.concatenate([of_tau.lower, of_tau.median, of_tau.upper])
    lower, median, upper = own_weights(x, population, ends)
    sd = np.sqrt(_mean((kappa - mean) ** 2, weights))
    return Summary(mean, median, sd, lower, upper)


def _mixtures(given: Conditional, weights: FloatArray) -> NormalMixtures:
    """Lay hyperparameters and components side by side; shape (at most D K, N)."""
    n_neurons = given.mean.shape[-1]
    weight = (given.weight * weights[:, np.newaxis, np.newaxis]).reshape(-1, n_neurons)
    felt = weight.max(axis=1) > _NEGLIGIBLE / len(weight)
    mean, variance = (part.reshape(-1, n_neurons)[felt] for part in (given.mean, given.variance))
    weight = weight[felt]
    return NormalMixtures(mean, np.sqrt(variance), weight / weight.sum(axis=0))


def _mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Σ_d w_d values_d; shape (N,)."""
    return np.asarray(np.sum(weights[:, np.newaxis] * values, axis=0))


def _weighted_summary(values: FloatArray, weights: FloatArray, request: NormalRequest) -> Summary:
    """Summarise weighted values of shape (D, N)."""
    mean = _mean(values, weights)
    sd = np.sqrt(_mean((values - mean) ** 2, weights))
    order = np.argsort(values, axis=0, kind="stable")
    ranked = np.take_along_axis(values, order, axis=0)
    share = weights[order]
    middle = np.cumsum(share, axis=0) - 0.5 * share
    lower, median, upper = (
        np.array([np.interp(mass, m, r) for m, r in zip(middle.T, ranked.T, strict=True)])
        for mass in request.masses
    )
    return Summary(mean, median, sd, lower, upper)


def _population(
    phi: Mapping[str, FloatArray],
    weights: FloatArray,
    sample: WeightedSample | None,
    unit: Unit,
    request: NormalRequest,
) -> Iterator[PopulationParameter]:
    if sample is None:
        return
    for name, values in _named_in_unit(dict(phi), unit, chains=False).items():
        summary = _weighted_summary(values[:, np.newaxis], weights, request)
        yield PopulationParameter(
            group="all",
            parameter=name,
            **{part: float(each[0]) for part, each in vars(summary).items()},
            ess_bulk=sample.ess,
            ess_tail=np.nan,
            r_hat=np.nan,
        )


def _quality(sample: WeightedSample | None) -> ImportanceSample | None:
    if sample is None:
        return None
    return ImportanceSample(len(sample.points), sample.ess, sample.pareto_k)


def _resampled(weights: FloatArray, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw points in proportion to their weights, in random order."""
    return rng.permutation(_systematic(weights, size, rng.random()))


def _systematic(weights: FloatArray, size: int, offset: float) -> NDArray[np.int64]:
    ends = np.cumsum(weights) / np.sum(weights)
    found = np.searchsorted(ends, (np.arange(size) + offset) / size)
    return np.minimum(found, len(weights) - 1).astype(np.int64)


def _in_unit(summary: Summary, unit: Unit) -> Summary:
    return Summary(
        mean=unit.centre + unit.scale * summary.mean,
        median=unit.centre + unit.scale * summary.median,
        sd=unit.scale * summary.sd,
        lower=unit.centre + unit.scale * summary.lower,
        upper=unit.centre + unit.scale * summary.upper,
    )


def _named_in_unit(
    phi: Mapping[str, NDArray[np.float64]], unit: Unit, *, chains: bool = True
) -> dict[str, NDArray[np.float64]]:
    """Bring hyperparameters into the estimates' unit; with `chains`, as a single chain."""
    found = {
        name: unit.scale * values + (unit.centre if name == "mu" else 0.0)
        for name, values in phi.items()
    }
    return {name: values[np.newaxis] if chains and values.ndim == 1 else values
            for name, values in found.items()}  # fmt: skip


def _drawn_theta(
    spec: ModelSpec,
    x: Estimates,
    priors: NormalPriors,
    drawn: Mapping[str, FloatArray],
    options: EngineOptions,
    unit: Unit,
) -> NDArray[np.float32]:
    """Draw every θ_i given the drawn hyperparameters; shape (1, draws, N).

    A neuron's draws depend on its id and on the run's seed, not on which others there are.
    """
    mu = drawn.get("mu", np.full(options.draws, priors.theta.mean))
    if spec.pooling == "complete":
        theta = np.repeat(mu[:, np.newaxis], x.n_neurons, axis=1)
    else:
        tau = drawn.get("tau", np.full(options.draws, priors.theta.sd))
        theta = np.empty((options.draws, x.n_neurons))
        for i, neuron in enumerate(x.neurons):
            rng = np.random.default_rng(_neuron_seed(options.seed, spec, neuron))
            given = condition(_neurons(x, slice(i, i + 1)), spec.population, mu, tau)
            ends = np.cumsum(given.weight[:, :, 0], axis=1)
            which = np.sum(rng.random((options.draws, 1)) > ends[:, :-1], axis=1)
            rows = np.arange(options.draws)
            z = rng.standard_normal(options.draws)
            theta[:, i] = given.mean[rows, which, 0] + z * np.sqrt(given.variance[rows, which, 0])
    return (unit.centre + unit.scale * theta)[np.newaxis].astype(np.float32)


def _neuron_seed(seed: int, spec: ModelSpec, neuron: str) -> int:
    digest = hashlib.sha256(f"{seed}/{spec.name}/{neuron}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def sample_normal(
    spec: ModelSpec,
    estimates: Estimates,
    priors: NormalPriors,
    options: EngineOptions,
    request: NormalRequest,
    progress: Progress,
) -> NormalPosterior:
    """Draw from the joint posterior of `spec` by NUTS.

    Parameters
    ----------
    spec : ModelSpec
    estimates : Estimates
    priors : NormalPriors
    options : EngineOptions
    request : NormalRequest
    progress : Progress

    Returns
    -------
    NormalPosterior
        Its own weights are the closed forms at the drawn τ; θ is summarised from its draws.
    """
    started = time.perf_counter()
    unit = unit_of(estimates)
    x, own = unit.standardised(estimates), unit.priors(priors)
    model = build_normal_model(spec, x, own, _centring(x, options))
    names = [*normal_hyperparameters(spec), *([] if spec.pooling == "complete" else ["theta"])]
    run = _sample_nutpie if options.sampler == "nutpie" else _sample_pymc
    sampled = run(model, names, options, model_seed(options.seed, spec), progress)
    _refuse_incomplete(sampled, options)
    drawn = dict(sampled.draws)
    theta = drawn.pop("theta", None)
    if theta is None:
        theta = np.broadcast_to(drawn["mu"][:, :, np.newaxis], (*drawn["mu"].shape, x.n_neurons))
    mixing = _mixing(spec, drawn, theta, x.neurons)
    marginals = _of_draws(spec, x, own, drawn, theta, request)
    return NormalPosterior(
        spec=spec,
        engine="nuts",
        theta=_in_unit(marginals.theta, unit),
        own_weight=marginals.own_weight,
        realised_weight=marginals.realised_weight,
        mse_ratio=marginals.mse_ratio,
        mcse=marginals.theta.sd / np.sqrt(mixing[-1].ess_bulk) * unit.scale,
        population=tuple(_sampled_population(drawn, mixing, unit, request)),
        hyperparameters=_named_in_unit(drawn, unit),
        draws=(unit.centre + unit.scale * theta).astype(np.float32) if request.joint else None,
        importance=None,
        mixing=mixing,
        sampler=sampled.sampler,
        seconds=time.perf_counter() - started,
    )


def _centring(x: Estimates, options: EngineOptions) -> FloatArray:
    if options.parametrization == "auto":
        return _rate_weights(x.estimate, x.standard_error**2)
    return np.full(x.n_neurons, float(options.parametrization == "centered"))


def _mixing(
    spec: ModelSpec,
    drawn: Mapping[str, NDArray[np.float64]],
    theta: NDArray[np.float64],
    neurons: tuple[str, ...],
) -> tuple[ParameterDiagnostics, ...]:
    """Of the hyperparameters, then of the θ_i unless they are all μ."""
    found = [measure_mixing(name, ("",), each[:, :, np.newaxis]) for name, each in drawn.items()]
    if spec.pooling != "complete":
        found.append(measure_mixing("theta", neurons, theta))
    return tuple(found)


def _of_draws(
    spec: ModelSpec,
    x: Estimates,
    priors: NormalPriors,
    drawn: Mapping[str, NDArray[np.float64]],
    theta: NDArray[np.float64],
    request: NormalRequest,
) -> _Marginals:
    flat = theta.reshape(-1, x.n_neurons)
    equal = np.full(len(flat), 1 / len(flat))
    zero = np.zeros(x.n_neurons)
    quantiles = np.quantile(flat, request.masses, axis=0)
    summary = Summary(flat.mean(axis=0), quantiles[1], flat.std(axis=0), quantiles[0], quantiles[2])
    if spec.pooling == "complete":
        return _Marginals(summary, Summary(zero, zero, zero, zero, zero), zero, zero, zero)
    mu = drawn["mu"].reshape(-1) if "mu" in drawn else np.array([priors.theta.mean])
    tau = drawn["tau"].reshape(-1) if "tau" in drawn else np.array([priors.theta.sd])
    weights = equal if "tau" in drawn else np.ones(1)
    exact = _averaged(spec.population, x, {"mu": mu, "tau": tau}, weights, request)
    return _Marginals(summary, exact.own_weight, exact.realised_weight, exact.mse_ratio, zero)


def _sampled_population(
    drawn: Mapping[str, NDArray[np.float64]],
    mixing: tuple[ParameterDiagnostics, ...],
    unit: Unit,
    request: NormalRequest,
) -> Iterator[PopulationParameter]:
    for each, (name, values) in zip(mixing, _named_in_unit(drawn, unit).items(), strict=False):
        flat = values.reshape(-1)
        lower, median, upper = np.quantile(flat, request.masses)
        yield PopulationParameter(
            group="all",
            parameter=name,
            mean=float(flat.mean()),
            sd=float(flat.std()),
            median=float(median),
            lower=float(lower),
            upper=float(upper),
            ess_bulk=float(each.ess_bulk[0]),
            ess_tail=float(each.ess_tail[0]),
            r_hat=float(each.r_hat[0]),
        )

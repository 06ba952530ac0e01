"""The hyperparameters by the No-U-Turn sampler, where importance sampling does not suffice."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.engines.collapsed.hyperposterior import WeightedSample
from spikepool.engines.collapsed.pymc_model import collapsed_model
from spikepool.engines.collapsed.search import STEPS, Found, Problem
from spikepool.models.many_points import interpreted
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.mixing import measure_mixing
from spikepool.posterior.quadrature import ChainCheck
from spikepool.posterior.weighted import systematic
from spikepool.progress import Progress

CHAINS, TUNE, DRAWS = 4, 500, 500
_TARGET_ACCEPT = 0.9


@dataclass(frozen=True)
class Chains:
    """What the sampler returned, in the unconstrained coordinates.

    Attributes
    ----------
    points : ndarray, shape (chains, draws, P)
    log_density : ndarray, shape (chains, draws)
    divergences : int
    """

    points: FloatArray
    log_density: FloatArray
    divergences: int


def sample_by_nuts(
    spec: ModelSpec, priors: Priors, problem: Problem, found: Found, seed: int, progress: Progress
) -> tuple[Found, ChainCheck]:
    """Sample the hyperparameters anew, on the lattices of `found`.

    Parameters
    ----------
    spec : ModelSpec
    priors : Priors
    problem : Problem
    found : Found
        Chains start from points of its sample.
    seed : int
    progress : Progress

    Returns
    -------
    found : Found
        With a sample of equal weights, thinned to as many draws as are independent.
    check : ChainCheck
    """
    chains = _run(spec, priors, problem, found, seed, progress)
    names = problem.hyperpriors.coordinates
    mixing = [
        measure_mixing(name, ("",), chains.points[:, :, [place]])
        for place, name in enumerate(names)
    ]
    ess = float(np.min([[each.ess_bulk[0], each.ess_tail[0]] for each in mixing]))
    r_hat = float(np.max([each.r_hat[0] for each in mixing]))  # undefined if any is
    points = chains.points.reshape(-1, len(names))
    independent = int(np.clip(np.nan_to_num(ess), 1, len(points)))
    kept = np.linspace(0, len(points) - 1, independent).astype(np.int64)
    sample = WeightedSample(
        points[kept],
        chains.log_density.reshape(-1)[kept],
        np.full(len(kept), 1 / len(kept)),
        pareto_k=float("nan"),
        log_evidence=float("nan"),
    )
    outside = float(np.mean(~found.box.contains(points)))
    phi = problem.hyperpriors.at(sample.points)[1]
    return (
        replace(found, sample=sample, phi=phi, outside=outside),
        ChainCheck(r_hat, chains.divergences),
    )


def _run(
    spec: ModelSpec, priors: Priors, problem: Problem, found: Found, seed: int, progress: Progress
) -> Chains:
    import pymc as pm
    from pytensor.compile.mode import Mode

    total = CHAINS * (TUNE + DRAWS)
    done = 0

    def count(**_: Any) -> None:
        nonlocal done
        done += 1
        if done % 100 == 0:
            progress.advance(2, STEPS, f"hyperparameters by NUTS: {done} of {total} draws")

    model = collapsed_model(spec, priors, found.marginal)
    tree = pm.sample(
        draws=DRAWS,
        tune=TUNE,
        chains=CHAINS,
        cores=1,  # the integrals have threads of their own
        random_seed=seed,
        model=model,
        nuts_sampler="pymc",
        init="adapt_diag",
        initvals=_starts(model, found.sample),
        target_accept=_TARGET_ACCEPT,
        compile_kwargs={"mode": Mode(linker="py", optimizer="fast_run")},
        progressbar=False,
        quiet=True,
        callback=count,
        compute_convergence_checks=False,
    )
    coordinates = problem.hyperpriors.coordinates.items()
    points = [np.vectorize(of)(tree.posterior[name].to_numpy()) for name, of in coordinates]
    stats = tree.sample_stats
    return Chains(np.stack(points, axis=2), stats.lp.to_numpy(), int(stats.diverging.sum()))


def _starts(model: Any, sample: WeightedSample) -> list[dict[str, FloatArray]]:
    """Return points that stand for equal shares of the weight, as values of the variables."""
    order = np.argsort(sample.points[:, 0], kind="stable")
    chosen = order[systematic(sample.weights[order], CHAINS, 0.5)]
    constrain = interpreted(model.value_vars, model.replace_rvs_by_values(model.free_RVs))
    names = [variable.name for variable in model.free_RVs]
    return [dict(zip(names, constrain(*point), strict=True)) for point in sample.points[chosen]]

"""A run of estimates in numbers: `summary.json`, what `--json` prints and the terminal shows."""

import numpy as np

from spikepool.config import RunConfig
from spikepool.data.estimates import Estimates
from spikepool.posterior.results import PopulationParameter
from spikepool.report.identifiability import findings_as_json, is_identified
from spikepool.report.normal_results import NormalFit, NormalResults
from spikepool.report.summary_parts import (
    MOST_MOVED,
    Json,
    cross_check_as_json,
    finite,
    model_names,
    own_weights_as_json,
    reading_as_json,
    summary_of,
)


def summarise_normal_run(results: NormalResults, config: RunConfig, seconds: float) -> Json:
    """Summarise what was fitted and found.

    Parameters
    ----------
    results : NormalResults
    config : RunConfig
    seconds : float
        Wall-clock time of the run.

    Returns
    -------
    dict
        Ready for JSON; a number that is not finite is None.
    """
    found: Json = {
        "data": summarise_estimates(results.estimates),
        "priors": {name: str(results.priors.of(name)) for name in ("mu", "tau", "theta")},
        "models": [_model(fit, results) for fit in results.models],
        "shrinkage": _shrinkage(results),
        "identifiability": findings_as_json(results.findings),
    }
    return summary_of(results, config, seconds, found)


def summarise_estimates(estimates: Estimates) -> Json:
    """Say what was read: files, columns and sizes, ready for JSON."""
    return {
        "kind": "estimates",
        **reading_as_json(estimates.sources, estimates.recognised, estimates.unmodelled),
        "neurons": estimates.n_neurons,
        "groups": len(estimates.group.values) if estimates.group else None,
        "estimate_mean": finite(float(np.mean(estimates.estimate))),
        "standard_error_min": finite(float(estimates.standard_error.min())),
        "standard_error_max": finite(float(estimates.standard_error.max())),
    }


def _model(fit: NormalFit, results: NormalResults) -> Json:
    posterior = fit.posterior
    importance, sampler = posterior.importance, posterior.sampler
    return {
        **model_names(fit.spec),
        "engine": posterior.engine,
        "is_primary": fit.spec == results.primary,
        "converged": not fit.problems,
        "identified": is_identified(fit.spec, results.findings),
        "problems": list(fit.problems),
        "population": {each.parameter: _interval(each) for each in posterior.population},
        "ess": finite(importance.ess) if importance else None,
        "pareto_k": finite(importance.pareto_k) if importance else None,
        "divergences": sampler.divergences if sampler else None,
        "cross_check": cross_check_as_json(fit.cross_check),
        "seconds": round(posterior.seconds, 3),
    }


def _interval(parameter: PopulationParameter) -> Json:
    names = ("mean", "sd", "median", "lower", "upper")
    return {name: finite(getattr(parameter, name)) for name in names}


def _shrinkage(results: NormalResults) -> Json:
    """How much the primary model pooled, and the estimates that it moved most."""
    estimates, posterior = results.estimates, results.primary_model.posterior
    own_weight, pooled = posterior.own_weight.mean, posterior.theta.mean
    moved = np.abs(pooled - estimates.estimate)
    order = np.argsort(-moved, kind="stable")[:MOST_MOVED]
    return {
        **own_weights_as_json(own_weight),
        "most_moved": [
            {
                "neuron": estimates.neurons[i],
                "estimate_raw": finite(estimates.estimate[i]),
                "standard_error": finite(estimates.standard_error[i]),
                "estimate_mean": finite(pooled[i]),
                "own_weight_mean": finite(own_weight[i]),
            }
            for i in order.tolist()
        ],
    }

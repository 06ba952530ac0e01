"""A run of counts in numbers: `summary.json`, what `--json` prints and the terminal shows."""

from collections import Counter

import numpy as np
from pydantic import JsonValue

from spikepool.config import RunConfig
from spikepool.data.spike_counts import FloatArray
from spikepool.diagnostics.convergence import Convergence
from spikepool.posterior.results import PopulationParameter
from spikepool.report.count_reading import summarise_data
from spikepool.report.run_results import FittedModel, RunResults
from spikepool.report.summary_parts import (
    MOST_MOVED,
    Json,
    cross_check_as_json,
    finite,
    model_names,
    own_weights_as_json,
    summary_of,
)


def summarise_run(results: RunResults, config: RunConfig, seconds: float) -> Json:
    """Summarise what was fitted and found.

    Parameters
    ----------
    results : RunResults
    config : RunConfig
    seconds : float
        Wall-clock time of the run.

    Returns
    -------
    dict
        Ready for JSON; a number that is not finite is None.
    """
    found: Json = {
        "data": summarise_data(results.counts, results.tally),
        "models": [_model(model, results) for model in results.models],
        "shrinkage": _shrinkage(results.primary_model),
        "fano": _fano(results, config),
    }
    return summary_of(results, config, seconds, found)


def _model(model: FittedModel, results: RunResults) -> Json:
    convergence = model.convergence
    return {
        **model_names(model.spec),
        "engine": model.engine,
        "is_primary": model.spec == results.primary,
        "converged": convergence.passed,
        "problems": list(convergence.problems),
        "population": _population(model.population),
        "dispersion_source": _dispersion_sources(model),
        "elpd": _elpd(model, results),
        "sampler": _sampler(convergence),
        "certificate": _certificate(convergence),
        "cross_check": cross_check_as_json(model.cross_check),
        "seconds": round(model.seconds, 3),
    }


def _elpd(model: FittedModel, results: RunResults) -> JsonValue:
    """Scores by what is left out; None of a model sampled by NUTS."""
    return {
        score.left_out: {
            "elpd": finite(score.elpd),
            "se": finite(score.elpd_se),
            "difference": finite(score.difference),
            "difference_se": finite(score.difference_se),
            "pareto_k": finite(score.pareto_k),
        }
        for score in results.scores
        if score.spec == model.spec
    } or None


def _sampler(convergence: Convergence) -> JsonValue:
    """How chains went; None where there are none."""
    sampler = convergence.sampler
    if sampler is None:
        return None
    return {
        "divergences": sampler.divergences,
        "least_bfmi": finite(float(np.min(sampler.bfmi))),
        **_mixing(convergence),
        "gradient_evaluations": sampler.gradient_evaluations,
        "compile_seconds": round(sampler.compile_seconds, 3),
        "sampling_seconds": round(sampler.sampling_seconds, 3),
    }


def _certificate(convergence: Convergence) -> JsonValue:
    """Say what the collapsed engine certifies; None of chains."""
    certificate = convergence.certificate
    if certificate is None:
        return None
    return {
        "quadrature_error": finite(certificate.worst_error),
        "pareto_k": finite(certificate.pareto_k),
        "ess": finite(certificate.ess),
        "outside": finite(certificate.outside),
        "r_hat": finite(certificate.chains.r_hat) if certificate.chains else None,
    }


def _population(parameters: tuple[PopulationParameter, ...]) -> list[JsonValue]:
    """One entry per group: median and interval of each parameter by its name."""
    groups: dict[str, Json] = {}
    for each in parameters:
        groups.setdefault(each.group, {"group": each.group})[each.parameter] = _interval(each)
    return list(groups.values())


def _interval(parameter: PopulationParameter) -> Json:
    return {
        "median": finite(parameter.median),
        "lower": finite(parameter.lower),
        "upper": finite(parameter.upper),
    }


def _dispersion_sources(model: FittedModel) -> JsonValue:
    if model.estimates.dispersion is None:
        return None
    found = Counter(model.estimates.dispersion.source)
    return {source: found[source] for source in ("data", "mixed", "prior")}


def _mixing(convergence: Convergence) -> Json:
    """Worst over every sampled quantity; None where one did not vary."""
    parameters = convergence.parameters
    if not parameters:
        return {"worst_r_hat": None, "least_ess_bulk": None, "least_ess_tail": None}
    return {
        "worst_r_hat": finite(np.concatenate([each.r_hat for each in parameters]).max()),
        "least_ess_bulk": finite(np.concatenate([each.ess_bulk for each in parameters]).min()),
        "least_ess_tail": finite(np.concatenate([each.ess_tail for each in parameters]).min()),
    }


def _shrinkage(primary: FittedModel) -> Json:
    """How much the primary model pooled, and the neurons whose rates it moved most."""
    estimates = primary.estimates
    own_weight = estimates.own_weight.mean
    return {
        **own_weights_as_json(own_weight),
        "most_moved": [
            {
                "neuron": estimates.neurons[i],
                "spike_count": int(estimates.spike_count[i]),
                "n_trials": int(estimates.n_trials[i]),
                "rate_raw": finite(estimates.rate_raw[i]),
                "rate_median": finite(estimates.rate.median[i]),
                "own_weight_mean": finite(own_weight[i]),
            }
            for i in _most_moved(estimates.rate_raw, estimates.rate.median)
        ],
    }


def _most_moved(raw: FloatArray, pooled: FloatArray) -> list[int]:
    """Return neurons by |ln(pooled/raw)|, largest first; silent neurons have no ln(raw)."""
    spiking = np.flatnonzero(raw > 0)
    moved = np.abs(np.log(pooled[spiking] / raw[spiking]))
    order = np.argsort(-moved, kind="stable")[:MOST_MOVED]
    return [int(i) for i in spiking[order]]


def _fano(results: RunResults, config: RunConfig) -> Json:
    """Raw Fano factors and verdicts of the neurons that can have one."""
    measured = results.overdispersion
    defined = ~np.isnan(measured.fano_raw)
    verdicts = Counter(measured.verdict[defined].tolist())
    return {
        "neurons": int(defined.sum()),
        "median_raw": finite(float(np.median(measured.fano_raw[defined])))
        if defined.any()
        else None,
        "over": verdicts["over"],
        "poisson": verdicts["poisson"],
        "under": verdicts["under"],
        "undecided": verdicts["undecided"],
        "fdr": config.report.fdr,
    }

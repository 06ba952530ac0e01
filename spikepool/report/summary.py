"""A run in numbers: `summary.json`, what `--json` prints and the terminal shows."""

import math
from collections import Counter
from dataclasses import asdict

import numpy as np
from pydantic import JsonValue

from spikepool import __version__
from spikepool.config import RunConfig
from spikepool.data.spike_counts import FloatArray, SpikeCounts
from spikepool.data.tally import Tally
from spikepool.data.wording import shown_path
from spikepool.diagnostics.convergence import Convergence
from spikepool.diagnostics.cross_check import CrossCheck
from spikepool.models.spec import ModelSpec
from spikepool.posterior.results import PopulationParameter
from spikepool.report.run_results import FittedModel, RunResults
from spikepool.report.tables import FEW_TRIALS

type Json = dict[str, JsonValue]

LOW_OWN_WEIGHT = 0.8
"""Neurons whose own weight is below this are counted."""
MOST_MOVED = 5
"""How many of the neurons that pooling moved most are named."""


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
    return {
        "spikepool": __version__,
        "status": results.status,
        "problems": list(results.problems),
        "primary": _model_names(results.primary),
        "interval": config.report.interval,
        "data": summarise_data(results.counts, results.tally),
        "models": [_model(model, results) for model in results.models],
        "shrinkage": _shrinkage(results.primary_model),
        "fano": _fano(results, config),
        "notices": [{"code": each.code, "message": each.message} for each in results.notices],
        "seed": config.engine.seed,
        "seconds": round(seconds, 3),
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _model_names(spec: ModelSpec) -> Json:
    return {
        "name": spec.name,
        "label": spec.label,
        "family": spec.family,
        "pooling": spec.pooling,
        "dispersion_pooling": spec.dispersion_pooling,
    }


def summarise_data(counts: SpikeCounts, tally: Tally) -> Json:
    """Say what was read: files, columns and sizes, ready for JSON."""
    trials = tally.n_trials
    return {
        "tables": [shown_path(source.path) for source in counts.sources],
        "recognised": [{"role": role, "column": column} for role, column in counts.recognised],
        "not_modelled": list(counts.unmodelled),
        "neurons": tally.n_neurons,
        "trials": int(trials.sum()),
        "spikes": sum(tally.spike_count.tolist()),
        "groups": len(tally.groups) if counts.group else None,
        "conditions": len(tally.conditions) if counts.condition else None,
        "silent_neurons": int(np.sum(tally.spike_count == 0)),
        "one_trial_neurons": int(np.sum(trials == 1)),
        "few_trial_neurons": int(np.sum(trials <= FEW_TRIALS)),
        "few_trials": FEW_TRIALS,
        "exposure_known": counts.exposure_known,
        "exposure_min": float(tally.exposure.min()),
        "exposure_max": float(tally.exposure.max()),
        "rate_unit": counts.rate_unit,
    }


def _model(model: FittedModel, results: RunResults) -> Json:
    convergence = model.convergence
    return {
        **_model_names(model.spec),
        "engine": model.engine,
        "is_primary": model.spec == results.primary,
        "converged": convergence.passed,
        "problems": list(convergence.problems),
        "population": _population(model.population),
        "dispersion_source": _dispersion_sources(model),
        "elpd": _elpd(model, results),
        "sampler": _sampler(convergence),
        "certificate": _certificate(convergence),
        "cross_check": _cross_check(model.cross_check),
        "seconds": round(model.seconds, 3),
    }


def _elpd(model: FittedModel, results: RunResults) -> JsonValue:
    """Scores by what is left out; None of a model sampled by NUTS."""
    return {
        score.left_out: {
            "elpd": _number(score.elpd),
            "se": _number(score.elpd_se),
            "difference": _number(score.difference),
            "difference_se": _number(score.difference_se),
            "pareto_k": _number(score.pareto_k),
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
        "least_bfmi": _number(float(np.min(sampler.bfmi))),
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
        "quadrature_error": _number(certificate.worst_error),
        "pareto_k": _number(certificate.pareto_k),
        "ess": _number(certificate.ess),
        "outside": _number(certificate.outside),
    }


def _cross_check(check: CrossCheck | None) -> JsonValue:
    return None if check is None else {**asdict(check), "agrees": check.agrees}


def _population(parameters: tuple[PopulationParameter, ...]) -> list[JsonValue]:
    """One entry per group: median and interval of each parameter by its name."""
    groups: dict[str, Json] = {}
    for each in parameters:
        groups.setdefault(each.group, {"group": each.group})[each.parameter] = _interval(each)
    return list(groups.values())


def _interval(parameter: PopulationParameter) -> Json:
    return {
        "median": _number(parameter.median),
        "lower": _number(parameter.lower),
        "upper": _number(parameter.upper),
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
        "worst_r_hat": _number(np.concatenate([each.r_hat for each in parameters]).max()),
        "least_ess_bulk": _number(np.concatenate([each.ess_bulk for each in parameters]).min()),
        "least_ess_tail": _number(np.concatenate([each.ess_tail for each in parameters]).min()),
    }


def _shrinkage(primary: FittedModel) -> Json:
    """How much the primary model pooled, and the neurons whose rates it moved most."""
    estimates = primary.estimates
    own_weight = estimates.own_weight.mean
    return {
        "median_own_weight": _number(float(np.median(own_weight))),
        "low_own_weight": LOW_OWN_WEIGHT,
        "low_own_weight_neurons": int(np.sum(own_weight < LOW_OWN_WEIGHT)),
        "most_moved": [
            {
                "neuron": estimates.neurons[i],
                "spike_count": int(estimates.spike_count[i]),
                "n_trials": int(estimates.n_trials[i]),
                "rate_raw": _number(estimates.rate_raw[i]),
                "rate_median": _number(estimates.rate.median[i]),
                "own_weight_mean": _number(own_weight[i]),
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
        "median_raw": _number(float(np.median(measured.fano_raw[defined])))
        if defined.any()
        else None,
        "over": verdicts["over"],
        "poisson": verdicts["poisson"],
        "under": verdicts["under"],
        "undecided": verdicts["undecided"],
        "fdr": config.report.fdr,
    }

"""A run of estimates in numbers and in words: `summary.json`, the terminal and `run.log`."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
from pydantic import JsonValue

from spikepool import __version__
from spikepool.config import RunConfig
from spikepool.data.estimates import Estimates
from spikepool.data.wording import listed, plural, shown_path
from spikepool.diagnostics.cross_check import CrossCheck
from spikepool.models.spec import ModelSpec
from spikepool.posterior.results import PopulationParameter
from spikepool.report.normal_results import NormalFit, NormalResults
from spikepool.report.summary import LOW_OWN_WEIGHT, MOST_MOVED
from spikepool.report.summary_text import last_line, notice_lines

type Json = dict[str, JsonValue]
type Summary = Mapping[str, Any]


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
    return {
        "spikepool": __version__,
        "status": results.status,
        "problems": list(results.problems),
        "primary": _model_names(results.primary),
        "interval": config.report.interval,
        "data": summarise_estimates(results.estimates),
        "priors": {name: str(results.priors.of(name)) for name in ("mu", "tau", "theta")},
        "models": [_model(fit, results) for fit in results.fits],
        "shrinkage": _shrinkage(results),
        "notices": [{"code": each.code, "message": each.message} for each in results.notices],
        "seed": config.engine.seed,
        "seconds": round(seconds, 3),
    }


def summarise_estimates(estimates: Estimates) -> Json:
    """Say what was read: files, columns and sizes, ready for JSON."""
    return {
        "kind": "estimates",
        "tables": [shown_path(source.path) for source in estimates.sources],
        "recognised": [{"role": role, "column": column} for role, column in estimates.recognised],
        "not_modelled": list(estimates.unmodelled),
        "neurons": estimates.n_neurons,
        "groups": len(estimates.group.values) if estimates.group else None,
        "estimate_mean": _number(float(np.mean(estimates.estimate))),
        "standard_error_min": _number(float(estimates.standard_error.min())),
        "standard_error_max": _number(float(estimates.standard_error.max())),
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _model_names(spec: ModelSpec) -> Json:
    return {
        "name": spec.name,
        "label": spec.label,
        "family": spec.family,
        "pooling": spec.pooling,
        "dispersion_pooling": None,
    }


def _model(fit: NormalFit, results: NormalResults) -> Json:
    posterior = fit.posterior
    importance, sampler = posterior.importance, posterior.sampler
    return {
        **_model_names(fit.spec),
        "engine": posterior.engine,
        "is_primary": fit.spec == results.primary,
        "converged": not fit.problems,
        "problems": list(fit.problems),
        "population": {each.parameter: _interval(each) for each in posterior.population},
        "ess": _number(importance.ess) if importance else None,
        "pareto_k": _number(importance.pareto_k) if importance else None,
        "divergences": sampler.divergences if sampler else None,
        "cross_check": _cross_check(fit.cross_check),
        "seconds": round(posterior.seconds, 3),
    }


def _cross_check(check: CrossCheck | None) -> JsonValue:
    return None if check is None else {**asdict(check), "agrees": check.agrees}


def _interval(parameter: PopulationParameter) -> Json:
    names = ("mean", "sd", "median", "lower", "upper")
    return {name: _number(getattr(parameter, name)) for name in names}


def _shrinkage(results: NormalResults) -> Json:
    """How much the primary model pooled, and the estimates that it moved most."""
    estimates, posterior = results.estimates, results.primary_fit.posterior
    own_weight, pooled = posterior.own_weight.mean, posterior.theta.mean
    moved = np.abs(pooled - estimates.estimate)
    order = np.argsort(-moved, kind="stable")[:MOST_MOVED]
    return {
        "median_own_weight": _number(float(np.median(own_weight))),
        "low_own_weight": LOW_OWN_WEIGHT,
        "low_own_weight_neurons": int(np.sum(own_weight < LOW_OWN_WEIGHT)),
        "most_moved": [
            {
                "neuron": estimates.neurons[i],
                "estimate_raw": _number(estimates.estimate[i]),
                "standard_error": _number(estimates.standard_error[i]),
                "estimate_mean": _number(pooled[i]),
                "own_weight_mean": _number(own_weight[i]),
            }
            for i in order.tolist()
        ],
    }


def is_of_estimates(summary: Summary) -> bool:
    """Tell the summary of a run of estimates from one of counts."""
    return bool(summary["data"].get("kind") == "estimates")


def normal_summary_lines(summary: Summary, place: str) -> list[str]:
    """Tell a finished run.

    Parameters
    ----------
    summary : dict
        Content of ``summary.json``.
    place : str
        The results, as printed.

    Returns
    -------
    list of str
    """
    return [
        *estimate_lines(summary["data"]),
        *notice_lines(summary["notices"]),
        "",
        *_model_lines(summary["models"]),
        "",
        *_shrinkage_lines(summary),
        "",
        *(f"! {problem}" for problem in summary["problems"]),
        last_line(summary, place),
    ]


def estimate_lines(data: Summary) -> Iterator[str]:
    """Say what was read and how it was understood."""
    columns: dict[str, str] = {}
    for each in data["recognised"]:
        before = f"{columns[each['role']]}," if each["role"] in columns else ""
        columns[each["role"]] = before + each["column"]
    low, high = _short(data["standard_error_min"]), _short(data["standard_error_max"])
    span = low if low == high else f"{low}–{high}"
    size = f"{plural(data['neurons'], 'estimate')}, one per neuron"
    yield f"read    {size} · standard errors {span}"
    yield f"        columns: {', '.join(f'{role} = {name}' for role, name in columns.items())}"
    if data["not_modelled"]:
        yield f"        not modelled: {listed(data['not_modelled'])}"


def _model_lines(models: list[Summary]) -> Iterator[str]:
    yield f"{'':<34}{'mean μ':<26}spread τ"
    for model in models:
        label = model["label"] + (" *" if model["is_primary"] else "")
        population = model["population"]
        mu = _in_brackets(population["mu"]) if "mu" in population else "each neuron alone"
        tau = _in_brackets(population["tau"]) if "tau" in population else "–"
        mark = "" if model["converged"] else "  ! not converged"
        yield f"{label:<34}{mu:<26}{tau}{mark}".rstrip()
    yield "* primary: the model of the table neurons"


def _in_brackets(value: Summary) -> str:
    return f"{_short(value['median'])} [{_short(value['lower'])}, {_short(value['upper'])}]"


def _short(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}"


def _shrinkage_lines(summary: Summary) -> Iterator[str]:
    shrinkage = summary["shrinkage"]
    low = plural(shrinkage["low_own_weight_neurons"], "neuron")
    yield (
        f"shrinkage  median own weight {_short(shrinkage['median_own_weight'])}; "
        f"{low} below {shrinkage['low_own_weight']} ({summary['primary']['label']})"
    )
    for moved in shrinkage["most_moved"]:
        raw = f"{_short(moved['estimate_raw'])} ± {_short(moved['standard_error'])}"
        name = listed([moved["neuron"]])
        yield f"           {name:<16} {raw:<20} → {_short(moved['estimate_mean'])}"


def normal_log_text(summary: Summary, started: datetime) -> str:
    """Write the log of a finished run; arguments as of `spikepool.report.log.log_text`."""
    lines = [
        f"spikepool {summary['spikepool']} · started {started.isoformat(timespec='seconds')}",
        *(f"table {table}" for table in summary["data"]["tables"]),
        "",
        *normal_summary_lines(summary, "this folder"),
        "",
        *normal_computation_lines(summary),
    ]
    return "\n".join(lines) + "\n"


def normal_computation_lines(summary: Summary) -> Iterator[str]:
    """Say the priors, and how the computation of every model went."""
    yield "priors: " + ", ".join(f"{name} ~ {text}" for name, text in summary["priors"].items())
    for model in summary["models"]:
        told = "closed form"
        if model["ess"] is not None:
            told = (
                f"importance sample of the hyperparameters: effective size {model['ess']:.0f}, "
                f"Pareto k {_short(model['pareto_k'])}"
            )
        if model["divergences"] is not None:
            told = plural(model["divergences"], "divergent transition")
        yield f"{model['label']}: {model['engine']}, {told}, {model['seconds']:.1f} s"
        check = model["cross_check"]
        if check is not None:
            yield (
                f"{model['label']}: {check['engine']} differs by at most "
                f"{check['difference']:.3f} posterior sds (Monte Carlo error "
                f"{check['standard_error']:.3f}; {check['quantity']} of {check['neuron']}), "
                f"{check['beyond']:,} of {check['compared']:,} beyond the bound"
            )

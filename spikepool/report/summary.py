"""A run of counts in numbers: `summary.json`, what `--json` prints and the terminal shows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import JsonValue

from spikepool.config import RunConfig
from spikepool.data.spike_counts import FloatArray
from spikepool.diagnostics.convergence import Convergence
from spikepool.diagnostics.law import MEANING
from spikepool.posterior.groups import WHOLE_TABLE
from spikepool.posterior.mixing import ParameterDiagnostics
from spikepool.posterior.quadrature import MOST_PARETO_K
from spikepool.posterior.results import EXTREME, SURELY_ABOVE, PopulationParameter
from spikepool.report.count_reading import summarise_data
from spikepool.report.identifiability import findings_as_json, is_identified
from spikepool.report.label_rows import label_rows
from spikepool.report.matched_fano import matched_as_json
from spikepool.report.run_results import BaselineFit, FittedModel, RunResults
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
        "law": _laws(results),
        "holdout": _holdout(results),
        "drift": _drift(results, config),
        "company": _company(results),
        "matched_fano": matched_as_json(results.matched),
        "predictive": _predictive(results),
        "labels": [_defined(row) for row in label_rows(results)],
        "identifiability": findings_as_json(results.findings),
    }
    return summary_of(results, config, seconds, found)


def _model(model: FittedModel, results: RunResults) -> Json:
    of_baseline = model.baseline.groups if model.baseline else ()
    convergences = [each.convergence for each in (*model.computations, *of_baseline)]
    return {
        **model_names(model.spec),
        "engine": model.engine,
        "is_primary": model.spec == results.primary,
        "converged": not model.problems,
        "identified": is_identified(model.spec, results.findings),
        "problems": list(model.problems),
        "population": _population(model.population),
        "within": [
            {"group": each.group, "parameter": each.parameter, **_interval(each)}
            for each in model.within
        ],
        "contrasts": [_defined(vars(each)) for each in model.contrasts],
        "baseline": _baseline(model.baseline),
        "dispersion_source": _dispersion_sources(model),
        "elpd": _elpd(model, results),
        "sampler": _sampler(convergences),
        "certificate": _certificate(convergences),
        "cross_check": cross_check_as_json(model.cross_check),
        "seconds": round(model.seconds, 3),
    }


def _baseline(baseline: BaselineFit | None) -> JsonValue:
    """Tell the population of the trials without a stimulus, and count responses against it."""
    if baseline is None:
        return None
    probability = baseline.evoked.prob_above
    known = probability[~np.isnan(probability)]
    return {
        "engine": baseline.engine,
        "population": _population(baseline.population),
        "responses": len(known),
        "above": int(np.sum(known > SURELY_ABOVE)),
        "below": int(np.sum(known < 1 - SURELY_ABOVE)),
        "without_baseline": int(np.sum(np.isnan(probability))),
        "probability": SURELY_ABOVE,
    }


def _elpd(model: FittedModel, results: RunResults) -> JsonValue:
    """Scores by what is left out, of all neurons."""
    return {
        score.left_out: {
            "elpd": finite(score.elpd),
            "se": finite(score.elpd_se),
            "difference": finite(score.difference),
            "difference_se": finite(score.difference_se),
            "stacking_weight": finite(score.weight),
            "pareto_k": finite(score.pareto_k),
            "is_doubtful": bool(score.pareto_k > MOST_PARETO_K),
        }
        for score in results.scores
        if score.spec == model.spec and score.group == WHOLE_TABLE
    } or None


def _sampler(convergences: Sequence[Convergence]) -> JsonValue:
    """How chains went, over all groups; None where there are none."""
    samplers = [each.sampler for each in convergences if each.sampler is not None]
    if not samplers:
        return None
    return {
        "divergences": sum(sampler.divergences for sampler in samplers),
        "least_bfmi": finite(float(np.min([np.min(sampler.bfmi) for sampler in samplers]))),
        **_mixing([each for of in convergences for each in of.parameters]),
        "gradient_evaluations": sum(sampler.gradient_evaluations for sampler in samplers),
        "compile_seconds": round(sum(sampler.compile_seconds for sampler in samplers), 3),
        "sampling_seconds": round(sum(sampler.sampling_seconds for sampler in samplers), 3),
    }


def _certificate(convergences: Sequence[Convergence]) -> JsonValue:
    """Say what the collapsed engine certifies, the worst of all groups; None of chains."""
    certificates = [each.certificate for each in convergences if each.certificate is not None]
    if not certificates:
        return None
    r_hats = [each.chains.r_hat for each in certificates if each.chains is not None]
    return {
        "quadrature_error": _largest([each.worst_error for each in certificates]),
        "pareto_k": _largest([each.pareto_k for each in certificates]),
        "ess": finite(min(each.ess for each in certificates)),
        "outside": _largest([each.outside for each in certificates]),
        "r_hat": _largest(r_hats),
    }


def _largest(values: Sequence[float]) -> float | None:
    """Return the largest of the numbers that are defined; None where none is."""
    known = [value for value in values if not np.isnan(value)]
    return finite(max(known)) if known else None


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


def _defined(row: Mapping[str, Any]) -> Json:
    """Return a row with every number; None where one is not defined."""
    return {
        name: finite(value) if isinstance(value, float) else value for name, value in row.items()
    }


def _dispersion_sources(model: FittedModel) -> JsonValue:
    if model.estimates.dispersion is None:
        return None
    found = Counter(model.estimates.dispersion.source)
    return {source: found[source] for source in ("data", "mixed", "prior")}


def _mixing(parameters: Sequence[ParameterDiagnostics]) -> Json:
    """Worst over every sampled quantity; None where one did not vary."""
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


def _holdout(results: RunResults) -> list[JsonValue]:
    """How the models predict trials kept aside."""
    return [
        {
            "estimate": "raw log rates" if each.spec is None else each.spec.label,
            "kept": str(each.kept),
            **{
                name: finite(value) if isinstance(value, float) else value
                for name, value in vars(each).items()
                if name not in ("spec", "kept")
            },
        }
        for each in results.holdout
    ]


def _laws(results: RunResults) -> list[JsonValue]:
    """How variance grows with the mean, in all neurons and in each group."""
    return [
        {
            "group": law.group,
            "law": law.law,
            "meaning": MEANING[law.law],
            "neurons": law.neurons,
            "neurons_telling": law.telling,
            "families": {
                each.spec.family: {
                    "elpd": finite(each.elpd),
                    "behind": finite(each.behind),
                    "behind_se": finite(each.behind_se),
                    "stacking_weight": finite(each.weight),
                }
                for each in law.families
            },
        }
        for law in results.laws
    ]


def _predictive(results: RunResults) -> JsonValue:
    """How the data lie among what the primary model predicts; None if not computed."""
    check = results.predictive
    if check is None:
        return None
    return {
        **{
            name: None if value is None else dict(vars(value))
            for name, value in (("median_fano", check.median_fano), ("fano_rise", check.fano_rise))
        },
        "replicates": check.replicates,
        "neurons": {
            name: {
                "neurons": int(np.sum(~np.isnan(of.pvalue))),
                "more_than_predicted": int(np.sum(of.pvalue < EXTREME)),
                "less_than_predicted": int(np.sum(of.pvalue > 1 - EXTREME)),
            }
            for name, of in check.neurons.items()
        },
        "extreme": EXTREME,
        "left_out_trials": {
            "ranked": len(check.ranks),
            "largest_departure": finite(check.departure),
            "by_chance": finite(check.departure_by_chance),
        },
    }


def _fano(results: RunResults, config: RunConfig) -> Json:
    """Raw Fano factors and verdicts of the neurons that can have one."""
    measured = results.overdispersion
    defined = ~np.isnan(measured.fano_raw)
    verdicts = Counter(measured.verdict[defined].tolist())
    return {
        "neurons": int(defined.sum()),
        "median_raw": _median(measured.fano_raw),
        "over": verdicts["over"],
        "poisson": verdicts["poisson"],
        "under": verdicts["under"],
        "undecided": verdicts["undecided"],
        "fdr": config.report.fdr,
    }


def _drift(results: RunResults, config: RunConfig) -> Json:
    """Count the neurons that drift slowly, with their Fano factors with and without it."""
    drift, raw = results.drift, results.overdispersion.fano_raw
    drifting = drift.drifting(config.report.fdr)
    return {
        "neurons": len(drift.tested),
        "tested": int(drift.tested.sum()),
        "drifting": int(drifting.sum()),
        "median_raw": _median(raw[drifting]),
        "median_successive": _median(drift.fano_successive[drifting]),
        "untested": drift.main_obstacle,
        "block": config.input.drift_block,
        "fdr": config.report.fdr,
    }


def _median(values: FloatArray) -> float | None:
    """Median of the defined values; None where there is none."""
    known = values[~np.isnan(values)]
    return finite(float(np.median(known))) if known.size else None


def _company(results: RunResults) -> JsonValue:
    """Return what neurons of all sessions share; None where sessions are not known."""
    if results.sessions is None:
        return None
    together = results.sessions.together
    return {
        "sessions": len(results.sessions.each),
        "pairs": together.pairs,
        "correlation": _defined(vars(together.correlation)),
        "shared_share": _defined(vars(together.shared_share)),
        "untested": together.untested or None,
    }

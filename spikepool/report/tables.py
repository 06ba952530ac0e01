"""The tables of a run, with the columns of `schema`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from spikepool.data.spike_counts import FloatArray
from spikepool.diagnostics.company import Company, Measured
from spikepool.diagnostics.convergence import (
    HYPERPARAMETERS,
    LEAST_BFMI,
    LEAST_ESS_PER_CHAIN,
    SAMPLER,
)
from spikepool.models.spec import Pooling
from spikepool.posterior.mixing import ParameterDiagnostics
from spikepool.posterior.quadrature import MOST_QUADRATURE_ERROR, MOST_R_HAT, Certificate
from spikepool.posterior.results import (
    EvokedRates,
    MedianInterval,
    PopulationParameter,
    ResponseEstimates,
    Summary,
)
from spikepool.report.arrow_tables import (
    Row,
    Values,
    with_factor_columns,
    with_neuron_columns,
)
from spikepool.report.identifiability import (
    NOT_IDENTIFIED,
    is_identified,
    make_identifiability,
    neuron_flags,
    parameter_flags,
)
from spikepool.report.label_rows import label_rows
from spikepool.report.matched_fano import make_matched_fano
from spikepool.report.prediction_tables import (
    make_comparison,
    make_holdout,
    make_law,
    make_left_out,
    make_predictive,
)
from spikepool.report.run_results import FittedModel, GroupFit, RunResults
from spikepool.report.schema import FEW_TRIALS, FLAGS
from spikepool.report.table_parts import columns_table, group_names, model_cells, rows_table

BASELINE = "baseline_"
"""Comes before the parameters of the trials without a stimulus."""
QUADRATURE = "quadrature"
"""Stands for a neuron's integral in the column `parameter` of `diagnostics`."""


def make_tables(results: RunResults) -> dict[str, pa.Table]:
    """Return every table of a run by its name.

    Parameters
    ----------
    results : RunResults

    Returns
    -------
    dict of str to pyarrow.Table
        Undefined numbers are null. Fields carry their description and unit as metadata.
    """
    return {
        "estimates": make_estimates(results),
        "neurons": make_neurons(results),
        "evoked": make_evoked(results),
        "population": make_population(results),
        "contrasts": make_contrasts(results),
        "overdispersion": make_overdispersion(results),
        "comparison": make_comparison(results),
        "law": make_law(results),
        "holdout": make_holdout(results),
        "predictive": make_predictive(results),
        "left_out": make_left_out(results),
        "labels": make_labels(results),
        "identifiability": make_identifiability(results.findings),
        "sessions": make_sessions(results),
        "matched_fano": make_matched_fano(results),
        "diagnostics": make_diagnostics(results),
    }


def make_estimates(results: RunResults) -> pa.Table:
    """One row per model × neuron, then per neuron × condition (or block); models as fitted."""
    tables, neurons, conditions = [], [], []
    for model in results.models:
        tables.append(columns_table("estimates", _estimate_columns(model, results), results))
        neurons.append(np.arange(results.tally.n_neurons))
        conditions.append(np.full(results.tally.n_neurons, -1))
        responses = model.estimates.responses
        if responses is not None:
            columns = _response_columns(model, responses, results)
            tables.append(columns_table("estimates", columns, results))
            neurons.append(responses.neuron)
            conditions.append(responses.condition)
    whole = pa.concat_tables(tables).combine_chunks()
    whole = with_factor_columns(whole, results.counts.axes, np.concatenate(conditions))
    return with_neuron_columns(whole, results.counts.neuron_columns, np.concatenate(neurons))


def make_neurons(results: RunResults) -> pa.Table:
    """One row per neuron from the primary model, raw beside pooled."""
    columns = {
        **_estimate_columns(results.primary_model, results),
        "rate_mean_none": _rate_mean(results, "none"),
        "rate_mean_complete": _rate_mean(results, "complete"),
    }
    every = np.arange(results.tally.n_neurons)
    table = columns_table("neurons", columns, results)
    return with_neuron_columns(table, results.counts.neuron_columns, every)


def make_evoked(results: RunResults) -> pa.Table:
    """One row per model × neuron × condition, against the baseline; none without a baseline."""
    nothing = rows_table("evoked", [], results)
    compared = [(model, model.baseline.evoked) for model in results.models if model.baseline]
    tables = [
        columns_table("evoked", _evoked_columns(*each, results), results) for each in compared
    ]
    whole = pa.concat_tables([nothing, *tables]).combine_chunks()
    neurons, conditions = (
        np.concatenate([np.zeros(0, dtype=np.int64), *of])
        for of in ([each.neuron for _, each in compared], [each.condition for _, each in compared])
    )
    whole = with_factor_columns(whole, results.counts.factors, conditions)
    return with_neuron_columns(whole, results.counts.neuron_columns, neurons)


def make_population(results: RunResults) -> pa.Table:
    """One row per hyperparameter and group of each model, then of its baseline."""
    rows = [
        {
            **model_cells(model.spec, model.engine),
            **vars(parameter),
            "flags": parameter_flags(
                parameter.parameter, model.spec, [parameter.group], results.findings
            ),
        }
        for model in results.models
        for parameter in (*model.population, *model.within, *_of_baseline(model))
    ]
    return rows_table("population", rows, results)


def _of_baseline(model: FittedModel) -> Iterator[PopulationParameter]:
    """Yield the parameters of a model's baseline, told apart by their names."""
    for each in model.baseline.population if model.baseline else ():
        yield replace(each, parameter=f"{BASELINE}{each.parameter}")


def make_contrasts(results: RunResults) -> pa.Table:
    """One row per parameter and pair of groups of each model; none without groups."""
    rows = [
        {
            **model_cells(model.spec, model.engine),
            "is_primary": model.spec == results.primary,
            **vars(contrast),
            "flags": parameter_flags(
                contrast.parameter,
                model.spec,
                [contrast.group, contrast.reference],
                results.findings,
            ),
        }
        for model in results.models
        for contrast in model.contrasts
    ]
    return rows_table("contrasts", rows, results)


def make_overdispersion(results: RunResults) -> pa.Table:
    """One row per neuron: its counts' dispersion, and the primary model's."""
    measured, tally = results.overdispersion, results.tally
    modelled = results.primary_model.estimates.dispersion
    nothing = np.full(tally.n_neurons, np.nan)
    columns: dict[str, Values] = {
        **vars(measured),
        **vars(results.drift),
        "drift_untested": [reason or None for reason in results.drift.drift_untested],
        "neuron": tally.neurons,
        "group": group_names(results),
        **_spread("fano_model", modelled.fano if modelled else None, tally.n_neurons),
        "prob_fano_above": modelled.prob_fano_above if modelled else nothing,
        "elpd_over_poisson": _over_poisson(results),
    }
    return columns_table("overdispersion", columns, results)


def _over_poisson(results: RunResults) -> FloatArray:
    """Tell how much better the primary model predicts each neuron's trials than Poisson does.

    Both pool the rates alike; NaN where no such pair was fitted.
    """
    primary = results.primary_model
    for model in results.models:
        if (model.spec.family, model.spec.pooling) != ("poisson", primary.spec.pooling):
            continue
        if model.spec != primary.spec and model.leave_out and primary.leave_out:
            return primary.leave_out.trial_by_neuron - model.leave_out.trial_by_neuron
    return np.full(results.tally.n_neurons, np.nan)


def make_labels(results: RunResults) -> pa.Table:
    """One row per label that no model uses and per what it may explain."""
    return rows_table("labels", list(label_rows(results)), results)


def make_sessions(results: RunResults) -> pa.Table:
    """One row per session, then one of all sessions; none where they are not known."""
    sessions = results.sessions
    rows = [] if sessions is None else [*sessions.each, sessions.together]
    return rows_table("sessions", [_company_cells(each) for each in rows], results)


def _company_cells(company: Company) -> Row:
    """Write every number that was measured beside the ends of its interval."""
    cells: dict[str, object] = {}
    for name, value in vars(company).items():
        if isinstance(value, Measured):
            cells |= {name: value.value, f"{name}_lower": value.lower, f"{name}_upper": value.upper}
        else:
            cells[name] = value
    return {**cells, "untested": company.untested or None}


def make_diagnostics(results: RunResults) -> pa.Table:
    """For each model and group one row per sampled quantity, and one for the sampler."""
    rows = [row for model in results.models for row in _diagnostics_of(model)]
    return rows_table("diagnostics", rows, results)


def _diagnostics_of(model: FittedModel) -> Iterator[Row]:
    """Yield the rows of a model, then those of its baseline."""
    for row in _rows_of_fits(model.computations):
        yield {**model_cells(model.spec, model.engine), **row}
    if model.baseline is not None:
        for row in _rows_of_fits(model.baseline.groups):
            cells = model_cells(model.spec, model.baseline.engine)
            yield {**cells, **row, "parameter": f"{BASELINE}{row['parameter']}"}


def _rows_of_fits(fits: Sequence[GroupFit]) -> Iterator[Row]:
    """Yield the rows of groups that were fitted alone, or of the whole table."""
    for fit in fits:
        group = fit.group if len(fits) > 1 else None
        for row in _diagnostic_rows(fit):
            yield {"group": group, **row}


def _estimate_columns(model: FittedModel, results: RunResults) -> dict[str, Values]:
    estimates, dispersion = model.estimates, model.estimates.dispersion
    n = len(estimates.neurons)
    cells = {
        **model_cells(model.spec, model.engine),
        "level": "neuron",
        "condition": None,
        "is_primary": model.spec == results.primary,
        "rate_unit": estimates.rate_unit,
    }
    return {
        **{name: [value] * n for name, value in cells.items()},
        "neuron": estimates.neurons,
        "group": group_names(results),
        "n_trials": estimates.n_trials,
        "exposure": estimates.exposure,
        "spike_count": estimates.spike_count,
        "rate_raw": estimates.rate_raw,
        "rate_mean": estimates.rate.mean,
        "rate_sd": estimates.rate.sd,
        **_spread("rate", estimates.rate, n),
        "log_rate_mean": estimates.log_rate.mean,
        "log_rate_sd": estimates.log_rate.sd,
        "log_rate_mcse": estimates.log_rate_mcse,
        "own_weight_mean": estimates.own_weight.mean,
        "own_weight_lower": estimates.own_weight.lower,
        "own_weight_upper": estimates.own_weight.upper,
        "realised_weight": estimates.realised_weight,
        "mse_ratio": estimates.mse_ratio,
        **_spread("gain_sd", dispersion.gain_sd if dispersion else None, n),
        **_spread("fano_model", dispersion.fano if dispersion else None, n),
        **_spread("tuning_strength", estimates.tuning, n),
        "dispersion_source": dispersion.source if dispersion else [None] * n,
        "elpd_trials": model.leave_out.trial_by_neuron if model.leave_out else np.full(n, np.nan),
        "elpd_neuron": model.leave_out.neuron if model.leave_out else np.full(n, np.nan),
        "flags": _flags(model, results),
    }


def _response_columns(
    model: FittedModel, responses: ResponseEstimates, results: RunResults
) -> dict[str, Values]:
    """Columns of the rows of neuron × condition (or block); empty where only neurons have such."""
    n, tally, nothing = len(responses.neuron), results.tally, np.full(len(responses.neuron), np.nan)
    cells = {
        **model_cells(model.spec, model.engine),
        "level": f"neuron×{tally.response_kind}",
        "is_primary": model.spec == results.primary,
        "rate_unit": model.estimates.rate_unit,
        "dispersion_source": None,
        "flags": "" if is_identified(model.spec, results.findings) else NOT_IDENTIFIED,
    }
    groups = group_names(results)
    undefined = ("realised_weight", "mse_ratio", "elpd_trials", "elpd_neuron")
    return {
        **{name: [value] * n for name, value in cells.items()},
        **dict.fromkeys(undefined, nothing),
        "neuron": [tally.neurons[i] for i in responses.neuron],
        "condition": [tally.conditions[c] for c in responses.condition],
        "group": [groups[i] for i in responses.neuron],
        "n_trials": responses.n_trials,
        "exposure": responses.exposure,
        "spike_count": responses.spike_count,
        "rate_raw": responses.rate_raw,
        "rate_mean": responses.rate.mean,
        "rate_sd": responses.rate.sd,
        **_spread("rate", responses.rate, n),
        "log_rate_mean": responses.log_rate.mean,
        "log_rate_sd": responses.log_rate.sd,
        "log_rate_mcse": responses.log_rate_mcse,
        "own_weight_mean": responses.own_weight.mean,
        "own_weight_lower": responses.own_weight.lower,
        "own_weight_upper": responses.own_weight.upper,
        **_spread("gain_sd", None, n),
        **_spread("fano_model", responses.fano, n),
        **_spread("tuning_strength", None, n),
    }


def _evoked_columns(
    model: FittedModel, evoked: EvokedRates, results: RunResults
) -> dict[str, Values]:
    n, tally, groups = len(evoked.neuron), results.tally, group_names(results)
    named = results.counts.condition is not None
    cells = {
        **model_cells(model.spec, model.engine),
        "is_primary": model.spec == results.primary,
        "rate_unit": model.estimates.rate_unit,
    }
    return {
        **{name: [value] * n for name, value in cells.items()},
        "neuron": [tally.neurons[i] for i in evoked.neuron],
        "condition": [tally.conditions[c] if named else None for c in evoked.condition],
        "group": [groups[i] for i in evoked.neuron],
        "n_trials": evoked.n_trials,
        "baseline_n_trials": evoked.baseline_trials,
        "rate_raw": evoked.rate_raw,
        "baseline_rate_raw": evoked.baseline_raw,
        "evoked_rate_raw": evoked.evoked_raw,
        **_spread("baseline_rate", evoked.baseline, n),
        **_spread("evoked_rate", evoked.evoked, n),
        **_spread("rate_ratio", evoked.ratio, n),
        "prob_above_baseline": evoked.prob_above,
    }


def _spread(prefix: str, summary: Summary | MedianInterval | None, n: int) -> dict[str, Values]:
    """Median and interval of n neurons; NaN where the model has no such quantity."""
    parts = ("median", "lower", "upper")
    if summary is None:
        return {f"{prefix}_{part}": np.full(n, np.nan) for part in parts}
    return {f"{prefix}_{part}": getattr(summary, part) for part in parts}


def _flags(model: FittedModel, results: RunResults) -> list[str]:
    """Words of `FLAGS`, per neuron, in their order."""
    estimates, dispersion = model.estimates, model.estimates.dispersion
    n = len(estimates.neurons)
    groups = [results.tally.groups[g] for g in results.tally.group]
    raised: dict[str, Values] = {
        **neuron_flags(model.spec, results.tally.neurons, groups, results.findings),
        "few_trials": estimates.n_trials <= FEW_TRIALS,
    }
    if dispersion is not None:
        raised["dispersion_from_prior"] = [source == "prior" for source in dispersion.source]
        raised["shared_dispersion"] = [model.spec.dispersion_pooling == "complete"] * n
    raised["underdispersed"] = results.overdispersion.verdict == "under"
    words = [flag for flag in FLAGS if flag in raised]
    return [" ".join(flag for flag in words if raised[flag][i]) for i in range(n)]


def _rate_mean(results: RunResults, pooling: Pooling) -> Values:
    """Mean rate of the primary's family under another pooling; NaN where it was not fitted."""
    wanted = (results.primary.family, pooling)
    fitted = (
        m.estimates.rate.mean for m in results.models if (m.spec.family, m.spec.pooling) == wanted
    )
    return next(fitted, np.full(results.tally.n_neurons, np.nan))


def _diagnostic_rows(fit: GroupFit) -> Iterator[Row]:
    convergence = fit.convergence
    if convergence.certificate is not None:
        yield from _certificate_rows(convergence.certificate, fit.neurons)
    sampler = convergence.sampler
    if sampler is None:
        return
    bfmi = float(np.min(sampler.bfmi))
    yield {
        "parameter": SAMPLER,
        "passed": sampler.divergences == 0 and bfmi >= LEAST_BFMI,
        "divergences": sampler.divergences,
        "bfmi": bfmi,
        "gradient_evaluations": sampler.gradient_evaluations,
    }
    least_ess = LEAST_ESS_PER_CHAIN * len(sampler.bfmi)
    for each in convergence.parameters:
        yield from _mixing_rows(each, least_ess)


def _certificate_rows(certificate: Certificate, neurons: Sequence[str]) -> Iterator[Row]:
    chains = certificate.chains
    if chains is not None or not np.isnan(certificate.pareto_k):
        yield {
            "parameter": HYPERPARAMETERS,
            "r_hat": chains.r_hat if chains else None,
            "divergences": chains.divergences if chains else None,
            "ess_bulk": certificate.ess,
            "pareto_k": certificate.pareto_k,
            "outside": certificate.outside,
            "passed": certificate.sample_passed,
        }
    errors = np.stack([certificate.refinement_error, certificate.direct_error])
    for i in np.flatnonzero(~np.isnan(errors).all(axis=0)).tolist():
        yield {
            "parameter": QUADRATURE,
            "neuron": neurons[i],
            "refinement_error": errors[0, i],
            "direct_error": errors[1, i],
            "passed": bool(
                errors[0, i] <= MOST_QUADRATURE_ERROR and not errors[1, i] > MOST_QUADRATURE_ERROR
            ),
        }


def _mixing_rows(each: ParameterDiagnostics, least_ess: int) -> Iterator[Row]:
    unknown = [None] * len(each.neurons)
    centring = unknown if each.centring is None else each.centring
    labels = zip(each.neurons, each.conditions or unknown, strict=True)
    mixing = zip(labels, each.r_hat, each.ess_bulk, each.ess_tail, centring, strict=True)
    for (neuron, condition), r_hat, ess_bulk, ess_tail, centred in mixing:
        mixed = r_hat <= MOST_R_HAT and ess_bulk >= least_ess and ess_tail >= least_ess
        yield {
            "parameter": each.parameter,
            "neuron": neuron or None,
            "condition": condition,
            "r_hat": r_hat,
            "ess_bulk": ess_bulk,
            "ess_tail": ess_tail,
            "passed": bool(mixed),
            "centring": centred,
        }

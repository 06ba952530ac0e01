"""The tables of a run of estimates, with the columns of `normal_schema`."""

import numpy as np
import pyarrow as pa

from spikepool.models.spec import ModelSpec, Pooling
from spikepool.report.arrow_tables import Values, arrow_table, table_of_rows, with_neuron_columns
from spikepool.report.identifiability import make_identifiability, parameter_flags
from spikepool.report.normal_results import NormalFit, NormalResults
from spikepool.report.normal_schema import normal_table_schemas


def make_normal_tables(results: NormalResults) -> dict[str, pa.Table]:
    """Return every table of a run by its name.

    Parameters
    ----------
    results : NormalResults

    Returns
    -------
    dict of str to pyarrow.Table
        Undefined numbers are null. Fields carry their description and unit as metadata.
    """
    described = normal_table_schemas()
    estimates = [
        arrow_table("estimates", described["estimates"], _estimate_columns(fit, results))
        for fit in results.models
    ]
    primary = {
        **_estimate_columns(results.primary_model, results),
        "estimate_mean_none": _means(results, "none"),
        "estimate_mean_complete": _means(results, "complete"),
    }
    neurons = arrow_table("neurons", described["neurons"], primary)
    return {
        "estimates": _of_neurons(pa.concat_tables(estimates).combine_chunks(), results),
        "neurons": _of_neurons(neurons, results),
        "population": table_of_rows("population", described["population"], _population(results)),
        "identifiability": make_identifiability(results.findings),
        "diagnostics": table_of_rows(
            "diagnostics", described["diagnostics"], _diagnostics(results)
        ),
    }


def _of_neurons(table: pa.Table, results: NormalResults) -> pa.Table:
    estimates = results.estimates
    neuron = np.arange(table.num_rows) % estimates.n_neurons
    return with_neuron_columns(table, estimates.neuron_columns, neuron)


def _model_cells(spec: ModelSpec, engine: str) -> dict[str, object]:
    population = spec.population if spec.pooling == "partial" else None
    cells = {"family": spec.family, "pooling": spec.pooling}
    return {**cells, "population": population, "engine": engine}


def _estimate_columns(fit: NormalFit, results: NormalResults) -> dict[str, Values]:
    posterior, estimates = fit.posterior, results.estimates
    cells = {
        **_model_cells(fit.spec, posterior.engine),
        "is_primary": fit.spec == results.primary,
    }
    return {
        **{name: [value] * estimates.n_neurons for name, value in cells.items()},
        "neuron": estimates.neurons,
        "group": _groups(results),
        "estimate_raw": estimates.estimate,
        "standard_error": estimates.standard_error,
        **{f"estimate_{part}": values for part, values in vars(posterior.theta).items()},
        "own_weight_mean": posterior.own_weight.mean,
        "own_weight_lower": posterior.own_weight.lower,
        "own_weight_upper": posterior.own_weight.upper,
        "realised_weight": posterior.realised_weight,
        "mse_ratio": posterior.mse_ratio,
    }


def _groups(results: NormalResults) -> list[str | None]:
    group = results.estimates.group
    if group is None:
        return [None] * results.estimates.n_neurons
    return [group.values[code] for code in group.codes]


def _means(results: NormalResults, pooling: Pooling) -> Values:
    """Posterior means under another pooling; NaN where it was not fitted."""
    found = [fit.posterior.theta.mean for fit in results.models if fit.spec.pooling == pooling]
    return found[0] if found else np.full(results.estimates.n_neurons, np.nan)


def _population(results: NormalResults) -> list[dict[str, object]]:
    return [
        {
            **_model_cells(fit.spec, fit.posterior.engine),
            **vars(parameter),
            "flags": parameter_flags(parameter.parameter, fit.spec, [], results.findings),
        }
        for fit in results.models
        for parameter in fit.posterior.population
    ]


def _diagnostics(results: NormalResults) -> list[dict[str, object]]:
    return [
        {**_model_cells(fit.spec, fit.posterior.engine), **vars(check)}
        for fit in results.models
        for check in fit.checks
    ]

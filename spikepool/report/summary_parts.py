"""What the summaries of all runs share, whichever kind of table was read."""

import math
from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
from pydantic import JsonValue

from spikepool import __version__
from spikepool.config import RunConfig
from spikepool.data.spike_counts import FloatArray, Notice, Source
from spikepool.data.wording import shown_path
from spikepool.diagnostics.cross_check import CrossCheck
from spikepool.models.spec import ModelSpec
from spikepool.report.results import Fit, Results

type Json = dict[str, JsonValue]

LOW_OWN_WEIGHT = 0.8
"""Neurons whose own weight is below this are counted."""
MOST_MOVED = 5
"""How many of the neurons that pooling moved most are named."""


def summary_of[F: Fit](results: Results[F], config: RunConfig, seconds: float, found: Json) -> Json:
    """Put what was found between how the run ended and how it can be repeated.

    Parameters
    ----------
    results : Results
    config : RunConfig
    seconds : float
        Wall-clock time of the run.
    found : dict
        What only this kind of table has, ready for JSON.

    Returns
    -------
    dict
    """
    return {
        "spikepool": __version__,
        "status": results.status,
        "problems": list(results.problems),
        "primary": model_names(results.primary),
        "interval": config.report.interval,
        **found,
        "notices": notices_as_json(results.notices),
        "seed": config.engine.seed,
        "seconds": round(seconds, 3),
    }


def finite(value: float) -> float | None:
    """Return a number that JSON has, else None."""
    return float(value) if math.isfinite(value) else None


def model_names(spec: ModelSpec) -> Json:
    """Name a model in full."""
    return {
        "name": spec.name,
        "label": spec.label,
        "family": spec.family,
        "pooling": spec.pooling,
        "dispersion_pooling": spec.dispersion_pooling,
        "dispersion_scaling": spec.dispersion_scaling,
        "reference_exposure": spec.reference_exposure,
    }


def notices_as_json(notices: Iterable[Notice]) -> list[JsonValue]:
    """Return the notices in order."""
    return [{"code": each.code, "message": each.message} for each in notices]


def reading_as_json(
    sources: Iterable[Source], recognised: Iterable[tuple[str, str]], unmodelled: Iterable[str]
) -> Json:
    """Say which files and columns were read."""
    return {
        "tables": [shown_path(source.path) for source in sources],
        "recognised": [{"role": role, "column": column} for role, column in recognised],
        "not_modelled": list(unmodelled),
    }


def cross_check_as_json(check: CrossCheck | None) -> JsonValue:
    """Say how far two engines are apart; None where they were not compared."""
    if check is None:
        return None
    numbers = {
        "difference": finite(check.difference),
        "standard_error": finite(check.standard_error),
    }
    return {**asdict(check), **numbers, "agrees": check.agrees}


def own_weights_as_json(own_weight: FloatArray) -> Json:
    """Say how much a model pooled, from its neurons' own weights."""
    return {
        "median_own_weight": finite(float(np.median(own_weight))),
        "low_own_weight": LOW_OWN_WEIGHT,
        "low_own_weight_neurons": int(np.sum(own_weight < LOW_OWN_WEIGHT)),
    }

"""Every picture by name, of every kind of run: what `spikepool plot` draws again."""

from collections.abc import Callable
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from spikepool.report.plots.about import About, AboutEstimates, AboutPrior
from spikepool.report.plots.calibration import draw_calibration
from spikepool.report.plots.dispersion_shrinkage import draw_dispersion_shrinkage
from spikepool.report.plots.estimates import draw_estimate_forest, draw_estimate_shrinkage
from spikepool.report.plots.evoked import draw_evoked
from spikepool.report.plots.forest import draw_forest
from spikepool.report.plots.groups import draw_groups
from spikepool.report.plots.matched_fano import draw_matched_fano
from spikepool.report.plots.overdispersion import draw_overdispersion
from spikepool.report.plots.own_weight import draw_own_weight
from spikepool.report.plots.predictive import draw_predictive
from spikepool.report.plots.prior_predictive import draw_prior_predictive
from spikepool.report.plots.shrinkage import draw_shrinkage
from spikepool.report.plots.style import PlotStyle
from spikepool.report.plots.tau_prior_posterior import draw_tau_prior_posterior
from spikepool.report.plots.tau_under_priors import draw_tau_under_priors
from spikepool.report.plots.trace import draw_trace
from spikepool.report.plots.tuning import draw_drift, draw_tuning
from spikepool.report.plots.variance_parts import draw_variance_parts

type Draw[A] = Callable[[pd.DataFrame, A, PlotStyle], Figure]

PICTURES: Final[dict[str, Draw[About]]] = {
    "shrinkage": draw_shrinkage,
    "overdispersion": draw_overdispersion,
    "forest": draw_forest,
    "own_weight": draw_own_weight,
    "dispersion_shrinkage": draw_dispersion_shrinkage,
    "tau_prior_posterior": draw_tau_prior_posterior,
    "groups": draw_groups,
    "evoked": draw_evoked,
    "tuning": draw_tuning,
    "drift": draw_drift,
    "predictive": draw_predictive,
    "calibration": draw_calibration,
    "variance_parts": draw_variance_parts,
    "matched_fano": draw_matched_fano,
    "trace": draw_trace,
}

PICTURES_OF_SENSITIVITY: Final[dict[str, Draw[About]]] = {
    "tau_under_priors": draw_tau_under_priors,
}

PICTURES_OF_PRIORS: Final[dict[str, Draw[AboutPrior]]] = {
    "prior_predictive": draw_prior_predictive,
}

PICTURES_OF_ESTIMATES: Final[dict[str, Draw[AboutEstimates]]] = {
    "shrinkage": draw_estimate_shrinkage,
    "forest": draw_estimate_forest,
}


def draw_picture(
    name: str, data: pd.DataFrame, about: About | AboutEstimates | AboutPrior, style: PlotStyle
) -> Figure:
    """Draw a picture by its name; one that its kind of run does not have is a KeyError."""
    match about:
        case About():
            return (PICTURES | PICTURES_OF_SENSITIVITY)[name](data, about, style)
        case AboutPrior():
            return PICTURES_OF_PRIORS[name](data, about, style)
        case AboutEstimates():
            return PICTURES_OF_ESTIMATES[name](data, about, style)

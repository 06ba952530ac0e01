"""Models compared by what they predict of left-out trials and of left-out neurons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.models.spec import ModelSpec
from spikepool.posterior.quadrature import LeaveOut

type LeftOut = Literal["trial", "neuron"]


@dataclass(frozen=True)
class ModelScore:
    """The expected log predictive density of one model, and its distance from the primary.

    Attributes
    ----------
    spec : ModelSpec
    left_out : {'trial', 'neuron'}
        What is left out, one at a time.
    elpd, elpd_se : float
        Sum of the log predictive densities; its standard error, neurons being independent.
    difference, difference_se : float
        From the primary model: negative where the primary predicts better; NaN where the primary
        has no score.
    pareto_k : float
        Largest k̂ of the hyperparameters' importance weights; NaN where they cannot matter.
    """

    spec: ModelSpec
    left_out: LeftOut
    elpd: float
    elpd_se: float
    difference: float
    difference_se: float
    pareto_k: float


def score_models(
    fitted: Sequence[tuple[ModelSpec, LeaveOut | None]], primary: ModelSpec
) -> tuple[ModelScore, ...]:
    """Score every model that has left-out densities, trials first.

    Parameters
    ----------
    fitted : sequence of (ModelSpec, LeaveOut or None)
    primary : ModelSpec

    Returns
    -------
    tuple of ModelScore
    """
    known = {spec: left_out for spec, left_out in fitted if left_out is not None}
    return tuple(
        _score(spec, left_out, known.get(primary), kind)
        for kind in ("trial", "neuron")
        for spec, left_out in known.items()
    )


def by_neuron(left_out: LeaveOut, kind: LeftOut) -> FloatArray:
    """Log predictive densities, of a neuron's trials together or of the neuron; shape (N,)."""
    return left_out.trial_by_neuron if kind == "trial" else left_out.neuron


def _score(
    spec: ModelSpec, left_out: LeaveOut, reference: LeaveOut | None, kind: LeftOut
) -> ModelScore:
    own = by_neuron(left_out, kind)
    gap = own - by_neuron(reference, kind) if reference else np.full_like(own, np.nan)
    return ModelScore(
        spec=spec,
        left_out=kind,
        elpd=float(own.sum()),
        elpd_se=_standard_error(own),
        difference=float(gap.sum()),
        difference_se=_standard_error(gap),
        pareto_k=left_out.trial_pareto_k if kind == "trial" else left_out.neuron_pareto_k,
    )


def _standard_error(terms: FloatArray) -> float:
    """Return the standard error of a sum over neurons; NaN for a single one."""
    if len(terms) < 2:
        return float("nan")
    return float(np.sqrt(len(terms)) * terms.std(ddof=1))

"""Models compared by what they predict of left-out trials and of left-out neurons."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.diagnostics.company import LEAST_SESSIONS
from spikepool.diagnostics.stacking import stacking_weights
from spikepool.models.spec import ModelSpec
from spikepool.posterior.groups import neurons_by_group
from spikepool.posterior.quadrature import LeaveOut

type LeftOut = Literal["trial", "neuron"]

_KINDS: tuple[LeftOut, ...] = ("trial", "neuron")


@dataclass(frozen=True)
class ModelScore:
    """The expected log predictive density of one model, and its distance from the primary.

    Attributes
    ----------
    spec : ModelSpec
    group : str
        Whose neurons are predicted; ``all``: those of the whole table.
    left_out : {'trial', 'neuron'}
        What is left out, one at a time.
    elpd, elpd_se : float
        Sum of the log predictive densities; its standard error, neurons (or sessions) being
        independent.
    difference, difference_se : float
        From the primary model: negative where the primary predicts better; NaN where the primary
        has no score.
    weight : float
        Its share in the mixture of all models that predicts best (stacking).
    pareto_k : float
        Largest k̂ of the hyperparameters' importance weights; NaN where they cannot matter.
    """

    spec: ModelSpec
    group: str
    left_out: LeftOut
    elpd: float
    elpd_se: float
    difference: float
    difference_se: float
    weight: float
    pareto_k: float


@dataclass(frozen=True)
class _Predicted:
    """What one model predicts of some neurons, in parts that stacking weighs.

    Attributes
    ----------
    spec : ModelSpec
    by_part : ndarray, shape (parts,)
        Log density of one trial of each cell, or of each neuron.
    by_neuron : ndarray, shape (N,)
    pareto_k : float
    """

    spec: ModelSpec
    by_part: FloatArray
    by_neuron: FloatArray
    pareto_k: float


def score_models(
    fitted: Sequence[tuple[ModelSpec, LeaveOut | None]],
    primary: ModelSpec,
    tally: Tally,
    session: IntArray | None = None,
) -> tuple[ModelScore, ...]:
    """Score every model that has left-out densities: trials first, the whole table first.

    Parameters
    ----------
    fitted : sequence of (ModelSpec, LeaveOut or None)
    primary : ModelSpec
    tally : Tally
    session : ndarray of int64, shape (N,), optional
        Of every neuron: sessions are then the independent units of the standard errors.

    Returns
    -------
    tuple of ModelScore
        Of all neurons, then of each group where there are several.
    """
    return tuple(
        score
        for kind in _KINDS
        for group, chosen in neurons_by_group(tally)
        for score in _scores(
            [
                _predicted(spec, left_out, kind, chosen, tally)
                for spec, left_out in fitted
                if left_out is not None
            ],
            primary,
            group,
            kind,
            _times(kind, chosen, tally),
            units_of(session, chosen),
        )
    )


def by_neuron(left_out: LeaveOut, kind: LeftOut) -> FloatArray:
    """Log predictive densities, of a neuron's trials together or of the neuron; shape (N,)."""
    return left_out.trial_by_neuron if kind == "trial" else left_out.neuron


def _times(kind: LeftOut, chosen: NDArray[np.bool_], tally: Tally) -> IntArray:
    """Return how often each part was recorded."""
    if kind == "neuron":
        return np.ones(int(chosen.sum()), dtype=np.int64)
    return tally.weight[chosen[tally.neuron]]


def _predicted(
    spec: ModelSpec, left_out: LeaveOut, kind: LeftOut, chosen: NDArray[np.bool_], tally: Tally
) -> _Predicted:
    own = by_neuron(left_out, kind)[chosen]
    if kind == "neuron":
        return _Predicted(spec, own, own, left_out.neuron_pareto_k)
    by_cell = left_out.trial[chosen[tally.neuron]]
    return _Predicted(spec, by_cell, own, left_out.trial_pareto_k)


def _scores(
    predicted: Sequence[_Predicted],
    primary: ModelSpec,
    group: str,
    kind: LeftOut,
    times: IntArray,
    units: IntArray | None,
) -> Iterator[ModelScore]:
    """Score the models that predict what is left out; engine nuts predicts no neuron."""
    known = [each for each in predicted if not np.isnan(each.by_neuron).all()]
    if not known:
        return
    reference = next((each.by_neuron for each in known if each.spec == primary), np.nan)
    weights = stacking_weights(np.array([each.by_part for each in known]), times)
    for each, weight in zip(known, weights.tolist(), strict=True):
        elpd, elpd_se = sum_and_error(each.by_neuron, units)
        difference, difference_se = sum_and_error(each.by_neuron - reference, units)
        yield ModelScore(
            spec=each.spec,
            group=group,
            left_out=kind,
            elpd=elpd,
            elpd_se=elpd_se,
            difference=difference,
            difference_se=difference_se,
            weight=weight,
            pareto_k=each.pareto_k,
        )


def units_of(session: IntArray | None, chosen: NDArray[np.bool_]) -> IntArray | None:
    """Return the sessions of some neurons by number; None where neurons are the units."""
    if session is None:
        return None
    sessions, units = np.unique(session[chosen], return_inverse=True)
    return units.astype(np.int64) if len(sessions) >= LEAST_SESSIONS else None


def sum_and_error(terms: FloatArray, units: IntArray | None = None) -> tuple[float, float]:
    """Return a sum over neurons and its standard error; NaN for a single independent unit.

    Of K units, neurons or sessions, its square is ``K/(K − 1) Σ_k (Σ_{i in k} (l_i − mean l))²``.
    """
    total, deviation = float(terms.sum()), terms - terms.mean()
    by_unit = deviation if units is None else np.bincount(units, weights=deviation)
    size = len(by_unit)
    if size < 2:
        return total, float("nan")
    return total, float(np.sqrt(size / (size - 1) * np.sum(by_unit**2)))

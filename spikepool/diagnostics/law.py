"""How the variance of counts grows with their mean: which family predicts left-out trials best.

Poisson: variance m. NB1: m (1 + ω), a constant Fano factor. NB2: m + α m², a constant gain. Where
every neuron has one mean count, NB1 and NB2 are the same family, and nothing tells them apart. With
gains that time draws anew they are the same at every exposure: only conditions tell them apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.diagnostics.comparison import sum_and_error, units_of
from spikepool.diagnostics.stacking import stacking_weights
from spikepool.models.spec import Family, ModelSpec
from spikepool.posterior.groups import neurons_by_group
from spikepool.posterior.quadrature import LeaveOut

type Law = Literal["poisson", "nb1", "nb2", "nb", "undecided"]

SURE = 2.0
"""Standard errors by which a family must lead."""
LEAST_LEAD = 4.0
"""Nats by which it must lead: the errors of smaller differences are not to be trusted."""
NEXT_TO_NOTHING = 0.0025
"""Nats for each trial that NB may win over Poisson and still be called Poisson: ω²/4, what a Fano
factor of 1.1 wins."""
LEAST_RATIO = 1.5
"""Longest over shortest exposure of a neuron that tells how its variance grows."""
LEAST_TELLING = 0.5
"""Share of the neurons that must tell it."""

MEANING: dict[Law, str] = {
    "poisson": "variance as the mean",
    "nb1": "variance in proportion to the mean: a constant Fano factor",
    "nb2": "variance beyond the mean grows as its square: a constant gain",
    "nb": "more variance than Poisson, but not told how it grows with the mean",
    "undecided": "no family predicts clearly best",
}
_FAMILIES: tuple[Family, ...] = ("poisson", "nb1", "nb2")


@dataclass(frozen=True)
class FamilyScore:
    """How one family predicts the left-out trials of a group.

    Attributes
    ----------
    spec : ModelSpec
    elpd : float
    behind, behind_se : float
        Nats behind the best family, and their standard error, neurons (or sessions, from five on)
        being independent.
    weight : float
        Its share in the mixture of the families that predicts best (stacking).
    """

    spec: ModelSpec
    elpd: float
    behind: float
    behind_se: float
    weight: float


@dataclass(frozen=True)
class LawOfGroup:
    """The mean-variance law of one group's neurons.

    Attributes
    ----------
    group : str
    families : tuple of FamilyScore
    neurons, telling : int
        All neurons, and those that have several mean counts: conditions, or exposures that differ
        by a factor of `LEAST_RATIO`.
    law : {'poisson', 'nb1', 'nb2', 'nb', 'undecided'}
        See `MEANING`.
    """

    group: str
    families: tuple[FamilyScore, ...]
    neurons: int
    telling: int
    law: Law


@dataclass(frozen=True)
class _Evidence:
    """What the neurons of a group can tell: shape (N,).

    Attributes
    ----------
    tells : ndarray of bool
        Whether each has several mean counts.
    trials : int
        Of all of them.
    units : ndarray of int64, or None
        Its session, where sessions are the independent units.
    """

    tells: NDArray[np.bool_]
    trials: int
    units: IntArray | None


def infer_law(
    fitted: Sequence[tuple[ModelSpec, LeaveOut | None]],
    primary: ModelSpec,
    tally: Tally,
    session: IntArray | None = None,
) -> tuple[LawOfGroup, ...]:
    """Compare the families of counts, pooled as the primary model is.

    Parameters
    ----------
    fitted : sequence of (ModelSpec, LeaveOut or None)
    primary : ModelSpec
    tally : Tally
    session : ndarray of int64, shape (N,), optional
        Of every neuron: sessions are then the independent units of the standard errors.

    Returns
    -------
    tuple of LawOfGroup
        Of all neurons, then of each group where there are several; empty unless all three families
        were fitted.
    """
    alike = {
        spec.family: (spec, left_out)
        for spec, left_out in fitted
        if left_out is not None and _is_alike(spec, primary)
    }
    if not all(family in alike for family in _FAMILIES):
        return ()
    compared = [alike[family] for family in _FAMILIES]
    tells = _tells(tally, [spec for spec, _ in compared])
    return tuple(
        _law(
            name,
            compared,
            chosen,
            tally,
            _Evidence(
                tells[chosen],
                int(tally.n_trials[chosen].sum()),
                units_of(session, chosen),
            ),
        )
        for name, chosen in neurons_by_group(tally)
    )


def _is_alike(spec: ModelSpec, primary: ModelSpec) -> bool:
    """Tell whether a model differs from the primary one in its family alone."""
    pooled = (spec.pooling, spec.population, spec.condition_pooling, spec.within)
    dispersion = {spec.dispersion_pooling, primary.dispersion_pooling} - {None}
    return len(dispersion) <= 1 and pooled == (
        primary.pooling, primary.population, primary.condition_pooling, primary.within,
    )  # fmt: skip


def _tells(tally: Tally, specs: Sequence[ModelSpec]) -> NDArray[np.bool_]:
    """Neurons with several mean counts, by design, that families differ in; shape (N,)."""
    tuned = specs[0].is_tuned and not specs[0].drifting
    by_trial = not any(spec.dispersion_scaling == "duration" for spec in specs)
    first = np.searchsorted(tally.neuron, np.arange(tally.n_neurons))
    longest = np.maximum.reduceat(tally.exposure, first)
    shortest = np.minimum.reduceat(tally.exposure, first)
    conditions = np.bincount(tally.responses.neuron, minlength=tally.n_neurons)
    of_exposure = by_trial & (longest >= LEAST_RATIO * shortest)
    return np.asarray(of_exposure | (tuned & (conditions > 1)))


def _law(
    name: str,
    compared: Sequence[tuple[ModelSpec, LeaveOut]],
    chosen: NDArray[np.bool_],
    tally: Tally,
    evidence: _Evidence,
) -> LawOfGroup:
    by_neuron = np.array([left_out.trial_by_neuron[chosen] for _, left_out in compared])
    cells = chosen[tally.neuron]
    by_cell = np.array([left_out.trial[cells] for _, left_out in compared])
    weights = stacking_weights(by_cell, tally.weight[cells]).tolist()
    best = by_neuron[int(np.argmax(by_neuron.sum(axis=1)))]
    families = tuple(
        FamilyScore(spec, float(own.sum()), *sum_and_error(best - own, evidence.units), weight)
        for (spec, _), own, weight in zip(compared, by_neuron, weights, strict=True)
    )
    poisson, nb1, nb2 = by_neuron
    law = _decide(poisson, nb1, nb2, evidence=evidence)
    telling = evidence.tells
    return LawOfGroup(name, families, len(telling), int(telling.sum()), law)


def _decide(poisson: FloatArray, nb1: FloatArray, nb2: FloatArray, *, evidence: _Evidence) -> Law:
    """Name the law: Poisson where NB wins next to nothing, else the NB that leads surely."""
    units, separable = evidence.units, evidence.tells.mean() >= LEAST_TELLING
    leads = [sum_and_error(nb - poisson, units) for nb in (nb1, nb2)]
    if not any(_is_sure(*lead) for lead in leads):
        most = max(LEAST_LEAD, NEXT_TO_NOTHING * evidence.trials)
        negligible = all(lead + SURE * error < most for lead, error in leads)
        return "poisson" if negligible else "undecided"
    if separable and _is_sure(*sum_and_error(nb1 - nb2, units)):
        return "nb1"
    if separable and _is_sure(*sum_and_error(nb2 - nb1, units)):
        return "nb2"
    return "nb"


def _is_sure(lead: float, error: float) -> bool:
    """Tell whether a lead is large enough; never of a single neuron, whose error is NaN."""
    return lead > LEAST_LEAD and lead > SURE * error

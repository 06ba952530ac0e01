"""Which models to fit: what was asked for, less what the design cannot tell."""

from dataclasses import dataclass
from itertools import product
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from spikepool.config import EngineOptions, ModelOptions
from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.data.wording import listed, quoted
from spikepool.errors import UsageError
from spikepool.models.baseline_plan import BaselinePlan, plan_baseline
from spikepool.models.condition_plan import check_condition_effects, refuse_condition_effects
from spikepool.models.graph import prior_names
from spikepool.models.identifiability import refuse_unidentified
from spikepool.models.prior_spec import prior_notices, priors_of
from spikepool.models.priors import Priors
from spikepool.models.spec import Family, ModelSpec, Pooling
from spikepool.models.within_plan import check_within, form_of_labels, refuse_within_gamma

FEW_NEURONS = 5
MOST_GROUPS_COMPARED = 15
"""Of more groups there would be too many pairs to read."""
_DEFAULT_FAMILIES: tuple[Family, ...] = ("poisson", "nb2")
_DEFAULT_POOLINGS: tuple[Pooling, ...] = ("none", "complete", "partial")
_FAMILIES_BY_PREFERENCE: tuple[Family, ...] = ("nb2", "nb1", "poisson")
_POOLINGS_BY_PREFERENCE: tuple[Pooling, ...] = ("partial", "none", "complete")


@dataclass(frozen=True)
class ModelPlan:
    """The models of a run.

    Attributes
    ----------
    specs : tuple of ModelSpec
    primary : ModelSpec
        The one whose numbers stand in ``neurons``.
    priors : Priors
        Of all models.
    notices : tuple of Notice
        What was left out, and what the fit does not model.
    baseline : BaselinePlan or None
        What every model is fitted to once more, where there are trials without a stimulus.
    """

    specs: tuple[ModelSpec, ...]
    primary: ModelSpec
    priors: Priors
    notices: tuple[Notice, ...]
    baseline: BaselinePlan | None = None


def plan_models(options: ModelOptions, tally: Tally, baseline: Tally | None = None) -> ModelPlan:
    """Choose the models to fit.

    Parameters
    ----------
    options : ModelOptions
    tally : Tally
    baseline : Tally, optional
        Of trials without a stimulus.

    Returns
    -------
    ModelPlan

    Raises
    ------
    NotIdentifiableError
        If a model asked for by name cannot be told from this design.
    UsageError
        If the options exclude each other, or a prior cannot be used.
    """
    priors = priors_of(options, tally)
    notices: list[Notice] = []
    families = _families(options, tally, notices)
    poolings = _poolings(options, tally, notices)
    refuse_within_gamma(options, tally)
    refuse_condition_effects(options, tally)
    specs = tuple(
        dict.fromkeys(
            _spec(family, pooling, options, tally)
            for family, pooling in product(families, poolings)
        )
    )
    _check_dispersion_pooling(options, specs, tally, notices)
    _check_population(options, poolings)
    check_within(options, specs, tally, notices)
    check_condition_effects(options, specs, tally, notices)
    _check_condition_pooling(options, tally)
    notices += prior_notices(options, {name for spec in specs for name in prior_names(spec)})
    _note_merged_conditions(specs, tally, notices)
    if len(tally.groups) > 1:
        _check_groups(options, specs, tally, notices)
    elif 1 < tally.n_neurons < FEW_NEURONS and "partial" in poolings:
        text = f"{tally.n_neurons} neurons say little about τ, the spread between neurons"
        notices.append(Notice("few-neurons", text))
    planned = None if baseline is None else plan_baseline(options, specs, baseline, notices)
    return ModelPlan(specs, _primary(options, specs), priors, tuple(notices), planned)


def refuse_collapsed(engine: EngineOptions, spec: ModelSpec) -> None:
    """Refuse the collapsed engine for a model whose neurons it cannot integrate out one by one.

    Raises
    ------
    UsageError
        Saying what couples them.
    """
    if engine.engine == "collapsed" and spec.coupling is not None:
        raise UsageError(
            f"--engine collapsed integrates neurons out one by one, and in the model {spec.label} "
            f"{spec.coupling}",
            "leave --engine at auto, or give --engine nuts",
        )


def _check_groups(
    options: ModelOptions, specs: tuple[ModelSpec, ...], tally: Tally, notices: list[Notice]
) -> None:
    """Refuse a group that is no population; name those that say little."""
    if not any(spec.pools for spec in specs):
        return
    sizes = np.bincount(tally.group, minlength=len(tally.groups))
    trials = np.zeros(len(tally.groups), dtype=np.int64)
    np.maximum.at(trials, tally.group, tally.n_trials)
    if any("partial" in (spec.pooling, spec.dispersion_pooling) for spec in specs):
        _refuse_single_neurons(options, _groups_where(tally, sizes == 1), notices)
        few = _groups_where(tally, (sizes > 1) & (sizes < FEW_NEURONS))
        if few:
            text = (
                f"fewer than {FEW_NEURONS} neurons say little about τ, the spread between a "
                f"group's neurons: {listed(few)}"
            )
            notices.append(Notice("few-neurons", text))
    single = _groups_where(tally, trials == 1)
    if single and trials.max() > 1 and any(spec.dispersion_pooling for spec in specs):
        text = (
            "no neuron has two trials, so that the prior and the shape of the populations decide "
            f"the dispersions, in: {listed(single)}"
        )
        notices.append(Notice("one-trial-groups", text))
    if len(tally.groups) > MOST_GROUPS_COMPARED:
        text = (
            f"{len(tally.groups):,} groups are too many to compare in pairs (at most "
            f"{MOST_GROUPS_COMPARED}): the table contrasts is empty"
        )
        notices.append(Notice("many-groups", text))


def _groups_where(tally: Tally, chosen: NDArray[np.bool_]) -> list[str]:
    return [tally.groups[i] for i in np.flatnonzero(chosen)]


def _refuse_single_neurons(options: ModelOptions, groups: list[str], notices: list[Notice]) -> None:
    if not groups:
        return
    subject = f"group {quoted(groups[0])} has" if len(groups) == 1 else f"{listed(groups)} have"
    refuse_unidentified(
        options,
        notices,
        f"partial pooling within groups needs a population in each, and {subject} one neuron: τ, "
        "the spread between a group's neurons, cannot be told",
        "leave such groups out with --where, or leave out --group",
    )


def _spec(family: Family, pooling: Pooling, options: ModelOptions, tally: Tally) -> ModelSpec:
    population = options.population if pooling == "partial" else "normal"
    dispersion = None if family == "poisson" else options.dispersion_pooling or pooling
    conditions = None
    if len(tally.conditions) > 1:
        conditions = options.condition_pooling or pooling
    within = form_of_labels(tally) if pooling == "partial" else None
    effects = options.condition_effects and conditions == "partial"
    return ModelSpec(family, pooling, dispersion, population, conditions, within, effects)


def _families(options: ModelOptions, tally: Tally, notices: list[Notice]) -> tuple[Family, ...]:
    """Leave out NB, or refuse it, where no neuron has two trials."""
    asked: tuple[Family, ...] = options.family or _DEFAULT_FAMILIES
    repeated = int(tally.n_trials.max()) >= 2
    if repeated or set(asked) == {"poisson"}:
        return asked
    if not options.family:
        text = (
            "no neuron has two trials, so nothing tells noise from differences between neurons: "
            "only Poisson models are fitted"
        )
        notices.append(Notice("nb-left-out", text))
        return ("poisson",)
    refuse_unidentified(
        options,
        notices,
        "a negative-binomial model needs repeated trials, and no neuron has two: overdispersion "
        "and differences between neurons cannot be told apart",
        "fit --family poisson, or give a table with a row per trial",
    )
    return asked


def _poolings(options: ModelOptions, tally: Tally, notices: list[Notice]) -> tuple[Pooling, ...]:
    """Leave out partial pooling, or refuse it, of a single neuron."""
    asked: tuple[Pooling, ...] = options.pooling or _DEFAULT_POOLINGS
    if tally.n_neurons > 1 or "partial" not in asked:
        return asked
    if not options.pooling:
        text = "one neuron is no population: partial pooling is left out"
        notices.append(Notice("partial-left-out", text))
        return tuple(pooling for pooling in asked if pooling != "partial")
    refuse_unidentified(
        options,
        notices,
        "partial pooling needs a population, and the table has one neuron: τ, the spread between "
        "neurons, cannot be told",
        "fit --pooling none",
    )
    return asked


def _check_dispersion_pooling(
    options: ModelOptions, specs: tuple[ModelSpec, ...], tally: Tally, notices: list[Notice]
) -> None:
    if options.dispersion_pooling is None:
        return
    if all(spec.family == "poisson" for spec in specs):
        raise UsageError(
            "--dispersion-pooling: Poisson counts have no dispersion to pool",
            "add --family nb2 or nb1",
        )
    if options.dispersion_pooling == "partial" and tally.n_neurons == 1:
        refuse_unidentified(
            options,
            notices,
            "--dispersion-pooling partial needs a population, and the table has one neuron",
            "give --dispersion-pooling none",
        )


def _check_population(options: ModelOptions, poolings: tuple[Pooling, ...]) -> None:
    """Refuse a population where none was asked for; one left out has its own note."""
    if options.population != "normal" and options.pooling and "partial" not in poolings:
        raise UsageError(
            f"--population {options.population}: only partial pooling has a population",
            "add --pooling partial",
        )


def _check_condition_pooling(options: ModelOptions, tally: Tally) -> None:
    if options.condition_pooling is not None and len(tally.conditions) == 1:
        raise UsageError(
            f"--condition-pooling {options.condition_pooling}: the table has one condition",
            "name the column of conditions with --condition, or leave the option out",
        )


def _note_merged_conditions(
    specs: tuple[ModelSpec, ...], tally: Tally, notices: list[Notice]
) -> None:
    if len(tally.conditions) > 1 and not any(spec.is_tuned for spec in specs):
        text = (
            f"{len(tally.conditions):,} conditions are fitted as if they were repeats, so that "
            "tuning counts as overdispersion in the models; raw Fano factors and tests are within "
            "condition"
        )
        notices.append(Notice("conditions-merged", text))


def _primary(options: ModelOptions, specs: tuple[ModelSpec, ...]) -> ModelSpec:
    if options.primary is not None:
        return _named_primary(options.primary, specs)

    def preference(spec: ModelSpec) -> tuple[int, int]:
        return (
            _POOLINGS_BY_PREFERENCE.index(spec.pooling),
            _FAMILIES_BY_PREFERENCE.index(spec.family),
        )

    return min(specs, key=preference)


def _named_primary(primary: str, specs: tuple[ModelSpec, ...]) -> ModelSpec:
    """Find the model called ``family:pooling[:dispersion-pooling]``."""
    parts = primary.replace("negbin", "nb2").split(":")
    known = (get_args(Family.__value__), get_args(Pooling.__value__), get_args(Pooling.__value__))
    well_formed = 2 <= len(parts) <= 3 and all(
        part in names for part, names in zip(parts, known, strict=False)
    )
    if not well_formed:
        raise UsageError(
            f"--primary: {primary!r} names no model", "write it as family:pooling, nb2:partial"
        )
    for spec in specs:
        described = (spec.family, spec.pooling, str(spec.dispersion_pooling))
        if described[: len(parts)] == tuple(parts):
            return spec
    fitted = ", ".join(f"{spec.family}:{spec.pooling}" for spec in specs)
    raise UsageError(f"--primary {primary} is not among the models fitted: {fitted}")

"""Which models to fit: what was asked for, less what the design cannot tell."""

from dataclasses import dataclass
from itertools import product
from typing import get_args

from spikepool.config import EngineOptions, ModelOptions
from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.errors import UsageError
from spikepool.models.baseline_plan import BaselinePlan, plan_baseline
from spikepool.models.condition_plan import check_condition_effects, refuse_condition_effects
from spikepool.models.drift_plan import check_drift
from spikepool.models.graph import prior_names
from spikepool.models.identifiability.finding import Finding
from spikepool.models.identifiability.gate import find_all, leave_out, notices_of, refuse
from spikepool.models.prior_spec import prior_notices, priors_of
from spikepool.models.priors import Priors
from spikepool.models.scaling_plan import check_scaling, reference_exposure
from spikepool.models.spec import Family, ModelSpec, Pooling
from spikepool.models.within_plan import check_within, form_of_labels, refuse_within_gamma

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
    findings : tuple of Finding
        What the design cannot tell of these models, and why others were left out.
    """

    specs: tuple[ModelSpec, ...]
    primary: ModelSpec
    priors: Priors
    notices: tuple[Notice, ...]
    baseline: BaselinePlan | None = None
    findings: tuple[Finding, ...] = ()


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
    specs = _asked_for(options, tally)
    _check_options(options, specs, tally)
    specs, left_out = leave_out(options, specs, find_all(specs, tally))
    planned = None if baseline is None else plan_baseline(options, specs, baseline)
    of_baseline = () if planned is None else planned.findings
    findings = (*left_out, *find_all(specs, tally), *of_baseline)
    refuse(options, findings)
    notices = [*notices_of(findings), *_notices(options, specs, tally)]
    if planned is not None:
        notices += planned.notices
    primary = _primary(options, specs)
    return ModelPlan(specs, primary, priors, tuple(notices), planned, findings)


def _asked_for(options: ModelOptions, tally: Tally) -> tuple[ModelSpec, ...]:
    """Return the models that the options name, or the default ones; each once."""
    families: tuple[Family, ...] = options.family or _DEFAULT_FAMILIES
    poolings: tuple[Pooling, ...] = options.pooling or _DEFAULT_POOLINGS
    refuse_within_gamma(options, tally)
    refuse_condition_effects(options, tally)
    pairs = product(families, poolings)
    return tuple(dict.fromkeys(_spec(*pair, options, tally) for pair in pairs))


def _check_options(options: ModelOptions, specs: tuple[ModelSpec, ...], tally: Tally) -> None:
    """Refuse options that none of the models can use."""
    _check_dispersion_pooling(options, specs)
    _check_population(options, specs)
    _check_condition_pooling(options, tally)


def _notices(options: ModelOptions, specs: tuple[ModelSpec, ...], tally: Tally) -> list[Notice]:
    """Say what the models do with the table, and what they leave aside."""
    notices: list[Notice] = []
    check_within(specs, tally, notices)
    check_condition_effects(options, specs, notices)
    check_scaling(options, specs, tally, notices)
    check_drift(specs, tally, notices)
    notices += prior_notices(options, {name for spec in specs for name in prior_names(spec)})
    _note_merged_conditions(specs, tally, notices)
    if len(tally.groups) > MOST_GROUPS_COMPARED and any(spec.pools for spec in specs):
        text = (
            f"{len(tally.groups):,} groups are too many to compare in pairs (at most "
            f"{MOST_GROUPS_COMPARED}): the table contrasts is empty"
        )
        notices.append(Notice("many-groups", text))
    return notices


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


def _spec(family: Family, pooling: Pooling, options: ModelOptions, tally: Tally) -> ModelSpec:
    population = options.population if pooling == "partial" else "normal"
    dispersion = None if family == "poisson" else options.dispersion_pooling or pooling
    conditions = None
    if len(tally.conditions) > 1:
        conditions = options.condition_pooling or pooling
    within = form_of_labels(tally) if pooling == "partial" else None
    effects = options.condition_effects and conditions == "partial"
    reference = reference_exposure(options, family, tally)
    drifting = tally.in_blocks and conditions != "complete"
    return ModelSpec(
        family, pooling, dispersion, population, conditions, within, effects, reference, drifting
    )


def _check_dispersion_pooling(options: ModelOptions, specs: tuple[ModelSpec, ...]) -> None:
    if options.dispersion_pooling and all(spec.family == "poisson" for spec in specs):
        raise UsageError(
            "--dispersion-pooling: Poisson counts have no dispersion to pool",
            "add --family nb2 or nb1",
        )


def _check_population(options: ModelOptions, specs: tuple[ModelSpec, ...]) -> None:
    """Refuse a population where none was asked for."""
    if options.population != "normal" and all(spec.pooling != "partial" for spec in specs):
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
    several = len(tally.conditions) > 1 and tally.responses.size > tally.n_neurons
    if several and not any(spec.is_tuned for spec in specs):
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

"""Which models of estimates to fit, and each of them in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never

from spikepool.config import ModelOptions
from spikepool.data.estimates import Estimates
from spikepool.data.spike_counts import Notice
from spikepool.errors import UsageError
from spikepool.models.identifiability.finding import Finding
from spikepool.models.identifiability.gate import leave_out, notices_of, refuse
from spikepool.models.identifiability.populations import find_one_population, partially_pooled
from spikepool.models.normal_normal import normal_hyperparameters
from spikepool.models.normal_priors import NormalPriors, normal_priors_of
from spikepool.models.populations import POPULATIONS
from spikepool.models.prior_spec import PARAMETERS, prior_notices
from spikepool.models.priors import RootInverseGamma
from spikepool.models.spec import ModelSpec, Pooling

_POOLINGS: tuple[Pooling, ...] = ("none", "complete", "partial")
_BY_PREFERENCE: tuple[Pooling, ...] = ("partial", "none", "complete")


@dataclass(frozen=True)
class NormalPlan:
    """The models of a run.

    Attributes
    ----------
    specs : tuple of ModelSpec
    primary : ModelSpec
        The one whose numbers stand in ``neurons``.
    priors : NormalPriors
        Of all models, in the unit of the estimates.
    notices : tuple of Notice
    findings : tuple of Finding
        What the design cannot tell of these models, and why others were left out.
    """

    specs: tuple[ModelSpec, ...]
    primary: ModelSpec
    priors: NormalPriors
    notices: tuple[Notice, ...]
    findings: tuple[Finding, ...] = ()


def plan_normal_models(options: ModelOptions, estimates: Estimates) -> NormalPlan:
    """Choose the models to fit.

    Parameters
    ----------
    options : ModelOptions
    estimates : Estimates

    Returns
    -------
    NormalPlan

    Raises
    ------
    NotIdentifiableError
        If partial pooling of a single neuron is asked for by name.
    UsageError
        If the options exclude each other, or a prior cannot be used.
    """
    poolings: tuple[Pooling, ...] = options.pooling or _POOLINGS
    if options.population != "normal" and "partial" not in poolings:
        raise UsageError(
            f"--population {options.population}: only partial pooling has a population",
            "add --pooling partial",
        )
    specs = tuple(_spec(pooling, options) for pooling in dict.fromkeys(poolings))
    specs, left_out = leave_out(options, specs, _find(specs, estimates))
    findings = (*left_out, *_find(specs, estimates))
    refuse(options, findings)
    notices = list(prior_notices(options, {name for spec in specs for name in _prior_names(spec)}))
    if estimates.group is not None and len(estimates.group.values) > 1:
        text = f"{len(estimates.group.values):,} groups are fitted as one population"
        notices.append(Notice("groups-merged", text))
    notices += notices_of(findings)
    priors = normal_priors_of(options, estimates)
    return NormalPlan(specs, _primary(options, specs), priors, tuple(notices), findings)


def _find(specs: Sequence[ModelSpec], estimates: Estimates) -> tuple[Finding, ...]:
    pooled = partially_pooled(specs)
    return tuple(find_one_population(pooled, estimates.n_neurons)) if pooled else ()


def _spec(pooling: Pooling, options: ModelOptions) -> ModelSpec:
    population = options.population if pooling == "partial" else "normal"
    return ModelSpec("normal", pooling, None, population)


def _primary(options: ModelOptions, specs: tuple[ModelSpec, ...]) -> ModelSpec:
    if options.primary is None:
        return min(specs, key=lambda spec: _BY_PREFERENCE.index(spec.pooling))
    for spec in specs:
        if options.primary == f"{spec.family}:{spec.pooling}":
            return spec
    fitted = ", ".join(f"{spec.family}:{spec.pooling}" for spec in specs)
    raise UsageError(f"--primary {options.primary} is not among the models fitted: {fitted}")


def _prior_names(spec: ModelSpec) -> tuple[str, ...]:
    return ("theta",) if spec.pooling == "none" else normal_hyperparameters(spec)


def describe_normal_model(
    spec: ModelSpec, priors: NormalPriors, *, in_symbols: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Write a model as text.

    Parameters
    ----------
    spec : ModelSpec
    priors : NormalPriors
    in_symbols : mapping of str to str, optional
        Text of priors whose numbers there is no table to take from.

    Returns
    -------
    str
    """
    return "\n".join([spec.label, *_lines(spec, priors, in_symbols)])


def _lines(spec: ModelSpec, priors: NormalPriors, in_symbols: Mapping[str, str]) -> Iterator[str]:
    texts = {name: in_symbols.get(name, str(priors.of(name))) for name in _prior_names(spec)}
    yield "  estimates   x_i ~ normal(θ_i, σ_i), σ_i the standard error"
    match spec.pooling:
        case "none":
            yield f"  pooling     θ_i ~ {texts['theta']} for each neuron, fixed: no pooling"
            return
        case "complete":
            yield "  pooling     θ_i = μ: complete pooling"
        case "partial":
            yield f"  pooling     {POPULATIONS[spec.population].formula}: partial pooling"
        case _:
            assert_never(spec.pooling)
    label = "priors"
    for name, text in texts.items():
        square = "²" if isinstance(priors.of(name), RootInverseGamma) else ""
        yield f"  {label:<12}{PARAMETERS[name].symbol}{square} ~ {text}"
        label = ""

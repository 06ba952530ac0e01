"""Priors as a user gives them, ``NAME=FAMILY(NUMBERS)``, laid over the defaults."""

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from spikepool.config import ModelOptions
from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.data.wording import did_you_mean, plural, quoted
from spikepool.errors import UsageError
from spikepool.models.priors import (
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    Normal,
    Prior,
    Priors,
    RootInverseGamma,
    Uniform,
    default_priors,
)

EXAMPLE = "tau=half-normal(1)"
_SPEC = re.compile(r"\s*([^=]*?)\s*=\s*([^\s(]+)\s*(?:\(([^()]*)\))?\s*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_JEFFREYS = "jeffreys"
_ANY_SIGN = {"mean", "lower", "upper"}


@dataclass(frozen=True)
class _Form:
    """A family of priors: how it is made, and the names of its numbers."""

    make: Callable[..., Prior]
    arguments: tuple[str, ...]


_FORMS = {
    "normal": _Form(Normal, ("mean", "sd")),
    "half-normal": _Form(HalfNormal, ("scale",)),
    "half-cauchy": _Form(HalfCauchy, ("scale",)),
    "half-student-t": _Form(HalfStudentT, ("nu", "scale")),
    "exponential": _Form(Exponential, ("rate",)),
    "gamma": _Form(Gamma, ("shape", "rate")),
    "inverse-gamma": _Form(InverseGamma, ("shape", "scale")),
    "uniform": _Form(Uniform, ("lower", "upper")),
}
_POSITIVE = tuple(family for family in _FORMS if family != "normal")


@dataclass(frozen=True)
class PriorParameter:
    """A parameter that can be given a prior.

    Attributes
    ----------
    name : str
        In the models and in ``--prior``.
    symbol, meaning : str
        As in ``μ, the mean of the log rates``.
    families : tuple of str
        Those that put probability only where the parameter can be.
    near_zero : str
        What its values near 0 mean; empty for what is no standard deviation.
    """

    name: str
    symbol: str
    meaning: str
    families: tuple[str, ...] = _POSITIVE
    near_zero: str = ""

    @property
    def is_positive(self) -> bool:
        """Whether it has no values below 0."""
        return self.families == _POSITIVE

    @property
    def described(self) -> str:
        """Such as ``mu (the mean of the log rates)``."""
        return f"{self.name} ({self.meaning})"

    @property
    def wanted(self) -> str:
        """The priors that it can have, and an example."""
        forms = (f"{family}({', '.join(_FORMS[family].arguments)})" for family in self.families)
        example = "half-normal(1)" if self.is_positive else "normal(0, 2.5)"
        return f"priors of {self.name} are {', '.join(forms)}; for instance {self.name}={example}"


def _by_name(*parameters: PriorParameter) -> dict[str, PriorParameter]:
    return {each.name: each for each in parameters}


_NEAR_POISSON = "counts close to Poisson"
_TWO_SIDED = ("normal", "uniform")
PARAMETERS = _by_name(
    PriorParameter("mu", "μ", "the mean of the log rates", _TWO_SIDED),
    PriorParameter(
        "tau",
        "τ",
        "the spread of the log rates",
        near_zero="small differences between neurons' rates",
    ),
    PriorParameter("theta", "θ", "each log rate without pooling", ("normal",)),
    PriorParameter("a", "a", "the shape of a gamma population"),
    PriorParameter("b", "b", "the rate of a gamma population"),
    PriorParameter("gain_sd", "σ_G", "the gain sd of NB2", near_zero=_NEAR_POISSON),
    PriorParameter(
        "typical_gain_sd", "exp(μ_δ)", "the typical gain sd of NB2", near_zero=_NEAR_POISSON
    ),
    PriorParameter(
        "root_excess_fano",
        "√ω",
        "the root of the excess Fano factor of NB1",
        near_zero=_NEAR_POISSON,
    ),
    PriorParameter(
        "typical_root_excess_fano",
        "exp(μ_δ)",
        "the typical root of the excess Fano factor of NB1",
        near_zero=_NEAR_POISSON,
    ),
    PriorParameter(
        "tau_delta",
        "τ_δ",
        "the spread of the log dispersions",
        near_zero="small differences between neurons' dispersions",
    ),
    PriorParameter(
        "tuning_sd",
        "ω_b",
        "the spread of one neuron's log rates between conditions",
        near_zero="weak tuning",
    ),
    PriorParameter(
        "drift_sd",
        "ω_d",
        "the spread of one neuron's log rates between blocks of its trials",
        near_zero="little drift",
    ),
    PriorParameter(
        "condition_sd",
        "ω_c",
        "the spread of the effects of conditions on all neurons",
        near_zero="conditions that move all neurons alike",
    ),
    PriorParameter(
        "within_sd",
        "τ_u",
        "the spread of mean log rates between labels within groups",
        near_zero="labels within groups that are much alike",
    ),
    PriorParameter(
        "interaction_sd",
        "τ_v",
        "the spread of what a label within groups adds in one group more than in another",
        near_zero="groups that differ alike in all labels",
    ),
    PriorParameter(
        "within_sd_delta",
        "τ_uδ",
        "the spread of mean log dispersions between labels within groups",
        near_zero="labels within groups that are much alike",
    ),
    PriorParameter(
        "interaction_sd_delta",
        "τ_vδ",
        "the same of log dispersions as interaction_sd",
        near_zero="groups that differ alike in all labels",
    ),
)
"""By name, as models of counts have them."""
_OF_ESTIMATES = PARAMETERS | _by_name(
    PriorParameter("mu", "μ", "the mean of the population", _TWO_SIDED),
    PriorParameter(
        "tau", "τ", "the spread of the population", near_zero="small differences between neurons"
    ),
    PriorParameter("theta", "θ", "what is estimated of each neuron, without pooling", ("normal",)),
)
"""The same, in the words of the family of estimates."""
_ON_THE_SQUARE = {
    *("tau", "tau_delta", "tuning_sd", "drift_sd", "condition_sd", "within_sd"),
    *("interaction_sd", "within_sd_delta", "interaction_sd_delta"),
}
_FIELDS = {"theta": "fixed"}


def priors_of(options: ModelOptions, tally: Tally) -> Priors:
    """Return the priors of a run: the defaults of its table, overruled by the user's.

    Parameters
    ----------
    options : ModelOptions
    tally : Tally

    Returns
    -------
    Priors

    Raises
    ------
    UsageError
        If a text names no parameter or no prior that it can have, saying what there is.
    """
    given = given_priors(options).items()
    fields: dict[str, Any] = {_FIELDS.get(name, name): prior for name, prior in given}
    return replace(default_priors(tally), **fields)


def given_priors(options: ModelOptions) -> dict[str, Prior]:
    """Return the priors that the user gave, by the parameter's name.

    Raises
    ------
    UsageError
        As in `priors_of`.
    """
    given: dict[str, Prior] = {}
    for text in options.prior:
        name, prior = _parsed(text, _parameters(options))
        if name in given:
            raise UsageError(f"--prior: {name} is given two priors", "give it one")
        given[name] = prior
    return given


def tau_prior(text: str) -> Prior:
    """Read a prior of τ that is given without the name, as ``half-normal(1)``.

    Raises
    ------
    UsageError
        As in `priors_of`.
    """
    try:
        return _parsed(f"tau={text}", PARAMETERS)[1]
    except UsageError as error:
        told = error.message.partition(": ")[2]
        hint = error.hint.replace("tau=", "")
        raise UsageError(f"--tau-prior {quoted(text)}: {told}", hint) from error


def prior_notices(options: ModelOptions, used: Collection[str]) -> Iterator[Notice]:
    """Say what a reader should know of the user's priors.

    Parameters
    ----------
    options : ModelOptions
    used : collection of str
        Names of the parameters of the models that are fitted.

    Yields
    ------
    Notice
        For a prior that no model uses, and for an inverse gamma that decides the answer.
    """
    for name, prior in given_priors(options).items():
        parameter = _parameters(options)[name]
        if name not in used:
            text = f"--prior {name}={prior} changes nothing: no model that is fitted has {name}"
            yield Notice("prior-unused", text)
        elif parameter.near_zero and _is_vague_inverse_gamma(prior):
            yield Notice("prior-inverse-gamma", _inverse_gamma_warning(parameter, prior))


def _is_vague_inverse_gamma(prior: Prior) -> bool:
    return isinstance(prior, InverseGamma | RootInverseGamma) and max(prior.shape, prior.scale) < 1


def _inverse_gamma_warning(parameter: PriorParameter, prior: Prior) -> str:
    return (
        f"--prior {parameter.name}={prior} is not neutral: it keeps {parameter.symbol} away from "
        f"0, so that {parameter.near_zero} are ruled out whatever the data say, and where it does "
        "so depends on the numbers chosen; half-cauchy and half-normal do not do this (Gelman 2006)"
    )


def _parameters(options: ModelOptions) -> Mapping[str, PriorParameter]:
    return _OF_ESTIMATES if "normal" in options.family else PARAMETERS


def _parsed(text: str, parameters: Mapping[str, PriorParameter]) -> tuple[str, Prior]:
    """Read ``NAME=FAMILY(NUMBERS)``."""
    match = _SPEC.fullmatch(text)
    if match is None:
        raise _refusal(text, "this is not NAME=FAMILY(NUMBERS)", f"write, for instance, {EXAMPLE}")
    name, family, numbers = match.groups()
    if name not in parameters:
        near = did_you_mean([name], tuple(parameters))
        hint = f"{near}parameters are {', '.join(parameters)}; for instance {EXAMPLE}"
        raise _refusal(text, f"there is no parameter {quoted(name)}", hint)
    parameter = parameters[name]
    if family == _JEFFREYS:
        raise _jeffreys_refusal(text, parameter)
    if family not in _FORMS:
        raise _refusal(text, f"there is no prior {quoted(family)}", parameter.wanted)
    if family not in parameter.families:
        raise _refusal(text, _out_of_place(parameter, family), parameter.wanted)
    prior = _made(text, parameter, family, (numbers or "").split(",") if numbers else [])
    if isinstance(prior, Uniform) and prior.lower < 0 and parameter.is_positive:
        raise _refusal(text, f"{parameter.described} is never negative", "take a lower bound of 0")
    return name, prior


def _made(text: str, parameter: PriorParameter, family: str, numbers: list[str]) -> Prior:
    """Make the prior, if there are as many numbers as it needs, each in its range."""
    form = _FORMS[family]
    if len(numbers) != len(form.arguments):
        wanted = f"{plural(len(form.arguments), 'number')}, {', '.join(form.arguments)}"
        told = f"{family} takes {wanted}; found {len(numbers)}"
        raise _refusal(text, told, parameter.wanted)
    values = [
        _number(text, parameter, argument, number.strip())
        for argument, number in zip(form.arguments, numbers, strict=True)
    ]
    if family == "uniform" and not values[0] < values[1]:
        raise _refusal(text, "lower must be less than upper", f"write {family}({_sorted(values)})")
    if family == InverseGamma.family and parameter.name in _ON_THE_SQUARE:
        return RootInverseGamma(*values)
    return form.make(*values)


def _number(text: str, parameter: PriorParameter, argument: str, written: str) -> float:
    if not _NUMBER.fullmatch(written):
        told = f"{argument} is {quoted(written)}, not a number"
        raise _refusal(text, told, parameter.wanted)
    value = float(written)
    if not math.isfinite(value) or (argument not in _ANY_SIGN and value <= 0):
        wanted = "finite" if argument in _ANY_SIGN else "positive and finite"
        raise _refusal(text, f"{argument} must be {wanted}; found {written}", parameter.wanted)
    return value


def _sorted(values: list[float]) -> str:
    return ", ".join(f"{value:g}" for value in sorted(values))


def _jeffreys_refusal(text: str, parameter: PriorParameter) -> UsageError:
    if not parameter.near_zero:
        return _refusal(text, f"jeffreys is no prior of {parameter.described}", parameter.wanted)
    name, symbol = parameter.name, parameter.symbol
    return _refusal(
        text,
        f"p({symbol}) ∝ 1/{symbol} puts infinite weight on {symbol} → 0, which no data can "
        "outweigh: the posterior is improper, without mean or interval, for any number of neurons",
        f"take {name}=half-cauchy(1) or {name}=half-normal(1), which are finite at 0 (Gelman 2006)",
    )


def _out_of_place(parameter: PriorParameter, family: str) -> str:
    if parameter.is_positive:
        return f"{parameter.described} is never negative, and a {family} prior would let it be"
    families = " or ".join(parameter.families)
    return f"{parameter.described} can have the prior {families}, not {family}"


def _refusal(text: str, reason: str, hint: str) -> UsageError:
    return UsageError(f"--prior {quoted(text)}: {reason}", hint)

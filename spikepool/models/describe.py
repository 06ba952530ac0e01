"""A model in words: its likelihood, its populations and its priors, line by line."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from spikepool.models.families import FAMILIES
from spikepool.models.graph import prior_names
from spikepool.models.populations import POPULATIONS
from spikepool.models.prior_spec import PARAMETERS
from spikepool.models.priors import Priors, RootInverseGamma
from spikepool.models.spec import ModelSpec

_DISPERSION_SYMBOLS = {"nb2": "σ_G", "nb1": "√ω"}


def describe_model(
    spec: ModelSpec, priors: Priors, *, in_symbols: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Write a model as text.

    Parameters
    ----------
    spec : ModelSpec
    priors : Priors
    in_symbols : mapping of str to str, optional
        Text of priors, by parameter, whose numbers there is no table to take from.

    Returns
    -------
    str
    """
    texts = {name: in_symbols.get(name, str(priors.of(name))) for name in prior_names(spec)}
    lines = [
        ("counts", FAMILIES[spec.family].formula),
        *(("log rate", line) for line in _rate_lines(spec, texts)),
        *(("dispersion", line) for line in _dispersion_lines(spec)),
        *(("priors", line) for line in _prior_lines(priors, texts)),
    ]
    return "\n".join([spec.label, *_labelled(lines)])


def _labelled(lines: list[tuple[str, str]]) -> Iterator[str]:
    """Write each label once."""
    before = ""
    for label, line in lines:
        yield f"  {'' if label == before else label:<12}{line}"
        before = label


def _rate_lines(spec: ModelSpec, texts: Mapping[str, str]) -> Iterator[str]:
    match spec.pooling:
        case "none":
            yield f"θ_i ~ {texts['theta']} for each neuron, fixed: no pooling"
        case "complete":
            yield "θ_i = μ: complete pooling"
        case "partial":
            yield f"{POPULATIONS[spec.population].formula}: partial pooling"


def _dispersion_lines(spec: ModelSpec) -> Iterator[str]:
    symbol = _DISPERSION_SYMBOLS.get(spec.family, "")
    match spec.dispersion_pooling:
        case "none":
            yield f"exp(δ_i) = {symbol} of each neuron alone: no pooling"
        case "complete":
            yield f"exp(δ_i) = {symbol}, the same for all: complete pooling"
        case "partial":
            yield f"δ_i = ln {symbol} ~ normal(μ_δ, τ_δ): partial pooling"


def _prior_lines(priors: Priors, texts: Mapping[str, str]) -> Iterator[str]:
    """Write the priors; that of θ stands in its own line."""
    for name, text in texts.items():
        if name != "theta":
            symbol = PARAMETERS[name].symbol
            square = "²" if isinstance(priors.of(name), RootInverseGamma) else ""
            yield f"{symbol}{square} ~ {text}"

"""A model in words: its likelihood, its populations and its priors, line by line."""

from collections.abc import Iterator

from spikepool.models.families import FAMILIES
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec

_DISPERSION_SYMBOLS = {"nb2": "σ_G", "nb1": "√ω"}


def describe_model(spec: ModelSpec, priors: Priors, *, centre: str = "") -> str:
    """Write a model as text.

    Parameters
    ----------
    spec : ModelSpec
    priors : Priors
    centre : str, optional
        Stands for m0, the mean of the prior of μ, where there is no table to take it from.

    Returns
    -------
    str
    """
    prior_of_mu = f"normal({centre}, {priors.mu.sd:g})" if centre else str(priors.mu)
    lines = [
        ("counts", FAMILIES[spec.family].formula),
        *(("log rate", line) for line in _rate_lines(spec, prior_of_mu)),
        *(("dispersion", line) for line in _dispersion_lines(spec)),
        *(("priors", line) for line in _prior_lines(spec, priors, prior_of_mu)),
    ]
    return "\n".join([spec.label, *_labelled(lines)])


def _labelled(lines: list[tuple[str, str]]) -> Iterator[str]:
    """Write each label once."""
    before = ""
    for label, line in lines:
        yield f"  {'' if label == before else label:<12}{line}"
        before = label


def _rate_lines(spec: ModelSpec, prior_of_mu: str) -> Iterator[str]:
    match spec.pooling:
        case "none":
            yield f"θ_i ~ {prior_of_mu} for each neuron, fixed: no pooling"
        case "complete":
            yield "θ_i = μ: complete pooling"
        case "partial":
            yield "θ_i ~ normal(μ, τ): partial pooling"


def _dispersion_lines(spec: ModelSpec) -> Iterator[str]:
    symbol = _DISPERSION_SYMBOLS.get(spec.family, "")
    match spec.dispersion_pooling:
        case "none":
            yield f"exp(δ_i) = {symbol} of each neuron alone: no pooling"
        case "complete":
            yield f"exp(δ_i) = {symbol}, the same for all: complete pooling"
        case "partial":
            yield f"δ_i = ln {symbol} ~ normal(μ_δ, τ_δ): partial pooling"


def _prior_lines(spec: ModelSpec, priors: Priors, prior_of_mu: str) -> Iterator[str]:
    symbol = _DISPERSION_SYMBOLS.get(spec.family, "")
    if spec.pooling != "none":
        yield f"μ ~ {prior_of_mu}"
    if spec.pooling == "partial":
        yield f"τ ~ {priors.tau}"
    match spec.dispersion_pooling:
        case "none" | "complete":
            yield f"{symbol} ~ {priors.dispersion}"
        case "partial":
            yield f"exp(μ_δ) ~ {priors.dispersion}"
            yield f"τ_δ ~ {priors.tau_delta}"

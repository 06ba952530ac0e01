"""A model in words: its likelihood, its populations and its priors, line by line."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from spikepool.data.wording import listed
from spikepool.models.families import family_of
from spikepool.models.graph import prior_names
from spikepool.models.populations import POPULATIONS
from spikepool.models.prior_spec import PARAMETERS
from spikepool.models.priors import RATE_SD, Priors, RootInverseGamma
from spikepool.models.spec import ModelSpec
from spikepool.models.within import effects_of

_DISPERSION_SYMBOLS = {"nb2": "σ_G", "nb1": "√ω"}


def describe_model(
    spec: ModelSpec,
    priors: Priors,
    *,
    in_symbols: Mapping[str, str] = MappingProxyType({}),
    groups: Sequence[str] = (),
) -> str:
    """Write a model as text.

    Parameters
    ----------
    spec : ModelSpec
    priors : Priors
    in_symbols : mapping of str to str, optional
        Text of priors, by parameter, whose numbers there is no table to take from.
    groups : sequence of str, optional
        Names of the table's groups, where there are several.

    Returns
    -------
    str
    """
    texts = {name: in_symbols.get(name, str(priors.of(name))) for name in prior_names(spec)}
    lines = [
        ("counts", family_of(spec).formula),
        *(("log rate", line) for line in _rate_lines(spec, texts)),
        *(("drift" if spec.drifting else "conditions", line) for line in _condition_lines(spec)),
        *(("dispersion", line) for line in _dispersion_lines(spec)),
        *(("within", line) for line in _within_lines(spec)),
        *(("priors", line) for line in _prior_lines(priors, texts)),
        *(("groups", line) for line in _group_lines(spec, texts, groups)),
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


def _condition_lines(spec: ModelSpec) -> Iterator[str]:
    if spec.drifting:
        partial = spec.condition_pooling == "partial"
        spread, pooling = ("ω_d", "partial") if partial else (f"{RATE_SD:g}", "no")
        yield (
            f"θ_ib ~ normal(θ_i, {spread}) in block b of the neuron's trials, for θ_i in the "
            f"counts: {pooling} pooling"
        )
        return
    match spec.condition_pooling:
        case "none":
            spread = f"{RATE_SD:g}"
            yield f"θ_ic ~ normal(θ_i, {spread}) in condition c, for θ_i in the counts: no pooling"
        case "complete":
            yield "all alike, as repeats: complete pooling"
        case "partial":
            centre = "θ_i + c_c" if spec.condition_effects else "θ_i"
            yield (
                f"θ_ic ~ normal({centre}, ω_b) in condition c, for θ_i in the counts: "
                "partial pooling"
            )
            if spec.condition_effects:
                yield "c_c ~ normal(0, ω_c), what condition c adds in all neurons; their sum is 0"


def _dispersion_lines(spec: ModelSpec) -> Iterator[str]:
    symbol = _DISPERSION_SYMBOLS.get(spec.family, "")
    match spec.dispersion_pooling:
        case "none":
            yield f"exp(δ_i) = {symbol} of each neuron alone: no pooling"
        case "complete":
            yield f"exp(δ_i) = {symbol}, the same for all: complete pooling"
        case "partial":
            yield f"δ_i = ln {symbol} ~ normal(μ_δ, τ_δ): partial pooling"


def _within_lines(spec: ModelSpec) -> Iterator[str]:
    """Say what labels within groups add."""
    match spec.within:
        case "crossed":
            yield "μ is μ_g + u_a + v_ga in group g with label a: crossed labels"
            yield "u_a ~ normal(0, τ_u), v_ga ~ normal(0, τ_v)"
        case "nested":
            yield "μ is μ_g + u_a in group g with label a, which is in no other: nested labels"
            yield "u_a ~ normal(0, τ_u)"
    if spec.within is not None and spec.dispersion_pooling == "partial":
        spreads = (
            PARAMETERS[each.sd].symbol for each in effects_of(spec) if each.adds_to == "mu_delta"
        )
        yield f"the same of μ_δ, with {' and '.join(spreads)}"


def _group_lines(spec: ModelSpec, texts: Mapping[str, str], groups: Sequence[str]) -> Iterator[str]:
    """Say what each group has of its own."""
    if len(groups) < 2:
        return
    yield listed(groups)
    if not spec.pools:
        yield "nothing is shared between neurons: groups make no difference"
        return
    own = {"typical_gain_sd": "μ_δ", "typical_root_excess_fano": "μ_δ"}
    alone = {"theta", *(effect.sd for effect in effects_of(spec))}
    alone |= {family_of(spec).dispersion_name} if _each_alone(spec) else set()
    named = [own.get(name, PARAMETERS[name].symbol) for name in texts if name not in alone]
    yield f"each has its own {', '.join(named)}, with these priors"


def _each_alone(spec: ModelSpec) -> bool:
    return spec.dispersion_pooling == "none"


def _prior_lines(priors: Priors, texts: Mapping[str, str]) -> Iterator[str]:
    """Write the priors; that of θ stands in its own line."""
    for name, text in texts.items():
        if name != "theta":
            symbol = PARAMETERS[name].symbol
            square = "²" if isinstance(priors.of(name), RootInverseGamma) else ""
            yield f"{symbol}{square} ~ {text}"

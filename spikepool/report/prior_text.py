"""What priors alone say of a neuron: quantiles as rows, as JSON and in words."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from spikepool import __version__
from spikepool.data.spike_counts import RateUnit
from spikepool.models.graph import prior_names
from spikepool.models.prior_predictive import NeuronDesign, PriorPredictive
from spikepool.models.priors import Priors
from spikepool.report.columns import Column, number, text
from spikepool.report.summary_parts import Json
from spikepool.report.text_parts import Summary

QUANTILES: Final = {
    "lower_95": 0.025,
    "lower_50": 0.25,
    "median": 0.5,
    "upper_50": 0.75,
    "upper_95": 0.975,
}
_WIDTH: Final = 26
QUANTITIES: Final = ("rate", "fano", "own_weight", "tuning_strength")

PRIOR_PREDICTIVE: tuple[Column, ...] = (
    text("model", "The model."),
    text(
        "quantity",
        "rate: λ = exp θ of a neuron, with conditions its mean over them; fano: Fano factor of its "
        "counts (within a condition); own_weight: κ = τ²/(τ² + σ²) with σ² = Var(y)/(n m²) of n "
        "trials, with conditions 1/σ² = Σ_c 1/(ω_b² + σ_c²); tuning_strength: sd (n − 1) of the "
        "log rates between conditions. With --drift-block blocks of trials stand for conditions.",
    ),
    text("unit", "Of the quantity. Empty: it has none."),
    *(
        number(name, "of the quantity", f"Quantile {100 * mass:g} % of the prior.")
        for name, mass in QUANTILES.items()
    ),
)


def prior_rows(predicted: Sequence[PriorPredictive], rate_unit: RateUnit) -> Iterator[Json]:
    """Yield a row for every model and quantity, as `PRIOR_PREDICTIVE` describes them."""
    for each in predicted:
        for name in QUANTITIES:
            values = getattr(each, name)
            if values is None:
                continue
            quantiles = np.quantile(values, [*QUANTILES.values()])
            yield {
                "model": each.spec.label,
                "quantity": name,
                "unit": {"rate": rate_unit, "tuning_strength": "ln"}.get(name),
                **dict(zip(QUANTILES, quantiles.tolist(), strict=True)),
            }


def prior_as_json(
    predicted: Sequence[PriorPredictive],
    priors: Priors,
    design: NeuronDesign,
    rate_unit: RateUnit,
) -> Json:
    """Return the priors and what they say of a neuron as JSON."""
    specs = [each.spec for each in predicted]
    return {
        "spikepool": __version__,
        "trials": design.trials,
        "exposure": design.exposure,
        "conditions": design.conditions,
        "response_kind": design.response_kind,
        "rate_unit": rate_unit,
        "priors": {
            spec.label: {name: f"{priors.of(name)}" for name in prior_names(spec)} for spec in specs
        },
        "quantiles": list(prior_rows(predicted, rate_unit)),
    }


def prior_lines(found: Summary) -> Iterator[str]:
    """Tell what the priors of every model say of a neuron.

    Parameters
    ----------
    found : dict
        What ``spikepool prior --json`` prints.

    Yields
    ------
    str
    """
    design = NeuronDesign(
        found["trials"], found["exposure"], found["conditions"], found["response_kind"]
    )
    yield f"before any data, a neuron with {design.told(found['rate_unit'])}; quantiles"
    for label, priors in found["priors"].items():
        told = ", ".join(f"{name} ~ {prior}" for name, prior in priors.items())
        yield ""
        yield f"{label}: {told}"
        yield f"  {'':<{_WIDTH}}" + "".join(f"{f'{100 * q:g} %':>11}" for q in QUANTILES.values())
        for row in found["quantiles"]:
            if row["model"] == label:
                yield _line(row, design)


def _line(row: Summary, design: NeuronDesign) -> str:
    unit = f" ({row['unit']})" if row["unit"] else ""
    cells = "".join(f"{row[name]:>11.3g}" for name in QUANTILES)
    told = {
        "rate": "rate",
        "fano": "Fano factor",
        "own_weight": "own weight κ",
        "tuning_strength": f"sd between {design.response_kind}s",
    }
    return f"  {told[row['quantity']] + unit:<{_WIDTH}}{cells}"

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
_QUANTITIES: Final = {"rate": "rate", "fano": "Fano factor", "own_weight": "own weight κ"}

PRIOR_PREDICTIVE: tuple[Column, ...] = (
    text("model", "The model."),
    text(
        "quantity",
        "rate: λ = exp θ of a neuron; fano: Fano factor of its counts; own_weight: "
        "κ = τ²/(τ² + σ²) with σ² = Var(y)/(n m²) of n trials.",
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
        for name in _QUANTITIES:
            quantiles = np.quantile(getattr(each, name), [*QUANTILES.values()])
            yield {
                "model": each.spec.label,
                "quantity": name,
                "unit": rate_unit if name == "rate" else None,
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
    seconds = f" of {found['exposure']:.3g} s" if found["rate_unit"] == "spikes/s" else ""
    yield f"before any data, a neuron with {found['trials']} trials{seconds}; quantiles"
    for label, priors in found["priors"].items():
        told = ", ".join(f"{name} ~ {prior}" for name, prior in priors.items())
        yield ""
        yield f"{label}: {told}"
        yield f"  {'':<22}" + "".join(f"{f'{100 * q:g} %':>11}" for q in QUANTILES.values())
        for row in found["quantiles"]:
            if row["model"] == label:
                yield _line(row)


def _line(row: Summary) -> str:
    unit = f" ({row['unit']})" if row["unit"] else ""
    cells = "".join(f"{row[name]:>11.3g}" for name in QUANTILES)
    return f"  {_QUANTITIES[row['quantity']] + unit:<22}{cells}"

"""Results of the table's own units, brought into the unit of the estimates."""

from collections.abc import Mapping

from spikepool.data.spike_counts import FloatArray
from spikepool.models.normal_priors import Unit
from spikepool.posterior.results import Summary


def summary_in_unit(summary: Summary, unit: Unit) -> Summary:
    """Bring a summary of every θ_i into the estimates' unit."""
    return Summary(
        mean=unit.centre + unit.scale * summary.mean,
        median=unit.centre + unit.scale * summary.median,
        sd=unit.scale * summary.sd,
        lower=unit.centre + unit.scale * summary.lower,
        upper=unit.centre + unit.scale * summary.upper,
    )


def hyperparameters_in_unit(phi: Mapping[str, FloatArray], unit: Unit) -> dict[str, FloatArray]:
    """Bring values of μ and τ, of any shape, into the estimates' unit."""
    return {
        name: unit.scale * values + (unit.centre if name == "mu" else 0.0)
        for name, values in phi.items()
    }

"""A run of estimates with standard errors: what it reads, plans and reports.

What only a fit needs is imported when it is used, so that reading and planning are quick.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, override

from spikepool.config import RunConfig
from spikepool.data.estimates import Estimates
from spikepool.data.read_estimates import read_estimates
from spikepool.models.normal_plan import NormalPlan, plan_normal_models
from spikepool.progress import Progress
from spikepool.report.normal_summary import summarise_estimates, summarise_normal_run
from spikepool.report.summary_parts import Json
from spikepool.runs.interface import RunPlan
from spikepool.runs.loading import loading

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from spikepool.report.normal_results import NormalResults
    from spikepool.report.pictures import Picture
    from spikepool.report.posterior_file import StoredDraws


@dataclass(frozen=True)
class EstimatePlan(RunPlan[Estimates, NormalPlan, "NormalResults"]):
    """A table of estimates that was read, and the models that would be fitted to it."""

    @override
    def data(self) -> Json:
        return summarise_estimates(self.table)

    @override
    def fit(self, progress: Progress) -> "NormalResults":
        with loading("pymc"):
            import pymc  # noqa: F401

            from spikepool.runs.estimate_fits import fit_normal_models

        return fit_normal_models(self, progress)

    @override
    def summarise(self, results: "NormalResults", seconds: float) -> Json:
        return summarise_normal_run(results, self.config, seconds)

    @override
    def tables(self, results: "NormalResults") -> "dict[str, pa.Table]":
        from spikepool.report.normal_tables import make_normal_tables

        return make_normal_tables(results)

    @override
    def draws(self, results: "NormalResults") -> "Iterator[StoredDraws]":
        from spikepool.report.normal_draws import draws_of_estimates

        return draws_of_estimates(results)

    @override
    def pictures(self, results: "NormalResults") -> "Iterator[Picture]":
        from spikepool.report.normal_pictures import pictures_of_estimates

        return pictures_of_estimates(results, self.config.report.interval)


def plan_estimates(config: RunConfig) -> EstimatePlan:
    """Read the tables and choose the models; nothing is fitted or written."""
    estimates = read_estimates(config.input)
    return EstimatePlan(config, estimates, plan_normal_models(config.model, estimates))

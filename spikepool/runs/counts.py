"""A run of spike counts: what it reads, plans and reports.

What only a fit needs is imported when it is used, so that reading and planning are quick.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, override

from spikepool.config import RunConfig
from spikepool.data.read import read_counts
from spikepool.data.spike_counts import Notice, SpikeCounts
from spikepool.data.tally import Tally, tally_counts
from spikepool.models.holdout_plan import check_holdout
from spikepool.models.plan import ModelPlan, plan_models, refuse_collapsed
from spikepool.progress import Progress
from spikepool.report.count_reading import summarise_data
from spikepool.report.summary_parts import Json
from spikepool.runs.interface import RunPlan
from spikepool.runs.loading import loading
from spikepool.runs.table_checks import TableChecks, check_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from spikepool.report.pictures import Picture
    from spikepool.report.posterior_file import StoredDraws
    from spikepool.report.run_results import RunResults


@dataclass(frozen=True)
class CountPlan(RunPlan[SpikeCounts, ModelPlan, "RunResults"]):
    """A table of counts that was read, and the models that would be fitted to it.

    Attributes
    ----------
    tally : Tally
    checks : TableChecks
        Of the table, before any fit.
    """

    tally: Tally
    checks: TableChecks

    @property
    @override
    def notices(self) -> tuple[Notice, ...]:
        return (*super().notices, *self.checks.notices)

    @override
    def data(self) -> Json:
        return summarise_data(self.table, self.tally)

    @override
    def fit(self, progress: Progress) -> "RunResults":
        with loading("pymc"):
            # before much else is loaded: its lazy loader looks through every module there is
            import arviz_base  # noqa: F401
            import pymc  # noqa: F401

            from spikepool.runs.count_fits import fit_models

        return fit_models(self, self.tally, self.checks, progress)

    @override
    def summarise(self, results: "RunResults", seconds: float) -> Json:
        from spikepool.report.summary import summarise_run

        return summarise_run(results, self.config, seconds)

    @override
    def tables(self, results: "RunResults") -> "dict[str, pa.Table]":
        from spikepool.report.tables import make_tables

        return make_tables(results)

    @override
    def draws(self, results: "RunResults") -> "Iterator[StoredDraws]":
        from spikepool.report.count_draws import draws_of_counts

        return draws_of_counts(results, self.config.engine.draws)

    @override
    def pictures(self, results: "RunResults") -> "Iterator[Picture]":
        from spikepool.report.count_pictures import pictures_of_counts

        return pictures_of_counts(results, self.config.report.interval)


def plan_counts(config: RunConfig) -> CountPlan:
    """Read the tables and choose the models; nothing is fitted or written."""
    counts = read_counts(config.input)
    tally = tally_counts(counts)
    baseline = tally_counts(counts.baseline.counts) if counts.baseline else None
    models = plan_models(config.model, tally, baseline)
    check_holdout(config.report, tally)
    for spec in models.specs:
        refuse_collapsed(config.engine, spec)
    return CountPlan(config, counts, models, tally, check_table(counts, config))

"""What `spikepool fit` prints: the summary of a run, or its plan."""

from pathlib import Path

from spikepool.data.wording import shown_path
from spikepool.errors import UsageError
from spikepool.normal_pipeline import NormalRunPlan
from spikepool.pipeline import RunOutcome, RunPlan
from spikepool.report.log import computation_lines
from spikepool.report.normal_summary import (
    estimate_lines,
    is_of_estimates,
    normal_computation_lines,
    normal_summary_lines,
)
from spikepool.report.summary_text import data_lines, last_line, notice_lines, summary_lines


def required_output(output: Path | None) -> Path:
    """Return the output folder, which only ``--dry-run`` can do without."""
    if output is None:
        raise UsageError("no output folder was given", "name it with -o, such as -o results")
    return output


def show_outcome(outcome: RunOutcome, *, quiet: bool, verbose: bool) -> None:
    """Print a finished run on standard output."""
    place = shown_path(str(outcome.folder))
    if outcome.was_there:
        print(f"{place} holds this very run, complete: nothing was done")
        return
    if quiet:
        print(last_line(outcome.summary, place))
        return
    if is_of_estimates(outcome.summary):
        lines = normal_summary_lines(outcome.summary, place)
        if verbose:
            lines[-1:-1] = [*normal_computation_lines(outcome.summary), ""]
        print("\n".join(lines))
        return
    lines = summary_lines(outcome.summary, place)
    if verbose:
        models = outcome.summary["models"]
        assert isinstance(models, list)  # noqa: S101 - the summary's schema
        lines[-1:-1] = [*computation_lines([m for m in models if isinstance(m, dict)]), ""]
    print("\n".join(lines))


def show_plan(plan: RunPlan | NormalRunPlan, output: Path | None) -> None:
    """Print what would be fitted and written."""
    shown = plan.as_json()
    reading = estimate_lines if isinstance(plan, NormalRunPlan) else data_lines
    for line in (*reading(shown["data"]), *notice_lines(shown["notices"])):
        print(line)
    for spec in plan.models.specs:
        print(f"fit     {spec.label}{' *' if spec == plan.models.primary else ''}")
    print(f"write   {shown_path(str(output)) if output else 'nowhere: no -o given'}")

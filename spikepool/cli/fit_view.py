"""What `spikepool fit` prints: the summary of a run, or its plan."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikepool.data.wording import shown_path
from spikepool.errors import UsageError
from spikepool.report.summary_text import data_lines, last_line, notice_lines, summary_lines

if TYPE_CHECKING:
    from spikepool.pipeline import RunOutcome
    from spikepool.runs.interface import RunPlan


def required_output(output: Path | None) -> Path:
    """Return the output folder, which only ``--dry-run`` can do without."""
    if output is None:
        raise UsageError("no output folder was given", "name it with -o, such as -o results")
    return output


def show_outcome(outcome: "RunOutcome", *, quiet: bool, verbose: bool) -> None:
    """Print a finished run on standard output."""
    place = shown_path(str(outcome.folder))
    if outcome.was_there:
        print(f"{place} holds this very run, complete: nothing was done")
    elif quiet:
        print(last_line(outcome.summary, place))
    else:
        print("\n".join(summary_lines(outcome.summary, place, verbose=verbose)))


def show_plan(plan: "RunPlan[Any, Any, Any]", output: Path | None) -> None:
    """Print what would be fitted and written."""
    shown = plan.as_json()
    for line in (*data_lines(shown["data"]), *notice_lines(shown["notices"])):
        print(line)
    for spec in plan.models.specs:
        print(f"fit     {spec.label}{' *' if spec == plan.models.primary else ''}")
    print(f"write   {shown_path(str(output)) if output else 'nowhere: no -o given'}")

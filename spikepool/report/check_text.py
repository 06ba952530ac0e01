"""What a design can tell, in words: what `spikepool check` prints."""

from collections.abc import Iterator
from typing import Final

from spikepool.data.wording import listed, plural
from spikepool.report.summary_text import data_lines, notice_lines
from spikepool.report.text_parts import Summary

_MARKS: Final = {"refused": "✗", "left_out": "–", "weak": "!", "enough": "·"}
_ENDS: Final = {
    "refused": "REFUSED  fit ends with exit code 4; --allow-unidentified fits and marks what it "
    "cannot tell",
    "allowed": "REFUSED  but --allow-unidentified fits it, and marks what it cannot tell",
    "weak": "WEAK  fit runs; what is weak or left out above is decided by priors, or not fitted",
    "weak_neurons": "OK  populations can be told; neurons that are weak alone lean on the others",
    "enough": "OK  everything asked for can be told",
}
_VERDICTS: Final = {
    "refused": "cannot be told",
    "left_out": "cannot be told, and is left out",
    "weak": "told weakly",
    "enough": "can be told",
}


def check_lines(check: Summary) -> list[str]:
    """Tell what was read, what the rules found, and what can be told.

    Parameters
    ----------
    check : dict
        What ``spikepool check --json`` prints.

    Returns
    -------
    list of str
    """
    models = (
        f"{label}{' *' if label == check['primary'] else ''}" for label in check["model_labels"]
    )
    return [
        *data_lines(check["data"]),
        *notice_lines(check["notices"]),
        f"models  {', '.join(models)}",
        "",
        *(line for finding in check["findings"] for line in _finding_lines(finding)),
        *([""] if check["findings"] else []),
        *(_verdict_line(verdict, check["data"]["neurons"]) for verdict in check["verdicts"]),
        "",
        _ENDS[check["status"]],
    ]


def _finding_lines(finding: Summary) -> Iterator[str]:
    yield f"{_MARKS[finding['severity']]} {finding['message']}"
    if finding["severity"] == "enough":
        return
    if finding["scope"] == "neuron":
        yield f"    such as {listed(_example(each, finding) for each in finding['least'])}"
    if finding["remedy"]:
        median = finding["median_trials_wanted"]
        trials = "" if median is None else f" (the median one: {median:,.0f} trials)"
        yield f"    → {finding['remedy']}{trials}"


def _example(each: Summary, finding: Summary) -> str:
    """Name a neuron with its figure, and how many trials would do, where that is known."""
    name = listed([each["name"]])
    if finding["median_trials_wanted"] is None:
        return name
    wanted = each["trials_wanted"]
    more = "" if wanted is None else f"; {wanted:,.0f} trials would do"
    return f"{name} ({each['found']:.3g} of {finding['wanted']:.0f}{more})"


def _verdict_line(verdict: Summary, neurons: int) -> str:
    told = _VERDICTS[verdict["verdict"]]
    if verdict["reasons"]:
        told += f": {'; '.join(dict.fromkeys(verdict['reasons']))}"
    if verdict["weak_neurons"]:
        told += f" · weakly of {verdict['weak_neurons']:,} of {plural(neurons, 'neuron')} alone"
    return f"{verdict['quantity']:<18}{told}"

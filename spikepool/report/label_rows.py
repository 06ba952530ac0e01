"""What labels that no model uses may explain: for the table `labels` and for the summary."""

from collections.abc import Iterator

from spikepool.diagnostics.dispersion_share import condition_option
from spikepool.diagnostics.exchangeability import group_option
from spikepool.report.run_results import RunResults


def label_rows(results: RunResults) -> Iterator[dict[str, object]]:
    """Yield one row per label and per what it may explain.

    Parameters
    ----------
    results : RunResults

    Yields
    ------
    dict of str to object
        By the columns of `labels`, and `option`: what would make the models use the label. A
        number that is not defined is NaN.
    """
    conditions = [factor.name for factor in results.counts.factors]
    for share in results.shares:
        yield {
            "label": share.label,
            "quantity": "dispersion_share",
            "option": condition_option(share.label, conditions),
            "levels": share.levels,
            "neurons": share.neurons,
            "estimate": share.share,
            "estimate_se": share.standard_error,
            "pvalue": share.pvalue,
            "pvalue_adjusted": share.pvalue_adjusted,
            "noticed": share.noticed,
        }
    groups = [column for role, column in results.counts.recognised if role == "group"]
    for test in results.exchangeability:
        yield {
            "label": test.label,
            "quantity": test.quantity,
            "option": group_option(test.label, groups),
            "levels": test.levels,
            "neurons": test.neurons,
            "estimate": test.between,
            "estimate_se": float("nan"),
            "pvalue": test.pvalue,
            "pvalue_adjusted": test.pvalue_adjusted,
            "noticed": test.noticed,
        }

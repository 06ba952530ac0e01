"""The pictures of a run of estimates."""

from collections.abc import Iterator

from spikepool.report.identifiability import is_identified
from spikepool.report.normal_results import NormalResults
from spikepool.report.pictures import Picture
from spikepool.report.plots.about import AboutEstimates


def pictures_of_estimates(results: NormalResults, interval: float) -> Iterator[Picture]:
    """Prepare the shrinkage picture of the pooled model, and the forest of the primary one.

    Parameters
    ----------
    results : NormalResults
    interval : float
        Mass of the intervals drawn.

    Yields
    ------
    Picture
    """
    from scipy.special import ndtri

    from spikepool.report.plots.estimates import prepare_estimates

    reach, primary = float(ndtri((1 + interval) / 2)), results.primary_model
    pooled = next((fit for fit in results.models if fit.spec.pooling == "partial"), primary)
    for name, fit in (("shrinkage", pooled), ("forest", primary)):
        doubt = "" if is_identified(fit.spec, results.findings) else " (not identified)"
        about = AboutEstimates(fit.spec.label + doubt, results.estimates.n_neurons, interval)
        yield Picture(name, about, prepare_estimates(results.estimates, fit.posterior, reach))

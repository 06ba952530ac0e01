"""The pictures of a run of estimates, as the bytes of files, with the numbers behind them."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from spikepool.report.normal_results import NormalResults
from spikepool.report.pictures import DATA_FOLDER, FOLDER

if TYPE_CHECKING:
    from spikepool.report.plots.canvas import ImageFormat


def render_normal_pictures(
    results: NormalResults, interval: float, formats: Iterable["ImageFormat"]
) -> Iterator[tuple[str, bytes]]:
    """Yield the shrinkage picture of the pooled model, and the forest of the primary one.

    Parameters
    ----------
    results : NormalResults
    interval : float
        Mass of the intervals drawn.
    formats : iterable of {'png', 'svg', 'pdf'}

    Yields
    ------
    tuple of (str, bytes)
        Path in the output folder, and content.
    """
    from scipy.special import ndtri

    from spikepool.report.plots.canvas import render
    from spikepool.report.plots.estimates import (
        AboutEstimates,
        draw_estimate_forest,
        draw_estimate_shrinkage,
        prepare_estimates,
    )
    from spikepool.report.plots.numbers import to_csv
    from spikepool.report.plots.style import PlotStyle

    reach, style, formats = float(ndtri((1 + interval) / 2)), PlotStyle(), tuple(formats)
    pooled = next(
        (fit for fit in results.fits if fit.spec.pooling == "partial"), results.primary_fit
    )
    for name, fit, draw in (
        ("shrinkage", pooled, draw_estimate_shrinkage),
        ("forest", results.primary_fit, draw_estimate_forest),
    ):
        n = results.estimates.n_neurons
        about = AboutEstimates(fit.spec.label, n, n, "spikes/trial", interval)
        data = prepare_estimates(results.estimates, fit.posterior, reach)
        yield f"{DATA_FOLDER}/{name}.csv", to_csv(data).encode()
        figure = draw(data, about, style)
        for image_format in formats:
            yield f"{FOLDER}/{name}.{image_format}", render(figure, image_format, style)

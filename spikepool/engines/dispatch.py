"""From the name of an engine to its posterior."""

from typing import assert_never

from spikepool.config import EngineOptions
from spikepool.data.tally import Tally
from spikepool.engines.nuts import sample_posterior
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import PosteriorDraws
from spikepool.progress import Progress


def compute_posterior(
    spec: ModelSpec, tally: Tally, priors: Priors, options: EngineOptions, progress: Progress
) -> PosteriorDraws:
    """Compute the posterior of one model with the engine asked for.

    Parameters
    ----------
    spec : ModelSpec
    tally : Tally
    priors : Priors
    options : EngineOptions
    progress : Progress

    Returns
    -------
    PosteriorDraws
    """
    match options.engine:
        case "auto" | "nuts":
            return sample_posterior(spec, tally, priors, options, progress)
    assert_never(options.engine)

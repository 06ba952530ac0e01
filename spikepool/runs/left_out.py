"""Densities of what is left out of a fit: the engine's own, or those that its draws give."""

from spikepool.data.tally import Tally
from spikepool.diagnostics.psis import Refit, leave_out_trials
from spikepool.engines.collapsed.leave_out_lattice import MOST_CELLS
from spikepool.posterior.draws import PosteriorDraws
from spikepool.posterior.quadrature import LeaveOut
from spikepool.progress import Progress
from spikepool.runs.part_fits import FitSettings, PartFit, fit_checked, seeded, smaller_steps


def left_out_of(fit: PartFit, settings: FitSettings, progress: Progress) -> LeaveOut:
    """Return what a fit predicts of every trial, and of every neuron, from all others.

    Parameters
    ----------
    fit : PartFit
    settings : FitSettings
        Those that it was fitted with.
    progress : Progress

    Returns
    -------
    LeaveOut
    """
    quadrature = fit.posterior.quadrature
    if quadrature is not None and quadrature.leave_out is not None:
        return quadrature.leave_out
    refit = _refit(fit, settings, progress)
    return leave_out_trials(fit.posterior.draws, fit.part.tally, refit)


def _refit(fit: PartFit, settings: FitSettings, progress: Progress) -> Refit | None:
    """Return what samples a model of a small table again; None of large ones, or on failure."""
    engine = seeded(settings.config.engine, fit.part)
    small = len(fit.part.tally.count) <= MOST_CELLS
    if not (small and engine.retry and fit.convergence.passed):
        return None
    spec = fit.posterior.draws.spec
    careful = {"engine": "nuts", "target_accept": smaller_steps(engine.target_accept)}
    options = engine.model_copy(update=careful)
    label = settings.label(spec, fit.part)

    def sample(tally: Tally) -> PosteriorDraws | None:
        of_rest = f"{label} without a trial"
        rest, convergence = fit_checked(spec, tally, settings, options, of_rest, [], progress)
        return rest.draws if convergence.passed else None

    return sample

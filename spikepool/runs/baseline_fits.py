"""The fits of a baseline: each model once more, of the trials without a stimulus."""

from collections.abc import Sequence
from dataclasses import replace

from spikepool.config import RunConfig
from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.engines.seeds import baseline_seed
from spikepool.models.baseline_plan import BaselinePlan, baseline_spec
from spikepool.models.spec import ModelSpec
from spikepool.posterior.evoked import DrawnRates, compare_with_baseline
from spikepool.posterior.groups import Part, merge_draws, merge_estimates, parts_of
from spikepool.posterior.population import summarise_population
from spikepool.progress import Progress
from spikepool.report.run_results import BaselineFit
from spikepool.runs.part_fits import FitSettings, PartFit, fit_parts, group_fit


def fit_baseline(
    stimuli: DrawnRates,
    spec: ModelSpec,
    plan: BaselinePlan,
    config: RunConfig,
    notices: list[Notice],
    progress: Progress,
    *,
    keep: bool,
) -> BaselineFit:
    """Fit a model to the trials without a stimulus, and compare the responses with it.

    Parameters
    ----------
    stimuli : DrawnRates
        The same model of the stimuli.
    spec : ModelSpec
        Of the stimuli.
    plan : BaselinePlan
    config : RunConfig
    notices : list of Notice
    progress : Progress
    keep : bool
        Whether the draws are still needed.

    Returns
    -------
    BaselineFit
    """
    spec, interval = baseline_spec(spec), config.report.interval
    parts = _parts(spec, plan.tally, stimuli.tally)
    settings = FitSettings(_seeded(config), plan.priors, of="baseline")
    fits = fit_parts(spec, parts, settings, notices, progress)
    without = _drawn(parts, fits, plan.tally)
    return BaselineFit(
        spec=spec,
        engine=fits[0].engine,
        population=tuple(
            parameter
            for fit in fits
            for parameter in summarise_population(fit.posterior, interval, fit.part.name)
        ),
        groups=tuple(group_fit(fit.part.name, fit) for fit in fits),
        evoked=compare_with_baseline(stimuli, without, interval, settings.config.engine.seed),
        neurons=plan.tally.neurons,
        draws=without.draws if keep else None,
    )


def _parts(spec: ModelSpec, tally: Tally, stimuli: Tally) -> tuple[Part, ...]:
    """Take a baseline apart; the only group that has one, of several, keeps its name."""
    parts = parts_of(spec, tally)
    if spec.pools and len(tally.groups) == 1 < len(stimuli.groups):
        return (replace(parts[0], name=tally.groups[0]),)
    return parts


def _seeded(config: RunConfig) -> RunConfig:
    """Give the baseline random numbers of its own."""
    engine = config.engine.model_copy(update={"seed": baseline_seed(config.engine.seed)})
    return config.model_copy(update={"engine": engine})


def _drawn(parts: Sequence[Part], fits: Sequence[PartFit], tally: Tally) -> DrawnRates:
    draws = merge_draws(parts, [fit.posterior.draws for fit in fits])
    return DrawnRates(draws, tally, merge_estimates(parts, [fit.estimates for fit in fits]))

"""The fit of one model to its parts: the groups, or the whole table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from spikepool.config import EngineOptions, RunConfig
from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.data.wording import listed
from spikepool.diagnostics.convergence import Convergence, check_convergence
from spikepool.diagnostics.cross_check import CrossCheck, compare_engines
from spikepool.engines.dispatch import compute_posterior
from spikepool.engines.seeds import group_seed
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import Posterior
from spikepool.posterior.groups import Part, merge_estimates
from spikepool.posterior.results import NeuronEstimates
from spikepool.posterior.summaries import summarise_neurons
from spikepool.posterior.summary import SummaryOptions
from spikepool.posterior.within import posteriors_of_pairs
from spikepool.progress import Progress
from spikepool.report.run_results import GroupFit

MORE_DRAWS = 4
"""How many times the draws a second run takes, where the first mixed too slowly."""
MOST_VALUES = 20_000_000
"""Draws × neurons, or responses, that a second run may take (160 MB for each parameter)."""
SMALLER_STEPS = 10
"""By how much a second run divides the rejection rate, where the first diverged."""


@dataclass(frozen=True)
class FitSettings:
    """What the fits of a table have in common.

    Attributes
    ----------
    config : RunConfig
    priors : Priors
    of : str
        What is fitted, where that is not the stimuli: put after the model's name.
    """

    config: RunConfig
    priors: Priors
    of: str = ""

    def model(self, spec: ModelSpec) -> str:
        """Name a model: ``NB2 partial``, ``NB2 partial, baseline``."""
        return f"{spec.label}, {self.of}" if self.of else spec.label

    def label(self, spec: ModelSpec, part: Part) -> str:
        """Name a fit: ``NB2 partial, V1``."""
        name = self.model(spec)
        return name if part.whole else f"{name}, {listed([part.name])}"


@dataclass(frozen=True)
class PartFit:
    """One model of one group's neurons.

    Attributes
    ----------
    part : Part
    posterior : Posterior
    convergence : Convergence
    estimates : NeuronEstimates
    cross_check : CrossCheck or None
        Against the other engine, where that was asked for.
    """

    part: Part
    posterior: Posterior
    convergence: Convergence
    estimates: NeuronEstimates
    cross_check: CrossCheck | None

    @property
    def engine(self) -> str:
        """The one that computed it."""
        return self.posterior.draws.engine


def fit_parts(
    spec: ModelSpec,
    parts: Sequence[Part],
    settings: FitSettings,
    notices: list[Notice],
    progress: Progress,
) -> list[PartFit]:
    """Fit a model to each group, to all of them by one engine.

    Parameters
    ----------
    spec : ModelSpec
    parts : sequence of Part
    settings : FitSettings
    notices : list of Notice
    progress : Progress

    Returns
    -------
    list of PartFit
    """
    asked = settings.config.engine
    fits = [_fitted_part(spec, part, settings, asked, notices, progress) for part in parts]
    if len({fit.engine for fit in fits}) == 1:
        return fits
    sampled = asked.model_copy(update={"engine": "nuts"})
    told = "the other groups were sampled by nuts too, so that all are computed alike"
    notices.append(Notice("engine", f"{settings.model(spec)}: {told}"))
    return [
        fit
        if fit.engine == "nuts"
        else _fitted_part(spec, fit.part, settings, sampled, notices, progress)
        for fit in fits
    ]


def group_fit(name: str, fit: PartFit) -> GroupFit:
    """Keep of a fit what is known of its group beyond the neurons."""
    return GroupFit(
        group=name,
        neurons=fit.posterior.draws.neurons,
        hyperparameters=fit.posterior.draws.population,
        sample=fit.posterior.hyperparameters,
        convergence=fit.convergence,
        condition_effect=fit.posterior.draws.condition_effect,
        conditions=fit.posterior.draws.conditions,
    )


def _fitted_part(
    spec: ModelSpec,
    part: Part,
    settings: FitSettings,
    engine: EngineOptions,
    notices: list[Notice],
    progress: Progress,
) -> PartFit:
    """Fit a model to one group, or to the whole table, once more where that could mend it."""
    priors, options = settings.priors, _summary_options(settings.config)
    label, engine = settings.label(spec, part), seeded(engine, part)
    posterior, convergence = fit_checked(
        spec, part.tally, settings, engine, label, notices, progress
    )
    estimates = _estimates(posterior, part.tally, priors, options)
    return PartFit(
        part=part,
        posterior=posterior,
        convergence=convergence,
        estimates=estimates,
        cross_check=_cross_checked(estimates, posterior, part, settings, engine, progress),
    )


def fit_checked(
    spec: ModelSpec,
    tally: Tally,
    settings: FitSettings,
    engine: EngineOptions,
    label: str,
    notices: list[Notice],
    progress: Progress,
) -> tuple[Posterior, Convergence]:
    """Compute a posterior and check it, once more where that could mend it.

    Parameters
    ----------
    spec : ModelSpec
    tally : Tally
    settings : FitSettings
    engine : EngineOptions
        In the place of those of the settings.
    label : str
        What is fitted, for progress and notices.
    notices : list of Notice
    progress : Progress

    Returns
    -------
    posterior : Posterior
    convergence : Convergence
    """
    priors, options = settings.priors, _summary_options(settings.config)
    progress.stage(f"fitting {label}")
    posterior = compute_posterior(spec, tally, priors, engine, options, progress)
    notices += [Notice("engine", f"{label}: {note}") for note in posterior.notes]
    convergence = check_convergence(posterior)
    again = _second_run(engine, convergence, _most_entries(spec, tally))
    if again is not None:
        progress.stage(f"fitting {label} again")
        posterior = compute_posterior(spec, tally, priors, again, options, progress)
        notices.append(_note_second_run(label, convergence, again))
        convergence = check_convergence(posterior)
    return posterior, convergence


def _estimates(
    posterior: Posterior, tally: Tally, priors: Priors, options: SummaryOptions
) -> NeuronEstimates:
    """Summarise the neurons, of joined groups against the mean of their own pair."""
    if posterior.draws.spec.within is None:
        return summarise_neurons(posterior, tally, priors, options)
    pairs = list(posteriors_of_pairs(posterior, tally))
    parts = [part for part, _ in pairs]
    return merge_estimates(
        parts, [summarise_neurons(each, part.tally, priors, options) for part, each in pairs]
    )


def seeded(engine: EngineOptions, part: Part) -> EngineOptions:
    """Give a group random numbers of its own; the whole table keeps the run's."""
    if part.whole:
        return engine
    return engine.model_copy(update={"seed": group_seed(engine.seed, part.name)})


def _summary_options(config: RunConfig) -> SummaryOptions:
    """Say how to summarise; draws to store may be more than are averaged otherwise, not fewer."""
    report = config.report
    options = SummaryOptions(report.interval, report.fano_threshold)
    if report.posterior != "full":
        return options
    return replace(options, joint_draws=max(options.joint_draws, config.engine.draws))


def _cross_checked(
    estimates: NeuronEstimates,
    posterior: Posterior,
    part: Part,
    settings: FitSettings,
    engine: EngineOptions,
    progress: Progress,
) -> CrossCheck | None:
    """Fit the same model by NUTS, where that was asked for, and compare."""
    if not engine.cross_check or posterior.quadrature is None:
        return None
    progress.stage(f"sampling {settings.label(estimates.spec, part)} to check it")
    interval = settings.config.report.interval
    sampled = compute_posterior(
        estimates.spec,
        part.tally,
        settings.priors,
        engine.model_copy(update={"engine": "nuts"}),
        _summary_options(settings.config),
        progress,
    )
    return compare_engines(estimates, sampled.draws, interval)


def _most_entries(spec: ModelSpec, tally: Tally) -> int:
    """Entries of the parameter that has most: of every neuron, or of every response."""
    return tally.responses.size if spec.is_tuned else tally.n_neurons


def smaller_steps(target_accept: float) -> float:
    """Return the acceptance rate to aim at where the sampler diverged, or must not."""
    return 1 - (1 - target_accept) / SMALLER_STEPS


def _second_run(
    options: EngineOptions, convergence: Convergence, entries: int
) -> EngineOptions | None:
    """Return the options of a second run that could mend what failed; None where nothing could."""
    if not options.retry or convergence.passed:
        return None
    changes: dict[str, int | float | str] = {}
    if convergence.sampler is None:
        return None
    if convergence.sampler.divergences:
        changes["target_accept"] = smaller_steps(options.target_accept)
    draws = MORE_DRAWS * options.draws
    if convergence.mixes_slowly and draws * options.chains * entries <= MOST_VALUES:
        changes["draws"] = draws
    if not changes:
        return None
    return options.model_copy(update={**changes, "engine": "nuts"})


def _note_second_run(label: str, first: Convergence, again: EngineOptions) -> Notice:
    text = (
        f"{label} was sampled again, with {again.draws:,} draws per chain and target "
        f"acceptance {again.target_accept:.3g}; the first run: {'; '.join(first.problems)}"
    )
    return Notice("sampled-again", text)

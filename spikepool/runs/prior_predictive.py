"""What the priors of a run say of a neuron, with a table or before there is one."""

from dataclasses import dataclass, replace

import numpy as np

from spikepool.config import RunConfig
from spikepool.data.read import read_counts
from spikepool.data.spike_counts import Factor, Labels, Notice, RateUnit, SpikeCounts
from spikepool.data.tally import Tally, tally_counts
from spikepool.data.wording import plural
from spikepool.errors import UsageError
from spikepool.models.graph import prior_names
from spikepool.models.kind import reads_estimates
from spikepool.models.plan import plan_models
from spikepool.models.prior_predictive import NeuronDesign, PriorPredictive, draw_prior_predictive
from spikepool.models.prior_spec import prior_notices
from spikepool.models.priors import Priors, default_priors
from spikepool.models.spec import ModelSpec

TRIALS, TYPICAL_RATE = 20, 10.0
"""Of a neuron (in each condition) where no table is given; the rate in spikes/s."""


@dataclass(frozen=True)
class AskedPrior:
    """What a user says of a neuron beside the configuration; None: as the table has it.

    Attributes
    ----------
    trials : int or None
        Over all conditions.
    typical_rate : float or None
        e^m0, in spikes/s; without a table only.
    conditions : int or None
        That the neuron is presented with; without a table only.
    """

    trials: int | None = None
    typical_rate: float | None = None
    conditions: int | None = None


@dataclass(frozen=True)
class PriorRun:
    """The priors of a run's models, and what they say.

    Attributes
    ----------
    predicted : tuple of PriorPredictive
    priors : Priors
    design : NeuronDesign
    rate_unit : {'spikes/s', 'spikes/trial'}
    typical_rate : float
        e^m0.
    notices : tuple of Notice
        Of the table; empty without one.
    """

    predicted: tuple[PriorPredictive, ...]
    priors: Priors
    design: NeuronDesign
    rate_unit: RateUnit
    typical_rate: float
    notices: tuple[Notice, ...]


def run_prior(config: RunConfig, asked: AskedPrior) -> PriorRun:
    """Draw neurons from the priors of the models that a fit would use.

    Parameters
    ----------
    config : RunConfig
    asked : AskedPrior

    Returns
    -------
    PriorRun

    Raises
    ------
    UsageError
        If the run is of estimates, or says what the table says, or names columns of no table.
    """
    _refuse(config, asked)
    known = bool(config.input.tables)
    counts = read_counts(config.input) if known else _standing_in(asked)
    tally = tally_counts(counts)
    models = plan_models(config.model, tally)
    fixed = default_priors(tally).theta
    exposure = float(np.median(tally.exposure)) if known else config.input.duration or 1.0
    specs = models.specs if known else tuple(_at(exposure, spec) for spec in models.specs)
    design = _design(asked, tally, exposure, known=known)
    return PriorRun(
        draw_prior_predictive(specs, models.priors, design, config.engine.seed),
        models.priors,
        design,
        counts.rate_unit,
        float(np.exp(fixed.mean)),
        (*counts.notices, *models.notices) if known else _notices_of_priors(config, specs),
    )


def _refuse(config: RunConfig, asked: AskedPrior) -> None:
    if reads_estimates(config):
        raise UsageError(
            "prior shows rates and Fano factors, which estimates with standard errors have not",
            "see the priors of estimates with spikepool model --family normal",
        )
    for name, given in (("typical-rate", asked.typical_rate), ("conditions", asked.conditions)):
        if given is not None and config.input.tables:
            raise UsageError(
                f"--{name} stands for a table: here the table gives it",
                "leave one of the two out",
            )
    options = config.input
    if not options.tables and (options.condition or options.drift_block or options.within):
        raise UsageError(
            "--condition, --drift-block and --within are of a table, and none is given",
            "name a table, or say --conditions 8 for a neuron with so many conditions",
        )


def _design(asked: AskedPrior, tally: Tally, exposure: float, *, known: bool) -> NeuronDesign:
    """Return the neuron that was asked about, or the table's typical one."""
    conditions = int(np.median(np.bincount(tally.responses.neuron)))
    trials = asked.trials or (int(np.median(tally.n_trials)) if known else TRIALS * conditions)
    if trials < conditions:
        raise UsageError(
            f"--trials {trials}: a neuron has {plural(conditions, tally.response_kind)}, and in "
            "each a trial at least",
            f"give --trials {conditions} or more",
        )
    return NeuronDesign(trials, exposure, conditions, tally.response_kind)


def _notices_of_priors(config: RunConfig, specs: tuple[ModelSpec, ...]) -> tuple[Notice, ...]:
    """Say what is to be said of the priors alone: the table that stands in has nothing to tell."""
    names = {name for spec in specs for name in prior_names(spec)}
    return tuple(prior_notices(config.model, names))


def _at(exposure: float, spec: ModelSpec) -> ModelSpec:
    """Take the exposure that is asked about for that of the gains, where those have one."""
    if spec.reference_exposure is None:
        return spec
    return replace(spec, reference_exposure=exposure)


def _standing_in(asked: AskedPrior) -> SpikeCounts:
    """Return silent trials whose m0 = ln(½/Σe) is the logarithm of the typical rate.

    Of two neurons, with two trials in every condition.
    """
    rate, conditions = asked.typical_rate or TYPICAL_RATE, asked.conditions or 1
    trials = 2 * conditions
    neuron = Labels("neuron", ("a", "b"), np.repeat(np.arange(2), trials))
    names = tuple(f"{number}" for number in range(1, conditions + 1))
    condition = Labels("condition", names, np.tile(np.repeat(np.arange(conditions), 2), 2))
    return SpikeCounts(
        neuron,
        np.zeros(2 * trials, dtype=np.int64),
        np.full(2 * trials, 0.5 / (rate * trials)),
        exposure_known=True,
        condition=condition,
        factors=(Factor("condition", names),),
    )

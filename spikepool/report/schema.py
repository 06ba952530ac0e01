"""The columns of every table: the contract with whoever reads the results."""

from functools import cache

from spikepool.models.identifiability.gate import RULES
from spikepool.models.identifiability.neurons import (
    NO_COUNT_ABOVE_1,
    ONE_TRIAL,
    ONE_TRIAL_OF_EACH,
    SILENT,
)
from spikepool.report.columns import (
    FLAGS_OF_POPULATION,
    GROUP,
    IDENTIFIABILITY,
    IS_PRIMARY,
    OWN_WEIGHT_ENDS,
    Column,
    boolean,
    integer,
    number,
    text,
)

TABLE_NAMES = (
    *("estimates", "neurons", "evoked", "population", "contrasts", "overdispersion"),
    *("comparison", "law", "holdout", "predictive", "left_out"),
    *("labels", "sessions", "matched_fano", "identifiability", "diagnostics"),
)

RATE_UNIT = "spikes/s or spikes/trial"
"""Unit of rates in the schema; in a table it is the one of the two that holds."""
EXPOSURE_UNIT = "s or trials"
"""Unit of exposures in the schema; in a table it is the one of the two that holds."""
LOG_RATE_UNIT = f"ln({RATE_UNIT})"

FEW_TRIALS = 4
"""A neuron with this many trials or fewer is flagged."""
FLAGS: dict[str, str] = {
    "not_identified": "the design cannot tell this; fitted with --allow-unidentified",
    **{rule.name: rule.meaning for rule in (SILENT, ONE_TRIAL, ONE_TRIAL_OF_EACH)},
    "few_trials": f"{FEW_TRIALS} trials or fewer",
    NO_COUNT_ABOVE_1.name: NO_COUNT_ABOVE_1.meaning,
    "dispersion_from_prior": "dispersion_source is prior: the population decides the dispersion",
    "shared_dispersion": (
        "one dispersion for all neurons: it includes differences between neurons"
    ),
    "underdispersed": "verdict is under: neither Poisson nor negative binomial can show it",
}
"""What each word in the column `flags` of neurons means."""
POPULATION_FLAGS: dict[str, str] = {
    "not_identified": FLAGS["not_identified"],
    **{rule.name: rule.meaning for rule in RULES if rule.name not in FLAGS},
}
"""What each word in the column `flags` of `population` and `contrasts` means."""


@cache
def table_schemas() -> dict[str, tuple[Column, ...]]:
    """Return the columns of every table, in order.

    After these `estimates` and `evoked` have every column that conditions are made of, under its
    own name, and they and `neurons` every input column that is constant within a neuron, as text.

    Returns
    -------
    dict of str to tuple of Column
    """
    return {
        "estimates": ESTIMATES,
        "neurons": (*ESTIMATES, *SIDE_BY_SIDE),
        "evoked": EVOKED,
        "population": POPULATION,
        "contrasts": CONTRASTS,
        "overdispersion": _overdispersion(),
        "comparison": COMPARISON,
        "law": _law(),
        "holdout": HOLDOUT,
        "predictive": PREDICTIVE,
        "left_out": LEFT_OUT,
        "labels": LABELS,
        "sessions": _sessions(),
        "matched_fano": _matched_fano(),
        "identifiability": IDENTIFIABILITY,
        "diagnostics": DIAGNOSTICS,
    }


_NO_GAIN = "Empty: Poisson has no dispersion."
_FANO = (
    "1 + α λ ē (NB2; with --dispersion-scaling duration 1 + α λ e_ref at any exposure, e_ref the "
    "mean over all trials of the table), 1 + ω (NB1)"
)
_NO_TUNING = "Empty: one condition, or conditions make no difference."

MODEL = (
    text("family", "Distribution of the counts: poisson, nb2 or nb1."),
    text("pooling", "Pooling of the log rates: none, complete or partial."),
    text(
        "dispersion_pooling",
        "Pooling of the dispersions: none, complete or partial. Empty: Poisson has none.",
    ),
    text(
        "dispersion_scaling",
        "How the gain changes in a trial: trial (one gain), or duration (drawn anew as time "
        "passes). Empty: not NB2.",
    ),
    text(
        "condition_pooling",
        "Pooling of a neuron's responses to the conditions: partial (about its own rate, with a "
        "spread that is estimated), none (spread fixed), complete (conditions are repeats). With "
        "--drift-block of the blocks of its trials. Empty: neither.",
    ),
    text("engine", "How the posterior was computed: collapsed (quadrature) or nuts."),
)

ESTIMATES = (
    text("neuron", "The neuron's id, exactly as written in the input."),
    text(
        "level",
        "What the row is about: neuron, or neuron×condition; with --drift-block neuron×block.",
    ),
    GROUP,
    text(
        "condition",
        "The condition; of several columns their labels joined by /. With --drift-block the block "
        "of trials (block 1 ...), whose number stands under block. Empty: the row is about the "
        "whole neuron. After the columns named here, estimates has every column of conditions "
        "under its own name (with input_ before one that is taken): numbers where all its labels "
        "are, else text.",
    ),
    *MODEL,
    IS_PRIMARY,
    integer("n_trials", "trials", "Number of trials, n."),
    number("exposure", EXPOSURE_UNIT, "Σe over all trials; 1 per trial where none is known."),
    integer("spike_count", "spikes", "Σy over all trials."),
    text("rate_unit", "Unit of the rates: spikes/s where exposure is known, else spikes/trial."),
    number(
        "rate_raw",
        RATE_UNIT,
        "The neuron's own estimate, without a model: Σy / Σe. With conditions the mean of those of "
        "the conditions presented, and so are the other rates of a neuron.",
    ),
    number(
        "rate_mean",
        RATE_UNIT,
        "Posterior mean of the rate λ = exp θ. Empty: the far tail alone decides it.",
    ),
    number("rate_median", RATE_UNIT, "Posterior median of the rate."),
    number(
        "rate_sd", RATE_UNIT, "Posterior standard deviation of the rate. Empty: as rate_mean."
    ),
    number("rate_lower", RATE_UNIT, "Lower end of the rate's equal-tailed interval."),
    number("rate_upper", RATE_UNIT, "Upper end of the rate's equal-tailed interval."),
    number("log_rate_mean", LOG_RATE_UNIT, "Posterior mean of the log rate θ."),
    number("log_rate_sd", "ln", "Posterior standard deviation of the log rate θ."),
    number(
        "log_rate_mcse",
        "ln",
        "Monte Carlo standard error of log_rate_mean: from the finite number of draws, of the "
        "hyperparameters alone with the collapsed engine. Empty: a single short chain.",
    ),
    number(
        "own_weight_mean",
        "",
        "Posterior mean of κ = τ² / (τ² + σ²), σ² = 1 / Σ_t (m_t² / Var y_t), m_t = λ e_t: 1 where "
        "the neuron's own data decide, 0 where the population does; 0 under complete pooling, "
        "and the prior's sd stands for τ without pooling. With conditions σ² = "
        "1 / Σ_c 1 / (ω_b² + σ_c²); of a neuron×condition it is ω_b² / (ω_b² + σ_c²): 1 where its "
        "own trials decide, 0 where the neuron's other conditions do. With --drift-block blocks of "
        "trials stand for conditions here and below, and ω_d for ω_b.",
    ),
    *OWN_WEIGHT_ENDS,
    number(
        "realised_weight",
        "",
        "1 − E Var(θ | y, φ) / τ²: how much of the population's variance the data removed; φ are "
        "the hyperparameters. Empty: not defined.",
    ),
    number(
        "mse_ratio",
        "",
        "E Var(θ | y, φ) / σ²: pooled against raw expected squared error. Empty: not defined.",
    ),
    number(
        "gain_sd_median",
        "",
        "Posterior median of the gain's sd σ_G = √α (NB1: √(ω / mean count)); with "
        "--dispersion-scaling duration that in the reference exposure, the mean over all trials of "
        f"the table. {_NO_GAIN}",
    ),
    number("gain_sd_lower", "", f"Lower end of the interval of σ_G. {_NO_GAIN}"),
    number("gain_sd_upper", "", f"Upper end of the interval of σ_G. {_NO_GAIN}"),
    number(
        "fano_model_median",
        "",
        f"Posterior median of the Fano factor at the neuron's mean exposure ē: {_FANO}. {_NO_GAIN}",
    ),
    number("fano_model_lower", "", f"Lower end of the model's Fano interval. {_NO_GAIN}"),
    number("fano_model_upper", "", f"Upper end of the model's Fano interval. {_NO_GAIN}"),
    number(
        "tuning_strength_median",
        "ln",
        "Posterior median of the sd (n − 1) of the neuron's log rates between the conditions "
        f"presented. {_NO_TUNING}",
    ),
    number("tuning_strength_lower", "ln", f"Lower end of its interval. {_NO_TUNING}"),
    number("tuning_strength_upper", "ln", f"Upper end of its interval. {_NO_TUNING}"),
    text(
        "dispersion_source",
        "What decides the log dispersion δ: data where 1 − Var(δ | y, φ) / τ_δ² > 0.5, prior where "
        f"it is < 0.1, else mixed. {_NO_GAIN}",
    ),
    number(
        "elpd_trials",
        "nats",
        "Σ_t ln p(y_t | all other trials): what the model predicts of the neuron's trials, each "
        "left out alone. By engine nuts from draws (PSIS), in small tables "
        "with a second fit where its k̂ is too large.",
    ),
    number(
        "elpd_neuron",
        "nats",
        "ln p(y | all other neurons): what it predicts of the whole neuron. Empty: engine nuts.",
    ),
    text("flags", "Warnings about the row, joined by a space. Empty: none."),
)  # fmt: skip

SIDE_BY_SIDE = (
    number(
        "rate_mean_none",
        RATE_UNIT,
        "Posterior mean rate of the same family without pooling. Empty: not fitted.",
    ),
    number(
        "rate_mean_complete",
        RATE_UNIT,
        "Posterior mean rate of the same family with complete pooling. Empty: not fitted.",
    ),
)

_NO_BLANK = "Empty: the neuron has no trial without a stimulus."

EVOKED = (
    text("neuron", "The neuron's id, exactly as written in the input."),
    GROUP,
    text("condition", "The condition, as in estimates. Empty: the stimuli have no conditions."),
    *MODEL,
    IS_PRIMARY,
    integer("n_trials", "trials", "Number of trials under the condition."),
    integer(
        "baseline_n_trials",
        "trials",
        "Number of the neuron's trials without a stimulus: blanks, or windows before the stimuli.",
    ),
    text("rate_unit", "Unit of the rates: spikes/s where exposure is known, else spikes/trial."),
    number("rate_raw", RATE_UNIT, "Σy / Σe under the condition."),
    number("baseline_rate_raw", RATE_UNIT, f"Σy / Σe without a stimulus. {_NO_BLANK}"),
    number(
        "evoked_rate_raw",
        RATE_UNIT,
        f"rate_raw minus baseline_rate_raw, without a model. {_NO_BLANK}",
    ),
    number(
        "baseline_rate_median",
        RATE_UNIT,
        "Posterior median of the rate without a stimulus, λ_base: of the same family and pooling "
        "fitted to the blanks alone, with a population and dispersions of their own, and with the "
        f"same priors, whose m0 is that of the blanks. {_NO_BLANK}",
    ),
    number("baseline_rate_lower", RATE_UNIT, f"Lower end of its interval. {_NO_BLANK}"),
    number("baseline_rate_upper", RATE_UNIT, f"Upper end of its interval. {_NO_BLANK}"),
    number(
        "evoked_rate_median",
        RATE_UNIT,
        "Posterior median of λ_ic − λ_base: the neuron's rate under the condition minus that "
        "without a stimulus; negative where the stimulus suppresses. Where conditions make no "
        f"difference to the model λ_ic is the neuron's rate. {_NO_BLANK}",
    ),
    number("evoked_rate_lower", RATE_UNIT, f"Lower end of its equal-tailed interval. {_NO_BLANK}"),
    number("evoked_rate_upper", RATE_UNIT, f"Upper end of its equal-tailed interval. {_NO_BLANK}"),
    number("rate_ratio_median", "", f"Posterior median of λ_ic / λ_base. {_NO_BLANK}"),
    number("rate_ratio_lower", "", f"Lower end of its equal-tailed interval. {_NO_BLANK}"),
    number("rate_ratio_upper", "", f"Upper end of its equal-tailed interval. {_NO_BLANK}"),
    number(
        "prob_above_baseline",
        "",
        "P(λ_ic > λ_base | y), as the share of paired draws: near 1 where the stimulus excites, "
        "near 0 where it suppresses. "
        f"{_NO_BLANK}",
    ),
)

POPULATION = (
    *MODEL,
    text("group", "The group whose neurons share the parameter; all: those of the whole table."),
    text(
        "parameter",
        "mu and tau: mean and sd (student-t: scale) of the log rates; a and b: shape and rate of a "
        "gamma population of rates (b in 1 / rate_unit); mu_delta and tau_delta: mean and sd of "
        "the log dispersions; gain_sd (NB2) or excess_fano (NB1): the one shared dispersion "
        "(gains with --dispersion-scaling duration: in the mean exposure of all trials); in "
        "words: typical_rate = exp E[θ] (in rate_unit) and rate_spread_fold = exp sd(θ), which are "
        "exp mu and exp tau of a normal population; typical_gain_sd = exp mu_delta (NB2), "
        "typical_excess_fano = exp 2 mu_delta (NB1). With labels within groups (--within) mu, tau, "
        "mu_delta and tau_delta are those of a typical label, and below them stand within_sd, the "
        "sd of what a label adds to mu (within_effect[LABEL]), and interaction_sd, the sd of what "
        "it adds in one group alone (interaction_effect[LABEL]); of mu_delta the same with _delta. "
        "tuning_sd (with --drift-block drift_sd): sd of the log rates of one neuron between "
        "conditions (blocks of its trials). condition_sd: sd of the effects of conditions on the "
        "log rates of all neurons (condition_effect[CONDITION]); condition_ratio[CONDITION] = exp "
        "of the effect: the rates over their geometric mean over the conditions; the effects sum "
        "to zero. With "
        "--baseline-condition or --baseline-count the same parameters without a stimulus stand as "
        "baseline_mu, baseline_tau, baseline_typical_rate ...",
    ),
    number("mean", "of the parameter", "Posterior mean. Empty: it does not exist."),
    number("sd", "of the parameter", "Posterior standard deviation. Empty: it does not exist."),
    number("median", "of the parameter", "Posterior median."),
    number("lower", "of the parameter", "Lower end of the equal-tailed interval."),
    number("upper", "of the parameter", "Upper end of the equal-tailed interval."),
    number(
        "ess_bulk",
        "draws",
        "Effective sample size in the bulk; of the importance sample (collapsed). Empty: it did "
        "not vary.",
    ),
    number(
        "ess_tail",
        "draws",
        "Effective sample size in the tails; collapsed: as ess_bulk. Empty: it did not vary.",
    ),
    number("r_hat", "", "Rank-normalised split R-hat. Empty: it did not vary, or no chains."),
    FLAGS_OF_POPULATION,
)

_NO_RATIO = "Empty: mu and mu_delta may be negative; see typical_rate and the typical dispersion."

CONTRASTS = (
    *MODEL,
    boolean("is_primary", "Whether the row is about the primary model."),
    text(
        "parameter",
        "As in population. mu and typical_rate: the groups' typical rates; tau: the spread between "
        "neurons; mu_delta and typical_gain_sd (NB2) or typical_excess_fano (NB1): the typical "
        "dispersions; gain_sd or excess_fano: the groups' shared dispersions. With labels within "
        "groups (--within) these are of typical labels, so that their intervals hold for other "
        "labels (animals) than those of the table, too.",
    ),
    text("group", "The group compared."),
    text("reference", "The group it is compared with."),
    number(
        "difference_mean",
        "of the parameter",
        "Posterior mean of group minus reference. Empty: it does not exist.",
    ),
    number("difference_median", "of the parameter", "Posterior median of group minus reference."),
    number("difference_lower", "of the parameter", "Lower end of its equal-tailed interval."),
    number("difference_upper", "of the parameter", "Upper end of its equal-tailed interval."),
    number("ratio_median", "", f"Posterior median of group / reference. {_NO_RATIO}"),
    number("ratio_lower", "", f"Lower end of the ratio's equal-tailed interval. {_NO_RATIO}"),
    number("ratio_upper", "", f"Upper end of the ratio's equal-tailed interval. {_NO_RATIO}"),
    number("prob_greater", "", "Posterior probability that group > reference."),
    FLAGS_OF_POPULATION,
)

COMPARISON = (
    *MODEL,
    boolean("is_primary", "Whether the differences are from this model."),
    text("group", "Whose neurons are predicted; all: those of the whole table."),
    text("left_out", "What is left out, one at a time: trial or neuron."),
    number(
        "elpd",
        "nats",
        "Expected log predictive density: Σ ln p(left out | the rest), the neuron's own "
        "parameters integrated out. Larger is better.",
    ),
    number(
        "elpd_se",
        "nats",
        "Its standard error, with neurons as the independent units; with five sessions or more "
        "(and each neuron in one of them) with sessions.",
    ),
    number("elpd_difference", "nats", "elpd minus that of the primary model."),
    number(
        "elpd_difference_se",
        "nats",
        "Standard error of the difference, neuron by neuron, or session by session as elpd_se. "
        "Empty: one neuron.",
    ),
    number(
        "stacking_weight",
        "",
        "Share of the model in the mixture of all models fitted that predicts best what is left "
        "out: w that maximises Σ ln Σ_k w_k p_k. Models that predict alike may share it anyhow.",
    ),
    number(
        "pareto_k",
        "",
        "Largest k-hat of the importance weights: of the hyperparameters (collapsed), of all "
        "parameters (nuts). Empty: they cannot matter.",
    ),
)


def _law() -> tuple[Column, ...]:
    # The words stand beside their code, which needs SciPy.
    from spikepool.diagnostics.law import LEAST_RATIO, MEANING

    laws = "; ".join(f"{law}: {meaning}" for law, meaning in MEANING.items())
    return (
        *MODEL,
        text("group", "Whose neurons; all: those of the whole table."),
        number("elpd", "nats", "Σ ln p(y_t | all other trials) of the group's neurons."),
        number("elpd_behind", "nats", "Nats behind the family that predicts best."),
        number(
            "elpd_behind_se",
            "nats",
            "Its standard error, neuron by neuron, or session by session as elpd_se of comparison. "
            "Empty: one of them.",
        ),
        number(
            "stacking_weight",
            "",
            "Share of the family in the mixture of Poisson, NB1 and NB2 that predicts best.",
        ),
        integer("neurons", "neurons", "Neurons of the group."),
        integer(
            "neurons_telling",
            "neurons",
            "Those with several mean counts: conditions, or exposures that differ by a factor of "
            f"{LEAST_RATIO:g} or more. Where they are fewer than half, NB1 and NB2 are not told "
            "apart.",
        ),
        text("law", f"How the group's variance grows with the mean, in a word. {laws}."),
    )


_RAW_HAS_NONE = "Empty: raw rates, which predict no counts."

HOLDOUT = (
    text("estimate", "What predicts: model, or raw (Σy / Σe of the trials fitted)."),
    *MODEL,
    IS_PRIMARY,
    number("holdout_share", "", "Share of every neuron's trials (in each condition) kept aside."),
    integer(
        "holdout_keep",
        "trials",
        "Trials of every neuron (in each condition) that were fitted, all others being kept aside. "
        "Empty: a share was given.",
    ),
    integer("trials_fitted", "trials", "Trials that the models were fitted to."),
    integer("trials_aside", "trials", "Trials kept aside, which no model saw."),
    integer(
        "neurons",
        "neurons",
        "Those with 10 spikes in two trials aside or more (of one condition): the others have no "
        "squared error.",
    ),
    number(
        "squared_error",
        "ln²",
        "Mean over neurons (and conditions) of (θ − ln r)² − v / r²: θ is the posterior mean log "
        "rate, raw ln((Σy + ½) / Σe); r the rate Σy / Σe of the trials aside, and v the unbiased "
        "estimate of its variance, Σ d²/(1 − 2p) / (1 + Σ p²/(1 − 2p)) / (Σe)² with d = y − e r, "
        "p = e/Σe (of equal exposures n/(n − 1) Σ d² / (Σe)²). Without those of which one trial "
        "has half of the exposure or more.",
    ),
    number("squared_error_se", "ln²", "Its standard error over neurons."),
    number(
        "squared_error_ratio",
        "",
        "squared_error over that of the raw log rates. Empty: that is not two standard errors "
        "above 0.",
    ),
    number(
        "squared_error_ratio_se",
        "",
        "Its standard error over neurons (delta method). Empty: no ratio.",
    ),
    number(
        "expected_ratio",
        "",
        "What the model expects of squared_error_ratio: Σ Var(θ | y) over the expected Σ of the "
        "squared errors of raw log rates, in data sets simulated from its posterior. Empty: rates "
        "are not pooled partially.",
    ),
    number("log_score", "nats/trial", f"Mean of ln p(y) over the trials aside. {_RAW_HAS_NONE}"),
    number("log_score_se", "nats/trial", f"Its standard error over neurons. {_RAW_HAS_NONE}"),
    number(
        "log_score_difference", "nats/trial", f"From that of the primary model. {_RAW_HAS_NONE}"
    ),
    number(
        "log_score_difference_se",
        "nats/trial",
        f"Its standard error, neuron by neuron. {_RAW_HAS_NONE}",
    ),
)

_STATISTICS = {
    "fano": ("", "raw Fano factor", " Empty: no condition has two trials and a spike."),
    "zeros": ("", "share of trials without a spike", ""),
    "maximum": ("spikes", "largest count of a trial", ""),
}

PREDICTIVE = (
    text("neuron", "The neuron's id, exactly as written in the input."),
    GROUP,
    *(
        column
        for name, (unit, meaning, empty) in _STATISTICS.items()
        for column in (
            number(f"{name}_observed", unit, f"The neuron's {meaning}.{empty}"),
            number(
                f"{name}_expected",
                unit,
                f"Median of the {meaning} over data sets simulated from the primary model's "
                f"posterior.{empty}",
            ),
            number(
                f"{name}_pvalue",
                "",
                f"P(simulated {meaning} > the neuron's) + ½ P(as large): near 0 where the model "
                "predicts less than the neuron has, near 1 where it predicts more. Not uniform "
                f"under a right model: nearer to ½.{empty}",
            ),
        )
    ),
)

LEFT_OUT = (
    text("model", "The model in words, as the terminal names it."),
    *MODEL,
    text("left_out", "What is left out: one trial, or the whole neuron."),
    text("neuron", "The neuron's id, exactly as written in the input."),
    text(
        "session",
        "The neuron's session, where sessions are the independent units of standard errors (five "
        "or more, each neuron in one). Empty: neurons are.",
    ),
    text(
        "condition",
        "The condition (or block) of the trials. Empty: the table has none, or a whole neuron.",
    ),
    number("exposure", EXPOSURE_UNIT, "Exposure of each of the trials; of a neuron over all."),
    integer("count", "spikes", "Spikes in each of the trials; of a neuron over all."),
    integer("n_trials", "trials", "Number of such trials of the neuron."),
    number(
        "log_density",
        "nats",
        "ln p(y_t | all other trials), of one of the trials; ln p(y | all other neurons), of a "
        "neuron (empty: engine nuts). The table is written as Parquet only; spikepool compare "
        "reads it.",
    ),
)

LABELS = (
    text("label", "Column of the input that no model uses, and whose labels come back."),
    text(
        "quantity",
        "What it may explain. dispersion_share: of a label that changes within neurons, the share "
        "of the variance beyond Poisson that its values explain, neuron by neuron and within "
        "conditions. Of one that is constant within neurons, how its levels differ in the primary "
        "model: log_rate_mean and log_rate_spread, the neurons' log rates by mean and by spread; "
        "log_dispersion_mean and log_dispersion_spread, the same of their log dispersions. Only "
        "with partial pooling, and 2 to 50 levels of 3 neurons that hold half of all neurons.",
    ),
    integer("levels", "", "Number of its values."),
    integer("neurons", "neurons", "Neurons that tell."),
    number(
        "estimate",
        "",
        "dispersion_share: Σ (V − Vw) / Σ V over neurons, weighted by dw / r; V is the moment "
        "estimate of the variance of the rate r between trials, Vw the same within values, which "
        "repeat with the exposure dw. 0 is expected where the label means nothing, 1 where it "
        "explains all; chance can bring it below 0 or above 1. Empty: no value repeats within a "
        "neuron, or counts vary no more than Poisson counts. Means: sd between levels over the sd "
        "between neurons (of a group), by moments. Empty: a spread.",
    ),
    number(
        "estimate_se",
        "",
        "Standard error of a dispersion_share, with neurons as the independent units. Empty: one "
        "neuron, or no dispersion_share.",
    ),
    number(
        "pvalue",
        "",
        "dispersion_share: chance of as large a Σ (V − Vw), by permutations of the trials within "
        "neuron and condition. Otherwise: chance of as large differences between levels, by "
        "permutations within groups of the scores z = (m − mean m) / (τ √ω): m is the neuron's "
        "posterior mean, ω = 1 − Var(θ | y) / τ². Of spreads the scores are |z − their level's|.",
    ),
    number(
        "pvalue_adjusted",
        "",
        "pvalue adjusted for their number (Holm): of the shares, and of all the others.",
    ),
    boolean(
        "noticed",
        "Whether a warning says so: pvalue_adjusted <= 0.05, of a dispersion_share also >= 0.1.",
    ),
)

_OF_CHAINS = "Empty: no chains (collapsed)."
_OF_SAMPLER = "Empty: not the sampler's row."
_OF_QUADRATURE = "Empty: engine nuts, or a neuron that was not among those checked."

DIAGNOSTICS = (
    *MODEL,
    text("group", "The group that was fitted alone. Empty: all neurons were fitted together."),
    text(
        "parameter",
        "nuts: the sampled quantity (mu[GROUP] where groups are fitted together), or sampler for "
        "the whole run of the model. collapsed: hyperparameters for their sample, quadrature for a "
        "neuron's integral. Of the fit of trials without a stimulus, baseline_ comes before it.",
    ),
    text("neuron", "The neuron. Empty: a hyperparameter, or the whole model."),
    text("condition", "The condition of a response, as in estimates. Empty: no response."),
    number("r_hat", "", f"Rank-normalised split R-hat. Empty: it did not vary. {_OF_CHAINS}"),
    number(
        "ess_bulk",
        "draws",
        "Effective sample size in the bulk; of the importance sample (collapsed).",
    ),
    number("ess_tail", "draws", f"Effective sample size in the tails. {_OF_CHAINS}"),
    boolean(
        "passed",
        "nuts: r_hat <= 1.01, and both effective sample sizes >= 100 for each chain; sampler: no "
        "divergence, and bfmi >= 0.3. collapsed: pareto_k <= 0.7 (chains: r_hat <= 1.01, no "
        "divergence), 400 effective draws and outside <= 0.01; quadrature: no error above 1e-5. A "
        "value that is not defined fails, but for a direct_error, where only the other counts.",
    ),
    number(
        "centring",
        "",
        "How the parameter of a neuron or response was sampled, chosen from its data: 1 centred, "
        "0 non-centred; this changes the speed, not the posterior. Empty: not pooled partially, "
        "or no neuron's.",
    ),
    integer(
        "divergences",
        "transitions",
        "Divergent transitions after tuning, over all chains. Empty: not the row of a sampler, or "
        "of hyperparameters that were sampled by NUTS.",
    ),
    number("bfmi", "", f"Least Bayesian fraction of missing information of a chain. {_OF_SAMPLER}"),
    integer(
        "gradient_evaluations",
        "evaluations",
        f"Gradients after tuning, over all chains. {_OF_SAMPLER}",
    ),
    number(
        "pareto_k",
        "",
        "k-hat of the importance ratios of the hyperparameters. Empty: none were sampled so.",
    ),
    number(
        "outside",
        "",
        "Posterior mass of hyperparameters beyond the region that the lattices serve. Empty: nuts.",
    ),
    number(
        "refinement_error",
        "ln",
        f"Largest change of ln p(y | hyperparameters) on a finer, wider lattice. {_OF_QUADRATURE}",
    ),
    number(
        "direct_error",
        "ln",
        f"Largest difference of the same from the direct kernel. {_OF_QUADRATURE}",
    ),
)


def _overdispersion() -> tuple[Column, ...]:
    # The formulas stand beside their code, which needs SciPy.
    from spikepool.diagnostics import drift
    from spikepool.diagnostics.overdispersion import FORMULAS as OF_COUNTS

    formulas = {**OF_COUNTS, **drift.FORMULAS}

    undefined = "Empty: no condition has two trials and a spike."
    no_order = "Empty: the order of trials is not known, or says nothing (drift_untested)."
    untested = "Empty: not tested (drift_untested)."

    def stated(name: str, unit: str, sentence: str, empty: str = undefined) -> Column:
        return number(name, unit, f"{sentence}: {formulas[name]}. {empty}".rstrip())

    return (
        text("neuron", "The neuron's id, exactly as written in the input."),
        GROUP,
        integer("n_trials", "trials", f"Number of trials: {formulas['n_trials']}."),
        stated("mean_count", "spikes/trial", "Spikes per trial", ""),
        stated("fano_raw", "", "Fano factor of the counts"),
        stated("fano_lower", "", "Lower end of the interval for the neuron's own Fano factor"),
        stated("fano_upper", "", "Upper end of the interval for the neuron's own Fano factor"),
        stated("poisson_lower", "", "Least that a Poisson neuron with these trials would show"),
        stated("poisson_upper", "", "Most that a Poisson neuron with these trials would show"),
        stated("dispersion_index", "", "Pearson's statistic"),
        stated("pvalue_over", "", "Test of Poisson against more variance"),
        stated("pvalue_under", "", "Test of Poisson against less variance"),
        stated("qvalue_over", "", "pvalue_over adjusted for the number of neurons"),
        stated("qvalue_under", "", "pvalue_under adjusted for the number of neurons"),
        number(
            "fano_model_median",
            "",
            "Posterior median, under the primary model, of the Fano factor at the neuron's mean "
            f"exposure ē: {_FANO}. {_NO_GAIN}",
        ),
        number("fano_model_lower", "", f"Lower end of the model's Fano interval. {_NO_GAIN}"),
        number("fano_model_upper", "", f"Upper end of the model's Fano interval. {_NO_GAIN}"),
        number(
            "prob_fano_above",
            "",
            "P(Fano factor > threshold | y) under the primary model; threshold 1.1 unless "
            f"fano_threshold is set. {_NO_GAIN}",
        ),
        number(
            "elpd_over_poisson",
            "nats",
            "Σ_t ln p(y_t | all other trials) of the primary model minus that of the Poisson model "
            "with the same pooling: above 0 where the dispersion helps to predict the neuron's "
            "trials. Empty: no such pair was fitted.",
        ),
        text("verdict", f"In a word: {formulas['verdict']}."),
        stated("lag1_r", "", "Correlation of successive trials within conditions", no_order),
        stated("fano_successive", "", "Fano factor without slow drift", no_order),
        stated("drift_pvalue", "", "Test of slow drift within conditions", untested),
        stated("drift_qvalue", "", "drift_pvalue adjusted for the number of neurons", untested),
        text(
            "drift_untested",
            f"Why drift was not tested: {formulas['drift_untested']}. Empty: it was.",
        ),
    )


def _matched_fano() -> tuple[Column, ...]:
    # The limits stand beside their code, which needs SciPy.
    from spikepool.diagnostics.mean_matching import LEAST_UNITS

    few = f"Empty: fewer than {LEAST_UNITS} neurons (or sessions) of a set count, or none."
    spread = (
        "interval, from the Bayesian bootstrap over neurons (with five sessions or more over "
        f"sessions), and over the posterior's draws. {few}"
    )

    def measured(name: str, sentence: str) -> tuple[Column, ...]:
        return (
            number(name, "", f"{sentence} Empty: not defined."),
            number(f"{name}_lower", "", f"Lower end of its {spread}"),
            number(f"{name}_upper", "", f"Upper end of its {spread}"),
        )

    return (
        text(
            "compared",
            "What the sets are: group, condition (each with every one before it; no more than 15), "
            "or baseline (the stimuli with the trials without one).",
        ),
        text("set", "The set compared: a group, a condition, or stimuli."),
        text("reference", "The set it is compared with."),
        text(
            "method",
            "raw: all counts; matched: at the greatest common distribution of mean counts "
            "(Churchland et al. 2010); posterior: the same with the primary model's Fano factors. "
            "Models have one dispersion of a neuron in all conditions: of these there is no "
            "posterior. The next columns name the model; raw and matched: empty.",
        ),
        *MODEL,
        number(
            "points",
            "neuron × condition",
            "Points of the set that count, of those with two trials and a spike; matched: the mean "
            "number over random selections.",
        ),
        number("reference_points", "neuron × condition", "The same of the reference."),
        number(
            "mean_count",
            "spikes/trial",
            "Mean count of these points, weighted by n − 1 trials. Empty: no points.",
        ),
        number("reference_mean_count", "spikes/trial", "The same of the reference."),
        *measured(
            "fano",
            "Fano factor of the set. raw: ΣX² / Σ(n − 1); matched: Σ_b c_b F_b / Σ_b c_b over bins "
            "b of mean counts half an octave wide, F_b the raw one of the bin, c_b the smaller "
            "Σ(n − 1) of the two sets; posterior: the same, X² replaced by (n − 1) F(m_b), the "
            "model's Fano factor of the neuron at the bin's mean count (median).",
        ),
        *measured("reference_fano", "The same of the reference."),
        *measured("difference", "fano minus reference_fano."),
        *measured("ratio", "fano / reference_fano."),
        number(
            "prob_greater",
            "",
            f"Posterior probability that fano > reference_fano. {few} raw and matched: empty.",
        ),
    )


def _sessions() -> tuple[Column, ...]:
    # The formulas stand beside their code, which needs SciPy.
    from spikepool.diagnostics.company import ALONE, FORMULAS, REPEATED

    unknown = "Empty: not defined, or untested."

    def measured(name: str, sentence: str) -> tuple[Column, ...]:
        of = "the interval, from a jackknife over trials"
        return (
            number(name, "", f"{sentence}: {FORMULAS[name]}. {unknown}"),
            number(f"{name}_lower", "", f"Lower end of {of}. {unknown}"),
            number(f"{name}_upper", "", f"Upper end of {of}. {unknown}"),
        )

    return (
        text("session", "The session. Empty: all sessions together."),
        integer("neurons", "neurons", f"Size: {FORMULAS['neurons']}."),
        integer("trials", "trials", f"Company: {FORMULAS['trials']}."),
        integer("pairs", "pairs", f"Company: {FORMULAS['pairs']}."),
        *measured("correlation", "Mean spike-count correlation within conditions"),
        *measured("shared_gain_variance", "Variance of the gain that two neurons share"),
        *measured("gain_variance", "Variance of a neuron's gain"),
        *measured(
            "shared_share",
            "Share of the gain variance that is shared; chance can bring it below 0 or above 1",
        ),
        text(
            "untested",
            f"Why nothing was measured: {ALONE}; or {REPEATED}, in one condition of the session, "
            "so that company is not known. Empty: it was.",
        ),
    )

"""The columns of every table: the contract with whoever reads the results."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

type ColumnType = Literal["text", "integer", "number", "boolean"]

TABLE_NAMES = (
    *("estimates", "neurons", "population", "overdispersion", "comparison", "diagnostics"),
)

RATE_UNIT = "spikes/s or spikes/trial"
"""Unit of rates in the schema; in a table it is the one of the two that holds."""
EXPOSURE_UNIT = "s or trials"
"""Unit of exposures in the schema; in a table it is the one of the two that holds."""
LOG_RATE_UNIT = f"ln({RATE_UNIT})"

FLAGS: dict[str, str] = {
    "silent": "no spike in any trial: the data give an upper bound on the rate only",
    "one_trial": "one trial: the data cannot tell the dispersion",
    "few_trials": "4 trials or fewer",
    "no_count_above_1": "no trial with 2 spikes or more: no lower bound on the gain",
    "dispersion_from_prior": "dispersion_source is prior: the population decides the dispersion",
    "shared_dispersion": (
        "one dispersion for all neurons: it includes differences between neurons"
    ),
    "underdispersed": "verdict is under: neither Poisson nor negative binomial can show it",
}
"""What each word in the column `flags` means."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
    type : {'text', 'integer', 'number', 'boolean'}
    unit : str
        Empty where there is none.
    description : str
        What it is, its formula where it has one, and what an empty cell means.
    """

    name: str
    type: ColumnType
    unit: str
    description: str


@cache
def table_schemas() -> dict[str, tuple[Column, ...]]:
    """Return the columns of every table, in order.

    `neurons` and `estimates` also have every input column that is constant within a neuron, as
    text, after these.

    Returns
    -------
    dict of str to tuple of Column
    """
    return {
        "estimates": ESTIMATES,
        "neurons": (*ESTIMATES, *SIDE_BY_SIDE),
        "population": POPULATION,
        "overdispersion": _overdispersion(),
        "comparison": COMPARISON,
        "diagnostics": DIAGNOSTICS,
    }


def _text(name: str, description: str) -> Column:
    return Column(name, "text", "", description)


def _integer(name: str, unit: str, description: str) -> Column:
    return Column(name, "integer", unit, description)


def _number(name: str, unit: str, description: str) -> Column:
    return Column(name, "number", unit, description)


_NO_GAIN = "Empty: Poisson has no dispersion."
_NO_ELPD = "Empty: engine nuts."

MODEL = (
    _text("family", "Distribution of the counts: poisson, nb2 or nb1."),
    _text("pooling", "Pooling of the log rates: none, complete or partial."),
    _text(
        "dispersion_pooling",
        "Pooling of the dispersions: none, complete or partial. Empty: Poisson has none.",
    ),
    _text("engine", "How the posterior was computed: collapsed (quadrature) or nuts."),
)

ESTIMATES = (
    _text("neuron", "The neuron's id, exactly as written in the input."),
    _text("level", "What the row is about: neuron."),
    _text("group", "The neuron's group. Empty: no group column was given."),
    _text("condition", "The condition. Empty: the row is about the whole neuron."),
    *MODEL,
    Column("is_primary", "boolean", "", "Whether this model's rows stand in the table neurons."),
    _integer("n_trials", "trials", "Number of trials, n."),
    _number("exposure", EXPOSURE_UNIT, "Σe over all trials; 1 per trial where none is known."),
    _integer("spike_count", "spikes", "Σy over all trials."),
    _text("rate_unit", "Unit of the rates: spikes/s where exposure is known, else spikes/trial."),
    _number("rate_raw", RATE_UNIT, "The neuron's own estimate, without a model: Σy / Σe."),
    _number(
        "rate_mean",
        RATE_UNIT,
        "Posterior mean of the rate λ = exp θ. Empty: the far tail alone decides it.",
    ),
    _number("rate_median", RATE_UNIT, "Posterior median of the rate."),
    _number(
        "rate_sd", RATE_UNIT, "Posterior standard deviation of the rate. Empty: as rate_mean."
    ),
    _number("rate_lower", RATE_UNIT, "Lower end of the rate's equal-tailed interval."),
    _number("rate_upper", RATE_UNIT, "Upper end of the rate's equal-tailed interval."),
    _number("log_rate_mean", LOG_RATE_UNIT, "Posterior mean of the log rate θ."),
    _number("log_rate_sd", "ln", "Posterior standard deviation of the log rate θ."),
    _number(
        "own_weight_mean",
        "",
        "Posterior mean of κ = τ² / (τ² + σ²), σ² = 1 / Σ_t (m_t² / Var y_t), m_t = λ e_t: 1 where "
        "the neuron's own data decide, 0 where the population does; 0 under complete pooling, "
        "and the prior's sd stands for τ without pooling.",
    ),
    _number("own_weight_lower", "", "Lower end of the equal-tailed interval of κ."),
    _number("own_weight_upper", "", "Upper end of the equal-tailed interval of κ."),
    _number(
        "realised_weight",
        "",
        "1 − E Var(θ | y, φ) / τ²: how much of the population's variance the data removed; φ are "
        "the hyperparameters. Empty: not defined.",
    ),
    _number(
        "mse_ratio",
        "",
        "E Var(θ | y, φ) / σ²: pooled against raw expected squared error. Empty: not defined.",
    ),
    _number(
        "gain_sd_median",
        "",
        f"Posterior median of the gain's sd σ_G = √α (NB1: √(ω / mean count)). {_NO_GAIN}",
    ),
    _number("gain_sd_lower", "", f"Lower end of the interval of σ_G. {_NO_GAIN}"),
    _number("gain_sd_upper", "", f"Upper end of the interval of σ_G. {_NO_GAIN}"),
    _number(
        "fano_model_median",
        "",
        "Posterior median of the Fano factor at the neuron's mean exposure ē: 1 + α λ ē (NB2), "
        f"1 + ω (NB1). {_NO_GAIN}",
    ),
    _number("fano_model_lower", "", f"Lower end of the model's Fano interval. {_NO_GAIN}"),
    _number("fano_model_upper", "", f"Upper end of the model's Fano interval. {_NO_GAIN}"),
    _text(
        "dispersion_source",
        "What decides the log dispersion δ: data where 1 − Var(δ | y, φ) / τ_δ² > 0.5, prior where "
        f"it is < 0.1, else mixed. {_NO_GAIN}",
    ),
    _number(
        "elpd_trials",
        "nats",
        "Σ_t ln p(y_t | all other trials): what the model predicts of the neuron's trials, each "
        f"left out alone. {_NO_ELPD}",
    ),
    _number(
        "elpd_neuron",
        "nats",
        f"ln p(y | all other neurons): what it predicts of the whole neuron. {_NO_ELPD}",
    ),
    _text("flags", "Warnings about the row, joined by a space. Empty: none."),
)  # fmt: skip

SIDE_BY_SIDE = (
    _number(
        "rate_mean_none",
        RATE_UNIT,
        "Posterior mean rate of the same family without pooling. Empty: not fitted.",
    ),
    _number(
        "rate_mean_complete",
        RATE_UNIT,
        "Posterior mean rate of the same family with complete pooling. Empty: not fitted.",
    ),
)

POPULATION = (
    *MODEL,
    _text("group", "The group whose neurons share the parameter; all where there is none."),
    _text(
        "parameter",
        "mu and tau: mean and sd of the log rates; mu_delta and tau_delta: the same of the log "
        "dispersions; gain_sd (NB2) or excess_fano (NB1): the one shared dispersion; in words: "
        "typical_rate = exp mu (in rate_unit), rate_spread_fold = exp tau, "
        "typical_gain_sd = exp mu_delta (NB2), typical_excess_fano = exp 2 mu_delta (NB1).",
    ),
    _number("mean", "of the parameter", "Posterior mean. Empty: it does not exist."),
    _number("sd", "of the parameter", "Posterior standard deviation. Empty: it does not exist."),
    _number("median", "of the parameter", "Posterior median."),
    _number("lower", "of the parameter", "Lower end of the equal-tailed interval."),
    _number("upper", "of the parameter", "Upper end of the equal-tailed interval."),
    _number("ess_bulk", "draws", "Effective sample size in the bulk. Empty: it did not vary."),
    _number("ess_tail", "draws", "Effective sample size in the tails. Empty: it did not vary."),
    _number("r_hat", "", "Rank-normalised split R-hat. Empty: it did not vary."),
)

COMPARISON = (
    *MODEL,
    Column("is_primary", "boolean", "", "Whether the differences are from this model."),
    _text("left_out", "What is left out, one at a time: trial or neuron."),
    _number(
        "elpd",
        "nats",
        "Expected log predictive density: Σ ln p(left out | the rest), the neuron's own "
        "parameters integrated out. Larger is better.",
    ),
    _number("elpd_se", "nats", "Its standard error, with neurons as the independent units."),
    _number("elpd_difference", "nats", "elpd minus that of the primary model."),
    _number(
        "elpd_difference_se",
        "nats",
        "Standard error of the difference, neuron by neuron. Empty: one neuron.",
    ),
    _number(
        "pareto_k",
        "",
        "Largest k-hat of the hyperparameters' importance weights. Empty: the hyperparameters "
        "cannot matter.",
    ),
)

_OF_CHAINS = "Empty: engine collapsed."
_OF_SAMPLER = "Empty: only for the sampler."
_OF_QUADRATURE = "Empty: engine nuts, or a neuron that was not among those checked."

DIAGNOSTICS = (
    *MODEL,
    _text(
        "parameter",
        "nuts: the sampled quantity, or sampler for the whole run of the model. collapsed: "
        "hyperparameters for their sample, quadrature for a neuron's integral.",
    ),
    _text("neuron", "The neuron. Empty: a hyperparameter, or the whole model."),
    _number("r_hat", "", f"Rank-normalised split R-hat. Empty: it did not vary. {_OF_CHAINS}"),
    _number(
        "ess_bulk",
        "draws",
        "Effective sample size in the bulk; of the importance sample (collapsed).",
    ),
    _number("ess_tail", "draws", f"Effective sample size in the tails. {_OF_CHAINS}"),
    Column(
        "passed",
        "boolean",
        "",
        "nuts: r_hat <= 1.01, and both effective sample sizes >= 100 for each chain; sampler: no "
        "divergence, and bfmi >= 0.3. collapsed: pareto_k <= 0.7 and 400 effective draws; "
        "quadrature: both errors <= 1e-5. A value that is not defined fails.",
    ),
    _number(
        "centring",
        "",
        "How the neuron's parameter was sampled, chosen from its data: 1 centred, 0 non-centred; "
        "this changes the speed, not the posterior. Empty: not pooled partially, or no neuron's.",
    ),
    _integer(
        "divergences",
        "transitions",
        f"Divergent transitions after tuning, over all chains. {_OF_SAMPLER}",
    ),
    _number(
        "bfmi", "", f"Least Bayesian fraction of missing information of a chain. {_OF_SAMPLER}"
    ),
    _integer(
        "gradient_evaluations",
        "evaluations",
        f"Gradients after tuning, over all chains. {_OF_SAMPLER}",
    ),
    _number(
        "pareto_k",
        "",
        "k-hat of the importance ratios of the hyperparameters. Empty: none were sampled so.",
    ),
    _number(
        "outside",
        "",
        "Posterior mass of hyperparameters beyond the region that the lattices serve. Empty: nuts.",
    ),
    _number(
        "refinement_error",
        "ln",
        f"Largest change of ln p(y | hyperparameters) on a finer, wider lattice. {_OF_QUADRATURE}",
    ),
    _number(
        "direct_error",
        "ln",
        f"Largest difference of the same from the direct kernel. {_OF_QUADRATURE}",
    ),
)


def _overdispersion() -> tuple[Column, ...]:
    # The formulas stand beside their code, which needs SciPy.
    from spikepool.diagnostics.overdispersion import FORMULAS

    undefined = "Empty: no condition has two trials and a spike."

    def stated(name: str, unit: str, sentence: str, empty: str = undefined) -> Column:
        return _number(name, unit, f"{sentence}: {FORMULAS[name]}. {empty}".rstrip())

    return (
        _text("neuron", "The neuron's id, exactly as written in the input."),
        _text("group", "The neuron's group. Empty: no group column was given."),
        _integer("n_trials", "trials", f"Number of trials: {FORMULAS['n_trials']}."),
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
        _number(
            "fano_model_median",
            "",
            "Posterior median, under the primary model, of the Fano factor at the neuron's mean "
            f"exposure ē: 1 + α λ ē (NB2), 1 + ω (NB1). {_NO_GAIN}",
        ),
        _number("fano_model_lower", "", f"Lower end of the model's Fano interval. {_NO_GAIN}"),
        _number("fano_model_upper", "", f"Upper end of the model's Fano interval. {_NO_GAIN}"),
        _number(
            "prob_fano_above",
            "",
            "P(Fano factor > threshold | y) under the primary model; threshold 1.1 unless "
            f"fano_threshold is set. {_NO_GAIN}",
        ),
        _text("verdict", f"In a word: {FORMULAS['verdict']}."),
    )

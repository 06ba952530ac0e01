"""The columns of the tables of a run of estimates (``--family normal``)."""

from spikepool.report.schema import Column

ESTIMATE_UNIT = "of the estimates"

NORMAL_TABLE_NAMES = ("estimates", "neurons", "population", "diagnostics")


def normal_table_schemas() -> dict[str, tuple[Column, ...]]:
    """Return the columns of every table, in order.

    `neurons` and `estimates` also have every input column without a role, as text, after these.

    Returns
    -------
    dict of str to tuple of Column
    """
    return {
        "estimates": ESTIMATES,
        "neurons": (*ESTIMATES, *SIDE_BY_SIDE),
        "population": POPULATION,
        "diagnostics": DIAGNOSTICS,
    }


def _text(name: str, description: str) -> Column:
    return Column(name, "text", "", description)


def _number(name: str, unit: str, description: str) -> Column:
    return Column(name, "number", unit, description)


MODEL = (
    _text("family", "Always normal: estimates x ~ N(θ, σ²), σ the standard error."),
    _text("pooling", "Pooling of the θ: none, complete or partial."),
    _text("population", "What partially pooled θ are drawn from: normal or student-t."),
    _text("engine", "How the posterior was computed: collapsed (closed forms) or nuts."),
)

ESTIMATES = (
    _text("neuron", "The id of the neuron (or school, site ...), exactly as written in the input."),
    _text("group", "The neuron's group. Empty: no group column was given."),
    *MODEL,
    Column("is_primary", "boolean", "", "Whether this model's rows stand in the table neurons."),
    _number("estimate_raw", ESTIMATE_UNIT, "The estimate x, as read."),
    _number("standard_error", ESTIMATE_UNIT, "Its standard error σ, as read."),
    _number("estimate_mean", ESTIMATE_UNIT, "Posterior mean of θ."),
    _number("estimate_median", ESTIMATE_UNIT, "Posterior median of θ."),
    _number("estimate_sd", ESTIMATE_UNIT, "Posterior standard deviation of θ."),
    _number("estimate_lower", ESTIMATE_UNIT, "Lower end of the equal-tailed interval of θ."),
    _number("estimate_upper", ESTIMATE_UNIT, "Upper end of the equal-tailed interval of θ."),
    _number(
        "own_weight_mean",
        "",
        "Posterior mean of κ = V / (V + σ²), V the variance of the population (τ², student-t: "
        "2 τ²): 1 where the estimate itself decides, 0 where the population does; 0 under complete "
        "pooling; without pooling V is the variance of the fixed prior.",
    ),
    _number("own_weight_lower", "", "Lower end of the equal-tailed interval of κ."),
    _number("own_weight_upper", "", "Upper end of the equal-tailed interval of κ."),
    _number(
        "realised_weight",
        "",
        "1 − E Var(θ | x, φ) / V, φ the hyperparameters; equal to own_weight_mean with a normal "
        "population.",
    ),
    _number(
        "mse_ratio",
        "",
        "E Var(θ | x, φ) / σ²: pooled against raw expected squared error; equal to own_weight_mean "
        "with a normal population.",
    ),
)

SIDE_BY_SIDE = (
    _number(
        "estimate_mean_none", ESTIMATE_UNIT, "Posterior mean without pooling. Empty: not fitted."
    ),
    _number(
        "estimate_mean_complete",
        ESTIMATE_UNIT,
        "Posterior mean with complete pooling: the precision-weighted mean, as far as the prior of "
        "μ is wide. Empty: not fitted.",
    ),
)

POPULATION = (
    *MODEL,
    _text("group", "Always all: one population."),
    _text("parameter", "mu and tau: mean and sd (student-t: scale) of the population of θ."),
    _number("mean", ESTIMATE_UNIT, "Posterior mean."),
    _number("sd", ESTIMATE_UNIT, "Posterior standard deviation."),
    _number("median", ESTIMATE_UNIT, "Posterior median."),
    _number("lower", ESTIMATE_UNIT, "Lower end of the equal-tailed interval."),
    _number("upper", ESTIMATE_UNIT, "Upper end of the equal-tailed interval."),
    _number(
        "ess_bulk",
        "draws",
        "Effective sample size, of the importance sample (collapsed) or in the bulk (nuts).",
    ),
    _number("ess_tail", "draws", "Effective sample size in the tails. Empty: collapsed."),
    _number("r_hat", "", "Rank-normalised split R-hat. Empty: collapsed."),
)

DIAGNOSTICS = (
    *MODEL,
    _text(
        "parameter",
        "hyperparameters (their importance sample), sampler (the whole run of nuts), mu, tau or "
        "theta.",
    ),
    _text("neuron", "The neuron. Empty: none in particular."),
    Column(
        "passed",
        "boolean",
        "",
        "hyperparameters: ess >= 400 and pareto_k <= 0.7; sampler: no divergence and bfmi >= 0.3; "
        "nuts: r_hat <= 1.01 and both effective sample sizes >= 100 for each chain. theta of "
        "collapsed is exact given the hyperparameters.",
    ),
    _number("ess", "draws", "Effective sample size of the importance sample. Empty: other rows."),
    _number("pareto_k", "", "Pareto shape of the importance weights. Empty: other rows."),
    _number(
        "mcse", ESTIMATE_UNIT, "Monte Carlo standard error of estimate_mean. Empty: not theta."
    ),
    _number("r_hat", "", "Rank-normalised split R-hat. Empty: not sampled by nuts."),
    _number("ess_bulk", "draws", "Effective sample size in the bulk. Empty: as r_hat."),
    _number("ess_tail", "draws", "Effective sample size in the tails. Empty: as r_hat."),
    Column("divergences", "integer", "transitions", "After tuning. Empty: only for the sampler."),
    _number("bfmi", "", "Least fraction of missing information. Empty: only for the sampler."),
    Column(
        "gradient_evaluations",
        "integer",
        "evaluations",
        "Gradients after tuning. Empty: only for the sampler.",
    ),
)

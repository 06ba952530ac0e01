"""The columns of the tables of a run of estimates (``--family normal``)."""

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

ESTIMATE_UNIT = "of the estimates"


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
        "identifiability": IDENTIFIABILITY,
        "diagnostics": DIAGNOSTICS,
    }


MODEL = (
    text("family", "Always normal: estimates x ~ N(θ, σ²), σ the standard error."),
    text("pooling", "Pooling of the θ: none, complete or partial."),
    text("population", "What partially pooled θ are drawn from: normal or student-t."),
    text("engine", "How the posterior was computed: collapsed (closed forms) or nuts."),
)

ESTIMATES = (
    text("neuron", "The id of the neuron (or school, site ...), exactly as written in the input."),
    GROUP,
    *MODEL,
    IS_PRIMARY,
    number("estimate_raw", ESTIMATE_UNIT, "The estimate x, as read."),
    number("standard_error", ESTIMATE_UNIT, "Its standard error σ, as read."),
    number("estimate_mean", ESTIMATE_UNIT, "Posterior mean of θ."),
    number("estimate_median", ESTIMATE_UNIT, "Posterior median of θ."),
    number("estimate_sd", ESTIMATE_UNIT, "Posterior standard deviation of θ."),
    number("estimate_lower", ESTIMATE_UNIT, "Lower end of the equal-tailed interval of θ."),
    number("estimate_upper", ESTIMATE_UNIT, "Upper end of the equal-tailed interval of θ."),
    number(
        "own_weight_mean",
        "",
        "Posterior mean of κ = V / (V + σ²), V the variance of the population (τ², student-t: "
        "2 τ²): 1 where the estimate itself decides, 0 where the population does; 0 under complete "
        "pooling; without pooling V is the variance of the fixed prior.",
    ),
    *OWN_WEIGHT_ENDS,
    number(
        "realised_weight",
        "",
        "1 − E Var(θ | x, φ) / V, φ the hyperparameters; equal to own_weight_mean with a normal "
        "population.",
    ),
    number(
        "mse_ratio",
        "",
        "E Var(θ | x, φ) / σ²: pooled against raw expected squared error; equal to own_weight_mean "
        "with a normal population.",
    ),
)

SIDE_BY_SIDE = (
    number(
        "estimate_mean_none", ESTIMATE_UNIT, "Posterior mean without pooling. Empty: not fitted."
    ),
    number(
        "estimate_mean_complete",
        ESTIMATE_UNIT,
        "Posterior mean with complete pooling: the precision-weighted mean, as far as the prior of "
        "μ is wide. Empty: not fitted.",
    ),
)

POPULATION = (
    *MODEL,
    text("group", "Always all: one population."),
    text("parameter", "mu and tau: mean and sd (student-t: scale) of the population of θ."),
    number("mean", ESTIMATE_UNIT, "Posterior mean."),
    number("sd", ESTIMATE_UNIT, "Posterior standard deviation."),
    number("median", ESTIMATE_UNIT, "Posterior median."),
    number("lower", ESTIMATE_UNIT, "Lower end of the equal-tailed interval."),
    number("upper", ESTIMATE_UNIT, "Upper end of the equal-tailed interval."),
    number(
        "ess_bulk",
        "draws",
        "Effective sample size, of the importance sample (collapsed) or in the bulk (nuts).",
    ),
    number("ess_tail", "draws", "Effective sample size in the tails. Empty: collapsed."),
    number("r_hat", "", "Rank-normalised split R-hat. Empty: collapsed."),
    FLAGS_OF_POPULATION,
)

DIAGNOSTICS = (
    *MODEL,
    text(
        "parameter",
        "hyperparameters (their importance sample), sampler (the whole run of nuts), mu, tau or "
        "theta.",
    ),
    text("neuron", "The neuron. Empty: none in particular."),
    boolean(
        "passed",
        "hyperparameters: ess >= 400 and pareto_k <= 0.7; sampler: no divergence and bfmi >= 0.3; "
        "nuts: r_hat <= 1.01 and both effective sample sizes >= 100 for each chain. theta of "
        "collapsed is exact given the hyperparameters.",
    ),
    number("ess", "draws", "Effective sample size of the importance sample. Empty: other rows."),
    number("pareto_k", "", "Pareto shape of the importance weights. Empty: other rows."),
    number("mcse", ESTIMATE_UNIT, "Monte Carlo standard error of estimate_mean. Empty: not theta."),
    number("r_hat", "", "Rank-normalised split R-hat. Empty: not sampled by nuts."),
    number("ess_bulk", "draws", "Effective sample size in the bulk. Empty: as r_hat."),
    number("ess_tail", "draws", "Effective sample size in the tails. Empty: as r_hat."),
    integer("divergences", "transitions", "After tuning. Empty: only for the sampler."),
    number("bfmi", "", "Least fraction of missing information. Empty: only for the sampler."),
    integer(
        "gradient_evaluations",
        "evaluations",
        "Gradients after tuning. Empty: only for the sampler.",
    ),
)

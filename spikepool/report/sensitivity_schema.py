"""The columns of the tables that `spikepool sensitivity` writes."""

from spikepool.diagnostics.power_scaling import ALPHAS, THRESHOLD
from spikepool.diagnostics.prior_sensitivity import ERRORS, MOST_MOVE
from spikepool.posterior.quadrature import LEAST_ESS, MOST_PARETO_K
from spikepool.report.columns import GROUP, Column, boolean, integer, number, text
from spikepool.report.schema import LOG_RATE_UNIT

_PRIOR = text("prior", "The prior of τ, as fit --prior takes it; that of the fit first.")
_POPULATION = text("group", "The population: a group, or all where the table has none.")
_OWN_UNIT = "of the parameter"

PRIOR_SENSITIVITY: tuple[Column, ...] = (
    _PRIOR,
    text("reason", "What trying this prior tells. Empty: it was given with --tau-prior."),
    _POPULATION,
    text("parameter", "The population parameter, as in the table population of a fit."),
    number("mean", _OWN_UNIT, "Posterior mean. Empty: the far tail alone decides it."),
    number("sd", _OWN_UNIT, "Posterior standard deviation. Empty: as mean."),
    number("median", _OWN_UNIT, "Posterior median."),
    number("lower", _OWN_UNIT, "Lower end of the equal-tailed interval."),
    number("upper", _OWN_UNIT, "Upper end of the equal-tailed interval."),
    text(
        "method",
        "fitted: the fit itself; reweighted: its draws, with weights times the ratio of the "
        "priors; refitted: another fit, where the weights fail.",
    ),
    text("why_refitted", "Which check the weights failed. Empty: none."),
    number(
        "pareto_k",
        "",
        f"k-hat of the weights; above {MOST_PARETO_K} they fail. Empty: nearly equal ones.",
    ),
    number("ess", "draws", f"Effective size of the weights; below {LEAST_ESS:.0f} they fail."),
    number(
        "largest_move", "posterior sd", "Largest move of a neuron (see prior_sensitivity_neurons)."
    ),
    integer("neurons_moved", "neurons", f"Neurons that surely move by more than {MOST_MOVE}."),
    integer("neurons_undecided", "neurons", f"Neurons that may move by more than {MOST_MOVE}."),
)

PRIOR_SENSITIVITY_NEURONS: tuple[Column, ...] = (
    _PRIOR,
    GROUP,
    text("neuron", "The neuron's id, exactly as written in the input."),
    number("log_rate_mean", LOG_RATE_UNIT, "Posterior mean of the log rate under this prior."),
    number("log_rate_sd", LOG_RATE_UNIT, "Posterior standard deviation of the log rate."),
    number(
        "move",
        "posterior sd",
        "(log_rate_mean − that of the fit) / posterior standard deviation of the fit.",
    ),
    number("move_error", "posterior sd", "Monte Carlo standard error of move."),
    boolean("moved", f"Whether |move| − {ERRORS:g} move_error > {MOST_MOVE}."),
    boolean("undecided", f"Whether |move| + {ERRORS:g} move_error > {MOST_MOVE}, but not moved."),
)

POWER_SCALING: tuple[Column, ...] = (
    _POPULATION,
    text("parameter", "The hyperparameter."),
    number(
        "prior_sensitivity",
        "",
        "Distance of the posterior from that in which all priors of hyperparameters have the power "
        f"{ALPHAS[0]} or {ALPHAS[1]}, over log2 of the power: √ of the cumulative Jensen-Shannon "
        "divergence (Kallioinen et al. 2024).",
    ),
    number("likelihood_sensitivity", "", "The same with the power on the likelihood."),
    text(
        "diagnosis",
        f"fine: prior_sensitivity < {THRESHOLD}; conflict: both are {THRESHOLD} or more, so that "
        "prior and data may disagree; weak_likelihood: the prior alone, so that it decides.",
    ),
)

SENSITIVITY_SCHEMAS: dict[str, tuple[Column, ...]] = {
    "prior_sensitivity": PRIOR_SENSITIVITY,
    "prior_sensitivity_neurons": PRIOR_SENSITIVITY_NEURONS,
    "power_scaling": POWER_SCALING,
}

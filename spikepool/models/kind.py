"""Which kind of table a run reads: counts, or estimates with standard errors."""

from spikepool.config import ReportOptions, RunConfig
from spikepool.errors import UsageError

_OF_COUNTS = ("fano_threshold", "fano_ddof", "fdr")


def reads_estimates(config: RunConfig) -> bool:
    """Tell whether a run is of estimates (``--family normal``) and not of counts.

    Raises
    ------
    UsageError
        If it is of both, or if an option of the one kind stands beside a family of the other.
    """
    families = set(config.model.family)
    if "normal" not in families:
        for name in ("estimate", "standard_error"):
            if getattr(config.input, name) is not None:
                option = name.replace("_", "-")
                raise UsageError(
                    f"--{option} names a column of estimates, which only --family normal reads",
                    f"add --family normal, or leave out --{option}",
                )
        return False
    if len(families) > 1:
        others = ", ".join(sorted(families - {"normal"}))
        raise UsageError(
            f"--family normal is of estimates, {others} of counts: a run reads one kind of table",
            "fit --family normal alone",
        )
    _refuse_options_of_counts(config)
    return True


def _refuse_options_of_counts(config: RunConfig) -> None:
    for name in _OF_COUNTS:
        if getattr(config.report, name) != ReportOptions.model_fields[name].default:
            option = name.replace("_", "-")
            raise UsageError(
                f"--{option} belongs to counts: estimates have no Fano factor",
                f"leave out --{option}",
            )
    if config.model.condition_effects:
        raise UsageError(
            "--condition-effects belongs to counts: estimates have no conditions",
            "leave out --condition-effects",
        )
    if config.input.drift_block is not None:
        raise UsageError(
            "--drift-block belongs to counts: estimates have no trials to cut into blocks",
            "leave out --drift-block",
        )
    if config.input.within:
        raise UsageError(
            "--within belongs to counts: estimates are fitted as one population, whatever their "
            "groups",
            "leave out --within",
        )
    if config.input.session:
        raise UsageError(
            "--session belongs to counts: estimates have no trials that neurons could share",
            "leave out --session",
        )
    if config.model.dispersion_pooling is not None:
        raise UsageError(
            "--dispersion-pooling: the normal family has no dispersion to pool; its variances are "
            "the standard errors squared",
            "leave out --dispersion-pooling",
        )
    if config.model.dispersion_scaling == "duration":
        raise UsageError(
            "--dispersion-scaling: the normal family has no gain; its variances are the standard "
            "errors squared",
            "leave out --dispersion-scaling",
        )
    if config.model.population == "gamma":
        raise UsageError(
            "--population gamma is of rates, which are above 0; estimates have any sign",
            "take --population normal or student-t",
        )

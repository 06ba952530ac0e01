"""Everything a run of estimates found out."""

from dataclasses import dataclass

from spikepool.data.estimates import Estimates
from spikepool.data.spike_counts import Notice
from spikepool.diagnostics.cross_check import CrossCheck
from spikepool.diagnostics.normal_checks import NormalCheck, normal_problems
from spikepool.models.normal_priors import NormalPriors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.normal_results import NormalPosterior


@dataclass(frozen=True)
class NormalFit:
    """One model's posterior, and the checks of its computation.

    Attributes
    ----------
    posterior : NormalPosterior
    checks : tuple of NormalCheck
    cross_check : CrossCheck or None
        Against the other engine, where that was asked for.
    """

    posterior: NormalPosterior
    checks: tuple[NormalCheck, ...]
    cross_check: CrossCheck | None = None

    @property
    def spec(self) -> ModelSpec:
        """The model."""
        return self.posterior.spec

    @property
    def problems(self) -> tuple[str, ...]:
        """Each check that failed, in words."""
        return normal_problems(self.checks)


@dataclass(frozen=True)
class NormalResults:
    """The whole run.

    Attributes
    ----------
    estimates : Estimates
    priors : NormalPriors
    fits : tuple of NormalFit
        In the order fitted.
    primary : ModelSpec
        The model whose numbers stand in ``neurons``.
    notices : tuple of Notice
        Of reading, planning and fitting.
    """

    estimates: Estimates
    priors: NormalPriors
    fits: tuple[NormalFit, ...]
    primary: ModelSpec
    notices: tuple[Notice, ...]

    @property
    def primary_fit(self) -> NormalFit:
        """The fit of the primary model."""
        return next(fit for fit in self.fits if fit.spec == self.primary)

    @property
    def problems(self) -> tuple[str, ...]:
        """Every failed check, with its model; empty when the run can be used."""
        return tuple(
            f"{fit.spec.label}: {problem}" for fit in self.fits for problem in fit.problems
        )

    @property
    def status(self) -> str:
        """``converged`` or ``not_converged``."""
        return "not_converged" if self.problems else "converged"

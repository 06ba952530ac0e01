"""Everything a run of estimates found out."""

from dataclasses import dataclass
from typing import override

from spikepool.data.estimates import Estimates
from spikepool.data.spike_counts import Source
from spikepool.diagnostics.cross_check import CrossCheck
from spikepool.diagnostics.normal_checks import NormalCheck, normal_problems
from spikepool.models.identifiability.finding import Finding
from spikepool.models.normal_priors import NormalPriors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.normal_results import NormalPosterior
from spikepool.report.results import Results


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
class NormalResults(Results[NormalFit]):
    """The whole run.

    Attributes
    ----------
    estimates : Estimates
    priors : NormalPriors
    findings : tuple of Finding
        What the design cannot tell.
    """

    estimates: Estimates
    priors: NormalPriors
    findings: tuple[Finding, ...] = ()

    @property
    @override
    def sources(self) -> tuple[Source, ...]:
        return self.estimates.sources

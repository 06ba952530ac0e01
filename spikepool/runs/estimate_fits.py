"""The fits of a run of estimates, and the checks of what they say."""

from dataclasses import replace

from spikepool.data.estimates import Estimates
from spikepool.data.spike_counts import Notice
from spikepool.diagnostics.normal_checks import check_normal
from spikepool.diagnostics.normal_cross_check import compare_normal_engines
from spikepool.engines.normal.closed_form import integrate_normal
from spikepool.engines.normal.request import NormalRequest
from spikepool.engines.normal.sampled import sample_normal
from spikepool.models.normal_plan import NormalPlan
from spikepool.models.spec import ModelSpec
from spikepool.posterior.normal_results import NormalPosterior
from spikepool.progress import Progress
from spikepool.report.normal_results import NormalFit, NormalResults
from spikepool.runs.interface import RunPlan

type _Plan = RunPlan[Estimates, NormalPlan, NormalResults]


def fit_normal_models(plan: _Plan, progress: Progress) -> NormalResults:
    """Fit every planned model and check what it says."""
    notices = list(plan.notices)
    fits = tuple(_fitted(spec, plan, notices, progress) for spec in plan.models.specs)
    return NormalResults(
        estimates=plan.table,
        priors=plan.models.priors,
        models=fits,
        primary=plan.models.primary,
        notices=tuple(notices),
        findings=plan.models.findings,
    )


def _fitted(spec: ModelSpec, plan: _Plan, notices: list[Notice], progress: Progress) -> NormalFit:
    """Fit one model by closed forms, or by NUTS where that was asked for or has to help."""
    progress.stage(f"fitting {spec.label}")
    engine = plan.config.engine.engine
    if engine != "nuts":
        fit = _integrated(spec, plan)
        if engine != "auto" or not fit.problems:
            return _cross_checked(fit, plan, progress)
        text = f"{spec.label} was sampled with nuts instead: {'; '.join(fit.problems)}"
        notices.append(Notice("engine-changed", text))
    joint = plan.config.report.posterior == "full"
    posterior = _sampled(spec, plan, progress, joint=joint)
    return NormalFit(posterior, check_normal(posterior, plan.table.neurons))


def _integrated(spec: ModelSpec, plan: _Plan) -> NormalFit:
    report, estimates = plan.config.report, plan.table
    request = NormalRequest(report.interval, joint=report.posterior == "full")
    posterior = integrate_normal(spec, estimates, plan.models.priors, plan.config.engine, request)
    return NormalFit(posterior, check_normal(posterior, estimates.neurons))


def _sampled(spec: ModelSpec, plan: _Plan, progress: Progress, *, joint: bool) -> NormalPosterior:
    request = NormalRequest(plan.config.report.interval, joint)
    options, priors = plan.config.engine, plan.models.priors
    return sample_normal(spec, plan.table, priors, options, request, progress)


def _cross_checked(fit: NormalFit, plan: _Plan, progress: Progress) -> NormalFit:
    """Fit the same model by NUTS, where that was asked for, and compare."""
    if not plan.config.engine.cross_check:
        return fit
    progress.stage(f"sampling {fit.spec.label} to check it")
    sampled = _sampled(fit.spec, plan, progress, joint=True)
    neurons, interval = plan.table.neurons, plan.config.report.interval
    check = compare_normal_engines(fit.posterior, sampled, neurons, interval)
    return replace(fit, cross_check=check)

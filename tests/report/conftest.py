"""Small runs of both engines built by hand: every number is made up, nothing is computed."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.data.spike_counts import Labels, NeuronColumn, Notice, Source, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.diagnostics.company import Company, Measured, Sessions
from spikepool.diagnostics.comparison import score_models
from spikepool.diagnostics.convergence import Convergence
from spikepool.diagnostics.cross_check import CrossCheck
from spikepool.diagnostics.dispersion_share import DispersionShare
from spikepool.diagnostics.drift import Drift
from spikepool.diagnostics.exchangeability import ExchangeabilityTest
from spikepool.diagnostics.mean_matching import FanoOfPair, MatchedPair
from spikepool.diagnostics.overdispersion import Overdispersion
from spikepool.models.identifiability.gate import find_all
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.draws import PosteriorDraws, SamplerStatistics
from spikepool.posterior.mixing import ParameterDiagnostics
from spikepool.posterior.quadrature import Certificate, HyperparameterSample, LeaveOut
from spikepool.posterior.results import (
    DispersionEstimates,
    NeuronCheck,
    NeuronEstimates,
    PopulationParameter,
    PredictiveBand,
    PredictiveCheck,
    ResponseEstimates,
    Summary,
)
from spikepool.report.run_results import FittedModel, GroupFit, RunResults

IDS = ("007", "7", "NA", 'a,"b"\nc\r', "=cmd|'/c calc'!A1", "-1")
TRIALS = (6, 5, 4, 3, 1, 5)
COUNTS = (
    (3, 5, 1, 0, 2, 8), (0, 0, 0, 0, 0), (1, 0, 1, 0), (9, 2, 4), (7,), (4, 4, 4, 4, 4),
)  # fmt: skip
N = len(IDS)
CHAINS, DRAWS = 4, 25
PARTIAL = ModelSpec("nb2", "partial", "partial")
SPECS = (
    ModelSpec("poisson", "partial", None),
    ModelSpec("nb2", "none", "none"),
    ModelSpec("nb2", "complete", "complete"),
    PARTIAL,
)


def spike_counts():
    """Six neurons of awkward names; the second is silent, the fifth has one trial."""
    codes = np.repeat(np.arange(N), TRIALS)
    group_codes = (codes % 2).astype(np.int64)
    return SpikeCounts(
        neuron=Labels("neuron", IDS, codes),
        count=np.concatenate([np.array(y, dtype=np.int64) for y in COUNTS]),
        exposure=np.full(len(codes), 0.5),
        exposure_known=True,
        group=Labels("area", ("V1", "V2"), group_codes),
        neuron_columns=(
            NeuronColumn("depth", ("100", "0.50", None, "NA", "-7", "=1+1")),
            NeuronColumn("flags", ("x",) * N),
        ),
        unmodelled=("animal",),
        sources=(Source("counts.csv", 120, "ab" * 32),),
        recognised=(("neuron", "neuron"), ("count", "n_spikes")),
        notices=(Notice("repeated-rows", "2 repeated rows left out"),),
    )


def around(centre):
    """Summary about given means."""
    centre = np.asarray(centre, dtype=float)
    return Summary(centre, centre * 0.99, centre * 0.1 + 0.01, centre * 0.8, centre * 1.25)


def dispersion_estimates():
    """Gains and Fano factors of a negative-binomial model."""
    gain = np.linspace(0.2, 0.7, N)
    sources = ("data", "prior", "mixed", "data", "prior", "mixed")
    return DispersionEstimates(
        around(gain), around(1 + gain), np.linspace(0.1, 0.9, N), around(np.log(gain)), sources
    )


def fitted(spec, tally):
    """One model's made-up results."""
    rng = np.random.default_rng(len(spec.name))
    rate = (tally.spike_count + 0.5) / (tally.total_exposure + 0.1)
    weight = np.zeros(N) if spec.pooling == "complete" else np.linspace(0.6, 0.99, N)
    nb = spec.family != "poisson"
    realised = weight.copy()
    realised[1] = np.nan
    estimates = NeuronEstimates(
        spec, IDS, "spikes/s", tally.n_trials, tally.total_exposure, tally.spike_count,
        tally.spike_count / tally.total_exposure, around(rate), around(np.log(rate)),
        0.01 * realised, around(weight), realised, weight, dispersion_estimates() if nb else None,
    )  # fmt: skip
    names = {"none": (), "complete": ("mu",), "partial": ("mu", "tau")}[spec.pooling]
    if nb and spec.pooling == "partial":
        names = (*names, "mu_delta", "tau_delta")
    hyperparameters = {name: rng.normal(size=(CHAINS, DRAWS)) for name in names}
    words = {"mu": "typical_rate", "tau": "rate_spread_fold", "mu_delta": "typical_gain_sd"}
    reported = (*names, *(words[name] for name in names if name in words))
    draws = PosteriorDraws(
        spec=spec,
        engine="nuts",
        neurons=IDS,
        population=hyperparameters,
        theta=rng.normal(size=(CHAINS, DRAWS, N)),
        delta=rng.normal(size=(CHAINS, DRAWS, N)) if nb else None,
        parametrization=None,  # no report shows it
        sampler=sampler_statistics(),
    )
    return FittedModel(
        spec=spec,
        engine="nuts",
        estimates=estimates,
        population=tuple(
            PopulationParameter("all", name, 1.5, 0.1, 1.4, 1.2, 1.8, 900.0, 800.0, 1.002)
            for name in reported
        ),
        groups=(
            GroupFit(
                "all", IDS, hyperparameters, sample_of(hyperparameters), converged(spec, names)
            ),
        ),
        contrasts=(),
        seconds=3.75,
        draws=draws,
    )


def sample_of(hyperparameters):
    """Return all draws alike."""
    values = {name: draws.ravel() for name, draws in hyperparameters.items()}
    return HyperparameterSample(values, np.full(CHAINS * DRAWS, 1 / CHAINS / DRAWS), np.nan)


def sampler_statistics(divergences=0):
    """Return what a sampler says of a good run."""
    return SamplerStatistics(divergences, np.array([0.9, 0.8, 0.95, 1.0]), 12_345, 1.25, 2.5)


def converged(spec, names):
    """Mixing within every limit."""
    mixing = [ParameterDiagnostics(n, ("",), *np.array([[1.001], [900], [800]])) for n in names]
    if spec.pooling != "complete":
        theta = np.full(N, 1.003), np.full(N, 700.0), np.full(N, 650.0)
        mixing.append(ParameterDiagnostics("theta", IDS, *theta))
    return Convergence(spec, "nuts", tuple(mixing), sampler_statistics(), None, ())


def overdispersion(tally):
    """Made-up tests; undefined for the silent neuron and for that of one trial."""
    known = np.array([1, np.nan, 1, 1, np.nan, 1])
    upper = 3.0 * known
    upper[2] = np.inf
    verdict = np.array(["over", "undecided", "poisson", "undecided", "undecided", "under"])
    return Overdispersion(
        tally.n_trials, tally.spike_count / tally.n_trials,
        np.array([2.5, np.nan, 1.0, 1.6, np.nan, 0.0]), 0.5 * known, upper, 0.2 * known,
        2.2 * known, 5.0 * known, 0.01 * known, 0.9 * known, 0.02 * known, 0.95 * known, verdict,
    )  # fmt: skip


def predictive_check(band, neurons):
    """Build checks of every neuron with the same bands, and one neuron outside."""
    pvalue = np.linspace(0.2, 0.8, neurons)
    pvalue[0] = 0.001
    checks = {
        name: NeuronCheck(np.arange(1.0, neurons + 1), np.ones(neurons), pvalue)
        for name in ("fano", "zeros", "maximum")
    }
    return PredictiveCheck(200, band, band, checks, np.linspace(0.01, 0.99, 50))


def drift():
    """Made-up tests of drift; the fourth neuron drifts, others have too few trials."""
    known = np.array([1, np.nan, 1, 1, np.nan, 1])
    tested = np.array([1, np.nan, np.nan, 1, np.nan, 1])
    untested = np.where(np.isnan(tested), "few trials", "")
    pvalue = tested * np.array([0.5, 1, 1, 0.003, 1, 0.25])
    return Drift(0.1 * known, 0.9 * known, pvalue, 2 * pvalue, untested)


def sessions():
    """Made-up company: two sessions, one of a single neuron."""
    nothing = Measured(np.nan, np.nan, np.nan)
    numbers = (
        Measured(0.12, 0.08, 0.16), Measured(0.04, 0.02, 0.06), Measured(0.1, 0.08, 0.12),
        Measured(0.4, 0.25, 0.55),
    )  # fmt: skip
    return Sessions(
        (
            Company("s1", 5, 20, 10, *numbers, untested=""),
            Company("s2", 1, 0, 0, *[nothing] * 4, untested="no two neurons share trials"),
        ),
        Company(None, 6, 20, 10, *numbers, untested=""),
    )


def matched_pairs():
    """Made-up Fano factors of two groups, and of two conditions without common mean counts."""
    fano, reference, difference, ratio = (
        Measured(value, value - 0.25, value + 0.5) for value in (2.0, 1.5, 0.5, 1.3)
    )
    numbers = {"fano": fano, "reference_fano": reference, "difference": difference, "ratio": ratio}
    raw, matched, model = (
        FanoOfPair(method, 4.0, 2.5, 6.0, 5.5, **numbers, prob_greater=probability)
        for method, probability in (("raw", np.nan), ("matched", np.nan), ("posterior", 0.96))
    )
    nothing = Measured(np.nan, np.nan, np.nan)
    apart = FanoOfPair("matched", 0.0, 0.0, *[np.nan] * 2, *[nothing] * 4, prob_greater=np.nan)
    means = (np.array([1.0, 2.0, 4.0]), np.array([5.0, 3.0]), np.array([0.0, 9.0]))
    return (
        MatchedPair("group", "V2", "V1", *means, np.array([0.0, 3.0]), (raw, matched, model)),
        MatchedPair("condition", "90", "0", *means, np.zeros(2), (raw, apart)),
    )


def make_results(**changes):
    """Build the whole run, with fields of `RunResults` changed."""
    counts = spike_counts()
    tally = tally_counts(counts)
    band = PredictiveBand(*(np.zeros(2) for _ in range(6)))
    results = RunResults(
        counts=counts,
        tally=tally,
        priors=default_priors(tally),
        overdispersion=overdispersion(tally),
        models=tuple(fitted(spec, tally) for spec in SPECS),
        primary=PARTIAL,
        predictive=predictive_check(band, tally.n_neurons),
        scores=(),
        laws=(),
        holdout=(),
        shares=(
            DispersionShare("stim", 3, 4, 0.75, 0.05, 0.002, 0.004),
            DispersionShare("block", 2, 4, np.nan, np.nan, np.nan, np.nan),
        ),
        drift=drift(),
        sessions=None,
        matched=(),
        exchangeability=(
            ExchangeabilityTest("animal", "log_rate_mean", 2, 6, 0.9, 0.01, 0.04),
            ExchangeabilityTest("animal", "log_rate_spread", 2, 6, np.nan, 0.3, 0.3),
        ),
        notices=counts.notices,
        findings=find_all(SPECS, tally),
    )
    return replace(results, **changes)


def integrated(model, **certificate):
    """Turn a model's results into those of the collapsed engine."""
    spec = model.spec
    nothing = spec.pooling == "complete"
    pooled = spec.pooling != "none"
    passed = {
        "refinement_error": np.array([1e-9, 2e-9, 3e-8, np.nan, 1e-9, 2e-9]),
        "direct_error": np.array([2e-9, 1e-9, 1e-9, np.nan, 4e-7, 2e-9]),
        "pareto_k": 0.25 if pooled else np.nan,
        "ess": 1234.5 if pooled else 1.0,
        "outside": 0.0,
        "problems": (),
    }
    if nothing:
        passed["refinement_error"] = passed["direct_error"] = np.full(N, np.nan)
    certified = Certificate(**{**passed, **certificate})
    scale = 1 + 0.1 * SPECS.index(spec)
    trial_by_neuron = -scale * np.array([9.0, 2.0, 4.0, 8.5, 3.5, 11.0])
    cells = len(tally_counts(spike_counts()).count)
    left_out = LeaveOut(
        trial=-0.5 * scale * np.ones(cells),
        trial_by_neuron=trial_by_neuron,
        neuron=1.25 * trial_by_neuron - 0.5,
        trial_pareto_k=0.3,
        neuron_pareto_k=0.45,
    )
    return replace(
        model,
        engine="collapsed",
        groups=tuple(
            replace(
                each,
                convergence=Convergence(spec, "collapsed", (), None, certified, certified.problems),
            )
            for each in model.groups
        ),
        draws=replace(model.draws, engine="collapsed", parametrization=None, sampler=None),
        leave_out=left_out,
    )


def make_collapsed(run, **certificate):
    """Build the same run by the collapsed engine, the primary model checked by the other."""
    check = CrossCheck("nuts", "theta", "upper", "NA", 0.0312, 0.0071, 2, 36)
    models = tuple(integrated(model, **certificate) for model in run.models)
    checked = (*models[:-1], replace(models[-1], cross_check=check))
    scores = score_models(
        [(model.spec, model.leave_out) for model in checked], run.primary, run.tally
    )
    return replace(run, models=checked, scores=scores)


def make_conditioned(run, factors):
    """Give the trials of a run conditions by turns, and its models made-up responses to them."""
    n = len(factors[0].labels)
    turns = np.concatenate([np.arange(trials) % n for trials in TRIALS])
    labels = tuple("/".join(parts) for parts in zip(*(f.labels for f in factors), strict=True))
    names = ",".join(factor.name for factor in factors)
    counts = replace(run.counts, condition=Labels(names, labels, turns), factors=tuple(factors))
    tally = tally_counts(counts)
    models = tuple(
        model if model.spec.pooling == "complete" else with_responses(model, tally)
        for model in run.models
    )
    primary = next(model.spec for model in models if model.spec.name.startswith("nb2-partial"))
    return replace(run, counts=counts, tally=tally, models=models, primary=primary)


def with_responses(model, tally):
    """One model's made-up responses; neurons of one condition have no tuning strength."""
    each, responses = tally.by_response(), tally.responses
    rate = (each.spike_count + 0.5) / each.total_exposure
    several = np.bincount(responses.neuron) > 1
    estimates = replace(
        model.estimates,
        spec=replace(model.spec, condition_pooling=model.spec.pooling),
        tuning=around(np.where(several, np.linspace(0.2, 1.2, N), np.nan)),
        responses=ResponseEstimates(
            responses.neuron, responses.condition, each.n_trials, each.total_exposure,
            each.spike_count, each.spike_count / each.total_exposure, around(rate),
            around(np.log(rate)), 0.001 * rate, around(np.full(responses.size, 0.5)), None, None,
        ),
    )  # fmt: skip
    drawn = np.random.default_rng(2).normal(size=(CHAINS, DRAWS, responses.size))
    draws = replace(model.draws, response=drawn)
    return replace(model, spec=estimates.spec, estimates=estimates, draws=draws)


@pytest.fixture
def in_conditions(run):
    """Give the trials of the small run conditions of some factors."""
    return lambda *factors: make_conditioned(run, factors)


@pytest.fixture
def accompanied_run(run):
    """Return the small run with neurons recorded together."""
    return replace(run, sessions=sessions())


@pytest.fixture
def matched_run(run):
    """Return the small run with Fano factors at matched mean counts."""
    return replace(run, matched=matched_pairs())


@pytest.fixture
def make_run():
    """Build the small run, with fields changed."""
    return make_results


@pytest.fixture
def run():
    """Return the small run."""
    return make_results()


@pytest.fixture
def collapsed_run(run):
    """Return the small run by the collapsed engine."""
    return make_collapsed(run)


@pytest.fixture
def make_collapsed_run(run):
    """Build the small run by the collapsed engine, with fields of its certificates changed."""
    return lambda **certificate: make_collapsed(run, **certificate)

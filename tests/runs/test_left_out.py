"""What a fit predicts of left-out trials: by integrals, by weights, and without the trial."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.config_file import resolve_config
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.groups import parts_of
from spikepool.posterior.quadrature import MOST_PARETO_K
from spikepool.progress import Silent
from spikepool.runs import left_out
from spikepool.runs.part_fits import FitSettings, fit_parts

BURST = ([3, 5, 2, 4], [0, 1, 2, 0], [7, 9, 4, 40], [1, 3, 2, 2], [12, 10, 14, 10])
POISSON, NB2 = ModelSpec("poisson", "partial", None), ModelSpec("nb2", "partial", "partial")


class Stages(Silent):
    """Progress that remembers the stages."""

    def __init__(self):
        self.names = []

    def stage(self, name):
        """Remember it."""
        self.names.append(name)


def fitted(spec, tally, **engine):
    """Fit a model to a whole table; returns the fit and the settings."""
    config = resolve_config({}, {"input": {"tables": ["none.csv"]}, "engine": engine})
    settings = FitSettings(config, default_priors(tally))
    return *fit_parts(spec, parts_of(spec, tally), settings, [], Silent()), settings


@pytest.fixture(scope="module")
def burst():
    """Return five neurons of four trials, one of them with a burst."""
    neuron = Labels("neuron", tuple("abcde"), np.repeat(np.arange(5), 4))
    counts = np.concatenate(BURST)
    return tally_counts(SpikeCounts(neuron, counts, np.ones(20), exposure_known=False))


@pytest.fixture(scope="module")
def sampled(burst):
    """Return a Poisson fit by NUTS, which the burst surprises, and its settings."""
    return fitted(POISSON, burst, engine="nuts", draws=500, tune=500)


def refitted_by(fit, settings, monkeypatch):
    """Return what would fit a model again."""
    monkeypatch.setattr(left_out, "leave_out_trials", lambda *given: given[-1])
    return left_out.left_out_of(fit, settings, Silent())


def test_burst_is_fitted_again_without_it(burst, sampled):
    """And then nothing is doubtful: 0.6 nats are four Monte Carlo errors at 2,000 draws."""
    fit, settings = sampled
    progress = Stages()
    weighed = left_out.leave_out_trials(fit.posterior.draws, burst)
    assert weighed.trial_pareto_k > MOST_PARETO_K
    found = left_out.left_out_of(fit, settings, progress)
    assert progress.names[0] == "fitting Poisson partial without a trial"
    assert found.trial_pareto_k <= MOST_PARETO_K
    integrated, of_integrated = fitted(POISSON, burst)
    exact = left_out.left_out_of(integrated, of_integrated, Silent())
    cell = int(np.argmax(burst.count))
    assert found.trial[cell] == pytest.approx(exact.trial[cell], abs=0.6)
    assert exact is integrated.posterior.quadrature.leave_out


def test_nothing_is_fitted_again_where_it_could_not_help(sampled, monkeypatch):
    """On request, in large tables, and where the fit itself failed."""
    fit, settings = sampled
    assert refitted_by(fit, settings, monkeypatch) is not None
    failed = replace(fit, convergence=replace(fit.convergence, problems=("diverged",)))
    assert refitted_by(failed, settings, monkeypatch) is None
    engine = settings.config.engine.model_copy(update={"retry": False})
    once = replace(settings, config=settings.config.model_copy(update={"engine": engine}))
    assert refitted_by(fit, once, monkeypatch) is None
    monkeypatch.setattr(left_out, "MOST_CELLS", 3)
    assert refitted_by(fit, settings, monkeypatch) is None


def test_fit_without_the_trial_that_fails_is_not_used(sampled, burst, monkeypatch):
    """The trial keeps its k̂."""
    fit, settings = sampled
    refit = refitted_by(fit, settings, monkeypatch)
    rest = burst.without_trial(int(np.argmax(burst.count)))
    failed = replace(fit.convergence, problems=("diverged",))
    monkeypatch.setattr(left_out, "fit_checked", lambda *_: (fit.posterior, fit.convergence))
    assert refit(rest) is fit.posterior.draws
    monkeypatch.setattr(left_out, "fit_checked", lambda *_: (fit.posterior, failed))
    assert refit(rest) is None


@pytest.mark.statistical
@pytest.mark.parametrize("seed", range(4))
def test_all_trials_agree_with_integrals(burst, seed):
    """NB2 partial, 8,000 draws: within 0.1 nats of exact densities, the burst within 0.35.

    Some five Monte Carlo errors, by repeated runs: of trials that weights leave out (0.02), and of
    the bridge (0.07).
    """
    fit, settings = fitted(NB2, burst, engine="nuts", draws=2000, seed=seed)
    found = left_out.left_out_of(fit, settings, Silent())
    integrated, of_integrated = fitted(NB2, burst)
    exact = left_out.left_out_of(integrated, of_integrated, Silent())
    apart = np.abs(found.trial - exact.trial)
    surprising = burst.count == 40
    assert found.trial_pareto_k <= MOST_PARETO_K
    assert apart[~surprising].max() < 0.1
    assert apart[surprising].max() < 0.35

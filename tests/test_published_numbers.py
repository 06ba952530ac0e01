"""Published and outside-software numbers, reproduced from the same tables.

Sources: brms 2.18 (NB, partial pooling of rate and dispersion) and glmmTMB 1.1.5 (Poisson, random
intercept) on these tables; Kramer & Eden, Case Studies in Neural Data Analysis, notebook 10.
"""

import csv

import numpy as np
import pytest

from spikepool.config import EngineOptions, InputOptions
from spikepool.data.read import read_counts
from spikepool.data.tally import tally_counts
from spikepool.engines.collapsed.engine import integrate_posterior
from spikepool.engines.nuts import sample_posterior
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.mixing import measure_mixing
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Silent

BRMS = {"mu": (1.42, 0.07), "tau": (0.70, 0.05), "log_size": (1.48, 0.06), "size_sd": (0.35, 0.06)}
GLMMTMB_SD = 1.08886604044784
KRAMER_RATES = {"planning": 38.96, "movement": 54.96}


def sampled(table, spec, **options):
    """Read a table and draw from the posterior of one model."""
    tally = tally_counts(read_counts(InputOptions(tables=(str(table),), **options)))
    return tally, sample_posterior(
        spec, tally, default_priors(tally), EngineOptions(draws=1000), Silent()
    )


def test_brms_hyperparameters(shared_data):
    """NB2 partial agrees with brms: log size = −2δ, so its mean is −2 μ_δ and its sd 2 τ_δ.

    brms has other priors and prints two digits: its means must lie within a quarter of a
    posterior sd and the rounding, its sds within a fifth.
    """
    _, draws = sampled(shared_data / "nb_100_50.csv", ModelSpec("nb2", "partial", "partial"))
    ours = {
        "mu": draws.flat("mu"),
        "tau": draws.flat("tau"),
        "log_size": -2 * draws.flat("mu_delta"),
        "size_sd": 2 * draws.flat("tau_delta"),
    }
    for name, (mean, sd) in BRMS.items():
        assert ours[name].mean() == pytest.approx(mean, abs=0.25 * sd + 0.005), name
        assert ours[name].std() == pytest.approx(sd, rel=0.2, abs=0.005), name
    assert draws.sampler.divergences == 0
    for name, values in draws.population.items():
        ess = measure_mixing(name, ("",), values[:, :, None]).ess_bulk[0]
        assert ess > 1000, (name, ess)


def test_brms_hyperparameters_by_quadrature(shared_data):
    """The collapsed engine agrees with brms within the same bounds, from its weighted sample."""
    table = shared_data / "nb_100_50.csv"
    tally = tally_counts(read_counts(InputOptions(tables=(str(table),))))
    spec, options = ModelSpec("nb2", "partial", "partial"), SummaryOptions(0.95, 1.1)
    priors = default_priors(tally)
    posterior = integrate_posterior(spec, tally, priors, EngineOptions(), options, Silent())
    assert posterior.quadrature.certificate.problems == ()
    sample = posterior.quadrature.hyperparameters
    ours = {
        "mu": sample.values["mu"],
        "tau": sample.values["tau"],
        "log_size": -2 * sample.values["mu_delta"],
        "size_sd": 2 * sample.values["tau_delta"],
    }
    for name, (mean, sd) in BRMS.items():
        centre = np.sum(sample.weights * ours[name])
        spread = np.sqrt(np.sum(sample.weights * (ours[name] - centre) ** 2))
        assert centre == pytest.approx(mean, abs=0.25 * sd + 0.005), name
        assert spread == pytest.approx(sd, rel=0.2, abs=0.005), name
    assert sample.ess > 1000


def test_glmmtmb_log_rates(shared_data, shared_reference):
    """Poisson partial log rates lie within a tenth of a posterior sd of glmmTMB's.

    glmmTMB gives modes; with M expected spikes the mean is ½ M / (M + 1/τ²)² below, to first
    order in the skewness of a Poisson log-likelihood.
    """
    reference = shared_reference / "zhang_desimone_onepos_car_poisson_units.csv"
    with reference.open(newline="") as stream:
        log_rate = {row["unit"]: float(row["log_rate"]) for row in csv.DictReader(stream)}
    tally, draws = sampled(
        shared_data / "zhang_desimone_it_onepos.parquet",
        ModelSpec("poisson", "partial", None),
        where="condition == 'car'",
        exposure="duration",
    )
    theirs = np.array([log_rate[neuron] for neuron in tally.neurons])
    spikes = np.exp(theirs) * tally.total_exposure
    theirs -= 0.5 * spikes / (spikes + 1 / GLMMTMB_SD**2) ** 2
    difference = np.abs(draws.flat_theta.mean(axis=0) - theirs) / draws.flat_theta.std(axis=0)
    assert difference.max() < 0.1


def test_kramer_and_eden_rates(shared_data):
    """Raw rates of one neuron by task phase, in spikes/s."""
    counts = read_counts(
        InputOptions(tables=(str(shared_data / "kramer_stn_reach.csv"),), exposure="duration")
    )
    assert counts.condition is not None
    for phase, rate in KRAMER_RATES.items():
        codes = [i for i, name in enumerate(counts.condition.values) if name.startswith(phase)]
        rows = np.isin(counts.condition.codes, codes)
        found = counts.count[rows].sum() / counts.exposure[rows].sum()
        assert found == pytest.approx(rate, abs=0.005)

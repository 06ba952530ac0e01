"""Simulated fits with closed-form estimates, good enough to draw; no sampler is run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm

from spikepool.models.spec import ModelSpec
from spikepool.posterior.results import (
    DispersionEstimates,
    EvokedRates,
    MedianInterval,
    NeuronCheck,
    NeuronEstimates,
    PopulationParameter,
    PredictiveBand,
    PredictiveCheck,
    Summary,
)
from spikepool.report.plots.about import About

MU, TAU, MU_DELTA, TAU_DELTA = np.log(14.0), 1.1, np.log(0.3), 0.5
EXPOSURE = 0.45
Z = 1.959964


@dataclass(frozen=True)
class Fano:
    """Stands for `spikepool.diagnostics.overdispersion.Overdispersion`."""

    n_trials: NDArray[np.int64]
    mean_count: NDArray[np.float64]
    dispersion_index: NDArray[np.float64]
    fano_raw: NDArray[np.float64]
    fano_lower: NDArray[np.float64]
    fano_upper: NDArray[np.float64]
    poisson_lower: NDArray[np.float64]
    poisson_upper: NDArray[np.float64]
    verdict: tuple[str, ...]


@dataclass(frozen=True)
class Fit:
    """What the pictures are given."""

    estimates: NeuronEstimates
    population: tuple[PopulationParameter, ...]
    nb1_population: tuple[PopulationParameter, ...]
    fano: Fano
    draws: dict[str, dict[str, NDArray[np.float64]]]
    check: PredictiveCheck
    about: About


def simulate_fit(n_neurons: int, seed: int = 1, family: str = "nb2") -> Fit:
    """Negative-binomial counts of a log-normal population, with approximate posteriors."""
    rng = np.random.default_rng(seed)
    n_trials = np.round(np.exp(rng.uniform(np.log(2), np.log(40), n_neurons))).astype(np.int64)
    theta = rng.normal(MU, TAU, n_neurons)
    theta[rng.random(n_neurons) < 0.08] -= 4.0
    alpha = np.exp(2 * rng.normal(MU_DELTA, TAU_DELTA, n_neurons))
    if family == "poisson":
        alpha[:] = 1e-9
    m = np.exp(theta) * EXPOSURE
    counts = [
        rng.poisson(m[i] * rng.gamma(1 / alpha[i], alpha[i], n_trials[i])) for i in range(n_neurons)
    ]
    population = _population()
    return Fit(
        estimates=_estimates(counts, n_trials, family),
        population=population,
        nb1_population=_population(mu_delta=0.5 * np.log(0.5)),
        fano=_fano(counts, n_trials, rng),
        draws={"all": _draws(rng, n_neurons)},
        check=_check(counts, m, alpha, rng),
        about=About(
            "NB2 partial" if family == "nb2" else "Poisson partial",
            n_neurons,
            int(n_trials.sum()),
            "spikes/s",
        ),
    )


def gaussian(mean: NDArray[np.float64], sd: NDArray[np.float64]) -> Summary:
    """Summary of a normal distribution."""
    return Summary(mean, mean, sd, mean - Z * sd, mean + Z * sd)


def exponential(log: Summary) -> Summary:
    """Summary of exp of a normal distribution."""
    mean = np.exp(log.mean + log.sd**2 / 2)
    return Summary(mean, np.exp(log.mean), mean * np.sqrt(np.expm1(log.sd**2)),
                   np.exp(log.lower), np.exp(log.upper))  # fmt: skip


def _estimates(counts, n_trials, family):
    total = np.array([y.sum() for y in counts])
    exposure = n_trials * EXPOSURE
    information = (total + 0.4) / (1 + 0.09 * total / n_trials)
    kappa = TAU**2 / (TAU**2 + 1 / information)
    mean = kappa * np.log((total + 0.4) / exposure) + (1 - kappa) * MU
    sd = np.sqrt(kappa / information)
    spikes = np.exp(mean) * EXPOSURE
    kappa = TAU**2 / (TAU**2 + (1 + 0.09 * spikes) / (n_trials * spikes))
    log_rate = gaussian(mean, sd)
    weight = Summary(kappa, kappa, 0 * kappa, kappa * 0.95, kappa ** (1 / 1.05))
    n = len(counts)
    spec = (
        ModelSpec("nb2", "partial", "partial")
        if family == "nb2"
        else ModelSpec("poisson", "partial", None)
    )
    return NeuronEstimates(
        spec, tuple(f"n{i:04d}" for i in range(n)), "spikes/s", n_trials, exposure,
        total.astype(np.int64), total / exposure, exponential(log_rate), log_rate,
        np.zeros(n), weight, kappa, kappa,
        _dispersion(counts, n_trials) if family == "nb2" else None,
    )  # fmt: skip


def _dispersion(counts, n_trials):
    m = np.array([y.mean() for y in counts])
    var = np.array([y.var(ddof=1) for y in counts])
    raw = np.sqrt(np.maximum(var - m, 0.02 * m + 1e-3)) / np.maximum(m, 0.1)
    said = n_trials * np.minimum(m, 20) ** 2 / 600
    weight = said / (1 + said)
    delta = weight * np.log(raw) + (1 - weight) * MU_DELTA
    log = gaussian(delta, TAU_DELTA * np.sqrt(1 - weight) + 0.02)
    gain = exponential(log)
    fano = Summary(*(1 + value**2 * np.maximum(m, 0.5) for value in (
        gain.mean, gain.median, gain.sd, gain.lower, gain.upper)))  # fmt: skip
    source = tuple("data" if w > 0.5 else "prior" if w < 0.1 else "mixed" for w in weight)
    return DispersionEstimates(gain, fano, (fano.median > 1.1).astype(float), log, source)


def _fano(counts, n_trials, rng):
    m = np.array([y.mean() for y in counts])
    var = np.array([y.var(ddof=1) for y in counts])
    raw = np.where(m > 0, var / np.where(m > 0, m, 1), np.nan)
    df = n_trials - 1
    known = np.where(m > 0, 1.0, np.nan)
    lower, upper = known * chi2.ppf(0.025, df) / df, known * chi2.ppf(0.975, df) / df
    verdict = tuple(
        "undecided" if not np.isfinite(f) or n < 15 else "over" if f > hi else "under" if f < lo
        else "poisson" for f, lo, hi, n in zip(raw, lower, upper, n_trials, strict=True)
    )  # fmt: skip
    own = [raw * df / chi2.ppf(tail, df) for tail in (0.975, 0.025)]
    return Fano(n_trials, m, raw * df, raw, *own, lower, upper, verdict)


def _population(mu_delta=MU_DELTA):
    given = {"mu": (MU, 0.08), "tau": (TAU, 0.05), "mu_delta": (mu_delta, 0.1),
             "tau_delta": (TAU_DELTA, 0.07)}  # fmt: skip
    return tuple(
        PopulationParameter("all", name, mean, sd, mean, mean - Z * sd, mean + Z * sd, 1800.0,
                            1500.0, 1.001)
        for name, (mean, sd) in given.items()
    )  # fmt: skip


def _draws(rng, n):
    sd = 1 / np.sqrt(2 * n)
    return {
        "mu": rng.normal(MU, TAU * np.sqrt(2) * sd, (4, 500)),
        "tau": np.abs(rng.normal(TAU, TAU * sd, (4, 500))),
        "mu_delta": rng.normal(MU_DELTA, 2 * sd, (4, 500)),
        "tau_delta": np.abs(rng.normal(TAU_DELTA, sd, (4, 500))),
    }


def _check(counts, m, alpha, rng):
    observed = np.concatenate(counts)
    edges = np.arange(observed.max() + 2) - 0.5
    copies = []
    for _ in range(60):
        replicated = [
            rng.poisson(m[i] * rng.gamma(1 / alpha[i], alpha[i], y.size))
            for i, y in enumerate(counts)
        ]
        copies.append((
            np.histogram(np.concatenate(replicated), edges)[0],
            np.histogram(_fanos(replicated), FANO_EDGES)[0],
        ))  # fmt: skip
    pvalues = rng.beta(3, 3, (3, len(counts)))
    statistics = zip(("fano", "zeros", "maximum"), pvalues, strict=True)
    return PredictiveCheck(
        60,
        _band(edges, np.histogram(observed, edges)[0], np.array([c for c, _ in copies])),
        _band(FANO_EDGES, np.histogram(_fanos(counts), FANO_EDGES)[0],
              np.array([f for _, f in copies])),
        {name: NeuronCheck(of, of, of) for name, of in statistics},
        rng.uniform(size=min(4000, len(observed))),
    )  # fmt: skip


FANO_EDGES = np.arange(0, 6.01, 0.25)


def _fanos(counts):
    return np.array([y.var(ddof=1) / y.mean() for y in counts if y.sum() > 0])


def _band(edges, observed, copies):
    return PredictiveBand(edges[:-1], edges[1:], observed.astype(float), np.median(copies, 0),
                          *np.quantile(copies, [0.025, 0.975], axis=0))  # fmt: skip


def simulate_evoked(n_responses: int, n_conditions: int = 1, seed: int = 2) -> EvokedRates:
    """Responses from suppressed to strongly driven, with approximate posteriors."""
    rng = np.random.default_rng(seed)
    neuron = np.arange(n_responses) // n_conditions
    condition = np.arange(n_responses) % n_conditions
    base = np.exp(rng.normal(1.5, 1.0, neuron.max() + 1))[neuron]
    rate = base * np.exp(rng.normal(0, 0.7, n_responses))
    trials = rng.integers(4, 30, n_responses)
    sd = np.sqrt((rate + base) / 0.5 / trials) + 0.05
    evoked = rate - base + rng.normal(0, sd)
    ratio = np.maximum(rate, 0.01) / base
    return EvokedRates(
        neuron=neuron.astype(np.int64),
        condition=condition.astype(np.int64),
        n_trials=trials,
        baseline_trials=n_conditions * trials,
        rate_raw=rate,
        baseline_raw=base,
        evoked_raw=rate - base,
        baseline=MedianInterval(base, 0.8 * base, 1.25 * base),
        evoked=MedianInterval(evoked, evoked - Z * sd, evoked + Z * sd),
        ratio=MedianInterval(ratio, 0.8 * ratio, 1.25 * ratio),
        prob_above=norm.cdf(evoked / sd),
    )

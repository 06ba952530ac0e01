"""The certificate's verdict on difficult small tables, against brute force.

Run it with ``python tests/benchmarks/stress_grid.py``; some minutes. For every table and model it
prints what the engine says of itself and two errors: that of ln p_i(φ), the largest over the
neurons and a few φ, against the trapezoid rule on a plain grid of a million points that is closed
in on where the integrand matters; and that of the hyperparameters' means, in posterior sds, against
16,384 points of one wide t proposal, with that reference's own standard error.
"""

import time

import numpy as np
from scipy import special, stats

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.engines.collapsed.certified_search import find_certified
from spikepool.engines.collapsed.levels import take
from spikepool.engines.collapsed.model import compile_hyperpriors, levels_of
from spikepool.engines.collapsed.search import Problem, first_guess
from spikepool.models.families import FAMILIES
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.progress import Silent

MODELS = (
    ModelSpec("poisson", "partial", None),
    ModelSpec("nb2", "none", "none"),
    ModelSpec("nb2", "partial", "partial"),
    ModelSpec("nb1", "partial", "partial"),
    ModelSpec("nb2", "partial", "complete"),
)
GRID = (1_200, 800)
DRAWS = 4
POINTS = 16_384


def tables():
    """Return counts by neuron, by the name of what is difficult about them."""
    rng = np.random.default_rng(12)

    def noisy(mean, gain_sd, trials):
        return rng.poisson(mean * rng.gamma(gain_sd**-2, gain_sd**2, trials))

    spread = np.exp(rng.normal(1.0, 0.8, 10))
    return {
        "2 neurons": [noisy(5, 0.5, 20), noisy(9, 0.5, 20)],
        "5 neurons": [noisy(mean, 0.5, 20) for mean in spread[:5]],
        "10 neurons": [noisy(mean, 0.5, 20) for mean in spread],
        "no spread of rates": [noisy(5, 0.5, 40) for _ in range(5)],
        "no spread at all": [np.array([3, 5, 7, 4, 6, 2, 8, 5] * 4)] * 5,
        "silent": [np.zeros(10, dtype=np.int64)] * 5,
        "2 of 5 silent": [*(noisy(mean, 0.5, 20) for mean in (5, 9, 2)), [0] * 20, [0] * 20],
        "one trial": [noisy(mean, 0.5, 1) for mean in spread],
        "counts of 1e5": [noisy(1e5, 0.2, 10) for _ in range(4)],
        "Poisson": [rng.poisson(mean, 30) for mean in spread],
        "less than Poisson": [np.full(20, count) for count in (3, 5, 8, 4, 6)],
        "an outlying trial": [np.append(noisy(mean, 0.3, 19), 90) for mean in spread[:5]],
    }


def tally_of(neurons):
    """Reduce counts by neuron."""
    of = np.repeat(np.arange(len(neurons)), [len(each) for each in neurons])
    names = tuple(f"n{i}" for i in range(len(neurons)))
    counts = np.concatenate([np.asarray(each, dtype=np.int64) for each in neurons])
    return tally_counts(
        SpikeCounts(Labels("neuron", names, of), counts, np.ones(len(of)), exposure_known=False)
    )


def brute_force(problem, neuron, phi):
    """Return ln p of one neuron on a plain grid, closed in on what is within e^−45 of the top."""
    statistics = problem.statistics.of_neurons(np.array([neuron]))
    levels = (problem.rate, problem.dispersion)
    ends = np.array([(-60.0, 60.0), (-40.0, 20.0)])
    sizes = [
        1 if level is None or level.is_point else n for level, n in zip(levels, GRID, strict=True)
    ]
    for axis, level in enumerate(levels):
        if level is None:
            ends[axis] = 0.0
        elif level.is_point:
            ends[axis] = level.support(phi)[0][0]
    for _ in range(12):
        theta, delta = (np.linspace(*each, n) for each, n in zip(ends, sizes, strict=True))
        values = problem.family.log_likelihood(
            theta[:, np.newaxis, np.newaxis], delta[np.newaxis, :, np.newaxis], statistics
        )[..., 0]
        for level, x in zip(levels, (theta[:, np.newaxis], delta[np.newaxis]), strict=True):
            if level is not None and not level.is_point:
                values = values + level.log_density(x, phi)
        before = ends.copy()
        inside = values > values.max() - 45
        for axis, x in enumerate((theta, delta)):
            if sizes[axis] > 1:
                which = np.flatnonzero(inside.any(axis=1 - axis))
                gap = x[1] - x[0]
                ends[axis] = x[which[0]] - 2 * gap, x[which[-1]] + 2 * gap
        if np.all(ends[:, 1] - ends[:, 0] >= 0.9 * (before[:, 1] - before[:, 0])):
            break
    gaps = [x[1] - x[0] if len(x) > 1 else 1.0 for x in (theta, delta)]
    return special.logsumexp(values) + np.log(np.prod(gaps))


def quadrature_error(problem, found):
    """Return the largest error of ln p_i(φ) over the neurons and a few φ."""
    share = np.cumsum(found.sample.weights)
    places = np.searchsorted(share, (np.arange(DRAWS) + 0.5) / DRAWS * share[-1])
    phi = take(found.phi, places) if found.phi else {}
    count = DRAWS if phi else 1
    by_lattice = found.marginal.by_neuron(phi, count)
    worst = 0.0
    for draw in range(count):
        one = take(phi, slice(draw, draw + 1))
        for neuron in range(problem.statistics.n_neurons):
            truth = brute_force(problem, neuron, one)
            worst = max(worst, abs(by_lattice[neuron, draw] - truth))
    return worst


def mean_error(problem, found):
    """Return the largest error of a mean, in sds, and the reference's own standard error."""
    points, weights = found.sample.points, found.sample.weights[:, np.newaxis]
    mean = (weights * points).sum(axis=0)
    centred = points - mean
    covariance = np.einsum("di,dj->ij", weights * centred, centred)
    proposal = stats.multivariate_t(mean, 3.0 * np.atleast_2d(covariance), df=3, seed=99)
    wide = proposal.rvs(POINTS).reshape(POINTS, -1)
    log_prior, phi = problem.hyperpriors.at(wide)
    log_density = log_prior + found.marginal.total(phi, POINTS)
    log_ratio = np.where(np.isfinite(log_density), log_density, -np.inf) - proposal.logpdf(wide)
    ratio = np.exp(log_ratio - log_ratio.max())[:, np.newaxis]
    ratio /= ratio.sum()
    reference = (ratio * wide).sum(axis=0)
    sd = np.sqrt((ratio * (wide - reference) ** 2).sum(axis=0))
    own = np.sqrt((ratio**2 * (wide - reference) ** 2).sum(axis=0)) / sd
    error = np.abs(mean - reference) / sd
    worst = int(np.argmax(error))
    return error[worst], own[worst]


def main():
    """Print a line for every table and model."""
    for name, neurons in tables().items():
        tally = tally_of(neurons)
        priors = default_priors(tally)
        for spec in MODELS:
            family, hyperpriors = FAMILIES[spec.family], compile_hyperpriors(spec, priors)
            levels = levels_of(spec, priors)
            problem = Problem(family, family.statistics(tally), *levels, hyperpriors)
            begin = time.process_time()
            found, certificate = find_certified(
                spec, priors, problem, first_guess(hyperpriors, tally), EngineOptions(),
                np.random.default_rng(3), Silent(),
            )  # fmt: skip
            seconds = time.process_time() - begin
            verdict = "; ".join(certificate.problems + certificate.notes) or "passed"
            own = f"says {certificate.worst_error:.0e}, is {quadrature_error(problem, found):.0e}"
            if hyperpriors.size:
                own += " · means off by {:.3f} ± {:.3f} sd".format(*mean_error(problem, found))
                own += f" · k {certificate.pareto_k:.2f}, {certificate.ess:,.0f} draws"
            label = f"{spec.family} {spec.pooling}/{spec.dispersion_pooling}"
            print(f"{name:20} {label:22} {verdict:8} {own} · {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()

"""Trials left out of draws of all parameters.

Without trial t the posterior is that of all trials divided by p(y_t | θ, δ), so that draws of the
one stand for the other with weights 1 / p(y_t | θ, δ), Pareto-smoothed (Vehtari, Gelman & Gabry
2017). Where k̂ says that they do not, another fit without the trial does: its draws and those of all
trials bridge p(y_−t) and p(y).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.diagnostics.bridge import bridge
from spikepool.diagnostics.trial_draws import TrialDraws, trial_draws
from spikepool.engines.collapsed.hyperposterior import pareto_smoothed
from spikepool.posterior.draws import NeuronDraws
from spikepool.posterior.quadrature import MOST_PARETO_K, LeaveOut

MOST_TERMS = 40_000_000
"""Draws × cells; of very large tables fewer draws are used."""
LEAST_DRAWS = 500
MOST_RANKED = 4_000
"""Trials that are ranked, chosen at random."""
RANKING_DRAWS = 1_000
"""Draws by which trials are ranked: ranks are counted in bins, and are off by 0.016 at most."""
EVEN = 0.02
"""Variance of the logarithms of weights below which there is no tail to smooth."""
MOST_REFITS = 4
"""Fits without a trial: of those whose weights serve least."""
BRIDGE_ERRORS = 0.25, 0.75
"""Nats: above the first the k̂ of a trial stands, since draws with and without it hardly meet; above
the second its density by weights does, too."""

type Refit = Callable[[Tally], NeuronDraws | None]
"""Fits the same model to a tally with one trial less; None where that fails."""


@dataclass(frozen=True)
class _LeftOutCells:
    """What the other trials predict of one trial of each of some cells; arrays of shape (n,).

    Attributes
    ----------
    log_density : ndarray
        ln p(y | all other trials).
    below : ndarray
        P(Y < y | all other trials).
    pareto_k : ndarray
        NaN where nothing was smoothed.
    """

    log_density: FloatArray
    below: FloatArray
    pareto_k: FloatArray


def leave_out_trials(draws: NeuronDraws, tally: Tally, refit: Refit | None = None) -> LeaveOut:
    """Leave-one-trial-out log predictive densities from joint draws.

    Parameters
    ----------
    draws : NeuronDraws
    tally : Tally
    refit : callable, optional
        Called for at most `MOST_REFITS` trials of too large a k̂; without it they keep their k̂.

    Returns
    -------
    LeaveOut
        Whole neurons are not left out: without its trials a neuron's draws say nothing.

    References
    ----------
    Vehtari, A., Gelman, A. and Gabry, J. (2017). Practical Bayesian model evaluation using
    leave-one-out cross-validation and WAIC. Statistics and Computing 27, 1413-1432.
    """
    cells = np.arange(len(tally.count))
    most = max(LEAST_DRAWS, MOST_TERMS // len(cells))
    found = _left_out(trial_draws(draws, tally, most), cells, ranked=False)
    if refit is not None:
        _mend(found, draws, tally, refit)
    smoothed = found.pareto_k[~np.isnan(found.pareto_k)]
    return LeaveOut(
        trial=found.log_density,
        trial_by_neuron=tally.per_neuron(found.log_density * tally.weight),
        neuron=np.full(tally.n_neurons, np.nan),
        trial_pareto_k=float(smoothed.max()) if smoothed.size else float("nan"),
        neuron_pareto_k=float("nan"),
    )


def _mend(found: _LeftOutCells, draws: NeuronDraws, tally: Tally, refit: Refit) -> None:
    """Predict the trials that weights cannot leave out from draws without them, too."""
    responses = tally.responses
    trials = np.bincount(responses.of_cell, weights=tally.weight)[responses.of_cell]
    doubtful = np.flatnonzero((found.pareto_k > MOST_PARETO_K) & (trials > 1))
    worst = doubtful[np.argsort(-found.pareto_k[doubtful], kind="stable")][:MOST_REFITS]
    for cell in worst.tolist():
        rest = refit(tally.without_trial(cell))
        if rest is None:
            continue
        of_each = _log_density_of(draws, tally, cell), _log_density_of(rest, tally, cell)
        log_density, error = bridge(*of_each)
        small, usable = BRIDGE_ERRORS
        if error <= usable:
            found.log_density[cell] = log_density
        if error <= small:
            found.pareto_k[cell] = np.nan


def _log_density_of(draws: NeuronDraws, tally: Tally, cell: int) -> FloatArray:
    """Log probability of one trial of a cell under every draw; shape (chains, draws)."""
    log_density = trial_draws(draws, tally).log_density(np.array([cell]))
    return log_density.reshape(draws.theta.shape[:2])


def rank_left_out_trials(draws: NeuronDraws, tally: Tally, seed: int) -> FloatArray:
    """Randomised ranks of trials among what all other trials predict (LOO-PIT).

    Parameters
    ----------
    draws : NeuronDraws
    tally : Tally
    seed : int

    Returns
    -------
    ndarray, shape (n,)
        P(Y < y_t | y_−t) + U P(Y = y_t | y_−t), U uniform: uniform where the model is right. Of
        all trials, or of `MOST_RANKED` at random.

    References
    ----------
    Czado, C., Gneiting, T. and Held, L. (2009). Predictive model assessment for count data.
    Biometrics 65, 1254-1261.
    """
    rng = np.random.default_rng([seed, 2])
    trials = np.repeat(np.arange(len(tally.count)), tally.weight)
    if len(trials) > MOST_RANKED:
        trials = np.sort(rng.choice(trials, MOST_RANKED, replace=False))
    cells, of_trial = np.unique(trials, return_inverse=True)
    found = _left_out(trial_draws(draws, tally, RANKING_DRAWS), cells, ranked=True)
    within = rng.uniform(size=len(trials)) * np.exp(found.log_density)[of_trial]
    return np.clip(found.below[of_trial] + within, 0.0, 1.0)


def _left_out(draws: TrialDraws, cells: IntArray, *, ranked: bool) -> _LeftOutCells:
    """Predict each cell from draws that are weighed as if one trial of it were not there."""
    log_density, below, pareto_k = (np.full(len(cells), np.nan) for _ in range(3))
    for places in draws.pieces(cells):
        piece = cells[places]
        log_p = draws.log_density(piece)
        log_weights = -log_p
        uneven = np.flatnonzero(log_p.var(axis=1) > EVEN)
        if len(uneven):
            log_weights[uneven], pareto_k[places[uneven]] = pareto_smoothed(log_weights[uneven])
        total = special.logsumexp(log_weights, axis=1)
        log_density[places] = special.logsumexp(log_weights + log_p, axis=1) - total
        if ranked:
            weights = np.exp(log_weights - total[:, np.newaxis])
            below[places] = np.sum(weights * _below(draws, piece), axis=1)
    return _LeftOutCells(log_density, below, pareto_k)


def _below(draws: TrialDraws, cells: IntArray) -> FloatArray:
    """P(Y < y) of every cell under every draw; shape (cells, D)."""
    every = slice(None)
    mean, dispersion = draws.mean(every, cells), draws.dispersion(every, cells)
    less = draws.tally.count[cells] - 1
    return draws.family.cumulative(less, mean, dispersion).T

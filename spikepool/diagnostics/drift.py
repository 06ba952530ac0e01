"""Slow drift over the trials of a neuron, which models without time take for gain."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from spikepool.data.spike_counts import FloatArray, IntArray, Notice, SpikeCounts
from spikepool.data.wording import plural
from spikepool.diagnostics.adjusted import benjamini_hochberg
from spikepool.diagnostics.residuals import Residuals, leave_residuals
from spikepool.diagnostics.trial_order import TrialOrder, order_trials

LEAST_FREEDOM = 8
"""Degrees of freedom Σ (n_c − 1) below which drift is not tested."""
COSINES = 3
"""Half waves over the recording that slow drift is made of."""
COMMON_SHARE = 0.1
"""Share of all neurons that drift, from which on a warning says so."""
FEW_TRIALS: Final = "few trials"

FORMULAS: dict[str, str] = {
    "lag1_r": (
        "mean over successive trials of u_t u_t+1, plus 1/n_c where both are of one condition (its "
        "mean without any order); u_t = (y_t − m_t)/s_c, s_c² = Σ_t (y_t − m_t)²/(n_c − 1)"
    ),
    "fano_successive": (
        "Σ_c Σ_t (y_t+1/e_t+1 − y_t/e_t)² / (r_c (1/e_t + 1/e_t+1)) / Σ_c (n_c − 1), r_c = Σy/Σe; "
        "t and t + 1 successive trials of condition c (von Neumann; equal exposures: "
        "(y_t+1 − y_t)² / 2m_c)"
    ),
    "drift_pvalue": (
        f"P(B >= R²), B ~ beta(k/2, (D − k)/2), D = Σ_c (n_c − 1); R²: regression of u on the k = "
        f"{COSINES} slow waves s_c cos(πjτ), less their means within conditions; τ: place of the "
        "trial among the neuron's, from 0 to 1"
    ),
    "drift_qvalue": "Benjamini-Hochberg over the neurons with a drift_pvalue",
    "drift_untested": (
        "no trial order: no trial column of numbers; trial numbers repeat: within a condition; "
        "order follows condition: each condition is one block of trials; few trials: D < "
        f"{LEAST_FREEDOM} over the conditions whose counts differ"
    ),
}
"""How each column is computed, in a line, for the schema."""


@dataclass(frozen=True)
class Drift:
    """What the order of trials says, one entry per neuron; shape (N,). `FORMULAS` states each.

    Attributes
    ----------
    lag1_r : ndarray of float64
        Correlation of successive trials; 0 is expected without drift. NaN where unknown.
    fano_successive : ndarray of float64
        Fano factor without what changes slowly; NaN where unknown.
    drift_pvalue, drift_qvalue : ndarray of float64
        NaN where drift cannot be tested.
    drift_untested : ndarray of str
        The reason; empty where it was tested.
    """

    lag1_r: FloatArray
    fano_successive: FloatArray
    drift_pvalue: FloatArray
    drift_qvalue: FloatArray
    drift_untested: NDArray[np.str_]

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Neurons that were tested."""
        return np.asarray(self.drift_untested == "")

    def drifting(self, fdr: float) -> NDArray[np.bool_]:
        """Neurons that drift, at a false discovery rate."""
        return self.drift_qvalue <= fdr

    @property
    def main_obstacle(self) -> str | None:
        """The most frequent reason for not testing; None where all were tested."""
        reasons = Counter(self.drift_untested[~self.tested].tolist())
        return max(sorted(reasons), key=reasons.__getitem__) if reasons else None


def measure_drift(counts: SpikeCounts) -> Drift:
    """Look for slow drift of every neuron within its conditions.

    Without drift the trials of a condition are exchangeable. Given the counts of every condition,
    the score of a slow multiplicative drift is ``z_j = Σ_t (y_t − m_t) cos(πjτ_t)``; its covariance
    over all permutations within conditions is exactly ``V_jk = Σ_c s_c² Σ_t x_jt x_kt`` (x: cosines
    less their means within c). ``z' V⁻¹ z / D`` is the R² of a regression, whose mean over the
    permutations is exactly k/D, and whose distribution is taken as the beta of normal residuals
    (Pitman 1937, Box and Watson 1955), whatever the family of the counts.

    Parameters
    ----------
    counts : SpikeCounts

    Returns
    -------
    Drift

    References
    ----------
    Pitman, E. J. G. (1937). Significance tests which may be applied to samples from any
    populations. II. The correlation coefficient test. Suppl. J. R. Statist. Soc. 4, 225-232.
    Box, G. E. P. and Watson, G. S. (1955). Robustness to non-normality of regression tests.
    Biometrika 42, 93-106.
    von Neumann, J. et al. (1941). The mean square successive difference. Annals of Mathematical
    Statistics 12, 153-162.

    Notes
    -----
    Measured level (20,000 simulated neurons per case): of p <= 0.05 2.9 to 5.4 %, of p <= 0.01 0.4
    to 1.1 %, for Poisson counts of mean 0.3 (40 trials), 2 (9 trials) and 5 (100 trials), gain sds
    of 1, 24 conditions of 2 trials (the lowest), and 8 tuned ones of 12. Power at
    0.01, 120 trials of mean 5 and a gain sd of 0.3: 83 % for a linear course of log rates from
    −0.35 to 0.35 (one cosine: 92 %, `lag1_r`: 17 %), 71 % for one and a half cycles of amplitude
    0.3 (0.5 %, 20 %), 44 % for fluctuations of sd 0.25 that last 20 trials (28 %, 21 %).
    """
    order = order_trials(counts)
    trials = _standardised(counts, order)
    untested = order.obstacle.copy()
    untested[(untested == "") & (trials.freedom < LEAST_FREEDOM)] = FEW_TRIALS
    pvalue = np.where(untested == "", _slow_waves_pvalue(trials), np.nan)
    known = order.obstacle == ""
    return Drift(
        lag1_r=np.where(known, _lag1(trials), np.nan),
        fano_successive=np.where(known, _fano_successive(counts, trials), np.nan),
        drift_pvalue=pvalue,
        drift_qvalue=benjamini_hochberg(pvalue),
        drift_untested=untested,
    )


def drift_notices(
    drift: Drift, fdr: float, *, in_blocks: bool = False, several_rates: bool = False
) -> tuple[Notice, ...]:
    """Warn where many neurons drift.

    Parameters
    ----------
    drift : Drift
    fdr : float
        False discovery rate.
    in_blocks : bool
        Whether rates may drift between blocks of trials: nothing is said then.
    several_rates : bool
        Whether there are conditions or a baseline, with which rates cannot have blocks.

    Returns
    -------
    tuple of Notice
    """
    found, tested = int(drift.drifting(fdr).sum()), int(drift.tested.sum())
    if in_blocks or not found or found < COMMON_SHARE * len(drift.tested):
        return ()
    way = ", of one condition (--where)," if several_rates else ""
    text = (
        f"slow drift over the trials of {found:,} of {plural(tested, 'neuron')} (FDR {fdr:.0%}): "
        "the models take it for gain, and gain sds include it; fano_successive in the table "
        f"overdispersion does not, and with --drift-block N{way} rates differ between blocks of N "
        "trials. (If trials were not numbered in the order of recording, it is no drift.)"
    )
    return (Notice("drift", text),)


@dataclass(frozen=True)
class _Trials:
    """Trials with what is left of them within conditions.

    Attributes
    ----------
    order : TrialOrder
    left : Residuals
        In the order of the strata.
    residual : ndarray of float64, shape (rows,)
        ``u``, deviations over their sd; 0 where that is.
    freedom : ndarray of float64, shape (N,)
        D, over conditions whose counts differ.
    """

    order: TrialOrder
    left: Residuals
    residual: FloatArray
    freedom: FloatArray

    def per_neuron(self, values: FloatArray, rows: IntArray | slice = slice(None)) -> FloatArray:
        """Sum over the rows of every neuron; shape (N,)."""
        size = len(self.freedom)
        return np.bincount(self.order.neuron[rows], weights=values, minlength=size)


def _standardised(counts: SpikeCounts, order: TrialOrder) -> _Trials:
    stratum = order.stratum
    left = leave_residuals(stratum, counts.count[order.rows], counts.exposure[order.rows])
    sd = left.sd[stratum]
    residual = np.divide(left.deviation, sd, out=np.zeros(len(sd)), where=sd > 0)
    first = np.searchsorted(stratum, np.arange(len(left.size)))
    freedom = np.bincount(
        order.neuron[first], weights=(left.size - 1) * left.differ, minlength=len(order.obstacle)
    )
    return _Trials(order, left, residual, freedom)


def _lag1(trials: _Trials) -> FloatArray:
    """Correlation of successive trials, without its bias of −1/n_c; shape (N,)."""
    order = trials.order
    rows = order.in_time[trials.left.differ[order.stratum[order.in_time]]]
    before, after = rows[:-1], rows[1:]
    follows = order.neuron[before] == order.neuron[after]
    before, after = before[follows], after[follows]
    stratum = order.stratum[before]
    same = stratum == order.stratum[after]
    product = trials.residual[before] * trials.residual[after] + same / trials.left.size[stratum]
    return _mean_per_neuron(trials, product, before)


def _fano_successive(counts: SpikeCounts, trials: _Trials) -> FloatArray:
    """Mean squared differences of successive trials over those of Poisson counts; shape (N,)."""
    order = trials.order
    exposure = counts.exposure[order.rows]
    rate = counts.count[order.rows] / exposure
    expected = trials.left.rate[order.stratum[:-1]] * (1 / exposure[:-1] + 1 / exposure[1:])
    usable = (np.diff(order.stratum) == 0) & (expected > 0)
    terms = np.diff(rate)[usable] ** 2 / expected[usable]
    return _mean_per_neuron(trials, terms, np.flatnonzero(usable))


def _mean_per_neuron(trials: _Trials, values: FloatArray, rows: IntArray) -> FloatArray:
    """Mean over the rows of every neuron; NaN where there is none; shape (N,)."""
    size = trials.per_neuron(np.ones(len(rows)), rows)
    mean = np.full(len(size), np.nan)
    np.divide(trials.per_neuron(values, rows), size, out=mean, where=size > 0)
    return mean


def _slow_waves_pvalue(trials: _Trials) -> FloatArray:
    """Regress the residuals on slow cosines, and return the p-value of R²; shape (N,)."""
    waves = [_wave(trials, j) for j in range(1, COSINES + 1)]
    score = np.stack([trials.per_neuron(wave * trials.residual) for wave in waves], axis=-1)
    products = [[trials.per_neuron(one * other) for other in waves] for one in waves]
    scale, axes = np.linalg.eigh(np.moveaxis(np.array(products), -1, 0))
    kept = scale > 1e-9 * scale[:, -1:]
    along = np.einsum("nkj,nk->nj", axes, score) ** 2
    explained = np.divide(along, scale, out=np.zeros_like(along), where=kept).sum(axis=1)
    rank, freedom = kept.sum(axis=1), trials.freedom
    enough = (freedom > rank) & (rank > 0)
    share = np.divide(explained, freedom, out=np.zeros(len(freedom)), where=enough)
    rest = np.where(enough, freedom - rank, 1.0)
    tail = special.betainc(rest / 2, np.maximum(rank, 1) / 2, np.clip(1 - share, 0.0, 1.0))
    return np.asarray(np.where(enough, tail, np.nan))


def _wave(trials: _Trials, half_waves: int) -> FloatArray:
    """Cosine over a neuron's trials, scaled and centred within conditions; shape (rows,)."""
    order, stratum = trials.order, trials.order.stratum
    place = np.empty(len(stratum))
    place[order.in_time] = order.place
    last = np.zeros(len(order.obstacle))
    np.maximum.at(last, order.neuron, place)
    wave = np.cos(np.pi * half_waves * (place + 0.5) / (last[order.neuron] + 1))
    centre = np.bincount(stratum, weights=wave) / trials.left.size
    return np.asarray((wave - centre[stratum]) * trials.left.sd[stratum])

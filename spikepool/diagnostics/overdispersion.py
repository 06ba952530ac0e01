"""Over- and underdispersion of every neuron, from its counts alone.

Everything is computed within conditions and adjusted for unequal exposures; what needs a fitted
model is added elsewhere.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.diagnostics.adjusted import benjamini_hochberg
from spikepool.diagnostics.dispersion_tests import run_dispersion_tests
from spikepool.diagnostics.fano import fano_interval
from spikepool.diagnostics.pearson import fano_divisor, tabulate_pearson

type Verdict = Literal["over", "poisson", "under", "undecided"]

POISSON_BAND = 1.25
"""A neuron is called Poisson when its Fano factor lies surely within [1/1.25, 1.25]."""

FORMULAS: dict[str, str] = {
    "n_trials": "n, over all conditions",
    "mean_count": "Σy / n, over all conditions",
    "dispersion_index": (
        "X² = Σ_c Σ_t (y_t − m_t)² / m_t, m_t = e_t Σy/Σe within condition c (with "
        "--drift-block: within block c of trials); "
        "conditions with 2 or more trials and a spike (Fisher's index of dispersion)"
    ),
    "fano_raw": "X² / Σ_c (n_c − 1), or X² / Σ_c n_c with --fano-ddof 0",
    "fano_lower": (
        "F at which P(X*² >= X²) = (1 − interval)/2; X*² scaled chi-square with the moments of "
        "counts of Fano factor F given their total"
    ),
    "fano_upper": "F at which P(X*² <= X²) = (1 − interval)/2; inf where the data set no bound",
    "poisson_lower": "(1 − interval)/2 quantile of fano_raw for Poisson counts given their totals",
    "poisson_upper": "(1 + interval)/2 quantile of fano_raw for Poisson counts given their totals",
    "pvalue_over": "P(X*² >= X²) for Poisson counts given their totals (exact multinomial)",
    "pvalue_under": "P(X*² <= X²) for Poisson counts given their totals (exact multinomial)",
    "qvalue_over": "Benjamini-Hochberg over the neurons with a pvalue_over",
    "qvalue_under": "Benjamini-Hochberg over the neurons with a pvalue_under",
    "verdict": (
        "over: qvalue_over <= fdr; under: qvalue_under <= fdr; poisson: neither, and "
        f"1/{POISSON_BAND} <= fano_lower, fano_upper <= {POISSON_BAND}; undecided: the rest"
    ),
}
"""How each column is computed, in a line, for the schema."""


@dataclass(frozen=True)
class Overdispersion:
    """Dispersion of the counts, one entry per neuron in the tally's order; shape (N,).

    Entries that need dispersion are NaN (and the verdict ``undecided``) for neurons without a
    condition of at least two trials and one spike. `FORMULAS` states each column.

    Attributes
    ----------
    n_trials : ndarray of int64
    mean_count : ndarray of float64
        Spikes per trial.
    fano_raw : ndarray of float64
    fano_lower, fano_upper : ndarray of float64
        Confidence interval for the neuron's own Fano factor; see `fano_interval`.
    poisson_lower, poisson_upper : ndarray of float64
        Central range of `fano_raw` for a Poisson neuron with these trials, exposures and totals.
    dispersion_index : ndarray of float64
        Pearson's X², Fisher's index of dispersion; its exact mean under Poisson is Σ_c (n_c − 1).
    pvalue_over, pvalue_under : ndarray of float64
        One-sided, super-uniform; see `dispersion_tests`.
    qvalue_over, qvalue_under : ndarray of float64
        Benjamini-Hochberg adjusted, over neurons with a p-value.
    verdict : ndarray of str
        ``over``, ``poisson``, ``under`` or ``undecided``.
    """

    n_trials: IntArray
    mean_count: FloatArray
    fano_raw: FloatArray
    fano_lower: FloatArray
    fano_upper: FloatArray
    poisson_lower: FloatArray
    poisson_upper: FloatArray
    dispersion_index: FloatArray
    pvalue_over: FloatArray
    pvalue_under: FloatArray
    qvalue_over: FloatArray
    qvalue_under: FloatArray
    verdict: NDArray[np.str_]


def measure_overdispersion(
    tally: Tally, *, interval: float, ddof: int, fdr: float, seed: int, cores: int | None = None
) -> Overdispersion:
    """Measure and test the dispersion of every neuron.

    Parameters
    ----------
    tally : Tally
    interval : float
        Mass of the Poisson range and confidence of the Fano interval, in (0, 1).
    ddof : {0, 1}
        1 divides X² by Σ_c (n_c − 1), 0 by Σ_c n_c; the Poisson range follows.
    fdr : float
        False discovery rate at which a verdict is given.
    seed : int
        The run's seed; with a neuron's id it fixes the draws of that neuron's tests.
    cores : int, optional
        Threads; by default as many as the process is granted. Nothing depends on it.

    Returns
    -------
    Overdispersion

    References
    ----------
    Fisher, R. A. (1950). The significance of deviations from expectation in a Poisson series.
    Biometrics 6, 17-24.
    Kramer, M. A. and Eden, U. T. (2016). Case Studies in Neural Data Analysis. MIT Press.
    """
    table = tabulate_pearson(tally)
    tests = run_dispersion_tests(tally, interval=interval, seed=seed, cores=cores)
    lower, upper = fano_interval(table, interval)
    divisor = fano_divisor(table, ddof)
    qvalue_over = benjamini_hochberg(tests.pvalue_over)
    qvalue_under = benjamini_hochberg(tests.pvalue_under)
    return Overdispersion(
        n_trials=tally.n_trials,
        mean_count=tally.spike_count / tally.n_trials,
        fano_raw=tests.x2 / divisor,
        fano_lower=lower,
        fano_upper=upper,
        poisson_lower=tests.null_lower / divisor,
        poisson_upper=tests.null_upper / divisor,
        dispersion_index=tests.x2,
        pvalue_over=tests.pvalue_over,
        pvalue_under=tests.pvalue_under,
        qvalue_over=qvalue_over,
        qvalue_under=qvalue_under,
        verdict=_verdicts(qvalue_over <= fdr, qvalue_under <= fdr, lower, upper),
    )


def _verdicts(
    over: NDArray[np.bool_], under: NDArray[np.bool_], lower: FloatArray, upper: FloatArray
) -> NDArray[np.str_]:
    """Call a neuron Poisson only on evidence (an equivalence test), never for lack of it."""
    poisson = (lower >= 1 / POISSON_BAND) & (upper <= POISSON_BAND)
    return np.select([over, under, poisson], ["over", "under", "poisson"], default="undecided")

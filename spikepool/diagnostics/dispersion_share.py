"""How much of the dispersion a label that no part models would explain: a forgotten stimulus."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray, Labels, Notice, SpikeCounts
from spikepool.data.wording import quoted
from spikepool.diagnostics.adjusted import holm

LEAST_SHARE = 0.1
"""A label that explains less is not worth a warning."""
MOST_CHANCE = 0.05
"""Chance that any of a table's labels that mean nothing is warned of."""
PERMUTATIONS = 499
_ENOUGH_AS_LARGE = 20
_MOST_ROWS = 10_000
"""Rows whose labels are permuted: those of every k-th neuron of a larger table."""


@dataclass(frozen=True)
class DispersionShare:
    """What a label that changes within neurons explains of the dispersion.

    Attributes
    ----------
    label : str
        Name of the column.
    levels : int
        Its values.
    neurons : int
        Neurons with repeated trials under one value.
    share : float
        NaN without such neurons, and where counts vary no more than Poisson counts.
    standard_error : float
        From the differences between neurons; NaN of fewer than two.
    pvalue, pvalue_adjusted : float
        Of the hypothesis that the label means nothing; adjusted for the number of labels (Holm).
    """

    label: str
    levels: int
    neurons: int
    share: float
    standard_error: float
    pvalue: float
    pvalue_adjusted: float

    @property
    def noticed(self) -> bool:
        """Whether it is worth a warning."""
        return self.share >= LEAST_SHARE and self.pvalue_adjusted <= MOST_CHANCE


def share_dispersion(counts: SpikeCounts, seed: int) -> tuple[DispersionShare, ...]:
    """Compute the share of the dispersion that every label explains which changes within neurons.

    In a stratum (a neuron, or neuron × condition) with rate ``r = Σy/Σe`` the variance of the rate
    between trials is estimated, without regard to the label and within its values v, by::

        V  = A / d,     A  = Σ y²/e − S²/E − (n − 1) r,              d  = E − Σ e² / E
        Vw = Aw / dw,   Aw = Σ_v [Σ y²/e − S_v²/E_v − (n_v − 1) r_v],  dw = Σ_v [E_v − Σ e² / E_v]

    (S, E, n: spikes, exposure and trials; with equal exposures V e² is the sample variance minus
    the mean). Both are moment estimators: where Var y = r e + V e², as in NB2 with V = α r²,
    E A = V d and, if the label means nothing, E Aw = V dw; if counts are Poisson within values,
    E Aw = 0. Over strata::

        share = Σ (dw / r) (V − Vw) / Σ (dw / r) V

    the excess of Pearson's X² over its mean, weighed by what is repeated within values. With equal
    exposures the mean of its numerator over all permutations of the labels within strata is
    exactly 0; it is tested against such permutations, which hold with any exposures.

    Parameters
    ----------
    counts : SpikeCounts
    seed : int
        Of the run.

    Returns
    -------
    tuple of DispersionShare
        In the order of ``counts.varying``.

    References
    ----------
    DerSimonian, R. and Laird, N. (1986). Meta-analysis in clinical trials. Controlled Clinical
    Trials 7, 177-188.
    Besag, J. and Clifford, P. (1991). Sequential Monte Carlo p-values. Biometrika 78, 301-304.
    """
    shares = [_share_of(counts, label, seed) for label in counts.varying]
    adjusted = holm(np.array([each.pvalue for each in shares]))
    return tuple(
        replace(each, pvalue_adjusted=float(p)) for each, p in zip(shares, adjusted, strict=True)
    )


def share_notices(
    shares: Sequence[DispersionShare], conditions: Sequence[str]
) -> tuple[Notice, ...]:
    """Warn of the labels that explain much of the dispersion.

    Parameters
    ----------
    shares : sequence of DispersionShare
    conditions : sequence of str
        Columns that are conditions already.

    Returns
    -------
    tuple of Notice
    """
    return tuple(_notice(each, conditions) for each in shares if each.noticed)


def condition_option(label: str, conditions: Sequence[str]) -> str:
    """Return the option by which a label becomes one more condition."""
    return f"--condition {','.join((*conditions, label))}"


def _notice(found: DispersionShare, conditions: Sequence[str]) -> Notice:
    error = "" if np.isnan(found.standard_error) else f" ± {found.standard_error:.0%}"
    option = condition_option(found.label, conditions)
    text = (
        f"{quoted(found.label)} is not modelled but explains {found.share:.0%}{error} of the "
        "variance beyond Poisson: if it is a stimulus, its tuning counts as overdispersion. "
        f"{option} tells them apart; --where looks at one value"
    )
    return Notice("varying-label", text)


@dataclass(frozen=True)
class _Rows:
    """Trials sorted by stratum, label, exposure and count; all of shape (rows,).

    Attributes
    ----------
    stratum, cell : ndarray of int64
        Neuron × condition, and that × label.
    neuron : ndarray of int64, shape (strata,)
    """

    count: FloatArray
    exposure: FloatArray
    stratum: IntArray
    cell: IntArray
    neuron: IntArray


def _share_of(counts: SpikeCounts, label: Labels, seed: int) -> DispersionShare:
    rows = _sorted_rows(counts, label, np.ones(len(counts.count), dtype=np.bool_))
    gain, whole = _excess(rows)
    size = int(rows.neuron.max()) + 1
    gains = np.bincount(rows.neuron, weights=gain, minlength=size)
    wholes = np.bincount(rows.neuron, weights=whole, minlength=size)
    telling = np.flatnonzero(wholes)
    share = error = pvalue = float("nan")
    if len(telling) and wholes.sum() > 0:
        share = float(gains.sum() / wholes.sum())
        error = _standard_error(gains[telling], wholes[telling], share)
        pvalue = _pvalue(counts, label, np.random.default_rng([seed, 2]))
    return DispersionShare(
        label.name, len(label.values), len(telling), share, error, pvalue, float("nan")
    )


def _standard_error(gains: FloatArray, wholes: FloatArray, share: float) -> float:
    """Of a ratio of sums, with neurons as the independent units; NaN of a single one."""
    n = len(gains)
    if n < 2:
        return float("nan")
    return float(np.sqrt(n / (n - 1) * np.sum((gains - share * wholes) ** 2)) / wholes.sum())


def _sorted_rows(
    counts: SpikeCounts, label: Labels, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> _Rows:
    """Sort, so that neither sums nor permutations depend on the order of the rows read."""
    responses = counts.responses
    condition = responses.codes if responses else np.zeros_like(counts.count)
    rows = np.flatnonzero(chosen)
    keys = (counts.count, counts.exposure, label.codes, condition, counts.neuron.codes)
    rows = rows[np.lexsort([key[rows] for key in keys])]
    neuron, condition, value = counts.neuron.codes[rows], condition[rows], label.codes[rows]
    new_stratum = np.ones(len(rows), dtype=np.bool_)
    new_stratum[1:] = (np.diff(neuron) != 0) | (np.diff(condition) != 0)
    new_cell = new_stratum.copy()
    new_cell[1:] |= np.diff(value) != 0
    return _Rows(
        count=counts.count[rows].astype(np.float64),
        exposure=counts.exposure[rows],
        stratum=(np.cumsum(new_stratum) - 1).astype(np.int64),
        cell=(np.cumsum(new_cell) - 1).astype(np.int64),
        neuron=neuron[new_stratum],
    )


def _excess(rows: _Rows) -> tuple[FloatArray, FloatArray]:
    """Return ``(dw/r)(V − Vw)`` and ``(dw/r) V``; shape (strata,); 0 where r or d is 0."""
    first = np.concatenate([[True], np.diff(rows.cell) != 0])
    stratum_of_cell = rows.stratum[first]
    excess, information, rate = _moments(rows, rows.stratum)
    excess_in_cells, information_in_cells, _ = _moments(rows, rows.cell)
    within = np.bincount(stratum_of_cell, weights=excess_in_cells)
    repeated = np.bincount(stratum_of_cell, weights=information_in_cells)
    usable = (rate > 0) & (information > 0)
    whole = np.zeros(len(rate))
    gain = np.zeros(len(rate))
    whole[usable] = (repeated * excess)[usable] / (information * rate)[usable]
    gain[usable] = whole[usable] - within[usable] / rate[usable]
    return gain, whole


def _moments(rows: _Rows, part: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return A, d and r of every part (stratum or cell); exactly A = d = 0 of single trials."""
    trials = np.bincount(part)
    exposure = np.bincount(part, weights=rows.exposure)
    rate = np.bincount(part, weights=rows.count) / exposure
    deviation = (rows.count - rate[part] * rows.exposure) ** 2 / rows.exposure
    excess = np.bincount(part, weights=deviation) - (trials - 1) * rate
    information = exposure - np.bincount(part, weights=rows.exposure**2) / exposure
    several = trials > 1
    return np.where(several, excess, 0.0), np.where(several, information, 0.0), rate


def _pvalue(counts: SpikeCounts, label: Labels, rng: np.random.Generator) -> float:
    """Test the gain against permutations of the trials within strata.

    It stops once that many have been as large: a label that means nothing is told soon.
    """
    step = -(-len(counts.count) // _MOST_ROWS)
    rows = _sorted_rows(counts, label, counts.neuron.codes % step == 0)
    observed = _excess(rows)[0].sum()
    least = observed - 1e-12 * abs(observed)  # the same labels in another order are as large
    as_large = 0
    for done in range(1, PERMUTATIONS + 1):
        order = np.lexsort((rng.random(len(rows.count)), rows.stratum))
        permuted = replace(rows, count=rows.count[order], exposure=rows.exposure[order])
        as_large += bool(_excess(permuted)[0].sum() >= least)
        if as_large == _ENOUGH_AS_LARGE:
            return as_large / done
    return (as_large + 1) / (PERMUTATIONS + 1)

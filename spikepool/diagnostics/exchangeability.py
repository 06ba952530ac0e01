"""Whether neurons that a model takes as one population differ by a label that it does not use."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray, NeuronColumn, Notice
from spikepool.data.text_table import combined_codes
from spikepool.data.wording import plural, quoted
from spikepool.diagnostics.adjusted import holm
from spikepool.posterior.draws import NeuronDraws

type Quantity = Literal[
    "log_rate_mean", "log_rate_spread", "log_dispersion_mean", "log_dispersion_spread"
]

IN_WORDS: dict[Quantity, str] = {
    "log_rate_mean": "typical rates",
    "log_rate_spread": "spreads of rates",
    "log_dispersion_mean": "typical dispersions",
    "log_dispersion_spread": "spreads of dispersions",
}
MOST_CHANCE = 0.05
"""Chance that any label that means nothing is warned of."""
MOST_LEVELS = 50
FEWEST_NEURONS = 3
"""A level needs so many neurons."""
PERMUTATIONS = 1999
_VALUES_AT_ONCE = 1_000_000
_LEAST_WEIGHT = 0.05
"""Neurons whose data say less than this of the quantity are left out."""


@dataclass(frozen=True)
class ExchangeabilityTest:
    """One test of one label.

    Attributes
    ----------
    label : str
        Name of the column.
    quantity : str
        What may differ between its levels.
    levels, neurons : int
        With at least three neurons each, and the neurons in them.
    between : float
        Sd between levels over the sd between neurons, by moments; NaN of a spread.
    pvalue, pvalue_adjusted : float
        The latter for all quantities and labels (Holm).
    """

    label: str
    quantity: Quantity
    levels: int
    neurons: int
    between: float
    pvalue: float
    pvalue_adjusted: float

    @property
    def noticed(self) -> bool:
        """Whether it is worth a warning."""
        return self.pvalue_adjusted <= MOST_CHANCE


def run_exchangeability_tests(
    draws: NeuronDraws, group: IntArray, columns: Sequence[NeuronColumn], seed: int
) -> tuple[ExchangeabilityTest, ...]:
    """Test whether labels tell apart neurons that the model takes as exchangeable.

    Posterior means m_i cannot be compared as they are: a neuron with few trials is drawn to the
    population, so that labels with fewer trials would seem to spread less. In the fitted
    population m_i has variance τ² ω_i, ω_i = 1 − Var(θ_i | y)/τ², so that the scores
    ``z_i = (m_i − mean m) / (τ √ω_i)`` have variance 1 with any number of trials; τ² is the mean
    of ``(m_i − mean m)² + Var(θ_i | y)``. The statistics are, over levels l::

        means    Σ_l S_l² / I_l − S² / I,  S_l = Σ √ω_i z_i,  I_l = Σ ω_i
        spreads  the same of |z_i − √ω_i S_l / I_l| / √(1 − ω_i / I_l)  (Brown and Forsythe)

    (of spreads the residuals inside |·| are permuted, and centred again in their new levels), the
    first the score test of a mean for each level (√ω z_i = (m_i − mean m)/τ is the derivative
    of ln p(y_i) by μ/τ). They are compared with permutations of the scores over the neurons of a
    group, so that no shape of the population is assumed; draws of a replicated population would
    assume it, and lose power where the data are weak.

    Parameters
    ----------
    draws : NeuronDraws
        Of a model with partial pooling; others have nothing to test.
    group : ndarray of int64, shape (N,)
        Neurons are compared within it.
    columns : sequence of NeuronColumn
    seed : int
        Of the run.

    Returns
    -------
    tuple of ExchangeabilityTest
        Of every column with 2 to 50 levels of three neurons that hold half of all neurons.

    References
    ----------
    Brown, M. B. and Forsythe, A. B. (1974). Robust tests for the equality of variances. JASA 69,
    364-367.
    Cox, D. R. and Hinkley, D. V. (1974). Theoretical Statistics. Chapman and Hall. (Score tests.)
    """
    tests = [test for column in columns for test in _tests_of(draws, group, column, seed)]
    adjusted = holm(np.array([test.pvalue for test in tests]))
    return tuple(
        replace(test, pvalue_adjusted=float(p)) for test, p in zip(tests, adjusted, strict=True)
    )


def exchangeability_notices(
    tests: Sequence[ExchangeabilityTest], groups: Sequence[str]
) -> tuple[Notice, ...]:
    """Warn of labels whose neurons are no one population.

    Parameters
    ----------
    tests : sequence of ExchangeabilityTest
    groups : sequence of str
        Columns that are groups already.

    Returns
    -------
    tuple of Notice
        One of each label.
    """
    found: dict[str, list[ExchangeabilityTest]] = {}
    for test in tests:
        if test.noticed:
            found.setdefault(test.label, []).append(test)
    return tuple(_notice(of_label, groups) for of_label in found.values())


def group_option(label: str, groups: Sequence[str]) -> str:
    """Return the option by which the levels of a label become groups, within those there are."""
    return f"--group {','.join((*groups, label))}"


def _notice(found: Sequence[ExchangeabilityTest], groups: Sequence[str]) -> Notice:
    label = found[0].label
    words = " and ".join(f"{IN_WORDS[t.quantity]} (p {t.pvalue_adjusted:.2g})" for t in found)
    text = (
        f"{quoted(label)} is not modelled, but its {plural(found[0].levels, 'level')} differ in "
        f"{words}: one population may mislead. {group_option(label, groups)} gives each level its "
        "own"
    )
    return Notice("not-exchangeable", text)


@dataclass(frozen=True)
class _Scores:
    """Standardised posterior means of the neurons of levels; all of shape (neurons,)."""

    z: FloatArray
    weight: FloatArray
    level: IntArray
    group: IntArray


def _tests_of(
    draws: NeuronDraws, group: IntArray, column: NeuronColumn, seed: int
) -> Iterator[ExchangeabilityTest]:
    spec = draws.spec
    if spec.pooling == "partial":
        yield from _two_tests(
            draws.flat_theta, group, column, ("log_rate_mean", "log_rate_spread"), seed
        )
    if spec.dispersion_pooling == "partial" and draws.flat_delta is not None:
        yield from _two_tests(
            draws.flat_delta, group, column, ("log_dispersion_mean", "log_dispersion_spread"), seed
        )


def _two_tests(
    values: FloatArray,
    group: IntArray,
    column: NeuronColumn,
    names: tuple[Quantity, Quantity],
    seed: int,
) -> Iterator[ExchangeabilityTest]:
    scores = _scores(values, group, column)
    if scores is None:
        return
    levels, neurons = int(scores.level.max()) + 1, len(scores.z)
    between = _between(scores)
    for name, statistic, permuted, sd in (
        (names[0], _means, scores.z, between),
        (names[1], _spreads, _residuals(scores, scores.z), float("nan")),
    ):
        pvalue = _pvalue(scores, statistic, permuted, np.random.default_rng([seed, 3]))
        yield ExchangeabilityTest(column.name, name, levels, neurons, sd, pvalue, float("nan"))


def _scores(values: FloatArray, group: IntArray, column: NeuronColumn) -> _Scores | None:
    """Standardise within groups; None where the column has too few or too many levels."""
    mean, variance = values.mean(axis=0), values.var(axis=0, ddof=1)
    size = np.bincount(group)
    deviation = mean - (np.bincount(group, weights=mean) / size)[group]
    whole = (np.bincount(group, weights=deviation**2 + variance) / size)[group]
    weight = 1 - variance / whole
    known = np.array([value is not None for value in column.values]) & (weight > _LEAST_WEIGHT)
    kept = _in_levels(known, group, column)
    if kept is None:
        return None
    z = deviation[kept] / np.sqrt(whole[kept] * weight[kept])
    level = combined_codes([group[kept], _codes(column)[kept]])
    return _Scores(z, weight[kept], level, combined_codes([group[kept]]))


def _codes(column: NeuronColumn) -> IntArray:
    names = {value: code for code, value in enumerate(dict.fromkeys(column.values))}
    return np.array([names[value] for value in column.values], dtype=np.int64)


def _in_levels(
    known: np.ndarray[tuple[int], np.dtype[np.bool_]], group: IntArray, column: NeuronColumn
) -> IntArray | None:
    """Return the neurons of levels that can be compared with another one of their group."""
    level = combined_codes([group, _codes(column)])
    enough = np.bincount(level, weights=known) >= FEWEST_NEURONS
    chosen = known & enough[level]
    pairs = np.unique(np.stack([group[chosen], level[chosen]]), axis=1)
    several = np.bincount(pairs[0], minlength=int(group.max()) + 1) > 1
    chosen &= several[group]
    levels = len(np.unique(level[chosen]))
    if not 2 <= levels <= MOST_LEVELS or 2 * chosen.sum() < known.sum():
        return None
    return np.flatnonzero(chosen).astype(np.int64)


def _between(scores: _Scores) -> float:
    """Sd between levels by moments: E[statistic] = levels − groups + sd² (I − Σ I_l² / I)."""
    information = np.bincount(scores.level, weights=scores.weight)
    in_group = np.bincount(scores.group, weights=scores.weight)
    group_of_level = scores.group[np.unique(scores.level, return_index=True)[1]]
    squares = np.bincount(group_of_level, weights=information**2)
    free = len(information) - len(in_group)
    variance = (float(_means(scores, scores.z)) - free) / np.sum(in_group - squares / in_group)
    return float(np.sqrt(max(variance, 0.0)))


def _means(scores: _Scores, z: FloatArray) -> FloatArray:
    """Score statistic of a mean for each level; `z` of shape (..., neurons)."""
    part = np.sqrt(scores.weight) * z

    def squares(of: IntArray) -> FloatArray:
        return np.sum(_sums(part, of) ** 2 / _sums(scores.weight, of), axis=-1)

    return squares(scores.level) - squares(scores.group)


def _spreads(scores: _Scores, z: FloatArray) -> FloatArray:
    """Return the same statistic of absolute deviations from the levels."""
    size = np.abs(_residuals(scores, z))
    mean = _sums(size, scores.group) / np.bincount(scores.group)
    return _means(scores, size - mean[..., scores.group])


def _residuals(scores: _Scores, z: FloatArray) -> FloatArray:
    """Deviations from the level, all of variance 1 where levels spread alike."""
    root = np.sqrt(scores.weight)
    information = _sums(scores.weight, scores.level)
    centre = (_sums(root * z, scores.level) / information)[..., scores.level]
    share = scores.weight / information[scores.level]
    return np.asarray((z - root * centre) / np.sqrt(1 - share))


def _sums(values: FloatArray, of: IntArray) -> FloatArray:
    """Sum the last axis by label, 0 to the largest, each of which occurs."""
    order = np.argsort(of, kind="stable")
    first = np.searchsorted(of[order], np.arange(int(of.max()) + 1))
    return np.add.reduceat(values[..., order], first, axis=-1)


def _pvalue(
    scores: _Scores,
    statistic: Callable[[_Scores, FloatArray], FloatArray],
    permuted: FloatArray,
    rng: np.random.Generator,
) -> float:
    """Compare a statistic of the scores with that of permuted values, within groups."""
    order = np.argsort(scores.group, kind="stable")
    observed = float(statistic(scores, scores.z))
    least = observed - 1e-12 * abs(observed)
    as_large, size = 0, max(1, _VALUES_AT_ONCE // len(order))
    for begin in range(0, PERMUTATIONS, size):
        shape = min(size, PERMUTATIONS - begin), len(order)
        z = np.empty(shape)
        z[:, order] = permuted[np.argsort(scores.group + rng.random(shape), axis=1)]
        as_large += int(np.count_nonzero(statistic(scores, z) >= least))
    return (as_large + 1) / (PERMUTATIONS + 1)

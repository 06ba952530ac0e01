"""Tests of Poisson dispersion, exact given each neuron's totals.

Given the total of a condition, Poisson counts are multinomial with probabilities in proportion
to exposure, so the null distribution of X² holds no unknown (Fisher 1950). Three routes:

1. ``draws`` multinomial tables: ``p = (1 + #{X²* >= X²}) / (1 + draws)``, super-uniform whatever
   the counts (Barnard 1963).
2. Where that p is at most `REFINE_BELOW` (c), tables from a mixture of the null and of urns that
   reach into the tail, with importance weights w that count the observed table among the draws:
   ``p = min(c, [w(y) + Σ w(y*) 1{X²* >= X²}] / (1 + draws))``, super-uniform too (Harrison 2012),
   and precise far below 1 / draws. The cap at c keeps the pair of stages super-uniform: above
   c the p-value is the first stage's, below it ``P(p <= a) <= a`` by the second. With 13 trials
   the seed changes p by 10 to 20 % (relative sd) near 0.05 and 1e-3.
3. Where X² is nearly symmetric (skewness at most `SMALL_SKEWNESS`: about 130 degrees of freedom
   and more) the Pearson type III with the exact first three moments, and half a lattice step.
   Not super-uniform by construction: measured within 3 % of the exact p at 0.05, 6 % at 0.01,
   10 % at 1e-3 and 25 % (below it) at 1e-5 for mean counts from 1 and exposures within a factor
   of 2; with exposures of log sd 0.7 it can be half the exact one at 1e-3 and below.

References
----------
Fisher, R. A. (1950). The significance of deviations from expectation in a Poisson series.
Biometrics 6, 17-24.
Barnard, G. A. (1963). Discussion of Bartlett, The spectral analysis of point processes.
J. R. Statist. Soc. B 25, 294.
Harrison, M. T. (2012). Conservative hypothesis tests and confidence intervals using importance
sampling. Biometrika 99, 57-69.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy import stats

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.diagnostics.pearson import (
    PearsonTable,
    null_moments,
    tabulate_pearson,
)
from spikepool.diagnostics.polya import (
    DirichletMultinomial,
    Hypergeometric,
    PoissonNull,
    TailMixture,
    Urn,
)

REFINE_BELOW = 0.1
SMALL_SKEWNESS = 0.25
HUGE_TOTAL = 1e8
"""Spikes in one condition beyond which route 3 is taken (the hypergeometric sampler's range)."""
FIRST_DRAWS = 199
SPARSE_DRAWS = 999
"""Draws of route 1 for few trials (`SPARSE_TRIALS`) with few spikes each (`SPARSE_MEAN`).

There the range of X² under Poisson is read off the draws; elsewhere it is the Pearson type III
range, within 1 % (3 % for very unequal exposures) of the exact one.
"""
SPARSE_TRIALS, SPARSE_MEAN = 40, 5
_REFINING_COUNTS = 8_000
_TIE = 1e-9

type Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class DispersionTests:
    """Tests and null range of X² for every neuron; shape (N,), NaN where undefined.

    Attributes
    ----------
    x2 : ndarray of float64
        Index of dispersion: Pearson's X² within conditions.
    df : ndarray of float64
        Its degrees of freedom and exact null mean, Σ_c (n_c − 1).
    pvalue_over, pvalue_under : ndarray of float64
        ``P(X²* >= X²)`` and ``P(X²* <= X²)`` under Poisson, given the totals.
    null_lower, null_upper : ndarray of float64
        Central range of X²* under Poisson.
    """

    x2: FloatArray
    df: FloatArray
    pvalue_over: FloatArray
    pvalue_under: FloatArray
    null_lower: FloatArray
    null_upper: FloatArray


def run_dispersion_tests(tally: Tally, *, interval: float, seed: int) -> DispersionTests:
    """Test every neuron for over- and for underdispersion.

    A neuron's draws depend on `seed` and on its own id alone, never on its neighbours.

    Parameters
    ----------
    tally : Tally
    interval : float
        Mass of the central null range, in (0, 1).
    seed : int

    Returns
    -------
    DispersionTests
    """
    table = tabulate_pearson(tally)
    tests = _moment_matched(table, interval)
    simulated = _simulated(table)
    for i, neuron in _observations(tally, table):
        if simulated[i]:
            rng = neuron_generator(seed, "dispersion", tally.neurons[i])
            x2 = neuron.null.x2(neuron.null.draw(rng, _first_draws(neuron)))
            tests.pvalue_over[i] = _exact_pvalue(neuron, x2, _OVER, rng)
            tests.pvalue_under[i] = _exact_pvalue(neuron, x2, _UNDER, rng)
            if neuron.sparse:
                tests.null_lower[i], tests.null_upper[i] = _central_range(x2, interval)
    return tests


def neuron_generator(seed: int, purpose: str, neuron: str) -> np.random.Generator:
    """Return a random generator fixed by the run's seed, the purpose and the neuron's id."""
    digest = hashlib.sha256(f"{seed}\0{purpose}\0{neuron}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest))


def randomised_pvalues(tally: Tally, *, seed: int, draws: int = 199) -> FloatArray:
    """Randomised p-values for overdispersion, exactly uniform under Poisson.

    ``(#{X²* > X²} + U (1 + #{X²* = X²})) / (1 + draws)`` with U uniform: the rank of the
    observed table among `draws` multinomial ones, ties broken at random. For checks of
    uniformity over many neurons; one minus it tests for underdispersion.

    Parameters
    ----------
    tally : Tally
    seed : int
    draws : int

    Returns
    -------
    ndarray of float64, shape (N,)
        NaN where no condition is informative.
    """
    table = tabulate_pearson(tally)
    pvalues = np.full(table.neurons, np.nan)
    for i, neuron in _observations(tally, table):
        rng = neuron_generator(seed, "randomised", tally.neurons[i])
        x2 = neuron.null.x2(neuron.null.draw(rng, draws))
        reached = _at_least(x2, neuron.x2)
        tied = np.count_nonzero(reached & _at_most(x2, neuron.x2))
        higher = np.count_nonzero(reached) - tied
        pvalues[i] = (higher + rng.random() * (1 + tied)) / (1 + draws)
    return pvalues


@dataclass(frozen=True)
class _Observation:
    """A neuron's counts in its informative conditions, and their null given the totals."""

    null: PoissonNull
    counts: IntArray

    @cached_property
    def x2(self) -> float:
        return float(self.null.x2(self.counts[np.newaxis])[0])

    @property
    def sparse(self) -> bool:
        trials = len(self.counts)
        return trials <= SPARSE_TRIALS and sum(self.null.spikes) < SPARSE_MEAN * trials


def _observations(tally: Tally, table: PearsonTable) -> Iterator[tuple[int, _Observation]]:
    """Each neuron with an informative condition, trial by trial."""
    for i in np.flatnonzero(table.defined):
        first, last = np.searchsorted(table.neuron, [i, i + 1])
        probabilities, counts = [], []
        for g in range(first, last):
            cells = slice(table.first_cell[g], table.last_cell[g])
            exposure = np.repeat(tally.exposure[cells], tally.weight[cells])
            probabilities.append(exposure / exposure.sum())
            counts.append(np.repeat(tally.count[cells], tally.weight[cells]))
        spikes = tuple(int(S) for S in table.spikes[first:last])
        null = PoissonNull(probabilities=tuple(probabilities), spikes=spikes)
        yield int(i), _Observation(null=null, counts=np.concatenate(counts))


def _at_least(x2: FloatArray, observed: float) -> Mask:
    """Whether each X² reaches the observed one, up to rounding."""
    return x2 >= observed - _TIE * (1 + observed)


def _at_most(x2: FloatArray, observed: float) -> Mask:
    """Whether each X² stays within the observed one, up to rounding."""
    return x2 <= observed + _TIE * (1 + observed)


def _simulated(table: PearsonTable) -> Mask:
    """Neurons of routes 1 and 2."""
    largest = np.zeros(table.neurons)
    np.maximum.at(largest, table.neuron, table.spikes)
    moments = null_moments(table)
    nearly_symmetric = (moments.mean >= 8 / SMALL_SKEWNESS**2) & (
        moments.skewness <= SMALL_SKEWNESS
    )
    return (moments.variance > 0) & ~nearly_symmetric & (largest <= HUGE_TOTAL)


def _moment_matched(table: PearsonTable, interval: float) -> DispersionTests:
    """Route 3 for every neuron; p-values of 1 where X² is constant given the totals."""
    moments = null_moments(table)
    shape = {
        "skew": moments.skewness,
        "loc": np.where(table.defined, moments.mean, np.nan),
        "scale": np.sqrt(np.where(moments.variance > 0, moments.variance, 1.0)),
    }
    x2 = np.where(table.defined, table.per_neuron(table.x2), np.nan)
    half = _half_lattice_step(table)
    tail = (1 - interval) / 2
    constant = table.defined & (moments.variance <= 0)
    return DispersionTests(
        x2=x2,
        df=shape["loc"],
        pvalue_over=np.where(constant, 1.0, stats.pearson3.sf(x2 - half, **shape)),
        pvalue_under=np.where(constant, 1.0, stats.pearson3.cdf(x2 + half, **shape)),
        null_lower=np.where(constant, x2, np.maximum(stats.pearson3.ppf(tail, **shape), 0.0)),
        null_upper=np.where(constant, x2, stats.pearson3.isf(tail, **shape)),
    )


def _half_lattice_step(table: PearsonTable) -> FloatArray:
    """Half the finest step of X²; 0 with unequal exposures, where X² is no lattice."""
    finest = np.full(table.neurons, np.inf)
    step = np.where(table.equal_exposures, table.lattice_step, 0.0)
    np.minimum.at(finest, table.neuron, step / 2)
    return np.where(table.defined, finest, 0.0)


def _first_draws(neuron: _Observation) -> int:
    return SPARSE_DRAWS if neuron.sparse else FIRST_DRAWS


def _central_range(x2: FloatArray, interval: float) -> FloatArray:
    """Equal-tailed range of the simulated X², at values that occur."""
    tails = [(1 - interval) / 2, (1 + interval) / 2]
    return np.quantile(x2, tails, method="inverted_cdf")


@dataclass(frozen=True)
class _Tail:
    """One side of the null: what is as extreme as observed, and the urns that reach there."""

    as_extreme: Callable[[FloatArray, float], Mask]
    urns: Callable[[int], tuple[Urn, ...]]


@cache
def _over_urns(df: int) -> tuple[Urn, ...]:
    """Urns whose mean X² lies at far upper chi-square quantiles."""
    ratios = stats.chi2.isf(np.array([1e-3, 1e-8]), df) / df
    return tuple(DirichletMultinomial(float(ratio)) for ratio in ratios)


@cache
def _under_urns(df: int) -> tuple[Urn, ...]:
    """Urns whose mean X² lies at far lower chi-square quantiles."""
    ratios = stats.chi2.ppf(np.array([1e-3, 1e-6]), df) / df
    return tuple(Hypergeometric(float(ratio)) for ratio in ratios)


_OVER = _Tail(as_extreme=_at_least, urns=_over_urns)
_UNDER = _Tail(as_extreme=_at_most, urns=_under_urns)


def _exact_pvalue(
    neuron: _Observation, x2: FloatArray, tail: _Tail, rng: np.random.Generator
) -> float:
    """Routes 1 and 2: super-uniform given draws `x2` of the null."""
    extreme = np.count_nonzero(tail.as_extreme(x2, neuron.x2))
    pvalue = (1 + extreme) / (1 + len(x2))
    if pvalue > REFINE_BELOW:
        return pvalue
    return min(REFINE_BELOW, _refined_pvalue(neuron, tail, rng))


def _refined_pvalue(neuron: _Observation, tail: _Tail, rng: np.random.Generator) -> float:
    """Route 2, before the cap."""
    df = sum(len(p) - 1 for p in neuron.null.probabilities)
    mixture = TailMixture(neuron.null, tail.urns(df))
    draws = int(np.clip(_REFINING_COUNTS // len(neuron.counts), 200, 1000))
    tables = np.concatenate([neuron.counts[np.newaxis], mixture.draw(rng, draws)])
    extreme = tail.as_extreme(neuron.null.x2(tables), neuron.x2)
    return float(mixture.weights(tables[extreme]).sum() / (1 + draws))

"""Differences and ratios between groups' population parameters.

Groups that are fitted alone are independent given the data, so that pairs of draws, one from each
group's own posterior, are draws of both. They are made from each group's whole sample of
hyperparameters, which is larger than the joint draws. Groups that labels within them join are drawn
together, and are compared draw by draw.

With labels within groups (animals) what is compared is the groups' means μ_g, those of a typical
animal: how areas differ in animals like these, recorded or not. What an animal in both groups adds
to both cancels; what an animal in one group adds does not, and widens the interval.
"""

import hashlib
from collections.abc import Mapping
from itertools import combinations

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.models.plan import MOST_GROUPS_COMPARED
from spikepool.models.spec import ModelSpec
from spikepool.posterior.population import reported_hyperparameters
from spikepool.posterior.quadrature import HyperparameterSample
from spikepool.posterior.results import Contrast
from spikepool.posterior.weighted import systematic

PAIRS = 10_000
"""Pairs of draws behind each contrast: a probability is off by 0.005 at most (1 sd)."""
_OF_ANY_SIGN = frozenset({"mu", "mu_delta"})


def contrast_groups(
    spec: ModelSpec, samples: Mapping[str, HyperparameterSample], interval: float
) -> tuple[Contrast, ...]:
    """Compare every group with each one before it.

    Parameters
    ----------
    spec : ModelSpec
    samples : mapping of str to HyperparameterSample
        Of each group, by its name, in order; draw by draw of all groups, where they are joined.
    interval : float
        Mass of the equal-tailed intervals.

    Returns
    -------
    tuple of Contrast
        Pair by pair; empty for a single group and for more than 15.
    """
    if not 1 < len(samples) <= MOST_GROUPS_COMPARED:
        return ()
    drawn = {group: _drawn(spec, group, sample) for group, sample in samples.items()}
    return tuple(
        _contrast(name, group, reference, (drawn[group][name], drawn[reference][name]), interval)
        for reference, group in combinations(drawn, 2)
        for name in drawn[group]
    )


def _drawn(spec: ModelSpec, group: str, sample: HyperparameterSample) -> dict[str, FloatArray]:
    """Draw from a group's sample, in an order that has nothing to do with that of any other group.

    Groups that labels within them join keep the order of their joint draws.
    """
    chosen = systematic(sample.weights, PAIRS, 0.5)
    if spec.within is None:
        digest = hashlib.sha256(group.encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        chosen = rng.permutation(chosen)
    reported = reported_hyperparameters(spec, sample.values)
    return {name: values[chosen] for name, values in reported.items()}


def _contrast(
    parameter: str,
    group: str,
    reference: str,
    pairs: tuple[FloatArray, FloatArray],
    interval: float,
) -> Contrast:
    own, other = pairs
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        difference, ratio = own - other, own / other
    undefined = (float("nan"),) * 3
    lower, median, upper = _quantiles(difference, interval)
    of_ratio = undefined if parameter in _OF_ANY_SIGN else _quantiles(ratio, interval)
    mean = float(np.mean(difference)) if np.isfinite(difference).all() else float("nan")
    return Contrast(
        parameter=parameter,
        group=group,
        reference=reference,
        difference_mean=mean if lower <= mean <= upper else float("nan"),
        difference_median=median,
        difference_lower=lower,
        difference_upper=upper,
        ratio_median=of_ratio[1],
        ratio_lower=of_ratio[0],
        ratio_upper=of_ratio[2],
        prob_greater=float(np.mean(own > other)),
    )


def _quantiles(values: FloatArray, interval: float) -> tuple[float, float, float]:
    """Lower end, median and upper end; what is undefined (∞ − ∞) is left out."""
    tail = (1 - interval) / 2
    lower, median, upper = np.nanquantile(values, [tail, 0.5, 1 - tail])
    return float(lower), float(median), float(upper)

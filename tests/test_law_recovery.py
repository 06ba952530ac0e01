"""The law of the variance, from simulated counts of each family to its name."""

import numpy as np
import pytest

from spikepool.config import EngineOptions
from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.diagnostics.law import infer_law
from spikepool.engines.collapsed.engine import integrate_posterior
from spikepool.models.families import FAMILIES
from spikepool.models.priors import default_priors
from spikepool.models.spec import ModelSpec
from spikepool.posterior.summary import SummaryOptions
from spikepool.progress import Silent

NEURONS, TRIALS = 40, 200
EXPOSURE = np.tile([0.25, 0.5, 1.0, 2.0], (NEURONS, TRIALS // 4))
DISPERSION = {"poisson": 0.0, "nb1": 0.8, "nb2": 0.4}
"""e^δ: √ω of NB1 (a Fano factor of 1.64), gain sd of NB2."""
SPECS = [
    ModelSpec(family, "partial", None if family == "poisson" else "partial")
    for family in ("poisson", "nb1", "nb2")
]


def simulate(family, seed):
    """Return the tally of log-normal rates near 8 spikes/s, dispersions that spread by a fifth."""
    rng = np.random.default_rng(seed)
    mean = np.exp(rng.normal(np.log(8), 0.6, (NEURONS, 1))) * EXPOSURE
    dispersion = DISPERSION[family] * np.exp(rng.normal(0, 0.2, (NEURONS, 1)))
    counts = FAMILIES[family].sample(mean, np.broadcast_to(dispersion, mean.shape), rng)
    neuron = Labels(
        "neuron", tuple(f"n{i:02d}" for i in range(NEURONS)), np.repeat(np.arange(NEURONS), TRIALS)
    )
    return tally_counts(SpikeCounts(neuron, counts.ravel(), EXPOSURE.ravel(), exposure_known=True))


@pytest.mark.statistical
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("family", DISPERSION)
def test_family_of_the_counts_is_found(family, seed):
    """Of 40 neurons with 200 trials of four durations; the right NB leads by 40 nats and more.

    Poisson counts are called Poisson unless NB might win 20 nats: its lead is near 0, and twice
    its error of 1 to 3 nats is added.
    """
    tally = simulate(family, seed)
    fitted = [
        (spec, integrate_posterior(spec, tally, default_priors(tally), EngineOptions(seed=seed),
                                   SummaryOptions(0.95, 1.1), Silent()).quadrature.leave_out)
        for spec in SPECS
    ]  # fmt: skip
    (law,) = infer_law(fitted, SPECS[2], tally)
    assert law.telling == NEURONS
    assert law.law == family, law

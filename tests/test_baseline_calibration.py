"""P(response above baseline | y) is calibrated where the truth is drawn from the priors."""

import csv

import numpy as np
import pytest
from scipy import stats

from spikepool.config_file import resolve_config
from spikepool.pipeline import plan_run
from spikepool.progress import Silent

NEURONS, TRIALS = 2000, 3
MU, TAU = 1.0, 0.7
"""Of the blanks and of the stimulus alike: half of all responses are above their baseline."""


@pytest.mark.statistical
def test_probability_of_a_response_is_calibrated(tmp_path):
    """Of 2,000 neurons whose two rates were drawn from the populations, in ten classes of P.

    Responses are independent but for the populations' parameters, which so many neurons tell. The
    chi-square of ten classes exceeds its 0.9999 quantile once in 10,000 data sets.
    """
    rng = np.random.default_rng(20)
    rates = np.exp(rng.normal(MU, TAU, (2, NEURONS)))
    path = tmp_path / "counts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("neuron", "condition", "count"))
        for condition, of in zip(("blank", "odor"), rates, strict=True):
            counts = rng.poisson(of[:, np.newaxis], (NEURONS, TRIALS))
            writer.writerows((f"n{i:04}", condition, y) for i in range(NEURONS) for y in counts[i])
    sections = {
        "input": {"tables": [str(path)], "baseline_condition": "blank"},
        "model": {"family": ["poisson"], "pooling": ["partial"]},
        "report": {"plots": []},
    }
    results = plan_run(resolve_config({}, sections)).fit(Silent())
    probability = results.primary_model.baseline.evoked.prob_above
    above = rates[1] > rates[0]
    place = np.minimum((probability * 10).astype(int), 9)
    sizes = np.bincount(place, minlength=10)
    expected = np.bincount(place, probability, minlength=10)
    variance = np.bincount(place, probability * (1 - probability), minlength=10)
    assert sizes.min() > 20
    squares = (np.bincount(place, above, minlength=10) - expected) ** 2 / variance
    assert squares.sum() < stats.chi2.ppf(0.9999, 10)

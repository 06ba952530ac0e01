"""What a certificate and a weighted sample say of themselves."""

import numpy as np
import pytest

from spikepool.posterior.quadrature import (
    LEAST_ESS,
    MOST_OUTSIDE,
    MOST_PARETO_K,
    Certificate,
    HyperparameterSample,
)

NOTHING = np.full(3, np.nan)


def certificate(refinement=NOTHING, direct=NOTHING, pareto_k=0.1, ess=1e4, outside=0.0):
    """Return a certificate of three neurons."""
    return Certificate(np.array(refinement), np.array(direct), pareto_k, ess, outside, ())


def test_worst_error_is_the_largest_that_is_known():
    """Of both kinds; NaN stands for what was not checked."""
    found = certificate([1e-9, np.nan, 1e-7], [np.nan, 3e-6, 1e-12])
    assert found.worst_error == 3e-6


def test_worst_error_of_nothing_is_undefined():
    """Where nothing is integrated."""
    assert np.isnan(certificate().worst_error)


def test_infinite_error_is_the_worst():
    """A lattice that lost a neuron is not passed over."""
    assert certificate([1e-9, np.inf, 0.0]).worst_error == np.inf


@pytest.mark.parametrize(
    ("changes", "passed"),
    [
        ({"pareto_k": MOST_PARETO_K, "ess": LEAST_ESS, "outside": MOST_OUTSIDE}, True),
        ({"pareto_k": MOST_PARETO_K + 1e-9}, False),
        ({"pareto_k": np.inf}, False),
        ({"ess": LEAST_ESS - 1e-6}, False),
        ({"outside": MOST_OUTSIDE + 1e-9}, False),
        ({"pareto_k": np.nan, "ess": 1.0}, True),
    ],
)
def test_sample_passes_within_every_limit(changes, passed):
    """Limits included; a model without hyperparameters has no sample that could fail."""
    assert certificate(**changes).sample_passed is passed


def test_effective_size_counts_equal_weights():
    """Equal weights are as many draws, one heavy weight is one."""
    for weights, wanted in (([0.25] * 4, 4.0), ([1.0, 0.0], 1.0), ([0.5, 0.25, 0.25], 8 / 3)):
        assert HyperparameterSample({}, np.array(weights), 0.1).ess == pytest.approx(wanted)

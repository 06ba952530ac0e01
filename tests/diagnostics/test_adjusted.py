"""P-values adjusted for the number of tests."""

import numpy as np
from scipy import stats

from spikepool.diagnostics.adjusted import benjamini_hochberg, holm


def test_holms_worked_example():
    """Five tests by hand: 0.001·5, 0.01·4, 0.02·3, then no less than before; one has no test."""
    pvalues = np.array([0.02, np.nan, 0.001, 0.03, 0.01, 0.9])
    expected = [0.06, np.nan, 0.005, 0.06, 0.04, 0.9]
    np.testing.assert_allclose(holm(pvalues), expected, rtol=1e-12)


def test_no_tests():
    """Of none there are none."""
    for adjust in (holm, benjamini_hochberg):
        assert adjust(np.array([])).size == 0
        assert np.isnan(adjust(np.array([np.nan]))).all()


def test_benjamini_hochberg_is_scipys():
    """With ties, and a neuron without a test among them."""
    pvalues = np.round(np.random.default_rng(1).uniform(size=50) ** 2, 2)
    expected = np.insert(stats.false_discovery_control(pvalues, method="bh"), 7, np.nan)
    np.testing.assert_allclose(benjamini_hochberg(np.insert(pvalues, 7, np.nan)), expected)

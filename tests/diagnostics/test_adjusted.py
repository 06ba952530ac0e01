"""P-values adjusted for the number of tests."""

import numpy as np

from spikepool.diagnostics.adjusted import holm


def test_holms_worked_example():
    """Five tests by hand: 0.001·5, 0.01·4, 0.02·3, then no less than before; one has no test."""
    pvalues = np.array([0.02, np.nan, 0.001, 0.03, 0.01, 0.9])
    expected = [0.06, np.nan, 0.005, 0.06, 0.04, 0.9]
    np.testing.assert_allclose(holm(pvalues), expected, rtol=1e-12)


def test_no_tests():
    """Of none there are none."""
    assert holm(np.array([])).size == 0

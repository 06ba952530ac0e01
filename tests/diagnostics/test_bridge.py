"""Ratios of normalising constants against closed forms of normal densities."""

import numpy as np
import pytest

from spikepool.diagnostics.bridge import bridge

RUNS = 200


def far_normals(shift, sd, sizes, rng):
    """Ln q at draws of N(0, 1) times q, and of N(0, 1); q normal, not normalised.

    The product of N(0, 1) and exp(−(x − shift)² / 2 sd²) is √(v / (1 + v)) exp(−shift² / 2 (1 + v))
    times a normal density, v = sd².
    """
    v = sd**2
    product = rng.normal(shift / (1 + v), sd / np.sqrt(1 + v), sizes[0])
    base = rng.normal(size=sizes[1])
    exact = 0.5 * np.log(v / (1 + v)) - shift**2 / (2 * (1 + v))
    return *(-((x - shift) ** 2) / (2 * v) for x in (product, base)), exact


@pytest.mark.parametrize("sizes", [((4, 500), (4, 500)), ((4, 250), (2, 2000))])
@pytest.mark.parametrize("shift", [0.5, 3.0, 6.0])
def test_ratio_is_that_of_the_closed_form(shift, sizes):
    """200 runs: their mean error within 4 of its standard errors, and of the size that is told.

    At a shift of 6 the importance weights of either density alone are off by more than a nat: no
    draw of the one lies where the other is. False alarm: 1e-3 in all six. The sd of 200 errors over
    the rms of what is told lies in 1 ± 0.25 (4.9 standard errors, and the error of each estimate).
    """
    rng = np.random.default_rng(4)
    errors, told = [], []
    for _ in range(RUNS):
        of_product, of_base, exact = far_normals(shift, 1.0, sizes, rng)
        log_ratio, error = bridge(of_product, of_base)
        errors.append(log_ratio - exact)
        told.append(error)
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(RUNS)
    assert np.std(errors) == pytest.approx(np.sqrt(np.mean(np.square(told))), rel=0.25)


def test_error_counts_correlated_draws():
    """Every draw ten times over says no more: the same ratio, and the same error."""
    rng = np.random.default_rng(5)
    of_product, of_base, _ = far_normals(2.0, 1.0, ((4, 400), (4, 400)), rng)
    log_ratio, error = bridge(of_product, of_base)
    again = bridge(np.repeat(of_product, 10, axis=1), np.repeat(of_base, 10, axis=1))
    assert again[0] == pytest.approx(log_ratio, abs=1e-9)
    assert again[1] == pytest.approx(error, rel=0.15)


@pytest.mark.parametrize("shift", [20.0, 40.0, 400.0])
def test_densities_that_do_not_meet_have_no_finite_error(shift):
    """Seven standard deviations and more between them: nothing is known, however smooth."""
    rng = np.random.default_rng(6)
    of_product, of_base, _ = far_normals(shift, 1.0, ((4, 500), (4, 500)), rng)
    assert bridge(of_product, of_base)[1] == np.inf


def test_a_constant_factor_is_found_exactly():
    """Of which draws do not matter."""
    log_ratio, error = bridge(np.full((4, 10), -700.0), np.full((2, 30), -700.0))
    assert log_ratio == pytest.approx(-700.0, abs=1e-9)
    assert error == pytest.approx(0, abs=1e-12)

"""The negative-binomial density both NB families share, stable down to the Poisson limit."""

from typing import Any

from spikepool.models.families.interface import Terms
from spikepool.models.statistics import STIRLING_SHIFT, CountStatistics

STIRLING = (  # B_2j / (2j (2j − 1)), j = 1..8
    1 / 12,
    -1 / 360,
    1 / 1260,
    -1 / 1680,
    1 / 1188,
    -691 / 360360,
    1 / 156,
    -3617 / 122400,
)


def negative_binomial_terms(
    theta: Any, alpha_unit: Any, alpha_cell: Any, mean_cell: Any, s: CountStatistics, xp: Any
) -> Terms:
    """Terms of Σ_k c_k log1p(α k) + S θ − Σ_cells (S + n/α) log1p(α m).

    Parameters
    ----------
    theta : array or tensor, shape (..., N)
    alpha_unit : array or tensor, shape (..., units)
    alpha_cell, mean_cell : array or tensor, shape (..., cells)
    s : CountStatistics
    xp : module
        ``numpy`` or ``pytensor.tensor``.
    """
    failures = s.cell_spikes + s.cell_trials / alpha_cell
    large = None
    if len(s.large_unit):
        rising = log_rising(alpha_unit[..., s.large_unit], s.large_count, xp)
        large = s.large_trials * rising
    return Terms(
        by_neuron=s.spikes * theta,
        by_cell=-failures * xp.log1p(alpha_cell * mean_cell),
        by_tail=s.tail_trials * xp.log1p(alpha_unit[..., s.tail_unit] * s.tail_k),
        by_large=large,
    )


def log_rising(alpha: Any, count: Any, xp: Any) -> Any:
    """Σ log1p(α k) over k from 8 to count − 1, as a Stirling difference of lnΓ.

    With r = 1/α, z = r + 8 and q = y − 8 it is lnΓ(z + q) − lnΓ(z) − q ln r, arranged so that
    nothing grows as α → 0 (Abramowitz & Stegun 6.1.41).
    """
    q = count - STIRLING_SHIFT
    inverse_z = alpha / (1 + STIRLING_SHIFT * alpha)
    inverse_zq = alpha / (1 + count * alpha)
    return (
        (1 / inverse_z - 0.5) * xp.log1p(q * inverse_z)
        + q * (xp.log1p(alpha * count) - 1)
        + _stirling_series(inverse_zq)
        - _stirling_series(inverse_z)
    )


def _stirling_series(inverse_z: Any) -> Any:
    square = inverse_z * inverse_z
    total = STIRLING[-1]
    for coefficient in reversed(STIRLING[:-1]):
        total = total * square + coefficient
    return total * inverse_z

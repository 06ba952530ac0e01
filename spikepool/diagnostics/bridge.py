"""The ratio of two normalising constants, from draws of both densities."""

import numpy as np
from scipy import optimize, special

from spikepool.data.spike_counts import FloatArray
from spikepool.posterior.summary import error_of_mean

_FEWEST = 2.0
"""Draws of the one density that have to look like draws of the other: one may, by chance."""
_BEYOND = 50.0
"""Nats beyond all log weights between which the root lies."""


def bridge(of_product: FloatArray, of_base: FloatArray) -> tuple[float, float]:
    """Return ln(∫ f q / ∫ f) by Bennett's acceptance ratio.

    Importance weights 1/q of draws of f q alone, or q of draws of f alone, fail where few draws of
    the one density lie in the other; draws of both give the ratio wherever they meet:

        E_f[q h] / E_fq[h] ,   h = 1 / (n_f + n_fq q / ratio) .

    Parameters
    ----------
    of_product, of_base : ndarray, shape (chains, draws)
        ln q at draws of f q, and of f.

    Returns
    -------
    log_ratio : float
    error : float
        Monte Carlo standard error; infinite where the draws do not meet.

    References
    ----------
    Bennett, C. H. (1976). Efficient estimation of free energy differences from Monte Carlo data.
    Journal of Computational Physics 22, 245-268.
    Meng, X.-L. and Wong, W. H. (1996). Simulating ratios of normalizing constants via a simple
    identity: a theoretical exploration. Statistica Sinica 6, 831-860.
    """

    def excess(shift: float) -> float:
        return float(special.expit(shift - of_product).sum() - special.expit(of_base - shift).sum())

    least = min(of_product.min(), of_base.min()) - _BEYOND
    most = max(of_product.max(), of_base.max()) + _BEYOND
    shift = float(optimize.brentq(excess, least, most))
    kept, taken = special.expit(shift - of_product), special.expit(of_base - shift)
    log_ratio = shift + float(np.log(of_product.size / of_base.size))
    if kept.sum() < _FEWEST:  # and as many are taken
        return log_ratio, float("inf")
    return log_ratio, float(np.hypot(_relative_error(kept), _relative_error(taken)))


def _relative_error(values: FloatArray) -> float:
    """Monte Carlo standard error of a mean over the mean; of chains that are correlated, too."""
    return float(error_of_mean(values[..., np.newaxis])[0] / values.mean())

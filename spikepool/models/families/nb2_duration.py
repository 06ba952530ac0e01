"""NB2 counts whose gain is drawn anew as time passes: variance m + α m² e_ref / e."""

from typing import Any, override

import numpy as np

from spikepool.data.spike_counts import FloatArray
from spikepool.models.families.interface import Direction, Terms
from spikepool.models.families.nb2 import NB2
from spikepool.models.families.negative_binomial import negative_binomial_terms
from spikepool.models.statistics import CountStatistics


class NB2Duration(NB2):
    """y ~ Poisson(m g), g ~ Gamma(k, k), k = e / (α e_ref), α = e^{2δ}.

    The mean over a trial of a gain that is renewed many times in it: its variance is α in the
    reference exposure e_ref, and α e_ref / e in an exposure e. The Fano factor 1 + α λ e_ref is the
    same at any exposure, and with e = e_ref the family is NB2.

    Parameters
    ----------
    reference_exposure : float
        e_ref, in the unit of the exposures.
    """

    unit = "cell"
    formula = (
        "y_it ~ NB2(m_it, α_i e_ref / e_it),  m_it = exp(θ_i) e_it,  α_i = exp(2 δ_i),  "
        "Var = m (1 + α exp(θ) e_ref),  e_ref = mean e_it of the table"
    )

    def __init__(self, reference_exposure: float) -> None:
        self.reference_exposure = reference_exposure
        self.log_excess_fano = Direction(1, 2, 0, float(np.log(reference_exposure)))

    @override
    def log_likelihood_terms(self, theta: Any, delta: Any, s: CountStatistics, xp: Any) -> Terms:
        mean = s.at_cells(xp.exp(theta)) * s.cell_exposure
        alpha = s.at_cells(xp.exp(2 * delta)) * (self.reference_exposure / s.cell_exposure)
        return negative_binomial_terms(theta, alpha, alpha, mean, s, xp)

    @override
    def information(self, theta: FloatArray, delta: FloatArray, s: CountStatistics) -> FloatArray:
        excess = np.exp(2 * delta + theta) * self.reference_exposure
        return np.asarray(np.exp(theta) * s.exposure / (1 + excess))

    @override
    def dispersion_in(self, dispersion: FloatArray, exposure: FloatArray) -> FloatArray:
        return dispersion * np.sqrt(self.reference_exposure / exposure)

    @override
    def fano_at_mean(self, mean: float, delta: FloatArray, exposure: FloatArray) -> FloatArray:
        return self.fano(np.log(mean / exposure), delta, exposure)

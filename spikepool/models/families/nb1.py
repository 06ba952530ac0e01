"""NB1 counts: a gamma rate of shape η m; variance m (1 + ω), a constant Fano factor."""

from typing import Any, override

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.models.families.gamma_poisson import gamma_poisson, gamma_poisson_cumulative
from spikepool.models.families.interface import CountFamily, Direction, Terms
from spikepool.models.families.negative_binomial import negative_binomial_terms
from spikepool.models.statistics import CountStatistics


class NB1(CountFamily):
    """y ~ Poisson(M), M ~ Gamma(η m, η), ω = 1/η = e^{2δ}: NB2 with α = ω/m in every cell."""

    unit = "cell"
    has_dispersion = True
    dispersion_name = "root_excess_fano"
    formula = "y_it ~ NB1(m_it, ω_i),  m_it = exp(θ_i) e_it,  ω_i = exp(2 δ_i),  Var = m (1 + ω)"
    log_excess_fano = Direction(0, 2, 0)
    log_gain_sd = Direction(-0.5, 1, -0.5)

    @override
    def log_likelihood_terms(self, theta: Any, delta: Any, s: CountStatistics, xp: Any) -> Terms:
        mean = s.at_cells(xp.exp(theta)) * s.cell_exposure
        alpha = s.at_cells(xp.exp(2 * delta)) / mean
        return negative_binomial_terms(theta, alpha, alpha, mean, s, xp)

    @override
    def information(self, theta: FloatArray, delta: FloatArray, s: CountStatistics) -> FloatArray:
        return np.asarray(np.exp(theta) * s.exposure / (1 + np.exp(2 * delta)))

    @override
    def sample(
        self, mean: FloatArray, dispersion: FloatArray, rng: np.random.Generator
    ) -> IntArray:
        return gamma_poisson(mean, dispersion**2 / mean, rng)

    @override
    def cumulative(self, count: IntArray, mean: FloatArray, dispersion: FloatArray) -> FloatArray:
        return gamma_poisson_cumulative(count, mean, dispersion**2 / mean)

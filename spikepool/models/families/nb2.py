"""NB2 counts: a gamma gain that varies from trial to trial; variance m + α m²."""

from typing import Any, ClassVar, override

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.models.families.gamma_poisson import gamma_poisson, gamma_poisson_cumulative
from spikepool.models.families.interface import CountFamily, Direction, Terms, Unit, sum_by_neuron
from spikepool.models.families.negative_binomial import negative_binomial_terms
from spikepool.models.statistics import CountStatistics


class NB2(CountFamily):
    """y ~ Poisson(m g), g ~ Gamma(1/α, 1/α), α = e^{2δ} (Goris, Movshon & Simoncelli 2014)."""

    unit: ClassVar[Unit] = "neuron"
    has_dispersion = True
    dispersion_name = "gain_sd"
    formula = "y_it ~ NB2(m_it, α_i),  m_it = exp(θ_i) e_it,  α_i = exp(2 δ_i),  Var = m + α m²"
    log_excess_fano = Direction(1, 2, 1)
    log_gain_sd = Direction(0, 1, 0)

    @override
    def log_likelihood_terms(self, theta: Any, delta: Any, s: CountStatistics, xp: Any) -> Terms:
        alpha = xp.exp(2 * delta)
        mean = s.at_cells(xp.exp(theta)) * s.cell_exposure
        return negative_binomial_terms(theta, alpha, s.at_cells(alpha), mean, s, xp)

    @override
    def information(self, theta: FloatArray, delta: FloatArray, s: CountStatistics) -> FloatArray:
        mean = s.at_cells(np.exp(theta)) * s.cell_exposure
        alpha = s.at_cells(np.exp(2 * delta))
        per_cell = s.cell_trials * mean / (1 + alpha * mean)
        return sum_by_neuron(per_cell, s.cell_neuron, s.n_neurons)

    @override
    def sample(
        self, mean: FloatArray, dispersion: FloatArray, rng: np.random.Generator
    ) -> IntArray:
        return gamma_poisson(mean, dispersion**2, rng)

    @override
    def cumulative(self, count: IntArray, mean: FloatArray, dispersion: FloatArray) -> FloatArray:
        return gamma_poisson_cumulative(count, mean, dispersion**2)

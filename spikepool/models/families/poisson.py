"""Poisson counts: variance equals mean."""

from typing import Any, override

import numpy as np
from scipy import special

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.models.families.interface import CountFamily, Terms
from spikepool.models.statistics import CountStatistics


class Poisson(CountFamily):
    """y ~ Poisson(λ e); a neuron's Σy and Σe are sufficient."""

    unit = "neuron"
    has_dispersion = False
    dispersion_name = ""
    formula = "y_it ~ Poisson(m_it),  m_it = exp(θ_i) e_it"

    @override
    def log_likelihood_terms(self, theta: Any, delta: Any, s: CountStatistics, xp: Any) -> Terms:
        return Terms(s.spikes * theta - s.exposure * xp.exp(theta))

    @override
    def information(self, theta: FloatArray, delta: FloatArray, s: CountStatistics) -> FloatArray:
        return np.exp(theta) * s.exposure

    @override
    def sample(
        self, mean: FloatArray, dispersion: FloatArray, rng: np.random.Generator
    ) -> IntArray:
        return rng.poisson(mean).astype(np.int64)

    @override
    def cumulative(self, count: IntArray, mean: FloatArray, dispersion: FloatArray) -> FloatArray:
        return np.where(count < 0, 0.0, special.pdtr(np.maximum(count, 0), mean))

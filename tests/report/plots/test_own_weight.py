"""Own weight against information: what the points' places mean."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.report.plots.own_weight import draw_own_weight, prepare_own_weight
from spikepool.report.plots.style import PlotStyle

OMEGA = {"V1": 0.3, "V2": 0.8}


@pytest.fixture
def tuned(simulate, grouped, responding):
    """Return a fit of two groups whose neurons respond to four conditions."""
    fit = grouped(simulate(12), list(OMEGA))
    estimates, _ = responding(fit.estimates, 4, 12)
    taus = [each for each in fit.population if each.parameter == "tau"]
    sds = [replace(each, parameter="tuning_sd", median=OMEGA[each.group]) for each in taus]
    return replace(fit, estimates=estimates, population=(*fit.population, *sds))


def test_information_is_that_about_the_neurons_own_rate(tuned):
    """Σ_c 1/(ω_b² + σ_c²) with ω_b of its group, so that τ²/(τ² + 1/information) is its κ."""
    groups = [[*OMEGA][i % 2] for i in range(12)]
    data = prepare_own_weight(tuned.estimates, tuned.population, groups)
    neurons = data[data["part"] == "neuron"]
    responses = tuned.estimates.responses
    for i, group in enumerate(groups):
        own = responses.neuron == i
        variance = 1 / (responses.rate.median[own] * responses.exposure[own])
        wanted = np.sum(1 / (OMEGA[group] ** 2 + variance))
        assert neurons["information"].iloc[i] == pytest.approx(wanted)
        assert neurons["tuning_sd"].iloc[i] == OMEGA[group]


def test_axis_says_which_information_it_is(tuned, simulate):
    """Expected spikes over the Fano factor are not what tells of a tuned neuron's own rate."""
    labels = []
    for fit in (tuned, simulate(12)):
        groups = [[*OMEGA][i % 2] for i in range(12)] if fit is tuned else ()
        data = prepare_own_weight(fit.estimates, fit.population, groups)
        (axes,) = draw_own_weight(data, fit.about, PlotStyle()).axes
        labels.append(axes.get_xlabel())
    assert labels == [
        "information about the neuron's own log rate, 1/σ²",
        "information about the rate (expected spikes / Fano factor)",
    ]


def test_fixed_spread_without_pooling_of_conditions(tuned):
    """ω_b is then 2.5 for all."""
    population = [each for each in tuned.population if each.parameter != "tuning_sd"]
    data = prepare_own_weight(tuned.estimates, population, ["V1", "V2"] * 6)
    assert set(data[data["part"] == "neuron"]["tuning_sd"]) == {2.5}

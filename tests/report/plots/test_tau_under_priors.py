"""The picture of τ under several priors shows each one's intervals."""

import numpy as np
import pytest
from scipy import stats

from spikepool.diagnostics.prior_sensitivity import LogRates, Sensitivity, UnderPrior
from spikepool.models.priors import HalfCauchy, HalfNormal
from spikepool.models.spec import ModelSpec
from spikepool.models.tau_priors import TauPrior
from spikepool.posterior.quadrature import HyperparameterSample
from spikepool.report.plots.about import About
from spikepool.report.plots.style import PlotStyle
from spikepool.report.plots.tau_under_priors import (
    draw_tau_under_priors,
    prepare_tau_under_priors,
)

SPEC = ModelSpec("nb2", "partial", "partial")


def under(prior, method, group, scale, move):
    """One prior's τ, uniform from 0 to `scale`, and one neuron's move."""
    tau = np.linspace(0, scale, 10_001)
    rates = LogRates(*(np.array([value]) for value in (0.0, 1.0, move, 0.0)))
    sample = HyperparameterSample({"tau": tau}, np.full(len(tau), 1 / len(tau)), 0.1)
    return UnderPrior(TauPrior(prior), group, method, "", 0.1, 1000.0, (), sample, ("n1",), rates)


@pytest.mark.parametrize("groups", [("all",), ("V1", "V2", "V4")])
def test_a_row_for_each_prior_and_a_panel_for_each_group(groups):
    """Medians and ends as drawn are those of the samples; neurons that move are counted."""
    found = Sensitivity(
        SPEC,
        (
            *(under(HalfCauchy(1), "fitted", group, 2.0, 0.0) for group in groups),
            *(under(HalfNormal(0.2), "reweighted", group, 1.0, 0.5) for group in groups),
        ),
        {},
    )
    data = prepare_tau_under_priors(found, 0.9)
    about = About("NB2 partial", 1, 10, "spikes/s", 0.9)
    figure = draw_tau_under_priors(data, about, PlotStyle())
    panels = [axes for axes in figure.axes if axes.axison]
    assert len(panels) == len(groups)
    for axes in panels:
        (dots,) = (line for line in axes.lines if line.get_gid() == "median")
        np.testing.assert_allclose(dots.get_xdata(), [1.0, 0.5], atol=1e-3)
        (ends,) = (lines for lines in axes.collections if lines.get_gid() == "interval")
        wanted = stats.uniform(scale=[2.0, 1.0]).ppf([[0.05], [0.95]]).T
        np.testing.assert_allclose([s[:, 0] for s in ends.get_segments()], wanted, atol=1e-3)
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert labels == ["half-cauchy(1) (fit)", "half-normal(0.2)"]
        assert [text.get_text() for text in axes.texts] == [" 1 neuron moved"]

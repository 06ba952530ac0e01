"""Fits of several sizes and every picture's numbers, shared by the picture tests."""

import importlib.util
import itertools
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from spikepool.data.spike_counts import Factor
from spikepool.diagnostics.company import Measured
from spikepool.diagnostics.mean_matching import FanoOfPair, MatchedPair
from spikepool.diagnostics.variance_parts import TOTAL, GroupParts, VariancePart
from spikepool.posterior.quadrature import HyperparameterSample
from spikepool.posterior.results import ResponseEstimates, Summary
from spikepool.report.plots.calibration import prepare_calibration
from spikepool.report.plots.dispersion_shrinkage import prepare_dispersion_shrinkage
from spikepool.report.plots.evoked import prepare_evoked
from spikepool.report.plots.forest import prepare_forest
from spikepool.report.plots.groups import prepare_groups
from spikepool.report.plots.matched_fano import prepare_matched_fano
from spikepool.report.plots.overdispersion import prepare_overdispersion
from spikepool.report.plots.own_weight import prepare_own_weight
from spikepool.report.plots.predictive import prepare_predictive
from spikepool.report.plots.shrinkage import prepare_shrinkage
from spikepool.report.plots.tau_prior_posterior import prepare_tau_prior_posterior
from spikepool.report.plots.trace import prepare_trace
from spikepool.report.plots.tuning import prepare_tuning
from spikepool.report.plots.variance_parts import prepare_variance_parts

_SPEC = importlib.util.spec_from_file_location(
    "plots_simulated", Path(__file__).with_name("simulated.py")
)
simulated = importlib.util.module_from_spec(_SPEC)
sys.modules["plots_simulated"] = simulated
_SPEC.loader.exec_module(simulated)

GRID = np.linspace(0, 5, 201)
PRIORS = {
    "tau": (GRID, 2 / np.pi / (1 + GRID**2)),
    "tau_delta": (GRID, 4 * np.exp(-2 * GRID**2) / np.sqrt(2 * np.pi)),
}
BLOCKS = Factor("block", tuple(str(i) for i in range(1, 9)), is_input=False)
DIRECTION = Factor("direction", tuple(str(45 * i) for i in range(8)), 360.0)


@cache
def fit_of(n_neurons, family="nb2"):
    """Simulate once per size."""
    return simulated.simulate_fit(n_neurons, family=family)


def in_groups(fit, names):
    """Share a fit's neurons out to groups, each with a population some way from the others'."""
    steps = dict(zip(names, np.linspace(-0.6, 0.6, len(names)), strict=True))
    moved = {"mu": 1.0, "tau": 0.2, "mu_delta": 0.5, "tau_delta": 0.2}

    def shifted(key, values, step):  # spreads stay positive
        by = moved[key] * step
        return values * np.exp(by) if key.startswith("tau") else values + by

    def population(given):
        return tuple(
            replace(
                each,
                group=name,
                **{
                    end: getattr(each, end) + moved[each.parameter] * step
                    for end in ("mean", "median", "lower", "upper")
                },
            )
            for name, step in steps.items()
            for each in given
        )

    return replace(
        fit,
        population=population(fit.population),
        nb1_population=population(fit.nb1_population),
        draws={
            name: {key: shifted(key, of, step) for key, of in fit.draws["all"].items()}
            for name, step in steps.items()
        },
    )


def responses_of(estimates, n_conditions, n_tuned):
    """Tune the first neurons, more and more sharply; the others have one condition each."""
    size = len(estimates.neurons)
    n_tuned = min(n_tuned, size)
    neuron = np.repeat(np.arange(size), [n_conditions] * n_tuned + [1] * (size - n_tuned))
    condition = np.concatenate([np.arange(n_conditions)] * n_tuned + [np.zeros(size - n_tuned)])
    condition = condition.astype(np.int64)
    strength = np.linspace(0.1, 1.5, size)
    moved = np.cos(2 * np.pi * condition / n_conditions - neuron)
    log_raw = estimates.log_rate.median[neuron] + 1.4 * strength[neuron] * moved
    weight = np.linspace(0.95, 0.3, size)[(neuron * 7) % size]
    log = estimates.log_rate.median[neuron] + weight * 1.4 * strength[neuron] * moved
    log_rate = simulated.gaussian(log, 0.6 * np.sqrt(1 - weight))
    trials = np.full(neuron.size, 5)
    responses = ResponseEstimates(
        neuron, condition, trials, 0.5 * trials, trials, np.exp(log_raw),
        simulated.exponential(log_rate), log_rate, 0.01 * log_rate.sd,
        Summary(weight, weight, 0 * weight, weight, weight), None, None,
    )  # fmt: skip
    pooled = np.where(np.arange(size) < n_tuned, 0.8 * strength, np.nan)
    tuning = Summary(pooled, pooled, 0.1 * pooled, 0.8 * pooled, 1.2 * pooled)
    return replace(estimates, responses=responses, tuning=tuning), strength


def tuning_of(fit, factors, n_tuned=3):
    """Numbers of the tuning picture."""
    estimates, raw = responses_of(fit.estimates, len(factors[0].labels), n_tuned)
    return prepare_tuning(estimates, factors, raw)


def parts_of(groups, neurons):
    """Make up the parts of the variance of every group, the last of them without an order."""
    told = {"Poisson": 1.0, "stimulus": 0.8, "slow drift": -0.1, "shared": 0.2, "private": 0.3}
    blind = {"Poisson": 1.0, "slow drift, shared or private": 0.7}
    found = []
    for group in groups:
        parts = blind if group == groups[-1] and len(groups) > 1 else told
        total = sum(parts.values())
        rows = [
            VariancePart(name, value, value - 0.1, value + 0.1, value / total,
                         value / total - 0.05, value / total + 0.05)
            for name, value in {**parts, TOTAL: total}.items()
        ]  # fmt: skip
        unknown = () if parts is told else ("slow drift, as the order of trials tells nothing",)
        found.append(GroupParts(group, neurons, "neurons", tuple(rows), unknown))
    return found


def matched_pairs(names):
    """Make up Fano factors of every pair; the last has no mean counts in common."""
    nothing = Measured(np.nan, np.nan, np.nan)
    shares = np.array([1.0, 4.0, 9.0, 3.0, 0.0])
    pairs = []
    for reference, name in itertools.combinations(names, 2):
        found = []
        for method, own, other in (
            ("raw", 2.4, 1.6), ("matched", 1.7, 1.65), ("posterior", 1.72, 1.63),
        ):  # fmt: skip
            measured = [
                Measured(value, value - 0.2, value + 0.3)
                for value in (own, other, own - other, own / other)
            ]
            found.append(FanoOfPair(method, 12.0, 9.5, 3.1, 3.0, *measured, np.nan))
        if name == names[-1] and len(names) > 2:
            found[1] = replace(found[1], fano=nothing, reference_fano=nothing, difference=nothing)
        edges = 2.0 ** (np.arange(6) / 2)
        common = np.minimum(shares, shares[::-1])
        pairs.append(
            MatchedPair("group", name, reference, edges, shares, shares[::-1], common, tuple(found))
        )
    return pairs


def pictures_of(fit):
    """Every picture's numbers, by name; neurons take turns to be in each group."""
    names = list(fit.draws)
    groups = [names[i % len(names)] for i in range(len(fit.estimates.neurons))]
    of_neurons = groups if len(names) > 1 else ()
    nb = fit.estimates.dispersion is not None
    populations = {"nb2": fit.population, "nb1": fit.nb1_population} if nb else {}
    return {
        "shrinkage": prepare_shrinkage(fit.estimates, fit.population, of_neurons),
        "overdispersion": prepare_overdispersion(
            fit.estimates.neurons, fit.fano, fit.estimates, populations
        ),
        "forest": prepare_forest(fit.estimates, fit.estimates),
        "own_weight": prepare_own_weight(fit.estimates, fit.population, of_neurons),
        "dispersion_shrinkage": prepare_dispersion_shrinkage(
            fit.estimates, fit.fano, fit.population
        ),
        "tau_prior_posterior": prepare_tau_prior_posterior(fit.draws, PRIORS),
        "groups": prepare_groups(
            fit.estimates, groups, {name: sample_of(of) for name, of in fit.draws.items()}
        ),
        "evoked": prepare_evoked(
            simulated.simulate_evoked(len(fit.estimates.neurons)), fit.estimates.neurons, ()
        ),
        "tuning": tuning_of(fit, [DIRECTION], 2),
        "drift": tuning_of(fit, [BLOCKS], 2),
        "predictive": prepare_predictive(fit.check),
        "calibration": prepare_calibration(fit.check),
        "trace": prepare_trace(fit.draws, fit.population),
        "matched_fano": prepare_matched_fano(matched_pairs([*names, "MT"])),
        "variance_parts": prepare_variance_parts(parts_of(names, len(fit.estimates.neurons))),
    }


def sample_of(draws):
    """Return all draws alike."""
    values = {name: of.ravel() for name, of in draws.items()}
    size = values["mu"].size
    return HyperparameterSample(values, np.full(size, 1 / size), np.nan)


@pytest.fixture
def simulate_evoked():
    """Simulate evoked rates."""
    return simulated.simulate_evoked


@pytest.fixture
def grouped():
    """Share a fit's neurons out to named groups."""
    return in_groups


@pytest.fixture
def simulate():
    """Fit of that many neurons."""
    return fit_of


@pytest.fixture
def pictures():
    """Every picture's numbers for a fit."""
    return pictures_of


@pytest.fixture
def tuned():
    """Numbers of the tuning picture, for a fit and factors of its conditions."""
    return tuning_of


@pytest.fixture
def responding():
    """Give a fit's first neurons made-up responses, and their raw tuning strengths."""
    return responses_of


@pytest.fixture
def drawn():
    """Artists of a figure with a `gid`."""

    def find(figure, gid):
        return figure.findobj(lambda artist: artist.get_gid() == gid)

    return find


@pytest.fixture
def boxes_of():
    """Return a function from a figure to every text that is drawn, with its box in pixels."""

    def boxes(figure):
        mpl.backends.backend_agg.FigureCanvasAgg(figure)
        figure.draw_without_rendering()
        renderer, hidden = figure.canvas.get_renderer(), _undrawn_tick_labels(figure)
        texts = [
            text
            for text in figure.findobj(mpl.text.Text)
            if text.get_visible() and text.get_text().strip() and id(text) not in hidden
        ]
        return [(text, mpl.text.Text.get_window_extent(text, renderer)) for text in texts]

    return boxes


def _undrawn_tick_labels(figure):
    """Tick labels that are kept but not drawn: beyond the limits, or of axes switched off."""
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        kept = (*axis.majorTicks, *axis.minorTicks)
        drawn = axis._update_ticks() if axis.axes.axison else []
        hidden |= {id(label) for tick in kept for label in (tick.label1, tick.label2)}
        hidden -= {id(label) for tick in drawn for label in (tick.label1, tick.label2)}
        hidden |= set() if axis.axes.axison else {id(axis.label)}
    return hidden


@pytest.fixture
def legible(boxes_of):
    """Return what asserts that all type is at least 7 pt, on the sheet, and free of other type."""

    def check(figure, style):
        boxes = boxes_of(figure)
        assert min(text.get_fontsize() for text, _ in boxes) >= 7
        sheet = figure.bbox.padded(1)
        for text, box in boxes:
            inside = mpl.transforms.Bbox.union([sheet, box]).bounds == sheet.bounds
            assert inside, (text.get_text(), box)
        for (one, first), (other, second) in itertools.combinations(boxes, 2):
            shared = mpl.transforms.Bbox.intersection(first, second)
            slack = 0.2 * style.font_pt * figure.dpi / 72
            apart = shared is None or min(shared.width, shared.height) < slack
            assert apart, (one.get_text(), other.get_text())

    return check

"""Labels within groups from table to results: one joint fit, reported group by group."""

import csv

import numpy as np
import pytest
import xarray as xr

from spikepool.config_file import resolve_config
from spikepool.pipeline import plan_run, run
from spikepool.progress import Silent
from spikepool.report.summary_text import summary_lines

NUTS = {"draws": 300, "tune": 300, "chains": 2, "retry": False, "seed": 3}
SHIFTS = {"m0": 0.9, "m1": -0.9, "m2": 0.3, "m3": -0.8, "m4": 0.7}
RECORDED = {"V1": ("m0", "m1", "m2", "m3"), "V2": ("m1", "m2", "m3", "m4")}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Write 40 neurons of five animals, three of them in both areas; animals differ widely."""
    rng = np.random.default_rng(8)
    path = tmp_path_factory.mktemp("table") / "counts.csv"
    neurons = [(a, m) for a, animals in RECORDED.items() for m in animals for _ in range(5)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("neuron", "trial", "count", "area", "animal"))
        for i in rng.permutation(len(neurons)):
            area, animal = neurons[i]
            rate = np.exp(rng.normal(2 - 0.5 * (area == "V2") + SHIFTS[animal], 0.4))
            writer.writerows((f"n{i}", t, rng.poisson(rate), area, animal) for t in range(4))
    return str(path)


def configure(table, *, within=("animal",), engine="auto", **report):
    """Return the configuration of a run of the partially pooled Poisson model."""
    sections = {
        "input": {"tables": [table], "group": ["area"], "within": list(within)},
        "model": {"family": ["poisson"], "pooling": ["partial"]},
        "engine": {**NUTS, "engine": engine},
        "report": {"plots": [], **report},
        "run": {"on_nonconvergence": "warn"},
    }
    return resolve_config({}, sections)


@pytest.fixture(scope="module")
def joined(table, tmp_path_factory):
    """Fit with labels; return the configuration, the results and the folder."""
    folder = tmp_path_factory.mktemp("fit") / "out"
    config = configure(table)
    found = []
    plan = plan_run(config)
    with pytest.MonkeyPatch.context() as patch:
        fit = type(plan).fit
        patch.setattr(type(plan), "fit", lambda *a: found.append(fit(*a)) or found[-1])
        outcome = run(config, folder)
    return config, found[0], folder, outcome


@pytest.fixture(scope="module")
def apart(table):
    """Fit each area alone, without labels."""
    return plan_run(configure(table, within=(), engine="collapsed")).fit(Silent())


@pytest.fixture(scope="module")
def nested(table):
    """Fit as if the animals of the two areas were different ones."""
    return plan_run(configure(table, within=("area", "animal"))).fit(Silent())


def of(contrasts, parameter):
    """Return the one contrast of a parameter."""
    (found,) = (each for each in contrasts if each.parameter == parameter)
    return found


def test_contrast_is_wider_where_animals_differ(nested, apart):
    """Neurons of an animal go together: 20 of four animals tell less than 20 of 20 animals.

    With sd 0.85 between animals and 0.4 within them the difference of two areas of other animals
    has sd √(2 · 0.85²/4 + 2 · 0.4²/20) = 0.61, and as if neurons were independent 0.30.
    """
    wide, narrow = (of(each.primary_model.contrasts, "mu") for each in (nested, apart))
    ratio = (wide.difference_upper - wide.difference_lower) / (
        narrow.difference_upper - narrow.difference_lower
    )
    assert ratio > 1.3


def test_animals_in_both_areas_tell_more_than_others(joined, nested):
    """What they add to both areas cancels, so that the difference is known better."""
    crossed, apart = (of(each.primary_model.contrasts, "mu") for each in (joined[1], nested))
    assert crossed.difference_lower < -0.5 < crossed.difference_upper
    width = crossed.difference_upper - crossed.difference_lower
    assert width < apart.difference_upper - apart.difference_lower


def test_labels_named_by_the_group_too_are_nested(nested):
    """They have one effect each, and no interaction."""
    (model,) = nested.models
    assert model.spec.name == "poisson-partial-nested"
    assert [row.parameter for row in model.within] == [
        "within_sd",
        *(f"within_effect[{area}/{m}]" for area, animals in RECORDED.items() for m in animals),
    ]


def test_effects_of_animals_are_found(joined):
    """Their order, and that they differ by more than nothing."""
    (model,) = joined[1].models
    rows = {row.parameter: row for row in model.within if row.group == "all"}
    found = [rows[f"within_effect[{animal}]"].mean for animal in SHIFTS]
    assert np.corrcoef(found, list(SHIFTS.values()))[0, 1] > 0.9
    assert rows["within_sd"].median > 0.3


def test_differences_within_animals_are_smaller_than_over_all(joined, apart):
    """τ is the sd between neurons of one animal; without labels it covers the animals too."""
    for within, over_all in zip(joined[1].models[0].groups, apart.models[0].groups, strict=True):
        assert np.median(within.hyperparameters["tau"]) < np.median(over_all.hyperparameters["tau"])


def conditional_means(tally, neuron, mu, tau):
    """E[θ | y, φ] of a Poisson neuron at every draw of the mean and sd of its pair, on a grid."""
    z = np.linspace(-7, 7, 281)[:, np.newaxis]
    theta = mu + tau * z
    spikes, time = tally.spike_count[neuron], tally.total_exposure[neuron]
    log_density = spikes * theta - time * np.exp(theta) - z**2 / 2
    weight = np.exp(log_density - log_density.max(axis=0))
    return (weight * theta).sum(axis=0) / weight.sum(axis=0)


def test_neurons_lean_on_their_own_animal_in_their_own_area(joined):
    """The mean log rate is that of a neuron whose population has the mean μ_g + u_a + v_ga.

    By quadrature at every draw of the population; off by five Monte Carlo standard errors for one
    neuron of 40 about once in 40,000 runs.
    """
    _, results, _, _ = joined
    tally, estimates = results.tally, results.primary_model.estimates
    drawn = {
        name: values.ravel() for name, values in results.primary_model.joint.hyperparameters.items()
    }
    for i in range(tally.n_neurons):
        area, animal = tally.groups[tally.group[i]], tally.within_labels[tally.within[i]]
        mu = drawn[f"mu[{area}]"] + drawn[f"within_effect[{animal}]"]
        mu = mu + drawn[f"interaction_effect[{area},{animal}]"]
        wanted = conditional_means(tally, i, mu, drawn[f"tau[{area}]"]).mean()
        assert abs(estimates.log_rate.mean[i] - wanted) < 5 * estimates.log_rate_mcse[i]


def test_neurons_are_put_back_into_the_order_of_the_table(joined):
    """Estimates are made pair by pair; each is of its own neuron's draws, with its own animal."""
    config, results, _, _ = joined
    model = results.primary_model
    np.testing.assert_allclose(
        model.estimates.log_rate.mean, model.draws.theta.mean(axis=(0, 1)), rtol=1e-12
    )
    rows = plan_run(config).tables(results)["neurons"].to_pylist()
    assert [row["neuron"] for row in rows] == list(results.tally.neurons)
    animals = [results.tally.within_labels[label] for label in results.tally.within]
    assert [row["animal"] for row in rows] == animals


def test_tables_have_rows_of_groups_and_of_labels(joined):
    """Population: two groups and what labels add; diagnostics: one computation, no group."""
    config, results, _, _ = joined
    tables = plan_run(config).tables(results)
    rows = tables["population"].to_pylist()
    assert [row["parameter"] for row in rows if row["group"] == "V1"] == [
        *("mu", "tau", "typical_rate", "rate_spread_fold"),
        *(f"interaction_effect[{animal}]" for animal in RECORDED["V1"]),
    ]
    assert [row["parameter"] for row in rows if row["group"] == "all"] == [
        *("within_sd", "interaction_sd"),
        *(f"within_effect[{animal}]" for animal in SHIFTS),
    ]
    diagnostics = tables["diagnostics"].to_pylist()
    assert {row["group"] for row in diagnostics} == {None}
    named = {row["parameter"] for row in diagnostics}
    assert {"sampler", "mu[V1]", "tau[V2]", "within_sd", "interaction_effect[V2,m4]"} <= named


def test_draws_are_stored_with_their_labels(joined):
    """ArviZ finds groups, animals and pairs by name."""
    _, results, folder, _ = joined
    stored = xr.open_dataset(folder / "posterior/poisson-partial-crossed.nc", group="posterior")
    draws = results.models[0].joint.hyperparameters
    for name, place, label in [
        ("mu", {"group": "V2"}, "V2"),
        ("within_effect", {"within": "m3"}, "m3"),
        ("interaction_effect", {"pair": "V2,m4"}, "V2,m4"),
    ]:
        np.testing.assert_array_equal(stored[name].sel(place), draws[f"{name}[{label}]"])
    np.testing.assert_array_equal(stored["within_sd"], draws["within_sd"])


def test_terminal_says_how_it_was_computed_and_what_was_found(joined):
    """The engine and why; few animals; the sds with the names of the columns."""
    lines = summary_lines(joined[3].summary, "out")
    text = "\n".join(lines)
    assert "sampled by nuts: labels within groups join neurons of all groups" in text
    assert "are: V1 (4), V2 (4)" in text
    (line,) = (line for line in lines if line.startswith("within "))
    assert line.startswith("within     sd of mean log rates: animal 0.")
    assert "], area × animal 0." in line

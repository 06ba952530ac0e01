"""A joint posterior of groups, taken apart into groups and into pairs of group and label."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.models.spec import ModelSpec
from spikepool.posterior.contrasts import contrast_groups
from spikepool.posterior.draws import Posterior
from spikepool.posterior.within import (
    posteriors_of_groups,
    posteriors_of_pairs,
    summarise_within,
)

SPEC = ModelSpec("nb2", "partial", "partial", condition_pooling="partial", within="crossed")
AREA, ANIMAL = np.array([0, 1, 0, 1, 0]), np.array([0, 1, 0, 1, 1])
PAIRS = {"V1,m0": [0, 2], "V1,m1": [4], "V2,m1": [1, 3]}
DRAWS = 50


@pytest.fixture
def tally(make_tally):
    """Return five neurons of two areas and two animals, in two conditions each."""
    made = make_tally([[1, 2, 0, 3]] * 5)
    cells = len(made.count)
    return replace(
        made,
        condition=np.tile([0, 0, 1, 1], 5)[:cells],
        conditions=("x", "y"),
        group=AREA,
        groups=("V1", "V2"),
        within=ANIMAL,
        within_labels=("m0", "m1"),
    )


@pytest.fixture
def joint(make_draws, tally):
    """Return draws that are all different."""
    rng = np.random.default_rng(0)
    names = [f"{name}[{g}]" for name in ("mu", "mu_delta") for g in tally.groups]
    spreads = [f"{name}[{g}]" for name in ("tau", "tau_delta", "tuning_sd") for g in tally.groups]
    for ending in ("", "_delta"):
        names += [f"within_effect{ending}[{label}]" for label in tally.within_labels]
        names += [f"interaction_effect{ending}[{pair}]" for pair in PAIRS]
        spreads += [f"within_sd{ending}", f"interaction_sd{ending}"]
    population = {name: rng.normal(size=DRAWS) for name in names}
    population |= {name: rng.gamma(4, 0.2, DRAWS) for name in spreads}
    theta, delta = rng.normal(size=(2, DRAWS, 5))
    draws = make_draws(SPEC, theta, delta, population)
    response = rng.normal(size=(1, DRAWS, tally.responses.size))
    return Posterior(replace(draws, response=response, response_labels=tally.response_labels))


def test_groups_have_the_names_of_groups_alone(joint, tally):
    """Each has its own parameters and neurons, and nothing of labels."""
    parts = posteriors_of_groups(joint, tally)
    assert list(parts) == ["V1", "V2"]
    for code, (name, part) in enumerate(parts.items()):
        population = part.draws.population
        assert list(population) == ["mu", "tau", "tuning_sd", "mu_delta", "tau_delta"]
        for each, values in population.items():
            np.testing.assert_array_equal(values, joint.draws.population[f"{each}[{name}]"])
        np.testing.assert_array_equal(part.draws.theta, joint.draws.theta[..., code == AREA])
        np.testing.assert_array_equal(part.draws.delta, joint.draws.delta[..., code == AREA])
        of_group = np.repeat(AREA, 2) == code
        np.testing.assert_array_equal(part.draws.response, joint.draws.response[..., of_group])


def test_pairs_have_the_means_of_their_neurons(joint, tally):
    """μ_g + u_a + v_{g,a}, the same of δ; the group's spreads; cells and responses of their own."""
    found = {
        part.name: (part, posterior.draws) for part, posterior in posteriors_of_pairs(joint, tally)
    }
    drawn = joint.draws.population
    assert {name: part.neurons.tolist() for name, (part, _) in found.items()} == PAIRS
    for name, (part, draws) in found.items():
        area, animal = name.split(",")
        for mean, ending in (("mu", ""), ("mu_delta", "_delta")):
            shift = drawn[f"within_effect{ending}[{animal}]"]
            shift = shift + drawn[f"interaction_effect{ending}[{name}]"]
            wanted = drawn[f"{mean}[{area}]"] + shift
            np.testing.assert_allclose(draws.population[mean], wanted, rtol=1e-14)
        for spread in ("tau", "tau_delta", "tuning_sd"):
            np.testing.assert_array_equal(draws.population[spread], drawn[f"{spread}[{area}]"])
        np.testing.assert_array_equal(draws.theta, joint.draws.theta[..., part.neurons])
        np.testing.assert_array_equal(draws.response, joint.draws.response[..., part.responses])
        assert draws.neurons == part.tally.neurons
        assert draws.response_labels == part.tally.response_labels
        assert part.tally.count.tolist() == tally.count[part.cells].tolist()
        assert len(part.responses) == part.tally.responses.size


def test_one_group_is_the_whole_table(joint, tally):
    """Its name is that of a table without groups."""
    one = replace(tally, groups=("V1",), group=np.zeros(5, dtype=int))
    assert list(posteriors_of_groups(joint, one)) == ["all"]


def test_effects_are_reported_with_their_groups(joint, tally):
    """Sds and effects of animals are of all groups, the effects of pairs of one group each."""
    rows = summarise_within(joint, tally, 0.5)
    of_rates = [(row.group, row.parameter) for row in rows if "delta" not in row.parameter]
    assert of_rates == [
        ("all", "within_sd"),
        ("all", "interaction_sd"),
        ("all", "within_effect[m0]"),
        ("all", "within_effect[m1]"),
        ("V1", "interaction_effect[m0]"),
        ("V1", "interaction_effect[m1]"),
        ("V2", "interaction_effect[m1]"),
    ]
    by_name = {(row.group, row.parameter): row for row in rows}
    draws = joint.draws.population["interaction_effect_delta[V2,m1]"]
    row = by_name["V2", "interaction_effect_delta[m1]"]
    assert (row.lower, row.median, row.upper) == pytest.approx(
        tuple(np.quantile(draws, [0.25, 0.5, 0.75]))
    )


def test_joined_groups_are_compared_draw_by_draw(joint, tally):
    """Where two groups' means move together, their difference does not move."""
    joint.draws.population["mu[V2]"][:] = joint.draws.population["mu[V1]"] + 0.3
    parts = posteriors_of_groups(joint, tally)
    samples = {name: part.hyperparameters for name, part in parts.items()}
    found = contrast_groups(SPEC, samples, 0.95)
    (mu,) = (each for each in found if each.parameter == "mu")
    assert (mu.difference_lower, mu.difference_upper) == pytest.approx((0.3, 0.3))
    apart = contrast_groups(replace(SPEC, within=None), samples, 0.95)
    (mu,) = (each for each in apart if each.parameter == "mu")
    assert mu.difference_upper - mu.difference_lower > 1

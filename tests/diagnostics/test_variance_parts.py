"""The variance of counts in parts: sums by hand, known truth, and what is not told apart."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.diagnostics.company import measure_company
from spikepool.diagnostics.drift import measure_drift
from spikepool.diagnostics.variance_parts import part_variance

ALL = ["Poisson", "stimulus", "slow drift", "shared", "private", "total"]


def numbered(name, codes):
    """Label rows by numbers."""
    codes = np.asarray(codes, dtype=np.int64)
    return Labels(name, tuple(str(value) for value in range(codes.max() + 1)), codes)


def table(counts, neurons_per_session, condition):
    """Build a table of neurons × trials; conditions are those of the trials."""
    neurons, trials = counts.shape
    neuron = np.repeat(np.arange(neurons), trials)
    return SpikeCounts(
        neuron=numbered("neuron", neuron),
        count=counts.ravel(),
        exposure=np.ones(counts.size),
        exposure_known=False,
        trial=numbered("trial", np.tile(np.arange(trials), neurons)),
        condition=numbered("condition", np.tile(condition, neurons)),
        session=numbered("session", neuron // neurons_per_session),
    )


def split(counts):
    """Split the variance."""
    return part_variance(counts, measure_drift(counts), measure_company(counts, 0.95), 0.95)


def values(group):
    """Return the parts by name."""
    return {part.name: part.value for part in group.parts}


def test_parts_by_hand():
    """Of two neurons in one session: each number from its definition, with loops."""
    rng = np.random.default_rng(1)
    condition = np.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 0])
    counts = rng.poisson(np.array([3.0, 6.0])[condition] * np.array([[1.0], [2.0]]))
    (group,) = split(table(counts, 2, condition))
    found = values(group)
    fano, successive, stimulus, scaled = [], [], [], []
    for row in counts.astype(float):
        parts = [row[condition == c] for c in (0, 1)]
        fano.append(np.mean([p.var(ddof=1) for p in parts]) / row.mean())
        steps = [np.diff(p) / np.sqrt(2 * row.mean()) for p in parts]
        scaled.append(np.concatenate(steps))
        successive.append(np.mean(scaled[-1] ** 2))
        between = np.mean([(p.mean() - row.mean()) ** 2 for p in parts])
        chance = np.sum([0.5 * p.var(ddof=1) / 10 for p in parts])
        stimulus.append((between - chance) / row.mean())
    products = np.mean(scaled[0] * scaled[1])
    assert list(found) == ALL
    assert found["Poisson"] == 1
    assert found["stimulus"] == pytest.approx(np.mean(stimulus))
    assert found["slow drift"] == pytest.approx(np.mean(fano) - np.mean(successive))
    assert found["shared"] == pytest.approx(products)
    assert found["private"] == pytest.approx(np.mean(successive) - 1 - products)
    assert found["total"] == pytest.approx(sum(found[name] for name in ALL[:-1]))
    assert (group.neurons, group.units, group.unknown) == (2, "neurons", ())


def simulate(rng, sessions=40, neurons=5, trials=80):
    """Simulate shared, private and drifting gains; returns counts, conditions and the truth."""
    condition = rng.permutation(np.arange(trials) % 4)
    tuning = np.exp(rng.normal(0, 0.4, size=(sessions * neurons, 4)))
    course = np.exp(np.linspace(0.4, -0.4, trials))
    course /= course.mean()
    shared = np.repeat(rng.gamma(25, 1 / 25, size=(sessions, trials)), neurons, axis=0)
    private = rng.gamma(16, 1 / 16, size=(sessions * neurons, trials))
    rate = 5 * tuning[:, condition] * course * shared * private
    mean = 5 * tuning.mean(axis=1)
    within = 25 * (tuning**2).mean(axis=1) / mean
    square = np.mean(course**2)
    pairs = tuning.reshape(sessions, neurons, 4)
    both = np.einsum("sic,sjc->sij", pairs, pairs) / 4 * 25
    of_pair = both / np.sqrt(np.einsum("si,sj->sij", *[mean.reshape(sessions, neurons)] * 2))
    of_two = of_pair[:, ~np.eye(neurons, dtype=bool)]
    shared_part = of_two.sum() / max(1, of_two.size) * square / 25
    truth = {
        "stimulus": np.mean(25 * tuning.var(axis=1) / mean),
        "slow drift": np.mean(within * course.var()),
        "shared": shared_part,
        "private": np.mean(within) * square * ((1 + 1 / 25) * (1 + 1 / 16) - 1) - shared_part,
    }
    return rng.poisson(rate), condition, truth


def test_known_parts_are_recovered():
    """200 neurons of 40 sessions: each part within 4 half widths of 95 % intervals (8 sd)."""
    counts, condition, truth = simulate(np.random.default_rng(2))
    (group,) = split(table(counts, 5, condition))
    assert group.units == "sessions"
    for part in group.parts:
        if part.name in truth:
            half = part.upper - part.value
            assert abs(part.value - truth[part.name]) < 4 * half, part.name
            assert half < 0.3 * truth[part.name], part.name
            assert part.lower > 0


def test_without_order_or_sessions_the_rest_is_one_part():
    """What is not known is named, and the sum stays the same."""
    counts, condition, _ = simulate(np.random.default_rng(3), sessions=6)
    whole = table(counts, 5, condition)
    total = values(split(whole)[0])["total"]
    blocked = replace(whole, condition=numbered("c", np.tile(np.sort(condition), 30)))
    cases = (
        (replace(whole, session=None), ["slow drift", "shared or private"]),
        (replace(whole, session=None, trial=None), ["slow drift, shared or private"]),
        (blocked, ["shared", "slow drift or private"]),
    )
    for table_of, rest in cases:
        (group,) = split(table_of)
        assert [part.name for part in group.parts] == ["Poisson", "stimulus", *rest, "total"]
        assert len(group.unknown) == (2 if len(rest) == 1 else 1)
        if table_of is not blocked:
            assert values(group)["total"] == pytest.approx(total)
    (alone,) = split(replace(whole, condition=None))
    assert [part.name for part in alone.parts] == ["Poisson", *ALL[2:]]


def test_shared_without_order_is_that_of_residuals():
    """Covariances over means of two neurons whose conditions are blocks."""
    rng = np.random.default_rng(4)
    counts = rng.poisson(5 * rng.gamma(4, 1 / 4, size=20), size=(2, 20))
    condition = np.repeat([0, 1], 10)
    (group,) = split(table(counts, 2, condition))
    blocks = [counts[:, condition == c] for c in (0, 1)]
    shared = [np.cov(b)[0, 1] / np.sqrt(np.prod(counts.mean(axis=1))) for b in blocks]
    assert values(group)["shared"] == pytest.approx(np.mean(shared))


def test_groups_are_split_apart():
    """Each by its own neurons and pairs; a group of silent neurons is left out."""
    counts, condition, _ = simulate(np.random.default_rng(5), sessions=6, neurons=4)
    counts = np.vstack([counts, np.zeros((4, counts.shape[1]), dtype=int)])
    whole = table(counts, 4, condition)
    area = np.arange(28) % 2
    area[24:] = 2
    grouped = replace(whole, group=Labels("area", ("V1", "V2", "V4"), area[whole.neuron.codes]))
    found = split(grouped)
    assert [(each.group, each.neurons) for each in found] == [("V1", 12), ("V2", 12)]
    (alone,) = split(table(counts[area == 1], 2, condition))
    assert values(found[1]) == pytest.approx(values(alone))


def test_counts_that_do_not_vary_have_no_shares():
    """Neither of a neuron alone, nor where one is left out."""
    rng = np.random.default_rng(7)
    constant, condition = np.full(12, 4), np.tile([0, 1], 6)
    (group,) = split(table(constant[np.newaxis], 1, condition))
    assert values(group)["total"] == pytest.approx(0)
    assert np.isnan(group.parts[0].share)
    (group,) = split(table(np.stack([constant, rng.poisson(4, 12)]), 1, condition))
    assert np.isfinite([group.parts[0].share, group.parts[0].lower]).all()
    assert np.isnan(group.parts[0].share_lower)


def test_a_single_neuron_has_no_interval():
    """Its parts are told all the same."""
    counts, condition, _ = simulate(np.random.default_rng(6), sessions=1, neurons=1)
    whole = table(counts, 1, condition)
    (group,) = split(whole)
    within = np.mean([counts[0, condition == c].var(ddof=1) for c in range(4)]) / counts.mean()
    assert values(group)["total"] == pytest.approx(within + values(group)["stimulus"])
    assert all(np.isnan([part.lower, part.share_upper]).all() for part in group.parts)


def test_parts_of_a_strongly_tuned_neuron_add_up_to_its_variance():
    """Means of 1, 2, 8 and 30 and a gain of variance 0.2: all of it over the mean, within 3 %."""
    rng = np.random.default_rng(7)
    condition = np.tile(np.arange(4), 200)
    mean = np.array([1.0, 2.0, 8.0, 30.0])
    gain = rng.gamma(5, 1 / 5, size=(60, 800))
    (group,) = split(table(rng.poisson(mean[condition] * gain), 1, condition))
    found = values(group)
    assert found["stimulus"] == pytest.approx(mean.var() / mean.mean(), rel=0.03)
    rest = found["total"] - 1 - found["stimulus"]
    assert rest == pytest.approx(0.2 * np.mean(mean**2) / mean.mean(), rel=0.03)


def test_group_of_few_sessions_has_neurons_as_units():
    """Of six sessions five are of one group: the other's intervals are over its neurons."""
    counts, condition, _ = simulate(np.random.default_rng(8), sessions=6)
    whole = table(counts, 5, condition)
    of_session = np.where(whole.session.codes == 0, 0, 1)
    groups = split(replace(whole, group=numbered("group", of_session)))
    assert [each.units for each in groups] == ["neurons", "sessions"]
    assert np.isfinite([part.lower for each in groups for part in each.parts]).all()

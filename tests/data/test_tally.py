"""The tally loses nothing: likelihoods, order of rows, splitting and exactness."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.models.families import FAMILIES

ARRAYS = ("neuron", "condition", "exposure", "count", "weight", "group")


@st.composite
def tables(draw):
    """Draw tables of up to 40 rows with repeated exposures, conditions and large counts."""
    rows = draw(st.integers(1, 40))
    codes = np.sort(draw(_rows(st.integers(0, 4), rows)))
    _, codes = np.unique(codes, return_inverse=True)
    n_neurons = int(codes.max()) + 1
    count = st.one_of(st.integers(0, 6), st.integers(0, 700))
    exposure = st.sampled_from([0.001, 0.1 + 0.2, 0.3, 0.5, 2.0, 1e4])
    group = np.asarray(draw(_rows(st.integers(0, 1), n_neurons)))[codes]
    return SpikeCounts(
        neuron=Labels("neuron", tuple(f"n{i}" for i in range(n_neurons)), codes.astype(np.int64)),
        count=draw(_rows(count, rows)),
        exposure=np.asarray(draw(_rows(exposure, rows)), dtype=np.float64),
        exposure_known=True,
        condition=Labels("condition", ("a", "b"), draw(_rows(st.integers(0, 1), rows))),
        group=Labels("area", ("V1", "V2"), group),
    )


def _rows(values, rows):
    return st.lists(values, min_size=rows, max_size=rows).map(np.array)


def reordered(counts, order):
    """Return the table with its rows in another order, or repeated."""
    labels = {
        name: dataclasses.replace(label, codes=label.codes[order])
        for name in ("neuron", "condition", "group")
        if (label := getattr(counts, name)) is not None
    }
    return dataclasses.replace(
        counts, count=counts.count[order], exposure=counts.exposure[order], **labels
    )


def assert_same_tally(first, second):
    """Compare every array exactly."""
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.neurons == second.neurons


def nbinom_logpmf(count, size, odds):
    """Textbook pmf with p = 1/(1 + odds); SciPy's takes p itself and so loses tiny odds."""
    rising = special.gammaln(count + size) - special.gammaln(size) - special.gammaln(count + 1)
    return rising + count * np.log(odds) - (count + size) * np.log1p(odds)


def raw_log_likelihood(name, counts, theta, delta):
    """Log-likelihood of each neuron, one pmf per row."""
    neuron = counts.neuron.codes
    mean = np.exp(theta[neuron]) * counts.exposure
    if name == "poisson":
        by_row = stats.poisson.logpmf(counts.count, mean)
    else:
        alpha = np.exp(2 * delta[neuron]) / (mean if name == "nb1" else 1)
        by_row = nbinom_logpmf(counts.count, 1 / alpha, alpha * mean)
    return np.bincount(neuron, by_row)


@pytest.mark.parametrize("name", list(FAMILIES))
@given(counts=tables(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_likelihood_of_the_tally_is_that_of_the_rows(name, counts, seed):
    """For every family, at random parameters near the counts."""
    rng = np.random.default_rng(seed)
    tally = tally_counts(counts)
    raw = np.log((tally.spike_count + 0.5) / tally.total_exposure)
    theta = raw + rng.normal(0, 0.5, len(raw))
    delta = rng.normal(-1, 1, len(raw))
    family = FAMILIES[name]
    got = family.log_likelihood(theta, delta, family.statistics(tally))
    wanted = raw_log_likelihood(name, counts, theta, delta)
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


@given(counts=tables(), random=st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_order_of_rows_does_not_matter(counts, random):
    """Shuffled rows give the same tally to the last bit, and so the same statistics."""
    order = list(range(len(counts.count)))
    random.shuffle(order)
    first, second = tally_counts(counts), tally_counts(reordered(counts, np.array(order)))
    assert_same_tally(first, second)
    for name in ("spike_count", "total_exposure", "n_trials"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@given(counts=tables(), random=st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_split_and_joined_again(counts, random):
    """Rows dealt into two piles and put one after the other are the same table."""
    piles = np.array([random.random() < 0.5 for _ in counts.count])
    order = np.concatenate([np.flatnonzero(piles), np.flatnonzero(~piles)])
    assert_same_tally(tally_counts(counts), tally_counts(reordered(counts, order)))


@given(counts=tables())
@settings(max_examples=60, deadline=None)
def test_cells_are_sorted_unique_and_complete(counts):
    """Each (neuron, condition, exposure, count) once, ascending, with its number of rows."""
    tally = tally_counts(counts)
    rows = list(
        zip(
            counts.neuron.codes.tolist(),
            counts.condition.codes.tolist(),
            counts.exposure.tolist(),
            counts.count.tolist(),
            strict=True,
        )
    )
    cells = list(
        zip(
            tally.neuron.tolist(),
            tally.condition.tolist(),
            tally.exposure.tolist(),
            tally.count.tolist(),
            strict=True,
        )
    )
    assert cells == sorted(set(rows))
    assert tally.weight.tolist() == [rows.count(cell) for cell in cells]
    groups = dict(zip(counts.neuron.codes.tolist(), counts.group.codes.tolist(), strict=True))
    assert tally.group.tolist() == [groups[i] for i in range(tally.n_neurons)]


@given(counts=tables(), ends=st.tuples(st.integers(0, 5), st.integers(0, 5)))
@settings(max_examples=60, deadline=None)
def test_a_run_of_neurons_is_the_tally_of_their_rows(counts, ends):
    """`of_neurons` gives the cells that those neurons alone would have."""
    tally = tally_counts(counts)
    start, stop = min(ends), min(max(ends), tally.n_neurons)
    if start >= stop:
        return
    chosen = tally.of_neurons(slice(start, stop))
    code = counts.neuron.codes
    part = reordered(counts, np.flatnonzero((code >= start) & (code < stop)))
    names, codes = counts.neuron.values[start:stop], part.neuron.codes - start
    part = dataclasses.replace(part, neuron=Labels("neuron", names, codes))
    assert_same_tally(chosen, tally_counts(part))


def test_numbers_of_spikes_are_exact():
    """Sums of counts keep every spike beyond 2^53, where floating-point numbers do not."""
    count = np.full(9_100_001, 10**9, dtype=np.int64)
    count[0] = 1
    tally = tally_counts(
        SpikeCounts(
            Labels("neuron", ("a",), np.zeros(len(count), dtype=np.int64)),
            count,
            np.ones(len(count)),
            exposure_known=False,
        )
    )
    assert tally.spike_count.tolist() == [9_100_000 * 10**9 + 1]
    assert tally.spike_count[0] > 2**53
    assert tally.weight.tolist() == [1, 9_100_000]
    assert tally.rate_unit == "spikes/trial"


def test_exposures_a_rounding_apart_are_two_cells():
    """0.1 + 0.2 and 0.3 are not merged: nothing is rounded silently."""
    tally = tally_counts(
        SpikeCounts(
            Labels("neuron", ("a",), np.zeros(2, dtype=np.int64)),
            np.array([4, 4]),
            np.array([0.1 + 0.2, 0.3]),
            exposure_known=True,
        )
    )
    assert tally.exposure.tolist() == [0.3, 0.1 + 0.2]
    assert tally.conditions == tally.groups == ("all",)
    assert tally.rate_unit == "spikes/s"


@pytest.fixture
def animals():
    """Return the tally of five neurons of two areas and three animals, one animal in both areas."""
    area, animal = np.array([0, 1, 0, 0, 1]), np.array([2, 0, 0, 2, 0])
    codes = np.array([4, 0, 1, 2, 3, 0, 4, 2])
    return tally_counts(
        SpikeCounts(
            Labels("neuron", tuple("abcde"), codes),
            np.array([3, 0, 1, 2, 1, 2, 5, 2]),
            np.ones(8),
            exposure_known=True,
            group=Labels("area", ("V1", "V2"), area[codes]),
            within=Labels("animal", ("m1", "m2", "m3"), animal[codes]),
        )
    )


def test_pairs_of_group_and_label_that_neurons_have(animals):
    """V1 has m1 and m3, V2 has m1; m1 is in both, so that they are crossed."""
    assert animals.within.tolist() == [2, 0, 0, 2, 0]
    pairs = animals.pairs
    assert list(zip(pairs.group.tolist(), pairs.label.tolist(), strict=True)) == [
        (0, 0),
        (0, 2),
        (1, 0),
    ]
    assert pairs.of_neuron.tolist() == [1, 2, 0, 1, 2]
    assert pairs.are_crossed
    nested = dataclasses.replace(animals, within=np.array([2, 0, 1, 2, 0]))
    assert not nested.pairs.are_crossed
    with pytest.raises(ValueError, match="no labels"):
        _ = dataclasses.replace(animals, within=None).pairs


def test_trial_is_taken_out(animals):
    """Of a cell of several one stays less; of a single one, the cell goes."""
    cells = np.array([np.argmax(animals.weight), np.argmin(animals.weight)])
    for cell in cells.tolist():
        rest = animals.without_trial(cell)
        expected = animals.trial_by_trial()
        trial = int(np.sum(animals.weight[:cell]))
        for name in ("neuron", "exposure", "count", "condition"):
            kept = np.delete(getattr(expected, name), trial)
            assert getattr(rest.trial_by_trial(), name).tolist() == kept.tolist()
        assert rest.neurons == animals.neurons


def test_members_have_their_own_cells(animals):
    """The cells of chosen neurons, renumbered; a group is one such choice."""
    members = np.array([0, 3])
    part = animals.of_members(members)
    assert part.neurons == ("a", "d")
    assert part.neuron.tolist() == [0, 0, 1]
    assert part.count.tolist() == animals.count[animals.cells_of_members(members)].tolist()
    assert part.within.tolist() == [2, 2]
    assert animals.of_group(1).neurons == ("b", "e")
    assert animals.of_group(1).groups == ("V2",)

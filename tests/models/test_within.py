"""Groups joined by labels within them, against an independent statement in SciPy."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from spikepool.data.spike_counts import Labels, SpikeCounts
from spikepool.data.tally import tally_counts
from spikepool.models.graph import build_model, prior_names
from spikepool.models.parametrization import centring_of, choose_parametrization
from spikepool.models.priors import HalfNormal, default_priors
from spikepool.models.spec import ModelSpec
from spikepool.models.within import effects_of, labels_of

AREA = np.array([0, 1, 0, 1, 0, 0, 1])
CROSSED = np.array([0, 0, 1, 2, 1, 0, 2])
NESTED = np.array([0, 2, 1, 3, 1, 0, 3])
SPECS = [
    ModelSpec("poisson", "partial", None, within="crossed"),
    ModelSpec("poisson", "partial", None, within="nested"),
    ModelSpec("nb2", "partial", "partial", within="crossed"),
    ModelSpec("nb1", "partial", "partial", "student-t", within="nested"),
    ModelSpec("nb2", "partial", "complete", "student-t", within="crossed"),
    ModelSpec("nb1", "partial", "none", within="crossed"),
    ModelSpec("poisson", "partial", None, condition_pooling="partial", within="crossed"),
    ModelSpec("nb2", "partial", "partial", condition_pooling="partial", within="nested"),
    ModelSpec("nb2", "partial", "complete", condition_pooling="none", within="crossed"),
]
DISPERSION_NAME = {"nb2": "gain_sd", "nb1": "root_excess_fano"}

every_model = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


def table(spec):
    """Return the rows of seven neurons of two areas, in three animals or in four."""
    rng = np.random.default_rng(4)
    codes = np.repeat(np.arange(len(AREA)), 5)
    animal = CROSSED if spec.within == "crossed" else NESTED
    condition = None
    if spec.condition_pooling is not None:
        condition = Labels("condition", ("x", "y"), rng.integers(0, 2, len(codes)))
    return SpikeCounts(
        Labels("neuron", tuple(f"n{i}" for i in range(len(AREA))), codes),
        rng.negative_binomial(2, 0.3, len(codes)) * (codes != 2),
        rng.choice([0.5, 1.0], len(codes)),
        exposure_known=True,
        condition=condition,
        group=Labels("area", ("V1", "V2"), AREA[codes]),
        within=Labels("animal", tuple(f"m{k}" for k in range(max(animal) + 1)), animal[codes]),
    )


def random_point(model, rng, m0):
    """Values of everything that is sampled."""
    point = {
        name: np.asarray(rng.normal(-0.7, 0.4, value.shape))
        for name, value in model.initial_point().items()
    }
    return point | {"mu": rng.normal(m0, 0.7, 2)}


def log_scale(log_value, prior):
    """Log density of logarithms whose exponentials have the SciPy `prior`."""
    return np.sum(prior.logpdf(np.exp(log_value)) + log_value)


def independent(spec, counts, point, weights, m0):
    """Log density of what is sampled, from formulas alone: priors, effects, neurons, rows."""
    animal = CROSSED if spec.within == "crossed" else NESTED
    half = stats.halfnorm(scale=0.5)
    total = stats.norm.logpdf(point["mu"], m0, 2.5).sum()
    total += log_scale(point["tau_log__"], stats.halfcauchy())

    def shifted(centre, ending):
        """Add to each neuron's mean what its animal, and its animal in its area, add."""
        nonlocal total
        total += log_scale(point[f"within_sd{ending}_log__"], half)
        standard = point[f"within_effect{ending}_sampled"]
        total += stats.norm.logpdf(standard).sum()
        shift = np.exp(point[f"within_sd{ending}_log__"]) * standard[animal]
        if spec.within == "crossed":
            total += log_scale(point[f"interaction_sd{ending}_log__"], half)
            standard = point[f"interaction_effect{ending}_sampled"]
            total += stats.norm.logpdf(standard).sum()
            place = {(0, 0): 0, (0, 1): 1, (1, 0): 2, (1, 2): 3}
            pair = [place[pair] for pair in zip(AREA.tolist(), animal.tolist(), strict=True)]
            shift = shift + np.exp(point[f"interaction_sd{ending}_log__"]) * standard[pair]
        return centre[AREA] + shift

    def members(name, centre, scale, w, law):
        """Take members of a population out of what is sampled of them; add their density."""
        nonlocal total
        value = centre + scale ** (1 - w) * (point[f"{name}_sampled"] - w * centre)
        slope = (1 - w) * np.log(scale)
        total += np.sum(law.logpdf((value - centre) / scale) - np.log(scale) + slope)
        return value

    law = stats.t(4) if spec.population == "student-t" else stats.norm
    tau = np.exp(point["tau_log__"])[AREA]
    theta = members("theta", shifted(point["mu"], ""), tau, weights.rate, law)
    delta = None
    name = DISPERSION_NAME.get(spec.family)
    if spec.dispersion_pooling == "partial":
        centre = point[f"typical_{name}_log__"]
        total += log_scale(centre, stats.halfnorm())
        total += log_scale(point["tau_delta_log__"], half)
        spread = np.exp(point["tau_delta_log__"])[AREA]
        centre = shifted(centre, "_delta")
        delta = members("delta", centre, spread, weights.dispersion, stats.norm)
    elif spec.dispersion_pooling is not None:
        delta = point[f"{name}_log__"]
        total += log_scale(delta, stats.halfnorm())
        delta = delta if spec.dispersion_pooling == "none" else delta[AREA]
    neuron = counts.neuron.codes
    log_rate = theta[neuron]
    if spec.condition_pooling is not None:
        key = neuron * 2 + counts.condition.codes
        present, of_row = np.unique(key, return_inverse=True)
        sd = np.full(len(present), 2.5)
        if spec.condition_pooling == "partial":
            total += log_scale(point["tuning_sd_log__"], stats.halfnorm())
            sd = np.exp(point["tuning_sd_log__"])[AREA[present // 2]]
        own = theta[present // 2]
        log_rate = members("response", own, sd, weights.response, stats.norm)[of_row]
    mean = np.exp(log_rate) * counts.exposure
    if delta is None:
        return total + stats.poisson.logpmf(counts.count, mean).sum()
    alpha = np.exp(2 * delta[neuron]) / (mean if spec.family == "nb1" else 1)
    return total + stats.nbinom.logpmf(counts.count, 1 / alpha, 1 / (1 + alpha * mean)).sum()


def log_density(model):
    """Return the log density as a function of a point."""
    return model.compile_fn(model.logp(), inputs=model.value_vars, mode="FAST_COMPILE")


@every_model
def test_log_density_is_that_of_the_formulas(spec):
    """At random points, to 1e-8: every group, animal, pair, neuron and row has its place."""
    counts = table(spec)
    tally = tally_counts(counts)
    weights = choose_parametrization(spec, tally)
    model = build_model(spec, tally, parametrization=weights)
    density = log_density(model)
    m0 = np.mean(np.log((tally.spike_count + 0.5) / tally.total_exposure))
    rng = np.random.default_rng(2)
    for _ in range(3):
        point = random_point(model, rng, m0)
        wanted = independent(spec, counts, point, weights, m0)
        assert float(density(point)) == pytest.approx(wanted, rel=1e-8, abs=1e-8)


@every_model
def test_variables_with_a_prior_are_those_named(spec):
    """`prior_names` lists what a model samples, but for what populations give their members."""
    model = build_model(spec, tally_counts(table(spec)))
    sampled = {each.name for each in model.free_RVs if not each.name.endswith("_sampled")}
    assert sampled == set(prior_names(spec))


def test_each_prior_belongs_to_its_own_effect():
    """Other priors of the sds change the density by the ratios of their own."""
    spec = ModelSpec("nb2", "partial", "partial", within="crossed")
    tally = tally_counts(table(spec))
    scales = {
        "within_sd": 0.2,
        "interaction_sd": 0.3,
        "within_sd_delta": 0.4,
        "interaction_sd_delta": 0.6,
    }
    given = {name: HalfNormal(scale) for name, scale in scales.items()}
    before = build_model(spec, tally)
    after = build_model(spec, tally, dataclasses.replace(default_priors(tally), **given))
    point = random_point(before, np.random.default_rng(1), 1.0)
    change = 0.0
    for name, scale in scales.items():
        value = np.exp(point[f"{name}_log__"])
        change += stats.halfnorm(scale=scale).logpdf(value)
        change -= stats.halfnorm(scale=0.5).logpdf(value)
    difference = float(log_density(after)(point) - log_density(before)(point))
    assert difference == pytest.approx(change, abs=1e-7)


def test_effects_and_what_they_are_of():
    """Nested labels have no interaction, and models without partial dispersions none of those."""
    crossed = ModelSpec("nb2", "partial", "partial", within="crossed")
    assert [effect.name for effect in effects_of(crossed)] == [
        "within_effect",
        "interaction_effect",
        "within_effect_delta",
        "interaction_effect_delta",
    ]
    nested = dataclasses.replace(crossed, dispersion_pooling="none", within="nested")
    assert [effect.name for effect in effects_of(nested)] == ["within_effect"]
    assert effects_of(dataclasses.replace(crossed, within=None)) == ()
    tally = tally_counts(table(crossed))
    labels = [labels_of(effect, tally) for effect in effects_of(crossed)[:2]]
    assert labels == [["m0", "m1", "m2"], ["V1,m0", "V1,m1", "V2,m0", "V2,m2"]]


@pytest.mark.parametrize("conditions", [None, "partial"])
def test_centrings_are_those_of_each_group_alone(conditions):
    """Of neurons and of their responses, back in the table's order."""
    spec = ModelSpec("nb2", "partial", "partial", condition_pooling=conditions, within="crossed")
    tally = tally_counts(table(spec))
    together = choose_parametrization(spec, tally)
    of_response = tally.group[tally.responses.neuron]
    for group in range(2):
        alone = choose_parametrization(spec, tally.of_group(group))
        np.testing.assert_array_equal(together.rate[tally.group == group], alone.rate)
        np.testing.assert_array_equal(together.dispersion[tally.group == group], alone.dispersion)
        if conditions:
            np.testing.assert_array_equal(together.response[of_response == group], alone.response)


@pytest.mark.parametrize("conditions", [None, "partial"])
def test_neurons_alike_within_animals_are_centred_less(build_tally, conditions):
    """Two animals that differ make no neuron stand apart in its own population."""
    spec = ModelSpec("poisson", "partial", None, condition_pooling=conditions, within="nested")
    animal = np.repeat([0, 1], 10)
    counts = np.random.default_rng(1).poisson(np.array([3, 60])[animal, np.newaxis], (20, 6))
    tally = build_tally(counts, condition=[[0, 0, 0, 1, 1, 1]] * 20)
    tally = dataclasses.replace(tally, within=animal, within_labels=("m0", "m1"))
    rate = choose_parametrization(spec, tally).rate
    alike = choose_parametrization(dataclasses.replace(spec, within=None), tally).rate
    np.testing.assert_array_less(rate, alike)


def test_centring_goes_by_the_spread_about_the_means_of_labels():
    """Neurons that are alike within animals, which differ, are centred as if all were alike."""
    rng = np.random.default_rng(0)
    places = [np.arange(0, 20), np.arange(20, 40)]
    variance = np.full(40, 0.2)
    alike = rng.normal(0, 0.45, 40)
    apart = alike + np.repeat([0.0, 3.0], 20)
    within = centring_of(apart, variance, places)
    np.testing.assert_allclose(within, centring_of(alike, variance, places), rtol=1e-12)
    np.testing.assert_array_less(within, centring_of(apart, variance) / 2)

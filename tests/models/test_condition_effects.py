"""Effects of conditions on all neurons, against an independent statement in SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from spikepool.config import EngineOptions, ModelOptions
from spikepool.data.tally import tally_counts
from spikepool.errors import UsageError
from spikepool.models.condition_effects import presented_names, zero_sum_basis
from spikepool.models.describe import describe_model
from spikepool.models.graph import build_model, prior_names
from spikepool.models.parametrization import choose_parametrization
from spikepool.models.plan import plan_models, refuse_collapsed
from spikepool.models.spec import ModelSpec

POISSON = ModelSpec("poisson", "partial", None, condition_pooling="partial", condition_effects=True)
NB2 = ModelSpec("nb2", "partial", "complete", condition_pooling="partial", condition_effects=True)


def independent(spec, counts, point, weights, m0):
    """Log density of what is sampled, from formulas alone."""

    def log_scale(name, prior):
        return prior.logpdf(np.exp(point[f"{name}_log__"])) + point[f"{name}_log__"]

    def members(name, centre, scale, w):
        value = centre + scale ** (1 - w) * (point[f"{name}_sampled"] - w * centre)
        return value, np.sum(stats.norm.logpdf(value, centre, scale) + (1 - w) * np.log(scale))

    tau, tuning, spread = (
        np.exp(point[f"{n}_log__"]) for n in ("tau", "tuning_sd", "condition_sd")
    )
    total = stats.norm.logpdf(point["mu"], m0, 2.5) + log_scale("tau", stats.halfcauchy())
    total += log_scale("tuning_sd", stats.halfnorm()) + log_scale("condition_sd", stats.halfnorm())
    theta, density = members("theta", point["mu"], tau, weights.rate)
    total += density
    contrast, density = members("condition_contrast", 0.0, spread, weights.condition)
    total += density
    effect = contrast[0] * np.array([1, -1]) / np.sqrt(2)
    key = counts.neuron.codes * 2 + counts.condition.codes
    present, of_row = np.unique(key, return_inverse=True)
    centre = theta[present // 2] + effect[present % 2]
    log_rate, density = members("response", centre, tuning, weights.response)
    total += density
    mean = np.exp(log_rate[of_row]) * counts.exposure
    if spec.family == "poisson":
        return total + stats.poisson.logpmf(counts.count, mean).sum()
    total += log_scale("gain_sd", stats.halfnorm())
    alpha = np.exp(2 * point["gain_sd_log__"])
    return total + stats.nbinom.logpmf(counts.count, 1 / alpha, 1 / (1 + alpha * mean)).sum()


@pytest.mark.parametrize("spec", [POISSON, NB2], ids=lambda spec: spec.name)
@pytest.mark.parametrize("choice", ["auto", "noncentered"])
def test_log_density_is_that_of_the_formulas(mixed_counts, spec, choice):
    """At random points, to 1e-8; the neurons saw different conditions."""
    tally = tally_counts(mixed_counts)
    weights = choose_parametrization(spec, tally, choice)
    model = build_model(spec, tally, parametrization=weights)
    density = model.compile_fn(model.logp(), inputs=model.value_vars, mode="FAST_COMPILE")
    m0 = np.mean(np.log((tally.spike_count + 0.5) / tally.total_exposure))
    rng = np.random.default_rng(2)
    for _ in range(3):
        point = {
            name: np.asarray(rng.normal(-0.7, 0.4, value.shape))
            for name, value in model.initial_point().items()
        } | {"mu": np.asarray(rng.normal(m0, 0.7))}
        wanted = independent(spec, mixed_counts, point, weights, m0)
        assert float(density(point)) == pytest.approx(wanted, rel=1e-8)
    sampled = {each.name for each in model.free_RVs if not each.name.endswith("_sampled")}
    assert sampled == set(prior_names(spec))


def test_effects_are_independent_but_for_their_sum():
    """Orthonormal contrasts: covariance ω_c² (I − 1/n), the sum zero."""
    for size in (2, 3, 7):
        basis = zero_sum_basis(size)
        np.testing.assert_allclose(basis @ basis.T, np.eye(size) - 1 / size, atol=1e-14)
        np.testing.assert_allclose(basis.T @ basis, np.eye(size - 1), atol=1e-14)


def test_conditions_of_other_groups_have_no_effect(build_tally):
    """Only those that were presented take part in the sum."""
    tally = build_tally([[1, 2, 3, 1]] * 3, condition=[[0, 0, 2, 2]] * 3)
    assert presented_names(tally) == ("c0", "c2")
    model = build_model(POISSON, tally)
    assert tuple(model.coords["condition"]) == ("c0", "c2")


def test_centring_of_effects_follows_what_the_data_say(build_tally):
    """Near 1 with many trials of neurons that go together, less with few."""
    rng = np.random.default_rng(1)
    condition = [[0] * 50 + [1] * 50 + [2] * 50] * 20
    counts = rng.poisson(np.repeat([5.0, 10.0, 20.0], 50), (20, 150))
    many = choose_parametrization(POISSON, build_tally(counts, condition=condition)).condition
    assert many.shape == (2,)
    assert many.min() > 0.9
    few = build_tally(counts[:2, ::50], condition=[[0, 1, 2]] * 2)
    assert choose_parametrization(POISSON, few).condition.max() < 0.9


def test_plan(build_tally):
    """Partially pooled conditions have effects; a notice names the other models."""
    tally = build_tally([[1, 2, 3, 1]] * 6, condition=[[0, 0, 1, 1]] * 6)
    made = plan_models(ModelOptions(family="nb2", condition_effects=True), tally)
    assert [spec.name for spec in made.specs] == [
        "nb2-none",
        "nb2-complete",
        "nb2-partial-condition",
    ]
    told = {notice.code: notice.message for notice in made.notices}
    assert "fitted without it: NB2 none, NB2 complete" in told["effects-left-out"]
    assert told["few-conditions"].startswith("2 conditions say little about ω_c")
    assert made.primary.label == "NB2 partial (condition effects)"
    refuse_collapsed(EngineOptions(engine="auto"), made.primary)
    with pytest.raises(UsageError, match="all neurons share the effects"):
        refuse_collapsed(EngineOptions(engine="collapsed"), made.primary)
    text = describe_model(made.primary, made.priors)
    assert "θ_ic ~ normal(θ_i + c_c, ω_b) in condition c" in text
    assert "c_c ~ normal(0, ω_c), what condition c adds in all neurons; their sum is 0" in text
    assert "ω_c ~ half-normal(1)" in text


ONE_IN_B = {"condition": np.array([0, 0, 1, 1] * 5 + [0] * 4)}


@pytest.mark.parametrize(
    ("options", "changes", "text"),
    [
        ({}, {"condition": np.zeros(24, dtype=int), "conditions": ("all",)}, "one condition"),
        ({}, {"within": np.zeros(6, dtype=int), "within_labels": ("m",)}, "together yet"),
        ({}, {"group": np.arange(6) // 5, "groups": ("A", "B"), **ONE_IN_B}, "one only has: B"),
        ({"pooling": "none"}, {}, "only where conditions are partially pooled"),
        ({"condition_pooling": "complete"}, {}, "only where conditions are partially pooled"),
    ],
)
def test_designs_without_effects_are_refused(build_tally, options, changes, text):
    """One condition, labels within groups, and conditions that are not partially pooled."""
    tally = build_tally([list(range(4))] * 6, condition=[[0, 0, 1, 1]] * 6)
    with pytest.raises(UsageError, match=text) as caught:
        plan_models(ModelOptions(condition_effects=True, **options), replace(tally, **changes))
    assert caught.value.hint

"""Simulated parameters and counts follow the closed forms of the model asked for.

Each statistical check has a fixed seed and a two-sided error rate of at most 1e-5.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from spikepool.errors import UsageError
from spikepool.models.simulate import simulate
from spikepool.models.simulation_settings import Group, SimulationSettings, directions

Z = 4.42
"""Normal quantile for a two-sided error rate of 1e-5."""
P = 1e-5

MODELS = [("poisson", pooling, None) for pooling in ("none", "complete", "partial")] + [
    (family, pooling, dispersion)
    for family in ("nb2", "nb1")
    for pooling in ("none", "complete", "partial")
    for dispersion in ("none", "complete", "partial")
]


def pmf_of(family, mean, dispersion):
    """Return SciPy's distribution of counts with this mean; `dispersion` is α or ω."""
    if family == "poisson":
        return stats.poisson(mean)
    alpha = dispersion if family == "nb2" else dispersion / mean
    return stats.nbinom(1 / alpha, 1 / (1 + alpha * mean))


def one_neuron(family, **changes):
    """Return settings for one neuron of known rate and dispersion with many trials."""
    values = {"family": family, "pooling": "complete", "neurons": 1, "trials": (200_000,) * 2}
    return SimulationSettings(**{**values, **changes})


def assert_normal(x, mean, sd):
    """Check the shape (Kolmogorov), the mean and the sd of independent draws; 1e-5 each."""
    z = (x - mean) / sd
    assert stats.kstest(z, stats.norm.cdf).pvalue > P
    assert abs(z.mean()) < Z / np.sqrt(z.size)
    assert P / 2 < stats.chi2.cdf(np.sum((z - z.mean()) ** 2), z.size - 1) < 1 - P / 2


KNOWN = [
    ("poisson", {}, 0.0),
    ("nb2", {"gain_sd": 0.5}, 0.25),
    ("nb2", {"gain_sd": 1.5}, 2.25),
    ("nb1", {"excess_fano": 0.6}, 0.6),
    ("nb1", {"excess_fano": 3.0}, 3.0),
]


@pytest.mark.parametrize(("family", "changes", "dispersion"), KNOWN)
@pytest.mark.parametrize("typical_rate", [0.3, 12.0])
def test_mean_and_variance_have_the_family_s_closed_form(family, changes, dispersion, typical_rate):
    """Mean m and variance m, m + α m² or m (1 + ω), within 4.42 standard errors (1e-5 each)."""
    made = simulate(one_neuron(family, typical_rate=typical_rate, exposure=(0.5, 0.5), **changes))
    m, n = typical_rate * 0.5, made.count.size
    variance = {"poisson": m, "nb2": m + dispersion * m**2, "nb1": m * (1 + dispersion)}[family]
    kurtosis = pmf_of(family, m, dispersion).stats("k") + 3
    assert abs(made.count.mean() - m) < Z * np.sqrt(variance / n)
    error = variance * np.sqrt((kurtosis - 1) / n)
    assert abs(made.count.var() - variance) < Z * error
    assert made.fano == pytest.approx(np.full((1, 1), variance / m))
    assert made.gain_sd == pytest.approx(np.sqrt(variance - m) / m * np.ones((1, 1)))


@pytest.mark.parametrize(("family", "changes", "dispersion"), KNOWN)
def test_counts_follow_scipy_s_distribution(family, changes, dispersion):
    """Pearson's X² of the counts against SciPy's probabilities; error rate 1e-5."""
    counts = simulate(one_neuron(family, typical_rate=4.0, seed=3, **changes)).count
    law = pmf_of(family, 4.0, dispersion)
    top = int(law.isf(1e-4))
    probability = np.append(law.pmf(np.arange(top)), law.sf(top - 1))
    observed = np.bincount(np.minimum(counts, top), minlength=top + 1)
    assert stats.chisquare(observed, probability * counts.size).pvalue > P


@pytest.mark.parametrize("end", [0, 1])
def test_gains_drawn_anew_as_time_passes_have_one_fano_factor(end):
    """Of short and of long trials alike, 1 + α λ e_ref, e_ref being 1.1 s: error rate 1e-5."""
    made = simulate(
        one_neuron(
            "nb2", dispersion_scaling="duration", typical_rate=6.0, exposure=(0.2, 2.0),
            gain_sd=0.5, seed=4,
        )
    )  # fmt: skip
    m, fano = 6.0 * made.exposure, 1 + 0.25 * 6.0 * 1.1
    chosen = np.array_split(np.argsort(made.exposure), 4)[-end]
    ratio = ((made.count - m) ** 2 / m)[chosen]
    assert abs(ratio.mean() - fano) < Z * ratio.std() / np.sqrt(ratio.size)
    assert made.fano == pytest.approx(np.full((1, 1), fano))
    assert made.gain_sd == pytest.approx(np.full((1, 1), 0.5))
    assert made.settings.spec.reference_exposure == 1.1


def test_only_nb2_has_a_gain_that_time_could_draw_anew():
    """Refused of the other families."""
    for family in ("poisson", "nb1"):
        with pytest.raises(UsageError, match="--dispersion-scaling duration"):
            SimulationSettings(family=family, dispersion_scaling="duration")


@pytest.mark.parametrize(("family", "changes", "dispersion"), KNOWN)
def test_mean_and_variance_scale_with_each_trial_s_exposure(family, changes, dispersion):
    """(y − m)² averages to the variance at every trial's own exposure; error rate 1e-5."""
    made = simulate(one_neuron(family, typical_rate=6.0, exposure=(0.05, 2.0), seed=4, **changes))
    m = 6.0 * made.exposure
    excess = {"poisson": 0 * m, "nb2": dispersion * m**2, "nb1": dispersion * m}[family]
    for squares in ((made.count - m) / m, ((made.count - m) ** 2 - m - excess) / m):
        assert abs(squares.mean()) < Z * squares.std() / np.sqrt(m.size)


def test_partially_pooled_parameters_are_normal():
    """θ ~ N(μ, τ²) and δ ~ N(μ_δ, τ_δ²), independent; error rate 1e-5 each."""
    settings = SimulationSettings(
        neurons=20_000, trials=(1, 1), typical_rate=5.0, rate_spread=0.7, gain_sd=0.4,
        dispersion_spread=0.5, seed=5,
    )  # fmt: skip
    made = simulate(settings)
    theta, delta = made.log_rate[:, 0], np.log(made.dispersion)
    assert_normal(theta, np.log(5), 0.7)
    assert_normal(delta, np.log(0.4), 0.5)
    assert abs(np.corrcoef(theta, delta)[0, 1]) < Z / np.sqrt(20_000)


def test_nb1_dispersion_is_root_excess_fano():
    """δ = ½ ln ω ~ N(½ ln ω₀, τ_δ²), and the Fano factor is 1 + ω; error rate 1e-5."""
    settings = SimulationSettings(
        family="nb1", neurons=20_000, trials=(1, 1), excess_fano=0.8, dispersion_spread=0.4, seed=6
    )
    made = simulate(settings)
    delta = np.log(made.fano[:, 0] - 1) / 2
    assert_normal(delta, np.log(0.8) / 2, 0.4)


@pytest.mark.parametrize("family", ["nb2", "nb1"])
def test_unpooled_parameters_follow_the_fixed_priors(family):
    """θ ~ N(ln typical rate, 2.5²) and e^δ ~ half-normal(1); error rate 1e-5 each."""
    made = simulate(SimulationSettings(family, "none", neurons=20_000, trials=(1, 1), seed=7))
    assert_normal(made.log_rate[:, 0], np.log(10), 2.5)
    assert stats.kstest(made.dispersion, stats.halfnorm.cdf).pvalue > P
    assert P / 2 < stats.chi2.cdf(np.sum(made.dispersion**2), 20_000) < 1 - P / 2


def test_complete_pooling_gives_every_neuron_the_same_values():
    """All neurons have the typical rate and the shared dispersion, exactly."""
    made = simulate(SimulationSettings(pooling="complete", neurons=50, gain_sd=0.4))
    assert np.unique(made.log_rate) == pytest.approx([np.log(10)])
    assert np.unique(made.dispersion) == pytest.approx([0.4])


def test_tuning_is_normal_within_neurons():
    """b_ic = θ_ic − a_i ~ N(0, ω_b²), independent between cells; 1e-5 for each test."""
    settings = SimulationSettings(
        neurons=4_000, trials=(1, 1), conditions=directions(5), tuning_sd=0.6, seed=8
    )
    made = simulate(settings)
    effects = made.log_rate - made.neuron_log_rate[:, np.newaxis]
    assert_normal(effects.ravel(), 0, 0.6)
    assert abs(np.corrcoef(effects[:, 0], effects[:, 1])[0, 1]) < Z / np.sqrt(4_000)
    assert_normal(made.neuron_log_rate, np.log(10), 1)


def test_counts_of_every_condition_follow_its_own_rate():
    """Totals per condition differ from Σ λ_ic e by Poisson noise only: X² test, 1e-5."""
    settings = SimulationSettings(
        family="poisson", neurons=30, trials=(10, 40), conditions=("a", "b", "c"),
        exposure=(0.2, 0.9), seed=9,
    )  # fmt: skip
    made = simulate(settings)
    cell = made.neuron * 3 + made.condition
    mean = np.exp(made.log_rate.ravel()) * np.bincount(cell, made.exposure)
    x2 = np.sum((np.bincount(cell, made.count) - mean) ** 2 / mean)
    assert P / 2 < stats.chi2.sf(x2, 90) < 1 - P / 2
    assert made.mean_exposure.ravel() == pytest.approx(
        np.bincount(cell, made.exposure) / np.bincount(cell)
    )


def test_trials_are_log_uniform():
    """Numbers of trials have probabilities ln((k+1)/k) / ln((b+1)/a): X² test, 1e-5."""
    settings = SimulationSettings(neurons=20_000, trials=(2, 9), seed=10)
    trials = np.bincount(simulate(settings).neuron)
    assert (trials.min(), trials.max()) == (2, 9)
    k = np.arange(2, 10)
    expected = 20_000 * np.log((k + 1) / k) / np.log(10 / 2)
    assert stats.chisquare(np.bincount(trials)[2:], expected).pvalue > P


def test_every_neuron_has_each_condition_equally_often_in_random_order():
    """Blocks hold each condition once; trials count from 1 within the neuron."""
    settings = SimulationSettings(neurons=12, trials=(3, 8), conditions=directions(6), seed=11)
    made = simulate(settings)
    blocks = made.condition.reshape(-1, 6)
    assert np.array_equal(np.sort(blocks, axis=1), np.tile(np.arange(6), (len(blocks), 1)))
    assert len(np.unique(blocks, axis=0)) > 1
    for i in range(12):
        trials = made.trial[made.neuron == i]
        assert np.array_equal(trials, np.arange(1, trials.size + 1))


def test_exposures_are_uniform_and_whole_milliseconds():
    """Exposures lie in the range, rounded to ms: Kolmogorov test, 1e-5."""
    exposure = simulate(SimulationSettings(exposure=(0.25, 1.25), seed=12)).exposure
    assert np.array_equal(exposure, np.round(exposure, 3))
    assert stats.kstest(exposure, stats.uniform(0.25, 1).cdf).pvalue > P


def test_groups_have_their_own_typical_rates():
    """Neurons are in groups in the order given, with the group's rate or else that of all."""
    groups = (Group("V1", 3, 20.0), Group("V2", 2))
    made = simulate(SimulationSettings(pooling="complete", groups=groups, typical_rate=4.0))
    assert made.group.tolist() == [0, 0, 0, 1, 1]
    assert np.exp(made.log_rate[:, 0]) == pytest.approx([20, 20, 20, 4, 4])


@pytest.mark.parametrize(("family", "pooling", "dispersion"), MODELS)
def test_every_model_of_the_core_is_simulated_and_repeats(family, pooling, dispersion):
    """All 21 models give counts, and the same arrays again from the same settings."""
    settings = SimulationSettings(
        family, pooling, dispersion, neurons=30, trials=(2, 9), exposure=(0.1, 2.0), seed=13
    )
    first, second = simulate(settings), simulate(settings)
    assert first.count.dtype == np.int64
    assert first.count.min() >= 0
    assert first.count.sum() > 0
    for name in ("log_rate", "dispersion", "neuron", "trial", "condition", "exposure", "count"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    assert settings.spec.dispersion_pooling == dispersion
    assert not np.array_equal(first.count, simulate(replace(settings, seed=14)).count)


def test_neurons_keep_their_rates_when_trials_change():
    """Rates and dispersions depend on the seed and the population, not on the trials."""
    settings = SimulationSettings(neurons=40, trials=(5, 5), seed=15)
    more = simulate(replace(settings, trials=(2, 30), exposure=(0.1, 0.4)))
    assert np.array_equal(simulate(settings).log_rate, more.log_rate)
    assert np.array_equal(simulate(settings).dispersion, more.dispersion)


def test_global_random_state_is_neither_read_nor_changed():
    """Numbers depend on the seed only."""
    settings = SimulationSettings(neurons=5, seed=16)
    first = simulate(settings).count
    np.random.seed(99)  # noqa: NPY002  the old global state is what is tested
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert np.array_equal(first, simulate(settings).count)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


NAN = float("nan")
WRONG = [
    ({"family": "normal"}, "--family"),
    ({"pooling": "half"}, "--pooling"),
    ({"dispersion_pooling": "half"}, "--dispersion-pooling"),
    ({"family": "poisson", "dispersion_pooling": "none"}, "--dispersion-pooling"),
    ({"neurons": 0}, "--neurons"),
    ({"neurons": 1_000_001}, "--neurons"),
    ({"trials": (0, 5)}, "--trials"),
    ({"trials": (9, 5)}, "--trials 5-9"),
    ({"typical_rate": 0.0}, "--typical-rate"),
    ({"typical_rate": NAN}, "--typical-rate"),
    ({"rate_spread": -0.1}, "--rate-spread"),
    ({"rate_spread": NAN}, "--rate-spread"),
    ({"rate_spread": 1.0, "pooling": "complete"}, "--rate-spread needs --pooling partial"),
    ({"rate_spread": 1.0, "pooling": "none"}, "--rate-spread needs"),
    ({"gain_sd": 0.0}, "--gain-sd"),
    ({"gain_sd": 0.3, "family": "nb1"}, "--gain-sd needs --family nb2"),
    ({"gain_sd": 0.3, "family": "poisson"}, "--gain-sd needs"),
    ({"gain_sd": 0.3, "dispersion_pooling": "none"}, "--gain-sd needs"),
    ({"excess_fano": 0.5}, "--excess-fano needs --family nb1"),
    ({"excess_fano": -0.5, "family": "nb1"}, "--excess-fano"),
    ({"excess_fano": 0.5, "family": "nb1", "dispersion_pooling": "none"}, "--excess-fano needs"),
    ({"dispersion_spread": -1.0}, "--dispersion-spread"),
    ({"dispersion_spread": 0.3, "dispersion_pooling": "complete"}, "--dispersion-spread needs"),
    ({"dispersion_spread": 0.3, "family": "poisson"}, "--dispersion-spread needs"),
    ({"exposure": (0.0, 1.0)}, "--exposure"),
    ({"exposure": (0.5, float("inf"))}, "--exposure"),
    ({"exposure": (0.5, 0.3)}, "--exposure 0.3-0.5"),
    ({"groups": (Group("V1", 0),)}, "--groups"),
    ({"groups": (Group("V1", 5, -1.0),)}, "--groups"),
    ({"groups": (Group("V1", 5), Group("V1", 5))}, "--groups: 'V1' is given twice"),
    ({"groups": (Group(" ", 5),)}, "--groups"),
    ({"groups": (Group("a\n", 5),)}, "--groups"),
    ({"groups": (Group("V1", 10**6), Group("V2", 1))}, "--groups"),
    ({"groups": (Group("V1", 5),), "neurons": 6}, "--neurons is 6, but --groups has 5"),
    ({"groups": (Group("V1", 5),), "group_column": "count"}, "--group-column"),
    ({"groups": (Group("V1", 5),), "group_column": "Condition"}, "--group-column"),
    ({"groups": (Group("V1", 5),), "group_column": "window_ms"}, "--group-column"),
    ({"groups": (Group("V1", 5),), "group_column": ""}, "--group-column"),
    (
        {
            "groups": (Group("V1", 5),), "group_column": "x", "conditions": ("a", "b"),
            "condition_column": "x",
        },
        "--group-column",
    ),
    ({"conditions": ("a",)}, "--conditions"),
    ({"conditions": ("a", "a")}, "--conditions: 'a' is given twice"),
    ({"conditions": ("a", "")}, "--conditions"),
    ({"conditions": ("a", "b"), "condition_column": "trial"}, "--condition-column"),
    ({"conditions": ("a", "b"), "condition_column": "rate"}, "--condition-column"),
    ({"tuning_sd": 0.5}, "--tuning-sd needs --conditions"),
    ({"tuning_sd": -0.5, "conditions": ("a", "b")}, "--tuning-sd"),
    ({"seed": -1}, "--seed"),
    ({"seed": 2**64}, "--seed"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "said"), WRONG)
def test_wrong_values_are_refused_by_the_option_s_name(values, said):
    """Every setting out of bounds or without a meaning in its model is a UsageError."""
    with pytest.raises(UsageError) as error:
        SimulationSettings(**values)
    assert said in str(error.value)


def test_a_number_of_directions_is_bounded():
    """Directions start at 0, are equally spaced and below 360; 1 and 361 are refused."""
    assert directions(8) == ("0", "45", "90", "135", "180", "225", "270", "315")
    assert len(set(directions(360))) == 360
    for number in (0, 1, 361):
        with pytest.raises(UsageError, match="--conditions"):
            directions(number)


def test_a_table_too_long_or_a_count_too_large_is_refused():
    """Limits of a table are met before memory is, or NumPy's own error."""
    with pytest.raises(UsageError, match="rows"):
        simulate(SimulationSettings(neurons=30_000, trials=(1_000, 1_000)))
    with pytest.raises(UsageError, match="a count would be"):
        simulate(SimulationSettings(typical_rate=1e6, exposure=(1e6, 1e6), neurons=2))
    with pytest.raises(UsageError, match="a count would be"):
        simulate(SimulationSettings(rate_spread=10, typical_rate=1e6, exposure=(1e6, 1e6)))

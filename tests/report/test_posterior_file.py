"""Posterior files: ArviZ reads back what was drawn."""

from dataclasses import replace

import arviz
import numpy as np
import pytest

from spikepool import __version__
from spikepool.data.spike_counts import Factor
from spikepool.report.count_draws import draws_of_counts
from spikepool.report.posterior_file import posterior_bytes, render_posteriors
from spikepool.report.run_results import BaselineFit


@pytest.fixture
def read(tmp_path):
    """Read a posterior file with ArviZ."""

    def read_file(data):
        path = tmp_path / f"model-{len(list(tmp_path.iterdir()))}.nc"
        path.write_bytes(data)
        return arviz.from_netcdf(path, engine="h5netcdf")

    return read_file


def stored(run, model):
    """Return what is kept of one model's draws."""
    return next(each for each in draws_of_counts(run, 1000) if each.spec == model.spec)


def test_population_has_the_hyperparameters_only(run, read):
    """Every draw of every hyperparameter, in double precision."""
    model = run.primary_model
    posterior = read(posterior_bytes(stored(run, model), full=False))["posterior"]
    assert set(posterior.data_vars) == {"mu", "tau", "mu_delta", "tau_delta"}
    np.testing.assert_array_equal(posterior["mu"].values, model.groups[0].hyperparameters["mu"])
    assert posterior["mu"].dims == ("chain", "draw")


def test_full_has_every_neuron_by_its_id(run, read):
    """θ and δ in single precision; awkward ids select their neuron."""
    model = run.primary_model
    posterior = read(posterior_bytes(stored(run, model), full=True))["posterior"]
    assert posterior["neuron"].values.tolist() == list(run.tally.neurons)
    assert posterior["theta"].dtype == np.float32
    np.testing.assert_array_equal(
        posterior["theta"].sel(neuron="NA").values, model.draws.theta[:, :, 2].astype(np.float32)
    )
    np.testing.assert_array_equal(
        posterior["delta"].sel(neuron="007").values, model.draws.delta[:, :, 0].astype(np.float32)
    )


@pytest.fixture
def conditioned(in_conditions):
    """Return the small run with three conditions, of which the fifth neuron saw one only."""
    return in_conditions(Factor("odour", ("a", "b", "c")))


def test_full_has_every_response_by_neuron_and_condition(conditioned, read):
    """In single precision; nothing stands for a condition that a neuron was not presented with."""
    model = conditioned.primary_model
    posterior = read(posterior_bytes(stored(conditioned, model), full=True))["posterior"]
    response, of = posterior["response"], conditioned.tally.responses
    assert response.dims == ("chain", "draw", "neuron_condition")
    assert (response.dtype, response.sizes["neuron_condition"]) == (np.float32, of.size)
    for i, (neuron, condition) in enumerate(zip(of.neuron, of.condition, strict=True)):
        here = (posterior["response_neuron"] == conditioned.tally.neurons[neuron]) & (
            posterior["response_condition"] == "abc"[condition]
        )
        np.testing.assert_array_equal(
            response.where(here, drop=True).values[..., 0],
            model.draws.response[..., i].astype(np.float32),
        )
    assert np.sum(posterior["response_neuron"].values == "=cmd|'/c calc'!A1") == 1


def test_responses_unfold_to_a_table_of_neurons_and_conditions(conditioned, read):
    """NaN where the neuron was not presented with the condition."""
    data = posterior_bytes(stored(conditioned, conditioned.primary_model), full=True)
    response = read(data)["posterior"].dataset["response"]
    pairs = ["response_neuron", "response_condition"]
    table = response.set_index(neuron_condition=pairs).unstack("neuron_condition")
    shown = np.zeros((6, 3), dtype=bool)
    shown[conditioned.tally.responses.neuron, conditioned.tally.responses.condition] = True
    for i, neuron in enumerate(conditioned.tally.neurons):
        for c, condition in enumerate("abc"):
            cell = table.sel(response_neuron=neuron, response_condition=condition)
            assert bool(np.isfinite(cell).all()) is bool(shown[i, c])


def test_population_has_no_responses(conditioned, read):
    """They are as many as the trials may be."""
    data = posterior_bytes(stored(conditioned, conditioned.primary_model), full=False)
    assert "neuron_condition" not in read(data)["posterior"].dims


def test_models_that_share_their_rate_have_no_responses(conditioned, read):
    """Conditions make no difference to them."""
    shared = next(m for m in conditioned.models if m.spec.pooling == "complete")
    assert (
        "response" not in read(posterior_bytes(stored(conditioned, shared), full=True))["posterior"]
    )


def test_poisson_has_no_dispersion(run, read):
    """θ alone, beside the hyperparameters."""
    posterior = read(posterior_bytes(stored(run, run.models[0]), full=True))["posterior"]
    assert set(posterior.data_vars) == {"mu", "tau", "theta"}


def test_says_which_model_and_version(run, read):
    """The file can be told apart from its name."""
    tree = read(posterior_bytes(stored(run, run.models[0]), full=False))
    assert tree.attrs["model"] == "poisson-partial"
    assert tree.attrs["spikepool_version"] == __version__
    assert tree["posterior"].attrs["rate_unit"] == "spikes/s"


def test_the_same_draws_give_the_same_bytes(run):
    """No time of making is kept."""
    one, two = (posterior_bytes(stored(run, run.primary_model), full=True) for _ in range(2))
    assert one == two


def test_arviz_summarises_it(run, read):
    """The usual next step works."""
    table = arviz.summary(read(posterior_bytes(stored(run, run.primary_model), full=False)))
    assert list(table.index) == ["mu", "tau", "mu_delta", "tau_delta"]


def test_each_model_has_a_file_where_it_has_something(run):
    """Without pooling there are no hyperparameters to keep; `none` keeps nothing."""
    assert not list(render_posteriors(draws_of_counts(run, 1000), "none"))
    stored = draws_of_counts(run, 1000)
    population = [path for path, _ in render_posteriors(stored, "population")]
    assert population == [
        f"posterior/{m}.nc" for m in ("poisson-partial", "nb2-complete", "nb2-partial")
    ]
    assert len(list(render_posteriors(draws_of_counts(run, 1000), "full"))) == 4


def test_draws_that_were_not_kept_are_missed(run):
    """A full file is not made of nothing."""
    forgotten = replace(stored(run, run.primary_model), of_neurons=None)
    with pytest.raises(ValueError, match="NB2 partial"):
        posterior_bytes(forgotten, full=True)


def test_as_many_independent_draws_as_were_asked_for(run):
    """Of chains all draws; of independent ones the first few, of every parameter."""
    chains = run.primary_model
    independent = replace(chains, engine="collapsed")
    for model, draws in ((chains, chains.draws.theta.shape[1]), (independent, 3)):
        (found,) = draws_of_counts(replace(run, models=(model,)), 3)
        every = {**found.hyperparameters, **found.of_neurons}
        assert {values.shape[1] for values in every.values()} == {draws}


@pytest.fixture
def compared(run):
    """Give the primary model a baseline: of its first two neurons, with fewer draws."""
    model = run.primary_model
    (group,) = model.groups
    fewer = {name: draws[:, :7] - 1 for name, draws in group.hyperparameters.items()}
    theta, delta = model.draws.theta[:, :7, :2] - 1, model.draws.delta[:, :7, :2] - 1
    return replace(
        model,
        baseline=BaselineFit(
            spec=model.spec,
            engine="nuts",
            population=(),
            groups=(replace(group, hyperparameters=fewer),),
            evoked=None,
            neurons=model.estimates.neurons[:2],
            draws=replace(model.draws, theta=theta, delta=delta),
        ),
    )


def test_baselines_have_a_group_of_their_own(run, compared, read):
    """Beside the stimuli's, which stay as they are: other neurons, other numbers of draws."""
    (found,) = draws_of_counts(replace(run, models=(compared,)), 1000)
    tree = read(posterior_bytes(found, full=False))
    assert set(tree.children) == {"posterior", "baseline_posterior"}
    assert set(tree["baseline_posterior"].data_vars) == {"mu", "tau", "mu_delta", "tau_delta"}
    tree = read(posterior_bytes(found, full=True))
    plain = read(posterior_bytes(stored(run, run.primary_model), full=True))
    assert tree["posterior"].to_dataset().identical(plain["posterior"].to_dataset())
    baseline = tree["baseline_posterior"]
    assert baseline["neuron"].values.tolist() == ["007", "7"]
    assert baseline.attrs["engine"] == "nuts"
    wanted = compared.baseline.draws.theta[:, :, 1].astype(np.float32)
    np.testing.assert_array_equal(baseline["theta"].sel(neuron="7").values, wanted)
    np.testing.assert_array_equal(
        baseline["tau_delta"].values, compared.baseline.groups[0].hyperparameters["tau_delta"]
    )
    assert list(arviz.summary(tree, group="baseline_posterior", var_names=["mu"]).index) == ["mu"]


@pytest.mark.parametrize("several", [True, False])
def test_groups_of_baselines(run, compared, read, several):
    """A group is named where the stimuli have several, though one alone have a baseline."""
    (group,) = compared.groups
    groups = [replace(group, group=name) for name in ("V1", "V2")]
    baseline = [replace(compared.baseline.groups[0], group=name) for name in ("V1", "V2")]
    chosen = baseline if several else baseline[1:]
    model = replace(
        compared,
        groups=tuple(groups),
        baseline=replace(compared.baseline, groups=tuple(chosen)),
    )
    (found,) = draws_of_counts(replace(run, models=(model,)), 1000)
    mu = read(posterior_bytes(found, full=False))["baseline_posterior"]["mu"]
    assert mu.dims == ("chain", "draw", "group")
    assert mu["group"].values.tolist() == (["V1", "V2"] if several else ["V2"])

"""Groups from table to results: each is fitted as if it were alone, and they are compared."""

import csv
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import xarray as xr

from spikepool import pipeline
from spikepool.config_file import resolve_config
from spikepool.engines.seeds import group_seed
from spikepool.errors import NotIdentifiableError
from spikepool.pipeline import plan_run, run
from spikepool.posterior.draws import Posterior
from spikepool.progress import Silent
from spikepool.runs import part_fits

SEED = 7
SIZES = {"V1": 7, "V2": 6}
NUTS = {"engine": "nuts", "draws": 200, "tune": 200, "chains": 2, "retry": False}


def rows():
    """Return 13 neurons with ten trials each, whose areas take turns; one of V2 is silent."""
    rng = np.random.default_rng(5)
    made = []
    for i in range(sum(SIZES.values())):
        area = "V1" if i % 2 == 0 else "V2"
        rate = np.exp(rng.normal(2.0 if area == "V1" else 1.0, 0.6))
        counts = rng.poisson(rate * rng.gamma(6, 1 / 6, 10) * 0.5) * (i != 5)
        made += [(f"n{i}", t, y, 0.5, area) for t, y in enumerate(counts)]
    return made


def write(path, chosen):
    """Write a table and return its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("neuron", "trial", "count", "duration", "area"))
        writer.writerows(chosen)
    return str(path)


def configure(table, *, group=("area",), where=None, model=None, seed=SEED, **engine):
    """Return the configuration of a run."""
    given = {"tables": [table], "group": list(group), **({"where": where} if where else {})}
    sections = {"input": given, "model": model or {}, "engine": {"seed": seed, **engine}}
    return resolve_config({}, sections)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Write the table."""
    return write(tmp_path_factory.mktemp("table") / "counts.csv", rows())


def fitted(config):
    """Fit and return the results, nothing written."""
    return plan_run(config).fit(Silent())


def tables_of(config, results):
    """Return the tables of a run as rows, by name."""
    tables = plan_run(config).tables(results)
    return {name: table.to_pylist() for name, table in tables.items()}


@pytest.fixture(scope="module")
def together(table):
    """Fit both areas in one run: Poisson and NB2, partially pooled."""
    config = configure(table, model={"pooling": ["partial"]})
    results = fitted(config)
    return results, tables_of(config, results)


@pytest.fixture(scope="module", params=SIZES)
def alone(request, table, together):
    """Fit one area alone, with the priors and the random numbers that it has in the other run."""
    area = request.param
    priors = together[0].priors
    config = configure(
        table,
        group=(),
        where=f"area == '{area}'",
        model={"pooling": ["partial"], "prior": [f"mu={priors.mu}"]},
        seed=group_seed(SEED, area),
    )
    mean = float(priors.mu.mean)
    plan = plan_run(config)
    exact = replace(plan.models.priors, mu=replace(plan.models.priors.mu, mean=mean))
    assert abs(plan.models.priors.mu.mean - mean) < 1e-3
    results = replace(plan, models=replace(plan.models, priors=exact)).fit(Silent())
    return area, results, tables_of(config, results)


def test_groups_are_fitted_as_if_they_were_alone(together, alone):
    """Every number of every neuron and of the population is that of a run of the area's rows."""
    area, _, tables = alone
    _, both = together
    own = [row for row in both["estimates"] if row["group"] == area]
    assert len(own) == len(tables["estimates"]) == 2 * SIZES[area]
    for found, wanted in zip(own, tables["estimates"], strict=True):
        differ = {name for name in wanted if found.get(name) != wanted[name]}
        assert differ <= {"group", "area"}
    population = [row for row in both["population"] if row["group"] == area]
    for found, wanted in zip(population, tables["population"], strict=True):
        assert {**found, "group": "all"} == wanted


def test_draws_and_left_out_densities_are_put_together(together, alone):
    """θ, δ and hyperparameters of each draw, and the density of every cell."""
    area, results, _ = alone
    both, _ = together
    group = both.tally.groups.index(area)
    neurons, cells = both.tally.group == group, both.tally.cells_of_group(group)
    for found, wanted in zip(both.models, results.models, strict=True):
        np.testing.assert_array_equal(found.leave_out.trial[cells], wanted.leave_out.trial)
        np.testing.assert_array_equal(found.leave_out.neuron[neurons], wanted.leave_out.neuron)
        of = found.groups[group]
        assert of.group == area
        for name, values in wanted.groups[0].hyperparameters.items():
            np.testing.assert_array_equal(of.hyperparameters[name], values)
    found, wanted = both.primary_model.draws, results.primary_model.draws
    np.testing.assert_array_equal(found.theta[..., neurons], wanted.theta)
    np.testing.assert_array_equal(found.delta[..., neurons], wanted.delta)


def test_groups_have_random_numbers_of_their_own(together):
    """Else their draws would go together, and contrasts of joint draws come out too narrow."""
    first, second = (of.hyperparameters["mu"][0] for of in together[0].primary_model.groups)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(len(first))


def test_order_of_rows_does_not_matter(together, table, tmp_path):
    """The same tables, byte for byte."""
    shuffled = rows()
    np.random.default_rng(1).shuffle(shuffled)
    config = configure(write(tmp_path / "shuffled.csv", shuffled), model={"pooling": ["partial"]})
    assert tables_of(config, fitted(config)) == together[1]


def test_contrasts_are_those_of_the_populations(together):
    """V2 against V1: medians of ratios near the ratios of medians; every model, every parameter."""
    tables = together[1]
    rows_of = {(row["family"], row["group"], row["parameter"]): row for row in tables["population"]}
    assert len(tables["contrasts"]) == len(tables["population"]) / 2
    for row in tables["contrasts"]:
        assert (row["group"], row["reference"]) == ("V2", "V1")
        own, other = (rows_of[row["family"], g, row["parameter"]] for g in ("V2", "V1"))
        sd = np.hypot(own["upper"] - own["lower"], other["upper"] - other["lower"]) / 4
        wanted = own["median"] - other["median"]
        assert row["difference_median"] == pytest.approx(wanted, abs=0.4 * sd)
        assert 0 <= row["prob_greater"] <= 1
        assert row["is_primary"] == (row["family"] == "nb2")


def test_one_group_changes_nothing(table, tmp_path):
    """A column with one label gives the tables of a run without it, but for its name."""
    chosen = [row for row in rows() if row[4] == "V1"]
    path = write(tmp_path / "one.csv", chosen)
    options = {"pooling": ["partial"], "family": ["poisson"]}
    grouped, plain = (configure(path, group=g, model=options) for g in (("area",), ()))
    with_group, without = (tables_of(config, fitted(config)) for config in (grouped, plain))
    for name, of in without.items():
        for found, wanted in zip(with_group[name], of, strict=True):
            assert {key for key in wanted if found.get(key) != wanted[key]} <= {"group", "area"}
    assert with_group["contrasts"] == []


def test_complete_pooling_is_within_groups(table):
    """Each group has its own rate; without pooling the table stays whole."""
    config = configure(table, model={"pooling": ["none", "complete"], "family": ["poisson"]})
    results = fitted(config)
    apart, shared = results.models
    assert [of.group for of in apart.groups] == ["all"]
    rate = shared.estimates.rate.mean
    tally = results.tally
    for group in (0, 1):
        own = tally.group == group
        # a flat prior would give a gamma posterior with this mean
        wanted = tally.spike_count[own].sum() / tally.total_exposure[own].sum()
        assert np.ptp(rate[own]) == 0
        assert rate[own][0] == pytest.approx(wanted, rel=0.01)
    typical = next(c for c in shared.contrasts if c.parameter == "typical_rate")
    assert typical.ratio_median == pytest.approx(rate[1] / rate[0], rel=0.02)


def test_a_group_of_one_neuron_is_refused(tmp_path):
    """By its name, before anything is fitted."""
    chosen = [row for row in rows() if row[4] == "V1" or row[0] == "n1"]
    with pytest.raises(NotIdentifiableError, match="group 'V2' has one neuron"):
        plan_run(configure(write(tmp_path / "single.csv", chosen)))


@pytest.fixture(scope="module")
def sampled(table, tmp_path_factory):
    """Sample both areas by NUTS, all draws kept."""
    out = tmp_path_factory.mktemp("sampled") / "out"
    config = configure(table, model={"pooling": ["partial"], "family": ["poisson"]}, **NUTS)
    report = config.report.model_copy(update={"posterior": "full", "plots": ()})
    outcome = run(config.model_copy(update={"report": report}), out)
    return out, outcome


class TestSampled:
    """By the other engine, to an output folder."""

    def test_posterior_has_a_dimension_of_groups(self, sampled):
        """Hyperparameters by group, θ by neuron."""
        out, _ = sampled
        with xr.open_dataset(out / "posterior/poisson-partial.nc", group="posterior") as found:
            assert found["mu"].dims == ("chain", "draw", "group")
            assert found["group"].values.tolist() == ["V1", "V2"]
            assert found["theta"].dims == ("chain", "draw", "neuron")
            mean = found["mu"].mean(("chain", "draw")).values
        assert mean[0] - mean[1] == pytest.approx(1.0, abs=1.2)

    def test_diagnostics_are_by_group(self, sampled):
        """A sampler each; every quantity of a group's own neurons."""
        out, _ = sampled
        found = pq.read_table(out / "diagnostics.parquet").to_pylist()
        samplers = [row["group"] for row in found if row["parameter"] == "sampler"]
        assert samplers == ["V1", "V2"]
        thetas = [row["group"] for row in found if row["parameter"] == "theta"]
        assert {group: thetas.count(group) for group in SIZES} == SIZES

    def test_problems_name_the_group(self, sampled):
        """Too few draws, of whichever group."""
        _, outcome = sampled
        assert all(
            problem.startswith(("Poisson partial: V1: ", "Poisson partial: V2: "))
            for problem in outcome.problems
        )

    def test_summary_has_contrasts(self, sampled):
        """For the terminal and for programs."""
        _, outcome = sampled
        (model,) = outcome.summary["models"]
        assert {each["parameter"] for each in model["contrasts"]} >= {"mu", "tau", "typical_rate"}
        assert [each["group"] for each in model["population"]] == ["V1", "V2"]


def test_one_engine_computes_all_groups_of_a_model(table, monkeypatch):
    """Where one group has to be sampled the others are too, and a notice says so."""
    compute, asked = part_fits.compute_posterior, []

    def fail_first(spec, tally, priors, options, *rest) -> Posterior:
        asked.append((tally.groups, options.engine))
        if tally.groups == ("V2",) and options.engine == "auto":
            options = options.model_copy(update={"engine": "nuts"})
        return compute(spec, tally, priors, options, *rest)

    monkeypatch.setattr(part_fits, "compute_posterior", fail_first)
    few = {**NUTS, "engine": "auto", "draws": 50, "tune": 50}
    model = {"pooling": ["partial"], "family": ["poisson"]}
    results = fitted(configure(table, model=model, **few))
    assert asked == [(("V1",), "auto"), (("V2",), "auto"), (("V1",), "nuts")]
    assert {of.convergence.engine for of in results.primary_model.groups} == {"nuts"}
    assert np.isnan(results.primary_model.leave_out.neuron).all()
    assert any("the other groups were sampled by nuts too" in n.message for n in results.notices)


def test_end_to_end_with_plots(table, tmp_path):
    """The picture of groups is drawn, and the contrast is printed in the log."""
    config = configure(table, model={"pooling": ["partial"], "family": ["poisson"]})
    out = tmp_path / "out"
    pipeline.run(config, out)
    assert (out / "plots/groups.png").stat().st_size > 5_000
    log = (out / "run.log").read_text(encoding="utf-8")
    assert "V2 / V1" in log
    assert "groups (neurons), each with a population of its own: V1 (7), V2 (6)" in log

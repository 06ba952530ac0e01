"""Tables say what the results say, under the names of the schema."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.data.spike_counts import Factor
from spikepool.models.spec import ModelSpec
from spikepool.posterior.mixing import ParameterDiagnostics
from spikepool.posterior.quadrature import ChainCheck
from spikepool.report.identifiability import parameter_flags
from spikepool.report.schema import FLAGS, table_schemas
from spikepool.report.tables import make_tables


@pytest.fixture
def tables(run):
    """Return every table of the small run."""
    return make_tables(run)


def column(table, name):
    """Return a column as a list."""
    return table.column(name).to_pylist()


def test_columns_are_those_of_the_schema_in_order(tables):
    """The input's own columns come last, and only in the tables of neurons."""
    for name, columns in table_schemas().items():
        taken = "input_flags" if "flags" in {column.name for column in columns} else "flags"
        carried = ["depth", taken] if name in {"estimates", "neurons", "evoked"} else []
        assert tables[name].column_names == [c.name for c in columns] + carried


def test_fields_carry_description_and_unit(tables):
    """A Parquet reader finds what a column means, with the unit that holds here."""
    for name, columns in table_schemas().items():
        for described in columns:
            found = tables[name].schema.field(described.name).metadata
            assert found[b"description"].decode() == described.description
    units = {f.name: f.metadata[b"unit"].decode() for f in tables["estimates"].schema}
    assert units["rate_mean"] == "spikes/s"
    assert units["log_rate_mean"] == "ln(spikes/s)"
    assert units["exposure"] == "s"


def test_estimates_have_every_model_and_neuron(run, tables):
    """Models in the order fitted, neurons within; values where they belong."""
    estimates = tables["estimates"]
    n = run.tally.n_neurons
    assert column(estimates, "neuron") == list(run.tally.neurons) * len(run.models)
    for i, model in enumerate(run.models):
        rows = estimates.slice(i * n, n)
        assert set(column(rows, "pooling")) == {model.spec.pooling}
        np.testing.assert_array_equal(column(rows, "rate_mean"), model.estimates.rate.mean)
        np.testing.assert_array_equal(column(rows, "rate_upper"), model.estimates.rate.upper)
        assert column(rows, "is_primary") == [model.spec == run.primary] * n
    assert set(column(estimates, "level")) == {"neuron"}
    assert set(column(estimates, "condition")) == {None}
    assert column(estimates, "group")[:4] == ["V1", "V2", "V1", "V2"]


def test_neurons_show_raw_beside_every_pooling(run, tables):
    """The primary model's rows, with the rates of the same family under other poolings."""
    neurons = tables["neurons"]
    means = {model.spec.name: model.estimates.rate.mean for model in run.models}
    np.testing.assert_array_equal(column(neurons, "rate_mean"), means["nb2-partial"])
    np.testing.assert_array_equal(column(neurons, "rate_mean_none"), means["nb2-none"])
    np.testing.assert_array_equal(column(neurons, "rate_mean_complete"), means["nb2-complete"])


def test_a_pooling_that_was_not_fitted_is_empty(run, make_run):
    """With Poisson as primary there is no unpooled Poisson here."""
    poisson = ModelSpec("poisson", "partial", None)
    tables = make_tables(make_run(primary=poisson))
    assert set(column(tables["neurons"], "rate_mean_none")) == {None}
    assert set(column(tables["neurons"], "gain_sd_median")) == {None}
    assert set(column(tables["overdispersion"], "prob_fano_above")) == {None}


def test_carried_columns_keep_text_and_gaps(tables):
    """Text as written; a name that a result has gets a prefix."""
    depth = ["100", "0.50", None, "NA", "-7", "=1+1"]
    assert column(tables["neurons"], "depth") == depth
    assert column(tables["estimates"], "depth") == depth * 4
    assert column(tables["neurons"], "input_flags") == ["x"] * 6


def test_flags_of_the_primary_model(tables):
    """One silent neuron, one of a single trial, one too regular."""
    assert column(tables["neurons"], "flags") == [
        "",
        "silent no_count_above_1 dispersion_from_prior",
        "few_trials no_count_above_1",
        "few_trials",
        "one_trial few_trials dispersion_from_prior",
        "underdispersed",
    ]


def test_flags_follow_the_model(tables):
    """Poisson has no gain to flag; a shared dispersion is flagged for every neuron."""
    flags = column(tables["estimates"], "flags")
    assert flags[1] == "silent"
    assert all("shared_dispersion" in each for each in flags[12:18])
    elsewhere = {"not_identified", "one_trial_of_each_condition"}
    assert {word for each in flags for word in each.split()} == set(FLAGS) - elsewhere


def test_what_the_design_cannot_tell_is_a_row_for_each_neuron_or_group(run, tables):
    """Three neurons in each group; what the single neurons lack, and what they have enough of."""
    rows = tables["identifiability"].to_pylist()
    of = {(row["rule"], row["severity"], row["scope"], row["subject"]) for row in rows}
    assert {("few_neurons", "weak", "group", name) for name in ("V1", "V2")} <= of
    assert ("silent", "weak", "neuron", "7") in of
    assert ("one_trial", "weak", "neuron", run.tally.neurons[4]) in of
    gain = [row for row in rows if row["rule"] == "gain_information" and row["scope"] == "neuron"]
    assert sorted(row["subject"] for row in gain) == sorted(run.tally.neurons)
    (first,) = (row for row in gain if row["subject"] == "007")
    # 19 spikes in 6 equal trials: 19 · 18 (1/6 − 1/36), and 1 + 128 / m² trials
    assert first["found"] == pytest.approx(19 * 18 * 5 / 36)
    assert first["least_dispersion"] == pytest.approx((8 / 47.5) ** 0.25)
    assert first["trials_wanted"] == 14


def test_flags_of_populations_name_the_rules(run):
    """Of the parameters that a rule is about, and of the groups."""
    findings = [each for each in run.findings if each.rule.name == "few_neurons"]
    partial = run.primary
    assert parameter_flags("tau", partial, ["V1"], findings) == "few_neurons"
    assert parameter_flags("rate_spread_fold", partial, ["V2"], findings) == "few_neurons"
    for parameter, group in (("tau", "V3"), ("mu", "V1"), ("baseline_tau", "V1")):
        assert parameter_flags(parameter, partial, [group], findings) == ""
    refused = [replace(each, severity="refused") for each in findings]
    assert parameter_flags("tau", partial, ["V3", "V1"], refused) == "not_identified"


def test_every_number_of_a_refused_model_is_marked(run, make_run):
    """In the tables of neurons and of populations; other models are not."""
    (few,) = (each for each in run.findings if each.rule.name == "few_neurons")
    refused = replace(few, severity="refused", scope="design", specs=(run.primary,))
    tables = make_tables(make_run(findings=(refused,)))
    assert all("not_identified" in each for each in column(tables["neurons"], "flags"))
    tau = [row for row in tables["population"].to_pylist() if row["parameter"] == "tau"]
    assert {row["flags"] for row in tau if row["family"] == "nb2"} == {"not_identified"}
    assert {row["flags"] for row in tau if row["family"] == "poisson"} == {""}


def test_nan_is_null_and_infinity_stays(tables):
    """An undefined number is an empty cell; no upper bound is infinity."""
    measured = tables["overdispersion"]
    assert column(measured, "fano_raw") == [2.5, None, 1.0, 1.6, None, 0.0]
    assert column(measured, "fano_upper")[2] == np.inf
    assert column(tables["neurons"], "realised_weight")[1] is None
    for table in tables.values():
        for values in table.columns:
            assert not any(isinstance(v, float) and np.isnan(v) for v in values.to_pylist())


def test_sessions_have_a_row_each_and_one_of_all(accompanied_run, tables):
    """What was not measured is empty; without sessions there is no row."""
    sessions = make_tables(accompanied_run)["sessions"]
    assert column(sessions, "session") == ["s1", "s2", None]
    assert column(sessions, "correlation_lower") == [0.08, None, 0.08]
    assert column(sessions, "untested") == [None, "no two neurons share trials", None]
    assert tables["sessions"].num_rows == 0


def test_pairs_have_a_row_for_each_method(matched_run, tables):
    """The model stands in the rows of the posterior alone; without pairs there is no row."""
    matched = make_tables(matched_run)["matched_fano"]
    rows = list(zip(*(column(matched, name) for name in ("set", "method", "family")), strict=True))
    assert rows == [
        ("V2", "raw", None), ("V2", "matched", None), ("V2", "posterior", "nb2"),
        ("90", "raw", None), ("90", "matched", None),
    ]  # fmt: skip
    assert column(matched, "difference_lower") == [0.25, 0.25, 0.25, 0.25, None]
    assert column(matched, "prob_greater") == [None, None, 0.96, None, None]
    assert tables["matched_fano"].num_rows == 0


def test_without_groups_the_group_is_empty(run, make_run):
    """No column was given, so none is invented."""
    counts = replace(run.counts, group=None)
    tables = make_tables(make_run(counts=counts))
    assert set(column(tables["neurons"], "group")) == {None}
    assert set(column(tables["overdispersion"], "group")) == {None}


def test_population_is_one_row_per_parameter(run, tables):
    """Hyperparameters and the same in words, for each model that has them."""
    rows = [(m.spec.pooling, p.parameter) for m in run.models for p in m.population]
    population = tables["population"]
    assert (
        list(zip(column(population, "pooling"), column(population, "parameter"), strict=True))
        == rows
    )
    assert set(column(population, "median")) == {1.4}


def with_mixing(run, mixing, **sampler):
    """Change the first model's diagnostics."""
    first = run.models[0]
    (whole,) = first.groups
    convergence = replace(
        whole.convergence,
        parameters=(mixing,),
        sampler=replace(whole.convergence.sampler, **sampler),
    )
    changed = replace(first, groups=(replace(whole, convergence=convergence),))
    return replace(run, models=(changed, *run.models[1:]))


@pytest.mark.parametrize(
    ("r_hat", "ess_bulk", "ess_tail", "passed"),
    [
        (1.01, 400, 400, True),
        (1.0101, 400, 400, False),
        (1.0, 399, 400, False),
        (1.0, 400, 399, False),
        (np.nan, 400, 400, False),
        (1.0, np.nan, 400, False),
        (1.0, 400, np.nan, False),
    ],
)
def test_a_parameter_passes_within_every_limit(run, r_hat, ess_bulk, ess_tail, passed):
    """R-hat at most 1.01 and 100 effective draws for each of four chains; NaN fails."""
    mixing = ParameterDiagnostics("mu", ("",), *np.array([[r_hat], [ess_bulk], [ess_tail]]))
    diagnostics = make_tables(with_mixing(run, mixing))["diagnostics"]
    assert column(diagnostics, "parameter")[:2] == ["sampler", "mu"]
    assert column(diagnostics, "neuron")[1] is None
    assert column(diagnostics, "passed")[1] is passed


@pytest.mark.parametrize(
    ("divergences", "bfmi", "passed"),
    [(0, 0.3, True), (1, 0.9, False), (0, 0.29, False), (0, np.nan, False)],
)
def test_the_sampler_passes_without_divergences_and_with_energy(run, divergences, bfmi, passed):
    """The sampler's row has the least BFMI of its chains."""
    mixing = ParameterDiagnostics("theta", run.tally.neurons, *np.ones((3, 6)))
    changed = with_mixing(run, mixing, divergences=divergences, bfmi=np.array([0.9, bfmi]))
    row = make_tables(changed)["diagnostics"].slice(0, 2).to_pylist()
    assert (row[0]["parameter"], row[0]["divergences"]) == ("sampler", divergences)
    assert row[0]["passed"] is passed
    assert row[0]["bfmi"] == (None if np.isnan(bfmi) else bfmi)
    assert (row[1]["neuron"], row[1]["divergences"]) == ("007", None)


class TestFactors:
    """Each column of conditions stands in `estimates` as itself."""

    DIRECTION = Factor("direction", ("0", "45", "45"), 360.0)
    EYE = Factor("eye", ("R", "L", "R"))

    def test_rows_of_conditions_have_their_labels(self, in_conditions):
        """Numbers as numbers, text as text; empty in the rows of whole neurons."""
        run = in_conditions(self.DIRECTION, self.EYE)
        estimates = make_tables(run)["estimates"]
        names = [c.name for c in table_schemas()["estimates"]]
        assert estimates.column_names == [*names, "direction", "eye", "depth", "input_flags"]
        rows = [
            tuple(row[name] for name in ("condition", "direction", "eye"))
            for row in estimates.to_pylist()
        ]
        assert set(rows) == {
            (None, None, None), ("0/R", 0.0, "R"), ("45/L", 45.0, "L"), ("45/R", 45.0, "R"),
        }  # fmt: skip
        own = [row for row in estimates.to_pylist() if row["level"] == "neuron×condition"]
        assert [row["neuron"] for row in own[:4]] == ["007", "007", "007", "7"]
        assert all(row["depth"] == "100" for row in own[:3])

    def test_they_are_described(self, in_conditions):
        """With the unit of a circular one."""
        schema = make_tables(in_conditions(self.DIRECTION, self.EYE))["estimates"].schema
        assert schema.field("direction").metadata[b"unit"] == b"degrees"
        assert schema.field("eye").metadata[b"unit"] == b""
        assert b"'eye', a factor of the condition" in schema.field("eye").metadata[b"description"]

    def test_neurons_have_no_conditions(self, in_conditions):
        """One row per neuron."""
        neurons = make_tables(in_conditions(self.DIRECTION, self.EYE))["neurons"]
        assert not {"direction", "eye"} & set(neurons.column_names)

    def test_taken_names_get_a_prefix(self, in_conditions):
        """Of the results' own, and of one another."""
        factors = (
            Factor("condition", ("a", "b")), Factor("exposure", ("1", "2")),
            Factor("depth", ("x", "y")),
        )  # fmt: skip
        names = make_tables(in_conditions(*factors))["estimates"].column_names
        added = names[len(table_schemas()["estimates"]) :]
        assert added == ["input_condition", "input_exposure", "depth", "input_depth", "input_flags"]

    def test_a_column_named_condition_is_there_already(self, in_conditions):
        """Alone it is not repeated."""
        estimates = make_tables(in_conditions(Factor("condition", ("a", "b"))))["estimates"]
        assert "input_condition" not in estimates.column_names
        assert set(column(estimates, "condition")) == {None, "a", "b"}


class TestCollapsed:
    """Tables of a run without chains."""

    @pytest.fixture
    def of_collapsed(self, collapsed_run):
        """Return every table."""
        return make_tables(collapsed_run)

    def test_comparison_has_every_model_twice(self, collapsed_run, of_collapsed):
        """By trials left out, then by neurons; the whole table, then its two groups."""
        rows = of_collapsed["comparison"].to_pylist()
        groups = ("all", "V1", "V2")
        assert [row["group"] for row in rows] == [
            g for _ in range(2) for g in groups for _ in "1234"
        ]
        names = [(row["family"], row["pooling"], row["left_out"]) for row in rows]
        specs = [(model.spec.family, model.spec.pooling) for model in collapsed_run.models]
        kinds = ("trial", "neuron")
        assert names == [(*spec, kind) for kind in kinds for _ in groups for spec in specs]
        assert {row["engine"] for row in rows} == {"collapsed"}
        assert [row["is_primary"] for row in rows] == 6 * [False, False, False, True]
        for row, score in zip(rows, collapsed_run.scores, strict=True):
            assert (row["elpd"], row["elpd_se"]) == (score.elpd, score.elpd_se)
            assert row["elpd_difference"] == score.difference
            assert row["elpd_difference_se"] == score.difference_se
            assert row["stacking_weight"] == score.weight
            assert row["pareto_k"] == score.pareto_k
        assert {row["elpd_difference"] for row in rows if row["is_primary"]} == {0}

    def test_runs_by_chains_have_no_comparison(self, tables):
        """No row, and the same columns."""
        assert tables["comparison"].num_rows == 0
        assert set(column(tables["estimates"], "elpd_trials")) == {None}
        assert set(column(tables["neurons"], "elpd_neuron")) == {None}

    def test_neurons_have_their_own_scores(self, collapsed_run, of_collapsed):
        """They sum to the model's."""
        neurons, estimates = of_collapsed["neurons"], of_collapsed["estimates"]
        for kind, score in (("trials", 3), ("neuron", 15)):
            own = column(neurons, f"elpd_{kind}")
            assert own == column(estimates, f"elpd_{kind}")[-6:]
            assert sum(own) == pytest.approx(collapsed_run.scores[score].elpd)

    def test_diagnostics_are_those_of_the_certificate(self, run, of_collapsed):
        """A row for the hyperparameters, and one for each neuron that was checked."""
        rows = of_collapsed["diagnostics"].to_pylist()
        rows = [row for row in rows if (row["family"], row["pooling"]) == ("nb2", "partial")]
        assert [row["parameter"] for row in rows] == ["hyperparameters"] + ["quadrature"] * 5
        first, *others = rows
        assert (first["ess_bulk"], first["pareto_k"], first["outside"]) == (1234.5, 0.25, 0.0)
        assert first["neuron"] is None
        assert [row["neuron"] for row in others] == [run.tally.neurons[i] for i in (0, 1, 2, 4, 5)]
        assert others[3]["refinement_error"] == 1e-9
        assert others[3]["direct_error"] == 4e-7
        assert all(row["passed"] for row in rows)
        for row in rows:
            assert row["r_hat"] is row["ess_tail"] is row["bfmi"] is row["divergences"] is None

    @pytest.mark.parametrize(
        ("changes", "passed"),
        [
            ({"pareto_k": 0.7, "ess": 400.0, "outside": 1e-2}, True),
            ({"pareto_k": 0.71}, False),
            ({"ess": 399.9}, False),
            ({"outside": 0.011}, False),
            ({"pareto_k": np.nan, "ess": 1.0}, True),
        ],
    )
    def test_the_sample_passes_within_every_limit(self, make_collapsed_run, changes, passed):
        """k-hat at most 0.7, 400 effective draws, and next to nothing beyond the lattices."""
        diagnostics = make_tables(make_collapsed_run(**changes))["diagnostics"]
        assert column(diagnostics, "passed")[0] is passed

    @pytest.mark.parametrize(("r_hat", "divergences"), [(1.004, 0), (1.011, 0), (1.0, 1)])
    def test_chains_of_hyperparameters_have_their_row(self, make_collapsed_run, r_hat, divergences):
        """Where they were sampled by NUTS: R-hat and divergences in place of a Pareto shape."""
        chains = ChainCheck(r_hat, divergences)
        run = make_collapsed_run(pareto_k=np.nan, ess=900.0, chains=chains)
        row = make_tables(run)["diagnostics"].slice(0, 1).to_pylist()[0]
        assert row["parameter"] == "hyperparameters"
        assert (row["r_hat"], row["divergences"], row["ess_bulk"]) == (r_hat, divergences, 900.0)
        assert row["pareto_k"] is None
        assert row["passed"] is (r_hat <= 1.01 and divergences == 0)

    @pytest.mark.parametrize("kind", ["refinement_error", "direct_error"])
    def test_a_neuron_passes_when_both_errors_are_small(self, make_collapsed_run, kind):
        """At most 1e-5 each; undefined is no pass, but where the direct kernel vouches for none."""
        errors = np.array([1e-5, 1.01e-5, np.nan, np.nan, 0.0, 1.0])
        other = np.zeros(6)
        names = ("refinement_error", "direct_error")
        changes = {name: errors if name == kind else other for name in names}
        rows = make_tables(make_collapsed_run(**changes))["diagnostics"].slice(1, 6)
        undefined = kind == "direct_error"
        assert column(rows, "passed") == [True, False, undefined, undefined, True, False]


def test_labels_have_their_shares(tables):
    """What was found stands there as it is; what is not defined is empty."""
    stim, block, mean, spread = tables["labels"].to_pylist()
    assert stim == {
        "label": "stim", "quantity": "dispersion_share", "levels": 3, "neurons": 4,
        "estimate": 0.75, "estimate_se": 0.05, "pvalue": 0.002, "pvalue_adjusted": 0.004,
        "noticed": True,
    }  # fmt: skip
    assert block["label"] == "block"
    assert block["estimate"] is block["pvalue_adjusted"] is None
    assert not block["noticed"]
    assert (mean["label"], mean["quantity"], mean["estimate"]) == ("animal", "log_rate_mean", 0.9)
    assert (mean["noticed"], spread["noticed"]) == (True, False)
    assert spread["estimate"] is spread["estimate_se"] is None

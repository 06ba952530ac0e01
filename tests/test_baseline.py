"""Baselines from table to results: rates of their own, and responses compared with them."""

import csv
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from spikepool.config_file import read_settings, resolve_config
from spikepool.engines.seeds import baseline_seed, group_seed
from spikepool.errors import NotIdentifiableError
from spikepool.pipeline import plan_run, run
from spikepool.progress import Silent
from spikepool.runs import part_fits

BLANK = 4.0
"""Seconds of a blank; a stimulus lasts one."""
RATES = {"blank": 5.0, "weak": 5.6, "strong": 14.0, "suppressing": 2.0}
"""Of a typical neuron, in spikes/s."""
SIZES = {"V1": 6, "V2": 5}
SEED = 3


def rows(trials=40):
    """Return eleven neurons of two areas; the last has no blank."""
    rng = np.random.default_rng(11)
    names = [(f"n{i:02}", ("V1", "V2")[i % 2]) for i in range(sum(SIZES.values()))]
    made = []
    for neuron, area in names:
        own = np.exp(rng.normal(0.5 if area == "V1" else 0, 0.4))
        for condition, rate in RATES.items():
            if condition == "blank" and neuron == "n10":
                continue
            seconds = BLANK if condition == "blank" else 1.0
            counts = rng.poisson(own * rate * seconds, trials)
            made += [(neuron, area, condition, seconds, y) for y in counts]
    return made


def write(path, chosen):
    """Write a table and return its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("neuron", "area", "condition", "duration", "count"))
        writer.writerows(chosen)
    return str(path)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Write the table."""
    return write(tmp_path_factory.mktemp("table") / "counts.csv", rows())


def configure(table, *, model, engine=None, **given):
    """Return the configuration of a run of Poisson models."""
    sections = {
        "input": {"tables": [table], "baseline_condition": "blank", **given},
        "model": {"family": ["poisson"], **model},
        "engine": {"seed": SEED, **(engine or {})},
        "report": {"plots": []},
    }
    return resolve_config({}, sections)


@pytest.fixture(scope="module")
def alone(table, tmp_path_factory):
    """Fit every neuron and every response alone; return the folder and the rows of `evoked`."""
    folder = tmp_path_factory.mktemp("fit") / "out"
    run(configure(table, model={"pooling": ["none", "complete"]}), folder)
    evoked = pq.read_table(folder / "evoked.parquet").to_pylist()
    return folder, {
        pooling: {
            (row["neuron"], row["condition"]): row for row in evoked if row["pooling"] == pooling
        }
        for pooling in ("none", "complete")
    }


def test_every_response_has_a_row(alone):
    """Of each model and neuron, and of stimuli only."""
    for found in alone[1].values():
        assert len(found) == 11 * 3
        assert {condition for _, condition in found} == set(RATES) - {"blank"}


def test_raw_rates_are_those_of_the_table(alone):
    """Σy/Σe of the rows."""
    counts = [y for neuron, _, condition, _, y in rows() if (neuron, condition) == ("n03", "weak")]
    blanks = [y for neuron, _, condition, _, y in rows() if (neuron, condition) == ("n03", "blank")]
    row = alone[1]["none"]["n03", "weak"]
    assert (row["n_trials"], row["baseline_n_trials"]) == (40, 40)
    assert row["rate_raw"] == pytest.approx(np.mean(counts))
    assert row["baseline_rate_raw"] == pytest.approx(np.mean(blanks) / BLANK)
    assert row["evoked_rate_raw"] == pytest.approx(np.mean(counts) - np.mean(blanks) / BLANK)


def test_evoked_rates_are_differences_of_gamma_posteriors(alone):
    """Without pooling, 40 trials leave nearly nothing of the priors.

    Medians within a fifth of a posterior sd, ends within two fifths, P(response) within 0.08 of
    that of gammas, five Monte Carlo errors each: a false alarm in less than one seed of 1,000.
    """
    rng = np.random.default_rng(1)
    for row in alone[1]["none"].values():
        if row["neuron"] == "n10":
            continue
        spikes = round(row["rate_raw"] * 40), round(row["baseline_rate_raw"] * 40 * BLANK)
        drawn = rng.gamma(spikes[0], 1 / 40, 100_000), rng.gamma(spikes[1], 1 / 40 / BLANK, 100_000)
        wanted = np.quantile(drawn[0] - drawn[1], [0.025, 0.5, 0.975])
        found = [row[f"evoked_rate_{part}"] for part in ("lower", "median", "upper")]
        sd = np.std(drawn[0] - drawn[1])
        assert np.all(np.abs(found - wanted) < 0.2 * sd * np.array([2, 1, 2]))
        below = stats.beta.cdf(1 / (1 + BLANK), *spikes)
        assert row["prob_above_baseline"] == pytest.approx(1 - below, abs=0.08)


def test_neuron_without_blanks_is_left_blank(alone, table):
    """In its rows; it counts among the stimuli all the same, and a notice names it."""
    row = alone[1]["none"]["n10", "strong"]
    assert row["baseline_n_trials"] == 0
    assert row["rate_raw"] > 0
    empty = {name for name, value in row.items() if value is None}
    ends = ("median", "lower", "upper")
    wanted = {
        f"{of}_{end}" for of in ("baseline_rate", "evoked_rate", "rate_ratio") for end in ends
    }
    wanted |= {"baseline_rate_raw", "evoked_rate_raw", "prob_above_baseline"}
    assert empty == wanted | {"group", "dispersion_pooling", "dispersion_scaling"}
    log = (alone[0] / "run.log").read_text(encoding="utf-8")
    assert "1 neuron without a baseline, whose responses are compared with none: n10" in log


def test_complete_pooling_compares_two_rates(alone):
    """One of all stimuli and one of all blanks: every row says the same."""
    found = [row for row in alone[1]["complete"].values() if row["neuron"] != "n10"]
    assert len({row["evoked_rate_median"] for row in found}) == 1
    made = rows()
    rate = {
        blank: sum(r[4] for r in chosen) / sum(r[3] for r in chosen)
        for blank in (True, False)
        for chosen in [[r for r in made if (r[2] == "blank") == blank]]
    }
    assert found[0]["evoked_rate_median"] == pytest.approx(rate[False] - rate[True], abs=0.1)
    assert found[0]["prob_above_baseline"] == 1


def test_other_tables_have_the_baseline_under_names_of_its_own(alone):
    """Diagnostics and population; estimates and Fano factors are of the stimuli."""
    folder, _ = alone
    tables = {
        name: pq.read_table(folder / f"{name}.parquet").to_pylist()
        for name in ("estimates", "population", "diagnostics", "overdispersion")
    }
    complete = {row["parameter"]: row for row in tables["population"]}
    assert complete["baseline_typical_rate"]["median"] < complete["typical_rate"]["median"]
    parameters = [row["parameter"] for row in tables["diagnostics"] if row["pooling"] == "none"]
    assert parameters.count("baseline_quadrature") == 10
    assert all(row["n_trials"] == 120 for row in tables["overdispersion"])
    assert "blank" not in {row["condition"] for row in tables["estimates"]}


def test_terminal_says_what_was_found(alone):
    """What was taken out, and how many responses differ from it."""
    log = (alone[0] / "run.log").read_text(encoding="utf-8")
    told = "baseline, fitted apart (condition = blank): 400 trials · 10 neurons · exposure 4 s"
    assert told in log
    probabilities = [row["prob_above_baseline"] for row in alone[1]["none"].values()]
    known = [p for p in probabilities if p is not None]
    above, below = sum(p > 0.975 for p in known), sum(p < 0.025 for p in known)
    assert min(above, below) >= 10
    assert (
        f"evoked     {above} of 30 responses above baseline and {below} below "
        f"(probability > 0.975), {30 - above - below} undecided"
    ) in log


def test_groups_have_baselines_of_their_own(table, monkeypatch):
    """Each fitted alone, with random numbers that no other fit has; here one rate for all."""
    compute, asked = part_fits.compute_posterior, []

    def note(spec, tally, priors, options, *rest):
        asked.append((tally.groups, tally.n_neurons, options.seed))
        return compute(spec, tally, priors, options, *rest)

    monkeypatch.setattr(part_fits, "compute_posterior", note)
    config = configure(table, model={"pooling": ["complete"]}, group=["area"])
    results = plan_run(config).fit(Silent())
    seeds = [group_seed(seed, g) for seed in (SEED, baseline_seed(SEED)) for g in SIZES]
    assert asked == [
        (("V1",), 6, seeds[0]), (("V2",), 5, seeds[1]),
        (("V1",), 5, seeds[2]), (("V2",), 5, seeds[3]),
    ]  # fmt: skip
    assert len(set(seeds)) == 4
    found = {(e.group, e.parameter): e for e in results.primary_model.baseline.population}
    for group in SIZES:
        blanks = [row for row in rows() if row[1:3] == (group, "blank")]
        wanted = sum(row[4] for row in blanks) / sum(row[3] for row in blanks)
        assert found[group, "typical_rate"].median == pytest.approx(wanted, rel=0.01)
    (model,) = plan_run(config).summarise(results, 1.0)["models"]
    assert [each["group"] for each in model["baseline"]["population"]] == ["V1", "V2"]


def test_problems_of_the_baseline_are_problems_of_the_run(table, monkeypatch):
    """Whatever the stimuli's fit says."""
    check = part_fits.check_convergence

    def fail_blanks(posterior):
        found = check(posterior)
        blanks = len(posterior.draws.neurons) == 10
        return replace(found, problems=("made up",)) if blanks else found

    monkeypatch.setattr(part_fits, "check_convergence", fail_blanks)
    results = plan_run(configure(table, model={"pooling": ["complete"]})).fit(Silent())
    assert results.problems == ("Poisson complete: baseline: made up",)
    assert results.status == "not_converged"


def test_a_configuration_file_can_ask_for_it(table, tmp_path):
    """As the option does; one stimulus that is left has no conditions to pool."""
    path = tmp_path / "fit.toml"
    path.write_text(
        f"[input]\ntables = ['{table}']\nbaseline_condition = 'blank'\n"
        "where = \"condition in ['blank', 'strong']\"\n"
        "[model]\nfamily = ['poisson']\npooling = ['complete']\n",
        encoding="utf-8",
    )
    plan = plan_run(resolve_config(read_settings(path), {}))
    assert plan.models.primary.condition_pooling is None
    assert plan.data()["baseline"]["trials"] == 400
    rows = plan.tables(plan.fit(Silent()))["evoked"].to_pylist()
    assert {row["condition"] for row in rows} == {"strong"}
    assert len(rows) == 11


class TestRefused:
    """Before anything is fitted, what blanks cannot tell."""

    def test_dispersion_from_single_blanks(self, tmp_path):
        """One for each neuron."""
        seen, chosen = set(), []
        for row in rows(trials=3):
            if row[2] != "blank" or row[0] not in seen:
                chosen.append(row)
            if row[2] == "blank":
                seen.add(row[0])
        path = write(tmp_path / "single.csv", chosen)
        with pytest.raises(
            NotIdentifiableError, match=r"without a stimulus: .* repeated trials"
        ) as caught:
            plan_run(configure(path, model={"family": ["nb2"]}))
        assert caught.value.exit_code == 4
        assert plan_run(configure(path, model={})).models.baseline is not None

    def test_population_of_one_neuron(self, tmp_path):
        """With blanks, in a group."""
        chosen = [r for r in rows(trials=3) if r[2] != "blank" or r[1] == "V1" or r[0] == "n01"]
        path = write(tmp_path / "one.csv", chosen)
        with pytest.raises(NotIdentifiableError, match=r"without a stimulus: .*group 'V2' has one"):
            plan_run(configure(path, model={"pooling": ["partial"]}, group=["area"]))
        plan = plan_run(configure(path, model={"pooling": ["none"]}, group=["area"]))
        assert plan.models.baseline.tally.n_neurons == 6


def in_columns(chosen):
    """Give every stimulus a window before it, and write the windows as blanks instead too."""
    rng = np.random.default_rng(12)
    stimuli = [row for row in chosen if row[2] != "blank"]
    before = [(BLANK, int(y)) for y in rng.poisson(9.0, len(stimuli))]
    windows = [row + pre for row, pre in zip(stimuli, before, strict=True)]
    blanks = [(*row[:2], "blank", *pre) for row, pre in zip(stimuli, before, strict=True)]
    return windows, stimuli + blanks


def test_windows_before_stimuli_are_as_blanks(tmp_path):
    """Columns and rows of the same counts give the same numbers, digit by digit."""
    windows, blanks = in_columns(rows(trials=5))
    path = tmp_path / "windows.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("neuron", "area", "condition", "duration", "count", "pre_s", "pre"))
        writer.writerows(windows)
    columns = {"baseline_count": "pre", "baseline_exposure": "pre_s", "baseline_condition": None}
    model = {"pooling": ["complete"]}
    found = plan_run(configure(str(path), model=model, **columns))
    wanted = plan_run(configure(write(tmp_path / "blanks.csv", blanks), model=model))
    assert found.data()["baseline"] == wanted.data()["baseline"] | {"name": "column pre"}
    results = [plan.fit(Silent()) for plan in (found, wanted)]
    evoked = [found.tables(each)["evoked"] for each in results]
    assert evoked[0].equals(evoked[1])
    assert evoked[0].num_rows == 33
    (picture,) = [each for each in found.pictures(results[0]) if each.name == "evoked"]
    assert sorted(picture.data["evoked"]) == sorted(evoked[0]["evoked_rate_median"].to_pylist())
    assert set(picture.data["condition"]) == {"weak", "strong", "suppressing"}
    (stored,) = found.draws(results[0])
    assert stored.baseline.hyperparameters["mu"].shape == stored.hyperparameters["mu"].shape
    assert not np.array_equal(stored.baseline.hyperparameters["mu"], stored.hyperparameters["mu"])

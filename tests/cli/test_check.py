"""`spikepool check`, and the same gate in `fit`: every rule tried from the command line."""

import csv
import io
import json

import pyarrow.parquet as pq
import pytest

HEADER = "neuron,condition,count,duration,area,animal\n"


@pytest.fixture
def write(tmp_path):
    """Return a function from rows (as `HEADER`) to a table."""

    def to_file(rows):
        path = tmp_path / "counts.csv"
        lines = [",".join(map(str, row)) for row in rows]
        path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
        return path

    return to_file


def table(neurons=6, trials=8, level=12, conditions=("a", "b"), **of):
    """Rows of a design in which everything can be told.

    `of` are functions from neuron and trial to the count, the duration, the area or the animal.
    """
    told = {
        "count": lambda i, t: level + 3 * ((i + t) % 4),
        "duration": lambda _i, _t: 1.0,
        "area": lambda _i, _t: "V1",
        "animal": lambda _i, _t: "m",
        "condition": lambda _i, t: conditions[t % len(conditions)],
        **of,
    }
    names = ("condition", "count", "duration", "area", "animal")
    return [
        (f"n{i}", *(told[name](i, t) for name in names))
        for i in range(neurons)
        for t in range(trials)
    ]


PLAIN = ("--condition-pooling", "complete")
GROUPED = (*PLAIN, "--group", "area")
WITHIN = (*GROUPED, "--within", "animal")
REFUSED = {
    "no_repeats": (table(trials=1), ("--family", "nb2")),
    "no_repeats of a group": (
        table(neurons=5) + [(f"x{i}", "a", 9, 1, "V2", "m") for i in range(5)],
        GROUPED,
    ),
    "no_repeated_conditions": (
        table(trials=8, conditions=tuple("abcdefgh")),
        ("--family", "nb2", "--pooling", "partial"),
    ),
    "one_neuron": (table(neurons=1), (*PLAIN, "--pooling", "partial")),
    "one_neuron of a group": (
        [*table(), ("x", "a", 9, 1, "V2", "m"), ("x", "a", 5, 1, "V2", "m")],
        GROUPED,
    ),
    "one_dispersion": (
        table(neurons=1),
        (*PLAIN, "--pooling", "none", "--dispersion-pooling", "partial"),
    ),
    "one_condition_each": (
        table(condition=lambda i, _t: "ab"[i % 2]),
        ("--condition-pooling", "partial"),
    ),
    "one_label": (table(area=lambda i, _t: f"V{i % 2}"), WITHIN),
    "labels_are_groups": (
        table(area=lambda i, _t: f"V{i % 2}", animal=lambda i, _t: f"m{i % 2}"),
        WITHIN,
    ),
    "no_repeats of a baseline": (
        table() + [(f"n{i}", "blank", 9, 1, "V1", "m") for i in range(6)],
        ("--baseline-condition", "blank", "--family", "nb2", "--pooling", "partial"),
    ),
}
WEAK = {
    "few_neurons": (table(neurons=4), PLAIN),
    "few_neurons of a group": (table(neurons=8, area=lambda i, _t: f"V{i % 2}"), GROUPED),
    "no_spikes": (table(count=lambda _i, _t: 0), PLAIN),
    "few_repeats": (
        table(neurons=2, level=90) + [(f"x{i}", "a", 9, 1, "V1", "m") for i in range(6)],
        PLAIN,
    ),
    "few_comparisons": (
        table(condition=lambda i, t: "ab"[t % 2] if i == 0 else "a"),
        ("--pooling", "partial"),
    ),
    "few_conditions": (table(), ("--pooling", "partial", "--condition-effects")),
    "few_labels": (
        table(neurons=12, area=lambda i, _t: f"V{i % 2}", animal=lambda i, _t: f"m{i % 3}"),
        WITHIN,
    ),
    "gain_information": (table(count=lambda i, t: (i + t) % 3), PLAIN),
    "fano_information": (table(trials=3), (*PLAIN, "--family", "nb1")),
    "one_mean_each": (
        table(duration=lambda i, _t: 1 + i),
        (*PLAIN, "--family", "nb1,nb2"),
    ),
    "one_rate_each": (
        table(duration=lambda _i, t: 1 + t % 2),
        (*PLAIN, "--family", "nb1,nb2", "--dispersion-scaling", "duration"),
    ),
}
NEURONS = {
    "silent": (table(count=lambda i, t: 0 if i == 2 else 12 + 3 * (t % 4)), PLAIN),
    "one_trial": ([*table(), ("n2x", "a", 9, 1, "V1", "m")], PLAIN),
    "one_trial_of_each_condition": (
        [*table(), ("n2x", "a", 9, 1, "V1", "m"), ("n2x", "b", 9, 1, "V1", "m")],
        (),
    ),
    "no_count_above_1": (table(count=lambda i, t: t % 2 if i == 2 else 12 + 3 * (t % 4)), PLAIN),
    "gain_information": (table(count=lambda i, t: t % 3 if i == 2 else 12 + 3 * (t % 4)), PLAIN),
}


def rules(found, severity, *scopes):
    """Return the rules that speak of a scope with a severity."""
    return {
        each["rule"]
        for each in found["findings"]
        if each["severity"] == severity and each["scope"] in scopes
    }


class TestRules:
    """Each refusal and warning, one by one."""

    def test_a_good_design_is_all_told(self, write, spikepool):
        """No rule speaks, and every quantity can be told."""
        ended = spikepool("check", write(table()), "--json")
        found = json.loads(ended.out)
        assert (ended.code, found["status"]) == (0, "enough")
        assert rules(found, "weak", "design", "group", "neuron") == set()
        assert {each["verdict"] for each in found["verdicts"]} == {"enough"}
        assert [each["quantity"] for each in found["verdicts"]] == [
            "rates", "spread of rates", "dispersions", "tuning",
        ]  # fmt: skip

    @pytest.mark.parametrize("name", REFUSED)
    def test_refused(self, write, spikepool, tmp_path, name):
        """Exit 4 of `check`, after its report, and of `fit`, with the way out; unless allowed."""
        rows, options = REFUSED[name]
        path = write(rows)
        ended = spikepool("check", path, *options, "--json")
        found = json.loads(ended.out)
        assert (ended.code, found["status"]) == (4, "refused")
        assert name.split()[0] in rules(found, "refused", "design", "group")
        fit = spikepool("fit", path, "-o", tmp_path / "out", *options)
        assert (fit.code, fit.out) == (4, "")
        assert "(or --allow-unidentified)" in fit.err
        allowed = spikepool("check", path, *options, "--allow-unidentified")
        assert allowed.code == 0
        assert "REFUSED  but" in allowed.out
        plan = spikepool("fit", path, "--dry-run", *options, "--allow-unidentified")
        assert plan.code == 0
        assert "! not to be trusted: " in plan.out

    @pytest.mark.parametrize("name", WEAK)
    def test_weak(self, write, spikepool, name):
        """Exit 0; `fit` has the same sentence as a notice."""
        rows, options = WEAK[name]
        path = write(rows)
        ended = spikepool("check", path, *options, "--json")
        found = json.loads(ended.out)
        assert (ended.code, found["status"]) == (0, "weak")
        assert name.split()[0] in rules(found, "weak", "design", "group")
        (message,) = (
            each["message"]
            for each in found["findings"]
            if each["rule"] == name.split()[0] and each["scope"] != "neuron"
        )
        planned = json.loads(spikepool("fit", path, "--dry-run", *options, "--json").out)
        assert message in [each["message"] for each in planned["notices"]]

    @pytest.mark.parametrize("name", NEURONS)
    def test_weak_neurons(self, write, spikepool, name):
        """The third neuron alone, which is no reason for a notice of `fit`."""
        rows, options = NEURONS[name]
        path = write(rows)
        found = json.loads(spikepool("check", path, *options, "--json").out)
        assert found["status"] == "weak_neurons"
        (finding,) = (
            each for each in found["findings"] if (each["rule"], each["severity"]) == (name, "weak")
        )
        assert [each["name"][:2] for each in finding["least"]] == ["n2"]
        planned = json.loads(spikepool("fit", path, "--dry-run", *options, "--json").out)
        assert not planned["notices"] or {n["code"] for n in planned["notices"]} <= {
            "conditions-merged", "exposure-recognised",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("name", "left"),
        [
            ("no_repeats", "poisson"),
            ("no_repeated_conditions", "poisson"),
            ("one_neuron", "none"),
            ("one_condition_each", "conditions-complete"),
        ],
    )
    def test_default_models_are_left_out_instead(self, write, spikepool, name, left):
        """Exit 0: what cannot be told is not fitted, and both commands say so."""
        rows, _ = REFUSED[name]
        options = PLAIN if name == "one_neuron" else ()
        found = json.loads(spikepool("check", write(rows), *options, "--json").out)
        assert found["status"] == "weak"
        assert name in rules(found, "left_out", "design")
        assert all(left in model or "complete" in model for model in found["models"])
        verdicts = {each["quantity"]: each["verdict"] for each in found["verdicts"]}
        quantity = {"one_neuron": "spread of rates", "one_condition_each": "tuning"}
        assert verdicts[quantity.get(name, "dispersions")] == "left_out"
        assert verdicts["rates"] == "enough"


def test_estimates_have_the_rules_of_populations(tmp_path, spikepool):
    """Few of them are weak; one is refused by name and left out by default."""
    path = tmp_path / "estimates.csv"
    path.write_text("neuron,estimate,se\na,3,1\nb,4,1\n", encoding="utf-8")
    ended = spikepool("check", path, "--family", "normal")
    assert ended.code == 0
    assert "! 2 neurons say little about τ" in ended.out
    path.write_text("neuron,estimate,se\na,3,1\n", encoding="utf-8")
    assert spikepool("check", path, "--family", "normal").code == 0
    assert spikepool("check", path, "--family", "normal", "--pooling", "partial").code == 4


def test_what_is_printed(write, spikepool):
    """A line for each rule with the worst neurons and the remedy; then the verdicts."""
    rows = [*table(), ("x", "a", 2, 1, "V1", "m"), ("x", "a", 2, 1, "V1", "m")]
    lines = spikepool("check", write(rows), *PLAIN).out.splitlines()
    assert (
        lines[-8:]
        == [
            "    such as x (3 of 128; 33 trials would do)",
            "    → more trials, or longer windows with more spikes (the median one: 33 trials)",
            "· 6 of 7 neurons could show a gain sd of 0.5 alone",
            "",
            "rates             can be told",
            "spread of rates   can be told",
            "dispersions       can be told · weakly of 1 of 7 neurons alone",
            "",
            "OK  populations can be told; neurons that are weak alone lean on the others",
        ][-8:]
    )
    assert lines[-10].startswith("! 1 of 7 neurons could not show a gain sd of 0.5 alone")


class TestOutput:
    """A table of what was found."""

    def test_is_csv_or_parquet(self, write, spikepool, tmp_path):
        """The same rows; a file that is there is kept, unless forced."""
        path = write(table(neurons=4))
        for name in ("found.csv", "found.parquet"):
            assert spikepool("check", path, *PLAIN, "-o", tmp_path / name).code == 0
        text = (tmp_path / "found.csv").read_text(encoding="utf-8")
        rows = list(csv.DictReader(io.StringIO(text)))
        stored = pq.read_table(tmp_path / "found.parquet").to_pylist()
        assert [row["rule"] for row in rows] == [row["rule"] for row in stored]
        assert {row["subject"] for row in rows} >= {"all", "n0", "n3"}
        assert spikepool("check", path, *PLAIN, "-o", tmp_path / "found.csv").code == 73
        assert spikepool("check", path, *PLAIN, "-o", tmp_path / "found.csv", "--force").code == 0

    def test_needs_a_known_ending(self, spikepool, tmp_path):
        """Exit 2, before anything is read."""
        ended = spikepool("check", tmp_path / "absent.csv", "-o", tmp_path / "found.xlsx")
        assert ended.code == 2
        assert ".csv or .parquet" in ended.err

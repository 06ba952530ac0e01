"""What a person reads after a fit: exact lines, for every kind of run."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from spikepool.config import RunConfig
from spikepool.data.spike_counts import Notice
from spikepool.report.count_text import finding_lines, model_lines
from spikepool.report.summary import summarise_run
from spikepool.report.summary_text import data_lines, log_text, notice_lines, summary_lines


@pytest.fixture
def summary(run):
    """Return the summary of the small run, as it is read back from its file."""
    return json.loads(json.dumps(summarise_run(run, RunConfig(), 11.23456)))


@pytest.fixture
def collapsed(collapsed_run):
    """Return the summary of the small run by the collapsed engine."""
    return json.loads(json.dumps(summarise_run(collapsed_run, RunConfig(), 11.23456)))


def test_whole_text(summary):
    """Six neurons of awkward names; control characters are escaped, columns line up."""
    assert summary_lines(summary, "results") == [
        "read    24 trials · 6 neurons · exposure 0.5 s",
        "        columns: neuron = neuron, count = n_spikes",
        "        groups (neurons), each with a population of its own: V1 (3), V2 (3)",
        "        not modelled: animal",
        "        1 silent neuron: upper bounds only · 3 neurons with ≤ 4 trials",
        "! 2 repeated rows left out",
        "",
        "                                  typical rate          spread              dispersion",
        "Poisson partial                   1.4 [1.2, 1.8]        ×1.4 [1.2, 1.8]     –",
        "NB2 none                          each neuron alone",
        "NB2 complete                      1.4 [1.2, 1.8]        –                   –",
        (
            "NB2 partial *                     1.4 [1.2, 1.8]        ×1.4 [1.2, 1.8]     "
            "gain sd 1.4 [1.2, 1.8]"
        ),
        "* primary: the model of the table neurons",
        "",
        "shrinkage  median own weight 0.795; 3 neurons below 0.8 (NB2 partial)",
        "           NA               2 spikes / 4 trials        1 → 1.18 spikes/s",
        "           =cmd|'/c calc'!A1 7 spikes / 1 trial         14 → 12.4 spikes/s",
        r"""           'a,"b"\nc\r'     15 spikes / 3 trials       10 → 9.59 spikes/s""",
        "           -1               20 spikes / 5 trials       8 → 7.81 spikes/s",
        "           007              19 spikes / 6 trials       6.33 → 6.23 spikes/s",
        (
            "Fano       median 1.3; over Poisson 1, under 1, as Poisson 1, undecided 1 of 4 "
            "neurons (FDR 5%)"
        ),
        (
            "checks     outside 99% of what the model predicts: Fano factor 1, zeros 1, maximum 1 "
            "of 6 neurons"
        ),
        "           ranks of left-out trials within 0.01 of uniform (by chance 0.19)",
        (
            "drift      slow drift over the trials of 1 of 3 neurons (FDR 5%); their median Fano "
            "factor 1.6, 0.9 between successive trials"
        ),
        "           3 neurons not tested (few trials)",
        "",
        "OK  converged · results · 11 s",
    ]


def lines_of(summary, start):
    """Return the lines that begin so."""
    return [line for line in summary_lines(summary, "results") if line.startswith(start)]


def test_fano_line_without_any(summary):
    """Single trials: said in words."""
    summary["fano"]["neurons"] = 0
    summary["fano"]["median_raw"] = None
    assert lines_of(summary, "Fano") == [
        "Fano       no neuron has two trials and a spike in one condition"
    ]


def test_drift_line_without_any(summary):
    """None found, and none tested, are two things."""
    summary["drift"] |= {"drifting": 0, "tested": 6}
    assert lines_of(summary, "drift") == [
        "drift      slow drift over the trials of none of 6 neurons (FDR 5%)"
    ]
    summary["drift"] |= {"tested": 0, "untested": "no trial order"}
    assert lines_of(summary, "drift") == ["drift      not tested (no trial order)"]


def test_matched_lines(matched_run):
    """A line per pair: raw, matched, and by the model where it tells them apart."""
    summary = json.loads(json.dumps(summarise_run(matched_run, RunConfig(), 1.0)))
    differences = "0.5 [0.25, 1]"

    def last(count):
        lines = summary_lines(summary, "results")
        first = next(k for k, line in enumerate(lines) if line.startswith("matched"))
        return lines[first : first + count]

    assert last(2) == [
        (
            f"matched    Fano factor, V2 − V1: {differences} raw, {differences} at matched mean "
            f"counts, {differences} by the model, P(greater) 0.96"
        ),
        (
            f"           Fano factor, 90 − 0: {differences} raw; their mean counts have nothing "
            "in common"
        ),
    ]
    summary["matched_fano"] = summary["matched_fano"][:1] * 12
    assert last(4)[-1] == ("           and 9 more pairs, in the table matched_fano")
    summary["matched_fano"] = []
    assert lines_of(summary, "matched") == []


def test_company_line(accompanied_run):
    """What neurons recorded together share; nothing where sessions are not known."""
    summary = json.loads(json.dumps(summarise_run(accompanied_run, RunConfig(), 1.0)))
    assert lines_of(summary, "company") == [
        (
            "company    2 sessions: spike-count correlation 0.12 [0.08, 0.16], 10 pairs; 0.4 "
            "[0.25, 0.55] of the gain variance is shared"
        )
    ]
    summary["company"]["shared_share"]["value"] = None
    assert lines_of(summary, "company")[0].endswith("[0.08, 0.16], 10 pairs")
    summary["company"]["untested"] = "no two neurons share trials"
    assert lines_of(summary, "company") == [
        "company    not measured in 2 sessions (no two neurons share trials)"
    ]
    summary["company"] = None
    assert lines_of(summary, "company") == []


def test_predicted_fano_factor_is_told(summary):
    """And that it is not that of the data, where it is not."""
    numbers = {"size": 18394, "observed": 1.5013, "expected": 1.4887, "lower": 1.48, "upper": 1.51}
    summary["predictive"]["median_fano"] = numbers
    told = (
        "           median over 18,394 neuron × condition 1.5; the model predicts 1.49 [1.48, 1.51]"
    )
    assert lines_of(summary, "           median over") == [told]
    numbers["expected"] = numbers["lower"] = numbers["upper"] = 1.6
    assert lines_of(summary, "           median over")[0].endswith("is not that of the data")


@pytest.mark.parametrize(
    ("family", "others", "observed", "said"),
    [
        ("nb2", (), 1.3, ""),
        ("nb2", (), 1.36, ""),  # outside, and near
        ("nb2", (), 1.1, ": it rises less than NB2 says; --family poisson,nb1,nb2 compares"),
        ("nb1", (), 1.6, ": it rises more than NB1 says; --family poisson,nb1,nb2 compares"),
        ("nb2", ("nb1",), 1.1, ": it rises less than NB2 says"),
        ("poisson", (), 1.1, ""),
    ],
)
def test_rise_of_fano_factors_is_told(summary, family, others, observed, said):
    """With what compares the laws, where the model's is not that of the data and was alone."""
    model = next(each for each in summary["models"] if each["is_primary"])
    rest = [{**model, "family": other, "is_primary": False} for other in others]
    summary["models"] = [{**model, "family": family}, *rest]
    numbers = {"size": 50, "observed": observed, "expected": 1.3, "lower": 1.25, "upper": 1.35}
    summary["predictive"]["median_fano"] = {**numbers, "observed": 1.3}
    summary["predictive"]["fano_rise"] = numbers
    told = (
        f"           in the conditions with more spikes ×{observed:.3g} that of the others; the "
        f"model predicts ×1.3 [1.25, 1.35]{said}"
    )
    assert lines_of(summary, "           in the conditions") == [told]


def test_effects_of_conditions_are_told(summary):
    """Of every group; a few of many."""
    model = next(each for each in summary["models"] if each["is_primary"])
    value = {"median": 1.5, "lower": 1.2, "upper": 1.9}
    few = {f"condition_ratio[{name}]": value for name in ("run", "still, dark")}
    many = {f"condition_ratio[{number}]": value for number in range(11)}
    model["population"] = [{"group": "V1", **few}, {"group": "V2", **many}, {"group": "V3"}]
    lines = [line for line in summary_lines(summary, "x") if "over their mean" in line]
    interval = "×1.5 [1.2, 1.9]"
    assert lines[0] == (
        f"effects    V1: all rates over their mean: run {interval}, still, dark {interval}"
    )
    assert lines[1].startswith(f"           V2: all rates over their mean: 0 {interval}, 1 ")
    assert lines[1].endswith(", 3 more in the table population")
    assert len(lines) == 2


def test_every_line_is_one_line(summary):
    """Whatever the neurons are called."""
    for line in summary_lines(summary, "results"):
        assert line.isprintable() or line == ""


def test_problems_stand_before_the_verdict(summary):
    """Each on its line."""
    summary["status"], summary["problems"] = "not_converged", ["NB2 partial: one", "NB2 none: two"]
    assert summary_lines(summary, "results")[-3:] == [
        "! NB2 partial: one",
        "! NB2 none: two",
        "NOT CONVERGED · results · 11 s",
    ]


def test_model_that_did_not_converge_is_marked_in_the_table(summary):
    """At the end of its line, and no other."""
    summary["models"][0]["converged"] = False
    marked = [line for line in summary_lines(summary, "x") if line.endswith("  ! not converged")]
    assert [line.split("  ")[0] for line in marked] == ["Poisson partial"]


@pytest.mark.parametrize(
    ("key", "cell"),
    [
        ("typical_gain_sd", "gain sd 0.25 [0.2, 0.3]"),
        ("gain_sd", "gain sd 0.25 [0.2, 0.3]"),
        ("typical_excess_fano", "excess Fano 0.25 [0.2, 0.3]"),
        ("excess_fano", "excess Fano 0.25 [0.2, 0.3]"),
    ],
)
def test_dispersion_is_named_after_its_family(summary, key, cell):
    """A gain's sd for NB2, an excess Fano factor for NB1."""
    rate = {"median": 1234.5, "lower": 999.4, "upper": None}
    value = {"median": 0.25, "lower": 0.2, "upper": 0.3}
    summary["models"] = [
        {**summary["models"][0], "population": [{"typical_rate": rate, key: value}]}
    ]
    line = lines_of(summary, "Poisson partial")[0]
    assert line.endswith(cell)
    assert "1,234 [999, ?]" in line


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (10.4, "10 s"), (3601.0, "3601 s")]
)
def test_time_has_the_digits_that_matter(summary, seconds, shown):
    """Tenths below ten seconds."""
    summary["seconds"] = seconds
    assert summary_lines(summary, "x")[-1].endswith(f" · {shown}")


def test_exposure_is_a_span_where_it_varies(summary):
    """With its column; without any exposure rates are per trial."""
    data = {**summary["data"], "exposure_min": 0.42, "exposure_max": 0.5}
    data["recognised"] = [{"role": "exposure", "column": "duration"}]
    assert (
        next(data_lines(data)) == "read    24 trials · 6 neurons · exposure 0.42–0.5 s (duration)"
    )
    data["exposure_known"] = False
    assert next(data_lines(data)).endswith("no exposure: rates are per trial")


def test_neuron_of_several_columns_names_them_all(summary):
    """A role may have more than one column."""
    data = dict(summary["data"])
    data["recognised"] = [
        {"role": "neuron", "column": "session"},
        {"role": "neuron", "column": "unit"},
        {"role": "count", "column": "n"},
    ]
    assert "        columns: neuron = session,unit, count = n" in list(data_lines(data))


def test_table_without_gaps_has_no_line_of_them(summary):
    """No silent neurons, none of few trials, nothing left out of the model."""
    data = {
        **summary["data"],
        "silent_neurons": 0,
        "few_trial_neurons": 0,
        "groups": None,
        "not_modelled": [],
    }
    assert len(list(data_lines(data))) == 2


def test_information_and_warnings_are_told_apart():
    """A dot and an exclamation mark."""
    notices = [
        {"code": "exposure-recognised", "message": "told"},
        {"code": "look-alike-ids", "message": "warned"},
    ]
    assert list(notice_lines(notices)) == ["· told", "! warned"]


def test_every_notice_is_printed(run):
    """Those of planning as well."""
    noted = replace(run, notices=(*run.notices, Notice("few-neurons", "3 neurons say little")))
    lines = summary_lines(summarise_run(noted, RunConfig(), 1.0), "x")
    assert lines.index("! 3 neurons say little") == lines.index("! 2 repeated rows left out") + 1


class TestScores:
    """The column Δelpd of a run by the collapsed engine."""

    def test_column_stands_last(self, collapsed):
        """Difference from the primary model and its error; the primary is 0."""
        lines = summary_lines(collapsed, "results")
        table = lines[lines.index("") + 1 :][:6]
        assert table == [
            (
                "                                  typical rate          spread              "
                "dispersion                     Δelpd"
            ),
            (
                "Poisson partial                   1.4 [1.2, 1.8]        ×1.4 [1.2, 1.8]     "
                "–                              11 ± 2.7"
            ),
            (
                "NB2 none                          each neuron alone                         "
                "                               7.6 ± 1.8"
            ),
            (
                "NB2 complete                      1.4 [1.2, 1.8]        –                   "
                "–                              3.8 ± 0.9"
            ),
            (
                "NB2 partial *                     1.4 [1.2, 1.8]        ×1.4 [1.2, 1.8]     "
                "gain sd 1.4 [1.2, 1.8]         0"
            ),
            (
                "* primary: the model of the table neurons; Δelpd: predicted log density of "
                "left-out trials, against it"
            ),
        ]

    @pytest.mark.parametrize(
        ("difference", "error", "shown"),
        [
            (-2400.4, 95.2, "−2,400 ± 95"),
            (-0.04, 0.123, "−0.0 ± 0.1"),
            (9.94, None, "9.9"),
            (12.0, 9.0, "12 ± 9.0"),
        ],
    )
    def test_has_the_digits_that_matter(self, collapsed, difference, error, shown):
        """A minus sign and not a hyphen; a tenth below ten; no error of a single neuron."""
        score = collapsed["models"][0]["elpd"]["trial"]
        score |= {"difference": difference, "difference_se": error}
        assert lines_of(collapsed, "Poisson partial")[0].endswith(f"  {shown}")

    def test_model_without_a_score_has_an_empty_cell(self, collapsed):
        """It was sampled by NUTS, and says nothing of left-out trials."""
        collapsed["models"][1]["elpd"] = None
        assert lines_of(collapsed, "NB2 none") == [
            "NB2 none                          each neuron alone"
        ]

    def test_density_in_doubt_is_told(self, collapsed):
        """With its k̂, infinite where JSON has no number for it."""
        score = collapsed["models"][0]["elpd"]["trial"]
        score |= {"pareto_k": 0.83, "is_doubtful": True}
        assert lines_of(collapsed, "Poisson partial")[0].endswith("(k\u0302 0.83: may be too high)")
        score["pareto_k"] = None
        assert lines_of(collapsed, "Poisson partial")[0].endswith("(k\u0302 ∞: may be too high)")

    def test_failed_model_is_marked_after_its_score(self, collapsed):
        """At the end of its line."""
        collapsed["models"][0]["converged"] = False
        assert lines_of(collapsed, "Poisson partial")[0].endswith("± 2.7  ! not converged")


class TestLog:
    """``run.log``."""

    def test_begins_with_version_time_and_tables(self, summary):
        """Then what was printed, then the computation of every model."""
        lines = log_text(summary, datetime(2026, 3, 1, 12, 30, tzinfo=UTC)).splitlines()
        assert lines[0] == (f"spikepool {summary['spikepool']} · started 2026-03-01T12:30:00+00:00")
        assert lines[1:3] == ["table counts.csv", ""]
        assert lines[3 : 3 + 13] == summary_lines(summary, "x")[:13]
        assert lines[-4:] == [
            *(
                f"{label}: nuts, compiled in 1.2 s, sampled in 2.5 s, 0 divergent, "
                f"R\u0302 at most {r_hat}, effective sample size at least {bulk} (bulk) and {tail} "
                "(tail)"
                for label, r_hat, bulk, tail in (
                    ("Poisson partial", "1.0030", 700, 650),
                    ("NB2 none", "1.0030", 700, 650),
                    ("NB2 complete", "1.0010", 900, 800),
                    ("NB2 partial", "1.0030", 700, 650),
                )
            )
        ]

    def test_says_what_is_undefined(self, summary):
        """A quantity that never varied."""
        for key in ("worst_r_hat", "least_ess_bulk", "least_ess_tail"):
            summary["models"][0]["sampler"][key] = None
        text = log_text(summary, datetime(2026, 3, 1, tzinfo=UTC))
        assert (
            "R\u0302 at most undefined, effective sample size at least undefined (bulk) and "
            "undefined (tail)"
        ) in text

    def test_tells_what_the_collapsed_engine_certifies(self, collapsed):
        """Only what was done: no quadrature where all are one, no sample without pooling."""
        lines = log_text(collapsed, datetime(2026, 3, 1, tzinfo=UTC)).splitlines()
        sample = "1,234 effective hyperparameter draws, Pareto k\u0302 0.25"
        assert lines[-4:] == [
            f"Poisson partial: collapsed in 3.8 s, quadrature error 4e-07, {sample}",
            "NB2 none: collapsed in 3.8 s, quadrature error 4e-07",
            f"NB2 complete: collapsed in 3.8 s, {sample}",
            f"NB2 partial: collapsed in 3.8 s, quadrature error 4e-07, {sample}",
        ]

    def test_says_how_far_engines_are_apart(self, collapsed):
        """On the terminal, as it was asked for."""
        assert list(finding_lines(collapsed))[-1] == (
            "checked    NB2 partial: nuts differs by at most 0.031 posterior sd (Monte Carlo error "
            "0.007; theta upper of NA), 2 of 36 beyond the bound"
        )


def test_a_long_name_of_a_model_pushes_the_columns_on(summary):
    """All rows alike: every cell begins where its heading does."""
    models = [dict(model) for model in summary["models"]]
    models[-1]["label"] = "NB2 partial (a population of a long name)"
    header, *rows = list(model_lines(models))[:-1]
    place = header.index("typical rate")
    assert place > 34
    assert all(row[place - 1] == " " and row[place] != " " for row in rows)


def contrast(parameter, group="V2", probability=0.5):
    """Return a contrast as it stands in the summary."""
    ends = {f"ratio_{end}": x for end, x in (("median", 1.2), ("lower", 0.9), ("upper", 1.6))}
    return {
        "parameter": parameter, "group": group, "reference": "V1", **ends,
        "prob_greater": probability,
    }  # fmt: skip


def test_contrasts_of_the_primary_model_are_printed(summary):
    """Ratios of typical rates and dispersions, a line for each pair; odds are never 0 or 1."""
    found = [
        contrast("mu"), contrast("typical_rate", probability=0.9996), contrast("tau"),
        contrast("typical_gain_sd", probability=0.0), contrast("typical_rate", "V3"),
    ]  # fmt: skip
    summary["models"][-1]["contrasts"] = found
    lines = summary_lines(summary, "results")
    start = next(i for i, line in enumerate(lines) if line.startswith("groups "))
    assert lines[start : start + 2] == [
        (
            "groups     V2 / V1          rate ×1.2 [0.9, 1.6], P(greater) >0.99   "
            "gain sd ×1.2 [0.9, 1.6], P(greater) <0.01"
        ),
        "           V3 / V1          rate ×1.2 [0.9, 1.6], P(greater) 0.50",
    ]


def test_many_pairs_are_counted(summary):
    """Ten are printed."""
    pairs = [contrast("typical_rate", f"g{i}") for i in range(13)]
    summary["models"][-1]["contrasts"] = pairs
    lines = summary_lines(summary, "results")
    assert sum(" / V1" in line for line in lines) == 10
    assert "           and 3 more pairs, in the table contrasts" in lines


def test_every_group_has_a_row_below_its_model(summary):
    """The model's own row has its score; unusual names are escaped."""
    model = summary["models"][-1]
    (whole,) = model["population"]
    model["population"] = [{**whole, "group": "V1"}, {**whole, "group": "V\n2"}]
    lines = list(model_lines([model]))
    assert lines[1] == "NB2 partial *"
    assert lines[2].startswith("  V1 ")
    assert lines[3].startswith(r"  'V\n2' ")
    assert lines[2].split()[1:] == lines[3].split()[1:]

"""`spikepool prior`: what it prints and draws, with a table and without."""

import csv
import json

import pandas as pd
import pytest

from spikepool.models.prior_predictive import NeuronDesign, draw_prior_predictive
from spikepool.models.priors import HalfCauchy, HalfNormal, Normal, Priors
from spikepool.models.spec import ModelSpec
from spikepool.report.plots.about import AboutPrior
from spikepool.report.plots.prior_predictive import (
    draw_prior_predictive as draw_picture,
)
from spikepool.report.plots.prior_predictive import prepare_prior_predictive
from spikepool.report.plots.style import PlotStyle

ONE_MODEL = ("--family", "poisson", "--pooling", "none")


def test_report_without_a_table(spikepool, tmp_path):
    """Quantiles of one model, with units and priors; the picture and the same numbers as files."""
    folder = tmp_path / "prior"
    ended = spikepool("prior", *ONE_MODEL, "--duration", "0.5", "-o", folder)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0] == "before any data, a neuron with 20 trials of 0.5 s; quantiles"
    assert lines[2] == "Poisson none: theta ~ normal(2.303, 2.5)"
    assert lines[3].split() == ["2.5", "%", "25", "%", "50", "%", "75", "%", "97.5", "%"]
    assert lines[4].startswith("  rate (spikes/s)")
    drawn = folder / "plots/prior_predictive.png"
    assert spikepool("plot", folder).code == 0
    again = tmp_path / "prior-plots/prior_predictive.png"
    assert again.read_bytes() == drawn.read_bytes()
    with (folder / "prior_predictive.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["quantity"] for row in rows] == ["rate", "fano", "own_weight"]


def test_typical_rate_and_prior(spikepool):
    """The middle is where it was put, within 10 % (4 standard errors of a median)."""
    prior = ("--prior", "theta=normal(0, 0.1)")
    found = json.loads(spikepool("prior", *ONE_MODEL, *prior, "--json").out)
    assert found["quantiles"][0]["median"] == pytest.approx(1.0, rel=0.01)
    assert found["priors"]["Poisson none"] == {"theta": "normal(0, 0.1)"}
    found = json.loads(spikepool("prior", *ONE_MODEL, "--typical-rate", "50", "--json").out)
    assert found["quantiles"][0]["median"] == pytest.approx(50, rel=0.14)


def test_table_gives_the_design(spikepool, tmp_path):
    """Its typical rate, trials and exposure."""
    rows = [f"n{i},{t},{4 + t % 2},0.25" for i in range(3) for t in range(6)]
    path = tmp_path / "counts.csv"
    path.write_text("neuron,trial,count,duration\n" + "\n".join(rows) + "\n", encoding="utf-8")
    found = json.loads(spikepool("prior", path, *ONE_MODEL, "--json").out)
    assert (found["trials"], found["exposure"]) == (6, 0.25)
    assert found["quantiles"][0]["median"] == pytest.approx(27.5 / 1.5, rel=0.14)
    assert spikepool("prior", path, "--typical-rate", "5").code == 2
    ended = spikepool("prior", path, "--conditions", "4")
    assert (ended.code, "--conditions stands for a table" in ended.err) == (2, True)


def test_conditions_without_a_table(spikepool, tmp_path):
    """Twenty trials in each, the typical rate as given, and a row and a panel of tuning."""
    options = ("--family", "poisson", "--pooling", "partial", "--prior", "tau=half-normal(0.01)")
    flat = ("--prior", "mu=normal(2, 0.01)", "--prior", "tuning_sd=half-normal(0.5)")
    folder = tmp_path / "prior"
    asked = ("prior", *options, *flat, "--conditions", "8", "-o", folder)
    found = json.loads(spikepool(*asked, "--json").out)
    assert (found["trials"], found["conditions"], found["response_kind"]) == (160, 8, "condition")
    by_name = {row["quantity"]: row for row in found["quantiles"]}
    assert by_name["tuning_strength"]["unit"] == "ln"
    assert 0.25 < by_name["tuning_strength"]["median"] < 0.4  # median of |N(0, 0.5²)|: 0.34
    picture = pd.read_csv(folder / "plots/data/prior_predictive.csv")
    assert set(picture["axis"]) == {"rate", "fano", "own_weight", "tuning_strength"}
    lines = spikepool(*asked).out.splitlines()
    assert lines[0] == "before any data, a neuron with 160 trials of 1 s in 8 conditions; quantiles"
    assert lines[-1].startswith("  sd between conditions (ln)")


def test_table_gives_conditions_blocks_and_labels(spikepool, tmp_path):
    """Conditions of the typical neuron; blocks of its trials; and sds of animals."""
    rows = [
        f"n{i},{t},{3 + (i + t) % 4},0.25,{t % 3},{'AB'[i % 2]},m{i % 3}"
        for i in range(12)
        for t in range(12)
    ]
    path = tmp_path / "counts.csv"
    header = "neuron,trial,count,duration,odor,area,animal\n"
    path.write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    options = ("--family", "nb2", "--pooling", "partial", "--json")
    found = json.loads(spikepool("prior", path, *options, "--condition", "odor").out)
    assert (found["trials"], found["conditions"]) == (12, 3)
    found = json.loads(spikepool("prior", path, *options, "--drift-block", "3").out)
    assert (found["conditions"], found["response_kind"]) == (4, "block")
    assert "drift_sd" in found["priors"]["NB2 partial (drifting rates)"]
    labels = ("--group", "area", "--within", "animal")
    found = json.loads(spikepool("prior", path, *options, *labels).out)
    assert "interaction_sd_delta" in found["priors"]["NB2 partial (crossed labels)"]
    assert [row["quantity"] for row in found["quantiles"]] == ["rate", "fano", "own_weight"]


@pytest.mark.parametrize(
    "options",
    [
        ("--family", "normal"),
        ("--condition", "x"),
        ("--within", "x", "--group", "y"),
        ("--drift-block", "5"),
        ("--condition-effects",),
    ],
)
def test_refusals(spikepool, options):
    """Exit 2, with the next step."""
    ended = spikepool("prior", *options)
    assert ended.code == 2
    assert "→" in ended.err


def test_picture_says_what_is_beyond_its_axes():
    """Bars and the shares beyond make 1; a share is written, and one value has no panel."""
    specs = [ModelSpec("nb2", "partial", "partial"), ModelSpec("poisson", "complete", None)]
    priors = Priors(Normal(2, 2.5), HalfCauchy(1), HalfNormal(1), HalfNormal(0.5))
    drawn = draw_prior_predictive(specs, priors, NeuronDesign(20, 1.0), 0)
    data = prepare_prior_predictive(drawn, 7.4, 0.95)
    for _, own in data.groupby(["series", "axis"]):
        bars = own.loc[own["part"] == "bar", "share"].sum()
        beyond = own.loc[own["part"] == "beyond", ["lower", "upper"]].to_numpy().sum()
        assert bars + beyond == pytest.approx(1)
    rate = data[(data["series"] == "NB2 partial") & (data["axis"] == "rate")]
    assert float(rate.loc[rate["part"] == "beyond", "upper"].iloc[0]) > 0.01
    figure = draw_picture(
        data, AboutPrior("", NeuronDesign(20, 1.0), "spikes/s", 10_000), PlotStyle()
    )
    titles = [axes.get_title(loc="right") for axes in figure.axes]
    assert titles[0].endswith("% ▸")
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert "Fano factor: always 1" in said
    assert isinstance(data, pd.DataFrame)


def test_priors_of_a_file(spikepool, tmp_path):
    """A configuration's priors and models, as of a fit."""
    path = tmp_path / "run.toml"
    path.write_text(
        '[model]\nfamily = ["poisson"]\npooling = ["none"]\nprior = ["theta=normal(1, 0.5)"]\n',
        encoding="utf-8",
    )
    found = json.loads(spikepool("prior", "--config", path, "--json").out)
    assert found["priors"] == {"Poisson none": {"theta": "normal(1, 0.5)"}}
    assert "normal(1, 0.5)" in spikepool("model", "--config", path).out


def test_priors_that_no_model_has_are_named(spikepool):
    """As by fit; without a table, too."""
    ended = spikepool("prior", *ONE_MODEL, "--prior", "tuning_sd=half-normal(1)")
    assert "changes nothing: no model that is fitted has tuning_sd" in ended.out


def test_every_condition_has_a_trial(spikepool):
    """Fewer are refused."""
    ended = spikepool("prior", *ONE_MODEL, "--conditions", "4", "--trials", "2")
    assert ended.code == 2
    assert "--trials 2: a neuron has 4 conditions" in ended.err

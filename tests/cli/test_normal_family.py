"""The family of estimates on the command line: fit, model and schema."""

import json

import pytest

from spikepool.report.normal_schema import normal_table_schemas

TABLE = "site,estimate,se\n" + "".join(f"s{i},{i * 0.7 - 2},{1 + i % 3}\n" for i in range(7))
NORMAL = ("--family", "normal", "--neuron", "site")


@pytest.fixture
def table(tmp_path):
    """Write seven estimates."""
    path = tmp_path / "sites.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_fit(spikepool, table, tmp_path):
    """Exit 0, and the summary as text."""
    ended = spikepool("fit", table, *NORMAL, "-o", tmp_path / "out", "--plots", "none", "-v")
    assert ended.code == 0, ended.err
    assert "read    7 estimates, one per neuron · standard errors 1–3" in ended.out
    assert "Normal partial *" in ended.out
    assert "Normal none: collapsed, closed form" in ended.out
    assert ended.out.splitlines()[-1].startswith("OK  converged")


def test_plot_draws_both_pictures_again(spikepool, table, tmp_path):
    """Byte for byte in the same style, from the stored numbers; and in another."""
    spikepool("fit", table, *NORMAL, "-o", tmp_path / "out", "--plots", "png,svg")
    ended = spikepool("plot", tmp_path / "out", "-o", tmp_path / "again", "--plots", "png,svg")
    assert (ended.code, ended.out) == (0, f"4 plots · {tmp_path / 'again'}\n")
    for name in ("shrinkage.png", "forest.png", "shrinkage.svg", "forest.svg"):
        drawn = (tmp_path / "again" / name).read_bytes()
        assert drawn == (tmp_path / "out" / "plots" / name).read_bytes()
    assert spikepool("plot", tmp_path / "out", "--style", "slides").code == 0


def test_errors_of_priors_are_in_the_words_of_the_family(spikepool, table, tmp_path):
    """No log rates where there are none."""
    options = (*NORMAL, "-o", tmp_path / "out", "--prior", "tau=normal(0, 1)")
    ended = spikepool("fit", table, *options)
    assert ended.code == 2
    assert "tau (the spread of the population) is never negative" in ended.err


def test_fit_as_json(spikepool, table, tmp_path):
    """The content of summary.json, but for the seconds of writing."""
    ended = spikepool("fit", table, *NORMAL, "-o", tmp_path / "out", "--plots", "none", "--json")
    printed = json.loads(ended.out)
    written = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert {**printed, "seconds": 0} == {**written, "seconds": 0}


def test_dry_run(spikepool, table):
    """What was read and would be fitted, as text and as JSON; nothing is written."""
    lines = spikepool("fit", table, *NORMAL, "--dry-run").out.splitlines()
    assert lines == [
        "read    7 estimates, one per neuron · standard errors 1–3",
        "        columns: neuron = site, estimate = estimate, standard error = se",
        "fit     Normal none",
        "fit     Normal complete",
        "fit     Normal partial *",
        "write   nowhere: no -o given",
    ]
    plan = json.loads(spikepool("fit", table, *NORMAL, "--dry-run", "--json").out)
    assert plan["models"] == ["normal-none", "normal-complete", "normal-partial"]
    assert plan["data"]["neurons"] == 7


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--family", "normal", "--duration", "1"), 2, "--duration belongs to tables of counts"),
        (("--family", "normal,poisson"), 2, "one kind of table"),
        (("--estimate", "estimate"), 2, "add --family normal"),
        (("--family", "normal", "--population", "gamma"), 2, "any sign"),
        (("--family", "normal"), 65, "has no neuron column"),
        ((*NORMAL, "--estimate", "estimat"), 65, "did you mean 'estimate'?"),
    ],
)
def test_errors(spikepool, table, tmp_path, options, code, said):
    """Usage 2, data 65; nothing is written."""
    ended = spikepool("fit", table, "-o", tmp_path / "out", *options)
    assert ended.code == code
    assert said in ended.err
    assert not (tmp_path / "out").exists()


def test_model_without_a_table(spikepool):
    """Defaults in symbols; a prior that was given in numbers."""
    out = spikepool("model", "--family", "normal", "--prior", "tau=half-normal(2)").out
    assert "θ_i ~ normal(m0, 10 s1) for each neuron, fixed: no pooling" in out
    assert "μ ~ normal(m0, 10 s)" in out
    assert "τ ~ half-normal(2)" in out


def test_model_of_a_table(spikepool, table):
    """With its own numbers: their mean is 0.1, their median error 2 and sd 1.512."""
    out = spikepool("model", table, *NORMAL, "--pooling", "partial").out
    assert "μ ~ normal(0.1, 20)" in out
    assert "τ ~ half-cauchy(2)" in out


def test_schema(spikepool):
    """Every column of the tables of estimates, and one table alone."""
    out = spikepool("schema", "--family", "normal").out
    for columns in normal_table_schemas().values():
        for column in columns:
            unit = f" ({column.unit})" if column.unit else ""
            assert f"  {column.name:<24} {column.type}{unit}: {column.description}" in out
    found = json.loads(spikepool("schema", "neurons", "--family", "normal", "--json").out)
    assert list(found["tables"]) == ["neurons"]
    assert spikepool("schema", "overdispersion", "--family", "normal").code == 2

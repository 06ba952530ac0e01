"""One option per field of the configuration, from the command line or the environment."""

import pytest
import typer
from typer.testing import CliRunner

from spikepool.cli.options import SECTIONS, Settings, options_from_config
from spikepool.config_file import resolve_config

FIELDS = [
    (section, name, field)
    for section, (model, _) in SECTIONS.items()
    for name, field in model.model_fields.items()
    if (section, name) != ("input", "tables")
]


@pytest.fixture
def parse():
    """Return a function from arguments and environment to the settings that they give."""
    found: list[Settings] = []
    app = typer.Typer(add_completion=False)

    @app.command()
    @options_from_config(*SECTIONS)
    def command(settings: Settings) -> None:
        """Keep the settings."""
        found.append(settings)

    def run(*arguments: str, **environment: str) -> Settings:
        result = CliRunner().invoke(app, arguments, env=environment, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return found[-1]

    return run


def test_what_is_not_given_is_absent(parse):
    """So that a file's value, or the default, stands."""
    assert parse() == {}


def test_given_options_are_sorted_by_section(parse):
    """With their types."""
    assert parse(
        *("a.csv", "b,c.csv", "--draws", "400", "--fdr", "0.1", "--if-exists", "skip"),
        *("--strict", "--fano-ddof", "0", "--primary", "nb2:partial"),
    ) == {
        "input": {"tables": ["a.csv", "b,c.csv"], "strict": True},
        "model": {"primary": "nb2:partial"},
        "engine": {"draws": 400},
        "report": {"fdr": 0.1, "fano_ddof": 0},
        "run": {"if_exists": "skip"},
    }


@pytest.mark.parametrize("value", ["--strict", "--no-strict"])
def test_switches_can_be_turned_off_again(parse, value):
    """Over a file that turned them on."""
    assert parse(value)["input"]["strict"] is (value == "--strict")
    switch = value.replace("strict", "predictive")
    assert parse(switch)["report"]["predictive"] is (value == "--strict")


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--family", "poisson,nb1"], ("poisson", "nb1")),
        (["--family", "poisson", "--family", "nb1"], ("poisson", "nb1")),
        (["--family", "poisson,negbin", "--family", "nb1"], ("poisson", "nb2", "nb1")),
    ],
)
def test_commas_and_repetition_mean_the_same(parse, arguments, wanted):
    """In any mixture."""
    assert resolve_config({}, parse(*arguments)).model.family == wanted


def test_environment_gives_what_flags_do_not(parse):
    """SPIKEPOOL_ and the option's name."""
    environment = {"SPIKEPOOL_DRAWS": "400", "SPIKEPOOL_TUNE": "300", "SPIKEPOOL_STRICT": "1"}
    found = parse("--draws", "100", **environment)
    assert found == {"engine": {"draws": 100, "tune": 300}, "input": {"strict": True}}


def test_lists_of_the_environment_are_split_at_commas_alone(parse):
    """A column's name may hold a space."""
    found = parse(SPIKEPOOL_GROUP="brain area,depth", SPIKEPOOL_PLOTS="svg")
    assert resolve_config({}, found).input.group == ("brain area", "depth")
    assert resolve_config({}, found).report.plots == ("svg",)
    assert parse("--group", "area", SPIKEPOOL_GROUP="depth")["input"]["group"] == ["area"]


def test_empty_variable_is_as_none(parse):
    """`SPIKEPOOL_GROUP= spikepool fit ...`."""
    assert parse(SPIKEPOOL_GROUP="", SPIKEPOOL_DRAWS="") == {}


def test_tables_of_the_report_are_no_input(parse):
    """--tables is of the results; a table to read is an argument only."""
    found = parse("counts.csv", SPIKEPOOL_TABLES="csv")
    assert found == {"input": {"tables": ["counts.csv"]}, "report": {"tables": "csv"}}


@pytest.mark.parametrize(("section", "name", "field"), FIELDS)
def test_environment_reaches_every_option(parse, section, name, field):
    """By its name in capitals, with a text that means something."""
    default = field.default
    if isinstance(default, bool):
        given = str(default).lower()
    elif name == "dispersion_pooling" or default == ():
        given = "none"
    elif isinstance(default, tuple):
        given = ",".join(default)
    else:
        given = "1" if default is None else str(default)
    found = parse(**{f"SPIKEPOOL_{name.upper()}": given})
    assert list(found) == [section]
    assert list(found[section]) == [name]


def test_help_names_every_option_with_its_default(spikepool, monkeypatch):
    """As the configuration says it, brackets and all."""
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("TERMINAL_WIDTH", "400")
    out = spikepool("fit", "--help").out
    lines = [line for line in out.splitlines() if line.startswith("│")]
    for _, name, field in FIELDS:
        flag = f"--{name.replace('_', '-')}"
        line = next(line for line in lines if f" {flag} " in line.replace("│", " "))
        words = " ".join(field.description.split())
        assert words in line
        if field.default not in (None, (), False) and "[" not in words:
            shown = field.default
            shown = ",".join(shown) if isinstance(shown, tuple) else shown
            assert f"[default: {shown}]" in line


def test_circular_columns_are_given_as_in_a_file(parse):
    """With or without a period, by commas or as a list."""
    given = resolve_config({}, parse("--circular", "direction,orientation=180"))
    written = resolve_config({"input": {"circular": ["direction", "orientation=180"]}}, {})
    assert given.input.circular == written.input.circular == ("direction", "orientation=180")


def test_help_says_how_a_prior_is_written(spikepool, monkeypatch):
    """It is no column."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERMINAL_WIDTH", "200")
    (line,) = (x for x in spikepool("fit", "--help").out.splitlines() if "--prior " in x)
    assert "NAME=SPEC" in line


def test_command_has_the_options_of_its_sections_only():
    """`spikepool model` reads tables and has no sampler."""
    app = typer.Typer(add_completion=False)

    @app.command()
    @options_from_config("model")
    def command(settings: Settings) -> None:
        """Do nothing."""

    result = CliRunner().invoke(app, ["--help"])
    assert "--family" in result.output
    assert "--draws" not in result.output
    assert CliRunner().invoke(app, ["--draws", "4"]).exit_code == 2

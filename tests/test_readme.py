"""What README.md, docs/, sample_data/README.md and configs/ say holds for the tool itself."""

import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
import typer
from typer.exceptions import TyperException

from spikepool import errors
from spikepool.cli.app import BROKEN_PIPE, BUG, app
from spikepool.config import RunConfig
from spikepool.config_file import read_settings, resolve_config
from spikepool.data.columns import COUNT_NAMES, NEURON_NAMES, TRIAL_NAMES
from spikepool.data.estimate_columns import ESTIMATE_NAMES, STANDARD_ERROR_NAMES
from spikepool.models.prior_spec import PARAMETERS
from spikepool.report.plots.registry import PICTURES
from spikepool.report.posterior_file import BASELINE_GROUP, OF_RESPONSES
from spikepool.report.schema import FLAGS, TABLE_NAMES, table_schemas
from spikepool.report.table_files import PARQUET_ONLY

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
MANUAL = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
SAMPLES = (ROOT / "sample_data" / "README.md").read_text(encoding="utf-8")
PRESETS = sorted((ROOT / "configs").glob("*.toml"))
COMMAND = typer.main.get_command(app)
SECTIONS = RunConfig.model_fields
FIELDS = {
    name: field
    for section in SECTIONS.values()
    for name, field in type(section.default).model_fields.items()
}
PICTURE_BYTES = 150_000


def commands_in(text):
    """Return the arguments of every spikepool command in the console blocks."""
    lines = [line for block in blocks_of(text, "console") for line in block.splitlines()]
    found = [re.search(r"\bspikepool (.*)", line) for line in lines]
    return [shlex.split(match[1]) for match in found if match]


def blocks_of(text, language):
    """Return the content of the fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def spans_of(text):
    """Return the inline code, without the fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def section_of(title):
    """Return the manual's section with this title."""
    return re.split(r"^## ", MANUAL.split(f"\n## {title}\n", 1)[1], flags=re.MULTILINE)[0]


def rows_below(heading):
    """Return the cells of the manual's table with this first line."""
    table = MANUAL.split(f"\n{heading}\n", 1)[1]
    lines = table.split("\n\n", 1)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def parse(name, *arguments):
    """Parse a command line without running it; Typer raises where it cannot be used."""
    COMMAND.commands[name].make_context(name, list(arguments))


def options_of(command):
    """Return every spelling of every option of a command."""
    return {
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }


def all_options():
    """Return the options of the program and of all its commands."""
    commands = (COMMAND, *COMMAND.commands.values())
    own = {option for command in commands for option in options_of(command)}
    return own | {"--help", "-h", "--install-completion", "--show-completion"}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Make a folder with the sample data, the presets and the README's own tables; go there."""
    for folder in ("sample_data", "configs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    tables = re.findall(r"`(\w+\.csv)`:\n\n```csv\n(.*?)```", MANUAL, flags=re.DOTALL)
    for name, text in tables:
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("arguments", commands_in(MANUAL + SAMPLES), ids=" ".join)
def test_commands_parse(arguments):
    """Every command that is shown can be given."""
    parse(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [a for a in commands_in(MANUAL + SAMPLES) if a[0] == "fit" and Path(a[1]).suffix == ".csv"],
    ids=" ".join,
)
def test_fits_can_be_planned(arguments, workplace, capsys):
    """Every fit that is shown reads its table and plans its models; some tables are simulated."""
    if not Path(arguments[1]).exists():
        COMMAND.main(simulation_of(arguments[1]), standalone_mode=False)
    COMMAND.main([*arguments, "--dry-run"], standalone_mode=False)
    assert "\nfit     " in capsys.readouterr().out


def simulation_of(table):
    """Return the README's command that simulates a table."""
    (command,) = (a for a in commands_in(MANUAL) if a[0] == "simulate" and table in a)
    return command


def test_a_command_that_is_wrong_does_not_parse():
    """The check above can fail: an unknown option, a missing output, an unknown command."""
    with pytest.raises(TyperException, match="No such option"):
        parse("fit", "counts.csv", "--drows", "3")
    with pytest.raises(TyperException, match="Missing parameter"):
        parse("simulate")
    with pytest.raises(KeyError):
        parse("fti", "counts.csv")


def test_commands_in_the_text_exist():
    """A command named in a sentence is one, with options that it has."""
    named = [span.split()[1:] for span in spans_of(MANUAL) if span.startswith("spikepool ")]
    assert named
    for name, *rest in named:
        if name.startswith("-"):
            assert name in all_options()
            continue
        command = COMMAND.commands[name]
        options = {word for word in rest if word.startswith("-")}
        assert options <= options_of(command) | {"--help"}


def test_options_in_the_text_exist():
    """Every option that README names is one."""
    named = {
        word for span in spans_of(MANUAL) for word in re.findall(r"(?<!\S)--?[a-z][\w-]*", span)
    }
    assert len(named) > 30
    assert named <= all_options()


def test_defaults_in_the_text_are_the_real_ones():
    """`--option value` (default ...) states the configuration's default."""
    stated = re.findall(r"`--([a-z-]+)[^`]*`[^`|]*?\(default ([^)]+)\)", MANUAL)
    assert len(stated) >= 6
    for option, value in stated:
        assert value == str(FIELDS[option.replace("-", "_")].default), option


def test_environment_variables_in_the_text_exist():
    """Every SPIKEPOOL_... that README names belongs to an option."""
    named = re.findall(r"SPIKEPOOL_([A-Z_]+)", MANUAL)
    assert named
    assert {name.lower() for name in named} <= set(FIELDS)


def test_columns_that_matter_exist():
    """The columns that README explains are in neurons or overdispersion."""
    schemas = table_schemas()
    columns = {c.name for name in ("neurons", "overdispersion") for c in schemas[name]}
    named = [span for row in rows_below("| column | meaning |") for span in spans_of(row[0])]
    assert len(named) > 5
    assert set(named) <= columns


def test_words_with_underscores_are_names_of_the_tool():
    """Every such word in code is a column, flag, table, plot, option, prior or recognised name."""
    schemas = table_schemas()
    known = {column.name for columns in schemas.values() for column in columns}
    known |= set(PARAMETERS)
    known |= {*FLAGS, *TABLE_NAMES, *PICTURES, *FIELDS, *NEURON_NAMES, *COUNT_NAMES, *TRIAL_NAMES}
    known |= {*ESTIMATE_NAMES, *STANDARD_ERROR_NAMES}
    known |= {
        BASELINE_GROUP,
        *OF_RESPONSES,
        "duration_s",
        "window_ms",
        "trial_duration_ms",
        "_ms",
        "_mean",
        "sample_data",
    }
    words = {span for span in spans_of(MANUAL) if re.fullmatch(r"\w*_\w*", span)}
    assert "rate_raw" in words
    assert {word for word in words if not word.startswith("SPIKEPOOL_")} <= known


def test_recognised_names_are_all_listed():
    """README lists exactly the names of neurons, counts and trials that are recognised."""
    rows = {row[0]: spans_of(row[1]) for row in rows_below("| role | recognised names | option |")}
    assert tuple(rows["neuron"]) == NEURON_NAMES
    assert tuple(rows["count"]) == COUNT_NAMES
    assert tuple(rows["trial"]) == TRIAL_NAMES


def test_files_of_the_results_are_listed():
    """Every table that a run writes is in README's list of files."""
    files = [span for row in rows_below("| file | what is in it |") for span in spans_of(row[0])]
    wanted = {f"{name}.{'parquet' if name in PARQUET_ONLY else 'csv'}" for name in TABLE_NAMES}
    assert wanted <= set(files)


def test_plots_are_all_explained():
    """README's list of plots is that of the tool."""
    rows = rows_below("| plot | what it shows |")
    assert {span for row in rows for span in spans_of(row[0])} == set(PICTURES)


def test_exit_codes_are_all_explained():
    """README lists every exit code of the error tree, and those of signals."""
    classes = [errors.SpikepoolError]
    for each in classes:
        classes.extend(each.__subclasses__())
    real = {0, BUG, 130, 143, *(each.exit_code for each in classes)}
    rows = rows_below("| exit code | meaning |")
    assert {int(code) for row in rows for code in row[0].split(",")} == real - {BROKEN_PIPE}


def test_priors_are_those_of_the_models(capsys):
    """README's priors are among those that `spikepool model` prints."""
    COMMAND.main(["model"], standalone_mode=False)
    printed = capsys.readouterr().out
    rows = rows_below("| parameter | what it is | prior |")
    priors = [spans_of(row[2])[0] for row in rows]
    assert len(priors) == 4
    for name, prior in zip(("μ", "τ", "exp(μ_δ)", "τ_δ"), priors, strict=True):
        assert f" {name} ~ {prior}" in printed


def test_parameters_with_a_prior_are_all_explained():
    """README lists every parameter that `--prior` takes, and every family is named."""
    rows = rows_below("| prior of | what it is |")
    assert {name for row in rows for name in spans_of(row[0])} == set(PARAMETERS)
    named = {span.split("(")[0] for span in spans_of(section_of("Families and pooling"))}
    assert {family for each in PARAMETERS.values() for family in each.families} <= named


def test_models_are_those_of_the_plan(workplace, capsys):
    """README's table of models is what a fit of the sample data plans, in this order."""
    COMMAND.main(["fit", "sample_data/v1_population.csv", "--dry-run"], standalone_mode=False)
    planned = re.findall(r"^fit     (.*)$", capsys.readouterr().out, flags=re.MULTILINE)
    assert [row[0] for row in rows_below("| model | counts | rates | dispersions |")] == planned


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    """Every relative link leads to a file, and to a heading in it where it names one."""
    targets = re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", page.read_text(encoding="utf-8"))
    for target, anchor in targets:
        path = page.parent / target if target else page
        assert path.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, anchor


def test_readme_leads_to_every_page():
    """No page of docs/ is left alone."""
    for page in PAGES[1:]:
        assert f"](docs/{page.name})" in README


def test_pictures_are_small():
    """A clone is quick."""
    for picture in (ROOT / "docs").glob("*.png"):
        assert picture.stat().st_size < PICTURE_BYTES


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.name)
def test_presets_load(preset):
    """Every preset is a valid configuration, and every default stated beside a key is real."""
    resolve_config(read_settings(preset), {})
    stated = re.findall(r"^(\w+) = .*# default (.+)$", preset.read_text("utf-8"), re.MULTILINE)
    for key, value in stated:
        default = FIELDS[key].default
        wanted = list(default) if isinstance(default, tuple) else default
        assert tomllib.loads(f"x = {value}")["x"] == wanted, key


def test_presets_change_what_they_state():
    """Each key of a preset other than one_population differs from its stated default."""
    for preset in PRESETS:
        if preset.name == "one_population.toml":
            continue
        settings = read_settings(preset)
        keys = {key for section in settings.values() for key in section}
        text = preset.read_text("utf-8")
        assert set(re.findall(r"^(\w+) = .*# default .+$", text, re.MULTILINE)) == keys
        for key, value in ((k, v) for section in settings.values() for k, v in section.items()):
            assert value != FIELDS[key].default


def test_preset_of_conditions_takes_another_column(workplace, capsys):
    """Its file says how: the sample's directions, on a circle."""
    arguments = ["fit", "sample_data/v1_population.csv", "--config", "configs/conditions.toml"]
    named = ["--condition", "direction", "--circular", "direction", "--dry-run"]
    COMMAND.main([*arguments, *named], standalone_mode=False)
    printed = capsys.readouterr().out
    assert "condition = direction" in printed
    assert re.findall(r"^fit     (.*)$", printed, flags=re.MULTILINE) == [
        "Poisson partial", "NB2 partial *",
    ]  # fmt: skip


def test_one_population_spells_out_every_default():
    """Its keys are the defaults; keys without one are commented out, and valid if uncommented."""
    path = ROOT / "configs" / "one_population.toml"
    assert resolve_config(read_settings(path), {}) == RunConfig()
    text = path.read_text(encoding="utf-8")
    for name, section in SECTIONS.items():
        body = re.split(r"^\[", text.split(f"\n[{name}]\n", 1)[1], flags=re.MULTILINE)[0]
        keys = re.findall(r"^(# )?(\w+) = (.*)$", body, flags=re.MULTILINE)
        fields = type(section.default).model_fields
        assert [key for _, key, _ in keys] == list(fields)
        for commented, key, value in keys:
            assert bool(commented) == (fields[key].default is None), key
            type(section.default).model_validate({key: tomllib.loads(f"x = {value}")["x"]})


@pytest.mark.statistical
def test_quoted_output_is_that_of_the_command(workplace, capsys):
    """The first fit prints what README quotes, but for the digits; takes about a minute."""
    quoted = next(block for block in blocks_of(README, "text") if block.startswith("read "))
    (command,) = (a for a in commands_in(section_of("First fit")) if a[0] == "fit")
    COMMAND.main(command, standalone_mode=False)
    printed = capsys.readouterr().out
    assert _shape(printed) == _shape(quoted)


def _shape(output):
    """Return the lines without digits, spacing and the neurons named (which may change places)."""
    masked = re.sub(r"[\d.,]*\d", "#", output)
    lines = [" ".join(line.split()) for line in masked.splitlines()]
    return [line for line in lines if not re.match(r"n# #", line)]

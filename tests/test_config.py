"""The configuration: defaults, spellings that are accepted, and those that are not."""

import pytest
from pydantic import ValidationError

from spikepool.config import (
    EngineOptions,
    InputOptions,
    ModelOptions,
    ReportOptions,
    RunConfig,
    RunOptions,
)

SECTIONS = (InputOptions, ModelOptions, EngineOptions, ReportOptions, RunOptions)


def test_defaults_are_themselves_valid():
    """Each default, given explicitly, is accepted and is the same."""
    config = RunConfig()
    assert RunConfig.model_validate(config.model_dump()) == config


@pytest.mark.parametrize("section", SECTIONS)
def test_every_field_has_its_help(section):
    """A sentence for ``--help``."""
    for name, field in section.model_fields.items():
        assert field.description, name
        assert field.description.rstrip().endswith((".", "]")), name


def test_options_of_all_sections_have_different_names():
    """A flag has no section; the one name used twice is the argument TABLE and --tables."""
    names = [name for section in SECTIONS for name in section.model_fields]
    assert {name for name in names if names.count(name) > 1} == {"tables"}


def test_sections_cannot_be_changed():
    """A stage cannot alter another's options."""
    with pytest.raises(ValidationError, match="frozen"):
        EngineOptions().draws = 5


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a", ("a",)),
        ("a,b", ("a", "b")),
        (" a , b ", ("a", "b")),
        (["a", "b"], ("a", "b")),
        (["a,b", "c"], ("a", "b", "c")),
        (("a", "b"), ("a", "b")),
        ("", ()),
        ("a,,b,", ("a", "b")),
        ([], ()),
    ],
)
def test_names_are_split_at_commas_and_may_be_repeated(given, wanted):
    """Both, in any mixture."""
    assert InputOptions(condition=given).condition == wanted


def test_tables_are_not_split_at_commas():
    """A path may contain one."""
    assert InputOptions(tables=["a,b.csv"]).tables == ("a,b.csv",)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("negbin", ("nb2",)),
        ("poisson,negbin", ("poisson", "nb2")),
        (["nb1", "poisson"], ("nb1", "poisson")),
    ],
)
def test_negbin_is_nb2(given, wanted):
    """An alias of the seed."""
    assert ModelOptions(family=given).family == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("tau=half-cauchy(5)", ("tau=half-cauchy(5)",)),
        ("mu=normal(0, 1)", ("mu=normal(0, 1)",)),
        ("mu=normal(0,1),tau=uniform(0, 3)", ("mu=normal(0,1)", "tau=uniform(0, 3)")),
        (["tau=jeffreys, mu=normal(0,1)", "a=b"], ("tau=jeffreys", "mu=normal(0,1)", "a=b")),
        ("tau=half-normal(1),", ("tau=half-normal(1)",)),
        ("", ()),
        ([], ()),
    ],
)
def test_priors_are_split_at_commas_outside_parentheses(given, wanted):
    """And may be repeated; what they mean is read later."""
    assert ModelOptions(prior=given).prior == wanted


@pytest.mark.parametrize(
    ("given", "wanted"), [("none", ()), (["none"], ()), ("svg,pdf", ("svg", "pdf")), ([], ())]
)
def test_none_stands_for_no_plots(given, wanted):
    """--plots none."""
    assert ReportOptions(plots=given).plots == wanted


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**63, 2**64 - 1])
def test_seed_range(seed):
    """From 0 to 2^64 − 1."""
    assert EngineOptions(seed=seed).seed == seed


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        (EngineOptions, "seed", -1),
        (EngineOptions, "seed", 2**64),
        (EngineOptions, "seed", "abc"),
        (EngineOptions, "seed", 1.5),
        (EngineOptions, "draws", 3),
        (EngineOptions, "draws", "2000"),
        (EngineOptions, "draws", 2000.5),
        (EngineOptions, "chains", 0),
        (EngineOptions, "cores", 0),
        (EngineOptions, "cores", True),
        (EngineOptions, "target_accept", 1.0),
        (EngineOptions, "target_accept", 0.0),
        (EngineOptions, "target_accept", float("nan")),
        (EngineOptions, "sampler", "stan"),
        (EngineOptions, "tune", 0),
        (ModelOptions, "family", "gaussian"),
        (ModelOptions, "family", 3),
        (ModelOptions, "pooling", "some"),
        (ModelOptions, "pooling", ["none", 3]),
        (ModelOptions, "dispersion_pooling", "none,partial"),
        (ModelOptions, "allow_unidentified", "yes"),
        (ModelOptions, "primary", 2),
        (ModelOptions, "population", "cauchy"),
        (ModelOptions, "population", "normal,gamma"),
        (ModelOptions, "prior", 3),
        (ModelOptions, "prior", [3]),
        (InputOptions, "duration", 0.0),
        (InputOptions, "duration", -1.0),
        (InputOptions, "duration", float("nan")),
        (InputOptions, "duration", "1 s"),
        (InputOptions, "exposure_unit", "min"),
        (InputOptions, "delimiter", ";;"),
        (InputOptions, "delimiter", ""),
        (InputOptions, "comment", "//"),
        (InputOptions, "count", ""),
        (InputOptions, "condition", [""" """, 3]),
        (InputOptions, "tables", "counts.csv"),
        (InputOptions, "tables", [3]),
        (InputOptions, "strict", 1),
        (ReportOptions, "interval", 95.0),
        (ReportOptions, "interval", 0.0),
        (ReportOptions, "interval", float("nan")),
        (ReportOptions, "fano_threshold", 0.5),
        (ReportOptions, "fano_ddof", 2),
        (ReportOptions, "fdr", 1.0),
        (ReportOptions, "tables", []),
        (ReportOptions, "tables", "none"),
        (ReportOptions, "tables", "parquet,xlsx"),
        (ReportOptions, "plots", "png,none"),
        (ReportOptions, "plots", "jpg"),
        (ReportOptions, "posterior", "some"),
        (RunOptions, "if_exists", "ask"),
        (RunOptions, "on_nonconvergence", "ignore"),
        (RunOptions, "of_no_such_name", 1),
    ],
)
def test_values_that_mean_nothing_are_refused(section, field, value):
    """Out of range, of the wrong type, or of no such option; the error is about that field."""
    with pytest.raises(ValidationError) as refused:
        section.model_validate({field: value})
    assert {error["loc"][0] for error in refused.value.errors()} == {field}


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        (EngineOptions, "target_accept", 0.9),
        (InputOptions, "duration", 1),
        (InputOptions, "exposure_round", 1),
        (ReportOptions, "fano_threshold", 2),
    ],
)
def test_whole_numbers_stand_for_numbers(section, field, value):
    """``duration = 1`` in TOML is one second."""
    assert getattr(section.model_validate({field: value}), field) == value

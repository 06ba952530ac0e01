"""Configuration files: what overrules what, and errors that name the key."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikepool.config import RunConfig
from spikepool.config_file import config_text, read_settings, resolve_config
from spikepool.errors import NoInputError, UsageError


@pytest.fixture
def read(tmp_path):
    """Return a function from a file's content to its settings."""

    def from_content(content):
        path = tmp_path / "run.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_settings(path)

    return from_content


def resolved(settings, **overrides):
    """Resolve a file's settings and options of the command line, given as section__key."""
    laid_over = {}
    for name, value in overrides.items():
        section, key = name.split("__")
        laid_over.setdefault(section, {})[key] = value
    return resolve_config(settings, laid_over)


def refused(settings, **overrides):
    """Return the message of the refusal."""
    with pytest.raises(UsageError) as error:
        resolved(settings, **overrides)
    return error.value.message


class TestReading:
    """From a file to settings."""

    def test_sections_and_keys_as_written(self, read):
        """Nothing is interpreted yet."""
        text = '[engine]\ndraws = 400\n[input]\ntables = ["a.csv"]\n'
        assert read(text) == {"engine": {"draws": 400}, "input": {"tables": ["a.csv"]}}

    def test_empty_file_has_no_settings(self, read):
        """All defaults."""
        assert read("") == {}

    def test_byte_order_mark_is_ignored(self, read):
        """What Windows editors put first."""
        assert read(b"\xef\xbb\xbf[engine]\r\ndraws = 400\r\n") == {"engine": {"draws": 400}}

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("[engine]\ndraws = 4\ndraws = 8\n", ("line 3", "draws = 8")),
            ("[engine]\ndraws = 4\n[engine]\nseed = 1\n", ("line 3", "[engine]")),
            ("[engine]\ndraws = \n", ("line 2", "draws =")),
            ("[engine]\ndraws = four\n", ("line 2", "draws = four")),
            ("[engine\n", ("line 1", "[engine")),
            ("[engine", ("end of document", "]")),
        ],
    )
    def test_what_is_not_toml_is_shown_with_its_line(self, read, text, told):
        """A duplicate key or section, a missing value; the line and what stands in it."""
        with pytest.raises(UsageError) as error:
            read(text)
        assert "run.toml" in error.value.message
        for part in told:
            assert part in error.value.message

    @pytest.mark.parametrize(
        "text", ["draws = 4\n", "[engine]\n[[input]]\n", "draws.seed = 1\ndraws.x = 2\nn = 3"]
    )
    def test_key_outside_a_section_is_named(self, read, text):
        """With the sections there are."""
        with pytest.raises(UsageError) as error:
            read(text)
        assert "outside a section" in error.value.message
        assert "[input], [model], [engine], [report], [run]" in error.value.hint

    def test_file_that_is_not_there_is_no_input(self, tmp_path):
        """Exit 66, with the reason."""
        with pytest.raises(NoInputError, match="No such file"):
            read_settings(tmp_path / "absent.toml")

    @pytest.mark.parametrize("content", [b"[engine]\n# caf\xe9\n", "[engine]\n".encode("utf-16")])
    def test_file_of_another_encoding_is_refused(self, read, content):
        """With its name and the encoding wanted."""
        with pytest.raises(NoInputError, match="not UTF-8"):
            read(content)

    def test_folder_is_no_configuration(self, tmp_path):
        """With the system's reason."""
        with pytest.raises(NoInputError, match="directory"):
            read_settings(tmp_path)


class TestResolving:
    """Options over the file over the defaults."""

    def test_defaults_stand_where_nothing_is_given(self):
        """An empty file and no option."""
        assert resolved({}) == RunConfig()

    def test_file_overrules_defaults_and_options_the_file(self):
        """Key by key; the rest of a section stays."""
        settings = {"engine": {"draws": 400, "tune": 300}, "model": {"family": "nb1"}}
        config = resolved(settings, engine__draws=100, report__fdr=0.1)
        assert (config.engine.draws, config.engine.tune, config.engine.chains) == (100, 300, 4)
        assert config.model.family == ("nb1",)
        assert config.report.fdr == 0.1

    def test_neither_argument_is_changed(self):
        """The merge is a copy."""
        settings, overrides = {"engine": {"draws": 400}}, {"engine": {"draws": 100}}
        resolve_config(settings, overrides)
        assert settings == {"engine": {"draws": 400}}
        assert overrides == {"engine": {"draws": 100}}

    def test_exposure_and_duration_overrule_each_other(self):
        """They say the same thing in two ways: that of the command line stands alone."""
        by_file = {"input": {"duration": 2.0}}
        config = resolved(by_file, input__exposure="seconds")
        assert (config.input.exposure, config.input.duration) == ("seconds", None)
        by_file = {"input": {"exposure": "seconds"}}
        config = resolved(by_file, input__duration=2.0)
        assert (config.input.exposure, config.input.duration) == (None, 2.0)

    def test_values_of_a_file_may_be_lists_or_texts(self):
        """TOML's lists, or the command line's commas."""
        config = resolved({"report": {"plots": ["svg", "pdf"], "tables": "parquet,csv"}})
        assert config.report.plots == ("svg", "pdf")
        assert config.report.tables == ("parquet", "csv")


class TestErrors:
    """Each names the key as the user wrote it, and the value."""

    def test_unknown_section(self):
        """As such."""
        assert refused({"sampler": {"draws": 4}}) == "section [sampler]: there is no such section"

    def test_unknown_key(self):
        """With its section."""
        found = refused({"engine": {"drws": 4}})
        assert found == "'drws' of section [engine]: there is no such key"

    @pytest.mark.parametrize(
        ("section", "key", "value"),
        [
            ("engine", "draws", "many"),
            ("engine", "draws", "400"),
            ("engine", "seed", -1),
            ("engine", "seed", 2**64),
            ("engine", "cores", True),
            ("model", "family", "gaussian"),
            ("model", "allow_unidentified", "yes"),
            ("input", "tables", "counts.csv"),
            ("report", "interval", 95),
            ("report", "plots", ["gif"]),
        ],
    )
    def test_wrong_value_in_a_file(self, section, key, value):
        """Key, section, value found, value wanted."""
        found = refused({section: {key: value}})
        assert f"{key!r} of section [{section}]: found " in found
        inner = value[0] if isinstance(value, list) else value
        assert repr(inner) in found

    def test_wrong_value_on_the_command_line_is_named_as_the_option(self):
        """Even when the file has the key as well."""
        found = refused({"engine": {"target_accept": 0.9}}, engine__target_accept=2.0)
        assert found.startswith("--target-accept: found 2.0; ")

    def test_several_errors_are_all_told(self):
        """One line each."""
        found = refused({"engine": {"draws": 1, "sampler": "stan"}}, report__fdr=7.0)
        assert [line.split(":")[0] for line in found.splitlines()] == [
            "'sampler' of section [engine]",
            "'draws' of section [engine]",
            "--fdr",
        ]


class TestText:
    """The resolved configuration, written and read back."""

    def test_defaults_round_trip(self):
        """`config.toml` of a run is read as the same configuration."""
        assert resolve_config(tomllib.loads(config_text(RunConfig())), {}) == RunConfig()

    @given(
        tables=st.lists(st.text(st.characters(codec="utf-8"), min_size=1)),
        names=st.lists(st.text("abcé ü'\"\\#=[]\t\n", min_size=1).filter(str.strip), max_size=3),
        where=st.none() | st.text(st.characters(codec="utf-8")),
        seed=st.integers(0, 2**64 - 1),
        interval=st.floats(0.001, 0.999),
        plots=st.lists(st.sampled_from(["png", "svg", "pdf"]), max_size=3),
        cores=st.none() | st.integers(1, 64),
    )
    def test_any_configuration_round_trips(
        self, tables, names, where, seed, interval, plots, cores
    ):
        """Awkward paths and names, every digit of a number, and values that are not there."""
        config = resolve_config(
            {
                "input": {"tables": tables, "group": names, **({"where": where} if where else {})},
                "engine": {"seed": seed, **({"cores": cores} if cores else {})},
                "report": {"interval": interval, "plots": plots},
            },
            {},
        )
        assert resolve_config(tomllib.loads(config_text(config)), {}) == config

    def test_path_that_is_not_utf_8_is_written_as_it_is_shown(self):
        """TOML cannot hold it; the file says which one it was."""
        config = resolved({}, input__tables=["caf\udce9 \\.csv"])
        text = config_text(config).encode().decode()
        assert tomllib.loads(text)["input"]["tables"] == [r"caf\xe9 \.csv"]

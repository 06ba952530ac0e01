"""`spikepool plot` draws the pictures of a run again, from their stored numbers."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

NAMES = {"overdispersion", "forest", "predictive", "calibration", "variance_parts"}
"""Of a run without a population."""


@pytest.fixture
def stored(fit, tmp_path):
    """Return a copy of the small run's output directory."""
    return shutil.copytree(fit.out, tmp_path / "results")


def names_of(folder):
    """Return the names of the files of a folder."""
    return {path.name for path in Path(folder).iterdir()}


def test_draws_beside_the_results(spikepool, stored):
    """OUT-plots, every picture; the results stay as they were."""
    before = names_of(stored)
    ended = spikepool("plot", stored)
    assert ended.code == 0
    assert ended.out == f"5 plots · {stored}-plots\n"
    assert names_of(f"{stored}-plots") == {f"{name}.png" for name in NAMES}
    assert names_of(stored) == before


def test_same_style_gives_the_same_picture(spikepool, stored, tmp_path):
    """Byte for byte: nothing of the picture is lost in its numbers."""
    spikepool("plot", stored, "-o", tmp_path / "again")
    for name in NAMES:
        drawn = (tmp_path / "again" / f"{name}.png").read_bytes()
        assert drawn == (stored / "plots" / f"{name}.png").read_bytes()


@pytest.mark.parametrize("place", [".", "..", "./"])
def test_folder_without_a_name_of_its_own(spikepool, stored, monkeypatch, place):
    """`spikepool plot .` inside the results."""
    monkeypatch.chdir(stored if place != ".." else stored / "plots")
    assert spikepool("plot", place).code == 0
    assert names_of(f"{stored}-plots") == {f"{name}.png" for name in NAMES}


@pytest.mark.parametrize(
    ("width", "formats"),
    [("85mm", ["svg,pdf"]), ("85", ["svg,pdf"]), ("85.0mm", ["svg", "--plots", "pdf"])],
)
def test_width_and_formats(spikepool, stored, tmp_path, width, formats):
    """Millimetres, with or without their name; several formats by comma or by repetition."""
    ended = spikepool(
        "plot", stored, "-o", tmp_path / "p", "--width", width, "--plots", *formats,
        "--style", "slides",
    )  # fmt: skip
    assert ended.code == 0
    assert names_of(tmp_path / "p") == {f"{n}.{s}" for n in NAMES for s in ("svg", "pdf")}
    found = re.search(r'width="([\d.]+)pt"', (tmp_path / "p" / "forest.svg").read_text())
    assert float(found[1]) == pytest.approx(85 / 25.4 * 72, abs=0.5)


@pytest.mark.parametrize("width", ["wide", "", "5mm", "nan", "-85mm", "inf", "85cm"])
def test_width_that_is_none_is_a_usage_error(spikepool, stored, width):
    """Exit 2, naming the option."""
    ended = spikepool("plot", stored, "--width", width)
    assert ended.code == 2
    assert "--width" in ended.err


def test_unknown_format_is_a_usage_error(spikepool, stored):
    """Exit 2, naming the value."""
    ended = spikepool("plot", stored, "--plots", "png,gif")
    assert ended.code == 2
    assert "'gif'" in ended.err


def test_no_results_are_no_input(spikepool, tmp_path):
    """A folder that is not there, and one that holds no numbers: 66."""
    assert spikepool("plot", tmp_path / "absent").code == 66
    ended = spikepool("plot", tmp_path)
    assert ended.code == 66
    assert "--plots none" in ended.err


def test_folder_of_a_run_is_not_written_into(spikepool, stored):
    """Its manifest would no longer hold: 73."""
    assert spikepool("plot", stored, "-o", stored).code == 73


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("about.json", "{"),
        ("about.json", "[]"),
        ("about.json", '{"forest": {"colour": "red"}}'),
        ("about.json", '{"forest": 3}'),
        ("about.json", '{"forest": {}}'),
        ("forest.csv", ""),
        ("forest.csv", "part,neuron,mean\nneuron,a,many\n"),
        ("forest.csv", "something,else\n1,2\n"),
        ("forest.csv", "a\x00b"),
    ],
)
def test_numbers_that_were_changed_are_bad_data(spikepool, stored, name, content):
    """Edited or cut short: 65, and no bug."""
    (stored / "plots" / "data" / name).write_text(content)
    ended = spikepool("plot", stored)
    assert ended.code == 65
    assert f"plots/data/{name} is not as it was written" in ended.err


def test_missing_numbers_are_left_out(spikepool, stored):
    """Of one picture; the others are drawn."""
    (stored / "plots/data/forest.csv").unlink()
    assert spikepool("plot", stored).out.startswith("4 plots")
    assert names_of(f"{stored}-plots") == {f"{name}.png" for name in NAMES - {"forest"}}


def test_about_names_the_model_of_each_picture(stored):
    """What stands in a picture's corner."""
    about = json.loads((stored / "plots/data/about.json").read_text())
    assert set(about) == NAMES
    assert about.pop("variance_parts")["model"] == ""
    assert {each["model"] for each in about.values()} == {"Poisson none"}
    assert {each["n_neurons"] for each in about.values()} == {6}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="a superuser reads everything")
def test_unreadable_numbers_are_bad_data(spikepool, stored):
    """No permission: 65."""
    (stored / "plots/data/about.json").chmod(0)
    assert spikepool("plot", stored).code == 65


def test_no_format_is_a_usage_error(spikepool, stored):
    """There is nothing to draw."""
    ended = spikepool("plot", stored, "--plots", "none")
    assert (ended.code, "leaves nothing to draw" in ended.err) == (2, True)

"""What holds for every picture: type that is legible and apart, units, round trips, no state."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from spikepool.report.plots.about import About
from spikepool.report.plots.canvas import render
from spikepool.report.plots.numbers import from_csv, to_csv
from spikepool.report.plots.registry import PICTURES
from spikepool.report.plots.style import PlotStyle

SIZES = (1, 3, 12, 61, 151)
STYLES = (
    PlotStyle(),
    PlotStyle(width_mm=85),
    PlotStyle(width_mm=180),
    PlotStyle("slides"),
    PlotStyle("slides", 250),
)


def sheets():
    """Every picture at every size in every style; two fifths of them, with all of each, by default.

    Tuning and drift have a panel for each of a dozen neurons at most: see `test_tuning.py`.
    """
    for name in PICTURES:
        for i, n in enumerate(SIZES):
            if name in ("tuning", "drift") and n > 3:
                continue
            for j, style in enumerate(STYLES):
                marks = () if (j - i) % len(STYLES) in (0, 2) else pytest.mark.statistical
                yield pytest.param(name, n, style, marks=marks, id=f"{style}-{name}-{n}")


@pytest.mark.parametrize(("name", "n_neurons", "style"), sheets())
def test_text_is_legible_inside_and_apart(name, n_neurons, style, simulate, pictures, legible):
    """At every size and width all type is at least 7 pt, on the sheet, and free of other type."""
    fit = simulate(n_neurons)
    with style.context():
        legible(PICTURES[name](pictures(fit)[name], fit.about, style), style)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("n_neurons", [3, 151])
def test_redraws_identically_from_csv(name, n_neurons, simulate, pictures):
    """The stored numbers draw the same picture, byte for byte."""
    fit, style = simulate(n_neurons), PlotStyle(width_mm=85)
    data = pictures(fit)[name]
    again = from_csv(to_csv(data))
    first = render(PICTURES[name](data, fit.about, style), "png", style)
    assert first == render(PICTURES[name](again, fit.about, style), "png", style)


@pytest.mark.parametrize("image_format", ["png", "svg", "pdf"])
def test_bytes_repeat(image_format, simulate, pictures):
    """A file has no date or random identifier in it, and keeps its type editable."""
    fit, style = simulate(12), PlotStyle()
    data = pictures(fit)["shrinkage"]
    files = [
        render(PICTURES["shrinkage"](data, fit.about, style), image_format, style) for _ in range(2)
    ]
    assert files[0] == files[1]
    if image_format == "svg":
        assert b"NB2 partial \xc2\xb7 12 neurons" in files[0]
    if image_format == "pdf":
        assert b"/CIDFontType2" in files[0] or b"/FontFile2" in files[0]


@pytest.mark.parametrize("name", PICTURES)
def test_width_and_caption(name, simulate, pictures, drawn):
    """The sheet is as wide as asked; its corner names the model and the numbers."""
    fit = simulate(12)
    for width in (85, 180):
        figure = PICTURES[name](pictures(fit)[name], fit.about, PlotStyle(width_mm=width))
        assert figure.get_figwidth() * 25.4 == pytest.approx(width)
        (caption,) = drawn(figure, "caption")
        assert caption.get_text() == (f"NB2 partial · 12 neurons · {fit.about.n_trials:,} trials")


@pytest.mark.parametrize("name", PICTURES)
def test_settings_are_left_alone(name, simulate, pictures):
    """Drawing changes no setting of Matplotlib and opens no pyplot figure."""
    fit = simulate(3)
    before = dict(mpl.rcParams)
    figure = PICTURES[name](pictures(fit)[name], fit.about, PlotStyle("slides"))
    render(figure, "svg", PlotStyle("slides"))
    assert dict(mpl.rcParams) == before
    assert figure.number is None if hasattr(figure, "number") else True


@pytest.mark.parametrize("name", PICTURES)
def test_a_user_style_does_not_leak_in(name, simulate, pictures):
    """Whatever the user's own settings, the picture is the same."""
    fit, style = simulate(3), PlotStyle()
    data = pictures(fit)[name]
    plain = render(PICTURES[name](data, fit.about, style), "png", style)
    with mpl.rc_context({"axes.grid": True, "font.size": 20, "lines.linewidth": 9}):
        assert render(PICTURES[name](data, fit.about, style), "png", style) == plain


@pytest.mark.parametrize("name", PICTURES)
def test_no_rows_make_a_sentence(name, simulate, pictures):
    """Nothing to draw: the picture says so in a sentence."""
    fit, style = simulate(3), PlotStyle()
    none = pictures(fit)[name].iloc[:0]
    figure = PICTURES[name](none, fit.about, style)
    (sentence,) = figure.axes[0].texts
    assert sentence.get_text().endswith(".")
    again = from_csv(to_csv(none))
    assert render(PICTURES[name](again, fit.about, style), "png", style)


@pytest.mark.parametrize("name", PICTURES)
def test_missing_numbers_do_not_crash(name, simulate, pictures):
    """All values NaN: a sentence, not a traceback."""
    fit, style = simulate(12), PlotStyle()
    data = pictures(fit)[name].copy()
    for column in data.columns:
        if data[column].dtype == float:
            data[column] = np.nan
    assert render(PICTURES[name](data, fit.about, style), "png", style)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("n_neurons", [3, 151])
def test_poisson_has_every_picture(name, n_neurons, simulate, pictures):
    """Without a negative-binomial model every picture is drawn or says why not."""
    fit, style = simulate(n_neurons, "poisson"), PlotStyle()
    assert render(PICTURES[name](pictures(fit)[name], fit.about, style), "png", style)


def test_long_captions_are_broken():
    """A caption that is too wide for the sheet takes more lines."""
    about = About("NB2 partial (complete dispersion)", 1446, 1924400, "spikes/trial")
    figure = PICTURES["shrinkage"](from_csv("part,raw,partial\n"), about, PlotStyle(width_mm=85))
    assert figure.texts[0].get_text() == (
        "NB2 partial (complete dispersion)\n1,446 neurons · 1,924,400 trials"
    )


def test_width_is_checked():
    """A width in centimetres is refused."""
    with pytest.raises(ValueError, match=r"60 to 600 mm wide, not 8\.5"):
        PlotStyle(width_mm=8.5)


def test_names_and_captions_need_no_matplotlib():
    """What a picture says of itself can be built without importing Matplotlib."""
    code = "import sys, spikepool.report.plots.about; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_colours_of_weights_darken_steadily():
    """Own weight can be read in greyscale: lightness falls from 0 to 1, never near white."""
    from spikepool.report.plots.style import weight_colours

    luminance = [
        np.dot(to_rgb(weight_colours()(w)), (0.2126, 0.7152, 0.0722)) for w in np.linspace(0, 1, 50)
    ]
    assert (np.diff(luminance) < 1e-3).all()
    assert luminance[0] < 0.75

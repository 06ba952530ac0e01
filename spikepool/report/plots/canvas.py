"""A sheet with its corner text, a sentence where there is nothing to draw, and the bytes of it."""

import textwrap
from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final, Literal

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from spikepool.report.plots.about import Caption
from spikepool.report.plots.style import GREY, INK, PlotStyle

type ImageFormat = Literal["png", "svg", "pdf"]

MM_PER_INCH: Final = 25.4
_METADATA: Final[dict[ImageFormat, dict[str, None]]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


def new_figure(about: Caption, style: PlotStyle, width_mm: float, height_mm: float) -> Figure:
    """Start a picture with the model and the numbers of neurons and trials in its corner."""
    pad = 0.03 * style.scale
    layout = ConstrainedLayoutEngine(w_pad=pad, h_pad=pad)
    figure = Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), layout=layout)
    model = f"{about.model} · " if about.model else ""
    caption = model + about.numbers
    if style.characters_mm(len(caption)) > width_mm:
        halves = (wrapped(half, width_mm, style) for half in (about.model, about.numbers))
        caption = "\n".join(line for half in halves for line in half)
    figure.text(0.995, 0.995, caption, ha="right", va="top", color=GREY, gid="caption")
    lines = caption.count("\n") + 1
    strip = (1.25 * lines + 0.5) * style.font_pt / 72 / (height_mm / MM_PER_INCH)
    layout.set(rect=(0, 0, 1, 1 - strip))
    return figure


def write_foot(figure: Figure, sentences: Sequence[str], style: PlotStyle, width_mm: float) -> None:
    """Write sentences below the panels, on a sheet made higher for them; before `settle`."""
    lines = [line for sentence in sentences for line in wrapped(sentence, width_mm, style)]
    layout = figure.get_layout_engine()
    assert isinstance(layout, ConstrainedLayoutEngine)  # noqa: S101 - of `new_figure`
    before = figure.get_figheight()
    foot = (1.25 * len(lines) + 1.0) * style.font_pt / 72
    _, _, _, share = layout.get()["rect"]
    height = before + foot
    figure.set_figheight(height)
    layout.set(rect=(0, foot / height, 1, share * before / height))
    figure.text(0.005, 0.3 * style.font_pt / 72 / height, "\n".join(lines), va="bottom",
                linespacing=1.25, color=INK, gid="foot")  # fmt: skip


def settle(figure: Figure) -> None:
    """Lay the figure out once and for all, so that labels can be placed in what results."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def say(axes: Any, sentence: str, style: PlotStyle, *, width_mm: float) -> None:
    """Put a sentence where there is nothing to draw."""
    axes.set_axis_off()
    text = "\n".join(wrapped(sentence, 0.9 * width_mm, style))
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=INK)


def empty(sentence: str, about: Caption, style: PlotStyle) -> Figure:
    """Return a picture that says why there is none."""
    with style.context():
        width = style.width(85)
        figure = new_figure(about, style, width, 30 * style.scale)
        say(figure.subplots(), sentence, style, width_mm=width)
        settle(figure)
    return figure


def render(figure: Figure, image_format: ImageFormat, style: PlotStyle) -> bytes:
    """Return the picture as a file's bytes: the same for the same numbers, with no date in it.

    Parameters
    ----------
    figure : Figure
    image_format : {'png', 'svg', 'pdf'}
        Type stays editable in ``svg`` (text) and ``pdf`` (TrueType).
    style : PlotStyle
        The one the figure was drawn in.
    """
    buffer = BytesIO()
    with style.context():
        figure.savefig(buffer, format=image_format, metadata=_METADATA[image_format])
    return buffer.getvalue()


def wrapped(text: str, width_mm: float, style: PlotStyle) -> list[str]:
    """Break a text into lines that are no wider."""
    return textwrap.wrap(text, max(10, int(width_mm / style.characters_mm(1))))

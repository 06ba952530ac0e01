"""Pictures as the bytes of files, with the numbers behind them, and drawn again from those."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from spikepool.errors import BadDataError
from spikepool.report.plots.about import About, AboutEstimates, AboutPrior

if TYPE_CHECKING:
    import pandas as pd

    from spikepool.report.plots.canvas import ImageFormat
    from spikepool.report.plots.style import PlotStyle

type AnyAbout = About | AboutEstimates | AboutPrior

FOLDER = "plots"
DATA_FOLDER = "plots/data"
ABOUT_FILE = "plots/data/about.json"


@dataclass(frozen=True)
class Picture:
    """A picture before it is drawn.

    Attributes
    ----------
    name : str
    about : About, AboutEstimates or AboutPrior
    data : DataFrame
        The numbers behind it.
    """

    name: str
    about: AnyAbout
    data: "pd.DataFrame"


def render_pictures(
    pictures: Iterable[Picture], formats: Iterable["ImageFormat"], style: "PlotStyle"
) -> Iterator[tuple[str, bytes]]:
    """Yield every picture of a run, with the numbers behind it.

    Parameters
    ----------
    pictures : iterable of Picture
    formats : iterable of {'png', 'svg', 'pdf'}
    style : PlotStyle

    Yields
    ------
    tuple of (str, bytes)
        Path in the output folder, and content.
    """
    from spikepool.report.plots.numbers import to_csv

    formats = tuple(formats)
    abouts: dict[str, AnyAbout] = {}
    for picture in pictures:
        abouts[picture.name] = picture.about
        yield f"{DATA_FOLDER}/{picture.name}.csv", to_csv(picture.data).encode()
        yield from _drawn(picture, formats, style)
    yield ABOUT_FILE, _about_bytes(abouts)


def redraw_pictures(
    about: bytes, tables: dict[str, str], formats: Iterable["ImageFormat"], style: "PlotStyle"
) -> Iterator[tuple[str, bytes]]:
    """Yield pictures drawn again from their stored numbers.

    Parameters
    ----------
    about : bytes
        Content of ``plots/data/about.json``.
    tables : dict of str to str
        Content of ``plots/data/NAME.csv`` by name.
    formats : iterable of {'png', 'svg', 'pdf'}
    style : PlotStyle

    Yields
    ------
    tuple of (str, bytes)

    Raises
    ------
    BadDataError
        If the numbers are not as they were stored.
    """
    from spikepool.report.plots.numbers import from_csv

    formats = tuple(formats)
    try:
        abouts = TypeAdapter(dict[str, AnyAbout]).validate_json(about)
    except ValueError as error:
        raise BadDataError(f"{ABOUT_FILE} is not as it was written: {error}") from error
    for name, of_picture in abouts.items():
        if name not in tables:
            continue
        try:
            picture = Picture(name, of_picture, from_csv(tables[name]))
            yield from _drawn(picture, formats, style)
        except (KeyError, ValueError) as error:
            raise BadDataError(
                f"{DATA_FOLDER}/{name}.csv is not as it was written: {error!r}",
                "fit again, or look at the error with --debug",
            ) from error


def _drawn(
    picture: Picture, formats: tuple["ImageFormat", ...], style: "PlotStyle"
) -> Iterator[tuple[str, bytes]]:
    from spikepool.report.plots.canvas import render
    from spikepool.report.plots.registry import draw_picture

    figure = draw_picture(picture.name, picture.data, picture.about, style)
    for image_format in formats:
        yield f"{FOLDER}/{picture.name}.{image_format}", render(figure, image_format, style)


def _about_bytes(abouts: dict[str, AnyAbout]) -> bytes:
    fields = {name: asdict(about) for name, about in abouts.items()}
    return (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode()

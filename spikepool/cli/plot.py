"""`spikepool plot`: draw the pictures of a finished run, of any kind, again."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from spikepool.cli.options import Debug
from spikepool.errors import BadDataError, NoInputError, UsageError


def plot_command(
    results: Annotated[
        Path, typer.Argument(metavar="OUT", help="Output directory of fit, prior or sensitivity.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where to. [default: OUT-plots]"),
    ] = None,
    style: Annotated[
        Literal["paper", "slides"], typer.Option(help="7 pt type for paper, 12 pt for slides.")
    ] = "paper",
    width: Annotated[
        str | None,
        typer.Option(
            metavar="85mm",
            help="Width of every picture, 60 to 600 mm. [default: its own]",
            show_default=False,
        ),
    ] = None,
    plots: Annotated[
        list[str] | None,
        typer.Option(metavar="png,svg,pdf", help="Formats. [default: png]", show_default=False),
    ] = None,
    debug: Debug = False,
) -> None:
    """Draw the plots of a run again, in another size or style, from the stored numbers.

    Example: spikepool plot results --style slides --width 250mm --plots svg
    """
    del debug  # read by the error handler
    about, tables = _stored(results)
    from spikepool.config_file import resolve_config
    from spikepool.report.pictures import redraw_pictures
    from spikepool.report.plots.style import PlotStyle
    from spikepool.report.writer import write_files

    formats = resolve_config({}, {"report": {"plots": plots or ["png"]}}).report.plots
    if not formats:
        raise UsageError("--plots none leaves nothing to draw", "name png, svg or pdf")
    try:
        chosen = PlotStyle(style, _millimetres(width))
    except ValueError as error:
        raise UsageError(f"--width: {error}") from error
    folder = output or _beside(results)
    drawn = redraw_pictures(about, tables, formats, chosen)
    written = write_files(folder, ((Path(name).name, data) for name, data in drawn))
    print(f"{len(written)} plots · {folder}")


def _beside(results: Path) -> Path:
    """Return the folder OUT-plots, also of ``.`` and ``..``, which have no name of their own."""
    named = results if results.name not in {"", ".."} else results.resolve()
    return named.with_name(f"{named.name}-plots")


def _millimetres(width: str | None) -> float | None:
    if width is None:
        return None
    try:
        return float(width.removesuffix("mm"))
    except ValueError as error:
        raise UsageError(f"--width {width!r} is no width", "write it as 85mm") from error


def _stored(results: Path) -> tuple[bytes, dict[str, str]]:
    """Read the numbers behind the pictures of a run."""
    from spikepool.report.pictures import ABOUT_FILE, DATA_FOLDER

    try:
        about = (results / ABOUT_FILE).read_bytes()
        files = sorted((results / DATA_FOLDER).glob("*.csv"))
        return about, {file.stem: file.read_text(encoding="utf-8") for file in files}
    except FileNotFoundError as error:
        hint = "name the output directory of a run that drew plots (not --plots none)"
        raise NoInputError(f"{results} holds no numbers of plots", hint) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadDataError(f"{results}: the numbers of plots cannot be read: {error}") from error

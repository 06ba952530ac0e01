"""How pictures look: sizes for paper and slides, and colours that everyone can tell apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

import matplotlib as mpl
from matplotlib.colors import Colormap, LinearSegmentedColormap

MIN_WIDTH_MM: Final = 60.0
MAX_WIDTH_MM: Final = 600.0

BLACK: Final = "#000000"
INK: Final = "#333333"
GREY: Final = "#7f7f7f"
LIGHT: Final = "#a6a6a6"
PALE: Final = "#c8c8c8"
ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
BLUE: Final = "#0072B2"
VERMILION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
CYCLE: Final = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY, BLACK)
"""Okabe & Ito's colours, in the order in which series of equal rank take them."""

type StyleName = Literal["paper", "slides"]


@dataclass(frozen=True)
class PlotStyle:
    """Sizes of a picture.

    Attributes
    ----------
    name : {'paper', 'slides'}
        ``paper`` has 7 pt type; ``slides`` is the same picture magnified to 12 pt type.
    width_mm : float or None
        Full width, such as 85 or 180 (one or two columns); None: what suits each picture.
    """

    name: StyleName = "paper"
    width_mm: float | None = None

    def __post_init__(self) -> None:
        if self.width_mm is not None and not MIN_WIDTH_MM <= self.width_mm <= MAX_WIDTH_MM:
            raise ValueError(
                f"a picture is {MIN_WIDTH_MM:g} to {MAX_WIDTH_MM:g} mm wide, not {self.width_mm:g}"
            )

    @property
    def font_pt(self) -> float:
        """The one size of type, in points."""
        return 7.0 if self.name == "paper" else 12.0

    @property
    def scale(self) -> float:
        """Magnification of lines, marks and lengths relative to paper."""
        return self.font_pt / 7.0

    def width(self, natural_mm: float) -> float:
        """Width in mm of a picture that is `natural_mm` wide on paper when nobody asks."""
        return natural_mm * self.scale if self.width_mm is None else self.width_mm

    def height(self, ratio: float, natural_mm: float, at_most_mm: float) -> float:
        """`ratio` times the width, and no more than `at_most_mm` on paper."""
        return min(ratio * self.width(natural_mm), at_most_mm * self.scale)

    def columns(self, natural_mm: float) -> bool:
        """Whether two panels fit side by side."""
        return self.width(natural_mm) / self.scale >= 140

    def characters_mm(self, count: int) -> float:
        """Width of that many characters, in mm, rounded up."""
        return count * 0.62 * self.font_pt * 25.4 / 72

    @contextmanager
    def context(self) -> Iterator[None]:
        """Matplotlib's settings for this style, whatever the user's own; restored on leaving."""
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(self._settings())
            yield

    def _settings(self) -> dict[str, object]:
        sizes = {
            "lines.linewidth": 0.9,
            "lines.markersize": 3.0,
            "patch.linewidth": 0.6,
            "axes.linewidth": 0.5,
            "axes.labelpad": 2.5,
            "xtick.major.size": 2.2,
            "ytick.major.size": 2.2,
            "xtick.minor.size": 1.2,
            "ytick.minor.size": 1.2,
            "xtick.major.width": 0.5,
            "ytick.major.width": 0.5,
            "xtick.minor.width": 0.4,
            "ytick.minor.width": 0.4,
            "xtick.major.pad": 2.0,
            "ytick.major.pad": 2.0,
        }
        type_of = dict.fromkeys(
            (
                "font.size",
                "axes.labelsize",
                "axes.titlesize",
                "xtick.labelsize",
                "ytick.labelsize",
                "legend.fontsize",
                "legend.title_fontsize",
                "figure.labelsize",
            ),
            self.font_pt,
        )
        return {
            **{name: self.scale * size for name, size in sizes.items()},
            **type_of,
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans"],
            "text.color": BLACK,
            "text.parse_math": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
            "legend.handlelength": 1.5,
            "legend.borderaxespad": 0.0,
            "legend.borderpad": 0.0,
            "figure.dpi": 300,
            "savefig.dpi": "figure",
            "svg.fonttype": "none",
            "svg.hashsalt": "spikepool",
            "pdf.fonttype": 42,
            "ps.fonttype": 42,
        }


def series_colours(count: int) -> tuple[str, ...]:
    """Colours of that many series of equal rank; a single one is drawn in ink."""
    return (INK,) if count == 1 else tuple(CYCLE[i % len(CYCLE)] for i in range(count))


def weight_colours() -> Colormap:
    """Own weight 0 to 1: orange to navy, lightness falling all the way, both ends seen on white."""
    plasma = mpl.colormaps["plasma"]
    return LinearSegmentedColormap.from_list(
        "own_weight", [plasma(0.78 * (1 - i / 32)) for i in range(33)]
    )


def density_colours() -> Colormap:
    """Few to many: cividis from a visible yellow to navy."""
    cividis = mpl.colormaps["cividis"]
    return LinearSegmentedColormap.from_list(
        "density", [cividis(0.93 * (1 - i / 32)) for i in range(33)]
    )

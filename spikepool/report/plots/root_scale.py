"""Square-root axes, on which counts scatter equally wide everywhere (Tukey's rootogram)."""

from typing import Any, Literal

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter

from spikepool.data.spike_counts import FloatArray


def root_scale(axes: Any, direction: Literal["x", "y"], low: float, high: float) -> None:
    """Give an axis a square-root scale from `low` to `high`, with round ticks."""
    getattr(axes, f"set_{direction}scale")("function", functions=(_root, _square))
    getattr(axes, f"set_{direction}lim")(low, high)
    axis = axes.xaxis if direction == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(root_ticks(high)))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.10g}"))


def root_ticks(high: float) -> list[float]:
    """Round numbers that stand about evenly on a square-root scale from 0 to `high`."""
    ticks = [0.0]
    round_numbers = np.sort(np.outer([1, 2, 3, 5], 10.0 ** np.arange(-3, 10)), axis=None)
    for tick in round_numbers[round_numbers <= high]:
        if np.sqrt(tick) - np.sqrt(ticks[-1]) >= 0.13 * np.sqrt(high):
            ticks.append(float(f"{tick:.3g}"))
    return ticks


def _root(values: FloatArray) -> FloatArray:
    return np.sign(values) * np.sqrt(np.abs(values))


def _square(values: FloatArray) -> FloatArray:
    return np.sign(values) * np.square(values)

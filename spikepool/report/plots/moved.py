"""Which neurons pooling moved most."""

import numpy as np
import pandas as pd

from spikepool.report.plots.numbers import numbers


def most_moved(neurons: pd.DataFrame, count: int = 10) -> list[int]:
    """Return row numbers by |ln(partial/raw)|, largest first; not of silent neurons (ln 0)."""
    raw, partial = numbers(neurons, "raw"), numbers(neurons, "partial")
    moved = np.full(raw.size, -1.0)
    moved[raw > 0] = np.abs(np.log(partial[raw > 0] / raw[raw > 0]))
    order = np.argsort(-moved, kind="stable")
    return [int(row) for row in order[:count] if raw[row] > 0]

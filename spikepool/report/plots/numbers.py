"""The numbers behind a picture: a tidy table that CSV carries without losing a digit.

A picture's table holds text and floating-point columns only. `part` says what a row is (a neuron,
the population, a point of a curve ...); cells that do not apply are empty.
"""

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Final

import numpy as np
import pandas as pd

from spikepool.data.spike_counts import FloatArray

TEXT_COLUMNS: Final = frozenset(
    {
        *("part", "neuron", "group", "family", "verdict", "source", "parameter"),
        *("condition", "series", "axis", "kind"),
    }
)


def table(parts: Mapping[str, Mapping[str, object]], columns: Sequence[str]) -> pd.DataFrame:
    """Stack the parts of a picture into one table with the columns `part` and `columns`.

    Parameters
    ----------
    parts : dict of str to dict of str to array_like
        Of each part, its columns (of one length; scalars are repeated). A part with an empty
        column has no rows.
    columns : sequence of str
        All columns, in order; those a part does not have are empty there.
    """
    stacked: dict[str, list[object]] = {name: [] for name in ("part", *columns)}
    for label, given in parts.items():
        sizes = np.array([np.asarray(values).size for values in given.values()])
        length = int(sizes.max()) if sizes.size and sizes.all() else 0
        stacked["part"] += [label] * length
        for name in columns if length else ():
            values = np.asarray(given.get(name, "" if name in TEXT_COLUMNS else np.nan))
            stacked[name] += np.broadcast_to(values, (length,)).tolist()
    return pd.DataFrame({name: _typed(name, values) for name, values in stacked.items()})


def part(data: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of one part."""
    return data[data["part"] == name]


def numbers(data: pd.DataFrame, column: str) -> FloatArray:
    """Return a column of numbers."""
    return data[column].to_numpy(dtype=np.float64)


def texts(data: pd.DataFrame, column: str) -> list[str]:
    """Return a column of text."""
    return [str(value) for value in data[column]]


def to_csv(data: pd.DataFrame) -> str:
    """CSV with every digit that a 64-bit number has."""
    return str(data.to_csv(index=False, lineterminator="\n"))


def from_csv(text: str) -> pd.DataFrame:
    """Read `to_csv`'s text back: identical numbers, and text as written (``007``, ``NA``)."""
    raw = pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)
    return pd.DataFrame({name: _typed(str(name), raw[name].tolist()) for name in raw.columns})


def _typed(name: str, values: Sequence[object]) -> "pd.Series[str] | pd.Series[float]":
    if name in TEXT_COLUMNS:
        return pd.Series([str(value) for value in values], dtype="str")
    floats = [np.nan if value == "" else float(str(value)) for value in values]
    return pd.Series(floats, dtype=np.float64)

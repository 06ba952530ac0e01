"""Validated spike counts, one entry per neuron × trial, in the order of the rows read."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spikepool.data.natural_order import NUMBER

type IntArray = NDArray[np.int64]
type FloatArray = NDArray[np.float64]
type RateUnit = Literal["spikes/s", "spikes/trial"]

IN_DEGREES = (360.0, 180.0, 90.0)
"""Periods of a circular axis that are taken to be in degrees."""


@dataclass(frozen=True)
class Labels:
    """A column of labels, kept as text exactly as written.

    Attributes
    ----------
    name : str
        The column's name (several columns joined: ``session,probe,unit_id``).
    values : tuple of str
        The distinct labels, in natural order (``n2`` before ``n10``).
    codes : ndarray of int64, shape (rows,)
        Index into `values`, per row.
    """

    name: str
    values: tuple[str, ...]
    codes: IntArray


@dataclass(frozen=True)
class Factor:
    """A column of stimulus conditions, one axis of the stimulus; or blocks of trials.

    Attributes
    ----------
    name : str
    labels : tuple of str, one per condition, in the order of ``SpikeCounts.condition.values``
        Text as written.
    period : float or None
        Of a circular axis, such as 180 of orientations in degrees.
    is_input : bool
        Whether it is a column of the table.
    """

    name: str
    labels: tuple[str, ...]
    period: float | None = None
    is_input: bool = True

    @property
    def numbers(self) -> FloatArray | None:
        """The labels as numbers, shape (conditions,); None where one is no finite number."""
        if not all(NUMBER.fullmatch(label) for label in self.labels):
            return None
        values = np.array([float(label) for label in self.labels])
        return values if np.isfinite(values).all() else None

    @property
    def positions(self) -> FloatArray | None:
        """The numbers on the axis: on a circular one brought into one period if they exceed it."""
        values = self.numbers
        if values is None or self.period is None or np.ptp(values) < self.period:
            return values
        return values % self.period

    @property
    def unit(self) -> str:
        """``degrees`` of a circular axis with such a period, else empty: not known."""
        return "degrees" if self.period in IN_DEGREES else ""


@dataclass(frozen=True)
class DriftBlocks:
    """Blocks of each neuron's trials in their order, between which its rate may drift.

    Attributes
    ----------
    size : int
        Trials in a block; the last one of a neuron has up to 2 `size` − 1.
    labels : Labels
        ``block 1``, ``block 2`` ..., row by row.
    """

    size: int
    labels: Labels

    @property
    def factor(self) -> Factor:
        """The blocks as an axis, of their numbers."""
        numbers = range(1, len(self.labels.values) + 1)
        return Factor(self.labels.name, tuple(map(str, numbers)), is_input=False)


@dataclass(frozen=True)
class NeuronColumn:
    """An input column that is constant within every neuron and is carried into the results.

    Attributes
    ----------
    name : str
    values : tuple of str or None, one per neuron, in the order of ``SpikeCounts.neuron.values``
        Text as written; None where the cell was empty.
    """

    name: str
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class Source:
    """A file that was read: its path as given, size in bytes and SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Notice:
    """Something the user should know that did not stop the run.

    Attributes
    ----------
    code : str
        Short fixed name, such as ``repeated-rows``.
    message : str
        One sentence, with numbers.
    """

    code: str
    message: str


@dataclass(frozen=True)
class SpikeCounts:
    """The whole table after reading, checking and selecting.

    Attributes
    ----------
    neuron : Labels
    count : ndarray of int64, shape (rows,)
        Spikes in the trial, >= 0.
    exposure : ndarray of float64, shape (rows,)
        Seconds; 1 for every row when none was given.
    exposure_known : bool
        Whether `exposure` is in seconds.
    trial, condition, group, within : Labels or None
        Conditions sorted by their factors, the first one first.
    factors : tuple of Factor
        The columns that the conditions are made of; empty without conditions.
    neuron_columns : tuple of NeuronColumn
        Columns constant within a neuron (area, depth, quality label), carried into the results.
    unmodelled : tuple of str
        Label columns, carried or not, that no part of the model uses.
    varying : tuple of Labels
        Those of them that change within neurons and come back, row by row, as stimuli do.
    sources : tuple of Source
    recognised : tuple of (str, str)
        Role and column for every column used, as printed: ``("count", "n_spikes")``.
    notices : tuple of Notice
    session : Labels or None
        Of rows: neurons with one trial and condition of a session were recorded together.
    baseline : Baseline or None
        What was recorded without a stimulus; its trials are not among the rows.
    blocks : DriftBlocks or None
        Of trials, where rates may drift; there are no two conditions then.
    """

    neuron: Labels
    count: IntArray
    exposure: FloatArray
    exposure_known: bool
    trial: Labels | None = None
    condition: Labels | None = None
    group: Labels | None = None
    factors: tuple[Factor, ...] = ()
    neuron_columns: tuple[NeuronColumn, ...] = ()
    unmodelled: tuple[str, ...] = ()
    varying: tuple[Labels, ...] = ()
    sources: tuple[Source, ...] = ()
    recognised: tuple[tuple[str, str], ...] = ()
    notices: tuple[Notice, ...] = field(default=())
    within: Labels | None = None
    session: Labels | None = None
    baseline: "Baseline | None" = None
    blocks: DriftBlocks | None = None

    @property
    def responses(self) -> Labels | None:
        """What the rates of one neuron differ by: blocks of trials, or else conditions."""
        return self.condition if self.blocks is None else self.blocks.labels

    @property
    def axes(self) -> tuple[Factor, ...]:
        """What those are made of."""
        return self.factors if self.blocks is None else (self.blocks.factor,)

    @property
    def rate_unit(self) -> RateUnit:
        """Unit of every rate computed from these counts."""
        return "spikes/s" if self.exposure_known else "spikes/trial"


@dataclass(frozen=True)
class Baseline:
    """What was recorded without a stimulus, of the neurons of a table of stimuli.

    Attributes
    ----------
    name : str
        As printed: ``condition = blank``.
    counts : SpikeCounts
        Without conditions; of those neurons alone that have such trials.
    """

    name: str
    counts: SpikeCounts

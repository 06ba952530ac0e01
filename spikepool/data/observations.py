"""Rows of neuron and count, whatever the layout of the table they came from."""

from dataclasses import dataclass, replace

from spikepool.data.spike_counts import IntArray
from spikepool.data.text_table import TextColumn, TextTable


@dataclass(frozen=True)
class Observations:
    """One row per neuron × trial, as text.

    Attributes
    ----------
    neuron, count : TextColumn
    table : TextTable
        All columns of the input except the counts of a wide table.
    wide : bool
        Whether a count's column is named by its neuron.
    """

    neuron: TextColumn
    count: TextColumn
    table: TextTable
    wide: bool = False

    def take(self, rows: IntArray) -> "Observations":
        """Return these rows."""
        return replace(
            self,
            neuron=self.neuron.take(rows),
            count=self.count.take(rows),
            table=self.table.take(rows),
        )

    def count_column_of(self, row: int) -> str:
        """Name the input column of a row's count."""
        return self.neuron.cell(row) if self.wide else self.count.name

"""Validated estimates with standard errors, one entry per neuron."""

from dataclasses import dataclass

from spikepool.data.spike_counts import FloatArray, Labels, NeuronColumn, Notice, Source


@dataclass(frozen=True)
class Estimates:
    """A table of estimates after reading, checking and selecting; neurons in natural order.

    Attributes
    ----------
    neurons : tuple of str, length N
    estimate, standard_error : ndarray of float64, shape (N,)
        In one unit, whatever it is; standard errors are above 0.
    group : Labels or None
        One code per neuron.
    neuron_columns : tuple of NeuronColumn
        Columns without a role, carried into the results.
    unmodelled : tuple of str
        Those of them with more than one value.
    sources : tuple of Source
    recognised : tuple of (str, str)
        Role and column for every column used: ``("estimate", "effect")``.
    notices : tuple of Notice
    """

    neurons: tuple[str, ...]
    estimate: FloatArray
    standard_error: FloatArray
    group: Labels | None = None
    neuron_columns: tuple[NeuronColumn, ...] = ()
    unmodelled: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    recognised: tuple[tuple[str, str], ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return len(self.neurons)

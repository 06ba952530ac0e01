"""Partial pooling of spike counts, from a table to per-neuron posterior estimates."""

__version__ = "0.1.0"

"""Natural order of labels: ``n2`` before ``n10``, numbers by size."""

import re
from collections.abc import Sequence

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DIGITS = re.compile(r"([0-9]+)")

type _Part = tuple[int, str]


def natural_order(labels: Sequence[str]) -> list[int]:
    """Return the indices that sort labels naturally.

    Labels that are all decimal numbers are sorted by value; others by their text, runs of
    digits by value. Equal ranks are settled by the text itself, so the order is total.

    Parameters
    ----------
    labels : sequence of str

    Returns
    -------
    list of int
    """
    if all(NUMBER.fullmatch(label) for label in labels):
        numbers = [float(label) for label in labels]
        return sorted(range(len(labels)), key=lambda i: (numbers[i], labels[i]))
    return sorted(range(len(labels)), key=lambda i: (_natural_parts(labels[i]), labels[i]))


def numbers_first(labels: Sequence[str]) -> list[int]:
    """Return the indices that sort conditions: numbers by value, then words naturally.

    Parameters
    ----------
    labels : sequence of str

    Returns
    -------
    list of int
    """
    numbers = [i for i, label in enumerate(labels) if NUMBER.fullmatch(label)]
    words = [i for i, label in enumerate(labels) if not NUMBER.fullmatch(label)]
    return [
        some[place]
        for some in (numbers, words)
        for place in natural_order([labels[i] for i in some])
    ]


def _natural_parts(label: str) -> list[_Part]:
    """Split a label into text and digits; a run of digits sorts by length, then by digits."""
    parts = _DIGITS.split(label)
    return [_digits_rank(part) if i % 2 else (0, part) for i, part in enumerate(parts)]


def _digits_rank(digits: str) -> _Part:
    significant = digits.lstrip("0")
    return len(significant), significant

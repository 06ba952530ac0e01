"""How names, paths and values from a file are written in a message."""

import difflib
import os
from collections.abc import Iterable, Sequence

LONGEST_SHOWN = 60
MOST_NAMES_SHOWN = 12


def quoted(text: str) -> str:
    """Put `text` in quotes: shortened, with invisible and control characters escaped."""
    return repr(text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…")


def shown_path(path: str) -> str:
    """Write a path as printable text; undecodable bytes and control characters are escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def listed(names: Iterable[str]) -> str:
    """Write names as ``a, b, c``, the tail of a long list as its number."""
    every = [name if name.isprintable() else quoted(name) for name in names]
    tail = f" and {len(every) - MOST_NAMES_SHOWN:,} more" if len(every) > MOST_NAMES_SHOWN else ""
    return ", ".join(every[:MOST_NAMES_SHOWN]) + tail


def plural(number: int, noun: str) -> str:
    """Write ``1 row`` or ``1,200 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def did_you_mean(wanted: Sequence[str], present: Sequence[str]) -> str:
    """Write ``did you mean 'neuron'? `` for the column nearest to a wanted name, or nothing."""
    folded = {name.casefold(): name for name in present}
    for name in wanted:
        near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)
        if near:
            return f"did you mean {quoted(folded[near[0]])}? "
    return ""

"""Check that the first line is a header and that every column has its own name."""

import re
from collections.abc import Sequence

from spikepool.data.natural_order import NUMBER
from spikepool.data.sources import SourceFile
from spikepool.data.wording import quoted, shown_path
from spikepool.errors import BadDataError

_OTHER_DELIMITERS = {";": "';'", "\t": "'\\t'", "|": "'|'", ",": "','"}
_INDEX = re.compile(r"|Unnamed: [0-9]+|__index_level_[0-9]+__")


def checked_names(shown: str, names: Sequence[str]) -> list[str]:
    """Strip outer spaces and tabs from the names of columns, and refuse repeated ones.

    Parameters
    ----------
    shown : str
        The file, as printed in messages.
    names : sequence of str

    Returns
    -------
    list of str

    Raises
    ------
    BadDataError
        If two columns have one name.
    """
    stripped = [name.strip(" \t") for name in names]
    seen: dict[str, int] = {}
    for position, name in enumerate(stripped, start=1):
        if name in seen:
            raise BadDataError(
                f"{shown}: columns {seen[name]} and {position} are both named {quoted(name)}",
                "give every column its own name",
            )
        seen[name] = position
    return stripped


def is_index(name: str) -> bool:
    """Tell whether a column is the row index that pandas writes (no name, ``Unnamed: 0``)."""
    return _INDEX.fullmatch(name) is not None


def checked_header(
    file: SourceFile, header: list[str], delimiter: str, comment: str | None
) -> list[str]:
    """Check the first line of a text file.

    Parameters
    ----------
    file : SourceFile
    header : list of str
        The cells of the line.
    delimiter : str
    comment : str or None
        What a comment line begins with.

    Returns
    -------
    list of str
        The names of the columns.

    Raises
    ------
    BadDataError
        If the line is a comment or data, or is split at the wrong delimiter.
    """
    shown = shown_path(file.location.path)
    first = header[0]
    if first.startswith(("#", "%", "//")) and first[0] != comment:
        raise BadDataError(
            f"{shown}: the first line is a comment, {quoted(first)}, not a header",
            f"give --comment '{first[0]}'",
        )
    if len(header) == 1:
        _suggest_delimiter(shown, first, delimiter)
    if all(NUMBER.fullmatch(name.strip()) for name in header):
        raise BadDataError(
            f"{shown}: the first line is all numbers, {quoted(delimiter.join(header))}; "
            "a header with the names of the columns is needed",
            "put a header first, such as neuron,trial,count",
        )
    return checked_names(shown, header)


def _suggest_delimiter(shown: str, header: str, delimiter: str) -> None:
    for other, written in _OTHER_DELIMITERS.items():
        if other != delimiter and other in header:
            raise BadDataError(
                f"{shown}: the header {quoted(header)} is one column when split at "
                f"{_OTHER_DELIMITERS.get(delimiter, quoted(delimiter))}",
                f"give --delimiter {written}",
            )

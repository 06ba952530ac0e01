"""Labels that name something: joined from several columns, and checked as text."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from spikepool.data.spike_counts import Notice
from spikepool.data.text_table import TextColumn, TextTable, column_of_texts, combined_codes
from spikepool.data.wording import listed, plural, quoted
from spikepool.errors import BadDataError

SEPARATOR = "/"

_ODD_CATEGORIES = frozenset({"Cf", "Zl", "Zp", "Cc"})
_NOT_PLAIN = re.compile(r"[^\x21-\x7e]")


def joined_column(table: TextTable, names: Sequence[str]) -> TextColumn:
    r"""Join columns into one key: ``s1/7``, with ``/`` and ``\`` in a part escaped by ``\``.

    Parameters
    ----------
    table : TextTable
    names : sequence of str
        One or more columns; a single one is returned as it is.

    Returns
    -------
    TextColumn
        Named by its parts, joined with commas.
    """
    columns = [table.column(name) for name in names]
    if len(columns) == 1:
        return columns[0]
    codes = combined_codes([column.codes for column in columns])
    last_row = {int(code): row for row, code in enumerate(codes.tolist())}
    texts = [
        SEPARATOR.join(_escaped(column.cell(last_row[code])) for column in columns)
        for code in range(len(last_row))
    ]
    return column_of_texts(",".join(names), texts, codes)


def check_labels(table: TextTable, role: str, names: Sequence[str], notices: list[Notice]) -> None:
    """Refuse empty labels, and note those that could be mistaken for others.

    Parameters
    ----------
    table : TextTable
    role : str
    names : sequence of str
        The columns of the role.
    notices : list of Notice

    Raises
    ------
    BadDataError
        If a label is empty, only spaces, or holds a NUL character.
    """
    for name in names:
        column = table.column(name)
        _refuse(table, role, column)
        note_odd_labels(column.values, role, notices)


def note_odd_labels(values: Sequence[str], role: str, notices: list[Notice]) -> None:
    """Note labels with outer spaces, with invisible characters, or that look alike.

    Parameters
    ----------
    values : sequence of str
        Distinct labels.
    role : str
        ``neuron``, ``condition`` ...
    notices : list of Notice
    """
    odd = [value for value in values if _NOT_PLAIN.search(value)]
    if not odd:
        return
    spaced = [value for value in odd if value != value.strip(" \t")]
    if spaced:
        text = f"{plural(len(spaced), f'{role} label')} with outer spaces, kept as written: "
        notices.append(Notice("outer-spaces", text + listed(map(quoted, spaced))))
    _note_invisible(odd, role, notices)
    _note_look_alikes(values, role, notices)


def _escaped(part: str) -> str:
    return part.replace("\\", "\\\\").replace(SEPARATOR, "\\" + SEPARATOR)


def _refuse(table: TextTable, role: str, column: TextColumn) -> None:
    empty = column.rows_where([not value.strip() for value in column.values])
    if empty.size:
        row = int(empty[0])
        hint = f"write the {role} in every row"
        if column.cell(row):
            raise table.bad_cell(row, column.name, column.cell(row), f"names no {role}", hint)
        raise table.bad_cell(row, column.name, "", f"where a {role} is needed", hint)
    nul = column.rows_where(["\0" in value for value in column.values])
    if nul.size:
        row = int(nul[0])
        problem = "holds a NUL character (U+0000)"
        raise table.bad_cell(row, column.name, column.cell(row), problem, "remove it")


def _note_invisible(odd: Sequence[str], role: str, notices: list[Notice]) -> None:
    points: dict[str, list[str]] = defaultdict(list)
    for value in odd:
        for character in sorted(set(value)):
            if _is_invisible(character):
                points[character].append(value)
    for character, labels in sorted(points.items()):
        name = unicodedata.name(character, "control character")
        text = (
            f"{plural(len(labels), f'{role} label')} with the invisible character "
            f"U+{ord(character):04X} ({name}), such as {quoted(labels[0])}, kept as written"
        )
        notices.append(Notice("invisible-characters", text))


def _is_invisible(character: str) -> bool:
    if character == " ":
        return False
    category = unicodedata.category(character)
    return category in _ODD_CATEGORIES or category == "Zs"


def _note_look_alikes(values: Sequence[str], role: str, notices: list[Notice]) -> None:
    forms: dict[str, list[str]] = defaultdict(list)
    for value in values:
        forms[unicodedata.normalize("NFC", value)].append(value)
    for alike in forms.values():
        if len(alike) > 1:
            points = " and ".join(ascii(value) for value in alike)
            text = f"{len(alike)} {role} labels look the same and are kept apart: {points}"
            notices.append(Notice("look-alike-labels", text))


def refuse_shared_neurons(table: TextTable, neuron: TextColumn) -> None:
    """Refuse a neuron that stands in two inputs.

    Raises
    ------
    BadDataError
        Naming the two files and the two ways out.
    """
    if len({origin.table for origin in table.origins}) < 2:
        return
    import numpy as np

    tables = table.table_of_rows()
    lowest = np.full(len(neuron.values), np.iinfo(np.int64).max)
    np.minimum.at(lowest, neuron.codes, tables)
    elsewhere = np.flatnonzero(tables != lowest[neuron.codes])
    if not elsewhere.size:
        return
    row = int(elsewhere[0])
    first = int(np.flatnonzero(neuron.codes == neuron.codes[row])[0])
    raise BadDataError(
        f"neuron {quoted(neuron.cell(row))} is in two inputs: "
        f"{table.place(first)} and {table.place(row)}",
        "if it is another neuron, name neurons by several columns (--neuron session,unit); "
        "if it is the same neuron, give --same-neurons",
    )

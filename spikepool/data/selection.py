"""Select rows by an expression such as ``quality == 'good' and depth > 200``."""

import ast
import re
from typing import TYPE_CHECKING

import numpy as np

from spikepool.data.natural_order import NUMBER
from spikepool.data.spike_counts import IntArray, Notice
from spikepool.data.text_table import TextColumn, TextTable
from spikepool.data.wording import did_you_mean, listed, quoted
from spikepool.errors import BadDataError, UsageError

if TYPE_CHECKING:
    import pandas as pd

_ALLOWED = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
    ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple,
)  # fmt: skip
_LONGEST, _DEEPEST = 2000, 60
_CANNOT_EVALUATE = (
    TypeError, ValueError, NotImplementedError, KeyError, SyntaxError, RecursionError,
)  # fmt: skip
_HINT = "write comparisons joined by and, or, not: quality == 'good' and depth > 200"


def select_rows(table: TextTable, where: str | None, notices: list[Notice]) -> TextTable:
    """Keep the rows for which an expression holds.

    A column whose cells are all numbers (or empty) is compared as numbers, unless it is compared
    with a text in quotes; every other column is compared as text. A column whose name is not a
    plain word is written in backticks.

    Parameters
    ----------
    table : TextTable
    where : str or None
        Comparisons joined by ``and``, ``or`` and ``not``; neither calls nor attributes.
    notices : list of Notice

    Returns
    -------
    TextTable

    Raises
    ------
    UsageError
        If the expression cannot be used.
    BadDataError
        If it holds for no row.
    """
    if where is None:
        return table
    chosen = _chosen_rows(table, where)
    if not chosen.size:
        raise BadDataError(
            f"--where {quoted(where)} selects none of the {len(table.rows):,} rows",
            "look at the values in these columns; text is compared exactly",
        )
    text = f"--where keeps {len(chosen):,} of {len(table.rows):,} rows"
    notices.append(Notice("selected-rows", text))
    return table.take(chosen)


def _chosen_rows(table: TextTable, where: str) -> IntArray:
    plain, backticked = _without_backticks(where)
    naming = _Naming(table, backticked, where)
    try:
        tree = naming.visit(_checked_tree(plain, where))
        chosen = naming.frame().query(ast.unparse(tree), engine="python")
    except _CANNOT_EVALUATE as error:
        raise UsageError(f"--where {quoted(where)} cannot be evaluated: {error}", _HINT) from error
    return np.sort(chosen.index.to_numpy()).astype(np.int64)


def _without_backticks(where: str) -> tuple[str, dict[str, str]]:
    """Replace names in backticks by plain words, as found in the dictionary returned."""
    names: dict[str, str] = {}

    def stand_in(found: re.Match[str]) -> str:
        word = f"backticked_{len(names)}"
        names[word] = found[1]
        return word

    return re.sub(r"`([^`]+)`", stand_in, where), names


def _checked_tree(plain: str, where: str) -> ast.Expression:
    if len(plain) > _LONGEST:
        raise UsageError(f"--where is longer than {_LONGEST} characters")
    try:
        tree = ast.parse(plain.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"--where {quoted(where)} is not an expression", _HINT) from error
    if _depth(tree) > _DEEPEST:
        raise UsageError(f"--where is nested more than {_DEEPEST} deep", _HINT)
    for node in ast.walk(tree):
        odd = isinstance(node, ast.Constant) and not isinstance(node.value, (str, int, float))
        if odd or not isinstance(node, _ALLOWED):
            kind = ast.unparse(node) if odd else type(node).__name__.lower()
            raise UsageError(f"--where {quoted(where)}: {kind} is not allowed", _HINT)
    if not isinstance(tree.body, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
        raise UsageError(f"--where {quoted(where)} compares nothing", _HINT)
    return tree


def _depth(tree: ast.AST) -> int:
    """Count levels without recursion, whose limit other libraries move."""
    depth, level = 0, [tree]
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


class _Naming(ast.NodeTransformer):
    """Replace the names of columns by plain words, and choose numbers or text for each."""

    def __init__(self, table: TextTable, backticked: dict[str, str], where: str) -> None:
        self.table = table
        self.backticked = backticked
        self.where = where
        self.needed: dict[str, TextColumn] = {}
        self.as_text = False

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Compare as text where a text or True/False stands on one side."""
        constants = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
        self.as_text = any(isinstance(value, (str, bool)) for value in constants)
        changed = self.generic_visit(node)
        self.as_text = False
        return changed

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Write True and False as the text that stands in the table."""
        return ast.Constant(str(node.value)) if isinstance(node.value, bool) else node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Replace the name of a column."""
        name = self.backticked.get(node.id, node.id)
        if name not in self.table.names:
            hint = f"{did_you_mean([name], self.table.names)}the columns are: "
            raise UsageError(
                f"--where {quoted(self.where)}: there is no column {quoted(name)}",
                hint + listed(self.table.names),
            )
        column = self.table.column(name)
        kind = "number" if not self.as_text and _is_numeric(column) else "text"
        word = f"{kind}_{self.table.names.index(name)}"
        self.needed[word] = column
        return ast.Name(word, ast.Load())

    def frame(self) -> "pd.DataFrame":
        """Make the table of the columns that the expression names."""
        import pandas as pd

        columns = {
            word: _numbers(column) if word.startswith("number") else _texts(column)
            for word, column in self.needed.items()
        }
        return pd.DataFrame(columns, index=pd.RangeIndex(len(self.table.rows)))


def _is_numeric(column: TextColumn) -> bool:
    return all(NUMBER.fullmatch(value.strip()) for value in column.values if value)


def _numbers(column: TextColumn) -> "pd.Series[float]":
    import pandas as pd

    values = np.array([float(value or "nan") for value in column.values], dtype=np.float64)
    return pd.Series(values[column.codes])


def _texts(column: TextColumn) -> "pd.Series[str]":
    import pandas as pd

    return pd.Series(pd.array(list(column.values), dtype="str").take(column.codes))

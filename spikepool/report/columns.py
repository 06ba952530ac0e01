"""A column of a table: what every schema is made of."""

from dataclasses import dataclass
from typing import Literal

type ColumnType = Literal["text", "integer", "number", "boolean"]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
    type : {'text', 'integer', 'number', 'boolean'}
    unit : str
        Empty where there is none.
    description : str
        What it is, its formula where it has one, and what an empty cell means.
    """

    name: str
    type: ColumnType
    unit: str
    description: str


def text(name: str, description: str) -> Column:
    """Return a column of text."""
    return Column(name, "text", "", description)


def boolean(name: str, description: str) -> Column:
    """Return a column of true and false."""
    return Column(name, "boolean", "", description)


def integer(name: str, unit: str, description: str) -> Column:
    """Return a column of integers."""
    return Column(name, "integer", unit, description)


def number(name: str, unit: str, description: str) -> Column:
    """Return a column of numbers."""
    return Column(name, "number", unit, description)


GROUP = text("group", "The neuron's group. Empty: no group column was given.")
IS_PRIMARY = boolean("is_primary", "Whether this model's rows stand in the table neurons.")
OWN_WEIGHT_ENDS = (
    number("own_weight_lower", "", "Lower end of the equal-tailed interval of κ."),
    number("own_weight_upper", "", "Upper end of the equal-tailed interval of κ."),
)

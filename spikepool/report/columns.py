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

FLAGS_OF_POPULATION = text(
    "flags",
    "What the design cannot tell, joined by a space: not_identified, or rules of the table "
    "identifiability. Empty: none.",
)

IDENTIFIABILITY = (
    text("rule", "What the design was asked; see meaning."),
    text(
        "severity",
        "refused: it cannot be known (fitted with --allow-unidentified only); left_out: likewise, "
        "and the models are left out of the default ones; weak: told by so little that priors or "
        "the other neurons decide; enough: told well.",
    ),
    text("scope", "What the row is about: the whole design, a group or a neuron."),
    text("subject", "Which one: a group's name or a neuron's id; all: the whole design."),
    boolean("baseline", "Whether the row is about the trials without a stimulus."),
    text(
        "quantities", "What cannot be told: rates, spread of rates, dispersions, tuning, contrasts."
    ),
    text("models", "The models concerned, by name."),
    text(
        "figure",
        "What is counted. (n − 1) m²: of n trials with mean count m; in general "
        "S (S − 1) (Σp² − (Σp²)²) with S spikes and p = e/Σe the trials' shares of the exposure, "
        "summed over conditions: twice the Fisher information about the squared gain near Poisson. "
        "n − 1: the same of the excess Fano factor, (n − 1) (1 − 1/S).",
    ),
    number("found", "of the figure", "The figure here."),
    number("wanted", "of the figure", "The least that would do."),
    number(
        "least_dispersion",
        "",
        "Smallest gain sd, (8 / found)^¼, or excess Fano factor, √(8 / found), two standard "
        "errors from 0. Empty: other rules, or no information.",
    ),
    number(
        "trials_wanted",
        "trials",
        "Trials with the same mean counts of which the figure would be as wanted: "
        "1 + 128 / m² of equal ones. Empty: other rules, or a silent neuron.",
    ),
    text("meaning", "What the rule says."),
    text("remedy", "What would mend it. Empty: nothing to mend."),
)

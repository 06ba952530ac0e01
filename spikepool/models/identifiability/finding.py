"""What a rule of identifiability finds."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.models.spec import ModelSpec

type Severity = Literal["refused", "left_out", "weak", "enough"]
type Scope = Literal["design", "group", "neuron"]
type Quantity = Literal["rates", "spread of rates", "dispersions", "tuning", "drift", "contrasts"]
type Choice = Literal["family", "pooling", "condition_pooling"]

QUANTITIES: tuple[Quantity, ...] = (
    "rates", "spread of rates", "dispersions", "tuning", "drift", "contrasts",
)  # fmt: skip
"""What a user asks of a table, in the order of a report."""


@dataclass(frozen=True)
class Rule:
    """A rule of identifiability.

    Attributes
    ----------
    name : str
    meaning : str
        What it says, in a line.
    quantities : tuple of str
        What cannot be told where it speaks: some of `QUANTITIES`.
    figure : str
        What is counted.
    wanted : float
        The least of it that would do.
    """

    name: str
    meaning: str
    quantities: tuple[Quantity, ...]
    figure: str
    wanted: float


@dataclass(frozen=True)
class Subject:
    """Whom a finding is about.

    Attributes
    ----------
    name : str
        A neuron's id or a group's name; ``all`` for the whole design.
    found : float
        The rule's figure.
    least : float
        Smallest dispersion that the trials could show; NaN where that is not what is asked.
    trials : float
        Trials with the same mean counts that would do; NaN likewise.
    """

    name: str
    found: float
    least: float = math.nan
    trials: float = math.nan


@dataclass(frozen=True)
class LeftOut:
    """What is left out of the default models where nobody asked for them by name.

    Attributes
    ----------
    choice : {'family', 'pooling', 'condition_pooling'}
        The option that would have asked for them.
    code, message : str
        Of the notice that says so.
    """

    choice: Choice
    code: str
    message: str


@dataclass(frozen=True)
class Finding:
    """What a design cannot tell.

    Attributes
    ----------
    rule : Rule
    severity : {'refused', 'left_out', 'weak', 'enough'}
        Not to be known at all, and asked for by name or of the default models and left out of them;
        told by so little that priors matter; or, where figures are of interest, told well.
    scope : {'design', 'group', 'neuron'}
        What the subjects are.
    subjects : tuple of Subject
        At least one, in the order of the table.
    specs : tuple of ModelSpec
        The models that are concerned.
    message : str
        What cannot be told, and why.
    remedy : str
        What would mend it.
    by_default : LeftOut or None
        What happens instead of a refusal where the models are default ones.
    baseline : bool
        Whether it is about the trials without a stimulus.
    """

    rule: Rule
    severity: Severity
    scope: Scope
    subjects: tuple[Subject, ...]
    specs: tuple[ModelSpec, ...]
    message: str
    remedy: str
    by_default: LeftOut | None = None
    baseline: bool = False

    @property
    def names(self) -> list[str]:
        """Names of the subjects."""
        return [subject.name for subject in self.subjects]


WHOLE = "all"
"""Name of the whole design as a subject."""


def whole(found: float) -> tuple[Subject, ...]:
    """Return the whole design as the one subject."""
    return (Subject(WHOLE, float(found)),)


def chosen_subjects(
    names: tuple[str, ...], found: FloatArray | IntArray, chosen: NDArray[np.bool_]
) -> tuple[Subject, ...]:
    """Return the neurons or groups for which `chosen` holds, with their figures."""
    return tuple(Subject(names[i], float(found[i])) for i in np.flatnonzero(chosen).tolist())

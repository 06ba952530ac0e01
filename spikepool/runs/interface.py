"""What the pipeline asks of a kind of table."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from spikepool import __version__
from spikepool.config import RunConfig
from spikepool.data.spike_counts import Notice, Source
from spikepool.models.identifiability.finding import Finding
from spikepool.models.identifiability.gate import notices_of
from spikepool.models.spec import ModelSpec
from spikepool.progress import Progress
from spikepool.report.identifiability import (
    findings_as_json,
    make_identifiability,
    status_of,
    verdicts,
)
from spikepool.report.pictures import Picture
from spikepool.report.posterior_file import StoredDraws
from spikepool.report.results import Results
from spikepool.report.summary_parts import Json, notices_as_json


class Table(Protocol):
    """What was read."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """The files."""

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Of reading."""


class Models(Protocol):
    """What would be fitted."""

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        """The models, in order."""

    @property
    def primary(self) -> ModelSpec:
        """The one whose numbers stand in ``neurons``."""

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Of planning."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the design cannot tell."""


@dataclass(frozen=True)
class RunPlan[T: Table, M: Models, R: Results[Any]](ABC):
    """A table that was read, and the models that would be fitted to it.

    Attributes
    ----------
    config : RunConfig
    table : Table
    models : Models
    """

    config: RunConfig
    table: T
    models: M

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Of reading and of planning."""
        return (*self.table.notices, *self.models.notices)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON: sizes, columns, notices, models and configuration."""
        return {
            "data": self.data(),
            "notices": notices_as_json(self.notices),
            "models": [spec.name for spec in self.models.specs],
            "primary": self.models.primary.name,
            "config": self.config.model_dump(mode="json", exclude_none=True),
        }

    def check_as_json(self, *, allowed: bool) -> dict[str, Any]:
        """Return what the design can tell as JSON: sizes, findings and verdicts.

        Parameters
        ----------
        allowed : bool
            Whether what cannot be told is to be fitted all the same.
        """
        findings = self.models.findings
        said = {*notices_of(findings)}
        data = self.data()
        groups = data["groups"]
        return {
            "spikepool": __version__,
            "status": status_of(findings, allowed=allowed),
            "data": data,
            "notices": notices_as_json(each for each in self.notices if each not in said),
            "models": [spec.name for spec in self.models.specs],
            "model_labels": [spec.label for spec in self.models.specs],
            "primary": self.models.primary.label,
            "findings": findings_as_json(findings),
            "verdicts": verdicts(
                findings, self.models.specs, groups if isinstance(groups, int) else 1
            ),
        }

    def identifiability(self) -> pa.Table:
        """Return what the design cannot tell as a table."""
        return make_identifiability(self.models.findings)

    @abstractmethod
    def data(self) -> Json:
        """Say what was read: files, columns and sizes."""

    @abstractmethod
    def fit(self, progress: Progress) -> R:
        """Fit every planned model and check what it says."""

    @abstractmethod
    def summarise(self, results: R, seconds: float) -> Json:
        """Return the content of ``summary.json``."""

    @abstractmethod
    def tables(self, results: R) -> dict[str, pa.Table]:
        """Return every table by its name."""

    @abstractmethod
    def draws(self, results: R) -> Iterable[StoredDraws]:
        """Return what is kept of the draws of every model."""

    @abstractmethod
    def pictures(self, results: R) -> Iterable[Picture]:
        """Return every picture, before it is drawn."""

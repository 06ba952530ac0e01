"""The run's configuration: typed, validated, and the only home of the defaults.

Each stage of the pipeline is handed its own section. A section is a frozen pydantic model, so
that an unknown key or a wrong type in a configuration file is an error that names the key.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

type Name = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A frozen part of the configuration that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class InputOptions(Section):
    """What to read and how: the `[input]` section."""

    tables: tuple[str, ...] = ()
    """Files, globs, partitioned folders, or ``-`` for standard input."""
    neuron: tuple[Name, ...] = ()
    """Columns that together name a neuron; empty: recognised by name."""
    trial: Name | None = None
    count: Name | None = None
    exposure: Name | None = None
    exposure_unit: Literal["s", "ms"] = "s"
    exposure_round: Annotated[float, Field(gt=0)] | None = None
    """Round exposures to this many seconds."""
    duration: Annotated[float, Field(gt=0)] | None = None
    """Seconds per trial, the same for all; instead of `exposure`."""
    condition: tuple[Name, ...] = ()
    group: tuple[Name, ...] = ()
    layout: Literal["auto", "long", "wide"] = "auto"
    wide_columns: Name = "*"
    """Glob pattern of the neuron columns of a wide table."""
    where: str | None = None
    """Row selection, such as ``quality == 'good'``."""
    same_neurons: bool = False
    """The same id in two files is the same neuron."""
    fill_zeros: bool = False
    """Complete neuron × trial with zero counts."""
    missing: Literal["error", "drop"] = "error"
    """What an empty count means."""
    strict: bool = False
    """Refuse counts written with a decimal point or exponent (``3.0``, ``1e3``)."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    comment: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: str = "utf-8"


class ModelOptions(Section):
    """Which models to fit: the `[model]` section."""

    family: tuple[Literal["poisson", "nb2", "negbin", "nb1"], ...] = ()
    """Empty: Poisson and NB2 (NB dropped where no neuron has two trials)."""
    pooling: tuple[Literal["none", "complete", "partial"], ...] = ("none", "complete", "partial")
    dispersion_pooling: Literal["none", "complete", "partial"] | None = None
    """None: follows the rate's pooling."""
    primary: str | None = None
    """The primary model, as family:pooling[:dispersion_pooling]; None: NB2 partial if fitted."""
    allow_unidentified: bool = False


class EngineOptions(Section):
    """How to compute the posterior: the `[engine]` section."""

    engine: Literal["auto", "nuts"] = "auto"
    sampler: Literal["nutpie", "pymc"] = "nutpie"
    parametrization: Literal["auto", "centered", "noncentered"] = "auto"
    draws: Annotated[int, Field(ge=4)] = 1000
    tune: Annotated[int, Field(ge=1)] = 1000
    chains: Annotated[int, Field(ge=1)] = 4
    cores: Annotated[int, Field(ge=1)] | None = None
    target_accept: Annotated[float, Field(gt=0, lt=1)] = 0.9
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0


class ReportOptions(Section):
    """What to write: the `[report]` section."""

    interval: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Mass of the equal-tailed posterior intervals."""
    fano_threshold: Annotated[float, Field(ge=1)] = 1.1
    fano_ddof: Literal[0, 1] = 1
    fdr: Annotated[float, Field(gt=0, lt=1)] = 0.05
    tables: tuple[Literal["parquet", "csv"], ...] = ("parquet", "csv")
    csv_safe: bool = False
    """Prefix CSV cells that a spreadsheet would run as a formula with an apostrophe."""
    plots: tuple[Literal["png", "svg", "pdf"], ...] = ("png",)
    posterior: Literal["none", "population", "full"] = "population"


class RunOptions(Section):
    """How the run behaves: the `[run]` section."""

    if_exists: Literal["fail", "skip", "replace"] = "fail"
    on_nonconvergence: Literal["fail", "warn"] = "fail"


class RunConfig(Section):
    """The whole resolved configuration of a fit."""

    input: InputOptions = InputOptions()
    model: ModelOptions = ModelOptions()
    engine: EngineOptions = EngineOptions()
    report: ReportOptions = ReportOptions()
    run: RunOptions = RunOptions()

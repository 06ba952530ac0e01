"""The run's configuration: typed, validated, and the only home of the defaults.

Each stage of the pipeline is handed its own section. A section is a frozen pydantic model, so
that an unknown key or a wrong type in a configuration file is an error that names the key. The
text under a field is its ``--help``; the field's name is the option's (``fano_ddof`` is
``--fano-ddof``).
"""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

type Name = Annotated[str, Field(min_length=1)]


def _split_at_commas(value: object) -> object:
    """Let one text hold several values: ``parquet,csv``."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, Iterable):
        return value
    parts: list[object] = []
    for text in texts:
        parts += [part.strip() for part in text.split(",")] if isinstance(text, str) else [text]
    return tuple(part for part in parts if part != "")


def _as_integers(value: object) -> object:
    """Let one text hold several whole numbers: ``2,5,10``."""
    values = _split_at_commas((value,) if isinstance(value, int) else value)
    if not isinstance(values, tuple):
        return values
    texts = (each.isdecimal() if isinstance(each, str) else False for each in values)
    return tuple(
        int(str(each)) if whole else each for each, whole in zip(values, texts, strict=True)
    )


def _without_none(value: object) -> object:
    """Let ``none`` stand for no value at all."""
    values = _split_at_commas(value)
    return () if values == ("none",) else values


def _by_first_names(value: object) -> object:
    """Let ``negbin`` stand for ``nb2``."""
    values = _split_at_commas(value)
    if not isinstance(values, tuple):
        return values
    return tuple("nb2" if each == "negbin" else each for each in values)


def _as_tuple(value: object) -> object:
    """Let a list of a configuration file stand for a tuple."""
    return tuple(value) if isinstance(value, list) else value


def _split_outside_parentheses(value: object) -> object:
    """Let one text hold several values, none of them cut inside: ``mu=normal(0, 1),tau=...``."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, Iterable):
        return value
    parts: list[object] = []
    for text in texts:
        split = re.split(r",(?![^(]*\))", text) if isinstance(text, str) else [text]
        parts += [part.strip() if isinstance(part, str) else part for part in split]
    return tuple(part for part in parts if part != "")


type Tables = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
type Names = Annotated[tuple[Name, ...], BeforeValidator(_split_at_commas)]
type Families = Annotated[
    tuple[Literal["poisson", "nb2", "nb1", "normal"], ...], BeforeValidator(_by_first_names)
]
type Poolings = Annotated[
    tuple[Literal["none", "complete", "partial"], ...], BeforeValidator(_split_at_commas)
]
type TrialNumbers = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_as_integers)
]
type TableFormats = Annotated[
    tuple[Literal["parquet", "csv"], ...],
    Field(min_length=1),
    BeforeValidator(_split_at_commas),
]
type PlotFormats = Annotated[
    tuple[Literal["png", "svg", "pdf"], ...], BeforeValidator(_without_none)
]
type PriorTexts = Annotated[tuple[str, ...], BeforeValidator(_split_outside_parentheses)]


class Section(BaseModel):
    """A frozen part of the configuration that refuses unknown keys and values of another type."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class InputOptions(Section):
    """What to read and how: the `[input]` section."""

    tables: Tables = ()
    """Tables of spike counts: CSV, TSV (or .gz of both) or Parquet; files, globs, partitioned
    folders, or - for standard input."""
    neuron: Names = ()
    """Column of neuron ids; several (session,probe,unit) name a neuron together. [recognised]"""
    trial: Name | None = None
    """Column of trial numbers. [recognised]"""
    count: Name | None = None
    """Column of spike counts. [recognised]"""
    estimate: Name | None = None
    """Column of estimates, one row per neuron, instead of counts (--family normal).
    [recognised]"""
    standard_error: Name | None = None
    """Column of the estimates' standard errors (--family normal). [recognised]"""
    exposure: Name | None = None
    """Column of the time counted in each trial. [recognised]"""
    exposure_unit: Literal["s", "ms"] = "s"
    """Unit of the exposure column."""
    exposure_round: Annotated[float, Field(gt=0)] | None = None
    """Round exposures to this many seconds: jittered durations then share cells of the tally."""
    duration: Annotated[float, Field(gt=0)] | None = None
    """Seconds counted in every trial, instead of an exposure column."""
    condition: Names = ()
    """Column(s) of stimulus conditions: each neuron gets a rate in each, and its dispersion is
    what is left within them."""
    circular: Names = ()
    """Condition column(s) whose axis closes on itself, as COL (a period of 360) or COL=PERIOD:
    direction, orientation=180. A period of 360, 180 or 90 is in degrees."""
    baseline_condition: Name | None = None
    """Condition without a stimulus (a blank), as its label or as COL=LABEL: it gets a rate of its
    own, and every response is compared with it."""
    baseline_count: Name | None = None
    """Column of the spikes counted before the stimulus of every trial: they get a rate of their
    own, as blanks do."""
    baseline_exposure: Name | None = None
    """Column of the time in which they were counted, in the unit of the exposure column."""
    drift_block: Annotated[int, Field(ge=1)] | None = None
    """Trials in a block of each neuron's trials in their order: its rate may drift from block to
    block, and slow drift is then no gain."""
    group: Names = ()
    """Column(s) of groups of neurons, such as area or animal: each gets a population of its own,
    and groups are compared."""
    within: Names = ()
    """Column(s) of labels within the groups (with --group), such as the animal of every neuron:
    differences between animals are then told from differences between groups."""
    session: Names = ()
    """Column(s) of recording sessions: neurons with the same trial of one session were recorded
    together, and what they share is measured. [recognised]"""
    layout: Literal["auto", "long", "wide"] = "auto"
    """long: a row per neuron and trial; wide: a row per trial, a column per neuron."""
    wide_columns: Name = "*"
    """Pattern of the neuron columns of a wide table, such as 'unit*'."""
    where: str | None = None
    """Rows to keep, such as "quality == 'good' and depth > 200"."""
    same_neurons: bool = False
    """The same id in two files is the same neuron."""
    fill_zeros: bool = False
    """Complete neuron × trial with counts of zero (tables made by counting spikes)."""
    missing: Literal["error", "drop"] = "error"
    """What to do with an empty count."""
    strict: bool = False
    """Refuse counts written with a decimal point or exponent (3.0, 1e3)."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Character between the cells of a text table."""
    comment: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Character that begins a comment line."""
    encoding: str = "utf-8"
    """Text encoding of CSV and TSV."""


class ModelOptions(Section):
    """Which models to fit: the `[model]` section."""

    family: Families = ()
    """poisson, nb2 (alias negbin: gain noise) or nb1 (constant Fano factor); normal, alone, for
    estimates with standard errors. [default: poisson,nb2]"""
    pooling: Poolings = ()
    """none, complete or partial. [default: all three]"""
    dispersion_pooling: Literal["none", "complete", "partial"] | None = None
    """Pooling of the dispersions. [default: as the rates]"""
    dispersion_scaling: Literal["trial", "duration"] = "trial"
    """trial: one gain (nb2) in each trial, whatever its exposure; duration: drawn anew as time
    passes, so that it averages out in longer trials and the Fano factor is the same in all."""
    condition_pooling: Literal["none", "complete", "partial"] | None = None
    """Pooling of a neuron's responses to the conditions: partial estimates how far they spread
    about its own rate, none leaves each free, complete takes all as repeats. [default: as the
    rates]"""
    condition_effects: bool = False
    """Give each condition an effect on the log rates of all neurons (of a group), about which
    their own responses lie; the effects sum to zero (partially pooled conditions only, by nuts)."""
    population: Literal["normal", "student-t", "gamma"] = "normal"
    """Population of partially pooled rates: normal or student-t (4 degrees of freedom; lets
    outlying neurons stand apart) log rates, or gamma rates."""
    prior: PriorTexts = ()
    """Priors other than the defaults, as NAME=FAMILY(NUMBERS): tau=half-normal(1). Names: mu, tau,
    theta, a, b, gain_sd, typical_gain_sd, root_excess_fano, typical_root_excess_fano, tau_delta,
    tuning_sd, drift_sd, condition_sd, within_sd, interaction_sd, within_sd_delta,
    interaction_sd_delta."""
    primary: str | None = None
    """Model of the table neurons, as family:pooling[:dispersion-pooling]. [default: nb2:partial]"""
    allow_unidentified: bool = False
    """Fit even what the design cannot tell (see spikepool check); the numbers concerned are
    marked."""


class EngineOptions(Section):
    """How to compute the posterior: the `[engine]` section."""

    engine: Literal["auto", "collapsed", "nuts"] = "auto"
    """collapsed integrates each neuron's parameters out, in seconds; nuts samples all of them;
    auto: collapsed, or nuts where its checks fail."""
    cross_check: bool = False
    """Fit every model with both engines, and report by how much they differ."""
    sampler: Literal["nutpie", "pymc"] = "nutpie"
    """Implementation of NUTS."""
    parametrization: Literal["auto", "centered", "noncentered"] = "auto"
    """auto chooses for each neuron from its data."""
    draws: Annotated[int, Field(ge=4)] = 2000
    """Draws per chain, after tuning."""
    tune: Annotated[int, Field(ge=1)] = 1000
    """Tuning steps per chain."""
    retry: bool = True
    """Sample a model once more that fails its checks: with more draws where it mixes too slowly,
    with smaller steps where it diverges; small tables also without trials of too large a Pareto
    k-hat. [on]"""
    chains: Annotated[int, Field(ge=1)] = 4
    """Independent chains; R-hat compares them."""
    cores: Annotated[int, Field(ge=1)] | None = None
    """Threads, or chains run at once. [default: all cores granted]"""
    target_accept: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Acceptance rate that tuning aims at; raise it when there are divergences."""
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    """Seed of every random number."""


class ReportOptions(Section):
    """What to write: the `[report]` section."""

    interval: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Mass of the equal-tailed posterior intervals."""
    fano_threshold: Annotated[float, Field(ge=1)] = 1.1
    """Threshold of P(Fano factor > threshold)."""
    fano_ddof: Literal[0, 1] = 1
    """Raw Fano factors divide by n (0) or n − 1 (1)."""
    fdr: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """False discovery rate of the verdicts on dispersion."""
    predictive: bool | None = None
    """Check the primary model against data simulated from it, and left-out trials against what
    the others predict. [default: where plots are drawn]"""
    holdout: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of every neuron's trials (in each condition) to keep aside: the models are fitted once
    more without them, and tested on them."""
    holdout_keep: TrialNumbers = ()
    """The same with so many trials of every neuron (in each condition) fitted, and all others kept
    aside; several (2,5,10) are tried one by one."""
    tables: TableFormats = ("parquet", "csv")
    """Formats of the tables: parquet, csv."""
    csv_safe: bool = False
    """Put an apostrophe before CSV cells that a spreadsheet would run as a formula."""
    plots: PlotFormats = ("png",)
    """Formats of the plots: png, svg, pdf, or none."""
    posterior: Literal["none", "population", "full"] = "population"
    """Draws to keep in posterior/*.nc: hyperparameters, or every parameter."""


class RunOptions(Section):
    """How the run behaves: the `[run]` section."""

    if_exists: Literal["fail", "skip", "replace"] = "fail"
    """What to do when the output is there; skip: nothing, if it is this very run, complete."""
    on_nonconvergence: Literal["fail", "warn"] = "fail"
    """fail: exit 3 (results are written and marked); warn: exit 0."""


class RunConfig(Section):
    """The whole resolved configuration of a fit."""

    input: InputOptions = InputOptions()
    model: ModelOptions = ModelOptions()
    engine: EngineOptions = EngineOptions()
    report: ReportOptions = ReportOptions()
    run: RunOptions = RunOptions()

"""Recognise the columns of a table of estimates, by the options or by usual names."""

from collections.abc import Sequence
from dataclasses import dataclass

from spikepool.config import InputOptions
from spikepool.data.columns import NEURON_NAMES, Roles, missing_column
from spikepool.data.text_table import TextTable
from spikepool.data.wording import did_you_mean, listed, quoted, shown_path
from spikepool.errors import BadDataError, UsageError

ESTIMATE_NAMES = ("estimate", "estimates", "effect", "effect_size", "coefficient", "coef")
STANDARD_ERROR_NAMES = (
    "standard-error", "standard_error", "standard error", "std_error", "std. error", "std_err",
    "stderr", "se", "sem",
)  # fmt: skip

_OF_COUNTS = (
    *("trial", "count", "exposure", "exposure_unit", "exposure_round", "duration", "condition"),
    *("circular", "baseline_condition", "baseline_count", "baseline_exposure"),
    *("layout", "wide_columns", "fill_zeros", "strict"),
)


@dataclass(frozen=True)
class EstimateRoles:
    """The columns of each role.

    Attributes
    ----------
    neuron : tuple of str
        Several columns name a neuron together.
    estimate, standard_error : str
    group : tuple of str
    """

    neuron: tuple[str, ...]
    estimate: str
    standard_error: str
    group: tuple[str, ...]

    def as_pairs(self) -> tuple[tuple[str, str], ...]:
        """Return role and column of every column used."""
        pairs = [("neuron", name) for name in self.neuron]
        pairs += [("estimate", self.estimate), ("standard error", self.standard_error)]
        pairs += [("group", name) for name in self.group]
        return tuple(pairs)

    def as_of_counts(self) -> Roles:
        """Return the same columns as roles of counts, for what only asks which are used."""
        return Roles(
            neuron=self.neuron,
            count=self.estimate,
            trial=None,
            exposure=None,
            exposure_unit="s",
            condition=(),
            group=self.group,
            ignored=(self.standard_error,),
        )


def refuse_options_of_counts(options: InputOptions) -> None:
    """Refuse options that only tables of counts have.

    Raises
    ------
    UsageError
        Naming the option.
    """
    for name in _OF_COUNTS:
        if getattr(options, name) != InputOptions.model_fields[name].default:
            option = name.replace("_", "-")
            raise UsageError(
                f"--{option} belongs to tables of counts; --family normal reads one estimate and "
                "its standard error per neuron",
                f"leave out --{option}, or choose another family",
            )


def recognise_estimate_roles(table: TextTable, options: InputOptions) -> EstimateRoles:
    """Assign columns to roles; a role named in the options is never guessed.

    Parameters
    ----------
    table : TextTable
    options : InputOptions

    Returns
    -------
    EstimateRoles

    Raises
    ------
    BadDataError
        If a column is absent, or two could play one role.
    UsageError
        If one column is named in two roles.
    """
    _check_named(table, options)
    neuron = options.neuron or _usual(table, options, NEURON_NAMES, "neuron")
    estimate = _named(options.estimate) or _usual(table, options, ESTIMATE_NAMES, "estimate")
    error = _named(options.standard_error) or _usual(
        table, options, STANDARD_ERROR_NAMES, "standard-error"
    )
    found = (
        ("neuron", neuron, NEURON_NAMES),
        ("estimate", estimate, ESTIMATE_NAMES),
        ("standard-error", error, STANDARD_ERROR_NAMES),
    )
    used = Roles(
        neuron=neuron, count="", trial=None, exposure=None, exposure_unit="s", condition=(),
        group=options.group, ignored=(*estimate, *error),
    )  # fmt: skip
    for role, columns, names in found:
        if not columns:
            raise missing_column(table, used, role, names)
    roles = EstimateRoles(neuron, estimate[0], error[0], options.group)
    _refuse_nested(table, roles)
    _refuse_two_roles(roles)
    return roles


def _named(column: str | None) -> tuple[str, ...]:
    return () if column is None else (column,)


def _check_named(table: TextTable, options: InputOptions) -> None:
    wanted = [("neuron", name) for name in options.neuron]
    wanted += [("estimate", name) for name in _named(options.estimate)]
    wanted += [("standard-error", name) for name in _named(options.standard_error)]
    wanted += [("group", name) for name in options.group]
    present = (*table.names, *table.nested)
    for role, name in wanted:
        if name not in present:
            raise BadDataError(
                f"{shown_path(table.origins[0].path)} has no column {quoted(name)}, "
                f"named by --{role}; the columns are: {listed(table.names)}",
                f"{did_you_mean([name], present)}name a column that is there",
            )


def _usual(
    table: TextTable, options: InputOptions, names: Sequence[str], role: str
) -> tuple[str, ...]:
    """Return the one free column with a usual name; the role's own name comes before others."""
    named = {*options.neuron, *options.group, options.estimate, options.standard_error}
    free = [name for name in (*table.names, *table.nested) if name not in named]
    found = [column for name in names for column in free if column.casefold() == name]
    alike = len(found) > 1 and found[0].casefold() == found[1].casefold()
    if alike or (len(found) > 1 and found[0].casefold().replace("_", "-") != role):
        raise BadDataError(
            f"more than one column could be the {role}: {listed(found)}",
            f"choose with --{role}" + (" (several together: a,b)" if role == "neuron" else ""),
        )
    return tuple(found[:1])


def _refuse_nested(table: TextTable, roles: EstimateRoles) -> None:
    for role, name in roles.as_pairs():
        if name in table.nested:
            raise BadDataError(
                f"{shown_path(table.origins[0].path)}: column {quoted(name)} ({role}) holds "
                "lists or records, not one value per row",
                "write one number or text per row",
            )


def _refuse_two_roles(roles: EstimateRoles) -> None:
    """Refuse one column in two roles; only a group may also be part of the neuron's name."""
    taken: dict[str, str] = {}
    for role, name in roles.as_pairs():
        before = taken.get(name)
        if before is not None and (before, role) != ("neuron", "group"):
            raise UsageError(f"column {quoted(name)} is named both as {before} and as {role}")
        taken.setdefault(name, role)

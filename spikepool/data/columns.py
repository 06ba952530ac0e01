"""Recognise which column plays which role, by the options or by usual names."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from spikepool.config import InputOptions
from spikepool.data.natural_order import NUMBER
from spikepool.data.spike_counts import Notice
from spikepool.data.text_table import TextTable
from spikepool.data.wording import did_you_mean, listed, quoted, shown_path
from spikepool.errors import BadDataError, UsageError

NEURON_NAMES = (
    "neuron", "neuron_id", "neuronid", "unit", "unit_id", "unitid", "cell", "cell_id", "cellid",
    "cluster", "cluster_id", "clusterid", "cluid",
)  # fmt: skip
COUNT_NAMES = (
    "count", "counts", "spike_count", "spike_counts", "spikecount", "spikes", "n_spikes",
    "nspikes", "num_spikes",
)  # fmt: skip
TRIAL_NAMES = (
    "trial", "trial_id", "trialid", "trial_number", "trial_num", "trial_index", "rep", "repeat",
    "repetition", "sweep", "presentation",
)  # fmt: skip
_EXPOSURE = re.compile(
    r"(?:trial_|exposure_|window_)?(?:exposure|duration|window|time)_(s|secs?|seconds|ms|msecs?)"
    r"|exposure|duration",
    re.IGNORECASE,
)
_SECONDS = re.compile(r".*_(?:s|secs?|seconds)", re.IGNORECASE)
_MILLISECONDS = re.compile(r".*_(?:ms|msecs?|milliseconds)", re.IGNORECASE)

_SHARED = {
    *(("neuron", "group"), ("neuron", "within"), ("group", "within")),
    *(("neuron", "session"), ("group", "session"), ("within", "session")),
    ("exposure", "baseline exposure"),
}
"""Roles that one column may have both."""

type Unit = Literal["s", "ms"]


@dataclass(frozen=True)
class Roles:
    """The columns of each role.

    Attributes
    ----------
    neuron : tuple of str
        Several columns name a neuron together; empty in a wide table.
    count : str or None
        None in a wide table.
    trial, exposure : str or None
    exposure_unit : str
        ``s`` or ``ms``.
    condition, group, within : tuple of str
    ignored : tuple of str
        Columns left out, because an option takes their place.
    baseline_count, baseline_exposure : str or None
        Of the window before the stimulus.
    baseline_exposure_unit : str
        ``s`` or ``ms``.
    session : tuple of str
        Not among the columns that the model uses: neurons are still compared by them.
    """

    neuron: tuple[str, ...]
    count: str | None
    trial: str | None
    exposure: str | None
    exposure_unit: Unit
    condition: tuple[str, ...]
    group: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    baseline_count: str | None = None
    baseline_exposure: str | None = None
    baseline_exposure_unit: Unit = "s"
    session: tuple[str, ...] = ()

    @property
    def used(self) -> frozenset[str]:
        """Names of all columns with a role."""
        single = (
            self.count,
            self.trial,
            self.exposure,
            self.baseline_count,
            self.baseline_exposure,
        )
        several = (*self.neuron, *self.condition, *self.group, *self.within, *self.ignored)
        return frozenset(several) | frozenset(name for name in single if name is not None)

    def as_pairs(self) -> tuple[tuple[str, str], ...]:
        """Return role and column of every column used."""
        single = (("trial", self.trial), ("count", self.count), ("exposure", self.exposure))
        pairs = [("neuron", name) for name in self.neuron]
        pairs += [(role, name) for role, name in single if name is not None]
        pairs += [("condition", name) for name in self.condition]
        pairs += [("group", name) for name in self.group]
        pairs += [("within", name) for name in self.within]
        before = (
            ("baseline count", self.baseline_count),
            ("baseline exposure", self.baseline_exposure),
        )
        pairs += [(role, name) for role, name in before if name is not None]
        pairs += [("session", name) for name in self.session]
        return tuple(pairs)


def recognise_roles(table: TextTable, options: InputOptions, notices: list[Notice]) -> Roles:
    """Assign columns to roles; a role named in the options is never guessed.

    Parameters
    ----------
    table : TextTable
    options : InputOptions
    notices : list of Notice

    Returns
    -------
    Roles
        Neuron and count are empty where no column was named or recognised.

    Raises
    ------
    BadDataError
        If a named column is absent, or two columns could be the neuron or the count.
    UsageError
        If options exclude each other.
    """
    _check_options(table, options)
    columns = _Columns(table, options)
    exposure, ignored = _exposure(columns, options, notices)
    condition = options.condition or columns.usual(("condition",), "condition")[:1]
    roles = Roles(
        neuron=options.neuron or columns.one_of(NEURON_NAMES, "neuron"),
        count=options.count or _first(columns.one_of(COUNT_NAMES, "count")),
        trial=options.trial or _first(columns.usual(TRIAL_NAMES, "trial")),
        exposure=exposure,
        exposure_unit=_unit(exposure, options, options.exposure_unit),
        condition=condition,
        group=options.group,
        ignored=ignored,
        within=options.within,
        baseline_count=options.baseline_count,
        baseline_exposure=options.baseline_exposure,
        baseline_exposure_unit=_unit(
            options.baseline_exposure, options, _unit(exposure, options, options.exposure_unit)
        ),
        session=options.session or _usual_session(table, options),
    )
    _check_session(roles, options)
    _refuse_nested(table, roles)
    _refuse_two_roles(roles)
    return roles


def missing_column(
    table: TextTable, roles: Roles, role: str, wanted: Sequence[str]
) -> BadDataError:
    """Make the error for a role that no column plays."""
    shown = shown_path(table.origins[0].path)
    taken = [name for name in table.names if name.casefold() in wanted and name in roles.used]
    if taken:
        return BadDataError(
            f"{shown} has no {role} column but {quoted(taken[0])}, which another option names",
            f"give --{role} {taken[0]} as well, or name another column with --{role}",
        )
    hint = did_you_mean(wanted, [name for name in table.names if name not in roles.used])
    hint += f"name it with --{role}, or rename it to {quoted(role)}"
    if not roles.neuron and roles.count is None:
        hint += "; if there is a column per neuron, give --layout wide"
    if any(NUMBER.fullmatch(name) for name in table.names):
        hint += "; is the first line data? A header with the names of the columns is needed"
    return BadDataError(
        f"{shown} has no {role} column; the columns are: {listed(table.names)}", hint
    )


class _Columns:
    """The columns still free to be recognised by their usual names."""

    def __init__(self, table: TextTable, options: InputOptions) -> None:
        named = {*options.neuron, *options.condition, *options.group, *options.within}
        named |= {name for name in _single(options).values() if name is not None}
        present = (*table.names, *table.nested)
        self.free = tuple(name for name in present if name not in named)

    def usual(self, names: Sequence[str], role: str) -> tuple[str, ...]:
        """Return the columns with a usual name, the most usual first."""
        found = [free for name in names for free in self.free if free.casefold() == name]
        if len(found) > 1 and found[0].casefold() == found[1].casefold():
            raise _ambiguous(role, found)
        return tuple(found)

    def one_of(self, names: Sequence[str], role: str) -> tuple[str, ...]:
        """Return the one column with a usual name; the role's own name comes before others."""
        found = self.usual(names, role)
        if len(found) > 1 and found[0].casefold() != role:
            raise _ambiguous(role, found)
        return found[:1]


def _single(options: InputOptions) -> dict[str, str | None]:
    """Return the columns of those roles that have one, by their options."""
    return {
        "trial": options.trial,
        "count": options.count,
        "exposure": options.exposure,
        "baseline-count": options.baseline_count,
        "baseline-exposure": options.baseline_exposure,
    }


def _first(names: tuple[str, ...]) -> str | None:
    return names[0] if names else None


def _ambiguous(role: str, found: Iterable[str]) -> BadDataError:
    return BadDataError(
        f"more than one column could be the {role}: {listed(found)}",
        f"choose with --{role}" + (" (several together: a,b)" if role == "neuron" else ""),
    )


def _check_options(table: TextTable, options: InputOptions) -> None:
    if options.exposure is not None and options.duration is not None:
        raise UsageError("--exposure and --duration exclude each other", "give one of them")
    if options.within and not options.group:
        named = ",".join(options.within)
        raise UsageError(
            f"--within {named} needs groups within which its labels stand",
            f"add --group, such as --group area --within {named}; without other groups, --group "
            f"{named} gives each of its labels a population of its own",
        )
    single = _single(options)
    several = {
        "neuron": options.neuron,
        "condition": options.condition,
        "group": options.group,
        "within": options.within,
        "session": options.session,
    }
    wanted = [(role, name) for role, name in single.items() if name is not None]
    wanted += [(role, name) for role, names in several.items() for name in names]
    present = (*table.names, *table.nested)
    for role, name in wanted:
        if name not in present:
            raise BadDataError(
                f"{shown_path(table.origins[0].path)} has no column {quoted(name)}, "
                f"named by --{role}; the columns are: {listed(table.names)}",
                f"{did_you_mean([name], present)}name a column that is there",
            )


def _usual_session(table: TextTable, options: InputOptions) -> tuple[str, ...]:
    """Return the column called session, if no other role excludes it and no cell is empty."""
    taken = {*options.condition, *_single(options).values()}
    found = [column for column in table.columns if column.name.casefold() == "session"]
    whole = [c.name for c in found if c.name not in taken and all(v.strip() for v in c.values)]
    return tuple(whole) if len(whole) == 1 else ()


def _check_session(roles: Roles, options: InputOptions) -> None:
    """Refuse sessions whose trials have no names."""
    if options.session and roles.trial is None:
        raise UsageError(
            f"--session {','.join(options.session)} needs a trial column: it tells which neurons "
            "were recorded together",
            "name it with --trial",
        )


def _exposure(
    columns: _Columns, options: InputOptions, notices: list[Notice]
) -> tuple[str | None, tuple[str, ...]]:
    """Return the exposure column, and the columns that --duration overrules."""
    if options.exposure is not None:
        return options.exposure, ()
    found = tuple(name for name in columns.free if _EXPOSURE.fullmatch(name))
    if options.duration is not None:
        for name in found:
            text = f"--duration {options.duration:g} is used; column {quoted(name)} is ignored"
            notices.append(Notice("exposure-overruled", text))
        return None, found
    if len(found) > 1:
        raise _ambiguous("exposure", found)
    if found and "_" not in found[0]:
        unit = "milliseconds" if options.exposure_unit == "ms" else "seconds"
        text = f"column {quoted(found[0])} is read as the exposure, in {unit}"
        advice = " (if not: --exposure-unit ms)" if options.exposure_unit == "s" else ""
        notices.append(Notice("exposure-recognised", text + advice))
    return _first(found), ()


def _unit(exposure: str | None, options: InputOptions, otherwise: Unit) -> Unit:
    """Return the unit of a name such as ``duration_ms``, or another one."""
    if exposure is not None and _MILLISECONDS.fullmatch(exposure):
        return "ms"
    if exposure is not None and _SECONDS.fullmatch(exposure) and options.exposure_unit == "ms":
        raise UsageError(
            f"--exposure-unit ms contradicts the name of column {quoted(exposure)}",
            "rename the column, or leave out --exposure-unit",
        )
    return "s" if exposure is not None and _SECONDS.fullmatch(exposure) else otherwise


def _refuse_nested(table: TextTable, roles: Roles) -> None:
    for role, name in roles.as_pairs():
        if name in table.nested:
            raise BadDataError(
                f"{shown_path(table.origins[0].path)}: column {quoted(name)} ({role}) holds "
                "lists or records, not one value per row",
                "write one number or text per row",
            )


def _refuse_two_roles(roles: Roles) -> None:
    """Refuse one column in two roles.

    Groups and labels within them may be part of the neuron's name, and a group of the label's.
    """
    taken: dict[str, str] = {}
    for role, name in roles.as_pairs():
        before = taken.get(name)
        if before is not None and (before, role) not in _SHARED:
            raise UsageError(f"column {quoted(name)} is named both as {before} and as {role}")
        taken.setdefault(name, role)
    if roles.within and set(roles.within) <= set(roles.group):
        raise UsageError(
            f"--within {','.join(roles.within)} names no column that is not a group's",
            "name the column of what lies within the groups, such as --within animal",
        )

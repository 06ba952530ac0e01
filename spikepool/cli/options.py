"""Command-line options made from the configuration: one option per field, with its help."""

import inspect
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAliasType, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from spikepool.config import (
    EngineOptions,
    InputOptions,
    ModelOptions,
    ReportOptions,
    RunOptions,
    Section,
)

type Settings = dict[str, dict[str, Any]]

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="SPIKEPOOL_CONFIG",
        show_envvar=False,
        help="TOML file of options; environment (SPIKEPOOL_DRAWS) and flags overrule it.",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

SECTIONS: dict[str, tuple[type[Section], str]] = {
    "input": (InputOptions, "Reading"),
    "model": (ModelOptions, "Models"),
    "engine": (EngineOptions, "Computation"),
    "report": (ReportOptions, "Results"),
    "run": (RunOptions, "Run"),
}
"""Each section of the configuration, and the heading of its options in ``--help``."""
_METAVARS = {
    "prior": "NAME=SPEC",
    "circular": "COLUMN[=PERIOD],...",
    "baseline_condition": "[COLUMN=]LABEL",
}
"""What stands for the value of an option whose type does not tell."""


def options_from_config(*sections: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of some sections of the configuration.

    The command's parameter ``settings`` receives what was given, by section and field; what was
    not given is absent, so that a configuration file's value or the default stands. Every option
    can also be given in the environment: ``SPIKEPOOL_DRAWS``.

    Parameters
    ----------
    *sections : str

    Returns
    -------
    callable
        Decorator.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        made = [_parameter(section, name, field)
                for section in sections
                for name, field in SECTIONS[section][0].model_fields.items()]  # fmt: skip

        def run(**given: Any) -> None:
            settings = _collected(sections, given)
            rest = {name: given[name] for name in own.parameters if name != "settings"}
            command(settings=settings, **rest)

        parameters = [
            p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, p in own.parameters.items()
            if name != "settings"
        ]
        arguments = [p for p in made if p.name == "input__tables"]
        others = [p for p in made if p.name != "input__tables"]
        run.__signature__ = inspect.Signature([*arguments, *parameters, *others])  # type: ignore[attr-defined]  # read by Typer
        run.__doc__ = command.__doc__
        run.__name__ = command.__name__
        return run

    return decorate


def _collected(sections: Iterable[str], given: dict[str, Any]) -> Settings:
    """Sort what was given by section and field, leaving out what was not."""
    settings: Settings = {}
    for section in sections:
        for name, field in SECTIONS[section][0].model_fields.items():
            value = given[f"{section}__{name}"]
            if not value and _splits_itself(field) and not _is_argument(section, name):
                value = os.environ.get(_variable(name))
            if value is not None and value not in ([], ""):
                settings.setdefault(section, {})[name] = value
    return settings


def _parameter(section: str, name: str, field: FieldInfo) -> inspect.Parameter:
    """Make the parameter that Typer reads."""
    info = _argument(field) if _is_argument(section, name) else _option(section, name, field)
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(
        f"{section}__{name}", kind, default=None, annotation=Annotated[_given_type(field), info]
    )


def _argument(field: FieldInfo) -> Any:
    return typer.Argument(help=_help(field), metavar="TABLE...", show_default=False)


def _option(section: str, name: str, field: FieldInfo) -> Any:
    flag = f"--{name.replace('_', '-')}"
    is_switch = _without_aliases(field.annotation) is bool
    flags = f"{flag}/--no-{flag[2:]}" if is_switch else flag
    return typer.Option(
        flags,
        help=_help(field),
        metavar=_metavar(name, field),
        envvar=None if _splits_itself(field) else _variable(name),
        show_envvar=False,
        show_default=False,
        rich_help_panel=SECTIONS[section][1],
    )


def _is_argument(section: str, name: str) -> bool:
    return (section, name) == ("input", "tables")


def _variable(name: str) -> str:
    return f"SPIKEPOOL_{name.upper()}"


def _splits_itself(field: FieldInfo) -> bool:
    """Whether the configuration splits the value at commas; Typer would split it at spaces."""
    return get_origin(_without_aliases(field.annotation)) is tuple


def _help(field: FieldInfo) -> str:
    return " ".join((field.description or "").split()) + _default_in_words(field)


def _default_in_words(field: FieldInfo) -> str:
    """Say the default, unless the help already does or there is none."""
    default = field.default
    if default is None or default == () or default is False or "[" in (field.description or ""):
        return ""
    shown = ",".join(default) if isinstance(default, tuple) else str(default)
    return f" [default: {shown}]"


def _given_type(field: FieldInfo) -> Any:
    """Type of the option as given: None where it was not; the configuration validates it."""
    inner = _without_aliases(field.annotation)
    if get_origin(inner) is tuple:
        return list[str] | None
    if get_origin(inner) is Literal:
        inner = type(get_args(inner)[0])
    return inner | None


def _metavar(name: str, field: FieldInfo) -> str | None:
    if name in _METAVARS:
        return _METAVARS[name]
    inner = _without_aliases(field.annotation)
    if get_origin(inner) is tuple:
        choices = _without_aliases(get_args(inner)[0])
        if get_origin(choices) is Literal:
            return ",".join(get_args(choices))
        return "N,..." if choices is int else "COLUMN,..."
    if get_origin(inner) is Literal:
        return "|".join(str(choice) for choice in get_args(inner))
    return {int: "N", float: "X", str: "TEXT"}.get(inner)


def _without_aliases(annotation: Any) -> Any:
    """Strip type aliases, ``Annotated`` and ``| None``."""
    if isinstance(annotation, TypeAliasType):
        return _without_aliases(annotation.__value__)
    if get_origin(annotation) is Annotated:
        return _without_aliases(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        (inner,) = (each for each in get_args(annotation) if each is not NoneType)
        return _without_aliases(inner)
    return annotation

"""Configuration files in TOML, and what overrides what: file < environment < options."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from spikepool.config import RunConfig
from spikepool.errors import NoInputError, UsageError

_LINE = re.compile(r"\(at line (\d+)")
_UNDECODED = re.compile("[\udc80-\udcff]")

type Settings = Mapping[str, Mapping[str, Any]]


def read_settings(path: Path) -> dict[str, dict[str, Any]]:
    """Read a configuration file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to dict
        Sections and their keys, as written.

    Raises
    ------
    NoInputError
        If the file cannot be read.
    UsageError
        If it is not TOML of sections, naming the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise NoInputError(f"cannot read the configuration {path}: {reason}") from error
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}{_line_shown(str(error), text)}") from error
    loose = [key for key, value in settings.items() if not isinstance(value, dict)]
    if loose:
        sections = ", ".join(f"[{name}]" for name in RunConfig.model_fields)
        raise UsageError(
            f"{path}: {loose[0]!r} stands outside a section", f"the sections are {sections}"
        )
    return settings


def resolve_config(settings: Settings, overrides: Settings) -> RunConfig:
    """Lay options over a file's settings and validate the whole.

    Parameters
    ----------
    settings : dict of str to dict
        Of a configuration file; may be empty.
    overrides : dict of str to dict
        What was given on the command line or in the environment.

    Returns
    -------
    RunConfig

    Raises
    ------
    UsageError
        Naming the key, the value found and what is wanted.
    """
    merged = {name: dict(section) for name, section in settings.items()}
    for name, section in overrides.items():
        merged.setdefault(name, {}).update(section)
    if "exposure" in overrides.get("input", {}) and "duration" not in overrides.get("input", {}):
        merged["input"].pop("duration", None)
    if "duration" in overrides.get("input", {}) and "exposure" not in overrides.get("input", {}):
        merged["input"].pop("exposure", None)
    try:
        return RunConfig.model_validate(merged)
    except ValidationError as error:
        raise UsageError(_explained(error, overrides)) from error


def config_text(config: RunConfig) -> str:
    r"""Write a configuration as TOML; `resolve_config` of it gives the same again.

    A byte of a path that is not UTF-8, which TOML cannot hold, is written as the text ``\xff``.
    """
    text = tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
    return _UNDECODED.sub(lambda byte: rf"\\x{ord(byte[0]) - 0xDC00:x}", text)


def _line_shown(error: str, text: str) -> str:
    """Quote the line that tomllib's message counts; it names no key."""
    counted = _LINE.search(error)
    return f": {text.split('\n')[int(counted[1]) - 1].strip()}" if counted else ""


def _explained(error: ValidationError, overrides: Settings) -> str:
    """Name each wrong key as the user wrote it: an option, or a key of the file."""
    return "\n".join(_one_fault(fault, overrides) for fault in error.errors())


def _one_fault(fault: Any, overrides: Settings) -> str:
    section, *rest = (str(part) for part in fault["loc"])
    key = rest[0] if rest else ""
    given = key in overrides.get(section, {})
    where = f"--{key.replace('_', '-')}" if given else f"{key!r} of section [{section}]"
    if not key:
        where = f"section [{section}]"
    if fault["type"] == "extra_forbidden":
        return f"{where}: there is no such {'key' if key else 'section'}"
    wanted = fault["msg"][0].lower() + fault["msg"][1:]
    return f"{where}: found {fault['input']!r}; {wanted}"

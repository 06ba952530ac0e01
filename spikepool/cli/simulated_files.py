"""The files of `spikepool simulate`: the table, and its truth beside it, written together."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from spikepool.errors import OutputExistsError, ReadWriteError, UsageError

if TYPE_CHECKING:
    from spikepool.models.simulate import Simulation

_DIGITS = 10
"""Digits of the truth: fewer than a double holds, so that every machine writes the same bytes."""

type _Column = tuple[str, list[str] | list[int] | list[float]]


def free_paths(output: str, *, force: bool) -> list[Path]:
    """Return the table's path and those of its truth (none for ``-``), if they may be written."""
    if output == "-":
        return []
    path = Path(output)
    if path.suffix not in {".csv", ".parquet"}:
        raise UsageError(f"--output is {output!r}; it ends in .csv or .parquet, or is -")
    if not path.parent.is_dir():
        raise OutputExistsError(f"there is no folder {path.parent}", "make it first")
    paths = [path, *(path.with_name(f"{path.stem}.truth.{end}") for end in ("csv", "json"))]
    for each in paths:
        if each.is_dir():
            raise OutputExistsError(f"{each} is a folder", "give another name with -o")
        if not force and os.path.lexists(each):
            raise OutputExistsError(f"{each} exists", "give another name, or --force")
    return paths


def contents_of(simulation: "Simulation", path: Path) -> tuple[bytes, bytes, bytes]:
    """Return the table, its truth per neuron and its populations, as files."""
    as_csv = path.suffix == ".csv"
    data = table_as_csv(simulation).encode() if as_csv else _parquet(_table(simulation))
    return data, _csv(_truth(simulation)).encode(), _populations(simulation).encode()


def table_as_csv(simulation: "Simulation") -> str:
    """Return the table as CSV."""
    return _csv(_table(simulation))


def _table(simulation: "Simulation") -> list[_Column]:
    """Return the columns of the table, one row per trial."""
    settings = simulation.settings
    neuron = simulation.neuron.tolist()
    condition = simulation.condition.tolist()
    columns: list[_Column] = [
        ("neuron", [simulation.neurons[i] for i in neuron]),
        ("trial", simulation.trial.tolist()),
    ]
    if settings.conditions:
        columns.append((settings.condition_column, [settings.conditions[c] for c in condition]))
    columns.append(("count", simulation.count.tolist()))
    if settings.exposure is not None:
        columns.append(("duration", simulation.exposure.tolist()))
    if settings.groups:
        names = [settings.groups[g].name for g in simulation.group.tolist()]
        columns.append((settings.group_column, [names[i] for i in neuron]))
    return columns


def _truth(simulation: "Simulation") -> list[_Column]:
    """Return the columns of the truth, one row per neuron and condition."""
    import numpy as np

    settings = simulation.settings
    n_neurons, n_conditions = simulation.log_rate.shape
    columns: list[_Column] = [
        ("neuron", [n for n in simulation.neurons for _ in range(n_conditions)])
    ]
    values = {
        "log_rate": simulation.log_rate,
        "rate": np.exp(simulation.log_rate),
        "dispersion": simulation.dispersion[:, np.newaxis],
        "gain_sd": simulation.gain_sd,
        "fano": simulation.fano,
    }
    if settings.conditions:
        columns.append((settings.condition_column, [*settings.conditions] * n_neurons))
        values = {"neuron_log_rate": simulation.neuron_log_rate[:, np.newaxis], **values}
    for name, array in values.items():
        cells = np.broadcast_to(array, simulation.log_rate.shape).ravel()
        columns.append((name, [f"{cell:.{_DIGITS}g}" for cell in cells.tolist()]))
    if settings.groups:
        names = [settings.groups[g].name for g in simulation.group.tolist()]
        columns.append((settings.group_column, [n for n in names for _ in range(n_conditions)]))
    return columns


def _populations(simulation: "Simulation") -> str:
    """Return settings and populations as JSON."""
    import json
    from dataclasses import asdict

    settings = simulation.settings
    populations = [asdict(population) for population in settings.populations]
    for population in populations:
        for name in ("mu", "mu_delta"):
            value = population[name]
            population[name] = None if value is None else float(f"{value:.{_DIGITS}g}")
    truth = {
        "model": settings.spec.name,
        "rate_unit": "spikes/trial" if settings.exposure is None else "spikes/s",
        "populations": populations,
        "settings": asdict(settings),
    }
    return json.dumps(truth, indent=2, ensure_ascii=False) + "\n"


def _csv(columns: list[_Column]) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*(values for _, values in columns), strict=True))
    return text.getvalue()


def _parquet(columns: list[_Column]) -> bytes:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    data = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), data, write_page_checksum=True)
    return data.getvalue()


def write_together(files: dict[Path, bytes]) -> None:
    """Write all files under temporary names, then rename them, the table last."""
    token = secrets.token_hex(4)
    temporary = {path: path.with_name(f".{path.name}.{token}") for path in files}
    try:
        for path, data in files.items():
            temporary[path].write_bytes(data)
        for path in reversed(files):
            temporary[path].replace(path)
    except OSError as error:
        table = next(iter(files))
        raise ReadWriteError(f"cannot write {table} and its truth: {error.strerror}") from error
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)

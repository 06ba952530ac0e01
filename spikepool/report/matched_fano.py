"""Fano factors at matched mean counts: as a table, and in numbers for the summary."""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
from pydantic import JsonValue

from spikepool.diagnostics.mean_matching import FanoOfPair, MatchedPair
from spikepool.report.arrow_tables import Row
from spikepool.report.run_results import RunResults
from spikepool.report.summary_parts import Json, finite
from spikepool.report.table_parts import model_cells, rows_table

_MEASURED: Final = ("fano", "reference_fano", "difference", "ratio")


def make_matched_fano(results: RunResults) -> pa.Table:
    """One row per pair of sets and method; none without groups, conditions or a baseline."""
    return rows_table("matched_fano", list(_rows(results)), results)


def _rows(results: RunResults) -> Iterator[Row]:
    primary = results.primary_model
    model = model_cells(primary.spec, primary.engine)
    for pair in results.matched:
        for found in pair.found:
            yield {
                **(model if found.method == "posterior" else {}),
                "compared": pair.compared,
                "set": pair.name,
                "reference": pair.reference,
                "method": found.method,
                "points": found.points,
                "reference_points": found.reference_points,
                "mean_count": found.mean_count,
                "reference_mean_count": found.reference_mean_count,
                **_cells(found),
                "prob_greater": found.prob_greater,
            }


def _cells(found: FanoOfPair) -> dict[str, object]:
    """Write every number that was measured beside the ends of its interval."""
    cells: dict[str, object] = {}
    for name in _MEASURED:
        of = getattr(found, name)
        cells |= {name: of.value, f"{name}_lower": of.lower, f"{name}_upper": of.upper}
    return cells


def matched_as_json(pairs: tuple[MatchedPair, ...]) -> list[JsonValue]:
    """Return every pair with what each method finds.

    Parameters
    ----------
    pairs : tuple of MatchedPair

    Returns
    -------
    list
        Ready for JSON; a number that is not defined is None.
    """
    return [
        {
            "compared": pair.compared,
            "set": pair.name,
            "reference": pair.reference,
            **{found.method: _found_as_json(found) for found in pair.found},
        }
        for pair in pairs
    ]


def _found_as_json(found: FanoOfPair) -> Json:
    numbers = ("points", "reference_points", "mean_count", "reference_mean_count", "prob_greater")
    measured: Json = {
        name: {end: finite(value) for end, value in vars(getattr(found, name)).items()}
        for name in _MEASURED
    }
    return {**{name: finite(getattr(found, name)) for name in numbers}, **measured}

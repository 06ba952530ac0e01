"""`spikepool schema` prints every column of every table."""

import json

from spikepool.report.schema import FLAGS, POPULATION_FLAGS, TABLE_NAMES, table_schemas
from spikepool.report.sensitivity_schema import SENSITIVITY_SCHEMAS


def test_every_column_is_described(spikepool):
    """Name, type, unit and description on one line each, under the table's name."""
    ended = spikepool("schema")
    assert ended.code == 0
    lines = ended.out.splitlines()
    for table, columns in table_schemas().items():
        assert table in lines
        for column in columns:
            unit = f" ({column.unit})" if column.unit else ""
            wanted = f"  {column.name:<24} {column.type}{unit}: {column.description}"
            assert wanted in lines


def test_one_table_alone(spikepool):
    """Only its columns, and no flags where it has none."""
    lines = spikepool("schema", "labels").out.splitlines()
    assert lines[0] == "labels"
    assert len([line for line in lines if line]) == 1 + len(table_schemas()["labels"])


def test_flags_are_explained_with_the_tables_that_have_them(spikepool):
    """Each word and its meaning."""
    for table in ("neurons", "estimates"):
        out = spikepool("schema", table).out
        for flag, meaning in FLAGS.items():
            assert f"{flag:<24} {meaning}" in out
    for table in ("population", "contrasts"):
        out = spikepool("schema", table).out
        for flag, meaning in POPULATION_FLAGS.items():
            assert f"{flag:<24} {meaning}" in out


def test_json_is_the_whole_schema(spikepool):
    """For programs; the same columns in the same order."""
    found = json.loads(spikepool("schema", "--json").out)
    assert found["flags"] == FLAGS
    assert found["population_flags"] == POPULATION_FLAGS
    assert list(found["tables"]) == [*TABLE_NAMES, *SENSITIVITY_SCHEMAS, "prior_predictive"]
    for table, columns in table_schemas().items():
        assert [each["name"] for each in found["tables"][table]] == [c.name for c in columns]
        assert {"name", "type", "unit", "description"} == set(found["tables"][table][0])


def test_json_of_one_table(spikepool):
    """Only that one."""
    assert list(json.loads(spikepool("schema", "neurons", "--json").out)["tables"]) == ["neurons"]


def test_unknown_table_is_a_usage_error(spikepool):
    """Exit 2, with the names there are."""
    ended = spikepool("schema", "neuron")
    assert ended.code == 2
    assert "'neuron'" in ended.err
    for name in TABLE_NAMES:
        assert name in ended.err

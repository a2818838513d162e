"""Joining chunks: the order of the plan, whatever the order and the number of the pieces, without all of it in memory."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phaseflow import assembly, tables
from phaseflow.errors import ResultsError
from phaseflow.sweeps import Axis, Identity, plan_members
from phaseflow.tables import write_rows

SCHEMA = pa.schema([("member", pa.int64()), ("value", pa.float64())])


@pytest.fixture
def members():
    values = np.random.default_rng(1).permutation(np.arange(60.0))
    return plan_members(Identity("x", {"a": 0.0}), [[Axis("a", values)], [Axis("a", values + 0.5)]], 7)


def write_pieces(members, folder, rows_a_member):
    """Write a piece a chunk, in which each member has some rows with its place and the row's number."""
    files = []
    for number, places in enumerate(members.chunks()):
        rows = [(members.ids[place], place + row / 10) for place in places for row in range(rows_a_member(place))]
        columns = [pa.array([row[column] for row in rows], SCHEMA.types[column]) for column in (0, 1)]
        files.append(folder / f"{number}.parquet")
        pq.write_table(pa.table(columns, schema=SCHEMA), files[-1])
    return files


@pytest.mark.parametrize("held", [1, 10, 10**6])
def test_rows_come_in_the_order_of_the_plan(members, tmp_path, monkeypatch, held):
    monkeypatch.setattr(assembly, "_ROWS_AT_ONCE", held)
    files = write_pieces(members, tmp_path, lambda place: place % 3)
    joined = pa.concat_tables(assembly._stream(members, files, assembly.sort_rows))
    assert joined["value"].to_pylist() == [place + row / 10 for place in range(len(members)) for row in range(place % 3)]


@pytest.mark.parametrize("held", [1, 10, 10**6])
def test_a_member_that_is_missing_is_noticed(members, tmp_path, monkeypatch, held):
    monkeypatch.setattr(assembly, "_ROWS_AT_ONCE", held)
    files = write_pieces(members, tmp_path, lambda place: int(place != 50))
    with pytest.raises(ResultsError, match="run again"):
        list(assembly._stream(members, files, assembly.order_rows))


def test_bytes_do_not_depend_on_how_rows_are_divided(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_ROW_GROUP", 8)
    table = pa.table([np.arange(37) // 5, np.random.default_rng(1).random(37)], schema=SCHEMA)
    for size in (1, 5, 8, 16, 37):
        parts = (table.slice(first, size) for first in range(0, len(table), size))
        write_rows(tmp_path / f"{size}.parquet", SCHEMA, parts, dictionary=("member",))
    contents = {path.read_bytes() for path in tmp_path.iterdir()}
    assert len(contents) == 1
    assert pq.read_table(tmp_path / "5.parquet").equals(table)
    assert pq.read_metadata(tmp_path / "5.parquet").num_row_groups == 5


def test_no_rows_are_a_table(tmp_path):
    write_rows(tmp_path / "none.parquet", SCHEMA, [])
    assert pq.read_table(tmp_path / "none.parquet").schema.equals(SCHEMA)

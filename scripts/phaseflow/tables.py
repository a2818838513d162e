"""The tables that are written: one schema a table, the same bytes for the same rows, whole or not at all."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from phaseflow.errors import ResultsError

_ROW_GROUP = 131_072


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, and move it into place when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _name_part(path)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def write_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder to fill, and put it in the place of the other when the block ends well."""
    temporary, old = _name_part(folder), _name_part(folder.with_name(f"{folder.name}.old"))
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if folder.exists():
            folder.replace(old)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _name_part(path: Path) -> Path:
    """Return a hidden name beside a path, which no other process has, on this machine or on another."""
    return path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.part")


@contextmanager
def open_parquet(path: Path, schema: pa.Schema, dictionary: Sequence[str] = ()) -> Iterator[pq.ParquetWriter]:
    """Open a Parquet file for writing in pieces.

    Columns of floats are split by byte and compressed; those named in `dictionary`, which repeat, are encoded as such.
    """
    split = [field.name for field in schema if pa.types.is_floating(field.type) and field.name not in dictionary]
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    with (
        write_whole(path) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[*dictionary, *texts],
            column_encoding=dict.fromkeys(split, "BYTE_STREAM_SPLIT"),
        ) as writer,
    ):
        yield writer


def write_parquet(path: Path, table: pa.Table, dictionary: Sequence[str] = ()) -> None:
    """Write a whole table to a Parquet file."""
    with open_parquet(path, table.schema, dictionary) as writer:
        writer.write_table(table, row_group_size=_ROW_GROUP)


def write_rows(path: Path, schema: pa.Schema, tables: Iterable[pa.Table], dictionary: Sequence[str] = ()) -> None:
    """Write rows that come in several tables; the bytes do not depend on how the rows are divided among these."""
    with open_parquet(path, schema, dictionary) as writer:
        rest, is_empty = schema.empty_table(), True
        for table in tables:
            rest = pa.concat_tables([rest, table])
            n_whole = len(rest) - len(rest) % _ROW_GROUP
            if n_whole:
                writer.write_table(rest.slice(0, n_whole).combine_chunks(), row_group_size=_ROW_GROUP)
                rest, is_empty = rest.slice(n_whole), False
        if len(rest) or is_empty:
            writer.write_table(rest.combine_chunks(), row_group_size=_ROW_GROUP)


def read_schema(path: Path) -> pa.Schema:
    """Return the schema of a Parquet file."""
    return _read_metadata(path).schema.to_arrow_schema()


def count_rows(path: Path) -> int:
    """Return how many rows a Parquet file has."""
    return int(_read_metadata(path).num_rows)


def _read_metadata(path: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> ResultsError:
    return ResultsError(f"{path} is damaged and must be made anew (delete it and run again): {error}")


def read_parquet(path: Path) -> pa.Table:
    """Read a whole Parquet file.

    Raises
    ------
    ResultsError : the file is damaged.
    """
    try:
        return pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 with plain line ends."""
    with write_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_csv(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write a CSV file: floats with the digits that give back the same double, nothing where there is no value."""
    import pandas as pd

    write_text(path, pd.DataFrame(columns).to_csv(index=False, lineterminator="\n"))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file with sorted keys."""
    write_text(path, json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def make_trajectory_schema(states: Sequence[str]) -> pa.Schema:
    """Return the schema of trajectories: member, t and the states."""
    return pa.schema([("member", pa.int64()), ("t", pa.float64()), *((state, pa.float64()) for state in states)])


def make_event_schema(states: Sequence[str]) -> pa.Schema:
    """Return the schema of events: member, event, t and the states."""
    return make_trajectory_schema(states).insert(1, pa.field("event", pa.string()))


def make_orbit_schema(states: Sequence[str]) -> pa.Schema:
    """Return the schema of fixed points and periodic orbits, with an eigenvalue a state in two parts.

    A state that bears the name of another column has none of its own: then no orbit can be asked for, and the table is empty.
    """
    parts = [f"eigenvalue_{place + 1}_{part}" for place in range(len(states)) for part in ("re", "im")]
    kinds = dict.fromkeys(("kind", "stability"), pa.string()) | dict.fromkeys(("member", "number"), pa.int64())
    names = ("member", "kind", "number", "period", *states, "residual", "stability", "unit_error", *parts)
    return pa.schema([(name, kinds.get(name, pa.float64())) for name in dict.fromkeys(names)])

"""The work of `gather`: from a scenario's chunks to its tables, in the order of the config."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phaseflow.errors import ResultsError
from phaseflow.settings.block import Block
from phaseflow.settings.scenarios import Scenario
from phaseflow.sweeps import Int64, Members
from phaseflow.tables import count_rows, read_parquet, read_schema, write_folder, write_rows

# How many rows are held while tables are joined.
_ROWS_AT_ONCE = 1_000_000


def gather_members(
    block: Block, pieces: Mapping[str, Sequence[Path]], table_path: Path, events_path: Path, orbits_path: Path, folder: Path
) -> None:
    """Write a scenario's tables of members, events and orbits and publish its trajectories.

    Parameters
    ----------
    pieces : the files of the plan's chunks by kind: members, events, orbits, trajectories.
    folder : what holds the trajectories afterwards, and nothing else: hard links into the pool of chunks.

    Raises
    ------
    ResultsError : the chunks do not hold exactly the members of the plan.
    """
    scenario = Scenario.model_validate(block.settings)
    members = scenario.lay_out()
    counts: Counter[str] = Counter()
    write_rows(table_path, read_schema(pieces["members"][0]), _count(_stream(members, pieces["members"], order_rows), counts))
    for kind, path in (("events", events_path), ("orbits", orbits_path)):
        write_rows(path, read_schema(pieces[kind][0]), _stream(members, pieces[kind], sort_rows), dictionary=("member",))
    publish(pieces["trajectories"] if scenario.keeps_trajectories else [], folder, ".trajectories")
    for status, count in sorted(counts.items()):
        print(f"{block.place}: {count} members with status {status}")


def _stream(members: Members, files: Sequence[Path], arrange: Callable[[pa.Table, str, Int64], pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows of all members in the order of the plan, about a million at a time.

    Parameters
    ----------
    files : a file a chunk, in the order of the plan's chunks.
    """
    spans = [(places.min(), places.max()) for places in members.chunks()]
    size = max(1, _ROWS_AT_ONCE * len(members) // max(len(members), sum(count_rows(file) for file in files)))
    for first in range(0, len(members), size):
        last = min(first + size, len(members)) - 1
        ids = np.sort(members.ids[first : last + 1])
        parts = [
            read_parquet(file) if first <= low and high <= last else _choose_rows(read_parquet(file), ids)
            for file, (low, high) in zip(files, spans, strict=True)
            if low <= last and high >= first
        ]
        yield arrange(pa.concat_tables(parts), "member", members.ids[first : last + 1])


def _choose_rows(table: pa.Table, ids: Int64) -> pa.Table:
    """Return the rows of some members, whose ids are sorted."""
    found = table["member"].to_numpy()
    return table.filter(pa.array(ids[np.minimum(np.searchsorted(ids, found), len(ids) - 1)] == found))


def _count(tables: Iterable[pa.Table], counts: Counter[str]) -> Iterator[pa.Table]:
    """Pass tables on and count the members of each status."""
    for table in tables:
        counts.update({row["values"]: row["counts"] for row in pc.value_counts(table["status"]).to_pylist()})
        yield table


def order_rows(table: pa.Table, column: str, ids: np.ndarray) -> pa.Table:
    """Return a table's rows in the order of ids.

    Raises
    ------
    ResultsError : the table's ids are not exactly these.
    """
    found = table[column].to_numpy()
    order = np.argsort(found, kind="stable")
    if len(found) != len(ids) or not np.array_equal(found[order], np.sort(ids)):
        raise ResultsError(f"the chunks hold {len(found)} rows that are not the {len(ids)} of the plan: run again")
    return table.take(order[np.searchsorted(found, ids, sorter=order)]).combine_chunks()


def sort_rows(table: pa.Table, column: str, ids: np.ndarray) -> pa.Table:
    """Return a table's rows in the order of ids, rows of the same id in the order they have."""
    ranks = np.argsort(ids)[np.searchsorted(np.sort(ids), table[column].to_numpy())]
    return table.take(np.argsort(ranks, kind="stable")).combine_chunks()


def publish(files: Sequence[Path], folder: Path, mark: str = "") -> None:
    """Make a folder that holds exactly these files, as hard links or, across file systems, as copies.

    Parameters
    ----------
    mark : a part of the names that is left out.
    """
    with write_folder(folder) as temporary:
        for file in files:
            target = temporary / file.name.replace(mark, "")
            try:
                os.link(file, target)
            except OSError:
                shutil.copyfile(file, target)

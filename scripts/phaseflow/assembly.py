"""The work of `gather`: from a scenario's chunks to its tables, in the order of the config."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phaseflow.errors import ResultsError
from phaseflow.settings.block import Block
from phaseflow.settings.scenarios import Scenario
from phaseflow.tables import read_parquet, write_folder, write_parquet


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
    table = order_rows(pa.concat_tables(read_parquet(path) for path in pieces["members"]), "member", members.ids)
    write_parquet(table_path, table)
    for kind, path in (("events", events_path), ("orbits", orbits_path)):
        rows = pa.concat_tables(read_parquet(piece) for piece in pieces[kind])
        write_parquet(path, sort_rows(rows, "member", members.ids), dictionary=("member",))
    publish(pieces["trajectories"] if scenario.keeps_trajectories else [], folder, ".trajectories")
    for row in pc.value_counts(table["status"]).to_pylist():
        print(f"{block.place}: {row['counts']} members with status {row['values']}")


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

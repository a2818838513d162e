"""The work of `verify --recompute`: members computed anew, each alone, and compared with what was stored."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from phaseflow import paths
from phaseflow.ensemble import simulate_chunk
from phaseflow.expressions.compiled import use_cache
from phaseflow.plan import Plan
from phaseflow.sweeps import Members

_KINDS = paths.PIECES["simulate"]


def recompute_members(plan: Plan, count: int, random: np.random.Generator) -> Iterator[tuple[str, list[str]]]:
    """Yield members drawn at random from all scenarios, each with the tables in which a bit of it differs.

    A member that continues from others is computed after them, and alone besides.
    """
    if count < 1:
        return
    use_cache(paths.TIMINGS / "compiled")
    names = list(plan.config.scenarios)
    sizes = [len(plan.members("simulate", name)) for name in names]
    if not names:
        return
    for number in sorted(random.choice(sum(sizes), min(count, sum(sizes)), replace=False).tolist()):
        scenario = int(np.searchsorted(np.cumsum(sizes), number, side="right"))
        place = number - sum(sizes[:scenario])
        member = plan.members("simulate", names[scenario]).ids[place]
        yield f"simulate.{names[scenario]}, member {member}", _compare(plan, names[scenario], place)


def _compare(plan: Plan, name: str, place: int) -> list[str]:
    """Return the tables of a scenario in which a member is not what it is when it is computed alone."""
    members = plan.members("simulate", name)
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        anew = {kind: Path(folder) / f"{kind}.parquet" for kind in _KINDS}
        trajectories, rows, events, orbits = anew.values()
        simulate_chunk(plan.block("simulate", name), 0, trajectories, rows, events, orbits, _list_chain(members, place))
        stored = paths.list_tables("simulate", name) | {"trajectories": _find_trajectories(plan, name, place)}
        member = int(members.ids[place])
        return [kind for kind in _KINDS if stored[kind].exists() and _read(stored[kind], member) != _read(anew[kind], member)]


def _list_chain(members: Members, place: int) -> np.ndarray:
    """Return the places of a member and of all that it continues from, the first of them first."""
    chain = [place]
    while (before := int(members.previous[chain[-1]])) >= 0:
        chain.append(before)
    return np.array(chain[::-1])


def _find_trajectories(plan: Plan, name: str, place: int) -> Path:
    """Return the published file that has a member's trajectory."""
    members = plan.members("simulate", name)
    number = next(number for number, places in enumerate(members.chunks()) if place in places)
    chunk = next(chunk for chunk, found in plan.chunks("simulate", name).items() if found == number)
    return paths.list_tables("simulate", name)["trajectories"] / f"{chunk}.parquet"


def _read(path: Path, member: int) -> list[tuple[str, list[Any]]]:
    """Return the rows of a member, column by column, with floats by their 64 bits."""
    table = pq.read_table(path, partitioning=None, filters=[("member", "=", member)])
    return [(name, _list_bits(table[name])) for name in table.column_names]


def _list_bits(column: pa.ChunkedArray) -> list[Any]:
    if not pa.types.is_floating(column.type):
        return list(column.to_pylist())
    bits = column.fill_null(0.0).to_numpy().view(np.int64).tolist()
    return [None if is_null else word for is_null, word in zip(column.is_null().to_pylist(), bits, strict=True)]

"""The work of `simulate`: one chunk of a scenario's members, from their values to their tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import heyoka as hy
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from phaseflow.dynamics.fields import Field, make_field
from phaseflow.dynamics.taylor import ENGINE, Array, Trajectories, integrate
from phaseflow.errors import NumericalError
from phaseflow.seeds import open_stream
from phaseflow.settings.block import Block
from phaseflow.settings.scenarios import Scenario
from phaseflow.sweeps import Int64, Members
from phaseflow.tables import make_trajectory_schema, open_parquet, write_parquet

_SLICE_ROWS = 1_000_000


def simulate_chunk(block: Block, chunk: int, trajectories_path: Path, members_path: Path) -> None:
    """Integrate the members of one chunk and write their trajectories and their rows.

    Parameters
    ----------
    block : a resolved scenario.
    chunk : the chunk's number in the plan of that scenario.

    Raises
    ------
    NumericalError : a member failed and the scenario says `on_failure: stop`.
    """
    scenario = Scenario.model_validate(block.settings)
    members = scenario.lay_out()
    places = members.chunks()[chunk]
    runner = _Runner(scenario, members, block.seed or 0)
    rows: list[pa.Table] = []
    schema = make_trajectory_schema(runner.field.states)
    with open_parquet(trajectories_path, schema, dictionary=("member", "t")) as writer:
        for part in runner.split(places):
            initial, trajectories = runner.run(part)
            rows.append(runner.tabulate_members(part, initial, trajectories))
            if scenario.keeps_trajectories:
                writer.write_table(runner.tabulate_trajectories(part, trajectories, schema))
    table = pa.concat_tables(rows)
    write_parquet(members_path, table)
    _report_failures(block, table, scenario.on_failure)


class _Runner:
    """What the members of a chunk share."""

    def __init__(self, scenario: Scenario, members: Members, seed: int) -> None:
        self.scenario, self.members, self.seed = scenario, members, seed
        self.system = scenario.definition
        self.field: Field = make_field(self.system)
        time = scenario.time
        self.times = np.linspace(time.start.value, time.stop.value, time.samples if scenario.keeps_trajectories and time.samples else 2)

    def split(self, places: Int64) -> Iterator[Int64]:
        """Yield parts of a chunk that are small enough to hold in memory."""
        size = max(1, _SLICE_ROWS // len(self.times))
        for first in range(0, len(places), size):
            yield places[first : first + size]

    def run(self, places: Int64) -> tuple[Array, Trajectories]:
        """Integrate members; return their initial states and their outcome."""
        initial, parameters = self._perturb(places), self._find_parameters(places)
        tolerances = self._find_column("solver.tolerance", self.scenario.solver.tolerance.value, places)
        shape = (len(places), len(self.times), len(self.field.states))
        n = len(places)
        joined = Trajectories(np.empty(shape), np.empty(n, dtype="<U16"), np.empty(n), np.empty(n, dtype=np.int64))
        for tolerance in np.unique(tolerances):
            chosen = np.flatnonzero(tolerances == tolerance)
            transient, max_steps = self.scenario.time.transient.value, self.scenario.solver.max_steps
            part = integrate(self.field, initial[chosen], parameters[chosen], self.times, transient, float(tolerance), max_steps)
            joined.samples[chosen], joined.status[chosen] = part.samples, part.status
            joined.status_time[chosen], joined.steps[chosen] = part.status_time, part.steps
        return initial, joined

    def _find_column(self, name: str, value: float, places: Int64) -> Array:
        column = self.members.columns.get(name)
        return np.full(len(places), value) if column is None else np.asarray(column[places], dtype=np.float64)

    def _find_parameters(self, places: Int64) -> Array:
        columns = [self._find_column(name, self.system.parameters[name].value, places) for name in self.field.parameters]
        return np.stack(columns, axis=1) if columns else np.empty((len(places), 0))

    def _perturb(self, places: Int64) -> Array:
        """Return initial states, perturbed by each member's own random numbers: one for each state, used or not."""
        states = self.field.states
        nominal = np.stack([self._find_column(f"initial.{s}", self.system.initial[s].value, places) for s in states], axis=1)
        perturb = self.scenario.ensemble.perturb if self.scenario.ensemble else {}
        if not perturb:
            return nominal
        deviations = np.array([perturb[state].value if state in perturb else 0.0 for state in states])
        normals = np.stack([open_stream(self.seed, int(s)).standard_normal(len(states)) for s in self.members.streams[places]])
        return nominal + deviations * normals

    def tabulate_members(self, places: Int64, initial: Array, trajectories: Trajectories) -> pa.Table:
        """Return a row a member: id, swept values, initial state, outcome and evidence."""
        n = len(places)
        columns: dict[str, object] = {"member": self.members.ids[places]}
        columns |= {name: column[places] for name, column in self.members.columns.items()}
        columns |= {f"{state}_0": initial[:, place] for place, state in enumerate(self.field.states)}
        columns |= {
            "status": trajectories.status,
            "status_time": trajectories.status_time,
            "engine": np.full(n, f"{ENGINE} (heyoka {hy.__version__})"),
            "steps": trajectories.steps,
            "reliable_until": pa.nulls(n, pa.float64()),
            "reliable_method": np.full(n, self.scenario.certify.method),
            "reliable_censored": pa.nulls(n, pa.bool_()),
        }
        return pa.table({name: pa.array(column) if isinstance(column, np.ndarray) else column for name, column in columns.items()})

    def tabulate_trajectories(self, places: Int64, trajectories: Trajectories, schema: pa.Schema) -> pa.Table:
        """Return a row a member and time, up to the time that the member reached."""
        n_times = len(self.times)
        is_reached = np.tile(self.times, len(places)) <= np.repeat(trajectories.status_time, n_times)
        is_reached &= np.isfinite(trajectories.samples).all(axis=2).ravel()
        ids = np.repeat(self.members.ids[places], n_times)[is_reached]
        times = np.tile(self.times, len(places))[is_reached]
        states = [trajectories.samples[:, :, place].ravel()[is_reached] for place in range(len(self.field.states))]
        return pa.table([ids, times, *states], schema=schema)


def _report_failures(block: Block, table: pa.Table, on_failure: str) -> None:
    failed: NDArray[np.bool_] = np.asarray(table["status"].to_numpy() != "ok")
    rows = table.filter(pa.array(failed)).to_pylist()
    lines = [f"{block.place}: member {row['member']} ended at t = {row['status_time']!r} with status {row['status']}" for row in rows]
    print(f"{block.place}: {len(table)} members integrated, {len(rows)} failed")
    for line in lines[:20]:
        print(line)
    if len(lines) > 20:
        print(f"... and {len(lines) - 20} more; members.parquet lists them all")
    if lines and on_failure == "stop":
        raise NumericalError(f"{lines[0]}; on_failure is stop ({len(lines)} of {len(table)} members of this chunk failed)")

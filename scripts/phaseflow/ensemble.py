"""The work of `simulate`: one chunk of a scenario's members, from their values to their tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from phaseflow.certificates import Horizon, find_horizon
from phaseflow.engines import Array, Engine, Event, Task, Trajectories, start_trajectories
from phaseflow.errors import NumericalError
from phaseflow.measures import Column, Measure, Measured, Orbit
from phaseflow.plugins import load_plugin
from phaseflow.seeds import open_stream
from phaseflow.settings.block import Block
from phaseflow.settings.methods import Solver, choose_engine
from phaseflow.settings.scenarios import SOLVER_AXES, Scenario
from phaseflow.sweeps import Int64, Members
from phaseflow.tables import make_event_schema, make_orbit_schema, make_trajectory_schema, open_parquet, write_parquet

_SLICE_ROWS = 1_000_000


def simulate_chunk(
    block: Block,
    chunk: int,
    trajectories_path: Path,
    members_path: Path,
    events_path: Path,
    orbits_path: Path,
    only: Int64 | None = None,
) -> None:
    """Integrate the members of one chunk and write their trajectories, their rows, their events and their orbits.

    Parameters
    ----------
    block : a resolved scenario.
    chunk : the chunk's number in the plan of that scenario.
    only : places of members that are integrated in the place of the chunk's.

    Raises
    ------
    NumericalError : a member failed and the scenario says `on_failure: stop`.
    """
    scenario = Scenario.model_validate(block.settings)
    members = scenario.lay_out()
    runner = _Runner(scenario, members, block.seed or 0)
    rows: list[pa.Table] = []
    events: list[pa.Table] = []
    orbits: list[pa.Table] = []
    schema = make_trajectory_schema(runner.states)
    with open_parquet(trajectories_path, schema, dictionary=("member", "t")) as writer:
        for part in runner.split(members.chunks()[chunk] if only is None else only):
            task, outcome, horizon, results = runner.run(part)
            rows.append(runner.tabulate_members(part, task, outcome, horizon, results))
            events.append(runner.tabulate_events(part, outcome))
            orbits.append(runner.tabulate_orbits(part, results))
            if scenario.keeps_trajectories:
                writer.write_table(runner.tabulate_trajectories(part, outcome, schema))
    table = pa.concat_tables(rows)
    write_parquet(members_path, table)
    write_parquet(events_path, pa.concat_tables(events), dictionary=("member",))
    write_parquet(orbits_path, pa.concat_tables(orbits), dictionary=("member",))
    _report_failures(block, table, scenario.on_failure)


@dataclass(frozen=True)
class _Results:
    """What all measures found of some members."""

    n_members: int
    columns: dict[str, Column] = field(default_factory=dict)
    orbits: list[Orbit] = field(default_factory=list)

    def fill(self, chosen: NDArray[np.intp], found: Mapping[str, Array] | Measured) -> None:
        """Take over what a measure found of some of the members."""
        measured = found if isinstance(found, Measured) else Measured(found)
        for name, values in measured.columns.items():
            column: Column = np.full(self.n_members, None) if values.dtype == object else np.full(self.n_members, np.nan)
            self.columns.setdefault(name, column)[chosen] = values
        self.orbits.extend(orbit._replace(member=int(chosen[orbit.member])) for orbit in measured.orbits)


class _Runner:
    """What the members of a chunk share."""

    def __init__(self, scenario: Scenario, members: Members, seed: int) -> None:
        self.scenario, self.members, self.seed = scenario, members, seed
        self.system = scenario.definition
        self.states = list(self.system.equations)
        time = scenario.time
        self.times = np.linspace(time.start.value, time.stop.value, time.samples if scenario.keeps_trajectories and time.samples else 2)
        self.engine: Engine = load_plugin("engines", choose_engine(scenario.solver))
        self.asked = scenario.measure.asked if scenario.measure else {}
        self.measures: dict[str, Measure] = {name: load_plugin("measures", name) for name in self.asked}
        self.ends: dict[int, Array] = {}
        self.events: tuple[Event, ...] = tuple(
            event for name, measure in self.measures.items() for event in measure.locate(self.asked[name], self.system)
        )

    def split(self, places: Int64) -> Iterator[Int64]:
        """Yield parts of a chunk that are small enough to hold in memory; what a member continues from is in an earlier one."""
        size = max(1, _SLICE_ROWS // len(self.times))
        for generation in self._list_generations(places):
            for first in range(0, len(generation), size):
                yield generation[first : first + size]

    def _list_generations(self, places: Int64) -> list[Int64]:
        """Return the members of a chunk by how many come before them in their chains; the chunk has them chain by chain."""
        numbers = np.arange(len(places))
        depth = numbers - np.maximum.accumulate(np.where(self.members.previous[places] < 0, numbers, 0))
        return [places[depth == d] for d in range(depth.max() + 1)] if self.scenario.continuation else [places]

    def run(self, places: Int64) -> tuple[Task, Trajectories, Horizon, _Results]:
        """Integrate and measure members; members that differ in a number of the solver are integrated apart."""
        scenario = self.scenario
        initial, parameters = self._find_initial(places), self._find_parameters(places)
        streams, transient = self.members.streams[places], scenario.time.transient.value
        options = (transient, scenario.solver, self.seed, streams, self.events, self._find_signs(places))
        task = Task(self.system, initial, parameters, self.times, *options)
        outcome = start_trajectories(task)
        horizon = Horizon(np.full(len(places), np.nan), np.zeros(len(places), dtype=bool))
        results = _Results(len(places))
        for solver, chosen in self._split_by_solver(places):
            part = replace(task.select(chosen), solver=solver)
            found = self.engine.integrate(part)
            outcome.fill(chosen, found)
            self._certify(part, found, horizon, chosen)
            for name, measure in self.measures.items():
                results.fill(chosen, measure.measure(self.asked[name], part, found))
        if scenario.continuation:
            self.ends |= {int(places[row]): outcome.samples[row, -1].copy() for row in np.flatnonzero(outcome.status == "ok")}
        return task, outcome, horizon, results

    def _split_by_solver(self, places: Int64) -> Iterator[tuple[Solver, NDArray[np.intp]]]:
        """Yield each solver that the sweep makes, with the members that it integrates."""
        swept = sorted(SOLVER_AXES & self.members.columns.keys())
        table = np.array([self.members.columns[name][places] for name in swept]).reshape(len(swept), len(places))
        rows, row_of = np.unique(table, axis=1, return_inverse=True) if swept else (np.empty((0, 1)), np.zeros(len(places)))
        for number, row in enumerate(rows.T.tolist()):
            values = {name.removeprefix("solver."): value for name, value in zip(swept, row, strict=True)}
            yield self.scenario.solver.with_values(values), np.flatnonzero(np.ravel(row_of) == number)

    def _find_signs(self, places: Int64) -> Array:
        """Return -1 for the second of each antithetic pair, else 1."""
        is_paired = bool(self.scenario.solver.antithetic)
        return np.where(self.members.columns["replicate"][places] % 2, -1.0, 1.0) if is_paired else np.ones(len(places))

    def _certify(self, task: Task, outcome: Trajectories, horizon: Horizon, chosen: NDArray[np.intp]) -> None:
        """Find how long members are reliable, where that is asked for."""
        stated = self.scenario.certify
        if stated.method is None or stated.method == "none":
            return
        certificate = load_plugin("certificates", stated.method)
        horizon.fill(chosen, find_horizon(certificate, task, self.engine, stated.tolerance.value, outcome))

    def _find_column(self, name: str, value: float, places: Int64) -> Array:
        column = self.members.columns.get(name)
        return np.full(len(places), value) if column is None else np.asarray(column[places], dtype=np.float64)

    def _find_parameters(self, places: Int64) -> Array:
        columns = [self._find_column(name, self.system.parameters[name].value, places) for name in self.system.parameters]
        return np.stack(columns, axis=1) if columns else np.empty((len(places), 0))

    def _perturb(self, places: Int64) -> Array:
        """Return initial states, perturbed by each member's own random numbers: one for each state, used or not."""
        states = self.states
        nominal = np.stack([self._find_column(f"initial.{s}", self.system.initial[s].value, places) for s in states], axis=1)
        perturb = self.scenario.ensemble.perturb if self.scenario.ensemble else {}
        if not perturb:
            return nominal
        deviations = np.array([perturb[state].value if state in perturb else 0.0 for state in states])
        normals = np.stack([open_stream(self.seed, int(s)).standard_normal(len(states)) for s in self.members.streams[places]])
        return nominal + deviations * normals

    def _find_initial(self, places: Int64) -> Array:
        """Return initial states: where a member continues from another that reached its end, that end."""
        initial = self._perturb(places)
        if self.scenario.continuation:
            for row, before in enumerate(self.members.previous[places].tolist()):
                initial[row] = self.ends.get(before, initial[row])
        return initial

    def _find_previous(self, places: Int64) -> pa.Array:
        """Return the id of the member that each continues from; null for one that starts from the initial state."""
        before = self.members.previous[places]
        return pa.array(self.members.ids[before], mask=np.array([place not in self.ends for place in before.tolist()]))

    def tabulate_members(self, places: Int64, task: Task, outcome: Trajectories, horizon: Horizon, results: _Results) -> pa.Table:
        """Return a row a member: id, swept values, initial state, outcome, evidence and measures."""
        n = len(places)
        columns: dict[str, NDArray[np.generic] | pa.Array] = {"member": self.members.ids[places]}
        columns |= {name: column[places] for name, column in self.members.columns.items()}
        columns |= {f"{state}_0": task.initial[:, place] for place, state in enumerate(self.states)}
        columns |= {"continued_from": self._find_previous(places)} if self.scenario.continuation else {}
        columns |= {
            "status": outcome.status,
            "status_time": outcome.status_time,
            "engine": outcome.engine,
            "steps": outcome.steps,
            "reliable_until": pa.array(horizon.until, from_pandas=True),
            "reliable_method": np.full(n, self.scenario.certify.method),
            "reliable_censored": pa.array(horizon.is_censored, mask=np.isnan(horizon.until)),
        }
        columns |= {
            name: pa.array(values, pa.string() if values.dtype == object else pa.float64(), from_pandas=True)
            for name, values in (outcome.details | results.columns | horizon.details).items()
        }
        return pa.table({name: pa.array(column) if isinstance(column, np.ndarray) else column for name, column in columns.items()})

    def tabulate_events(self, places: Int64, outcome: Trajectories) -> pa.Table:
        """Return a row an event, member by member in the order of time."""
        found = outcome.occurrences
        columns = [
            self.members.ids[places][[occurrence.member for occurrence in found]] if found else np.empty(0, dtype=np.int64),
            [occurrence.event for occurrence in found],
            [occurrence.time for occurrence in found],
            *([occurrence.state[place] for occurrence in found] for place in range(len(self.states))),
        ]
        return pa.table(columns, schema=make_event_schema(self.states))

    def tabulate_orbits(self, places: Int64, results: _Results) -> pa.Table:
        """Return a row a fixed point or periodic orbit, member by member, kind by kind, in the order of their numbers."""
        schema = make_orbit_schema(self.states)
        orbits = sorted(results.orbits, key=lambda orbit: orbit[:3])
        if not orbits:
            return schema.empty_table()
        values = np.array([orbit.eigenvalues for orbit in orbits])
        columns = [
            self.members.ids[places][[orbit.member for orbit in orbits]],
            [orbit.kind for orbit in orbits],
            [orbit.number for orbit in orbits],
            np.array([orbit.period for orbit in orbits]),
            *np.array([orbit.state for orbit in orbits]).T,
            [orbit.residual for orbit in orbits],
            [orbit.stability for orbit in orbits],
            np.array([orbit.unit_error for orbit in orbits]),
            *(part for value in values.T for part in (value.real, value.imag)),
        ]
        arrays = [pa.array(column, entry.type, from_pandas=True) for column, entry in zip(columns, schema, strict=True)]
        return pa.table(arrays, schema=schema)

    def tabulate_trajectories(self, places: Int64, outcome: Trajectories, schema: pa.Schema) -> pa.Table:
        """Return a row a member and time, up to the time that the member reached."""
        n_times = len(self.times)
        is_reached = np.tile(self.times, len(places)) <= np.repeat(outcome.status_time, n_times)
        is_reached &= np.isfinite(outcome.samples).all(axis=2).ravel()
        ids = np.repeat(self.members.ids[places], n_times)[is_reached]
        times = np.tile(self.times, len(places))[is_reached]
        states = [outcome.samples[:, :, place].ravel()[is_reached] for place in range(len(self.states))]
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

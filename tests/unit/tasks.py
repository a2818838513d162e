"""Tasks for the engines and scenarios, from systems as a user writes them."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from phaseflow.catalogues import Catalogue
from phaseflow.engines import Task
from phaseflow.ensemble import simulate_chunk
from phaseflow.plugins import load_plugin
from phaseflow.settings.block import Block
from phaseflow.settings.methods import ENGINES, Solver
from phaseflow.settings.scenarios import Scenario
from phaseflow.settings.systems import System


def make_task(system, times, *, transient=0.0, members=1, events=(), seed=0, parameters=None, **solver):
    """Return a task; `parameters` are columns of values that replace the system's."""
    system = Catalogue()[system] if isinstance(system, str) else System.model_validate(system)
    system = system.model_copy(update={"parameters": dict(sorted(system.parameters.items()))})
    initial = np.array([[quantity.value for quantity in system.initial.values()]] * members)
    values = np.array([[quantity.value for quantity in system.parameters.values()]] * members)
    for name, column in (parameters or {}).items():
        values[:, list(system.parameters).index(name)] = column
    streams = np.arange(members, dtype=np.uint64)
    settings = Solver.model_validate(solver)
    return Task(system, initial, values, np.asarray(times, dtype=float), transient, settings, seed, streams, tuple(events))


def integrate(task):
    return load_plugin("engines", ENGINES[task.solver.method or "taylor"]).integrate(task)


def resolve(settings):
    return Scenario.model_validate(settings).resolve(Catalogue())


def simulate(folder, settings, seed=11):
    """Return members and trajectories of a scenario, computed chunk by chunk, in the plan's order."""
    scenario = resolve(settings)
    block, plan = Block.of("simulate", "it", scenario, seed), scenario.lay_out()
    parts = []
    for number in range(len(plan.chunks())):
        files = [folder / f"{number}.{kind}" for kind in ("trajectories", "members", "events", "orbits")]
        simulate_chunk(block, number, *files)
        parts.append([pq.read_table(file).to_pandas(integer_object_nulls=True) for file in files[:2]])
    trajectories, members = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
    return members.set_index("member").loc[plan.ids].reset_index(), trajectories

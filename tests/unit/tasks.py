"""Tasks for the engines, from systems as a user writes them."""

import numpy as np

from phaseflow.catalogues import Catalogue
from phaseflow.engines import Task
from phaseflow.plugins import load_plugin
from phaseflow.settings.methods import ENGINES, Solver
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

"""scipy's integrators, implicit ones for stiff systems among them: right-hand side and exact Jacobian compiled.

Source: Hairer and Wanner (1996), Solving Ordinary Differential Equations II; Petzold (1983) for LSODA; the
implementations of scipy.integrate.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.integrate import BDF, DOP853, LSODA, RK45, Radau

from phaseflow.dynamics.fields import CompiledField, Function, make_field
from phaseflow.engines import Array, Engine, Task, Trajectories, start_trajectories

_METHODS: dict[str, Any] = {"BDF": BDF, "DOP853": DOP853, "LSODA": LSODA, "RK45": RK45, "Radau": Radau}
_IMPLICIT = frozenset({"BDF", "LSODA", "Radau"})


def integrate(task: Task) -> Trajectories:
    """Integrate the members of a task one after the other."""
    result = start_trajectories(task)
    field = make_field(task.system)
    absolute = np.array(task.solver.list_absolute(task.system.equations))
    compiled = CompiledField(field)
    for member in range(len(task.initial)):
        _integrate_one(task, member, compiled.bind(task.parameters[member]), absolute, result)
    return result


def _integrate_one(task: Task, member: int, field: tuple[Function, Function], absolute: Array, result: Trajectories) -> None:
    """Step from the start to the last time; sample by the method's own interpolation."""
    slope, jacobian = field
    start, stop = float(task.times[0]) - task.transient, float(task.times[-1])
    method = task.solver.method or ""
    options: dict[str, Any] = {"rtol": max(task.solver.tolerance.value, 2.3e-14), "atol": absolute}
    if method in _IMPLICIT:
        options["jac"] = jacobian
    solver = _METHODS[method](slope, start, task.initial[member], stop, **options)
    place = 0
    if task.transient == 0:
        result.samples[member, 0] = task.initial[member]
        place = 1
    steps, has_failed = 0, False
    with np.errstate(all="ignore"):
        while solver.status == "running" and steps < task.solver.max_steps:
            before = solver.t
            solver.step()
            steps += 1
            # Careful: LSODA goes on for ever with steps too short to move the clock.
            has_failed = solver.status == "failed" or solver.t == before
            if has_failed or not np.isfinite(solver.y).all():
                break
            reached = int(np.searchsorted(task.times, solver.t, side="right"))
            if reached > place:
                result.samples[member, place:reached] = solver.dense_output()(task.times[place:reached]).T
                place = reached
    result.steps[member] = steps
    if solver.status == "finished" and np.isfinite(solver.y).all():
        result.samples[member, -1] = solver.y
        return
    status = "step_failed" if has_failed else "step_limit"
    result.status[member] = status if np.isfinite(solver.y).all() else "not_finite"
    result.status_time[member] = solver.t


ENGINE = Engine(integrate)

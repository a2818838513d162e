"""The Euler-Maruyama method for Ito equations dX = a(X, t) dt + b(X, t) dW: strong order 1/2, weak order 1.

Every member draws from its own stream, step by step and process by process, so its path is its own.

Source: Maruyama (1955), Rend. Circ. Mat. Palermo 4, 48-90; Kloeden and Platen (1992), sec. 10.2.
"""

from __future__ import annotations

import math

import numpy as np

from phaseflow.engines import Array, Engine, Task, Trajectories, start_trajectories
from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.tree import TIME
from phaseflow.seeds import open_stream


def integrate(task: Task) -> Trajectories:
    """Integrate the members of a task side by side with a fixed step that divides the time between samples."""
    result = start_trajectories(task)
    processes = task.system.list_processes()
    names = list(task.system.equations)
    parameters = {name: task.parameters[:, place] for place, name in enumerate(task.system.parameters)}
    streams = [open_stream(task.seed, int(stream)) for stream in task.streams]
    for stream in streams:
        stream.standard_normal(len(names))  # the numbers that a perturbation of the initial state has used
    state = task.initial.T.copy()
    spans = [(float(task.times[0]) - task.transient, float(task.times[0]))] * (task.transient > 0)
    spans += list(zip(task.times[:-1].tolist(), task.times[1:].tolist(), strict=True))
    place = 0
    if task.transient == 0:
        result.samples[:, 0] = task.initial
        place = 1
    for begin, end in spans:
        count = max(1, math.ceil((end - begin) / _find_step(task) - 1e-9))
        step = (end - begin) / count
        noise = np.stack([stream.standard_normal((count, len(processes))) for stream in streams], axis=-1) * math.sqrt(step)
        for number in range(count):
            values = dict(zip(names, state, strict=True)) | parameters | {TIME: np.float64(begin + number * step)}
            state = _advance(task, state, values, step, dict(zip(processes, noise[number], strict=True)))
            _note_failures(result, state, begin + (number + 1) * step)
        result.steps[:] += count
        result.samples[:, place] = np.where(np.isfinite(state).all(axis=0), state, np.nan).T
        place += 1
    return result


def _find_step(task: Task) -> float:
    """Return the longest step allowed: as asked for, else a tenth of the time between samples."""
    return task.solver.step.value if task.solver.step is not None else float(task.times[1] - task.times[0]) / 10


def _advance(task: Task, state: Array, values: dict[str, Array], step: float, noise: dict[str, Array]) -> Array:
    """Take one step; `noise` holds the increment of each Wiener process for every member."""
    after = np.empty_like(state)
    with np.errstate(all="ignore"):
        for place, (name, drift) in enumerate(task.system.equations.items()):
            moved = state[place] + evaluate(drift.tree, values) * step
            for process, diffusion in (task.system.noise or {}).get(name, {}).items():
                moved = moved + evaluate(diffusion.tree, values) * noise[process]
            after[place] = moved
    return after


def _note_failures(result: Trajectories, state: Array, time: float) -> None:
    failed = ~np.isfinite(state).all(axis=0) & (result.status == "ok")
    result.status[failed] = "not_finite"
    result.status_time[failed] = time


ENGINE = Engine(integrate)

"""What stochastic methods share: members side by side in blocks, from stretch to stretch, and what becomes of those that fail."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import cast

import numpy as np

from phaseflow.dynamics.brownian import BrownianPaths, Part, count_levels
from phaseflow.engines import Array, Task, Trajectories, start_trajectories
from phaseflow.expressions.tree import TIME

_BLOCK = 1024
# Careful: numpy computes the last few numbers of an array by other code, which rounds otherwise; so every array is filled up to lanes.
_LANES = 64

# The state after a step, from the state, the time, the step and the increment of each Wiener process for every member.
Advance = Callable[[Array, float, float, Array], Array]


def integrate_in_blocks(task: Task, follow: Callable[[Task, Trajectories], None]) -> Trajectories:
    """Integrate blocks of members; `follow` fills in the outcome of one, which may have copies of its last member at its end."""
    result = start_trajectories(task)
    for first in range(0, len(task.initial), _BLOCK):
        chosen = np.arange(first, min(first + _BLOCK, len(task.initial)))
        filled = np.minimum(np.arange(-(-len(chosen) // _LANES) * _LANES), len(chosen) - 1)
        part = task.select(chosen[filled])
        outcome = start_trajectories(part)
        follow(part, outcome)
        result.fill(chosen, outcome.select(np.arange(len(chosen))))
    return result


def integrate_by_steps(task: Task, make_advance: Callable[[Task], Advance]) -> Trajectories:
    """Integrate by a method of fixed steps: each stretch between two samples, and the transient, has 2**k of them."""
    return integrate_in_blocks(task, lambda part, result: _follow_steps(part, result, make_advance(part)))


def list_parts(task: Task) -> list[tuple[Part, Array]]:
    """Return the parts of a task's time, each with the times between which its path is drawn."""
    transient = [("transient", np.array([task.times[0] - task.transient, task.times[0]]))] if task.transient > 0 else []
    return cast(list[tuple[Part, Array]], [*transient, ("samples", task.times)])


def open_paths(task: Task, part: Part) -> BrownianPaths:
    """Return the Wiener processes of a task's members."""
    return BrownianPaths(task.seed, task.streams, task.signs, len(task.system.list_processes()), part)


def bind_values(task: Task) -> Callable[[Array, float], dict[str, Array]]:
    """Return a function of state and time that gives every name of the equations its values."""
    names = list(task.system.equations)
    parameters = dict(zip(task.system.parameters, np.ascontiguousarray(task.parameters.T), strict=True))
    return lambda state, time: dict(zip(names, state, strict=True)) | parameters | {TIME: np.asarray(time)}


def record(result: Trajectories, place: int, state: Array) -> None:
    """Write a sample of the members that have not failed."""
    result.samples[:, place] = np.where(result.status == "ok", state, np.nan).T


def note_failures(result: Trajectories, state: Array, time: float) -> None:
    """Note which members have ceased to be finite; a member that has failed once stays so."""
    failed = ~np.isfinite(state).all(axis=0) & (result.status == "ok")
    if failed.any():
        result.status[failed], result.status_time[failed] = "not_finite", time


def _follow_steps(task: Task, result: Trajectories, advance: Advance) -> None:
    state = np.ascontiguousarray(task.initial.T)
    for part, times in list_parts(task):
        durations = np.diff(times)
        levels = count_levels(float(durations.max()), find_step(task))
        walk = open_paths(task, part).walk(durations, levels)
        if part == "samples":
            record(result, 0, state)
        for place, (begin, duration) in enumerate(zip(times[:-1].tolist(), durations.tolist(), strict=True)):
            if int(result.steps[0]) + 2**levels > task.solver.max_steps:
                _stop_at_limit(result, begin)
                return
            step = duration / 2**levels
            for number, increments in enumerate(islice(walk, 2**levels)):
                state = advance(state, begin + number * step, step, increments)
                note_failures(result, state, begin + (number + 1) * step)
            result.steps[:] += 2**levels
            if part == "samples":
                record(result, place + 1, state)


def find_step(task: Task) -> float:
    """Return the longest step allowed: as asked for, else a tenth of the time between samples."""
    return task.solver.step.value if task.solver.step is not None else float(task.times[1] - task.times[0]) / 10


def _stop_at_limit(result: Trajectories, time: float) -> None:
    is_running = result.status == "ok"
    result.status[is_running], result.status_time[is_running] = "step_limit", time

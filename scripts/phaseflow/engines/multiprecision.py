"""Taylor's method in more digits than a double has, with constants exact; samples are rounded to doubles at the end.

With `precision: auto` each member's precision is raised until two runs agree on every digit that is kept.

Source: Jorba and Zou (2005), Experimental Mathematics 14, 99-117; Liao (2009), Tellus A 61, 550-564.
"""

from __future__ import annotations

from typing import Any

import heyoka as hy
import numpy as np

from phaseflow.dynamics.precise import MOST_BITS, PreciseRun, PreciseSolver, Solution
from phaseflow.engines import Array, Engine, Task, Trajectories, start_trajectories
from phaseflow.settings.methods import DOUBLE_BITS, count_bits

# Two runs are compared at so many times at least, whatever is sampled.
_COMPARED = 1000


def integrate(task: Task) -> Trajectories:
    """Integrate the members of a task one after the other."""
    result = start_trajectories(task)
    result.details["bits"] = np.full(len(task.initial), np.nan)
    finer = max(1, -(-_COMPARED // (len(task.times) - 1)))
    solve = _make_automatic(task, finer) if task.solver.precision == "auto" else _make_fixed(task)
    for member in range(len(task.initial)):
        solution, stride = solve(member)
        samples = solution.samples[::stride]
        result.samples[member, : len(samples)] = samples
        result.steps[member] = solution.steps
        result.details["bits"][member] = solution.bits
        result.status[member] = _find_status(task, solution)
        if result.status[member] != "ok":
            result.status_time[member] = solution.end
            result.samples[member, task.times > solution.end] = np.nan
    return result


def _make_fixed(task: Task) -> Any:
    run = PreciseRun(task, task.times, count_bits(task.solver.precision))

    def solve(member: int) -> tuple[Solution, int]:
        run.start(member)
        samples, outcome = run.advance(slice(0, len(task.times)))
        return Solution(samples, len(samples) - 1, outcome, run.time, run.bits, run.steps), 1

    return solve


def _make_automatic(task: Task, finer: int) -> Any:
    """Return a solver that compares two runs at times between the samples too."""
    parts = [np.linspace(*span, finer, endpoint=False) for span in zip(task.times[:-1], task.times[1:], strict=True)]
    times = np.append(np.concatenate(parts), task.times[-1])
    solver = PreciseSolver(task, times, count_bits("auto"), MOST_BITS, DOUBLE_BITS)

    def allow(samples: Array) -> Array:
        """Return half of a bit of the largest that each state has been."""
        largest: Array = np.abs(samples).max(axis=0, initial=0)
        return 2.0**-DOUBLE_BITS * largest

    def solve(member: int) -> tuple[Solution, int]:
        solution = solver.solve(member, allow)
        known = solution.trusted + 1
        end = solution.end if known == len(solution.samples) else float(times[solution.trusted])
        return solution._replace(samples=solution.samples[:known], end=end), finer

    return solve


def _find_status(task: Task, solution: Solution) -> str:
    if solution.outcome == hy.taylor_outcome.err_nf_state:
        return "not_finite"
    if solution.outcome == hy.taylor_outcome.step_limit:
        return "step_limit"
    return "ok" if solution.end >= task.times[-1] else "precision_limit"


ENGINE = Engine(integrate)

"""Reference: compare with the solution in higher precision, with constants exact.

Two precisions must agree a thousand times better than is asked until the run has left them; they are raised until they do.
"""

from __future__ import annotations

import math

import numpy as np

from phaseflow.certificates import Certificate, Horizon, find_scale, judge
from phaseflow.dynamics.precise import MOST_BITS, PreciseSolver
from phaseflow.engines import Array, Engine, Task, Trajectories
from phaseflow.settings.methods import DOUBLE_BITS, QUADRUPLE_BITS, count_bits

_AGREEMENT = 1e-3
# How far past what is allowed the runs are followed.
_FAR = 10.0


def find(task: Task, main: Trajectories, _engine: Engine, allowed: float) -> Horizon:
    """Find horizons by runs in higher precision, member by member."""
    is_ok = main.status == "ok"
    until, is_censored = np.full(len(task.initial), np.nan), np.zeros(len(task.initial), dtype=bool)
    bits = count_bits(task.solver.precision) + QUADRUPLE_BITS - DOUBLE_BITS
    solver = PreciseSolver(task, task.times, bits, MOST_BITS, -math.log2(allowed * _AGREEMENT))
    for member in np.flatnonzero(is_ok):
        until[member], is_censored[member] = _judge_member(solver, int(member), main.samples[member], allowed)
    return Horizon(until, is_censored)


def _judge_member(solver: PreciseSolver, member: int, main: Array, allowed: float) -> tuple[float, bool]:
    """Return until when a member is reliable, and whether that is to the end."""
    times = solver.times
    scale = allowed * find_scale(main)

    def has_left(part: slice, truth: Array) -> bool:
        return bool((np.abs(main[part][: len(truth)] - truth) > _FAR * scale).any())

    solution = solver.solve(member, lambda _: _AGREEMENT * scale, has_left)
    known = len(solution.samples)
    # A double's errors took so long to show. The finer run has more than twice a double's bits, so it is right for as long again. Where
    # it goes on to where the run never was, as after an escape, that makes no difference smaller.
    ahead = np.clip(solver.look_ahead(solution, known), main.min(axis=0), main.max(axis=0))
    truth = np.concatenate([solution.samples, ahead])
    until, is_good = judge(main[:known], truth, times[:known], allowed)
    return min(until, float(times[solution.trusted])), is_good and solution.trusted == len(times) - 1


CERTIFICATE = Certificate(find)

"""Refine: compare with a run on the same Brownian paths with half the step.

A stochastic path has no horizon beyond which it is lost; it has a strong error, which the step decides. What is measured is the
difference of the two runs. With a method of strong order p the error itself is about 1/(1 - 2**-p) times as large: twice for order 1,
3.4 times for order 1/2.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from phaseflow.certificates import Certificate, Horizon, find_scale
from phaseflow.engines import Array, Engine, Task, Trajectories
from phaseflow.engines._paths import find_step


def find(task: Task, main: Trajectories, engine: Engine, _allowed: float) -> Horizon:
    """Find each member's largest difference at the samples, relative to the range of the finer path."""
    step = min(find_step(task), float(np.diff(task.times).max()))
    finer = engine.integrate(replace(task, solver=task.solver.with_values({"step": step / 2})))
    errors = np.array([_measure(*runs) for runs in zip(main.samples, finer.samples, strict=True)])
    return Horizon(np.full(len(errors), np.nan), np.zeros(len(errors), dtype=bool), {"step_error": errors})


def _measure(main: Array, finer: Array) -> float:
    if not (np.isfinite(main).all() and np.isfinite(finer).all()):
        return float("nan")
    return float((np.abs(main - finer) / find_scale(finer)).max())


CERTIFICATE = Certificate(find, on_samples=True)

"""Reference: compare with a run in higher precision whose constants are exact.

A run with 113 bits (34 digits) is trusted as far as one at another tolerance agrees with it a thousand times better than is
asked; no horizon is claimed beyond that time.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import heyoka as hy
import numpy as np

from phaseflow.certificates import Certificate, Horizon, judge
from phaseflow.dynamics.fields import make_field
from phaseflow.engines import Array, Engine, Task, Trajectories
from phaseflow.expressions.compiled import to_heyoka
from phaseflow.expressions.quantity import Quantity
from phaseflow.expressions.tree import Node

_BITS = 113
# The second run's tolerance, in the precision's own units; and how much better the two must agree.
_COARSER = 2.0**12
_AGREEMENT = 1e-3
# How many times are compared at a stretch, and how far past what is allowed the runs are followed.
_STRETCH = 50
_FAR = 10.0


def find(task: Task, main: Trajectories, _engine: Engine, allowed: float) -> Horizon:
    """Find horizons by runs in higher precision, member by member."""
    runner = Runner(task)
    until, is_censored = np.full(len(task.initial), np.nan), np.zeros(len(task.initial), dtype=bool)
    for member in np.flatnonzero(main.status == "ok"):
        truth, trusted = runner.run(int(member), main.samples[member], allowed)
        known = int(np.isfinite(truth).all(axis=1).sum())
        found, is_good = judge(main.samples[member][:known], truth[:known], task.times[:known], allowed)
        until[member] = min(found, trusted)
        is_censored[member] = is_good and trusted == task.times[-1]
    return Horizon(until, is_censored)


class Runner:
    """Two integrators in quadruple precision, at two tolerances."""

    def __init__(self, task: Task) -> None:
        self.task = task
        field = make_field(task.system, lambda value: hy.expression(self._divide(value)))
        self.parameters, self.initial = list(task.system.parameters.values()), list(task.system.initial.values())
        zeros = np.array([hy.real128("0") for _ in field.states])
        pars = np.array([hy.real128("0") for _ in field.parameters])
        epsilon = hy.real128("2") ** hy.real128(str(-_BITS))
        options = {"pars": pars, "fp_type": hy.real128, "compact_mode": len(zeros) > 4}
        tolerances = (epsilon, epsilon * hy.real128(str(_COARSER)))
        self.integrators = [hy.taylor_adaptive(field.equations, zeros, tol=tolerance, **options) for tolerance in tolerances]
        self.grid = np.array([hy.real128(float(time)) for time in task.times])

    def run(self, member: int, main: Array, allowed: float) -> tuple[Array, float]:
        """Return the finer run's samples as doubles, and until when the coarser agrees with it.

        Both stop soon after the main run has left the finer; what they did not reach is NaN.
        """
        far = _FAR * allowed * np.maximum(np.ptp(main, axis=0), np.finfo(float).tiny)
        fine = self.integrate(self.integrators[0], member, lambda part, samples: bool((np.abs(main[part] - samples) > far).any()))
        known = int(np.isfinite(fine).all(axis=1).sum())
        coarse = self.integrate(self.integrators[1], member, lambda part, _: part.stop >= known)
        trusted, _ = judge(coarse[:known], fine[:known], self.task.times[:known], allowed * _AGREEMENT)
        return fine, trusted

    def integrate(self, integrator: Any, member: int, is_enough: Callable[[slice, Array], bool] = lambda _part, _samples: False) -> Array:
        """Integrate stretch by stretch until it is enough, the end is reached, or the solution ends."""
        self._start(integrator, member)
        samples = np.full((len(self.grid), len(self.initial)), np.nan)
        for first in range(0, len(self.grid) - 1, _STRETCH):
            part = slice(first, min(first + _STRETCH, len(self.grid) - 1) + 1)
            outcome, *_, found = integrator.propagate_grid(self.grid[part])
            if outcome != hy.taylor_outcome.time_limit or len(found) != part.stop - part.start:
                break
            integrator.time = self.grid[part.stop - 1]
            samples[part] = [[float(str(value)) for value in row] for row in found]
            if is_enough(part, samples[part]):
                break
        return samples

    def _start(self, integrator: Any, member: int) -> None:
        task, start = self.task, self.grid[0]
        integrator.state[:] = [self._choose(*pair) for pair in zip(task.initial[member], self.initial, strict=True)]
        for place, pair in enumerate(zip(task.parameters[member], self.parameters, strict=True)):
            integrator.pars[place] = self._choose(*pair)
        integrator.time = start - hy.real128(float(task.transient))
        if task.transient > 0:
            integrator.propagate_until(start)
            integrator.time = start

    def _choose(self, value: float, stated: Quantity) -> Any:
        """Return the exact constant where a member has it, else the double that it has."""
        if value != stated.value:
            return hy.real128(float(value))
        return self._divide(stated.exact) if stated.exact is not None else self._evaluate(stated.tree)

    def _divide(self, value: Fraction) -> Any:
        return hy.real128(str(value.numerator)) / hy.real128(str(value.denominator))

    def _evaluate(self, tree: Node) -> Any:
        """Return a constant that is not rational, such as sqrt(2)."""
        variable = hy.make_vars("x")
        constant = to_heyoka(tree, {}, lambda value: hy.expression(self._divide(value)))
        return hy.cfunc([constant + variable], vars=[variable], fp_type=hy.real128)(np.array([hy.real128("0")]))[0]


CERTIFICATE = Certificate(find)

"""The variational equations: how small differences from a trajectory change, v' = J(x, t) v.

Source: Dickinson and Gelinas (1976), J. Comput. Phys. 21, 123-143, eq. 3.
"""

from __future__ import annotations

from typing import Any

import heyoka as hy
import numpy as np

from phaseflow.dynamics.fields import Array, CompiledField, Field

# A run that needs more steps of integration than this is given up.
_MOST_STEPS = 100_000
_COMPACT_DIMENSION = 30


def extend(field: Field, count: int) -> list[tuple[Any, Any]]:
    """Return the equations of the states and, one after the other, of `count` tangent vectors."""
    jacobian, dimension = field.jacobian, len(field.states)
    equations = list(field.equations)
    for vector in range(count):
        tangent = [hy.expression(f"tangent__{vector}_{place}") for place in range(dimension)]
        equations += [
            (v, hy.sum([entry * w for entry, w in zip(row, tangent, strict=True)])) for v, row in zip(tangent, jacobian, strict=True)
        ]
    return equations


class Flow:
    """A vector field with its variational equations, compiled once for all members; integrated to rounding."""

    def __init__(self, field: Field) -> None:
        self.field = CompiledField(field)
        self.dimension = d = self.field.dimension
        self.is_driven = self.field.is_driven
        options: dict[str, Any] = {"pars": [0.0] * len(field.parameters)}
        self._plain, self._extended = (
            hy.taylor_adaptive(equations, [0.0] * len(equations), compact_mode=len(equations) > _COMPACT_DIMENSION, **options)
            for equations in (extend(field, 0), extend(field, d))
        )
        self._identity = np.eye(d).ravel()

    def run(self, state: Array, parameters: Array, period: float, time: float = 0.0) -> tuple[Array, Array] | None:
        """Return the state after a period and its derivative by the state; None where the solution ends."""
        integrator = self._extended
        _start(integrator, np.concatenate([state, self._identity]), parameters, time)
        outcome, *_ = integrator.propagate_until(time + period, max_steps=_MOST_STEPS)
        end = np.array(integrator.state)
        if outcome != hy.taylor_outcome.time_limit or not np.isfinite(end).all():
            return None
        return end[: self.dimension], end[self.dimension :].reshape(self.dimension, self.dimension).T

    def sample(self, state: Array, parameters: Array, times: Array) -> Array | None:
        """Return the states at times, the first of them the start's; None where the solution ends."""
        _start(self._plain, state, parameters, float(times[0]))
        outcome, *_, samples = self._plain.propagate_grid(times, max_steps=_MOST_STEPS)
        is_whole = outcome == hy.taylor_outcome.time_limit and len(samples) == len(times) and np.isfinite(samples).all()
        return np.array(samples) if is_whole else None


def _start(integrator: Any, state: Array, parameters: Array, time: float) -> None:
    integrator.state[:] = state
    integrator.pars[:] = parameters
    integrator.time = time

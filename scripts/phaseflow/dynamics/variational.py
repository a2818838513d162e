"""The variational equations: how small differences from a trajectory change, v' = J(x, t) v.

Source: Dickinson and Gelinas (1976), J. Comput. Phys. 21, 123-143, eq. 3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import heyoka as hy
import numpy as np

from phaseflow.dynamics.fields import Array, CompiledField, Field

# A run that needs more steps of integration than this is given up.
_MOST_STEPS = 100_000
# With up to so many operations equations are compiled without loops: that takes a second longer, once, and runs twice as fast.
_UNROLLED = 250


def extend(field: Field, count: int) -> list[tuple[Any, Any]]:
    """Return the equations of the states and, one after the other, of `count` tangent vectors.

    The product J v is the derivative of f(x + h v) by h at zero, which takes fewer products than the entries of J one by one.
    """
    variables, step = [variable for variable, _ in field.equations], hy.expression("step__")
    equations = list(field.equations)
    for vector in range(count):
        tangent = [hy.expression(f"tangent__{vector}_{place}") for place in range(len(variables))]
        moved = [variable + step * v for variable, v in zip(variables, tangent, strict=True)]
        there, back = dict(zip(variables, moved, strict=True)), dict(zip(moved, variables, strict=True))
        slopes = [hy.diff(hy.subs(slope, there), step) for _, slope in field.equations]
        # What is not put back as a whole is at a step of zero; heyoka would keep its products with zero.
        equations += [(v, hy.subs(hy.subs(slope, back), {step: hy.expression(0.0)})) for v, slope in zip(tangent, slopes, strict=True)]
    return equations


def are_many(equations: list[tuple[Any, Any]]) -> bool:
    """Tell whether equations are so many or so long that they should be compiled with loops."""
    return sum(len(slope) for _, slope in equations) > _UNROLLED


def follow_divergence(field: Field) -> tuple[Any, Any]:
    """Return the equation of the integral of the divergence of the field."""
    return hy.expression("divergence__"), hy.sum([row[place] for place, row in enumerate(field.jacobian)])


class Passage(NamedTuple):
    """Where a solution ends, its derivative by the state at the start, and the integral of the divergence of the field."""

    state: Array
    derivative: Array
    divergence: float


class Flow:
    """A vector field with its variational equations, compiled once for all members; integrated to rounding."""

    def __init__(self, field: Field) -> None:
        self.field = CompiledField(field)
        self.dimension = d = self.field.dimension
        self.is_driven = self.field.is_driven
        options: dict[str, Any] = {"pars": [0.0] * len(field.parameters)}
        self._plain, self._extended = (
            hy.taylor_adaptive(equations, [0.0] * len(equations), compact_mode=are_many(equations), **options)
            for equations in (field.equations, [*extend(field, d), follow_divergence(field)])
        )
        self._identity = np.eye(d).ravel()

    def run(self, state: Array, parameters: Array, period: float, time: float = 0.0) -> Passage | None:
        """Return what a period leads to; None where the solution ends."""
        integrator, d = self._extended, self.dimension
        _start(integrator, np.concatenate([state, self._identity, [0.0]]), parameters, time)
        outcome, *_ = integrator.propagate_until(time + period, max_steps=_MOST_STEPS)
        end = np.array(integrator.state)
        if outcome != hy.taylor_outcome.time_limit or not np.isfinite(end).all():
            return None
        return Passage(end[:d], end[d:-1].reshape(d, d).T, float(end[-1]))

    def sample(self, state: Array, parameters: Array, times: Array) -> Array | None:
        """Return the states at times, the first of them the start's; None where the solution ends."""
        _start(self._plain, state, parameters, float(times[0]))
        outcome, *_, samples = self._plain.propagate_grid(times, max_steps=_MOST_STEPS)
        is_whole = outcome == hy.taylor_outcome.time_limit and len(samples) == len(times) and np.isfinite(samples).all()
        return np.array(samples) if is_whole else None


class Returns:
    """How long solutions take to come back to where they start, compiled once for all members."""

    def __init__(self, field: Field) -> None:
        self.dimension, self.n_parameters = len(field.states), len(field.parameters)
        places = [hy.par[self.n_parameters + place] for place in range(self.dimension + 1)]
        plane = hy.sum([normal * variable for normal, (variable, _) in zip(places, field.equations, strict=False)]) - places[-1]
        self._begin = self._low = self._high = np.zeros(self.dimension)
        self._near, self._has_left, self._found = 0.0, False, np.nan

        # Careful: heyoka copies a method together with its object; a function it leaves alone.
        def cross(integrator: Any, time: float, _sign: int) -> None:
            integrator.update_d_output(time)
            self._cross(integrator.d_output, time)

        self._integrator = hy.taylor_adaptive(
            field.equations,
            [0.0] * self.dimension,
            pars=[0.0] * (self.n_parameters + self.dimension + 1),
            compact_mode=are_many(field.equations),
            nt_events=[hy.nt_event(plane, cross, direction=hy.event_direction.positive)],
        )

    def find(self, state: Array, normal: Array, parameters: Array, limit: float, near: float) -> float | None:
        """Return when the solution first crosses the plane at its start, in the same direction, as near to the start as asked.

        Parameters
        ----------
        normal : shape (dimension,): of the plane; the time derivative at the start.
        limit : the longest time allowed.
        near : relative to the range of the states that were passed.

        Returns
        -------
        None if that does not happen.
        """
        self._begin, self._low, self._high = state, state.copy(), state.copy()
        self._near, self._has_left, self._found = near, False, np.nan
        normal = normal / np.linalg.norm(normal)
        _start(self._integrator, state, np.concatenate([parameters, normal, [normal @ state]]), 0.0)
        self._integrator.propagate_until(limit, max_steps=_MOST_STEPS, callback=lambda integrator: self._go_on(integrator.state))
        return None if np.isnan(self._found) else self._found

    def _cross(self, state: Array, time: float) -> None:
        """Take note of a crossing that is near; the start is none."""
        distance = np.abs(state - self._begin).max()
        if self._has_left and np.isnan(self._found) and distance <= self._near * (self._high - self._low).max():
            self._found = time

    def _go_on(self, state: Array) -> bool:
        """Take note of where a step has led; tell whether another is wanted."""
        self._has_left = True
        self._low, self._high = np.minimum(self._low, state), np.maximum(self._high, state)
        return bool(np.isnan(self._found))


def _start(integrator: Any, state: Array, parameters: Array, time: float) -> None:
    integrator.state[:] = state
    integrator.pars[:] = parameters
    integrator.time = time

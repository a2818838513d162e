"""Lyapunov exponents: the mean rates at which neighbours part, from the variational equations.

Tangent vectors are integrated with the state, v' = J(x, t) v, and made orthonormal by QR after each interval; the exponents
are the mean logarithms of R's diagonal. The sum of all is checked against the mean divergence of the field.

Source: Benettin, Galgani, Giorgilli and Strelcyn (1980), Meccanica 15, 9-30; Kaplan and Yorke (1979) for the dimension.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import heyoka as hy
import numpy as np

from phaseflow.dynamics.averages import find_errors
from phaseflow.dynamics.fields import Field, make_field
from phaseflow.engines import Array, Task, Trajectories
from phaseflow.engines.taylor import BATCH, compile_batch
from phaseflow.measures import Measure

# The time between renormalisations to begin with. Over a long one the fastest exponents drown in rounding, so it is divided, a few
# times at most, while the sum of all exponents misses the mean divergence by more than is allowed: absolute, and of the exponents.
INTERVAL = 0.25
_SHORTER = 4
_MOST_TRIES = 4
_TRACE, _ROUNDING = 1e-9, 1e-11
# Careful: the integrator's tolerance is relative to the largest of state and tangents; a state may be large, and tangents shrink.
_TIGHTER = 1e-2


def measure(which: str, task: Task, trajectories: Trajectories) -> Mapping[str, Array]:
    """Return exponents in falling order with their standard errors, of every member that reached the end."""
    field = make_field(task.system)
    dimension = len(field.states)
    count = 1 if which == "largest" else dimension
    flow = _Flow(field, task, count)
    rates = np.full((len(task.initial), count), np.nan)
    errors, divergence = np.full_like(rates, np.nan), np.full(len(rates), np.nan)
    waiting = np.flatnonzero(trajectories.status == "ok")
    for attempt in range(_MOST_TRIES):
        flow.divide(INTERVAL / _SHORTER**attempt)
        _measure_members(flow, task, waiting, rates, errors, divergence)
        if count < dimension:
            break
        allowed = _TRACE + _ROUNDING * np.abs(rates[waiting]).sum(axis=1)
        waiting = waiting[np.abs(rates[waiting].sum(axis=1) - divergence[waiting]) > allowed]
        if not len(waiting):
            break
    columns: dict[str, Array] = {}
    for place in range(count):
        columns[f"lyapunov_{place + 1}"] = rates[:, place]
        columns[f"lyapunov_{place + 1}_se"] = errors[:, place]
    if count == dimension:
        columns["trace_error"] = np.abs(rates.sum(axis=1) - divergence)
        columns["kaplan_yorke"] = np.array([find_dimension(row) for row in rates])
    return columns


def _measure_members(flow: _Flow, task: Task, members: Any, rates: Array, errors: Array, divergence: Array) -> None:
    """Fill in the rates, their errors and the mean divergence of some members."""
    for first in range(0, len(members), BATCH):
        chosen = members[first : first + BATCH]
        logs, divergence[chosen] = flow.run(task.initial[chosen], task.parameters[chosen])
        for lane, member in enumerate(chosen):
            # Careful: a sum over members at once would round as their number says; each has its own.
            series = np.ascontiguousarray(logs[:, lane]) / flow.interval
            rates[member], errors[member] = series.mean(axis=0), find_errors(series)


def find_dimension(exponents: Array) -> float:
    """Return the Kaplan-Yorke dimension: where the sum of the largest exponents, continued linearly, is zero."""
    if not np.isfinite(exponents).all():
        return np.nan
    sums = np.cumsum(exponents)
    if sums[0] < 0:
        return 0.0
    last = int(np.flatnonzero(sums >= 0)[-1])
    if last + 1 == len(exponents):
        return float(len(exponents))
    return last + 1 + float(sums[last] / -exponents[last + 1])


class _Flow:
    """The state with its tangent vectors and the integral of the divergence, in batches."""

    def __init__(self, field: Field, task: Task, count: int) -> None:
        self.dimension, self.count, self.n_parameters = len(field.states), count, len(field.parameters)
        self.span = float(task.times[-1] - task.times[0])
        self.start, self.transient = float(task.times[0]), task.transient
        self.divide(INTERVAL)
        self.integrator = compile_batch(
            self._extend(field), self.n_parameters, max(_TIGHTER * task.solver.tolerance.value, np.finfo(float).eps)
        )

    def divide(self, interval: float) -> None:
        """Set the time between renormalisations: at most an interval."""
        self.n_intervals = max(2, int(np.ceil(self.span / interval)))
        self.interval = self.span / self.n_intervals
        self.n_before = int(np.ceil(self.transient / interval))

    def _extend(self, field: Field) -> list[tuple[Any, Any]]:
        """Return the equations of the state, of each tangent vector, and of the integral of the divergence."""
        variables = [variable for variable, _ in field.equations]
        jacobian = [[hy.diff(slope, variable) for variable in variables] for _, slope in field.equations]
        equations = list(field.equations)
        for vector in range(self.count):
            tangent = [hy.expression(f"tangent__{vector}_{place}") for place in range(self.dimension)]
            products = [hy.sum([entry * v for entry, v in zip(row, tangent, strict=True)]) for row in jacobian]
            equations += list(zip(tangent, products, strict=True))
        trace = hy.sum([jacobian[place][place] for place in range(self.dimension)])
        return [*equations, (hy.expression("divergence__"), trace)]

    def run(self, initial: Array, parameters: Array) -> tuple[Array, Array]:
        """Return the logarithms of growth, of shape (n_intervals, n_members, count), and the mean divergence.

        Members that fail are NaN; as they stop their batch, the others are then run again without them.
        """
        n_members = len(initial)
        logs = np.full((self.n_intervals, n_members, self.count), np.nan)
        divergence = np.full(n_members, np.nan)
        waiting = np.arange(n_members)
        while len(waiting):
            found, means, is_sound = self._run_lanes(initial[waiting], parameters[waiting])
            if is_sound.all():
                logs[:, waiting], divergence[waiting] = found, means
                break
            waiting = waiting[is_sound]
        return logs, divergence

    def _run_lanes(self, initial: Array, parameters: Array) -> tuple[Array, Array, Any]:
        n_lanes = len(initial)
        padding = [*range(n_lanes), *[n_lanes - 1] * (BATCH - n_lanes)]
        integrator, d = self.integrator, self.dimension
        integrator.state[:] = 0
        integrator.state[:d] = initial[padding].T
        integrator.state[d:-1] = np.eye(self.count, d).ravel()[:, None]
        if self.n_parameters:
            integrator.pars[:] = parameters[padding].T
        before = np.linspace(self.start - self.transient, self.start, self.n_before + 1)
        integrator.set_time(float(before[0]))
        logs = np.full((self.n_intervals, BATCH, self.count), np.nan)
        for time in before[1:]:
            if not self._advance(float(time)).all():
                return logs[:, :n_lanes], logs[0, :n_lanes, 0], self._find_sound()[:n_lanes]
            self._renormalise()
        integrator.state[-1] = 0
        for place in range(self.n_intervals):
            if not self._advance(self.start + (place + 1) * self.interval).all():
                return logs[:, :n_lanes], logs[0, :n_lanes, 0], self._find_sound()[:n_lanes]
            logs[place] = self._renormalise()
        means = integrator.state[-1] / (self.n_intervals * self.interval)
        return logs[:, :n_lanes], np.array(means[:n_lanes]), self._find_sound()[:n_lanes]

    def _advance(self, time: float) -> Any:
        self.integrator.propagate_until(time)
        return self._find_sound()

    def _find_sound(self) -> Any:
        """Tell which lanes have no failure of their own."""
        is_sound = np.array([report[0] != hy.taylor_outcome.err_nf_state for report in self.integrator.propagate_res])
        return is_sound & np.isfinite(self.integrator.state).all(axis=0)

    def _renormalise(self) -> Array:
        """Make the tangent vectors orthonormal; return the logarithms of what they had grown to, of shape (BATCH, count)."""
        d = self.dimension
        vectors = self.integrator.state[d:-1].reshape(self.count, d, BATCH).transpose(2, 1, 0)
        orthogonal, triangle = np.linalg.qr(vectors)
        self.integrator.state[d:-1] = orthogonal.transpose(2, 1, 0).reshape(self.count * d, BATCH)
        diagonal = np.abs(np.diagonal(triangle, axis1=1, axis2=2))
        logs: Array = np.log(np.maximum(diagonal, np.finfo(float).tiny))
        return logs


MEASURE = Measure(measure)

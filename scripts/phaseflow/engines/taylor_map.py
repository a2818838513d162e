"""Taylor's method from sample to sample: equal steps of one order, compiled as one function of many members at once.

The nominal problem alone decides on order and steps. Every step also gives the last two terms of its series: a member for which they
were ever too large is integrated again by the adaptive method, whatever the others do.

Source: Jorba and Zou (2005), Experimental Mathematics 14, 99-117, for the radius of convergence and the safety of a step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache, reduce
from typing import Any

import heyoka as hy
import numpy as np
from numpy.typing import NDArray

from phaseflow.dynamics.fields import make_field
from phaseflow.dynamics.taylor_series import expand_solution
from phaseflow.engines import Array, Engine, Task, Trajectories, start_trajectories
from phaseflow.engines.taylor import BATCH, compile_batch
from phaseflow.engines.taylor import integrate as integrate_adaptively
from phaseflow.expressions.compiled import FUNCTIONS
from phaseflow.expressions.tree import walk
from phaseflow.settings.systems import System

# The bytes of members side by side that stay near the processor; no result depends on it.
_NEAR = 150_000
# By how much the order may be above that of the adaptive method. Below it the radius that is seen there would not hold.
_ABOVE = 8
# The radius of convergence that is counted on, as a share of the least on the nominal solution.
_SHARE = 0.95
# The share of the tolerance that the terms left out may sum to by their geometric model. Real terms rise and fall about it: in many
# thousands of steps of nine systems the error was at most nine times the sum.
_SAFETY = 0.1
# A larger product of operations and squared order is compiled as loops: about as fast, and compiled in seconds however large.
_LARGEST_PLAIN = 50_000


def integrate(task: Task) -> Trajectories:
    """Integrate the members of a task by the map, and again by the adaptive method those for which it is not safe."""
    result = start_trajectories(task)
    plan = plan_steps(task)
    order, steps = (math.nan, math.nan) if plan is None else (plan.order, plan.steps)
    tail = np.full(len(task.initial), math.inf) if plan is None else follow(task, plan, result)
    unsafe = np.flatnonzero(~(tail <= 1))
    adaptive = task.solver.model_copy(update={"method": "taylor"})
    if len(unsafe):
        result.fill(unsafe, integrate_adaptively(replace(task.select(unsafe), solver=adaptive)))
    columns = {"taylor_order": order, "taylor_steps": steps, "taylor_tail": tail if plan else math.nan}
    result.details.update({name: np.full(len(tail), values) for name, values in columns.items()})
    return result


@dataclass(frozen=True)
class Plan:
    """How the map goes.

    Attributes
    ----------
    order : the order of the series.
    steps : how many steps are taken between two samples.
    transient_steps : how many are taken before the first.
    """

    order: int
    steps: int
    transient_steps: int


def plan_steps(task: Task) -> Plan | None:
    """Return the cheapest plan that is safe for the nominal problem, or None where that problem cannot be solved or needs too many steps.

    The steps of an adaptive run tell the least radius of convergence. A step costs about the square of its order.
    """
    system, solver = task.system, task.solver
    nominal = tuple(quantity.value for stated in (system.initial, system.parameters) for quantity in stated.values())
    numbers = (*nominal, *task.times.tolist(), task.transient, solver.tolerance.value, solver.max_steps)
    return _plan(_Problem(_Definition.of(system), numbers, task))


@lru_cache(maxsize=4)
def _plan(problem: _Problem) -> Plan | None:
    task = problem.task
    system, start = task.system, float(task.times[0])
    vector_field, tolerance = make_field(system), task.solver.tolerance.value
    integrator = compile_batch(vector_field.equations, len(vector_field.parameters), tolerance)
    for values, stated in ((integrator.state, system.initial), (integrator.pars, system.parameters)):
        values[:] = np.array([[quantity.value] for quantity in stated.values()]).reshape(-1, 1)
    integrator.set_time(start - task.transient)
    with np.errstate(all="ignore"):
        radii = [_find_least_radius(integrator, time, task.solver.max_steps) for time in (start, float(task.times[-1]))]
    if not all(radius > 0 for radius in radii):
        return None
    spans = (task.transient, float(np.diff(task.times).max()))

    def count(order: int) -> list[int]:
        ratio = _SHARE * find_ratio(order, _SAFETY * tolerance)
        return [math.ceil(span / (ratio * radius)) for span, radius in zip(spans, radii, strict=True)]

    orders = range(integrator.order, integrator.order + _ABOVE + 1)
    order = min(orders, key=lambda order: count(order)[1] * (order + 1) * (order + 2))
    transient_steps, steps = count(order)
    plan = Plan(order, steps, transient_steps)
    return plan if transient_steps + steps * (len(task.times) - 1) <= task.solver.max_steps else None


def _find_least_radius(integrator: Any, time: float, max_steps: int) -> float:
    """Integrate to a time and return the least radius of convergence on the way; NaN if the time is not reached."""
    span = time - float(integrator.time[0])
    if span == 0:
        return math.inf
    integrator.propagate_until(time, max_steps=max_steps)
    outcome, shortest, _, _ = integrator.propagate_res[0]
    # The last step was cut short: the next one, not taken, says how long it might have been.
    reached = integrator.state.copy()
    integrator.step([span] * BATCH)
    shortest = min(shortest, integrator.step_res[0][1])
    integrator.set_time(time)
    integrator.state[:] = reached
    is_there = outcome == hy.taylor_outcome.time_limit and bool(np.isfinite(reached).all())
    return float(shortest * math.exp(2 + 0.7 / (integrator.order - 1))) if is_there else math.nan


def find_ratio(order: int, tolerance: float) -> float:
    """Return the ratio q at which the terms q**k of a geometric series above an order sum to a tolerance."""
    ratio = 0.0
    for _ in range(100):
        ratio = float((tolerance * (1 - ratio)) ** (1 / (order + 1)))
    return ratio


def follow(task: Task, plan: Plan, result: Trajectories) -> Array:
    """Fill in the samples of all members and return the largest tail of each; infinite where a state ceased to be finite."""
    function = _compile(_Definition.of(task.system), plan.order, task.solver.tolerance.value)
    n_members, dimension = task.initial.shape
    # Careful: rows that are a power of two apart would share the same few places in the cache.
    block = (_NEAR // (8 * BATCH * (2 * dimension + task.parameters.shape[1])) | 1) * BATCH
    tail = np.empty(n_members)
    for first in range(0, n_members, block):
        members = np.arange(first, min(first + block, n_members))
        tail[members] = _Flight(function, task, plan, members).record(result.samples)
    result.steps[:] = plan.transient_steps + plan.steps * (len(task.times) - 1)
    return tail


class _Flight:
    """Members side by side on their way.

    Attributes
    ----------
    state : shape (dimension + 1, n_lanes), the states and the largest tail so far. The lanes are the members and, up to a whole number
        of batches, copies of the last one: so every member is computed by the same instructions.
    """

    def __init__(self, function: Any, task: Task, plan: Plan, members: NDArray[np.intp]) -> None:
        self.function, self.task, self.plan, self.members = function, task, plan, members
        lanes = np.pad(members, (0, -len(members) % BATCH), mode="edge")
        self.state, self._constants = (_stand_side_by_side(values[lanes]) for values in (task.initial, task.parameters))
        self._spare = np.empty_like(self.state)
        self._clock = {"time": np.empty(len(lanes))} if function.is_time_dependent else {}

    def record(self, samples: Array) -> Array:
        """Go through all times, take down the members' samples, and return the largest tail of each."""
        times, n_members = self.task.times, len(self.members)
        taken = samples[self.members[0] : self.members[-1] + 1]
        self.advance(times[0] - self.task.transient, times[0], self.plan.transient_steps)
        taken[:, 0] = self.state[:-1, :n_members].T
        for place in range(1, len(times)):
            self.advance(times[place - 1], times[place], self.plan.steps)
            taken[:, place] = self.state[:-1, :n_members].T
        final = self.state[:, :n_members]
        return np.where(np.isfinite(final).all(axis=0), final[-1], math.inf)

    def advance(self, start: float, stop: float, n_steps: int) -> None:
        """Take equal steps from one time to another."""
        step = (stop - start) / max(1, n_steps)
        self._constants[-1] = step
        constants = self._constants[: self.function.nparams]
        for place in range(n_steps):
            for clock in self._clock.values():
                clock[:] = start + place * step
            self.function(self.state, outputs=self._spare, pars=constants, **self._clock)
            self.state, self._spare = self._spare, self.state


def _stand_side_by_side(values: Array) -> Array:
    """Return values of shape (n_lanes, n) as an array of shape (n + 1, n_lanes), the last row zero."""
    return np.ascontiguousarray(np.pad(values, ((0, 0), (0, 1))).T)


@dataclass(frozen=True)
class _Definition:
    """What of a system is compiled: two systems that differ in values alone are equal."""

    text: str
    parameters: tuple[str, ...]
    system: System = field(compare=False)

    @classmethod
    def of(cls, system: System) -> _Definition:
        return cls(system.define(), tuple(system.parameters), system)


@dataclass(frozen=True)
class _Problem:
    """What of a task plans the steps: two tasks that differ in their members alone are equal."""

    definition: _Definition
    numbers: tuple[float, ...]
    task: Task = field(compare=False)


@lru_cache(maxsize=4)
def _compile(definition: _Definition, order: int, tolerance: float) -> Any:
    """Return a step as a compiled function of the states and of the largest tail so far, which gives both anew.

    The tail is measured as Jorba and Zou measure the radius: by the two last terms, of orders p - 1 and p, against the largest state
    or 1. It is 1 where they are those of a geometric series whose terms above p sum to a tenth of the tolerance.
    """
    system = definition.system
    vector_field, ratio = make_field(system), find_ratio(order, _SAFETY * tolerance)
    series = expand_solution(system, vector_field, hy.par[len(vector_field.parameters)], order)
    before, last, states = (_find_largest([terms[power] for terms in series]) for power in (order - 1, order, 0))
    tail = FUNCTIONS["max"](before * ratio ** (1 - order), last * ratio**-order) / FUNCTIONS["max"](states, hy.expression(1.0))
    so_far = hy.make_vars("the largest tail")
    # From the smallest term to the largest, so that rounding counts once.
    sums = [reduce(lambda total, term: term + total, reversed(terms)) for terms in series]
    return hy.cfunc(
        [*sums, FUNCTIONS["max"](so_far, tail)],
        vars=[*(variable for variable, _ in vector_field.equations), so_far],
        batch_size=BATCH,
        compact_mode=_count_operations(system) * order**2 > _LARGEST_PLAIN,
        force_avx512=True,
    )


def _find_largest(values: list[Any]) -> Any:
    return reduce(FUNCTIONS["max"], [FUNCTIONS["abs"](value) for value in values])


def _count_operations(system: System) -> int:
    return sum(walk(formula.tree, lambda _: 0, lambda _: 0, lambda _, parts: 1 + sum(parts)) for formula in system.equations.values())


ENGINE = Engine(integrate, follows_samples=True)

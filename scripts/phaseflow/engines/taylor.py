"""Taylor's method of adaptive order and step, many members at once.

A member's numbers are the same bits whatever members share its batch, so its result is its own.

Source: Jorba and Zou (2005), Experimental Mathematics 14, 99-117; Biscani and Izzo (2021), MNRAS 504, 2614-2628.
"""

from __future__ import annotations

from typing import Any

import heyoka as hy
import numpy as np
from numpy.typing import NDArray

from phaseflow.dynamics.fields import Field, make_field
from phaseflow.engines import Engine, Occurrence, Task, Trajectories, start_trajectories
from phaseflow.errors import NumericalError

# One size for all: heyoka's results do not depend on it as long as it is two or more.
BATCH = 8
_COMPACT_DIMENSION = 8
# How many numbers of a member are sampled before they are taken over: 64 MB for a batch.
_SAMPLES_HELD = 1_000_000


def integrate(task: Task) -> Trajectories:
    """Integrate the members of a task in batches; a member that fails harms no other.

    The tolerance is the error of one step, relative to the state where its norm is above 1, else absolute.
    """
    result = start_trajectories(task)
    batch = _Batch(make_field(task.system), task)
    waiting = list(range(len(task.initial)))
    while waiting:
        lanes, waiting = waiting[:BATCH], waiting[BATCH:]
        interrupted = batch.run(lanes, result)
        if len(interrupted) == len(lanes):
            raise NumericalError(f"the integrator made no progress on members at places {lanes}")
        waiting = interrupted + waiting
    result.occurrences.sort(key=lambda occurrence: occurrence[:3])
    return result


def compile_batch(
    equations: list[tuple[Any, Any]], n_parameters: int, tolerance: float, events: list[Any] | None = None, is_compact: bool | None = None
) -> Any:
    """Return heyoka's batch integrator for a list of (variable, derivative); compact code has loops: quick to compile, slow to run."""
    options = {"nt_events": events} if events else {}
    return hy.taylor_adaptive_batch(
        equations,
        np.zeros((len(equations), BATCH)),
        pars=np.zeros((n_parameters, BATCH)),
        tol=tolerance,
        compact_mode=len(equations) > _COMPACT_DIMENSION if is_compact is None else is_compact,
        force_avx512=True,
        **options,
    )


class _Batch:
    """One compiled integrator, used again and again."""

    def __init__(self, field: Field, task: Task) -> None:
        self.task, self.times, self.transient, self.max_steps = task, task.times, task.transient, task.solver.max_steps
        self.clock_error = 8 * np.finfo(float).eps * (np.abs(self.times[[0, -1]]).max() + task.transient)
        self.rows_held = max(2, _SAMPLES_HELD // len(field.equations))
        self.n_parameters = len(field.parameters)
        events = [self._make_event(place, field) for place in range(len(task.events))]
        self.integrator = compile_batch(field.equations, self.n_parameters, task.solver.tolerance.value, events)
        self.found: list[Occurrence] = []
        self.is_recording = False

    def _make_event(self, place: int, field: Field) -> Any:
        event = self.task.events[place]
        direction = {1: hy.event_direction.positive, -1: hy.event_direction.negative, 0: hy.event_direction.any}[event.direction]

        def happen(integrator: Any, time: float, _sign: int, lane: int) -> None:
            if self.is_recording:
                integrator.update_d_output(time)
                self.found.append(Occurrence(lane, time, event.name, integrator.d_output[:, lane].copy()))

        return hy.nt_event_batch(field.translate(event.when), happen, direction=direction)

    def run(self, lanes: list[int], result: Trajectories) -> list[int]:
        """Integrate up to BATCH members; return those that ended early because of another's failure."""
        padded = [*lanes, *[lanes[-1]] * (BATCH - len(lanes))]
        integrator = self.integrator
        integrator.state[:] = self.task.initial[padded].T
        if self.n_parameters:
            integrator.pars[:] = self.task.parameters[padded].T
        integrator.set_time(float(self.times[0]) - self.transient)
        steps = np.zeros(BATCH, dtype=np.int64)
        outcomes: list[Any] = []
        is_begun = True
        if self.transient > 0:
            integrator.propagate_until(float(self.times[0]), max_steps=self.max_steps)
            outcomes, steps = self._read_outcomes(steps)
            is_begun = bool(self._have_reached(self.times[0], outcomes).all())
        if is_begun:
            integrator.set_time(float(self.times[0]))
            outcomes, steps = self._sample(lanes, steps, result)
        return self._record(lanes, outcomes, steps, is_begun, result)

    def _sample(self, lanes: list[int], steps: NDArray[np.int64], result: Trajectories) -> tuple[list[Any], NDArray[np.int64]]:
        """Integrate to the last time, a part of the times after the other, as long as all lanes get to its end."""
        self.found.clear()
        self.is_recording = True
        # A part begins with the last time of the one before, where the integrator is.
        for first in range(0, len(self.times) - 1, self.rows_held - 1):
            rows = slice(first, first + self.rows_held)
            times = self.times[rows]
            left = max(1, self.max_steps - int(steps.max()))
            _, samples = self.integrator.propagate_grid(np.repeat(times[:, None], BATCH, axis=1), max_steps=left)
            for lane, member in enumerate(lanes):
                result.samples[member, rows] = samples[:, :, lane]
            outcomes, steps = self._read_outcomes(steps)
            if not self._have_reached(times[-1], outcomes).all():
                break
        self.is_recording = False
        return outcomes, steps

    def _read_outcomes(self, steps: NDArray[np.int64]) -> tuple[list[Any], NDArray[np.int64]]:
        reports = self.integrator.propagate_res
        return [report[0] for report in reports], steps + np.array([report[3] for report in reports], dtype=np.int64)

    def _have_reached(self, time: float, outcomes: list[Any]) -> NDArray[np.bool_]:
        """Tell which lanes are at a time with a finite state.

        Careful: when one lane fails, the others end early and still report success; only their time tells.
        """
        is_sound = np.array([outcome != hy.taylor_outcome.err_nf_state for outcome in outcomes])
        is_near = np.abs(self.integrator.time - time) <= self.clock_error
        is_there: NDArray[np.bool_] = is_sound & is_near & np.isfinite(self.integrator.state).all(axis=0)
        return is_there

    def _record(self, lanes: list[int], outcomes: list[Any], steps: NDArray[np.int64], is_begun: bool, result: Trajectories) -> list[int]:
        """Take over what the lanes came to, where all of them survived the transient or none has begun."""
        is_done = self._have_reached(self.times[-1], outcomes) & is_begun
        times = np.array(self.integrator.time)
        interrupted = []
        for lane, member in enumerate(lanes):
            if is_done[lane]:
                status = "ok"
            elif outcomes[lane] == hy.taylor_outcome.err_nf_state:
                status = "not_finite"
            elif steps[lane] >= self.max_steps:
                status = "step_limit"
            else:
                interrupted.append(member)
                continue
            result.status[member] = status
            result.status_time[member] = times[lane]
            result.steps[member] = steps[lane]
            if is_begun:
                if not is_done[lane]:
                    result.samples[member, self.times > times[lane]] = np.nan
                result.occurrences.extend(found._replace(member=member) for found in self.found if found.member == lane)
        return interrupted


ENGINE = Engine(integrate, has_events=True)

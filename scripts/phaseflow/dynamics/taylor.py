"""Taylor's method of adaptive order and step, many members at once.

A member's numbers are the same bits whatever members share its batch, so its result is its own.

Source: Jorba and Zou (2005), Experimental Mathematics 14, 99-117; Biscani and Izzo (2021), MNRAS 504, 2614-2628.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import heyoka as hy
import numpy as np
from numpy.typing import NDArray

from phaseflow.dynamics.fields import Field
from phaseflow.errors import NumericalError

Array = NDArray[np.float64]

ENGINE = "taylor"
# One size for all: heyoka's results do not depend on it as long as it is two or more.
BATCH = 8
_COMPACT_DIMENSION = 8


@dataclass(frozen=True)
class Trajectories:
    """The outcome of a set of members.

    Attributes
    ----------
    samples : shape (n_members, n_times, dimension); NaN after the time at which a member failed.
    status : shape (n_members,): ok, not_finite (a state overflowed or became undefined), step_limit.
    status_time : shape (n_members,): the last time reached.
    steps : shape (n_members,): the steps taken.
    """

    samples: Array
    status: NDArray[np.str_]
    status_time: Array
    steps: NDArray[np.int64]


def integrate(
    field: Field, initial: Array, parameters: Array, times: Array, transient: float, tolerance: float, max_steps: int
) -> Trajectories:
    """Integrate initial value problems that share a vector field, and sample them at exact times.

    Parameters
    ----------
    initial : shape (n_members, dimension).
    parameters : shape (n_members, n_parameters).
    times : shape (n_times,), strictly increasing; times[0] is the start.
    transient : how long to integrate before times[0]; the initial state holds at times[0] - transient.
    tolerance : the error of one step, relative to the state where its norm is above 1, else absolute.

    Returns
    -------
    Trajectories; a member that fails harms no other.
    """
    n_members = len(initial)
    result = Trajectories(
        np.full((n_members, len(times), initial.shape[1]), np.nan),
        np.full(n_members, "ok", dtype="<U16"),
        np.full(n_members, times[-1]),
        np.zeros(n_members, dtype=np.int64),
    )
    batch = _Batch(field, times, transient, tolerance, max_steps)
    waiting = list(range(n_members))
    while waiting:
        lanes, waiting = waiting[:BATCH], waiting[BATCH:]
        interrupted = batch.run(lanes, initial[lanes], parameters[lanes], result)
        if len(interrupted) == len(lanes):
            raise NumericalError(f"the integrator made no progress on members at places {lanes}")
        waiting = interrupted + waiting
    return result


class _Batch:
    """One compiled integrator, used again and again."""

    def __init__(self, field: Field, times: Array, transient: float, tolerance: float, max_steps: int) -> None:
        self.times, self.transient, self.max_steps = times, transient, max_steps
        self.clock_error = 8 * np.finfo(float).eps * (np.abs(times[[0, -1]]).max() + transient)
        self.grid = np.repeat(times[:, None], BATCH, axis=1)
        self.n_parameters = len(field.parameters)
        self.integrator = hy.taylor_adaptive_batch(
            field.equations,
            np.zeros((len(field.states), BATCH)),
            pars=np.zeros((self.n_parameters, BATCH)),
            tol=tolerance,
            compact_mode=len(field.states) > _COMPACT_DIMENSION,
            force_avx512=True,
        )

    def run(self, lanes: list[int], initial: Array, parameters: Array, result: Trajectories) -> list[int]:
        """Integrate up to BATCH members; return those that ended early because of another's failure."""
        padding = [*range(len(lanes)), *[len(lanes) - 1] * (BATCH - len(lanes))]
        integrator = self.integrator
        integrator.state[:] = initial[padding].T
        if self.n_parameters:
            integrator.pars[:] = parameters[padding].T
        integrator.set_time(float(self.times[0]) - self.transient)
        steps = np.zeros(BATCH, dtype=np.int64)
        outcomes: list[Any] = []
        samples = np.full((len(self.times), initial.shape[1], BATCH), np.nan)
        is_begun = True
        if self.transient > 0:
            integrator.propagate_until(float(self.times[0]), max_steps=self.max_steps)
            outcomes, steps = self._read_outcomes(steps)
            is_begun = bool(self._have_reached(self.times[0], outcomes).all())
        if is_begun:
            integrator.set_time(float(self.times[0]))
            _, samples = integrator.propagate_grid(self.grid, max_steps=self.max_steps)
            outcomes, steps = self._read_outcomes(steps)
        return self._record(lanes, outcomes, steps, samples, is_begun, result)

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

    def _record(
        self, lanes: list[int], outcomes: list[Any], steps: NDArray[np.int64], samples: Array, is_begun: bool, result: Trajectories
    ) -> list[int]:
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
            kept = self.times <= times[lane] if is_begun else np.zeros(len(self.times), dtype=bool)
            result.samples[member, kept] = samples[kept, :, lane]
        return interrupted

"""Engines, one plugin each: how a set of members of one system is integrated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phaseflow.expressions.quantity import Expression
from phaseflow.seeds import UInt64
from phaseflow.settings.methods import Solver
from phaseflow.settings.systems import System

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Event:
    """Something that happens where an expression passes through zero: rising (1), falling (-1) or either (0)."""

    name: str
    when: Expression
    direction: int


@dataclass(frozen=True)
class Task:
    """Initial value problems that share a system, a span of time and a solver.

    Attributes
    ----------
    initial : shape (n_members, dimension).
    parameters : shape (n_members, n_parameters), in the order of the system's parameters.
    times : shape (n_times,), strictly increasing; times[0] is the start.
    transient : how long to integrate before times[0]; the initial state holds at times[0] - transient.
    seed, streams : what each member's random numbers derive from; streams has the shape (n_members,).
    signs : shape (n_members,): -1 for a member whose Wiener processes are the mirror image of its stream's, else 1.
    events : what is located between the first and the last time.
    """

    system: System
    initial: Array
    parameters: Array
    times: Array
    transient: float
    solver: Solver
    seed: int
    streams: UInt64
    events: tuple[Event, ...] = ()
    signs: Array | None = None

    def select(self, chosen: NDArray[np.intp]) -> Task:
        """Return the task of some of the members."""
        signs = None if self.signs is None else self.signs[chosen]
        initial, parameters = self.initial[chosen], self.parameters[chosen]
        return replace(self, initial=initial, parameters=parameters, streams=self.streams[chosen], signs=signs)


class Occurrence(NamedTuple):
    """An event that happened: to which member of the task, when, which event, and where."""

    member: int
    time: float
    event: str
    state: Array


@dataclass(frozen=True)
class Trajectories:
    """The outcome of a task.

    Attributes
    ----------
    samples : shape (n_members, n_times, dimension); NaN after the time at which a member failed.
    status : shape (n_members,): ok, not_finite (a state overflowed or became undefined), step_limit, step_failed,
        precision_limit (no precision that may be used sufficed).
    status_time : shape (n_members,): the last time reached.
    steps : shape (n_members,): the steps taken.
    engine : shape (n_members,): the method that computed each member.
    details : what else the engine has to say of each member, a column each of shape (n_members,).
    occurrences : what happened, member by member in the order of time.
    """

    samples: Array
    status: NDArray[np.str_]
    status_time: Array
    steps: NDArray[np.int64]
    engine: NDArray[np.str_]
    details: dict[str, Array] = field(default_factory=dict)
    occurrences: list[Occurrence] = field(default_factory=list)

    def select(self, chosen: NDArray[np.intp]) -> Trajectories:
        """Return the outcome of some of the members, without occurrences."""
        return replace(
            self,
            samples=self.samples[chosen],
            status=self.status[chosen],
            status_time=self.status_time[chosen],
            steps=self.steps[chosen],
            engine=self.engine[chosen],
            details={name: values[chosen] for name, values in self.details.items()},
            occurrences=[],
        )

    def fill(self, chosen: NDArray[np.intp], part: Trajectories) -> None:
        """Take over the outcome of some of the members."""
        self.samples[chosen], self.status[chosen] = part.samples, part.status
        self.status_time[chosen], self.steps[chosen], self.engine[chosen] = part.status_time, part.steps, part.engine
        for name, values in part.details.items():
            self.details.setdefault(name, np.full(len(self.status), np.nan))[chosen] = values
        self.occurrences.extend(occurrence._replace(member=int(chosen[occurrence.member])) for occurrence in part.occurrences)


@dataclass(frozen=True)
class Engine:
    """A way to integrate.

    Attributes
    ----------
    has_events : it can locate events.
    follows_samples : its steps go from sample to sample, so that at other times it is another run.
    """

    integrate: Callable[[Task], Trajectories]
    has_events: bool = False
    follows_samples: bool = False


def start_trajectories(task: Task) -> Trajectories:
    """Return an outcome to be filled in: every member ok, no sample yet."""
    n_members, dimension = task.initial.shape
    return Trajectories(
        np.full((n_members, len(task.times), dimension), np.nan),
        np.full(n_members, "ok", dtype="<U16"),
        np.full(n_members, task.times[-1]),
        np.zeros(n_members, dtype=np.int64),
        np.full(n_members, task.solver.method or "taylor", dtype="<U16"),
    )

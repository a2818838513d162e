"""Extrema: the local maxima and minima of states, located where the time derivative changes its sign."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from phaseflow.engines import Array, Event, Task, Trajectories
from phaseflow.measures import Measure
from phaseflow.settings.systems import System


def locate(states: list[str], system: System) -> tuple[Event, ...]:
    """Return the events: a maximum where the derivative falls through zero, a minimum where it rises."""
    return tuple(Event(f"{state}_{kind}", system.equations[state], sign) for state in states for kind, sign in (("max", -1), ("min", 1)))


def measure(states: list[str], task: Task, trajectories: Trajectories) -> Mapping[str, Array]:
    """Return the largest maximum and the least minimum of each state, and how many of each there are."""
    places = {state: place for place, state in enumerate(task.system.equations)}
    columns: dict[str, Array] = {}
    for state in states:
        for kind, choose in (("max", max), ("min", min)):
            found: list[list[float]] = [[] for _ in task.initial]
            for occurrence in trajectories.occurrences:
                if occurrence.event == f"{state}_{kind}":
                    found[occurrence.member].append(occurrence.state[places[state]])
            columns[f"{state}_{kind}"] = np.array([choose(values, default=np.nan) for values in found])
            columns[f"{state}_{kind}_count"] = np.array([float(len(values)) for values in found])
    return columns


MEASURE = Measure(measure, locate)

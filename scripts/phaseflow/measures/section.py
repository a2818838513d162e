"""A Poincare section: where an expression passes through zero along the trajectory, each crossing located as an event.

A start that lies on the section counts as a crossing.

Source: Strogatz (2015), Nonlinear Dynamics and Chaos, sec. 8.7.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from phaseflow.engines import Array, Event, Task, Trajectories
from phaseflow.measures import Measure
from phaseflow.settings.measures import Section
from phaseflow.settings.systems import System

NAME = "section"
_SIGNS = {"rising": 1, "falling": -1, "both": 0}


def locate(asked: Section, _system: System) -> tuple[Event, ...]:
    """Return the event of a crossing."""
    return (Event(NAME, asked.when, _SIGNS[asked.direction]),)


def measure(_asked: Section, task: Task, trajectories: Trajectories) -> Mapping[str, Array]:
    """Return how many crossings each member has."""
    return {"section_count": np.array([float(len(times)) for times in list_crossings(task, trajectories)])}


def list_crossings(task: Task, trajectories: Trajectories) -> list[list[float]]:
    """Return the times of each member's crossings."""
    times: list[list[float]] = [[] for _ in task.initial]
    for occurrence in trajectories.occurrences:
        if occurrence.event == NAME:
            times[occurrence.member].append(occurrence.time)
    return times


MEASURE = Measure(measure, locate)

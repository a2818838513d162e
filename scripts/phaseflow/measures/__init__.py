"""Measures, one plugin each: a number of a trajectory, with what supports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from phaseflow.engines import Array, Event, Task, Trajectories
from phaseflow.settings.systems import System


@dataclass(frozen=True)
class Measure:
    """A measure.

    Attributes
    ----------
    measure : returns columns of shape (n_members,), NaN where a member has no value. It takes what the config says
        of the measure, the task and its outcome.
    locate : the events that it needs located along the trajectories.
    """

    measure: Callable[[Any, Task, Trajectories], Mapping[str, Array]]
    locate: Callable[[Any, System], tuple[Event, ...]] = lambda _settings, _system: ()

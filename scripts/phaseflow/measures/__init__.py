"""Measures, one plugin each: a number of a trajectory, with what supports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phaseflow.dynamics.spectra import Complex
from phaseflow.engines import Array, Event, Task, Trajectories
from phaseflow.settings.systems import System

Column = Array | NDArray[np.object_]


class Orbit(NamedTuple):
    """A fixed point or a periodic orbit of a member of the task.

    The eigenvalues are those of the Jacobian by falling real part, or the Floquet multipliers by falling modulus; the period and
    the error of the unit multiplier are NaN where there is none.
    """

    member: int
    kind: str
    number: int
    period: float
    state: Array
    residual: float
    stability: str
    unit_error: float
    eigenvalues: Complex


@dataclass(frozen=True)
class Measured:
    """What a measure found.

    Attributes
    ----------
    columns : a value a member: numbers of shape (n_members,), NaN where a member has none, or texts and None.
    orbits : rows for orbits.parquet.
    """

    columns: Mapping[str, Column]
    orbits: list[Orbit] = field(default_factory=list)


@dataclass(frozen=True)
class Measure:
    """A measure.

    Attributes
    ----------
    measure : returns columns, alone or with orbits. It takes what the config says of the measure, the task and its outcome.
    locate : the events that it needs located along the trajectories.
    """

    measure: Callable[[Any, Task, Trajectories], Mapping[str, Array] | Measured]
    locate: Callable[[Any, System], tuple[Event, ...]] = lambda _settings, _system: ()

"""Fixed points: where Newton's method leads from states along the trajectory and from points of a box around it.

Those that are found are fixed points; nothing is proven of others, which may exist inside the box or outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from phaseflow.dynamics.equilibria import Equilibrium, find_equilibria
from phaseflow.dynamics.fields import CompiledField, make_field
from phaseflow.engines import Array, Task, Trajectories
from phaseflow.engines.taylor import integrate
from phaseflow.measures import Measure, Measured, Orbit

# How many states along the trajectory and how many points of the box are starts.
_ALONG = 33
_IN_BOX = 64
# The box reaches so many times as far as the trajectory on either side of zero, in each state.
_REACH = 1.5


def measure(_asked: bool, task: Task, _trajectories: Trajectories) -> Measured:
    """Return how many were found, how many are stable, how many have an eigenvalue of zero; and each of them as an orbit."""
    field = CompiledField(make_field(task.system))
    grid = np.linspace(task.times[0], task.times[-1], _ALONG)
    paths = integrate(replace(task, times=grid, events=())).samples
    found = [_find(field, *member) for member in zip(task.initial, paths, task.parameters, strict=True)]
    orbits = [
        Orbit(member, "fixed_point", number, np.nan, e.state, e.residual, e.stability, np.nan, e.eigenvalues)
        for member, equilibria in enumerate(found)
        for number, e in enumerate(equilibria, 1)
    ]
    counts = np.array([float(len(equilibria)) for equilibria in found])
    stable = np.array([float(sum(e.stability == "stable" for e in equilibria)) for equilibria in found])
    singular = np.array([float(sum(not e.is_isolated for e in equilibria)) for equilibria in found])
    return Measured({"fixed_points": counts, "fixed_points_stable": stable, "fixed_points_singular": singular}, orbits)


def _find(field: CompiledField, initial: Array, path: Array, parameters: Array) -> list[Equilibrium]:
    """Find the fixed points of one member."""
    states = np.vstack([initial, path[np.isfinite(path).all(axis=1)]])
    reach = np.abs(states).max(axis=0)
    # Where all was at rest at zero there is no scale to go by: one.
    scale = np.where(reach > 0, reach, reach.max() if reach.max() > 0 else 1.0)
    box = [_REACH * scale * (2 * point - 1) for point in _spread(len(initial))]
    return find_equilibria(field, [*states, np.zeros(len(initial)), *box], parameters, scale)


def _spread(dimension: int) -> Iterator[Array]:
    """Yield points that fill the unit cube evenly, the same ones for every member.

    Source: Niederreiter (1992), Random Number Generation and Quasi-Monte Carlo Methods, sec. 3.1: a Kronecker sequence.
    """
    # The root above one of r**(d + 1) = r + 1: the golden ratio where d = 1.
    ratio = 2.0
    for _ in range(100):
        ratio = (1 + ratio) ** (1 / (dimension + 1))
    steps = np.array([ratio ** -(k + 1) for k in range(dimension)])
    for place in range(_IN_BOX):
        yield (0.5 + (place + 1) * steps) % 1


MEASURE = Measure(measure)

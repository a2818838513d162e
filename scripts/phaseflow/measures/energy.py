"""The drift of conserved quantities: by how much they change although they should not.

The drift is the largest |E(t) - E(start)| on a grid of times of its own, relative to the largest sum of the absolute values of
E's terms there. So it does not depend on what is sampled, and is a number where E itself is zero, as on a parabolic orbit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from phaseflow.engines import Array, Task, Trajectories
from phaseflow.engines.taylor import integrate
from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.tree import TIME, Apply, Node
from phaseflow.measures import Measure
from phaseflow.settings.measures import Measure as Asked

_GRID = 1001


def measure(asked: Any, task: Task, _trajectories: Trajectories) -> Mapping[str, Array]:
    """Return the drift of each quantity; NaN of members that did not reach the end."""
    grid = np.linspace(task.times[0], task.times[-1], _GRID)
    paths = integrate(replace(task, times=grid, events=())).samples
    columns: dict[str, Array] = {}
    for name, formula in Asked(energy=asked).conserved.items():
        drifts = [_find_drift(formula.tree, task, member, grid, path) for member, path in enumerate(paths)]
        columns[f"{name}_drift"] = np.array(drifts)
    return columns


def _find_drift(tree: Node, task: Task, member: int, grid: Array, path: Array) -> float:
    """Return the drift of one quantity along one member."""
    if not np.isfinite(path).all():
        return float("nan")
    # Careful: each column has the grid's length and its own memory, so that every member is computed by the same instructions.
    values: dict[str, Array | float] = {name: path[:, place].copy() for place, name in enumerate(task.system.equations)}
    values |= dict(zip(task.system.parameters, map(float, task.parameters[member]), strict=True))
    values[TIME] = grid
    terms = [np.broadcast_to(evaluate(term, values), grid.shape) for term in _list_terms(tree)]
    energy = np.broadcast_to(evaluate(tree, values), grid.shape)
    scale = float(np.abs(terms).sum(axis=0).max())
    drift = float(np.abs(energy - energy[0]).max())
    return drift / scale if scale > 0 else drift


def _list_terms(tree: Node) -> list[Node]:
    """Return the terms of a sum, without their signs."""
    if isinstance(tree, Apply) and tree.operator in ("+", "-", "neg"):
        return [term for argument in tree.arguments for term in _list_terms(argument)]
    return [tree]


MEASURE = Measure(measure)

"""Real roots of a function of one variable: a scan, then bisection down to neighbouring doubles.

Signs are those of values computed with 113 bits, so near a simple root they are those of the function itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import heyoka as hy
import numpy as np
from numpy.typing import NDArray

from phaseflow.expressions.compiled import to_heyoka
from phaseflow.settings.studies import Study

Array = NDArray[np.float64]

# A sign change is a root where the value falls by this between the ends of its cell and neighbouring doubles; at a jump or a pole it
# does not. The cube root falls least of what is usual: by the cube root of 1e-16.
_FALL = 1e-3


@dataclass(frozen=True)
class _Function:
    """A function and its derivative, to 113 bits."""

    compiled: Any

    def __call__(self, points: Array) -> tuple[NDArray[Any], NDArray[Any]]:
        value, slope = self.compiled(points.astype(hy.real128).reshape(1, -1))
        return value, slope


def find_roots(study: Study, points: int) -> dict[str, list[Any]]:
    """Return the roots of a study's function within the bounds of its variable, in increasing order, as columns.

    Every cell of an even scan is cut where the slope changes its sign, and searched for changes of the function's sign. Two
    roots are missed only where both they and two turning points lie in one cell; a root of even order also where the slope's
    change of sign is missed.

    Parameters
    ----------
    points : how many points the scan has.
    """
    (name, variable), x = next(iter(study.variables.items())), hy.expression("x")
    tree = to_heyoka(study.objective.tree, {name: x})
    function = _Function(hy.cfunc([tree, hy.diff(tree, x)], vars=[x], fp_type=hy.real128))
    low, high = variable.bounds
    grid = np.linspace(low, high, points)
    _, slopes = function(grid)
    turns = [_bisect(function, 1, *cell) for cell in _find_changes(grid, slopes)]
    cuts = np.unique(np.concatenate([grid, np.array([ends[0] for ends in turns])]))
    values, _ = function(cuts)
    changes = list(_find_changes(cuts, values))
    found = [row for cell in changes if (row := _describe_crossing(function, cell, points))]
    found += [row for place in np.flatnonzero(values == 0) if (row := _describe_zero(function, float(cuts[place]), low, high, points))]
    found += [row for ends in turns if (row := _describe_touch(function, ends, points))]
    rows = {row["root"]: row for row in sorted(found, key=lambda row: (row["root"], row["method"]), reverse=True)}
    ordered = [rows[root] for root in sorted(rows)]
    return {key: [row[key] for row in ordered] for key in ("root", "residual", "slope", "enclosure_low", "enclosure_high", "method")}


def _find_changes(points: Array, values: NDArray[Any]) -> list[tuple[float, float]]:
    """Return the cells whose ends have values of opposite sign."""
    signs = np.array([math.copysign(1, value) if value == value and value != 0 else 0.0 for value in values])
    cells = np.flatnonzero(signs[:-1] * signs[1:] < 0)
    return [(float(points[cell]), float(points[cell + 1])) for cell in cells]


def _bisect(function: _Function, order: int, low: float, high: float) -> tuple[float, float]:
    """Return neighbouring doubles between which a change of sign lies, or twice a double at which the value is zero.

    Parameters
    ----------
    order : 0 for the sign of the function, 1 for that of its slope.
    """
    is_negative = bool(_evaluate(function, order, low) < 0)
    while math.nextafter(low, high) < high:
        middle = low + (high - low) / 2
        middle = middle if low < middle < high else math.nextafter(low, high)
        value = _evaluate(function, order, middle)
        if value == 0:
            return middle, middle
        if bool(value < 0) == is_negative:
            low = middle
        else:
            high = middle
    return low, high


def _evaluate(function: _Function, order: int, point: float) -> Any:
    return function(np.array([point]))[order][0]


def _describe(function: _Function, root: float, low: float, high: float, method: str, points: int) -> dict[str, Any]:
    value, slope = (float(part[0]) for part in function(np.array([root])))
    scan = f"scan of {points} points and the turning points between them"
    row = {"root": root, "residual": abs(value), "slope": slope}
    return row | {"enclosure_low": low, "enclosure_high": high, "method": f"{method}; {scan}"}


def _describe_crossing(function: _Function, cell: tuple[float, float], points: int) -> dict[str, Any] | None:
    """Return the row of a sign change; nothing where it is a jump or a pole."""
    ends = [abs(_evaluate(function, 0, end)) for end in cell]
    low, high = _bisect(function, 0, *cell)
    if low == high:
        return _describe_zero(function, low, *cell, points)
    at_low, at_high = (abs(_evaluate(function, 0, end)) for end in (low, high))
    is_finite = math.isfinite(at_low) and math.isfinite(at_high)
    if not (is_finite and max(at_low, at_high) <= _FALL * max(ends)):
        return None
    return _describe(function, low if at_low <= at_high else high, low, high, "sign change between neighbouring doubles", points)


def _describe_zero(function: _Function, root: float, low: float, high: float, points: int) -> dict[str, Any] | None:
    """Return the row of a double at which the value is exactly zero, enclosed by its neighbours."""
    below, above = max(math.nextafter(root, -math.inf), low), min(math.nextafter(root, math.inf), high)
    signs = [float(_evaluate(function, 0, end)) for end in (below, above)]
    method = "zero, with a sign change across it" if signs[0] * signs[1] < 0 else "zero, with no sign change across it"
    return _describe(function, root, below, above, method, points)


def _describe_touch(function: _Function, ends: tuple[float, float], points: int) -> dict[str, Any] | None:
    """Return the row of a turning point between neighbouring doubles that is so near zero that the slopes there can reach it.

    Whether the value is exactly zero is not shown.
    """
    values, slopes = function(np.array(ends))
    place = int(abs(values[1]) < abs(values[0]))
    if values[place] == 0:
        return _describe_zero(function, ends[place], -math.inf, math.inf, points)
    if values[0] * values[1] < 0 or not abs(values[place]) <= max(abs(slopes)) * (ends[1] - ends[0]):
        return None
    return _describe(function, ends[place], *ends, "turning point whose value may be zero", points)

"""How far compiled derivatives are from differences in high precision."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from flint import arb, ctx
from numpy.typing import NDArray

from phaseflow.expressions.intervals import NotSmoothError, OutsideDomainError
from phaseflow.problems._statement import Statement

Array = NDArray[np.float64]
Ball = Any


def measure_derivatives(statement: Statement, bits: int, point: Array, gradient: Array, hessian: Array, jacobian: Array) -> float:
    """Return the largest difference between compiled derivatives and central differences, each relative to max(1, |difference|).

    The gradient and the Jacobian of the slacks are held against differences of values, the Hessian against differences of slopes. With
    a step of 2**(-bits/4) their own error is about 2**(-bits/2).

    Returns
    -------
    NaN where the point is not finite, or the functions not smooth there.
    """
    if not np.isfinite(point).all():
        return math.nan
    with ctx.workprec(bits):
        try:
            statement.expand([arb(float(x)) for x in point], 2)
            columns = [_take_differences(statement, bits, point, place) for place in range(len(point))]
        except (NotSmoothError, OutsideDomainError):
            return math.nan
    compiled = np.vstack([gradient, jacobian, hessian])
    differences = np.array(columns).T
    error: Array = np.abs(compiled - differences) / np.maximum(1, np.abs(differences))
    return float(error.max())


def _take_differences(statement: Statement, bits: int, point: Array, place: int) -> list[float]:
    """Return the differences by one variable: of the value, of each slack, and of each slope."""
    step = arb(2) ** -(bits // 4) * max(1.0, abs(float(point[place])))
    low, high = (_list_values(statement, point, place, side * step) for side in (-1, 1))
    return [float(((above - below) / (2 * step)).mid()) for below, above in zip(low, high, strict=True)]


def _list_values(statement: Statement, point: Array, place: int, by: Ball) -> list[Ball]:
    """Return the value, the slacks and the slopes of the objective at a point, one variable of which is shifted."""
    shifted = [arb(float(x)) for x in point]
    shifted[place] += by
    values, slopes = statement.expand(shifted, 0), statement.expand(shifted, 1, ())
    slacks = [values.slacks[number].value for number in range(len(statement.slacks))]
    return [values.objective.value, *slacks, *(slopes.find_slope(other, {}) for other in range(len(point)))]

"""The KKT system of a problem: which bounds and conditions hold with equality next to an answer, and where.

Source: Nocedal and Wright (2006), Numerical Optimization, theorem 12.1 and sec. 16.5 (active sets).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat, ctx
from numpy.typing import NDArray

from phaseflow.expressions.enclosures import Ball, Matrix, measure_balls, to_column, to_list
from phaseflow.problems._statement import Expansion, Statement

Array = NDArray[np.float64]

_NEWTON_STEPS = 60
# A Newton step below this part of the bits has converged: quadratic convergence leaves less than the last bits.
CONVERGED = 0.75
# A last step below this, where convergence is not quadratic, closes in by a constant factor a step.
_CLOSING_IN = 1e-6


class UnprovenError(ArithmeticError):
    """There is no certificate; the text says why."""


@dataclass(frozen=True)
class Face:
    """What holds with equality at a point: bounds of variables and conditions.

    Attributes
    ----------
    sides : by the place of a variable at a bound, 1 for the lower and -1 for the upper one.
    active : the numbers of the conditions whose slack is zero.
    """

    sides: Mapping[int, int]
    active: tuple[int, ...]

    def list_free(self, n: int) -> list[int]:
        """Return the places of the variables that are at no bound."""
        return [place for place in range(n) if place not in self.sides]


class Kkt:
    """The KKT system of one problem."""

    def __init__(self, statement: Statement) -> None:
        self.statement, self.n = statement, len(statement.names)

    def find_face(self, point: Array, slopes: Array, multipliers: Array) -> tuple[Face, list[Ball]]:
        """Return what holds with equality at the KKT point that Newton's method finds from an answer, and that point.

        What should not hold with equality is let go, and what is violated is held, one after the other.
        """
        face = self._guess_face(point, slopes, multipliers)
        for _ in range(2 * (self.n + len(self.statement.slacks)) + 2):
            refined = self._refine(face, point, multipliers)
            other = self._correct(face, refined)
            if other == face:
                return face, refined
            face = other
        raise UnprovenError("which bounds and conditions hold with equality could not be found out")

    def _guess_face(self, point: Array, slopes: Array, multipliers: Array) -> Face:
        """Return what seems to hold with equality: where a multiplier is larger than what is left to the bound."""
        sides = {}
        for place in range(self.n):
            low, high = (float(side.mid()) if side.is_finite() else float(side) for side in self.statement.find_bounds(place))
            if point[place] - low < slopes[place]:
                sides[place] = 1
            elif high - point[place] < -slopes[place]:
                sides[place] = -1
        slacks = self.statement.expand([arb(float(x)) for x in point], 0).slacks
        active = [k for k, jet in slacks.items() if k in self.statement.equations or multipliers[k] > float(jet.value.mid())]
        return Face(sides, tuple(active))

    def _refine(self, face: Face, point: Array, multipliers: Array) -> list[Ball]:
        """Return the middle of where Newton's method ends: the free variables, then the multipliers of active conditions."""
        free = face.list_free(self.n)
        if len(face.active) > len(free):
            raise UnprovenError("more conditions hold with equality than there are variables away from their bounds")
        at = [arb(float(point[place])) for place in free] + [arb(float(multipliers[number])) for number in face.active]
        size = 0.0
        for _ in range(_NEWTON_STEPS if at else 0):
            value, slope = self.state(face, at)
            try:
                step = to_list(slope.mid().solve(value.mid()))
            except ZeroDivisionError:
                raise UnprovenError("the Hessian is singular on the way from the answer to a stationary point") from None
            at = [(x - dx).mid() for x, dx in zip(at, step, strict=True)]
            size = max(measure_balls([dx / max(1, abs(x))]) for dx, x in zip(step, at, strict=True))
            if size <= 2.0 ** (-CONVERGED * ctx.prec):
                return at
            if not math.isfinite(size):
                break
        if not at:
            return at
        if size < _CLOSING_IN:
            raise UnprovenError("the Hessian is singular at the stationary point, or nearly so: Newton's method closes in too slowly")
        raise UnprovenError("Newton's method finds no stationary point from the answer")

    def _correct(self, face: Face, refined: list[Ball]) -> Face:
        """Return the face with one violated bound or condition more, or one that pushes the wrong way less."""
        box, found = self.split(face, refined)
        for place in face.list_free(self.n):
            low, high = self.statement.find_bounds(place)
            if box[place] < low or box[place] > high:
                return Face({**face.sides, place: 1 if box[place] < low else -1}, face.active)
        expansion = self.statement.expand(box, 1)
        for number, jet in expansion.slacks.items():
            if number not in face.active and jet.value < 0:
                return Face(face.sides, tuple(sorted({*face.active, number})))
            if number in face.active and number not in self.statement.equations and not found[number] > 0:
                return Face(face.sides, tuple(k for k in face.active if k != number))
        for place, side in face.sides.items():
            if not side * expansion.find_slope(place, found) > 0:
                return Face({other: s for other, s in face.sides.items() if other != place}, face.active)
        return face

    def split(self, face: Face, at: Sequence[Ball]) -> tuple[list[Ball], dict[int, Ball]]:
        """Return the place of every variable and the multipliers of active conditions, given those that are sought."""
        free = face.list_free(self.n)
        box = [arb(0)] * self.n
        for place, ball in zip(free, at, strict=False):
            box[place] = ball
        for place, side in face.sides.items():
            box[place] = self.statement.find_bounds(place)[0 if side > 0 else 1]
        return box, dict(zip(face.active, at[len(free) :], strict=True))

    def state(self, face: Face, at: Sequence[Ball]) -> tuple[Matrix, Matrix]:
        """Return the KKT system of a face, slopes of the Lagrangian and slacks, and its Jacobian."""
        box, found = self.split(face, at)
        expansion = self.statement.expand(box, 2, face.active)
        values = [expansion.find_slope(place, found) for place in face.list_free(self.n)]
        values += [expansion.slacks[number].value for number in face.active]
        return to_column(values), border(expansion, face.list_free(self.n), found, sign=-1)


def border(expansion: Expansion, free: Sequence[int], found: Mapping[int, Ball], *, sign: int, is_bordered: bool = True) -> Matrix:
    """Return the Hessian of the Lagrangian, bordered by the slopes of the active slacks, those above with a sign."""
    n, numbers = len(free), list(found) if is_bordered else []
    matrix = [[arb(0)] * (n + len(numbers)) for _ in range(n + len(numbers))]
    for row, i in enumerate(free):
        for column, j in enumerate(free[: row + 1]):
            matrix[row][column] = matrix[column][row] = expansion.find_bend(i, j, found)
        for column, number in enumerate(numbers):
            slope = expansion.slacks[number].slopes.get(i, arb(0))
            matrix[row][n + column], matrix[n + column][row] = sign * slope, slope
    return arb_mat(matrix) if matrix else arb_mat(0, 0)

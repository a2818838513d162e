"""Proofs about matrices and systems of balls: one zero in a box, a matrix that is regular, the signs of eigenvalues.

A test that fails proves nothing; it returns None or False.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb, arb_mat

Ball = Any
Matrix = Any
# A system over a box: its values at a point and its Jacobian over the box.
System = Callable[[Sequence[Ball]], tuple[Matrix, Matrix]]


def to_column(balls: Sequence[Ball]) -> Matrix:
    """Return balls as a matrix of one column."""
    return arb_mat([[ball] for ball in balls])


def to_list(column: Matrix) -> list[Ball]:
    """Return the balls of a matrix of one column."""
    return [row[0] for row in column.tolist()]


def measure_balls(balls: Sequence[Ball]) -> float:
    """Return an upper bound on the largest absolute value, infinite where there is none."""
    largest = max((float(abs(ball).upper()) for ball in balls), default=0.0)
    return largest if largest == largest else float("inf")


def round_down(ball: Ball) -> float:
    """Return a double that is not above a ball; minus infinity where there is no number."""
    if ball.is_nan():
        return -math.inf
    below = ball.lower()
    nearest = float(below)
    return (nearest if arb(nearest) <= below else math.nextafter(nearest, -math.inf)) + 0.0


def round_up(ball: Ball) -> float:
    """Return a double that is not below a ball; infinity where there is no number."""
    return -round_down(-ball) + 0.0


def invert(matrix: Matrix) -> Matrix | None:
    """Return an approximate inverse of a matrix's middle, None where it is as good as singular."""
    try:
        inverse = matrix.mid().inv()
    except ZeroDivisionError:
        return None
    return inverse.mid() if all(ball.is_finite() for ball in inverse.entries()) else None


def find_zero(system: System, centre: Sequence[Ball], radius: float | Ball) -> list[Ball] | None:
    """Return an enclosure of the one zero of a system within a radius of a point, where it is proven that there is exactly one.

    Source: Krawczyk (1969), Computing 4, 187-201; Rump (2010), Acta Numerica 19, theorem 13.3.
    """
    box = [arb(y, radius) for y in centre]
    value, slope = system(centre)
    inverse = invert(slope)
    if inverse is None:
        return None
    image = (
        to_column(centre)
        - inverse * value
        + _miss_identity(inverse, system(box)[1]) * to_column([x - y for x, y in zip(box, centre, strict=True)])
    )
    is_inside = all(x.contains_interior(y) for x, y in zip(box, to_list(image), strict=True))
    return to_list(image) if is_inside else None


def is_regular(matrix: Matrix) -> bool:
    """Tell whether every matrix within an interval matrix is proven to be regular.

    Then a system with this Jacobian over a box has at most one zero there: the difference of its values at two points is a matrix
    within it times the difference of the points.
    """
    inverse = invert(matrix)
    if inverse is None:
        return False
    rows = _miss_identity(inverse, matrix).tolist()
    return all(sum((abs(ball) for ball in row), arb(0)) < 1 for row in rows)


def find_inertia(matrix: Matrix) -> tuple[int, int] | None:
    """Return how many eigenvalues of a symmetric interval matrix are proven to be above and below zero, if none can be zero.

    The matrix is brought near to diagonal form by approximate eigenvectors and factored as L D L'; the pivots have the signs of
    the eigenvalues (Sylvester's law of inertia).
    """
    if matrix.nrows() == 0:
        return 0, 0
    vectors = _approximate_eigenvectors(matrix)
    if vectors is None:
        return None
    pivots = _find_pivots((vectors.transpose() * matrix * vectors).tolist())
    return None if pivots is None else (sum(bool(pivot > 0) for pivot in pivots), sum(bool(pivot < 0) for pivot in pivots))


def _approximate_eigenvectors(matrix: Matrix) -> Matrix | None:
    """Return eigenvectors of the middle, those of the largest eigenvalues first, which keeps what is left of small ones accurate."""
    middle = np.array([[float(ball.mid()) for ball in row] for row in matrix.tolist()])
    if not np.isfinite(middle).all():
        return None
    values, vectors = np.linalg.eigh((middle + middle.T) / 2)
    order = np.argsort(-np.abs(values), kind="stable")
    return arb_mat([[float(entry) for entry in row] for row in vectors[:, order]])


def _find_pivots(rows: list[list[Ball]]) -> list[Ball] | None:
    pivots = []
    for k in range(len(rows)):
        pivot = rows[k][k]
        if not (pivot > 0 or pivot < 0):
            return None
        pivots.append(pivot)
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / pivot
            for j in range(k + 1, i + 1):
                rows[i][j] = rows[j][i] = rows[i][j] - factor * rows[j][k]
    return pivots


def _miss_identity(inverse: Matrix, matrix: Matrix) -> Matrix:
    """Return I - C A."""
    n = matrix.nrows()
    return arb_mat(n, n, [int(i == j) for i in range(n) for j in range(n)]) - inverse * matrix

"""A linear least-squares problem and its solution in balls, and how it is rounded to doubles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat

from phaseflow.models._digits import round_to_double
from phaseflow.models._least_squares import Array, LeastSquares

Ball = Any
Matrix = Any


@dataclass(frozen=True)
class Balls:
    """A problem and its solution in balls.

    Attributes
    ----------
    design : X, of shape (n_rows, n_terms).
    gram : X'WX, W the weights.
    inverse : that of `gram`.
    estimates : shape (n_terms, 1).
    residual_sum : the sum of squared residuals, weighted.
    """

    design: Matrix
    weights: list[Ball]
    gram: Matrix
    inverse: Matrix
    estimates: Matrix
    residuals: list[Ball]
    residual_sum: Ball


def factor_positive(matrix: Matrix) -> Matrix:
    """Return the lower triangle T with T T' = matrix, by Cholesky's method.

    Raises
    ------
    ArithmeticError : the balls do not prove that the matrix is positive definite.
    """
    n = matrix.nrows()
    triangle = [[arb(0)] * n for _ in range(n)]
    for j in range(n):
        pivot = matrix[j, j] - sum((value * value for value in triangle[j][:j]), arb(0))
        if not pivot > 0:
            raise ArithmeticError
        triangle[j][j] = pivot.sqrt()
        for i in range(j + 1, n):
            inner = sum((a * b for a, b in zip(triangle[i][:j], triangle[j][:j], strict=True)), arb(0))
            triangle[i][j] = (matrix[i, j] - inner) / triangle[j][j]
    return arb_mat(triangle)


def round_solution(balls: Balls, triangle: Matrix) -> LeastSquares:
    """Return the solution in doubles.

    Parameters
    ----------
    triangle : T with T T' = the inverse of X'WX.
    """
    roots = np.array([float(weight.sqrt()) for weight in balls.weights])
    return LeastSquares(
        np.array([round_to_double(row[0]) for row in balls.estimates.tolist()]),
        np.array([float(balls.inverse[j, j].sqrt()) for j in range(balls.inverse.nrows())]),
        roots * np.array([0.0 if ball.contains(0) else float(ball) for ball in balls.residuals]),
        to_doubles(triangle),
        _find_condition(balls),
        roots[:, None] * to_doubles(balls.design * triangle),
    )


def to_doubles(matrix: Matrix) -> Array:
    """Return the middles of a matrix of balls."""
    return np.array([float(ball) for ball in matrix.entries()]).reshape(matrix.nrows(), matrix.ncols())


def _find_condition(balls: Balls) -> float:
    """Return the condition number of the design with columns scaled to length 1, from X'X and its inverse."""
    scale = [balls.gram[j, j].sqrt() for j in range(balls.gram.nrows())]
    largest = 1.0
    for matrix, sign in ((balls.gram, -1), (balls.inverse, 1)):
        scaled = arb_mat([[matrix[i, j] * (a * b) ** sign for j, b in enumerate(scale)] for i, a in enumerate(scale)])
        largest *= float(np.linalg.eigvalsh(to_doubles(scaled))[-1])
    return float(np.sqrt(largest))

"""Linear least squares solved exactly: what is printed is the double next to the solution for the data as they are written.

Where every number of the problem is rational the normal equations are rational too, and are solved without rounding; where a
column is more than arithmetic, such as log(x), they are solved in balls. Squaring the condition number, which forbids normal
equations in doubles, costs a few hundred bits here: they are doubled until every estimate and error is sharp.

Source: Johansson (2017), Arb: efficient arbitrary-precision midpoint-radius interval arithmetic; the FLINT library, fmpq_mat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx, fmpq, fmpq_mat

from phaseflow.errors import DataError
from phaseflow.models._balls import Balls, factor_positive, round_solution
from phaseflow.models._design import Column, Rows
from phaseflow.models._digits import count_digits, find_root, is_sharp, round_to_double
from phaseflow.models._least_squares import Array, LeastSquares
from phaseflow.models._sandwich import Sandwich, add_up

Matrix = Any
_BITS = (192, 384, 768, 1_536, 3_072, 6_144)


@dataclass(frozen=True)
class Certified:
    """The solution of a linear least-squares problem with what is proven of its digits.

    Attributes
    ----------
    solution : estimates are the doubles next to the exact ones, and so is all else to the last digit or two.
    errors : shape (n_terms,), the standard errors, each the double next to the exact one.
    digits : for each term how many digits are right, of its estimate and of its error.
    """

    solution: LeastSquares
    errors: Array
    digits: list[int]


@dataclass(frozen=True)
class Exact:
    """What is rational of a problem: columns, and from them the normal equations.

    Attributes
    ----------
    gram : X'WX.
    estimates : shape (n_terms, 1).
    residual_sum : the sum of squared residuals, weighted.
    """

    design: Matrix
    response: list[Any]
    weights: list[Any]
    gram: Matrix
    estimates: Matrix
    residual_sum: Any


def solve_exactly(
    rows: Rows, columns: Sequence[Column], response: Column, weights: Column | None, sandwich: Sandwich | None
) -> Certified | None:
    """Solve a linear least-squares problem for the data as they are written; None where balls do not settle it.

    Parameters
    ----------
    weights : the weight of each row, where they differ.
    sandwich : the robust covariance that the errors are taken from, if not the classical one.

    Raises
    ------
    DataError : the columns named are linearly dependent.
    """
    exact = _solve_rationals(rows, columns, response, weights)
    for bits in _BITS:
        with ctx.workprec(bits):
            try:
                balls = _convert(exact) if exact is not None else _solve_balls(rows, columns, response, weights)
                triangle = factor_positive(balls.inverse)
            except (ZeroDivisionError, ArithmeticError):
                continue
            errors = _find_errors(balls, sandwich)
            estimates = [row[0] for row in balls.estimates.tolist()]
            if all(map(is_sharp, [*estimates, *errors])):
                return _round(balls, triangle, estimates, errors)
    return None


# -- in rationals


def _solve_rationals(rows: Rows, columns: Sequence[Column], response: Column, weights: Column | None) -> Exact | None:
    found = [rows.evaluate_exactly(column) for column in (*columns, response, weights or Column(""))]
    known = [values for values in found if values is not None]
    if len(known) < len(found):
        return None
    *parts, y, w = known
    n, p = len(rows), len(parts)
    design = fmpq_mat(n, p, [parts[j][i] for i in range(n) for j in range(p)])
    weighted = fmpq_mat(n, p, [parts[j][i] * w[i] for i in range(n) for j in range(p)]) if weights else design
    gram = weighted.transpose() * design
    if gram.rank() < p:
        raise DataError(f"{rows.source}: {_explain_dependence(gram, [column.name for column in columns])}")
    right = weighted.transpose() * fmpq_mat(n, 1, y)
    estimates = gram.solve(right)
    squares = sum((a * a * b for a, b in zip(y, w, strict=True)), fmpq(0))
    return Exact(design, y, w, gram, estimates, squares - (right.transpose() * estimates)[0, 0])


def _explain_dependence(gram: Matrix, names: Sequence[str]) -> str:
    """Name the columns of the shortest linear relation that elimination shows."""
    reduced, rank = gram.rref()
    pivots = [next(j for j in range(len(names)) if reduced[i, j] != 0) for i in range(rank)]
    relations = [
        sorted([free, *(pivot for row, pivot in enumerate(pivots) if reduced[row, free] != 0)])
        for free in range(len(names))
        if free not in pivots
    ]
    involved = min(relations, key=len)
    if len(involved) == 1:
        return f"the term {names[involved[0]]!r} is zero in every row"
    return f"the terms {', '.join(repr(names[place]) for place in involved)} are linearly dependent; leave one out"


# -- in balls, at the working precision


def _convert(exact: Exact) -> Balls:
    design, estimates, gram = arb_mat(exact.design), arb_mat(exact.estimates), arb_mat(exact.gram)
    is_exact_fit = exact.residual_sum == 0
    residuals = [arb(0)] * design.nrows() if is_exact_fit else _subtract_fit(exact.response, design, estimates)
    weights = [arb(weight) for weight in exact.weights]
    return Balls(design, weights, gram, gram.inv(), estimates, residuals, arb(exact.residual_sum))


def _solve_balls(rows: Rows, columns: Sequence[Column], response: Column, weights: Column | None) -> Balls:
    parts, y = [rows.enclose(column) for column in columns], rows.enclose(response)
    w = rows.enclose(weights or Column(""))
    design = arb_mat([list(row) for row in zip(*parts, strict=True)])
    weighted = arb_mat([[value * weight for value in row] for row, weight in zip(zip(*parts, strict=True), w, strict=True)])
    gram = weighted.transpose() * design
    estimates = gram.solve(weighted.transpose() * arb_mat([[value] for value in y]))
    residuals = _subtract_fit(y, design, estimates)
    residual_sum = sum((a * a * b for a, b in zip(residuals, w, strict=True)), arb(0))
    return Balls(design, w, gram, gram.inv(), estimates, residuals, residual_sum)


def _subtract_fit(response: Sequence[Any], design: Matrix, estimates: Matrix) -> list[Any]:
    return [arb(value) - row[0] for value, row in zip(response, (design * estimates).tolist(), strict=True)]


def _find_errors(balls: Balls, sandwich: Sandwich | None) -> list[Any]:
    freedom = balls.design.nrows() - balls.design.ncols()
    if sandwich is None:
        return [find_root(balls.residual_sum / freedom * balls.inverse[j, j]) for j in range(balls.inverse.nrows())]
    pull = np.array((balls.design * balls.inverse).tolist(), dtype=object)
    weights, residuals = np.array(balls.weights, dtype=object), np.array(balls.residuals, dtype=object)
    leverages = (pull * np.array(balls.design.tolist(), dtype=object)).sum(axis=1) * weights
    influence = sandwich.weigh(pull * (weights * residuals)[:, None], leverages, balls.design.ncols())
    return [find_root(add_up(influence[:, [j]], sandwich.lags)[0, 0]) for j in range(balls.design.ncols())]


def _round(balls: Balls, triangle: Matrix, estimates: list[Any], errors: list[Any]) -> Certified:
    solution = round_solution(balls, triangle)
    printed = np.array([round_to_double(ball) for ball in errors])
    digits = [
        min(count_digits(estimate, ball), count_digits(error, of_error))
        for estimate, ball, error, of_error in zip(solution.estimates, estimates, printed, errors, strict=True)
    ]
    return Certified(solution, printed, digits)

"""A least-squares minimum in high precision: Newton's method with exact second derivatives, and a proof that it is one.

In coordinates v in which the linearised model's errors are unrelated and of size 1, p = p0 + T v, the gradient of the sum of
squares S is zero at one point of a box around p0 by Krawczyk's test, and its Hessian is positive definite over the box: the
box holds one stationary point, and it is a minimum. Data enter as they are written.

Source: Krawczyk (1969), Computing 4, 187-201; Rump (2010), Acta Numerica 19, sec. 13; Johansson (2017), Arb.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx

from phaseflow.expressions.enclosures import find_zero, is_regular
from phaseflow.expressions.intervals import Jet, NotSmoothError, OutsideDomainError, evaluate_jet, to_ball
from phaseflow.expressions.quantity import Expression
from phaseflow.models._balls import Balls, factor_positive
from phaseflow.models._design import Column, Rows
from phaseflow.models._digits import is_sharp
from phaseflow.models._least_squares import Array

Ball = Any
Matrix = Any
_BITS = (256, 512, 1_024)
# The box of the proof reaches this far, in standard errors: 2 to the power of minus a share of the bits.
_TIGHT = 2.5
_MOST_STEPS = 30
# Boxes in which the minimum is sought to be alone, in standard errors.
_WIDE = tuple(Fraction(share, 10**power) for power in range(10) for share in (10, 3))


@dataclass(frozen=True)
class Shape:
    """A curve over the rows of a table, with which of its parameters are free.

    Attributes
    ----------
    names : the free parameters.
    fixed : the values of those that lie at a bound.
    axes : shape (n_free, n_free), the coordinates T in which the linearised errors are unrelated and of size 1.
    """

    curve: Expression
    rows: Rows
    response: Column
    weights: Column | None
    names: Sequence[str]
    fixed: Mapping[str, Fraction]
    axes: Array


@dataclass(frozen=True)
class Proven:
    """A minimum that is proven to be one.

    Attributes
    ----------
    balls : the linear problem at the minimum, its estimates those of the free parameters.
    hessian : half of the second derivatives of the sum of squares, by the free parameters.
    pulls : the slope of half of the sum of squares by each parameter at a bound.
    reach : within how many standard errors there is no other stationary point.
    """

    balls: Balls
    hessian: Matrix
    pulls: dict[str, Ball]
    reach: float
    bits: int


class UnprovenError(ArithmeticError):
    """Nothing is proven; the text says why."""


def prove_minimum(shape: Shape, point: Array) -> Proven:
    """Refine a point to a minimum and prove that it is one.

    Parameters
    ----------
    point : shape (n_free,), near the minimum.

    Raises
    ------
    UnprovenError : no proof was found; the text says why.
    """
    found = None
    for bits in _BITS:
        with ctx.workprec(bits):
            try:
                found = _prove(shape, point, bits)
            except (NotSmoothError, OutsideDomainError) as error:
                raise UnprovenError(str(error)) from None
            except ZeroDivisionError:
                raise UnprovenError("the second derivatives are as good as singular") from None
            if all(is_sharp(ball) for ball in (*_to_list(found.balls.estimates), *find_variances(found.balls, found.balls.inverse))):
                return found
    if found is None:
        raise UnprovenError("no precision was enough")
    return found


def find_variances(balls: Balls, inverse: Matrix) -> list[Ball]:
    """Return the variances of the estimates, given the inverse of X'WX, or of the Hessian in its place."""
    freedom = balls.design.nrows() - balls.design.ncols()
    return [balls.residual_sum / freedom * inverse[j, j] for j in range(inverse.nrows())]


def _prove(shape: Shape, point: Array, bits: int) -> Proven:
    sums = Sums(shape, point)
    n = len(shape.names)
    centre = _iterate(sums, [arb(0)] * n)
    enclosed = find_zero(sums.expand, centre, arb(2) ** -int(bits / _TIGHT))
    if enclosed is None:
        raise UnprovenError("Krawczyk's test does not prove that there is one stationary point next to the answer")
    try:
        factor_positive(sums.expand(enclosed)[1])
    except ArithmeticError:
        raise UnprovenError("the stationary point next to the answer is not proven to be a minimum") from None
    reach = next((float(radius) for radius in _WIDE if _is_alone(sums, centre, to_ball(radius).lower())), 0.0)
    return sums.linearise(enclosed, reach, bits)


def _is_alone(sums: Sums, centre: Sequence[Ball], radius: Ball) -> bool:
    try:
        return is_regular(sums.bend_around(centre, radius))
    except (NotSmoothError, OutsideDomainError, ZeroDivisionError):
        return False


def _iterate(sums: Sums, centre: list[Ball]) -> list[Ball]:
    """Take Newton's steps until they no longer shrink.

    Raises
    ------
    UnprovenError : the steps do not converge.
    """
    last = None
    for _ in range(_MOST_STEPS):
        gradient, hessian = sums.expand(centre)
        step = _to_list(hessian.mid().solve(gradient.mid()))
        size = max(float(abs(ball.mid())) for ball in step)
        if size == 0 or (last is not None and size < 1e-30 and size >= last / 2):
            return centre
        if not np.isfinite(size) or (last is not None and size > 1e3 * max(last, 1)):
            break
        centre = [(a - b).mid() for a, b in zip(centre, step, strict=True)]
        last = size
    raise UnprovenError("Newton's method does not converge from the answer")


class Sums:
    """Half of the sum of squares around a point, with its derivatives, at the working precision."""

    def __init__(self, shape: Shape, point: Array) -> None:
        self.shape = shape
        self.origin = [arb(float(value)) for value in point]
        self.axes = [[arb(float(value)) for value in row] for row in shape.axes]
        columns = sorted(shape.curve.names - set(shape.names) - set(shape.fixed))
        written = [[(to_ball(value), value) for value in shape.rows.written[name]] for name in columns]
        self.rows = [dict(zip(columns, row, strict=True)) for row in zip(*written, strict=True)] or [{} for _ in range(len(shape.rows))]
        self.response = shape.rows.enclose(shape.response)
        self.weights = shape.rows.enclose(shape.weights or Column(""))

    def expand(self, place: Sequence[Ball]) -> tuple[Matrix, Matrix]:
        """Return gradient and Hessian by the coordinates v, over a box of them."""
        return self._add_up(self._evaluate(self._place_parameters(place, self.axes), 2), len(place))

    def bend_around(self, centre: Sequence[Ball], radius: Ball) -> Matrix:
        """Return the Hessian over a wide box, from slopes at its centre and second derivatives over it (the mean value theorem).

        In the parameters' own ranges, which know nothing of what they have in common, slopes by v do not cancel as they should.
        """
        box = [arb(ball, radius) for ball in centre]
        steps = [a - b for a, b in zip(box, centre, strict=True)]
        middle = self._evaluate(self._place_parameters(centre, self.axes), 1)
        wide = self._evaluate(self._place_parameters(box, self.axes), 2)
        return self._add_up([_narrow(*pair, steps) for pair in zip(middle, wide, strict=True)], len(box))[1]

    def _add_up(self, jets: Sequence[Jet], n: int) -> tuple[Matrix, Matrix]:
        gradient, hessian = [arb(0)] * n, [[arb(0)] * n for _ in range(n)]
        for jet, y, w in zip(jets, self.response, self.weights, strict=True):
            weighted = w * (y - jet.value)
            slopes = list(jet.slopes.items())
            for i, slope in slopes:
                gradient[i] -= weighted * slope
                along = w * slope
                for j, other in slopes:
                    if j <= i:
                        hessian[i][j] += along * other if j < i else w * slope**2
            for (i, j), bend in jet.bends.items():
                hessian[j][i] -= weighted * bend
        full = [[hessian[max(i, j)][min(i, j)] for j in range(n)] for i in range(n)]
        return arb_mat([[ball] for ball in gradient]), arb_mat(full)

    def linearise(self, place: Sequence[Ball], reach: float, bits: int) -> Proven:
        """Return the linear problem by the parameters themselves, over a box."""
        n, shape = len(place), self.shape
        unit = [[arb(int(i == j)) for j in range(n)] for i in range(n)]
        parameters = self._place_parameters(place, unit)
        for number, (name, value) in enumerate(shape.fixed.items(), n):
            parameters[name] = Jet(to_ball(value), {number: arb(1)})
        everything = range(n + len(shape.fixed))
        design, residuals, pulls = [], [], [arb(0)] * len(everything)
        bends: dict[tuple[int, int], Ball] = {}
        for jet, y, w in zip(self._evaluate(parameters, 2), self.response, self.weights, strict=True):
            residual = y - jet.value
            residuals.append(residual)
            design.append([jet.slopes.get(place, arb(0)) for place in range(n)])
            for i, slope in jet.slopes.items():
                pulls[i] -= w * residual * slope
            for pair, bend in jet.bends.items():
                bends[pair] = bends.get(pair, arb(0)) + w * residual * bend
        balls = self._solve(design, residuals, [parameters[name].value for name in shape.names])
        curvature = arb_mat([[bends.get((min(i, j), max(i, j)), arb(0)) for j in range(n)] for i in range(n)])
        return Proven(balls, balls.gram - curvature, dict(zip(shape.fixed, pulls[n:], strict=True)), reach, bits)

    def _solve(self, design: list[list[Ball]], residuals: list[Ball], estimates: list[Ball]) -> Balls:
        matrix = arb_mat(design)
        weighted = arb_mat([[w * value for value in row] for w, row in zip(self.weights, design, strict=True)])
        gram = weighted.transpose() * matrix
        total = sum((w * abs(value) ** 2 for w, value in zip(self.weights, residuals, strict=True)), arb(0))
        return Balls(matrix, self.weights, gram, gram.inv(), arb_mat([[ball] for ball in estimates]), residuals, total)

    def _place_parameters(self, place: Sequence[Ball], axes: Sequence[Sequence[Ball]]) -> dict[str, Jet]:
        """Return the parameters at a place v, with their slopes along other axes than those of v, if asked for."""
        jets = {}
        for name, start, row, slopes in zip(self.shape.names, self.origin, self.axes, axes, strict=True):
            value = start + sum((a * b for a, b in zip(row, place, strict=True)), arb(0))
            jets[name] = Jet(value, {k: slope for k, slope in enumerate(slopes) if slope != 0})
        return jets | {name: Jet(to_ball(value), exact=value) for name, value in self.shape.fixed.items()}

    def _evaluate(self, parameters: Mapping[str, Jet], order: int) -> list[Jet]:
        tree = self.shape.curve.tree
        rows = ({name: Jet(ball, exact=value) for name, (ball, value) in row.items()} for row in self.rows)
        return [evaluate_jet(tree, {**parameters, **row}, order) for row in rows]


def _narrow(middle: Jet, wide: Jet, steps: Sequence[Ball]) -> Jet:
    """Return the jet over a box with values and slopes from those at its centre, where that is narrower."""
    slopes = {}
    for i, natural in wide.slopes.items():
        along = (wide.bends.get((min(i, j), max(i, j)), arb(0)) * step for j, step in enumerate(steps))
        slopes[i] = _choose(natural, middle.slopes.get(i, arb(0)) + sum(along, arb(0)))
    value = middle.value + sum((slope * steps[i] for i, slope in slopes.items()), arb(0))
    return Jet(_choose(wide.value, value), slopes, wide.bends)


def _choose(first: Ball, second: Ball) -> Ball:
    return first if first.rad() <= second.rad() else second


def _to_list(column: Matrix) -> list[Ball]:
    return [row[0] for row in column.tolist()]

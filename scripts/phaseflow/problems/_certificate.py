"""What can be proven of an answer: that one minimum, or one saddle, lies next to it, and how far the answer's value is from the least.

From the answer Newton's method goes to the stationary point, or to the point that satisfies the KKT conditions, with many bits.
Krawczyk's test encloses it; the signs of multipliers and of the eigenvalues of the (projected) Hessian tell what it is; and a Jacobian
that is regular over a box around it shows that the box, which holds the answer, has no other such point.

Source: Hansen and Walster (2004), Global Optimization Using Interval Analysis, ch. 10, 12 and 13; Rump (2010), Acta Numerica 19;
Nocedal and Wright (2006), Numerical Optimization, theorems 12.1, 12.6 and 16.3 (KKT, second order, inertia).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from flint import arb, arb_mat, ctx
from numpy.typing import NDArray

from phaseflow.expressions.enclosures import (
    Ball,
    find_inertia,
    find_zero,
    is_regular,
    measure_balls,
    round_down,
    round_up,
    to_column,
    to_list,
)
from phaseflow.expressions.intervals import NotSmoothError, OutsideDomainError
from phaseflow.problems import NO_CERTIFICATE, Certificate
from phaseflow.problems._faces import CONVERGED, Face, Kkt, UnprovenError, border
from phaseflow.problems._statement import Expansion, Statement

Array = NDArray[np.float64]

# Over boxes a few digits are enough; the radius, not the rounding, makes enclosures wide.
_BOX_BITS = 64
# The box of a lone stationary point begins with a radius, and is widened by a factor at a time, so often at most.
_FIRST_RADIUS, _WIDEN, _MOST_WIDENINGS = 1e-6, 4.0, 12
# Where the Hessian's sign is not shown over a box at once, the box is cut into so many parts at most.
_MOST_PARTS = 64


class Certifier:
    """Certifies answers of one problem; nothing that it says of one answer depends on another."""

    def __init__(self, statement: Statement, bits: int, near: float) -> None:
        self.statement, self.bits, self.near = statement, bits, near
        self.kkt, self.n = Kkt(statement), len(statement.names)
        self._known: dict[bytes, Certificate] = {}

    def certify(self, point: Array, slopes: Array, multipliers: Array) -> Certificate:
        """Return what can be proven of an answer.

        Parameters
        ----------
        point : shape (n_variables,), the answer.
        slopes : shape (n_variables,), the approximate slopes of the Lagrangian there.
        multipliers : shape (n_conditions,), approximate multipliers of the conditions.
        """
        key = point.tobytes()
        if key not in self._known:
            with ctx.workprec(self.bits):
                try:
                    self._known[key] = self._prove(point, slopes, multipliers)
                except (UnprovenError, NotSmoothError, OutsideDomainError) as reason:
                    self._known[key] = replace(NO_CERTIFICATE, reason=self._find_kink(point) or str(reason))
        return self._known[key]

    def _find_kink(self, point: Array) -> str:
        """Return why there are no derivatives all around an answer; nothing where there are, or where it is not finite."""
        try:
            self.statement.expand([arb(float(x), self.near * max(1.0, abs(float(x)))) for x in point], 2)
        except NotSmoothError as reason:
            return f"next to the answer {reason}"
        except OutsideDomainError:
            return ""
        return ""

    def _prove(self, point: Array, slopes: Array, multipliers: Array) -> Certificate:
        if not np.isfinite(point).all():
            raise UnprovenError("the answer is not finite")
        face, refined = self.kkt.find_face(point, slopes, multipliers)
        enclosure = self._enclose(face, refined)
        box, found = self.kkt.split(face, enclosure)
        signs = self._find_signs(face, box, found)
        value, at_answer = (self.statement.expand(x, 0, ()).objective.value for x in (box, [arb(float(x)) for x in point]))
        is_global = signs == "unique_minimum" and self._is_convex(found)
        gap = round_up(at_answer - value) if signs == "unique_minimum" else math.nan
        least = round_down(value) if is_global else -math.inf
        try:
            radius = self._find_radius(face, box, point, is_minimum=signs == "unique_minimum")
        except UnprovenError as reason:
            if not is_global:
                raise
            # The least value of a convex problem is known all the same.
            return replace(NO_CERTIFICATE, reason=str(reason), gap=gap, scope="global", least=least)
        # A convex function within bounds has no other KKT point anywhere; under conditions it may have some that are no minima.
        radius = math.inf if is_global and not self.statement.slacks else radius
        scope = "" if signs != "unique_minimum" else "global" if is_global else "local"
        middle, error = _round(box)
        return Certificate(signs, _describe(signs, face, is_global), gap, scope, middle, float(value.mid()), error, radius, least)

    # -- the proof at the point

    def _enclose(self, face: Face, refined: list[Ball]) -> list[Ball]:
        """Return an enclosure of the KKT point, of no width where it is found exactly."""
        if not refined:
            return refined
        rounded = [arb(float(ball)) for ball in refined]
        is_exact = all(ball.is_zero() for ball in to_list(self.kkt.state(face, rounded)[0]))
        centre = rounded if is_exact else refined
        scale = max(1.0, measure_balls(centre))
        for loss in (CONVERGED, 0.6, 0.45, 0.3):
            found = find_zero(lambda at: self.kkt.state(face, at), centre, arb(2) ** int(-loss * ctx.prec) * scale)
            if found is not None:
                return rounded if is_exact else found
        raise UnprovenError("the Hessian is so near to singular that one stationary point cannot be told from several")

    def _find_signs(self, face: Face, box: list[Ball], found: dict[int, Ball]) -> str:
        """Return what an enclosed KKT point is.

        Raises
        ------
        UnprovenError : a bound or a condition may be violated, a multiplier may be zero, or an eigenvalue.
        """
        expansion, free = self.statement.expand(box, 2), face.list_free(self.n)
        self._check_multipliers(face, expansion, found)
        is_touching = self._check_bounds(face, box)
        inertia = find_inertia(border(expansion, free, found, sign=1))
        if inertia is None:
            raise UnprovenError("the signs of the Hessian's eigenvalues cannot be told")
        n_negative = inertia[1] - len(face.active)
        if n_negative == 0:
            return "unique_minimum"
        if is_touching:
            raise UnprovenError("a saddle or a maximum without bounds, at a bound where the slope is zero")
        is_maximum = n_negative == len(free) - len(face.active) and not face.sides and set(face.active) <= self.statement.equations
        return "stationary" if is_maximum else "saddle"

    def _check_multipliers(self, face: Face, expansion: Expansion, found: Mapping[int, Ball]) -> None:
        for place, side in face.sides.items():
            if not side * expansion.find_slope(place, found) > 0:
                raise UnprovenError(f"{self.statement.names[place]} is at its bound, and that the slope pushes there cannot be shown")
        for number, jet in expansion.slacks.items():
            is_equation = number in self.statement.equations
            if number in face.active and not is_equation and not found[number] > 0:
                raise UnprovenError(f"the multiplier of constraint {number + 1} cannot be told from zero")
            if number not in face.active and not jet.value > 0:
                raise UnprovenError(f"constraint {number + 1} holds with equality, or nearly so, and has no multiplier above zero")

    def _check_bounds(self, face: Face, box: list[Ball]) -> bool:
        """Check that the free variables are within their bounds, and tell whether one of them is exactly at its bound."""
        is_touching = False
        for place in face.list_free(self.n):
            low, high = self.statement.find_bounds(place)
            if not (box[place] >= low and box[place] <= high):
                raise UnprovenError(
                    f"{self.statement.names[place]} is so near its bound, where the slope is zero, that it may be beyond it"
                )
            is_touching |= not (box[place] > low and box[place] < high)
        if is_touching and face.active:
            raise UnprovenError("a variable is at its bound with a slope of zero, beside conditions that hold with equality")
        return is_touching

    # -- the box around it

    def _find_radius(self, face: Face, box: list[Ball], point: Array, *, is_minimum: bool) -> float:
        """Return a radius within which there is no other KKT point, in units of max(1, |x|) of each variable; the answer lies within.

        Raises
        ------
        UnprovenError : there is none that holds the answer, as far as this test can tell.
        """
        middle = [float(ball.mid()) for ball in box]
        units = [max(1.0, abs(x)) for x in middle]
        away = max(abs(x - float(y)) / unit for x, y, unit in zip(middle, point, units, strict=True))
        if away > self.near:
            raise UnprovenError(f"the nearest stationary point that was found is {away:.1e} from the answer, more than near allows")
        offsets = [abs(x - float(y)) + round_up(ball.rad()) for x, y, ball in zip(middle, point, box, strict=True)]
        least = max(1.01 * offset / unit for offset, unit in zip(offsets, units, strict=True)) + 1e-12
        with ctx.workprec(_BOX_BITS):
            radius = max(least, _FIRST_RADIUS)
            if self._is_alone(face, middle, [radius * unit for unit in units], is_minimum=False):
                return self._widen(face, middle, radius, units)
            if self._is_alone(face, middle, [least * unit for unit in units], is_minimum=is_minimum):
                return least
            narrow = [1.01 * offset + 1e-30 * unit for offset, unit in zip(offsets, units, strict=True)]
            if self._is_alone(face, middle, narrow, is_minimum=is_minimum):
                return min(width / unit for width, unit in zip(narrow, units, strict=True))
        raise UnprovenError(f"that there is no other stationary point between the answer and one {max(offsets):.1e} away cannot be shown")

    def _widen(self, face: Face, middle: Sequence[float], radius: float, units: Sequence[float]) -> float:
        """Return the largest radius, of those that are tried, of a box around a KKT point that has no other."""
        for _ in range(_MOST_WIDENINGS):
            if not self._is_alone(face, middle, [_WIDEN * radius * unit for unit in units], is_minimum=False):
                break
            radius *= _WIDEN
        return radius

    def _is_alone(self, face: Face, middle: Sequence[float], radii: Sequence[float], *, is_minimum: bool) -> bool:
        """Tell whether there is no other KKT point in a box around one, within the bounds.

        A box that fails at once is cut into parts where the point is a minimum without active conditions: if the Hessian is positive
        definite in each, the function is convex over the whole.
        """
        parts = [[self._clip(place, x, r) for place, (x, r) in enumerate(zip(middle, radii, strict=True))]]
        if self._is_alone_within(face, parts[0]):
            return True
        if not is_minimum or face.active:
            return False
        for _ in range(_MOST_PARTS):
            if not parts:
                return True
            part = parts.pop()
            if not self._is_convex_within(face, part):
                parts += _halve(part)
        return False

    def _clip(self, place: int, middle: float, radius: float) -> Ball:
        """Return the part of a range that is within the bounds; the range is a trifle wider than the radius, which was rounded."""
        least, most = self.statement.find_bounds(place)
        reach = arb(radius) * (1 + arb(2) ** -40)
        return (middle - reach).max(least).union((middle + reach).min(most))

    def _is_alone_within(self, face: Face, box: list[Ball]) -> bool:
        free = face.list_free(self.n)
        try:
            expansion = self.statement.expand(box, 2)
            found = _enclose_multipliers(expansion, free, face.active)
            self._check_multipliers(face, expansion, found)
        except (UnprovenError, NotSmoothError, OutsideDomainError, ZeroDivisionError):
            return False
        jacobian = border(expansion, free, found, sign=1)
        if self._reaches_bounds(face, box):
            # Other points may satisfy the KKT conditions at those bounds, unless the function is convex.
            return not face.active and find_inertia(jacobian) == (len(free), 0)
        return not free or is_regular(jacobian)

    def _is_convex_within(self, face: Face, box: list[Ball]) -> bool:
        """Tell whether the objective is strictly convex in the free variables, and rises from the bounds of the others."""
        free = face.list_free(self.n)
        try:
            expansion = self.statement.expand(box, 2)
            self._check_multipliers(face, expansion, {})
        except (UnprovenError, NotSmoothError, OutsideDomainError):
            return False
        return find_inertia(border(expansion, free, {}, sign=1)) == (len(free), 0)

    def _reaches_bounds(self, face: Face, box: list[Ball]) -> bool:
        sides = [(box[place], *self.statement.find_bounds(place)) for place in face.list_free(self.n)]
        return not all(ball > low and ball < high for ball, low, high in sides)

    def _is_convex(self, found: Mapping[int, Ball]) -> bool:
        """Tell whether the Lagrangian with these multipliers is convex everywhere within the bounds, so that a KKT point is the least.

        For every feasible x: f(x) >= f(x) - sum of multiplier times slack = L(x) >= L(KKT point) = f(KKT point).
        """
        with ctx.workprec(_BOX_BITS):
            try:
                expansion = self.statement.expand(self.statement.find_domain(), 2)
            except (NotSmoothError, OutsideDomainError):
                return False
            jets = (expansion.objective, *(expansion.slacks[number] for number in found))
            curved = sorted({place for jet in jets for pair in jet.bends for place in pair})
            return find_inertia(border(expansion, curved, found, sign=1, is_bordered=False)) == (len(curved), 0)


def _enclose_multipliers(expansion: Expansion, free: Sequence[int], active: Sequence[int]) -> dict[int, Ball]:
    """Return the multipliers of every KKT point of a box, from the normal equations of the free variables' slopes.

    Raises
    ------
    ZeroDivisionError : the slopes of the conditions may depend on each other.
    """
    if not active:
        return {}
    slopes = arb_mat([[expansion.slacks[number].slopes.get(place, arb(0)) for place in free] for number in active])
    wanted = to_column([expansion.objective.slopes.get(place, arb(0)) for place in free])
    return dict(zip(active, to_list((slopes * slopes.transpose()).solve(slopes * wanted)), strict=True))


def _round(box: Sequence[Ball]) -> tuple[Array, float]:
    """Return the doubles next to a point, and a bound on what they are off by."""
    middle = np.array([float(ball.mid()) for ball in box])
    return middle, max(round_up(abs(ball - float(x))) for ball, x in zip(box, middle, strict=True))


def _halve(box: list[Ball]) -> list[list[Ball]]:
    """Return the two halves of a box, cut across its widest side."""
    widest = max(range(len(box)), key=lambda place: float(box[place].rad()))
    ball = box[widest]
    sides = [(ball.lower(), ball.mid()), (ball.mid(), ball.upper())]
    return [[*box[:widest], low.union(high), *box[widest + 1 :]] for low, high in sides]


def _describe(signs: str, face: Face, is_global: bool) -> str:
    held = f", {len(face.sides)} of its variables at a bound" if face.sides else ""
    held += f", {len(face.active)} of its conditions with equality" if face.active else ""
    kind = {"unique_minimum": "a minimum", "saddle": "a saddle", "stationary": "a maximum"}[signs]
    text = f"one stationary point is proven next to the answer, {kind}{held}"
    return f"{text}; the problem is convex within its bounds, so there is no lower value" if is_global else text

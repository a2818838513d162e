"""A proven bound on the least value within bounds and conditions: branch and bound over boxes of intervals.

A box is dropped where its lower bound is above a value that is attained, where a condition fails all over it, or where the slope by one
variable has one sign, unless the box reaches the bound that the slope leads to. Where the objective is convex over a box, the bound
follows from the tangent at an approximate minimum, and the box is done with.

Source: Hansen and Walster (2004), Global Optimization Using Interval Analysis, ch. 12.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx

from phaseflow.expressions.enclosures import find_inertia, round_down, round_up
from phaseflow.expressions.intervals import NotSmoothError, OutsideDomainError
from phaseflow.problems._statement import Expansion, Statement

Ball = Any
# A box as the least and the greatest value of each variable.
Box = tuple[tuple[float, float], ...]

_BITS = 64
_NEWTON_STEPS = 12
# What a lower bound may be below an attained value, relative to max(1, |value|), when the least value counts as enclosed.
# The radius of a ball has 30 bits, so that hulls of what is far apart are not much closer.
_CLOSE = 1e-8


@dataclass(frozen=True)
class Bound:
    """What is proven of the least value.

    Attributes
    ----------
    lower : no point within bounds and conditions has a value below it.
    upper : a value that is attained; infinite where none is known.
    boxes : how many boxes were looked at.
    """

    lower: float
    upper: float
    boxes: int

    @property
    def is_closed(self) -> bool:
        """Whether the two enclose the least value closely."""
        return math.isfinite(self.upper) and self.upper - self.lower <= _CLOSE * max(1.0, abs(self.upper))


def bound_least_value(statement: Statement, budget: int) -> Bound:
    """Return what is proven of the least value of a problem whose variables all have finite bounds.

    Parameters
    ----------
    budget : how many boxes are looked at, at most.
    """
    with ctx.workprec(_BITS):
        return _Search(statement).run(budget)


@dataclass
class _Search:
    """One search: boxes still open by their lower bounds, the least bound of those done with, and the best value attained."""

    statement: Statement
    open: list[tuple[float, int, Box]] = field(default_factory=list)
    done: float = math.inf
    attained: float = math.inf
    boxes: int = 0

    def __post_init__(self) -> None:
        sides = [self.statement.find_bounds(place) for place in range(len(self.statement.names))]
        self.domain: Box = tuple((round_down(low), round_up(high)) for low, high in sides)

    def run(self, budget: int) -> Bound:
        self._add(self.domain, -math.inf)
        while self.open and self.boxes < budget and self.open[0][0] < self._find_goal():
            lower, _, box = heapq.heappop(self.open)
            for half in _halve(box, self.domain):
                self._add(half, lower)
        return Bound(min(self.done, self.attained, *(lower for lower, _, _ in self.open)), self.attained, self.boxes)

    def _find_goal(self) -> float:
        """Return the lower bound above which a box need not be cut further."""
        best = min(self.attained, self.done)
        return best - _CLOSE / 2 * max(1.0, abs(best)) if math.isfinite(best) else best

    def _add(self, box: Box, lower: float) -> None:
        """Look at a box, and keep it open unless it is done with."""
        self.boxes += 1
        lower, left = self._examine(box, lower)
        if left is None or lower > self.attained:
            return
        if all(low == high for low, high in left):
            self.done = min(self.done, lower)
        else:
            heapq.heappush(self.open, (lower, self.boxes, left))

    def _examine(self, box: Box, lower: float) -> tuple[float, Box | None]:
        """Return a box's lower bound, and what is left of the box, None where nothing is."""
        balls = [arb(low).union(arb(high)) if low < high else arb(low) for low, high in box]
        try:
            rough = self.statement.expand(balls, 0)
        except OutsideDomainError:
            return math.inf, None
        if self._is_forbidden(rough):
            return math.inf, None
        lower = max(lower, round_down(rough.objective.value))
        middle = [low + (high - low) / 2 for low, high in box]
        self._try(middle)
        try:
            sloped = self.statement.expand(balls, 2)
        except (NotSmoothError, OutsideDomainError):
            return lower, box
        lower = max(lower, self._bound_by_tangent(sloped, balls, middle))
        if lower > self.attained:
            return lower, None
        return self._use_slopes(sloped, box, lower) if self._is_inside(sloped) else (lower, box)

    def _use_slopes(self, expansion: Expansion, box: Box, lower: float) -> tuple[float, Box | None]:
        """Drop a box within the conditions that holds no least value, lay it on the bounds, or be done with it where it is convex."""
        sides = list(box)
        for place, slope in expansion.objective.slopes.items():
            if not (slope > 0 or slope < 0) or box[place][0] == box[place][1]:
                continue
            end = 0 if slope > 0 else 1
            if box[place][end] != self.domain[place][end]:
                return math.inf, None
            sides[place] = (box[place][end], box[place][end])
        left = tuple(sides)
        if left != box:
            return self._examine(left, lower)
        free = [place for place, (low, high) in enumerate(box) if low < high]
        matrix = [[expansion.find_bend(i, j, {}) for j in free] for i in free]
        if free and find_inertia(arb_mat(matrix)) != (len(free), 0):
            return lower, box
        lower = max(lower, self._bound_convex(box, free))
        if lower >= self._find_goal():
            self.done = min(self.done, lower)
            return lower, None
        return lower, box

    def _is_forbidden(self, expansion: Expansion) -> bool:
        """Tell whether no point of a box keeps the conditions."""
        equations = self.statement.equations
        return any(jet.value < 0 or (number in equations and jet.value > 0) for number, jet in expansion.slacks.items())

    def _is_inside(self, expansion: Expansion) -> bool:
        """Tell whether every point of a box keeps the conditions, and points next to it."""
        return not self.statement.equations and all(jet.value > 0 for jet in expansion.slacks.values())

    def _try(self, point: Sequence[float]) -> None:
        """Take the value at a point for attained where that is lower, and the point is proven to keep bounds and conditions."""
        if self.statement.equations:
            return
        # Careful: a bound that no double holds has been rounded outwards.
        balls = []
        for place, x in enumerate(point):
            low, high = self.statement.find_bounds(place)
            inner = math.nextafter(x, math.inf) if not arb(x) >= low else math.nextafter(x, -math.inf) if not arb(x) <= high else x
            balls.append(arb(inner))
        try:
            expansion = self.statement.expand(balls, 0)
        except OutsideDomainError:
            return
        if all(jet.value >= 0 for jet in expansion.slacks.values()) and expansion.objective.value.is_finite():
            self.attained = min(self.attained, round_up(expansion.objective.value))

    def _bound_by_tangent(self, expansion: Expansion, balls: Sequence[Ball], middle: Sequence[float]) -> float:
        """Return the lower bound of the mean value form."""
        value = self.statement.expand([arb(x) for x in middle], 0, ()).objective.value
        for place, slope in expansion.objective.slopes.items():
            value += slope * (balls[place] - middle[place])
        return round_down(value)

    def _bound_convex(self, box: Box, free: Sequence[int]) -> float:
        """Return the lower bound of the tangent at an approximate minimum of a box where the objective is convex."""
        point = self._descend(box, free)
        self._try(point)
        jet = self.statement.expand([arb(x) for x in point], 1, ()).objective
        lower = jet.value
        for place in free:
            slope, (low, high) = jet.slopes.get(place, arb(0)), box[place]
            lower += (slope * (arb(low) - point[place])).min(slope * (arb(high) - point[place]))
        return round_down(lower)

    def _descend(self, box: Box, free: Sequence[int]) -> list[float]:
        """Return an approximate minimum within a box, by Newton steps in the variables that no slope holds at a side."""
        point = [low + (high - low) / 2 for low, high in box]
        for _ in range(_NEWTON_STEPS):
            jet = self.statement.expand([arb(x) for x in point], 2, ())
            slopes = [float(jet.find_slope(place, {}).mid()) for place in free]
            moving = [
                k for k, place in enumerate(free) if not (point[place] == box[place][0] and slopes[k] > 0)
                and not (point[place] == box[place][1] and slopes[k] < 0)
            ]  # fmt: skip
            if not moving:
                break
            hessian = np.array([[float(jet.find_bend(free[i], free[j], {}).mid()) for j in moving] for i in moving])
            step = np.linalg.lstsq(hessian, np.array([slopes[k] for k in moving]), rcond=None)[0]
            before = list(point)
            for k, by in zip(moving, step, strict=True):
                low, high = box[free[k]]
                point[free[k]] = min(max(point[free[k]] - float(by), low), high)
            if point == before:
                break
        return point


def _halve(box: Box, domain: Box) -> list[Box]:
    """Return the halves of a box, cut across the side that is the widest part of the domain's."""
    parts = [(high - low) / (most - least) for (low, high), (least, most) in zip(box, domain, strict=True)]
    widest = max(range(len(box)), key=parts.__getitem__)
    low, high = box[widest]
    middle = low + (high - low) / 2
    if not low < middle < high:
        return [box]
    return [(*box[:widest], side, *box[widest + 1 :]) for side in ((low, middle), (middle, high))]

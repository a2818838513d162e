"""A linear or mixed-integer program in exact rationals: what every statement of a program is translated into.

Least sum of cost * x within lower <= x <= upper, where each constraint keeps lower <= terms . x <= upper; None is no bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from flint import fmpq

from phaseflow.expressions.rationals import Rational

ZERO, ONE = fmpq(0), fmpq(1)


@dataclass(frozen=True)
class Unknown:
    """A variable of a program."""

    name: str
    cost: Rational
    lower: Rational | None = ZERO
    upper: Rational | None = None
    is_integer: bool = False


@dataclass(frozen=True)
class Constraint:
    """A constraint of a program.

    Attributes
    ----------
    terms : the coefficient of each variable that occurs, by its place.
    stated : the number of the problem that bounds it, in the user's units.
    unit : how many of the user's units one of the constraint's own is.
    is_firm : it cannot give: it says what the variables mean.
    """

    name: str
    terms: Mapping[int, Rational]
    lower: Rational | None
    upper: Rational | None
    stated: Rational
    unit: Rational = ONE
    is_firm: bool = False


@dataclass(frozen=True)
class LinearProgram:
    """Variables, constraints and a constant that is added to the cost."""

    unknowns: Sequence[Unknown]
    constraints: Sequence[Constraint]
    constant: Rational = ZERO

    @cached_property
    def cost(self) -> list[Rational]:
        """The cost of each variable."""
        return [unknown.cost for unknown in self.unknowns]

    @cached_property
    def lower(self) -> list[Rational | None]:
        """The lower bound of each variable, then of each constraint."""
        return [u.lower for u in self.unknowns] + [c.lower for c in self.constraints]

    @cached_property
    def upper(self) -> list[Rational | None]:
        """The upper bound of each variable, then of each constraint."""
        return [u.upper for u in self.unknowns] + [c.upper for c in self.constraints]

    @cached_property
    def columns(self) -> list[list[tuple[int, Rational]]]:
        """For each variable the constraints in which it occurs, with its coefficients."""
        columns: list[list[tuple[int, Rational]]] = [[] for _ in self.unknowns]
        for row, constraint in enumerate(self.constraints):
            for place, coefficient in constraint.terms.items():
                columns[place].append((row, coefficient))
        return columns

    @property
    def has_integers(self) -> bool:
        """Whether a variable must be a whole number."""
        return any(unknown.is_integer for unknown in self.unknowns)

    def find_cost(self, point: Sequence[Rational]) -> Rational:
        """Return the whole cost at a point, the constant included."""
        return sum((c * x for c, x in zip(self.cost, point, strict=False) if c and x), self.constant)


def to_double(value: Rational) -> float:
    """Return the double next to a rational, infinite beyond the largest."""
    try:
        return int(value.p) / int(value.q)
    except OverflowError:
        return math.inf if value > 0 else -math.inf

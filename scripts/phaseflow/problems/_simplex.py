"""The simplex method for bounded variables in exact rationals: it ends what a solver in floating point began, and proves it.

A constraint a . x has a variable of its own, s = a . x, so that all that is bounded is a variable: the program's own come first,
those of the constraints after them. A basis says which of them follow from the others, which stand at a bound. Only the constraints
at a bound and the basic variables of the program itself make a matrix (K below); the other constraints follow from it.
Bland's rule, which cannot cycle. Source: Bland (1977), Math. Oper. Res. 2, 103-107; Chvatal (1983), Linear Programming, ch. 8 and 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import cached_property

from flint import fmpq_mat

from phaseflow.expressions.rationals import Rational
from phaseflow.problems._linear_program import ONE, ZERO, LinearProgram


class Place(Enum):
    """Where a variable stands; a free one that is not basic is 0."""

    BASIC = "basic"
    LOWER = "lower"
    UPPER = "upper"
    FREE = "free"


class PivotsExhaustedError(Exception):
    """More pivots were needed than allowed."""


class Budget:
    """How many pivots are left."""

    def __init__(self, pivots: int) -> None:
        self.left = pivots

    def spend(self) -> None:
        """Take one.

        Raises
        ------
        PivotsExhaustedError : none was left.
        """
        if self.left <= 0:
            raise PivotsExhaustedError
        self.left -= 1


class Basis:
    """A basis of a program within bounds, and what follows from it; none of it changes.

    Parameters
    ----------
    places : where each variable stands, those of the constraints last; as many are basic as there are constraints.
    lower, upper : the bounds, which may be others than the program's.
    """

    def __init__(
        self, program: LinearProgram, places: Sequence[Place], lower: Sequence[Rational | None], upper: Sequence[Rational | None]
    ) -> None:
        self.program, self.places, self.lower, self.upper = program, list(places), lower, upper
        self.n = len(program.unknowns)
        self.own = [j for j in range(self.n) if places[j] is Place.BASIC]
        self.tight = [i for i in range(len(program.constraints)) if places[self.n + i] is not Place.BASIC]

    @cached_property
    def basics(self) -> list[int]:
        """The basic variables."""
        return [v for v, place in enumerate(self.places) if place is Place.BASIC]

    @cached_property
    def _matrix(self) -> fmpq_mat:
        """K: the tight constraints by the program's own basic variables."""
        rows = [self.program.constraints[i].terms for i in self.tight]
        return fmpq_mat(len(rows), len(self.own), [row.get(j, ZERO) for row in rows for j in self.own])

    @cached_property
    def _transposed(self) -> fmpq_mat:
        return self._matrix.transpose()

    @cached_property
    def values(self) -> list[Rational]:
        """The value of every variable."""
        at_upper = (place is Place.UPPER for place in self.places)
        bounds = [high if is_high else low for is_high, low, high in zip(at_upper, self.lower, self.upper, strict=True)]
        is_held = (place is Place.LOWER or place is Place.UPPER for place in self.places)
        values = [ZERO if bound is None or not held else bound for held, bound in zip(is_held, bounds, strict=True)]
        held = [(j, values[j]) for j in range(self.n) if values[j]]
        missing = [values[self.n + i] for i in self.tight]
        at = {i: place for place, i in enumerate(self.tight)}
        for j, value in held:
            for i, coefficient in self.program.columns[j]:
                if i in at:
                    missing[at[i]] -= coefficient * value
        for j, value in zip(self.own, _solve(self._matrix, missing), strict=True):
            values[j] = value
        for i, constraint in enumerate(self.program.constraints):
            if self.places[self.n + i] is Place.BASIC:
                values[self.n + i] = sum((c * values[j] for j, c in constraint.terms.items() if values[j]), ZERO)
        return values

    def find_prices(self, cost: Sequence[Rational]) -> list[Rational]:
        """Return for each constraint by how much the cost grows when the bound at which it stands does."""
        prices = [ZERO] * len(self.program.constraints)
        for i, price in zip(self.tight, _solve(self._transposed, [cost[j] for j in self.own]), strict=True):
            prices[i] = price
        return prices

    def find_reduced(self, cost: Sequence[Rational]) -> list[Rational]:
        """Return by how much the cost grows with each variable that is not basic; 0 for those that are."""
        prices = self.find_prices(cost)
        reduced = list(cost)
        for j, column in enumerate(self.program.columns):
            reduced[j] = ZERO if self.places[j] is Place.BASIC else cost[j] - sum((a * prices[i] for i, a in column if prices[i]), ZERO)
        return [*reduced, *prices]

    def move(self, entering: int) -> dict[int, Rational]:
        """Return by how much each basic variable changes when another grows by one; only those that do."""
        column = dict(self.program.columns[entering]) if entering < self.n else {entering - self.n: -ONE}
        changes = _solve(self._matrix, [-column.get(i, ZERO) for i in self.tight])
        found = {j: change for j, change in zip(self.own, changes, strict=True) if change}
        steps: dict[int, Rational] = {i: a for i, a in column.items() if entering < self.n}
        for j, change in found.items():
            for i, coefficient in self.program.columns[j]:
                steps[i] = steps.get(i, ZERO) + coefficient * change
        return found | {self.n + i: step for i, step in steps.items() if step and self.places[self.n + i] is Place.BASIC}

    def read_row(self, leaving: int) -> dict[int, Rational]:
        """Return by how much a basic variable changes when each of the others grows by one."""
        terms = self.program.constraints[leaving - self.n].terms if leaving >= self.n else {}
        aim = [terms.get(j, ZERO) for j in self.own] if leaving >= self.n else [ONE if j == leaving else ZERO for j in self.own]
        weights = dict(zip(self.tight, _solve(self._transposed, aim), strict=True))
        row = {self.n + i: weight for i, weight in weights.items() if weight}
        changes = dict(terms)
        for i, weight in weights.items():
            if weight:
                for j, coefficient in self.program.constraints[i].terms.items():
                    changes[j] = changes.get(j, ZERO) - weight * coefficient
        return row | {j: change for j, change in changes.items() if change and self.places[j] is not Place.BASIC}

    def exchange(self, entering: int, leaving: int, to: Place) -> Basis:
        """Return the basis in which one variable has taken another's part; where both are the same it goes to its other bound."""
        places = list(self.places)
        places[entering] = Place.BASIC
        places[leaving] = to
        return Basis(self.program, places, self.lower, self.upper)

    def is_fixed(self, v: int) -> bool:
        """Whether a variable cannot move."""
        return self.lower[v] is not None and self.lower[v] == self.upper[v]

    def is_improving(self, v: int, reduced: Rational) -> bool:
        """Whether the cost falls when a variable that is not basic leaves its bound."""
        if not reduced or self.places[v] is Place.BASIC or self.is_fixed(v):
            return False
        return self.places[v] is Place.FREE or (reduced < 0) == (self.places[v] is Place.LOWER)

    def is_priced(self, cost: Sequence[Rational]) -> bool:
        """Whether nothing that leaves its bound lowers the cost."""
        return not any(self.is_improving(v, reduced) for v, reduced in enumerate(self.find_reduced(cost)))


def improve(basis: Basis, cost: Sequence[Rational], budget: Budget) -> tuple[Basis, dict[int, Rational]]:
    """Return an optimal basis, given one that keeps all bounds; and, where the cost falls for ever, the direction in which it does."""
    while True:
        reduced = basis.find_reduced(cost)
        entering = next((v for v, slope in enumerate(reduced) if basis.is_improving(v, slope)), None)
        if entering is None:
            return basis, {}
        budget.spend()
        sign = -1 if reduced[entering] > 0 else 1
        changes = {v: sign * change for v, change in basis.move(entering).items()}
        limits = [(step, v, to) for v, change in changes.items() if (step := _find_limit(basis, v, change, basis.values[v])) is not None
                  for to in [Place.UPPER if change > 0 else Place.LOWER]]  # fmt: skip
        own = _find_limit(basis, entering, sign, basis.values[entering])
        if own is not None:
            limits.append((own, entering, Place.UPPER if sign > 0 else Place.LOWER))
        if not limits:
            return basis, changes | {entering: ONE * sign}
        _, leaving, to = min(limits, key=lambda limit: limit[:2])
        basis = basis.exchange(entering, leaving, to)


def _find_limit(basis: Basis, v: int, change: Rational, value: Rational) -> Rational | None:
    """Return how far a variable can change until it meets a bound, None for ever."""
    bound = basis.upper[v] if change > 0 else basis.lower[v]
    return None if bound is None else (bound - value) / change


def restore(basis: Basis, cost: Sequence[Rational], budget: Budget) -> tuple[Basis, int | None]:
    """Return a basis that keeps all bounds, given one in which nothing lowers the cost; and, where none does, a variable that cannot."""
    while True:
        values = basis.values
        leaving = next((v for v in basis.basics if _is_outside(basis, v, values[v])), None)
        if leaving is None:
            return basis, None
        budget.spend()
        lower = basis.lower[leaving]
        to = Place.LOWER if lower is not None and values[leaving] < lower else Place.UPPER
        sign = 1 if to is Place.LOWER else -1
        reduced = basis.find_reduced(cost)
        ratios = [(abs(reduced[v] / change), v) for v, change in basis.read_row(leaving).items() if _is_helping(basis, v, sign * change)]
        if not ratios:
            return basis, leaving
        basis = basis.exchange(min(ratios)[1], leaving, to)


def _is_outside(basis: Basis, v: int, value: Rational) -> bool:
    lower, upper = basis.lower[v], basis.upper[v]
    return (lower is not None and value < lower) or (upper is not None and value > upper)


def _is_helping(basis: Basis, v: int, change: Rational) -> bool:
    """Whether a variable can move from where it stands so that `change`, per unit that it grows, is to the good."""
    if basis.is_fixed(v):
        return False
    return basis.places[v] is Place.FREE or (change > 0) == (basis.places[v] is Place.LOWER)


def _solve(matrix: fmpq_mat, right: Sequence[Rational]) -> list[Rational]:
    """Return the solution of a square system; the zeros where the right-hand side has nothing else."""
    if not any(right):
        return [ZERO] * len(right)
    return list(matrix.solve(fmpq_mat(len(right), 1, list(right))).entries())

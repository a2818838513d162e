"""The optimum of a linear program in exact rationals, from an answer in floating point, and what its constraints are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from phaseflow.expressions.rationals import Rational
from phaseflow.problems._linear_program import ONE, ZERO, LinearProgram, to_double
from phaseflow.problems._simplex import Basis, Budget, PivotsExhaustedError, Place, improve, restore
from phaseflow.problems._start_basis import choose_basis

Array = NDArray[np.float64]

# What can be had in seconds: the time of a step grows with the cube of the constraints that are at their bounds.
MOST_TIGHT, MOST_UNKNOWNS = 400, 20_000
_PIVOTS = 2_000
# Prices on both sides take as many solves as there are constraints.
_MOST_PRICED = 150


@dataclass(frozen=True)
class Optimum:
    """How a program ends in exact arithmetic.

    Attributes
    ----------
    status : optimal, infeasible, unbounded or unknown.
    reason : why it is unknown.
    basis : the optimal basis.
    ray : where it is unbounded, the variables that grow or fall for ever.
    """

    status: str
    reason: str = ""
    basis: Basis | None = None
    ray: tuple[int, ...] = ()

    @property
    def point(self) -> list[Rational]:
        """The exact answer; empty where there is none."""
        return [] if self.basis is None else self.basis.values[: self.basis.n]


def find_optimum(program: LinearProgram, point: Array, prices: Array) -> Optimum:
    """Find the exact optimum of a program, integers taken as real numbers, beginning at a point that need not be optimal."""
    if len(program.unknowns) > MOST_UNKNOWNS:
        return Optimum("unknown", f"more than {MOST_UNKNOWNS} variables are too many for exact arithmetic")
    crossed = next((v for v, (low, high) in enumerate(zip(program.lower, program.upper, strict=True)) if _is_crossed(low, high)), None)
    if crossed is not None:
        return Optimum("infeasible")
    basis = choose_basis(program, point, prices, program.lower, program.upper)
    if len(basis.tight) > MOST_TIGHT:
        return Optimum("unknown", f"more than {MOST_TIGHT} constraints at their bounds are too many for exact arithmetic")
    try:
        return _finish(program, basis)
    except PivotsExhaustedError:
        return Optimum("unknown", f"the exact optimum is more than {_PIVOTS} pivots away from the answer in floating point")


def _is_crossed(low: Rational | None, high: Rational | None) -> bool:
    return low is not None and high is not None and low > high


def _finish(program: LinearProgram, basis: Basis) -> Optimum:
    """Pivot from a basis to an optimal one: without costs to one that keeps all bounds, if nothing better is known, and on from there."""
    budget = Budget(_PIVOTS)
    cost = program.cost if basis.is_priced(program.cost) else [ZERO] * len(program.cost)
    basis, stuck = restore(basis, cost, budget)
    if stuck is not None:
        return Optimum("infeasible")
    basis, ray = improve(basis, program.cost, budget)
    if ray:
        return Optimum("unbounded", ray=tuple(sorted(v for v in ray if v < basis.n)))
    if not is_proven(program, basis.values[: basis.n], basis.find_prices(program.cost)):
        return Optimum("unknown", "the point and the prices of the basis do not prove each other")
    return Optimum("optimal", basis=basis)


def is_proven(program: LinearProgram, point: Sequence[Rational], prices: Sequence[Rational]) -> bool:
    """Tell whether a point keeps all bounds and costs exactly what the prices earn, which no point can cost less than.

    Nothing of the simplex method is used. Source: the duality theorem; Chvatal (1983), Linear Programming, ch. 5 and 9.
    """
    reduced = [
        cost - sum((a * prices[i] for i, a in column if prices[i]), ZERO)
        for cost, column in zip(program.cost, program.columns, strict=True)
    ]
    activity = [sum((c * point[j] for j, c in constraint.terms.items() if point[j]), ZERO) for constraint in program.constraints]
    earned = program.constant
    for value, slope, lower, upper in zip([*point, *activity], [*reduced, *prices], program.lower, program.upper, strict=True):
        if (lower is not None and value < lower) or (upper is not None and value > upper):
            return False
        bound = lower if slope > 0 else upper
        if slope != 0 and bound is None:
            return False
        earned += slope * bound if slope != 0 else ZERO
    return bool(earned == program.find_cost(point))


@dataclass(frozen=True)
class Price:
    """By how much the least cost changes, per unit, when the bound of a constraint falls or grows; infinite where it cannot be kept."""

    less: float
    more: float


def find_prices(program: LinearProgram, basis: Basis) -> list[Price] | None:
    """Return what each constraint is worth on both sides; None where that would take too long.

    To the left and to the right of a bound the least cost has slopes of its own where the optimum is degenerate: the least and the
    greatest price of all that are optimal for the dual problem. Each is the optimum of the same program within the cone of what can
    be changed about the answer. Source: Gauvin (2001), Ann. Oper. Res. 27, 237-252; Gal (1986), Math. Program. Study 26, 1-10.
    """
    prices = [to_double(price) for price in basis.find_prices(program.cost)]
    values = basis.values
    if not any(values[v] in (basis.lower[v], basis.upper[v]) for v in basis.basics):
        return [Price(price, price) for price in prices]
    if len(basis.tight) > _MOST_PRICED:
        return None
    budget = Budget(_PIVOTS)
    try:
        return [_find_price(basis, i, price, budget) for i, price in enumerate(prices)]
    except PivotsExhaustedError:
        return None


def _find_price(basis: Basis, row: int, price: float, budget: Budget) -> Price:
    """Return what a constraint is worth on both sides, given its price in the basis."""
    v = basis.n + row
    if basis.values[v] not in (basis.lower[v], basis.upper[v]):
        return Price(0.0, 0.0)
    changes = {} if basis.places[v] is Place.BASIC else basis.move(v)
    sides = []
    for sign in (-1, 1):
        can_stay = basis.places[v] is not Place.BASIC and all(_can_move(basis, u, sign * change) for u, change in changes.items())
        sides.append(price if can_stay else sign * _find_slope(basis, v, ONE * sign, budget))
    return Price(*sides)


def _can_move(basis: Basis, v: int, change: Rational) -> bool:
    """Whether a variable is not at the bound towards which it would change."""
    return bool(basis.values[v] != (basis.upper[v] if change > 0 else basis.lower[v]))


def _find_slope(basis: Basis, v: int, step: Rational, budget: Budget) -> float:
    """Return by how much the least cost grows per unit when the bound at which a constraint stands moves up (1) or down (-1)."""
    values = basis.values
    lower = [ZERO if values[u] == bound else None for u, bound in enumerate(basis.lower)]
    upper = [ZERO if values[u] == bound else None for u, bound in enumerate(basis.upper)]
    lower[v], upper[v] = (None if side is None else step for side in (lower[v], upper[v]))
    cone, stuck = restore(Basis(basis.program, basis.places, lower, upper), basis.program.cost, budget)
    if stuck is not None:
        return float("inf")
    return to_double(sum((c * z for c, z in zip(basis.program.cost, cone.values, strict=False) if z), ZERO))


def fix_integers(program: LinearProgram, point: Sequence[float]) -> LinearProgram:
    """Return the program with its integers held at the whole numbers next to a point."""
    held = [
        replace(unknown, lower=ONE * round(x), upper=ONE * round(x), is_integer=False) if unknown.is_integer else unknown
        for unknown, x in zip(program.unknowns, point, strict=True)
    ]
    return replace(program, unknowns=held)

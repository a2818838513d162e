"""Why a program has no answer: what would have to give, or what grows for ever.

Each constraint may give, and costs what it gives in relation to its own size, so that units do not matter; the least cost is 0 exactly
where the constraints can be kept. Source: Chinneck (2008), Feasibility and Infeasibility in Optimization, ch. 6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from phaseflow.expressions.rationals import Rational, to_rational
from phaseflow.problems._exact_optimum import Optimum, find_optimum, fix_integers
from phaseflow.problems._highs import solve
from phaseflow.problems._linear_program import ONE, ZERO, Constraint, LinearProgram, Unknown, to_double

# What gives less than this, relative to its size, is rounding, where the amounts are not exact.
_NOTHING = 1e-7
_MOST_NAMED = 8
_PROVEN = "it is proven in exact arithmetic that no point keeps all constraints"


@dataclass(frozen=True)
class Diagnosis:
    """Why there is no answer: status, message, and what proves it; or the optimum, where there is one after all."""

    status: str
    message: str
    reason: str = ""
    optimum: Optimum | None = None


def explain(program: LinearProgram, message: str) -> Diagnosis:
    """Say why a program has no answer; `message` is what the solver said."""
    crossed = [f"{u.name} between {_write(u.lower)} and {_write(u.upper)}" for u in program.unknowns if _is_empty(u)]
    if crossed:
        return Diagnosis("infeasible", f"bounds with nothing between them: {', '.join(crossed[:_MOST_NAMED])}", _PROVEN)
    elastic, parts = _relax(program)
    answer = solve(elastic, "highs")
    if answer.status != "converged":
        return Diagnosis("failed", f"{message}; what would have to give could not be found: {answer.message}")
    held = fix_integers(elastic, answer.point.tolist()) if elastic.has_integers else elastic
    optimum = find_optimum(held, answer.point, answer.prices)
    is_exact = optimum.status == "optimal"
    n = len(program.unknowns)
    gives = optimum.point[n:] if is_exact else [_round(x) for x in answer.point[n:]]
    given = [(constraint, sign, amount) for (constraint, sign), amount in zip(parts, gives, strict=True) if amount > 0]
    if given:
        is_proven = _is_hopeless(elastic) if elastic.has_integers else is_exact
        return Diagnosis("infeasible", _name(given), _PROVEN if is_proven else "that there is no answer is the solver's, in floating point")
    return _find_ray(program, answer.point[:n], message)


def _is_empty(unknown: Unknown) -> bool:
    """Whether no number, or no whole one where one is wanted, lies between the bounds of a variable."""
    if unknown.lower is None or unknown.upper is None:
        return False
    return bool(unknown.upper.floor() < unknown.lower.ceil() if unknown.is_integer else unknown.upper < unknown.lower)


def _is_hopeless(elastic: LinearProgram) -> bool:
    """Whether it is proven in exact arithmetic that something must give, even if integers need not be whole."""
    real = replace(elastic, unknowns=[replace(unknown, is_integer=False) for unknown in elastic.unknowns])
    answer = solve(real, "highs")
    optimum = find_optimum(real, np.nan_to_num(answer.point), answer.prices)
    return optimum.status == "optimal" and real.find_cost(optimum.point) > 0


def _relax(program: LinearProgram) -> tuple[LinearProgram, list[tuple[Constraint, int]]]:
    """Return the program in which constraints give at a cost, and for each way to give its constraint and direction."""
    unknowns = [replace(unknown, cost=ZERO) for unknown in program.unknowns]
    constraints, parts = [], []
    for constraint in program.constraints:
        terms = dict(constraint.terms)
        for bound, sign in ((constraint.lower, 1), (constraint.upper, -1)):
            if bound is not None and not constraint.is_firm:
                terms[len(unknowns)] = ONE * sign
                unknowns.append(Unknown("", _measure(constraint)))
                parts.append((constraint, sign))
        constraints.append(replace(constraint, terms=terms))
    return LinearProgram(unknowns, constraints), parts


def _measure(constraint: Constraint) -> Rational:
    """Return what a unit of giving costs: one over the size of the constraint, in its own units."""
    size = abs(constraint.stated) or max((abs(c) for c in constraint.terms.values()), default=ONE) * constraint.unit
    return constraint.unit / size if size else ONE


def _round(x: float) -> Rational:
    return to_rational(Fraction(repr(float(x)))) if x > _NOTHING else ZERO


def _name(given: list[tuple[Constraint, int, Rational]]) -> str:
    """Say which constraints would have to give, and by how much: to the left of >= less, of <= more."""
    listed = []
    for constraint, sign, amount in given[:_MOST_NAMED]:
        change = amount * constraint.unit
        to = constraint.stated - sign * change
        word = "less" if sign > 0 else "more"
        listed.append(f"{constraint.name} {_write(to)} instead of {_write(constraint.stated)} ({_write(change)} {word})")
    more = f" and {len(given) - _MOST_NAMED} more" if len(given) > _MOST_NAMED else ""
    return f"no answer keeps all constraints; one does with {', '.join(listed)}{more}"


def _find_ray(program: LinearProgram, point: np.ndarray, message: str) -> Diagnosis:
    """Say along which variables the value improves for ever."""
    optimum = find_optimum(program, point, np.zeros(len(program.constraints)))
    if optimum.status == "optimal" and not program.has_integers:
        return Diagnosis("converged", message, optimum=optimum)
    if optimum.status != "unbounded":
        return Diagnosis("failed", message)
    names = [program.unknowns[v].name for v in optimum.ray]
    listed = ", ".join(names[:_MOST_NAMED]) + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")
    return Diagnosis("unbounded", f"the value improves for ever along {listed}", "a direction that improves for ever is exact")


def _write(value: Rational | None) -> str:
    return "nothing" if value is None else f"{to_double(value):.10g}"

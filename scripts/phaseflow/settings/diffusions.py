"""What can be said of a stochastic system from its formulas: whether its law has a closed form, and whether its noise commutes.

Closed forms are read off exact derivatives: a derivative that names no state is that of a straight line, because differentiation takes
out nothing but zeros and ones. Systems that this does not see through are only those written in a roundabout way.

Commutation is an identity between two expressions. Both sides are analytic wherever they are defined, and two analytic functions that
differ anywhere differ everywhere but on a set of measure zero; so one random point would tell them apart with probability one, and
several also see to it that a difference is not mistaken for rounding (as in the lemma of Schwartz and Zippel for polynomials).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.derivative import ZERO, differentiate, multiply, substitute
from phaseflow.expressions.tree import SWITCHES, TIME, Apply, Node, find_names, find_operators
from phaseflow.seeds import open_stream
from phaseflow.settings.systems import System

Array = NDArray[np.float64]

_POINTS = 8
# Two sides of an identity may differ by this much of the sum of their terms' sizes; at random points a true difference is far larger.
_ROUNDING = 1e-9
_DEEP = "its formulas are nested too deeply to be differentiated"


@dataclass(frozen=True)
class ClosedForm:
    """A system whose transition law is known, as trees of its parameters alone.

    Attributes
    ----------
    kind : linear, dX = (A X + c) dt + B dW; or geometric, dX_i = c_i X_i dt + X_i sum_j B_ij dW_j.
    slopes : A by state and state; empty where geometric.
    constants : c, one for each state.
    diffusions : B by state and process.

    What is not there is zero.
    """

    kind: Literal["linear", "geometric"]
    slopes: dict[tuple[str, str], Node]
    constants: list[Node]
    diffusions: dict[tuple[str, str], Node]


def find_closed_form(system: System) -> ClosedForm:
    """Return the closed form of a system's law.

    Raises
    ------
    ValueError : none is known; the message says why.
    """
    try:
        return _find_linear(system) or _find_geometric(system)
    except RecursionError:
        raise ValueError(_DEEP) from None


def has_closed_form(system: System) -> bool:
    """Tell whether the exact method can sample a system."""
    try:
        find_closed_form(system)
    except ValueError:
        return False
    return True


def _list_formulas(system: System) -> Iterator[tuple[str, Node]]:
    yield from ((state, formula.tree) for state, formula in system.equations.items())
    yield from ((state, formula.tree) for state, _, formula in system.list_noise())


def _is_free(tree: Node, system: System) -> bool:
    """Tell whether an expression has neither states nor the time in it."""
    return not find_names(tree) & {*system.equations, TIME}


def _find_linear(system: System) -> ClosedForm | None:
    drifts = {state: formula.tree for state, formula in system.equations.items()}
    diffusions = {(state, process): formula.tree for state, process, formula in system.list_noise()}
    if not all(_is_free(tree, system) for tree in diffusions.values()) or any(_is_switching(tree) for tree in drifts.values()):
        return None
    slopes = {(state, other): differentiate(drift, other) for state, drift in drifts.items() for other in _list_states(system, drift)}
    constants = [substitute(drift, dict.fromkeys(_list_states(system, drift), ZERO)) for drift in drifts.values()]
    if not all(_is_free(tree, system) for tree in (*constants, *slopes.values())):
        return None
    return ClosedForm("linear", slopes, constants, diffusions)


def _list_states(system: System, tree: Node) -> list[str]:
    """Return the states that an expression names, sorted; by all others its derivative is zero."""
    return sorted(find_names(tree) & system.equations.keys())


def _is_switching(tree: Node) -> bool:
    """Tell whether an expression has jumps or kinks, which its derivative does not show."""
    return bool(find_operators(tree) & SWITCHES)


def _find_geometric(system: System) -> ClosedForm:
    constants = [_find_rate(system, state, formula.tree) for state, formula in system.equations.items()]
    diffusions = {(state, process): _find_rate(system, state, formula.tree) for state, process, formula in system.list_noise()}
    return ClosedForm("geometric", {}, constants, diffusions)


def _find_rate(system: System, state: str, tree: Node) -> Node:
    """Return c of an expression c x, where x is a state and c free of states and time."""
    rate = differentiate(tree, state)
    others = find_names(tree) & {*system.equations, TIME} - {state}
    is_straight = not _is_switching(tree) and _is_free(rate, system) and substitute(tree, {state: ZERO}) == ZERO
    if is_straight and all(differentiate(tree, other) == ZERO for other in others):
        return rate
    raise ValueError(
        "the law has a closed form where the drift is linear in the states and the noise constant, or where drift and noise of each state "
        f"are constant multiples of that state; the formulas of {state} are neither"
    )


def find_corrections(system: System) -> dict[str, list[tuple[str, str, Node]]]:
    """Return for each state the pairs of processes j <= k with L^j b^k = sum over l of b^lj d(b^k)/dx_l, where that is not zero."""
    return {
        state: [(j, k, _add_up(terms)) for (j, k), terms in sorted(_find_terms(system, state).items()) if j <= k]
        for state in system.equations
    }


def _find_terms(system: System, state: str) -> dict[tuple[str, str], list[Node]]:
    """Return for the processes j and k the terms of L^j b^k in the equation of a state that are not zero."""
    noise = system.noise or {}
    found: dict[tuple[str, str], list[Node]] = {}
    for k, diffusion in noise.get(state, {}).items():
        for other in _list_states(system, diffusion.tree):
            slope = differentiate(diffusion.tree, other)
            if slope == ZERO:
                continue
            for j, along in noise.get(other, {}).items():
                term = multiply(along.tree, slope)
                # Where noise is switched off it has no slope either: sqrt(max(v, 0)) at v < 0, where its derivative would be 0/0.
                is_off = Apply("==", (along.tree, ZERO))
                found.setdefault((j, k), []).append(Apply("where", (is_off, ZERO, term)) if _is_switching(along.tree) else term)
    return found


def _add_up(terms: list[Node]) -> Node:
    return reduce(lambda total, term: Apply("+", (total, term)), terms)


def explain_no_commutation(system: System) -> str | None:
    """Return why the noise does not commute, or None where L^j b^k = L^k b^j for all processes j, k and in every equation."""
    try:
        # So that what is too deep is refused here, not by the method.
        for tree in (tree for pairs in find_corrections(system).values() for *_, tree in pairs):
            evaluate(tree, _draw_points(system))
        for state in system.equations:
            terms = _find_terms(system, state)
            for j, k in sorted({(min(pair), max(pair)) for pair in terms if pair[0] != pair[1]}):
                sides = terms.get((j, k), []), terms.get((k, j), [])
                if sides[0] != sides[1] and not _are_equal(system, *sides):
                    return f"L^{j} b^{k} is not L^{k} b^{j} in the equation of {state}"
    except RecursionError:
        return _DEEP
    return None


def _are_equal(system: System, one: list[Node], other: list[Node]) -> bool:
    """Tell whether two sums are the same, at random points where they are real numbers; where there is none, they are not."""
    points = _draw_points(system)
    sides = [np.array([np.broadcast_to(evaluate(term, points), 3 * _POINTS) for term in terms or [ZERO]]) for terms in (one, other)]
    is_real = np.isfinite(sides[0]).all(axis=0) & np.isfinite(sides[1]).all(axis=0)
    with np.errstate(all="ignore"):
        difference = np.abs(sides[0].sum(axis=0) - sides[1].sum(axis=0))
        size = np.abs(sides[0]).sum(axis=0) + np.abs(sides[1]).sum(axis=0)
    return bool(is_real.any() and (difference <= _ROUNDING * size)[is_real].all())


def _draw_points(system: System) -> dict[str, Array]:
    """Draw values for every name: between 0 and 1, where roots and logarithms are real; of both signs; and near the system's own."""
    random = open_stream(0, 0)
    own = {name: quantity.value for name, quantity in (*system.initial.items(), *system.parameters.items())}
    names = {TIME, *(name for _, tree in _list_formulas(system) for name in find_names(tree))}
    points = {}
    for name in sorted(names):
        small, wide, near = random.uniform(0, 1, _POINTS), random.uniform(-3, 3, _POINTS), random.uniform(0.8, 1.2, _POINTS)
        points[name] = np.concatenate([small, wide, near * own.get(name, 1.0)])
    return points

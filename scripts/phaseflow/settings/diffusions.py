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
from itertools import combinations
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
    slopes : A, of shape (dimension, dimension); empty where geometric.
    constants : c, one for each state.
    diffusions : B by state and process; what is not there is zero.
    """

    kind: Literal["linear", "geometric"]
    slopes: list[list[Node]]
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
    states = list(system.equations)
    drifts = [formula.tree for formula in system.equations.values()]
    diffusions = {(state, process): formula.tree for state, process, formula in system.list_noise()}
    if not all(_is_free(tree, system) for tree in diffusions.values()) or any(_is_switching(tree) for tree in drifts):
        return None
    slopes = [[differentiate(drift, state) for state in states] for drift in drifts]
    constants = [substitute(drift, dict.fromkeys(states, ZERO)) for drift in drifts]
    if not all(_is_free(tree, system) for tree in (*constants, *(slope for row in slopes for slope in row))):
        return None
    return ClosedForm("linear", slopes, constants, diffusions)


def _is_switching(tree: Node) -> bool:
    """Tell whether an expression has jumps or kinks, which its derivative does not show."""
    return bool(find_operators(tree) & SWITCHES)


def _find_geometric(system: System) -> ClosedForm:
    constants = [_find_rate(system, state, formula.tree) for state, formula in system.equations.items()]
    diffusions = {(state, process): _find_rate(system, state, formula.tree) for state, process, formula in system.list_noise()}
    return ClosedForm("geometric", [], constants, diffusions)


def _find_rate(system: System, state: str, tree: Node) -> Node:
    """Return c of an expression c x, where x is a state and c free of states and time."""
    rate = differentiate(tree, state)
    others = [other for other in system.equations if other != state]
    is_straight = not _is_switching(tree) and _is_free(rate, system) and substitute(tree, {state: ZERO}) == ZERO
    if is_straight and all(differentiate(tree, other) == ZERO for other in others) and differentiate(tree, TIME) == ZERO:
        return rate
    raise ValueError(
        "the law has a closed form where the drift is linear in the states and the noise constant, or where drift and noise of each state "
        f"are constant multiples of that state; the formulas of {state} are neither"
    )


def find_corrections(system: System) -> dict[str, list[tuple[str, str, Node]]]:
    """Return for each state the pairs of processes j <= k with L^j b^k = sum over l of b^lj d(b^k)/dx_l, where that is not zero."""
    processes = system.list_processes()
    pairs = [(j, k) for place, j in enumerate(processes) for k in processes[place:]]
    found: dict[str, list[tuple[str, str, Node]]] = {}
    for state in system.equations:
        sums = [(j, k, _add_up(_list_terms(system, state, j, k))) for j, k in pairs]
        found[state] = [(j, k, tree) for j, k, tree in sums if tree is not None]
    return found


def _list_terms(system: System, state: str, j: str, k: str) -> list[Node]:
    """Return the terms of L^j b^k in the equation of a state that are not zero."""
    noise = system.noise or {}
    diffusion = noise.get(state, {}).get(k)
    if diffusion is None:
        return []
    terms = []
    for other in system.equations:
        along = noise.get(other, {}).get(j)
        slope = differentiate(diffusion.tree, other)
        if along is None or slope == ZERO:
            continue
        term = multiply(along.tree, slope)
        # Where noise is switched off it has no slope either: sqrt(max(v, 0)) at v < 0, where its derivative would be 0/0.
        is_off = Apply("==", (along.tree, ZERO))
        terms.append(Apply("where", (is_off, ZERO, term)) if _is_switching(along.tree) else term)
    return terms


def _add_up(terms: list[Node]) -> Node | None:
    total: Node | None = None
    for term in terms:
        total = term if total is None else Apply("+", (total, term))
    return total


def explain_no_commutation(system: System) -> str | None:
    """Return why the noise does not commute, or None where L^j b^k = L^k b^j for all processes j, k and in every equation."""
    try:
        # So that what is too deep is refused here, not by the method.
        for tree in (tree for pairs in find_corrections(system).values() for *_, tree in pairs):
            evaluate(tree, _draw_points(system))
        for j, k in combinations(system.list_processes(), 2):
            for state in system.equations:
                sides = _list_terms(system, state, j, k), _list_terms(system, state, k, j)
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

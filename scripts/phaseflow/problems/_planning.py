"""From a statement to a linear program in exact numbers, and from its answer to the columns of the statement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

from phaseflow.expressions.affine import Affine, separate
from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.quantity import Quantity
from phaseflow.expressions.rationals import Rational, evaluate_exactly, to_rational
from phaseflow.expressions.text import format_expression
from phaseflow.expressions.tree import Node
from phaseflow.problems._linear_program import ONE, ZERO, Constraint, LinearProgram, Unknown, to_double
from phaseflow.settings.programs import Facility, Linear, Statement, Transport

Numbers = Mapping[str, Rational]


class Translation(Protocol):
    """A statement as a linear program."""

    def translate(self, numbers: Numbers) -> LinearProgram:
        """Return the program of one trial; a maximum as the least of the negative.

        Raises
        ------
        ValueError : a coefficient is not a finite number.
        """
        ...

    def report(self, point: Sequence[Any], numbers: Numbers) -> Sequence[Any]:
        """Return the columns of the statement, given the values of the program's variables, exact or not."""
        ...


def choose_translation(statement: Statement) -> Translation:
    """Return how a statement becomes a linear program."""
    if isinstance(statement, Transport):
        return TransportTranslation(statement)
    return FacilityTranslation(statement) if isinstance(statement, Facility) else LinearTranslation(statement)


def read_numbers(statement: Statement, trial: Mapping[str, Any]) -> dict[str, Rational]:
    """Return the exact numbers of a trial: as written in the problem, or the decimals of a swept value as the table shows them.

    A number of the problem that is no fraction, such as sqrt(2), is the decimal next to it.
    """
    return {name: _read_exactly(quantity, float(trial[name])) for name, quantity in statement.list_numbers()}


def _read_exactly(stated: Quantity, value: float) -> Rational:
    if value == stated.value and stated.exact is not None:
        return to_rational(stated.exact)
    return to_rational(Fraction(repr(value)))


class TransportTranslation:
    """What leaves a place is at most its supply, and what reaches one at least its demand."""

    def __init__(self, stated: Transport) -> None:
        self.stated, self.arcs = stated, list(stated.arcs)

    def translate(self, numbers: Numbers) -> LinearProgram:
        """Return the program of one trial."""
        unknowns = [Unknown(f"flow.{source}.{target}", numbers[f"cost.{source}.{target}"]) for source, target in self.arcs]
        leaving: dict[str, dict[int, Rational]] = {node: {} for node in self.stated.supplies}
        arriving: dict[str, dict[int, Rational]] = {node: {} for node in self.stated.demands}
        for place, (source, target) in enumerate(self.arcs):
            leaving[source][place] = arriving[target][place] = ONE
        constraints = []
        for node, terms in leaving.items():
            supply = numbers[f"supply.{node}"]
            constraints.append(Constraint(f"supply.{node}", terms, None, supply, supply))
        for node, terms in arriving.items():
            demand = numbers[f"demand.{node}"]
            constraints.append(Constraint(f"demand.{node}", terms, demand, None, demand))
        return LinearProgram(unknowns, constraints)

    def report(self, point: Sequence[Any], _numbers: Numbers) -> Sequence[Any]:
        """Return what goes each way."""
        return point


class FacilityTranslation:
    """Each site is open or not, and serves shares of the demand; its share of a customer is at most 1 if it is open, else 0.

    The last condition follows from the capacities, but makes the relaxation without integers much tighter.
    Source: Sridharan (1995), Eur. J. Oper. Res. 87, 203-213, the strong formulation.
    """

    def __init__(self, stated: Facility) -> None:
        self.stated, self.arcs = stated, list(stated.arcs)
        self.sites = list(stated.places)

    def translate(self, numbers: Numbers) -> LinearProgram:
        """Return the program of one trial."""
        unknowns = [Unknown(f"open.{site}", numbers[f"fixed.{site}"], ZERO, ONE, is_integer=True) for site in self.sites]
        loads: list[dict[int, Rational]] = [{} for _ in self.sites]
        shares: dict[str, dict[int, Rational]] = {node: {} for node in self.stated.demands}
        links, at = [], {site: place for place, site in enumerate(self.sites)}
        for place, (site, target) in enumerate(self.arcs, len(self.sites)):
            wanted, cost, of = numbers[f"demand.{target}"], numbers[f"cost.{site}.{target}"], at[site]
            whole = cost * wanted if self.stated.cost is not None else cost
            unknowns.append(Unknown(f"share.{site}.{target}", whole, ZERO, ONE, is_integer=self.stated.single_source))
            loads[of][place] = wanted
            shares[target][place] = ONE
            links.append(Constraint(f"open.{site}.{target}", {place: ONE, of: -ONE}, None, ZERO, ZERO, is_firm=True))
        capacities = [(site, numbers[f"capacity.{site}"], load) for site, load in zip(self.sites, loads, strict=True)]
        constraints = [Constraint(f"capacity.{site}", {at[site]: -room, **load}, None, ZERO, room) for site, room, load in capacities]
        for node, terms in shares.items():
            wanted = numbers[f"demand.{node}"]
            constraints.append(Constraint(f"demand.{node}", terms, ONE, ONE, wanted, wanted))
        return LinearProgram(unknowns, [*constraints, *links])

    def report(self, point: Sequence[Any], numbers: Numbers) -> Sequence[Any]:
        """Return which sites are open, and what goes each way."""
        n, is_exact = len(self.sites), not isinstance(point[0], float)
        wanted = [numbers[f"demand.{target}"] for _, target in self.arcs]
        return [*point[:n], *(share * (want if is_exact else to_double(want)) for share, want in zip(point[n:], wanted, strict=True))]


class LinearTranslation:
    """Expressions that are linear in the variables; a product of numbers that are no fractions is the decimal next to it."""

    def __init__(self, stated: Linear) -> None:
        self.stated, self.names = stated, list(stated.variables)
        self.objective = separate(stated.objective.tree, stated.variables)
        sides = {name: [separate(side, stated.variables) for side in c.tree.arguments] for name, c in stated.constraints.items()}
        self.conditions = [(name, left - right, stated.constraints[name].tree.operator) for name, (left, right) in sides.items()]

    def translate(self, numbers: Numbers) -> LinearProgram:
        """Return the program of one trial."""
        sign = ONE if self.stated.minimize is not None else -ONE
        cost, constant = self._weigh(self.objective, numbers)
        unknowns = []
        for place, (name, span) in enumerate(self.stated.variables.items()):
            lower, upper = numbers.get(f"lower.{name}"), numbers.get(f"upper.{name}")
            unknowns.append(Unknown(name, sign * cost.get(place, ZERO), lower, upper, span.integer))
        constraints = []
        for name, difference, operator in self.conditions:
            terms, rest = self._weigh(difference, numbers)
            lower, upper = (None if operator == "<=" else -rest), (None if operator == ">=" else -rest)
            constraints.append(Constraint(name, terms, lower, upper, -rest))
        return LinearProgram(unknowns, constraints, sign * constant)

    def _weigh(self, affine: Affine, numbers: Numbers) -> tuple[dict[int, Rational], Rational]:
        """Return the coefficients of the variables, by their places, and the constant."""
        weights = {name: _evaluate(slope, numbers) for name, slope in affine.slopes.items()}
        return {self.names.index(name): weight for name, weight in weights.items() if weight}, _evaluate(affine.constant, numbers)

    def report(self, point: Sequence[Any], _numbers: Numbers) -> Sequence[Any]:
        """Return the variables."""
        return point


def _evaluate(node: Node, numbers: Numbers) -> Rational:
    value = float(evaluate(node, {name: to_double(number) for name, number in numbers.items()}))
    if not math.isfinite(value):
        raise ValueError(f"the coefficient {format_expression(node)} is not a finite number")
    exact = evaluate_exactly(node, {name: [number] for name, number in numbers.items()}, 1)
    return to_rational(Fraction(repr(value))) if exact is None else exact[0]

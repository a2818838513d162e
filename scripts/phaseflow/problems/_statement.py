"""A problem of optimisation in exact constants: what is minimised, within which bounds and under which conditions, in balls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flint import arb

from phaseflow.expressions.condition import Condition
from phaseflow.expressions.intervals import Jet, evaluate_jet, make_variable
from phaseflow.expressions.quantity import Quantity
from phaseflow.expressions.tree import Node
from phaseflow.settings.studies import Study

Ball = Any


@dataclass(frozen=True)
class Expansion:
    """The functions of a problem over a box.

    Attributes
    ----------
    objective : the jet of what is minimised.
    slacks : the jet of each condition's slack, by its number.
    """

    objective: Jet
    slacks: Mapping[int, Jet]

    def find_slope(self, place: int, multipliers: Mapping[int, Ball]) -> Ball:
        """Return the derivative of the Lagrangian, the objective less each slack times its multiplier, by one variable."""
        slope = self.objective.slopes.get(place, arb(0))
        for number, multiplier in multipliers.items():
            if place in self.slacks[number].slopes:
                slope -= multiplier * self.slacks[number].slopes[place]
        return slope

    def find_bend(self, i: int, j: int, multipliers: Mapping[int, Ball]) -> Ball:
        """Return a second derivative of the Lagrangian."""
        key = (min(i, j), max(i, j))
        bend = self.objective.bends.get(key, arb(0))
        for number, multiplier in multipliers.items():
            if key in self.slacks[number].bends:
                bend -= multiplier * self.slacks[number].bends[key]
        return bend


@dataclass(frozen=True)
class Statement:
    """A problem: minimise an expression within bounds, so that slacks are zero or more, those of equations zero.

    Attributes
    ----------
    lower, upper : the bound of each variable, None where it has none.
    slacks : the slack of each condition.
    equations : the numbers of the conditions that are equations.
    """

    names: tuple[str, ...]
    objective: Node
    lower: tuple[Quantity | None, ...]
    upper: tuple[Quantity | None, ...]
    slacks: tuple[Node, ...] = ()
    equations: frozenset[int] = field(default_factory=frozenset)

    @classmethod
    def of(cls, study: Study) -> Statement:
        """Return the problem of a study."""
        conditions: Sequence[Condition] = study.constraints or []
        return cls(
            tuple(study.variables),
            study.objective.tree,
            tuple(variable.lower for variable in study.variables.values()),
            tuple(variable.upper for variable in study.variables.values()),
            tuple(condition.slack for condition in conditions),
            frozenset(number for number, condition in enumerate(conditions) if condition.is_equation),
        )

    def expand(self, box: Sequence[Ball], order: int, numbers: Sequence[int] | None = None) -> Expansion:
        """Enclose the objective and slacks over a box, all of them or those of the numbers given.

        Raises
        ------
        NotSmoothError, OutsideDomainError : one of them has no such enclosure.
        """
        values = {name: make_variable(ball, place) for place, (name, ball) in enumerate(zip(self.names, box, strict=True))}
        chosen = range(len(self.slacks)) if numbers is None else numbers
        slacks = {number: evaluate_jet(self.slacks[number], values, order) for number in chosen}
        return Expansion(evaluate_jet(self.objective, values, order), slacks)

    def find_bounds(self, place: int) -> tuple[Ball, Ball]:
        """Return the bounds of a variable in balls of the working precision, infinite where there are none."""
        lower, upper = self.lower[place], self.upper[place]
        below = arb("-inf") if lower is None else evaluate_jet(lower.tree, {}, 0).value
        above = arb("inf") if upper is None else evaluate_jet(upper.tree, {}, 0).value
        return below, above

    def find_domain(self) -> list[Ball]:
        """Return the box within the bounds; a variable without both bounds may be anything."""
        sides = [self.find_bounds(place) for place in range(len(self.names))]
        return [low.union(high) if low.is_finite() and high.is_finite() else arb(0, "inf") for low, high in sides]

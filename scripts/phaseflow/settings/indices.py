"""States with an index: `x[i]` stands for x_1 .. x_N, in a ring or in a chain with fixed ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from phaseflow.expressions.quantity import Expression, Quantity, Varying
from phaseflow.expressions.subscripts import read_subscript, substitute
from phaseflow.expressions.tree import Node, Number, Symbol

MOST_STATES = 10_000
T = TypeVar("T")


@dataclass(frozen=True)
class Index:
    """An index and what it runs over.

    Attributes
    ----------
    name : of the index, as in x[i].
    parameter : the parameter that says how far it runs.
    size : the value of that parameter.
    bases : the names that have the index.
    is_ring : x[0] is x[N] and x[N+1] is x[1]; else both are 0.
    """

    name: str
    parameter: str
    size: int
    bases: frozenset[str]
    is_ring: bool

    def list_names(self, key: str) -> list[str]:
        """Return the single states that a key stands for."""
        found = read_subscript(key)
        return [f"{found.base}_{place}" for place in range(1, self.size + 1)] if found else [key]

    def spread(self, given: Mapping[str, T]) -> dict[str, T]:
        """Return what is given state by state; what is given for one alone counts before what is given for all."""
        spread = {name: value for key, value in given.items() if read_subscript(key) for name in self.list_names(key)}
        return spread | {key: value for key, value in given.items() if not read_subscript(key)}

    def is_known(self, name: str, has_place: bool) -> bool:
        """Tell whether a name means something because of the index; `has_place` where the index has a value."""
        found = read_subscript(name)
        if found is None:
            return has_place and name == self.name
        is_placed = (has_place and found.index == self.name) or (found.index is None and 1 <= found.offset <= self.size)
        return is_placed and found.base in self.bases

    def locate(self, name: str, place: int) -> Node:
        """Return what a name stands for where the index has the value `place`."""
        found = read_subscript(name)
        if found is None:
            values = {self.name: place, self.parameter: self.size}
            return Number(Fraction(values[name])) if name in values else Symbol(name)
        target = found.offset + (0 if found.index is None else place)
        if self.is_ring:
            target = (target - 1) % self.size + 1
        return Symbol(f"{found.base}_{target}") if 1 <= target <= self.size else Number(Fraction(0))

    def write_out(self, formula: Expression, place: int) -> Expression:
        """Return an expression where the index has the value `place`.

        Raises
        ------
        ValueError : it divides by zero there.
        """
        try:
            return Expression(substitute(formula.tree, lambda name: self.locate(name, place)))
        except ZeroDivisionError:
            raise ValueError(f"{formula.text!r} divides by zero at {self.name} = {place}") from None

    def write_out_all(self, formulas: Mapping[str, Expression]) -> dict[str, Expression]:
        """Return the expression of each single state or process."""
        pairs = ((key, place, name) for key in formulas for place, name in enumerate(self.list_names(key), 1))
        return {name: self.write_out(formulas[key], place) for key, place, name in pairs}

    def start(self, given: Mapping[str, Quantity], states: Iterable[str]) -> dict[str, Quantity]:
        """Return the initial value of each single state.

        Raises
        ------
        ValueError : one is no finite number.
        """
        spread = self.spread(given)
        return {state: self._find_value(spread[state], state) for state in states}

    def _find_value(self, value: Quantity, state: str) -> Quantity:
        if not isinstance(value, Varying):
            return value
        place = int(state.rpartition("_")[2])
        found = Quantity(self.write_out(value, place).tree)
        try:
            return Quantity.parse(found.text)
        except ValueError:
            raise ValueError(f"{value.text!r} is not a finite real number at {self.name} = {place}") from None
